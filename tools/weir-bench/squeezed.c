#include "squeezed.h"

#include <stdlib.h>
#include <string.h>
#include <zlib.h>

enum { LEVEL = 6, MEMORY = 8, TAIL = 4, LEAST_BITS = 9 };

uint8_t squeezed_bits(const struct payload *payload, uint8_t bits)
{
  return payload->size <= (size_t)1 << bits ? MAX_WBITS : bits;
}

/* zlib has no window of 8 bits; what refers to nothing fits any. */
static int begin(z_stream *stream, uint8_t bits)
{
  bool tiny = bits < LEAST_BITS;
  return deflateInit2(stream, LEVEL, Z_DEFLATED, tiny ? -LEAST_BITS : -bits, MEMORY,
                      tiny ? Z_HUFFMAN_ONLY : Z_DEFAULT_STRATEGY);
}

/* Compresses one message to out, where there is room. Returns its length. */
static size_t squeeze(z_stream *stream, const unsigned char *message, size_t size,
                      unsigned char *out, size_t room)
{
  deflateReset(stream);
  stream->next_in = (unsigned char *)message;
  stream->avail_in = (uInt)size;
  stream->next_out = out;
  stream->avail_out = (uInt)room;
  deflate(stream, Z_SYNC_FLUSH);
  return room - stream->avail_out - TAIL;
}

static bool squeeze_all(struct squeezed *squeezed, const struct payload *payload, z_stream *stream)
{
  size_t windows = (size_t)payload->mask + 1, room = 0, end = 0;
  size_t most = deflateBound(stream, payload->size) + 2 * TAIL;
  unsigned char *message = malloc(payload->size + 1);
  squeezed->ends = malloc(windows * sizeof *squeezed->ends);
  bool good = message != NULL && squeezed->ends != NULL;
  for (uint64_t number = 0; good && number < windows; number++) {
    if (room - end < most) {
      room = 2 * room + most;
      unsigned char *grown = realloc(squeezed->bytes, room);
      good = grown != NULL;
      squeezed->bytes = good ? grown : squeezed->bytes;
      if (!good)
        break;
    }
    payload_message(payload, number, message);
    end += squeeze(stream, message, payload->size, squeezed->bytes + end, most);
    squeezed->ends[number] = end;
  }
  free(message);
  return good;
}

struct squeezed *squeezed_new(const struct payload *payload, uint8_t bits)
{
  z_stream stream = {0};
  struct squeezed *squeezed = calloc(1, sizeof *squeezed);
  if (squeezed == NULL || begin(&stream, bits) != Z_OK) {
    free(squeezed);
    return NULL;
  }
  bool good = squeeze_all(squeezed, payload, &stream);
  deflateEnd(&stream);
  if (good)
    return squeezed;
  squeezed_free(squeezed);
  return NULL;
}

void squeezed_free(struct squeezed *squeezed)
{
  if (squeezed == NULL)
    return;
  free(squeezed->ends);
  free(squeezed->bytes);
  free(squeezed);
}
