/* SipHash-2-4 as its authors specify it (Aumasson and Bernstein, 2012): two rounds a word, four at
 * the end. */
#include "base/hash.h"

#include <endian.h>
#include <string.h>

struct state {
  uint64_t v0, v1, v2, v3;
};

static uint64_t rotate(uint64_t word, unsigned int bits)
{
  return word << bits | word >> (64 - bits);
}

static void sip_round(struct state *s)
{
  s->v0 += s->v1;
  s->v2 += s->v3;
  s->v1 = rotate(s->v1, 13) ^ s->v0;
  s->v3 = rotate(s->v3, 16) ^ s->v2;
  s->v0 = rotate(s->v0, 32);
  s->v2 += s->v1;
  s->v0 += s->v3;
  s->v1 = rotate(s->v1, 17) ^ s->v2;
  s->v3 = rotate(s->v3, 21) ^ s->v0;
  s->v2 = rotate(s->v2, 32);
}

static void take_word(struct state *s, uint64_t word)
{
  s->v3 ^= word;
  sip_round(s);
  sip_round(s);
  s->v0 ^= word;
}

uint64_t weir__hash(const uint64_t key[2], const void *data, size_t len)
{
  const unsigned char *at = data;
  struct state s = {key[0] ^ 0x736f6d6570736575u, key[1] ^ 0x646f72616e646f6du,
                    key[0] ^ 0x6c7967656e657261u, key[1] ^ 0x7465646279746573u};
  size_t words = len / 8;
  for (size_t i = 0; i < words; i++, at += 8) {
    uint64_t word;
    memcpy(&word, at, 8);
    take_word(&s, le64toh(word));
  }
  uint64_t last = (uint64_t)len << 56;
  for (size_t i = 0; i < len % 8; i++)
    last |= (uint64_t)at[i] << (8 * i);
  take_word(&s, last);
  s.v2 ^= 0xFF;
  for (int i = 0; i < 4; i++)
    sip_round(&s);
  return s.v0 ^ s.v1 ^ s.v2 ^ s.v3;
}
