/* HTTP/1.1 request heads (RFC 9112): our guard, then llhttp. Pure: a head's bytes to slices of
 * them. The guard finds the end of the head in a stream and refuses what llhttp would let pass;
 * llhttp parses the whole head. */
#ifndef WEIR_WIRE_HTTP_H
#define WEIR_WIRE_HTTP_H

#include <weir/attributes.h>

#include <stdbool.h>

#ifdef __cplusplus
extern "C" {
#endif

struct weir__http_limits {
  size_t max_header_bytes;  /* of a whole head, leading CRLFs and request line among them: 431 */
  size_t max_header_fields; /* 431; at most WEIR__HTTP_FIELDS */
  size_t max_uri_bytes;     /* 414 */
};

/* The guard's state between two pieces of a head. All zero: at the start. */
struct weir__http_guard {
  size_t bytes; /* seen so far */
  uint32_t uri_bytes;
  uint16_t fields;
  uint8_t state;
  uint8_t leading; /* CRLFs in front of the request line */
};

/* Goes on over len bytes at data, all of them new, at least one. Returns 1 when the head's last
 * byte is among them, with *used set to the bytes up to and with it; 0 when all are used and the
 * head goes on; or a negative HTTP status, with *reason set to a sentence (static storage). */
int weir__http_guard(struct weir__http_guard *guard, const struct weir__http_limits *limits,
                     const char *data, size_t len, size_t *used, const char **reason);

enum { WEIR__HTTP_FIELDS = 128 };

struct weir__http_field {
  struct weir_slice name, value;
};

/* A request head; every slice lies within the bytes that were parsed. */
struct weir__http_head {
  struct weir_slice method, target, path,
      query; /* query without "?"; data NULL where there is none */
  uint8_t major, minor;
  bool keep_alive; /* the connection may serve another request after this one */
  bool has_body;   /* Content-Length over 0, or Transfer-Encoding */
  bool chunked;    /* the body is chunked; else it has content_length bytes */
  uint64_t content_length;
  size_t field_count;
  struct weir__http_field fields[WEIR__HTTP_FIELDS];
};

/* Parses a whole head that passed the guard. Judges what holds for every request: the version (505,
 * 400), the method (501 when it is none of HTTP's), Host (400), the target's form (400; an absolute
 * form's authority must equal Host), framing of the body (400). Returns 0 or a negative HTTP status
 * with *reason set to a sentence (static storage). */
int weir__http_parse(struct weir__http_head *head, const char *data, size_t len,
                     const char **reason);

/* Parses a whole response head that ends with an empty line, for the tools, which are clients: its
 * version and fields go into head. Returns the status, or -1 with *reason set. */
int weir__http_parse_response(struct weir__http_head *head, const char *data, size_t len,
                              const char **reason);

/* The first field of a name, in any case, and how many there are. */
struct weir_slice weir__http_field(const struct weir__http_head *head, const char *name);
size_t weir__http_field_count(const struct weir__http_head *head, const char *name);

/* What the client awaits before it sends its body (RFC 9110 section 10.1.1): 0 nothing, 1 a 100
 * (Continue), or -417 with *reason set. */
int weir__http_expect(const struct weir__http_head *head, const char **reason);

/* A walk over the elements of a comma-separated list field, over all its lines (RFC 9110 sections
 * 5.3, 5.6.1). */
struct weir__http_list {
  const struct weir__http_head *head;
  struct weir_slice name, rest; /* of the field; of the line, after the elements handed out */
  size_t next_field;
};

/* Begins a walk; name must outlive it. */
struct weir__http_list weir__http_list_begin(const struct weir__http_head *head, const char *name);

/* The next element without surrounding blanks, or false at the end. Empty elements are skipped, as
 * the RFC wants it; a comma within a quoted string is one as any other. */
bool weir__http_list_next(struct weir__http_list *list, struct weir_slice *element);

/* Whether a comma-separated list field, over all its lines, holds a token, in any case (RFC 9110
 * section 5.6.1). */
bool weir__http_has_token(const struct weir__http_head *head, const char *name, const char *token);

/* Whether the bytes are a token, or a field value that holds no CR, LF, NUL or other control (RFC
 * 9110 sections 5.6.2, 5.5). */
bool weir__http_is_token(struct weir_slice text);
bool weir__http_is_value(struct weir_slice text);

/* The standard phrase of a status, such as "Bad Request"; "Unknown" for others (RFC 9110 section
 * 15). */
const char *weir__http_phrase(int status);

#ifdef __cplusplus
}
#endif

#endif
