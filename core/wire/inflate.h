/* Decompression of messages (RFC 7692 section 7.2.2). Pure: zlib's streams in memory that the
 * caller gives. Limits are the caller's business: it sees every piece of output before the next is
 * made. */
#ifndef WEIR_WIRE_INFLATE_H
#define WEIR_WIRE_INFLATE_H

#include "wire/zmem.h"

#include <stdbool.h>
#include <stdint.h>
#include <zlib.h>

#ifdef __cplusplus
extern "C" {
#endif

/* What one direction of a connection remembers, or a loop's stream that serves many connections. It
 * may not be moved in memory. */
struct weir__inflate {
  z_stream stream;
  struct weir__zmem memory;
  bool ended; /* a final block was the last thing read of this message */
};

/* Bytes to read; taken off its front. */
struct weir__bytes_in {
  const unsigned char *at;
  size_t len;
};

enum { WEIR__INFLATE_WINDOW = 32768 }; /* bytes of the largest window */

/* The bytes that a stream takes by its zmem, nearly: for budgets, at least what is taken. */
size_t weir__inflate_bytes(uint8_t window_bits);

/* Makes a stream for an agreed window of 8 to 15 bits, all of its memory at once: nothing else
 * here allocates. For 8 there is a window of 9, which zlib's compressors take when they are asked
 * for 8. Returns 0 or -ENOMEM; then there is nothing to finish. */
int weir__inflate_init(struct weir__inflate *inflater, uint8_t window_bits,
                       struct weir__zmem memory);

/* Gives the memory back. */
void weir__inflate_fini(struct weir__inflate *inflater);

/* Forgets the window, an error, and a message begun. Cheap: before each message where no context is
 * taken over. */
void weir__inflate_reset(struct weir__inflate *inflater);

enum { WEIR__INFLATE_DONE = 0, WEIR__INFLATE_MORE = 1 };

/* Goes on with a message: takes bytes off in and writes up to room bytes, at least one, to out;
 * *made says how many, whatever is returned. last: the message ends with these bytes. Returns
 * WEIR__INFLATE_MORE when the room is used up: call again, with the same last, for there may be
 * more. WEIR__INFLATE_DONE: the input is used up; with last, the message was whole. Returns -1007
 * with *reason set to a sentence (static storage) when the data is invalid, or the message ends
 * inside a block (RFC 7692 section 7.2.2: the 00 00 FF FF that it lacks is added here and must
 * complete it); then the stream must be reset or finished. A final block ends a DEFLATE stream, and
 * what follows begins another, with an empty window (section 7.2.3.4); it may end the message
 * without the 00 that belongs there. A distance beyond the agreed window is found only where zlib
 * holds these bytes no more. */
int weir__inflate_next(struct weir__inflate *inflater, struct weir__bytes_in *in, bool last,
                       unsigned char *out, size_t room, size_t *made, const char **reason);

/* Between two messages: copies the window, up to WEIR__INFLATE_WINDOW bytes, and returns its
 * length; and puts it back into a stream of the same bits, whatever that held. A stream so restored
 * goes on as the first would have. */
size_t weir__inflate_window(const struct weir__inflate *inflater, unsigned char *out);
void weir__inflate_restore(struct weir__inflate *inflater, const unsigned char *window, size_t len);

#ifdef __cplusplus
}
#endif

#endif
