/* SipHash-2-4: a keyed hash of bytes, for tables whose keys a peer chooses. */
#ifndef WEIR_BASE_HASH_H
#define WEIR_BASE_HASH_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

uint64_t weir__hash(const uint64_t key[2], const void *data, size_t len);

#ifdef __cplusplus
}
#endif

#endif
