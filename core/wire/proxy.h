/* The PROXY protocol, versions 1 and 2: what a proxy tells, in front of all else, of the connection
 * that it passes on. Pure: the first bytes of a stream to addresses. Who may say such a thing is
 * not judged here; a listener that reads it must not be reachable by others than proxies. */
#ifndef WEIR_WIRE_PROXY_H
#define WEIR_WIRE_PROXY_H

#include "wire/address.h"

#ifdef __cplusplus
extern "C" {
#endif

/* No header is longer: one of version 2 with 4 KiB behind its first 16 bytes. */
enum { WEIR__PROXY_MAX = 16 + 4096 };

/* What the client's connection to the proxy is, of PP2_TYPE_SSL. */
enum {
  WEIR__PROXY_TLS = 1,
  WEIR__PROXY_CERTIFICATE = 2,        /* the client showed one on this connection */
  WEIR__PROXY_SESSION_CERTIFICATE = 4 /* it did at some time of this TLS session */
};

struct weir__proxy {
  bool local; /* the socket's own addresses hold, and nothing below is set: the proxy speaks for
                 itself (a health check), or does not know for whom */
  struct weir__ip source, destination;
  struct weir_slice authority; /* the host name the client asked for, most often by SNI; any bytes;
                                  data NULL when it is not told; within the bytes parsed */
  uint8_t tls;                 /* flags of the above */
  bool certificate_verified;   /* there was one, and the proxy found it good */
};

/* Reads all bytes of a stream that came so far, from the first. Returns 1 when the header is whole,
 * with *used set to its length and *out filled; 0 when it goes on; -400, with *reason set to a
 * sentence (static storage), as soon as no more bytes could make it one. However it is cut, the
 * verdict is the same. */
int weir__proxy_parse(const unsigned char *data, size_t len, struct weir__proxy *out, size_t *used,
                      const char **reason);

#ifdef __cplusplus
}
#endif

#endif
