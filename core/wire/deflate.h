/* Compression of messages (RFC 7692 section 7.2.1). Pure: zlib's streams in memory that the caller
 * gives. Whether a message gained by it is the caller's business. No message ends in a final block
 * (section 7.2.3.4), which is legal, but clients that keep one stream of zlib's for all messages,
 * as Node.js's own WebSocket does, read nothing after it. */
#ifndef WEIR_WIRE_DEFLATE_H
#define WEIR_WIRE_DEFLATE_H

#include "wire/zmem.h"

#include <stdint.h>
#include <zlib.h>

#ifdef __cplusplus
extern "C" {
#endif

/* What one direction of a connection remembers, or a loop's stream that serves many connections. It
 * may not be moved in memory. */
struct weir__deflate_stream {
  z_stream stream;
  struct weir__zmem memory;
};

/* The bytes that a stream takes by its zmem, nearly: for budgets, at least what is taken. 2 to the
 * power of window_bits + 3, and 6 KiB: the window and its chains, a hash table and the symbols of a
 * block (zlib's memLevel) shrink alike, 15 bits going with zlib's default of 8. */
size_t weir__deflate_bytes(uint8_t window_bits);

/* Makes a stream for an agreed window of 9 to 15 bits, with zlib's level 1 to 9, all of its memory
 * at once: nothing else here allocates. Returns 0 or -ENOMEM; then there is nothing to finish. */
int weir__deflate_init(struct weir__deflate_stream *deflater, uint8_t window_bits, int level,
                       struct weir__zmem memory);

/* Gives the memory back. */
void weir__deflate_fini(struct weir__deflate_stream *deflater);

/* The least window, of at most so many bits, with which a message that refers to none before is
 * compressed as well as with any, and with most speed: a reset clears less. */
uint8_t weir__deflate_bits(size_t len, uint8_t most);

/* Forgets all messages before: the next one refers to none. Needed before each message where no
 * context is taken over; and where one is, when a message that was made does not go out from here,
 * or one goes out that was not made here. Costs the clearing of a hash table, 2 to the power of
 * window_bits + 1 bytes. */
void weir__deflate_reset(struct weir__deflate_stream *deflater);

/* Bytes of room that weir__deflate_message needs beside what it makes. */
enum { WEIR__DEFLATE_SLACK = 5 };

/* Compresses a message of any length, none too, as a continuation of those before. What is made
 * ends with a sync flush whose 00 00 FF FF is cut off, as the RFC wants it. Returns 0 with *made
 * set; or -ENOSPC when *made + WEIR__DEFLATE_SLACK would be over room; then the stream has been
 * reset and goes on. */
int weir__deflate_message(struct weir__deflate_stream *deflater, const unsigned char *data,
                          size_t len, unsigned char *out, size_t room, size_t *made);

#ifdef __cplusplus
}
#endif

#endif
