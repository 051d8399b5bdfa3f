/* What the TLS streams of a loop share: buffers for the ciphertext in hand, and one BIO between all
 * their sessions and those buffers. Made with the first stream, freed with the loop. */
#ifndef WEIR_IO_TLS_LOOP_H
#define WEIR_IO_TLS_LOOP_H

#include "io/tls_stream.h"

#ifdef __cplusplus
extern "C" {
#endif

enum {
  /* What is decrypted at once: with the record that was begun before, it fits the loop's receive
   * buffer. */
  WEIR__TLS_IN_BYTES = (int)WEIR__RECEIVE_BYTES - (int)WEIR__TLS_RECORD - 1024,
  WEIR__TLS_OUT_BYTES = 2 * (int)WEIR__TLS_RECORD, /* a record, or a flight of a handshake; more is
                                                      kept with the stream at once */
  WEIR__TLS_UPDATES = 16, /* changes of keys in one read: each takes as long as 100 records */
  WEIR__TLS_SENTENCE = 192,
};

struct weir__tls_loop {
  BIO_METHOD *method;
  BIO *bio;
  struct weir__tls *current; /* whose session is being called */
  const unsigned char *in;   /* ciphertext that it has not read yet */
  size_t in_len;
  size_t out_len;    /* of what it wrote */
  size_t updates;    /* changes of keys since the last read began */
  uint64_t turn;     /* of the loop, in which */
  uint64_t spent_ns; /* went into handshakes */
  size_t waiting;    /* streams that found no time left */
  char sentence[WEIR__TLS_SENTENCE];
  unsigned char received[WEIR__TLS_IN_BYTES];
  unsigned char out[WEIR__TLS_OUT_BYTES];
  unsigned char gathered[WEIR__TLS_RECORD]; /* a record's plaintext from several pieces */
};

/* Failures of our own, beside OpenSSL's codes, which have a library in their upper bits. */
enum {
  WEIR__TLS_NO_MEMORY = 1,
  WEIR__TLS_DEAF = 2,
  WEIR__TLS_LONG_HELLO = 3,
  WEIR__TLS_FOREIGN = 4,
  WEIR__TLS_RESTLESS = 5,
};

/* How much of a ClientHello there is, in one record or in several (RFC 8446 section 5.1). */
enum weir__tls_hello {
  WEIR__TLS_HELLO_MORE, /* there is more to come */
  WEIR__TLS_HELLO_WHOLE,
  WEIR__TLS_HELLO_LONG, /* it is to be longer than WEIR__TLS_HELLO */
  WEIR__TLS_HELLO_NONE, /* it is something else */
};
enum weir__tls_hello weir__tls_hello_of(const unsigned char *data, size_t len);

/* The loop's, made where there is none; NULL when there is no memory. */
struct weir__tls_loop *weir__tls_loop_of(struct weir_loop *loop);

/* Keeps ciphertext with its stream, behind what waits there. False, with the reason set, when there
 * is no memory or it is too much. */
bool weir__tls_keep(struct weir__tls *tls, const void *data, size_t len);

#ifdef __cplusplus
}
#endif

#endif
