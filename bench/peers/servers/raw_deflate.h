/* What the raw server knows of RFC 7692: messages that stand alone, by zlib at level 1. */
#ifndef WEIR_PEERS_RAW_DEFLATE_H
#define WEIR_PEERS_RAW_DEFLATE_H

#include <stddef.h>

enum { RAW_COMPRESSED = 0x40 }; /* RSV1 */

/* Once, before the others. */
void raw_deflate_begin(void);

/* The message of a payload that lacks its tail; valid until the next call. */
const unsigned char *raw_inflate(const unsigned char *payload, size_t len, size_t *made);

/* A whole frame of a message, its first byte with FIN; valid until the next call. */
const unsigned char *raw_deflate(unsigned char first, const unsigned char *message, size_t len,
                                 size_t *made);

#endif
