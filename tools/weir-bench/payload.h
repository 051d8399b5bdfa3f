/* What messages are made of: windows of one random table, so that each differs from its neighbours
 * and is checked by comparing, without a byte of it being kept. */
#ifndef WEIR_BENCH_PAYLOAD_H
#define WEIR_BENCH_PAYLOAD_H

#include "settings.h"

#ifdef __cplusplus
extern "C" {
#endif

enum { PAYLOAD_WINDOWS = 1 << 16 };

struct payload {
  unsigned char *table;
  size_t size; /* of a message */
  size_t body; /* bytes of the window; the rest, for whole characters, is filled up with "." */
  size_t unit; /* bytes of a character */
};

/* Returns 0 or -ENOMEM. */
int payload_init(struct payload *payload, enum kind kind, size_t size);
void payload_fini(struct payload *payload);

/* Where the window of a message begins. Odd factors: those of 65,536 messages in a row are all
 * different. */
static inline const unsigned char *payload_window(const struct payload *payload, uint32_t from,
                                                  uint64_t seq)
{
  uint64_t n = from * UINT64_C(0x9E35) + seq * UINT64_C(0x5EB1);
  return payload->table + n % PAYLOAD_WINDOWS * payload->unit;
}

/* Writes bytes at to at + len of the message that a connection sends as its seq'th; seq'th messages
 * of one connection repeat after 65,536. */
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
