/* What the raw server knows of RFC 6455: a client's frame header, the mask, the upgrade. */
#ifndef WEIR_PEERS_RAW_WIRE_H
#define WEIR_PEERS_RAW_WIRE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { RAW_ANSWER = 320 };

struct raw_header {
  const unsigned char *bytes;
  size_t len; /* with the key */
  uint64_t payload;
};

/* Whether the whole header is there. */
bool raw_header_read(struct raw_header *header, const unsigned char *bytes, size_t len);

/* to is from or lies before it, as near as it likes. */
void raw_unmask(unsigned char *to, const unsigned char *from, size_t len,
                const unsigned char key[4]);

/* The key for what comes after len bytes. */
void raw_turn_key(unsigned char key[4], size_t len);

/* Writes the answer, a string, to a request head that ends in an empty line and is followed by
 * nothing; false when there is no key in it. deflates: it agrees to permessage-deflate unseen. */
bool raw_upgrade(char answer[RAW_ANSWER], const char *head, size_t len, bool deflates);

#endif
