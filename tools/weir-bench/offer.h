/* permessage-deflate as this client offers it, and what it lets a server answer (RFC 7692 sections
 * 5 and 7.1). */
#ifndef WEIR_BENCH_OFFER_H
#define WEIR_BENCH_OFFER_H

#include "wire/http.h"

#ifdef __cplusplus
extern "C" {
#endif

/* What was agreed. */
struct offer {
  bool server_takeover; /* its messages may refer to those before */
  bool client_takeover; /* ours may */
  uint8_t server_bits;  /* of the LZ77 windows, 8 to 15 */
  uint8_t client_bits;
};

/* The field lines of the request; no_takeover: asks that neither side keeps its context. */
const char *offer_fields(bool no_takeover);

/* Reads the answer in a 101's head. Returns NULL, or a sentence when it is none, or one that the
 * offer does not allow. */
const char *offer_read(struct offer *offer, const struct weir__http_head *head, bool no_takeover);

/* What was agreed, in words: "server 15 bits takeover, client 12 bits no takeover". Returns text.
 */
const char *offer_text(const struct offer *offer, char *text, size_t size);

#ifdef __cplusplus
}
#endif

#endif
