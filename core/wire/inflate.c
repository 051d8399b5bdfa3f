/* Decompression of messages (RFC 7692 section 7.2.2). In: payloads of frames that are one message,
 * in pieces of any size; out: the message, in pieces of the room that there is. Must not know of
 * frames, nor of the limits that the caller sets. */
#include "wire/inflate.h"
#include "base/debug.h"

#include <errno.h>

/* zlib counts a call's bytes in 32 bits. */
enum { PIECE = 1 << 30 };

enum { AT_BORDER = 128 }; /* in data_type: a block has just ended */

/* What senders cut off: the rest of an empty stored block, whose header ends the message. */
static const unsigned char TAIL[4] = {0x00, 0x00, 0xFF, 0xFF};

static size_t smaller(size_t a, size_t b)
{
  return a < b ? a : b;
}

static uint8_t bits_of_window(uint8_t agreed)
{
  return agreed < 9 ? 9 : agreed;
}

size_t weir__inflate_bytes(uint8_t window_bits)
{
  enum { STATE = 7168 + 256 }; /* tables for the codes, above all */
  return ((size_t)1 << bits_of_window(window_bits)) + STATE;
}

/* Setting a dictionary has the window allocated, which would otherwise be with the first output. */
static int set_window(z_stream *stream, const unsigned char *window, size_t len)
{
  return inflateSetDictionary(stream, window, (unsigned)len);
}

int weir__inflate_init(struct weir__inflate *inflater, uint8_t window_bits,
                       struct weir__zmem memory)
{
  WEIR__ASSERT(window_bits >= 8 && window_bits <= 15);
  *inflater = (struct weir__inflate){.memory = memory};
  z_stream *stream = &inflater->stream;
  stream->zalloc = weir__zmem_alloc;
  stream->zfree = weir__zmem_free;
  stream->opaque = &inflater->memory;
  if (inflateInit2(stream, -bits_of_window(window_bits)) != Z_OK)
    return -ENOMEM;
  if (set_window(stream, TAIL, 0) != Z_OK) {
    inflateEnd(stream);
    return -ENOMEM;
  }
  return 0;
}

void weir__inflate_fini(struct weir__inflate *inflater)
{
  inflateEnd(&inflater->stream);
}

void weir__inflate_reset(struct weir__inflate *inflater)
{
  inflateReset(&inflater->stream);
  inflater->ended = false;
}

static int invalid(const char **reason, const char *sentence)
{
  *reason = sentence;
  return -1007;
}

/* One call of zlib: takes bytes off in, adds to *made. */
static int step(struct weir__inflate *inflater, struct weir__bytes_in *in, unsigned char *out,
                size_t room, size_t *made)
{
  z_stream *stream = &inflater->stream;
  size_t feed = smaller(in->len, PIECE), space = smaller(room - *made, PIECE);
  stream->next_in = (unsigned char *)in->at;
  stream->avail_in = (unsigned)feed;
  stream->next_out = out + *made;
  stream->avail_out = (unsigned)space;
  int result = inflate(stream, Z_SYNC_FLUSH);
  size_t taken = feed - stream->avail_in;
  *made += space - stream->avail_out;
  if (taken > 0) { /* else in->at may be NULL */
    in->at += taken;
    in->len -= taken;
    inflater->ended = false;
  }
  if (result == Z_STREAM_END) {
    inflateReset(stream);
    inflater->ended = true;
  }
  return result;
}

/* Ends a message whose bytes and output are all through: the tail must be the rest of a block that
 * makes nothing. */
static int finish(struct weir__inflate *inflater, const char **reason)
{
  z_stream *stream = &inflater->stream;
  unsigned char none[1];
  if (inflater->ended) {
    inflater->ended = false;
    return WEIR__INFLATE_DONE;
  }
  stream->next_in = (unsigned char *)TAIL;
  stream->avail_in = sizeof TAIL;
  stream->next_out = none;
  stream->avail_out = 0;
  int result = inflate(stream, Z_SYNC_FLUSH);
  bool complete = result == Z_STREAM_END || (result == Z_OK && (stream->data_type & AT_BORDER));
  if (stream->avail_in > 0 || !complete)
    return invalid(reason, "A compressed message ends inside a block");
  if (result == Z_STREAM_END)
    inflateReset(stream);
  return WEIR__INFLATE_DONE;
}

int weir__inflate_next(struct weir__inflate *inflater, struct weir__bytes_in *in, bool last,
                       unsigned char *out, size_t room, size_t *made, const char **reason)
{
  WEIR__ASSERT(room > 0);
  *made = 0;
  do {
    int result = step(inflater, in, out, room, made);
    if (result != Z_OK && result != Z_STREAM_END && result != Z_BUF_ERROR)
      return invalid(reason, "A compressed message is not valid DEFLATE data");
    if (*made == room)
      return WEIR__INFLATE_MORE;
  } while (in->len > 0);
  return last ? finish(inflater, reason) : WEIR__INFLATE_DONE;
}

size_t weir__inflate_window(const struct weir__inflate *inflater, unsigned char *out)
{
  unsigned len = 0;
  inflateGetDictionary((z_stream *)&inflater->stream, out, &len);
  return len;
}

void weir__inflate_restore(struct weir__inflate *inflater, const unsigned char *window, size_t len)
{
  WEIR__ASSERT(len <= WEIR__INFLATE_WINDOW);
  weir__inflate_reset(inflater);
  if (len > 0)
    set_window(&inflater->stream, window, len);
}
