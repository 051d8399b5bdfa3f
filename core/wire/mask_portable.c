/* The kernel for any CPU: words of eight bytes, and the automaton of utf8.c (RFC 6455 sections 5.3
 * and 8.1). Must not know of vectors. */
#include "wire/mask_kernel.h"

#include <string.h>

/* Unmasked and then validated while still in the first-level cache. */
#define BLOCK 4096

static bool supported(void)
{
  return true;
}

static void unmask(unsigned char *data, size_t len, uint32_t key)
{
  uint64_t keys = (uint64_t)key << 32 | key;
  size_t at = 0;
  for (; len - at >= sizeof keys; at += sizeof keys) {
    uint64_t word;
    memcpy(&word, data + at, sizeof word);
    word ^= keys;
    memcpy(data + at, &word, sizeof word);
  }
  unsigned char rest[sizeof keys];
  memcpy(rest, &keys, sizeof rest);
  for (size_t i = 0; at + i < len; i++)
    data[at + i] ^= rest[i];
}

static size_t unmask_text(unsigned char *data, size_t len, uint32_t key, struct weir__utf8 *state)
{
  _Static_assert(BLOCK % sizeof key == 0, "every block must begin with the same byte of the key");
  size_t at = 0;
  while (at < len) {
    size_t block = len - at < BLOCK ? len - at : BLOCK;
    unmask(data + at, block, key);
    size_t sound = weir__utf8_validate(state, data + at, block);
    at += sound;
    if (sound < block)
      break;
  }
  return at;
}

const struct weir__mask_kernel weir__mask_portable = {"portable", supported, unmask, unmask_text};
