/* What messages are made of, so that each differs from its neighbours and is checked by comparing:
 * windows of one random table, of which not a byte is kept twice; or, where that would be no text
 * of its kind or too much to compress, so many messages one behind the other. */
#ifndef WEIR_BENCH_PAYLOAD_H
#define WEIR_BENCH_PAYLOAD_H

#include "settings.h"

#ifdef __cplusplus
extern "C" {
#endif

enum {
  PAYLOAD_WINDOWS = 1 << 16,
  PAYLOAD_FEW_MOST = 1 << 10, /* where they are few: as many as 16 MiB hold, but in these bounds */
  PAYLOAD_FEW_LEAST = 1 << 4
};

struct payload {
  unsigned char *table;
  size_t size;   /* of a message */
  size_t body;   /* bytes of the window; the rest, for whole characters, is filled up with "." */
  size_t stride; /* from one window to the next: a character, or a message */
  uint64_t mask; /* windows, which are a power of two, less one */
  bool whole;    /* messages travel as they stand in the table: no rest, not compressed */
};

/* few: for compressed messages, of which all are kept. Returns 0 or -ENOMEM. */
int payload_init(struct payload *payload, enum kind kind, size_t size, bool few);
void payload_fini(struct payload *payload);

/* Writes a JSON document of just so many bytes, 2 or more. */
void payload_write_json(unsigned char *out, size_t size, uint64_t *state);

/* A random number below a bound, of the state, which is not 0. */
uint32_t payload_random(uint64_t *state, uint32_t bound);

/* The number of a message among those that differ. Odd factors: as many messages of a connection in
 * a row as there are windows are all different. */
static inline uint64_t payload_number(const struct payload *payload, uint32_t from, uint64_t seq)
{
  return (from * UINT64_C(0x9E35) + seq * UINT64_C(0x5EB1)) & payload->mask;
}

/* Where the window of a message begins. */
static inline const unsigned char *payload_window(const struct payload *payload, uint32_t from,
                                                  uint64_t seq)
{
  return payload->table + payload_number(payload, from, seq) * payload->stride;
}

/* Writes the whole message of a number. */
void payload_message(const struct payload *payload, uint64_t number, unsigned char *out);

/* Writes bytes at to at + len of the message that a connection sends as its seq'th; messages repeat
 * after as many as there are windows. */
void payload_copy(const struct payload *payload, uint32_t from, uint64_t seq, size_t at, size_t len,
                  unsigned char *out);

/* Whether data are these bytes. */
bool payload_equal(const struct payload *payload, uint32_t from, uint64_t seq, size_t at,
                   size_t len, const unsigned char *data);

/* How many of data's bytes are right before the first that is not; len when all are. */
size_t payload_match(const struct payload *payload, uint32_t from, uint64_t seq, size_t at,
                     size_t len, const unsigned char *data);

#ifdef __cplusplus
}
#endif

#endif
