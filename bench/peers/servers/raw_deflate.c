/* Each message by itself: what is deflated for each receiver is deflated anew. */
#include "raw_deflate.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

enum { HEADER = 10, TAIL = 4, LEVEL = 1 };

static z_stream in, out;
static unsigned char *message, *frame;
static size_t message_room, frame_room;
static const unsigned char tail[TAIL] = {0x00, 0x00, 0xff, 0xff};

void raw_deflate_begin(void)
{
  if (inflateInit2(&in, -MAX_WBITS) != Z_OK ||
      deflateInit2(&out, LEVEL, Z_DEFLATED, -MAX_WBITS, MAX_MEM_LEVEL - 1, Z_DEFAULT_STRATEGY) !=
          Z_OK)
    abort();
}

static void grow(unsigned char **bytes, size_t *room, size_t need)
{
  if (need <= *room)
    return;
  *room = 2 * need;
  *bytes = realloc(*bytes, *room);
}

static size_t feed(const unsigned char *bytes, size_t len, size_t made)
{
  in.next_in = (unsigned char *)bytes;
  in.avail_in = (uInt)len;
  do {
    grow(&message, &message_room, made + 4096);
    in.next_out = message + made;
    in.avail_out = (uInt)(message_room - made);
    int came = inflate(&in, Z_SYNC_FLUSH);
    made = message_room - in.avail_out;
    if (came != Z_OK)
      break;
  } while (in.avail_in > 0 || in.avail_out == 0);
  return made;
}

const unsigned char *raw_inflate(const unsigned char *payload, size_t len, size_t *made)
{
  inflateReset(&in);
  *made = feed(tail, TAIL, feed(payload, len, 0));
  return message;
}

static size_t header_len(size_t len)
{
  return len < 126 ? 2 : len < 65536 ? 4 : 10;
}

/* Writes the header right before the payload. */
static unsigned char *write_header(unsigned char *payload, unsigned char first, size_t len)
{
  size_t size = header_len(len);
  unsigned char *header = payload - size;
  header[0] = first;
  header[1] = size == 2 ? (unsigned char)len : size == 4 ? 126 : 127;
  for (size_t i = 2; i < size; i++)
    header[i] = (unsigned char)(len >> 8 * (size - 1 - i));
  return header;
}

const unsigned char *raw_deflate(unsigned char first, const unsigned char *text, size_t len,
                                 size_t *made)
{
  deflateReset(&out);
  grow(&frame, &frame_room, HEADER + deflateBound(&out, len) + 16);
  out.next_in = (unsigned char *)text;
  out.avail_in = (uInt)len;
  out.next_out = frame + HEADER;
  out.avail_out = (uInt)(frame_room - HEADER);
  deflate(&out, Z_SYNC_FLUSH);
  size_t payload = frame_room - HEADER - out.avail_out - TAIL;
  unsigned char *begin = write_header(frame + HEADER, first | RAW_COMPRESSED, payload);
  *made = (size_t)(frame + HEADER - begin) + payload;
  return begin;
}
