/* Paths, queries and hosts (RFC 3986 sections 2.1, 3.2.2, 3.3, 3.4): route patterns and
 * percent-decoding. Pure. */
#ifndef WEIR_WIRE_URI_H
#define WEIR_WIRE_URI_H

#include <weir/attributes.h>

#include <stdbool.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Whether a pattern is well-formed: it begins with "/" (or is "*" alone); "/:name" stands for one
 * whole segment, with a name of letters, digits and "_", each used once; "*" only as the last
 * character and as a whole segment; elsewhere visible ASCII but "?" and "#", which no path holds.
 */
bool weir__uri_pattern_valid(const char *pattern);

/* Whether a path matches a pattern; a parameter matches one segment that is not empty, "*" whatever
 * follows its "/", nothing too; "*" alone stands for a "/" and a "*". Literal segments compare byte
 * by byte, before decoding. */
bool weir__uri_match(const char *pattern, struct weir_slice path);

/* The part of a path that the pattern's parameter of a name matches, not decoded; data is NULL when
 * there is none. */
struct weir_slice weir__uri_parameter(const char *pattern, struct weir_slice path,
                                      const char *name);

/* What a pattern's "*" stands for in a path, not decoded; data is NULL when it has none. */
struct weir_slice weir__uri_rest(const char *pattern, struct weir_slice path);

/* Orders two patterns by precedence: negative when a goes first (an exact segment before a
 * parameter, a parameter before "*", compared segment by segment), 0 only when they match the same
 * paths. A total order, so that routes may be sorted by it. */
int weir__uri_pattern_order(const char *a, const char *b);

/* The first value of a name in a query, not decoded; names are compared decoded. data is NULL when
 * it is absent; a name without "=" has an empty value. */
struct weir_slice weir__uri_query(struct weir_slice query, const char *name);

/* Whether text holds "%" (or "+", where plus is set), so that decoding would change it. */
bool weir__uri_encoded(struct weir_slice text, bool plus);

/* Decodes into out, which has room for text.len bytes, and returns the length. "%" without two hex
 * digits stays as it is; "+" becomes a space where plus is set. */
size_t weir__uri_decode(struct weir_slice text, bool plus, char *out);

/* Whether text is a host with or without a port, as Host holds it: "name", "192.0.2.1:80",
 * "[::1]:80". An empty one is not. */
bool weir__uri_host_valid(struct weir_slice host);

#ifdef __cplusplus
}
#endif

#endif
