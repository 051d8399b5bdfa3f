/* Conditional requests and ranges (RFC 9110 sections 8.8, 13, 14), as an origin server judges them
 * for one representation. Pure: a parsed head and what the server knows of the representation to
 * the status of the answer, and to the part that is asked for. */
#ifndef WEIR_WIRE_HTTP_RANGE_H
#define WEIR_WIRE_HTTP_RANGE_H

#include "wire/http.h"
#include "wire/http_date.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Whether a list of entity-tags, over all lines of a field of that name, holds the tag, or is "*",
 * which holds any. Tags have their quotes, and "W/" in front of a weak one; with strong, weak ones
 * equal none. A list that is malformed holds none. */
bool weir__http_etag_listed(const struct weir__http_head *head, const char *name,
                            struct weir_slice etag, bool strong);

/* The representation that a GET of the target selects. */
struct weir__http_selected {
  struct weir_slice etag; /* with its quotes, and "W/" when it is weak; data NULL for none */
  int64_t mtime;          /* as Last-Modified says it, in seconds since 1970 */
  uint64_t size;
};

/* The bytes from first up to and with last. */
struct weir__http_part {
  uint64_t first, last;
};

/* Judges the preconditions of a GET or HEAD and, of a GET, Range, in the order of RFC 9110 section
 * 13.2.2. now is in seconds since 1970. Returns 200, 304, 412, 416 for a range that lies behind the
 * end, or 206 with *part set. What is malformed is ignored, but for If-Match and If-Range, which it
 * makes false. Several ranges are answered by the whole. A date in If-Range must be the
 * representation's, and past: within the same second there may have been another. */
int weir__http_range_judge(const struct weir__http_head *head,
                           const struct weir__http_selected *selected, int64_t now,
                           struct weir__http_part *part);

#ifdef __cplusplus
}
#endif

#endif
