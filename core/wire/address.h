/* Addresses of peers, and networks of them (RFC 4291, RFC 5952, RFC 4632). Pure: text or a socket
 * address to 16 bytes and back. An IPv4-mapped IPv6 address is the IPv4 address everywhere, so that
 * a dual-stack listener's peers are counted and trusted as any others. */
#ifndef WEIR_WIRE_ADDRESS_H
#define WEIR_WIRE_ADDRESS_H

#include <weir/attributes.h>

#include <stdbool.h>
#include <sys/socket.h>

#ifdef __cplusplus
extern "C" {
#endif

enum weir__ip_family {
  WEIR__IP_UNKNOWN = 0,
  WEIR__IP_UNIX = 1, /* of a unix socket: no bytes, no port */
  WEIR__IP_V4 = 4,   /* the first 4 bytes, the others are zero */
  WEIR__IP_V6 = 6    /* never a mapped IPv4 address */
};

struct weir__ip {
  unsigned char bytes[16]; /* network order */
  uint16_t port;           /* host order; 0 where there is none */
  uint8_t family;
};

/* Parses a numeric address: strict dotted decimal, or IPv6 without brackets and zone. False, and
 * *ip is unknown, when it is none. */
bool weir__ip_parse(struct weir_slice text, struct weir__ip *ip);

/* A port in decimal digits, 0 to 65535; -1 when it is none. Leading zeros are refused. */
int weir__ip_parse_port(struct weir_slice text);

/* From a family, 4 or 6, and bytes in network order, 4 or 16 of them. */
struct weir__ip weir__ip_of_bytes(enum weir__ip_family family, const unsigned char *bytes,
                                  uint16_t port);

enum { WEIR__IP_TEXT = 46 }; /* a NUL among them */

/* Writes the address without its port, as RFC 5952 wants it, "unix", or nothing for an unknown one,
 * and a NUL. Returns the length without the NUL. */
size_t weir__ip_format(const struct weir__ip *ip, char out[WEIR__IP_TEXT]);

/* From a socket address, which may be of a family that is none of these, and to one. Returns its
 * length, 0 for an unknown one. */
struct weir__ip weir__ip_of_sockaddr(const struct sockaddr_storage *storage);
socklen_t weir__ip_to_sockaddr(const struct weir__ip *ip, struct sockaddr_storage *storage);

/* Whom to count together: an IPv4 address, the /64 that an IPv6 client has to itself, all of a unix
 * socket, all unknown ones. No two of these have the same key. */
enum { WEIR__IP_KEY = 16 };
void weir__ip_key(const struct weir__ip *ip, unsigned char out[WEIR__IP_KEY]);

struct weir__network {
  unsigned char bytes[16]; /* zero behind the prefix */
  uint8_t family, bits;
};

/* Parses "10.0.0.0/8", "2001:db8::/32", a lone address, or "unix", which stands for every peer of a
 * unix socket. What is set behind the prefix is dropped. False when it is none of these. */
bool weir__network_parse(struct weir_slice text, struct weir__network *network);

/* Whether an address is of a network; "::/0" holds every IPv6 address and no IPv4 one. */
bool weir__network_holds(const struct weir__network *network, const struct weir__ip *ip);

#ifdef __cplusplus
}
#endif

#endif
