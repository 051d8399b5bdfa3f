#include "payload.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum { FILL = '.', FEW_BYTES = 16 << 20 };

/* Marsaglia's xorshift, seeded alike in every run, so that runs compare. */
static uint32_t random_next(uint64_t *state)
{
  *state ^= *state << 13;
  *state ^= *state >> 7;
  *state ^= *state << 17;
  return (uint32_t)(*state >> 32);
}

uint32_t payload_random(uint64_t *state, uint32_t bound)
{
  return (uint32_t)((uint64_t)random_next(state) * bound >> 32);
}

/* One character of a kind. */
static void write_unit(unsigned char *out, enum kind kind, uint64_t *state)
{
  uint32_t c;
  switch (kind) {
  case KIND_BINARY:
    out[0] = (unsigned char)random_next(state);
    break;
  case KIND_TEXT:
    out[0] = (unsigned char)(' ' + payload_random(state, '~' - ' ' + 1));
    break;
  case KIND_CJK:
    c = 0x4E00 + payload_random(state, 0x9FFF - 0x4E00 + 1);
    out[0] = (unsigned char)(0xE0 | c >> 12);
    out[1] = (unsigned char)(0x80 | (c >> 6 & 0x3F));
    out[2] = (unsigned char)(0x80 | (c & 0x3F));
    break;
  case KIND_JSON:
    break; /* has no characters that stand for themselves */
  }
}

static uint64_t few_windows(size_t size)
{
  uint64_t windows = PAYLOAD_FEW_MOST;
  while (windows > PAYLOAD_FEW_LEAST && windows * size > FEW_BYTES)
    windows /= 2;
  return windows;
}

int payload_init(struct payload *payload, enum kind kind, size_t size, bool few)
{
  uint64_t state = 0x9E3779B97F4A7C15;
  uint64_t windows = few || kind == KIND_JSON ? few_windows(size) : PAYLOAD_WINDOWS;
  size_t unit = kind == KIND_CJK ? 3 : 1;
  size_t body = size / unit * unit, stride = kind == KIND_JSON ? size : unit;
  size_t table = windows * stride + body;
  *payload = (struct payload){.table = malloc(table),
                              .size = size,
                              .body = body,
                              .stride = stride,
                              .mask = windows - 1,
                              .whole = body == size && !few};
  if (payload->table == NULL)
    return -ENOMEM;
  for (size_t i = 0; kind != KIND_JSON && i < table; i += unit)
    write_unit(payload->table + i, kind, &state);
  for (size_t i = 0; kind == KIND_JSON && i < table; i += size)
    payload_write_json(payload->table + i, size, &state);
  return 0;
}

void payload_fini(struct payload *payload)
{
  free(payload->table);
  payload->table = NULL;
}

/* How many of len bytes at a place belong to the window. */
static size_t in_body(const struct payload *payload, size_t at, size_t len)
{
  if (at >= payload->body)
    return 0;
  return len < payload->body - at ? len : payload->body - at;
}

void payload_message(const struct payload *payload, uint64_t number, unsigned char *out)
{
  memcpy(out, payload->table + number * payload->stride, payload->body);
  memset(out + payload->body, FILL, payload->size - payload->body);
}

void payload_copy(const struct payload *payload, uint32_t from, uint64_t seq, size_t at, size_t len,
                  unsigned char *out)
{
  size_t body = in_body(payload, at, len);
  memcpy(out, payload_window(payload, from, seq) + at, body);
  if (body < len)
    memset(out + body, FILL, len - body);
}

bool payload_equal(const struct payload *payload, uint32_t from, uint64_t seq, size_t at,
                   size_t len, const unsigned char *data)
{
  size_t body = in_body(payload, at, len);
  if (memcmp(data, payload_window(payload, from, seq) + at, body) != 0)
    return false;
  for (size_t i = body; i < len; i++)
    if (data[i] != FILL)
      return false;
  return true;
}

size_t payload_match(const struct payload *payload, uint32_t from, uint64_t seq, size_t at,
                     size_t len, const unsigned char *data)
{
  size_t i = 0;
  while (i < len && payload_equal(payload, from, seq, at + i, 1, data + i))
    i++;
  return i;
}
