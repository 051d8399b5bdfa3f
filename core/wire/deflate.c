/* Compression of messages (RFC 7692 section 7.2.1). In: a message; out: the payload of its frame.
 * Must not know of frames, nor of who gets it. */
#include "wire/deflate.h"
#include "base/debug.h"

#include <errno.h>
#include <stdbool.h>

/* zlib counts a call's bytes in 32 bits. */
enum { PIECE = 1 << 30 };

enum { TAIL = 4 }; /* 00 00 FF FF */

/* The payload that an empty message has: the header of an empty stored block (RFC 7692 section
 * 7.2.3.6). */
enum { EMPTY = 0x00 };

static size_t smaller(size_t a, size_t b)
{
  return a < b ? a : b;
}

size_t weir__deflate_bytes(uint8_t window_bits)
{
  enum { STATE = 6144 };
  return ((size_t)8 << window_bits) + STATE;
}

uint8_t weir__deflate_bits(size_t len, uint8_t most)
{
  uint8_t bits = 9;
  while (bits < most && len > (size_t)1 << (bits - 1))
    bits++;
  return bits;
}

int weir__deflate_init(struct weir__deflate_stream *deflater, uint8_t window_bits, int level,
                       struct weir__zmem memory)
{
  WEIR__ASSERT(window_bits >= 9 && window_bits <= 15 && level >= 1 && level <= 9);
  *deflater = (struct weir__deflate_stream){.memory = memory};
  deflater->stream.zalloc = weir__zmem_alloc;
  deflater->stream.zfree = weir__zmem_free;
  deflater->stream.opaque = &deflater->memory;
  int result = deflateInit2(&deflater->stream, level, Z_DEFLATED, -window_bits, window_bits - 7,
                            Z_DEFAULT_STRATEGY);
  return result == Z_OK ? 0 : -ENOMEM;
}

void weir__deflate_fini(struct weir__deflate_stream *deflater)
{
  deflateEnd(&deflater->stream);
}

void weir__deflate_reset(struct weir__deflate_stream *deflater)
{
  deflateReset(&deflater->stream);
}

/* One call of zlib: takes bytes off the front, adds to *made. Whether all went in and came out. */
static bool step(z_stream *stream, const unsigned char **data, size_t *len, unsigned char *out,
                 size_t room, size_t *made)
{
  size_t feed = smaller(*len, PIECE), space = smaller(room - *made, PIECE);
  stream->next_in = (unsigned char *)*data;
  stream->avail_in = (unsigned)feed;
  stream->next_out = out + *made;
  stream->avail_out = (unsigned)space;
  deflate(stream, feed == *len ? Z_SYNC_FLUSH : Z_NO_FLUSH);
  *data += feed - stream->avail_in;
  *len -= feed - stream->avail_in;
  *made += space - stream->avail_out;
  return *len == 0 && stream->avail_out > 0;
}

static int make_empty(unsigned char *out, size_t room, size_t *made)
{
  if (room == 0)
    return -ENOSPC;
  out[0] = EMPTY;
  *made = 1;
  return 0;
}

int weir__deflate_message(struct weir__deflate_stream *deflater, const unsigned char *data,
                          size_t len, unsigned char *out, size_t room, size_t *made)
{
  if (len == 0)
    return make_empty(out, room, made);
  size_t total = 0;
  while (room == 0 || !step(&deflater->stream, &data, &len, out, room, &total))
    if (total == room) {
      deflateReset(&deflater->stream);
      return -ENOSPC;
    }
  *made = total - TAIL;
  return 0;
}
