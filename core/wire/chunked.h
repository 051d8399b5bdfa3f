/* Chunked bodies (RFC 9112 section 7.1). Pure: the bytes of a request's body to runs of what it
 * carries, and the lines that frame a response's. As strict as the guard of heads: a body that two
 * readers could see end at different bytes is refused. */
#ifndef WEIR_WIRE_CHUNKED_H
#define WEIR_WIRE_CHUNKED_H

#include <weir/attributes.h>

#ifdef __cplusplus
extern "C" {
#endif

/* The decoder's state between two pieces of a body. All zero: at the start. */
struct weir__chunked {
  uint64_t left; /* of the chunk's data; while its line is read, its size so far */
  uint8_t digits;
  uint8_t state;
};

/* Goes on over len bytes at data, all of them new, at least one, and stops with *used set to the
 * bytes taken: behind a run of the body, which is *piece, lent within data, and 0 is returned;
 * when all are used, *piece is empty, and 0 is returned; behind the body's last byte, *piece is
 * empty, 1 is returned, and the state is at the start again; or where it refuses, -400 is returned,
 * *reason is a sentence (static storage), and the state is of no more use. Extensions and trailers
 * are judged and passed over. Nothing is limited but a chunk's size, to less than 2^63: whoever
 * counts the bytes taken limits extensions, tiny chunks and trailers too. */
int weir__chunked_next(struct weir__chunked *state, const char *data, size_t len, size_t *used,
                       struct weir_slice *piece, const char **reason);

enum { WEIR__CHUNKED_HEADER_MAX = 18 };

/* Writes the line in front of a chunk of len bytes, and returns its length. Behind the chunk stands
 * CRLF; a body ends with the line of a chunk of 0 bytes and CRLF. */
size_t weir__chunked_header(char out[WEIR__CHUNKED_HEADER_MAX], size_t len);

#ifdef __cplusplus
}
#endif

#endif
