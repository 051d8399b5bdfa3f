/* Addresses and networks (RFC 4291, RFC 4632, RFC 5952). In: text, bytes, socket addresses; out: an
 * address with its port, or whether a network holds it. Must not know whose address it is, nor what
 * follows from it. */
#include "wire/address.h"
#include "wire/text.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <string.h>

enum { V4_BYTES = 4, V6_BYTES = 16, MAPPED_BITS = 96, KEPT_BYTES = 8 };

static const unsigned char mapped[MAPPED_BITS / 8] = {[10] = 0xFF, [11] = 0xFF};

static bool is_mapped(const unsigned char *bytes)
{
  return memcmp(bytes, mapped, sizeof mapped) == 0;
}

struct weir__ip weir__ip_of_bytes(enum weir__ip_family family, const unsigned char *bytes,
                                  uint16_t port)
{
  struct weir__ip ip = {.port = port, .family = (uint8_t)family};
  if (family == WEIR__IP_V6 && is_mapped(bytes)) {
    ip.family = WEIR__IP_V4;
    bytes += sizeof mapped;
  }
  memcpy(ip.bytes, bytes, ip.family == WEIR__IP_V4 ? V4_BYTES : V6_BYTES);
  return ip;
}

/* The family that a text is written in, whose bytes it fills; unknown when it is no address. */
static enum weir__ip_family parse_bytes(struct weir_slice text, unsigned char bytes[V6_BYTES])
{
  char copy[WEIR__IP_TEXT] = "";
  if (text.len == 0 || text.len >= sizeof copy || memchr(text.data, '\0', text.len) != NULL)
    return WEIR__IP_UNKNOWN;
  memcpy(copy, text.data, text.len);
  if (inet_pton(AF_INET, copy, bytes) == 1)
    return WEIR__IP_V4;
  return inet_pton(AF_INET6, copy, bytes) == 1 ? WEIR__IP_V6 : WEIR__IP_UNKNOWN;
}

bool weir__ip_parse(struct weir_slice text, struct weir__ip *ip)
{
  unsigned char bytes[V6_BYTES];
  enum weir__ip_family family = parse_bytes(text, bytes);
  if (family == WEIR__IP_UNKNOWN)
    *ip = (struct weir__ip){0};
  else
    *ip = weir__ip_of_bytes(family, bytes, 0);
  return family != WEIR__IP_UNKNOWN;
}

/* A decimal number up to max, with no leading zeros; -1 when it is none. */
static int parse_number(struct weir_slice text, int max)
{
  int number = 0;
  if (text.len == 0 || (text.len > 1 && text.data[0] == '0'))
    return -1;
  for (size_t i = 0; i < text.len; i++) {
    if (text.data[i] < '0' || text.data[i] > '9')
      return -1;
    number = number * 10 + text.data[i] - '0';
    if (number > max)
      return -1;
  }
  return number;
}

int weir__ip_parse_port(struct weir_slice text)
{
  return parse_number(text, UINT16_MAX);
}

size_t weir__ip_format(const struct weir__ip *ip, char out[WEIR__IP_TEXT])
{
  out[0] = '\0';
  if (ip->family == WEIR__IP_UNIX)
    memcpy(out, "unix", sizeof "unix");
  else if (ip->family != WEIR__IP_UNKNOWN)
    inet_ntop(ip->family == WEIR__IP_V4 ? AF_INET : AF_INET6, ip->bytes, out, WEIR__IP_TEXT);
  return strlen(out);
}

struct weir__ip weir__ip_of_sockaddr(const struct sockaddr_storage *storage)
{
  if (storage->ss_family == AF_INET) {
    const struct sockaddr_in *four = (const struct sockaddr_in *)storage;
    return weir__ip_of_bytes(WEIR__IP_V4, (const unsigned char *)&four->sin_addr,
                             ntohs(four->sin_port));
  }
  if (storage->ss_family == AF_INET6) {
    const struct sockaddr_in6 *six = (const struct sockaddr_in6 *)storage;
    return weir__ip_of_bytes(WEIR__IP_V6, six->sin6_addr.s6_addr, ntohs(six->sin6_port));
  }
  bool is_unix = storage->ss_family == AF_UNIX;
  return (struct weir__ip){.family = is_unix ? WEIR__IP_UNIX : WEIR__IP_UNKNOWN};
}

socklen_t weir__ip_to_sockaddr(const struct weir__ip *ip, struct sockaddr_storage *storage)
{
  struct sockaddr_in four = {.sin_family = AF_INET, .sin_port = htons(ip->port)};
  struct sockaddr_in6 six = {.sin6_family = AF_INET6, .sin6_port = htons(ip->port)};
  memset(storage, 0, sizeof *storage);
  switch (ip->family) {
  case WEIR__IP_V4:
    memcpy(&four.sin_addr, ip->bytes, V4_BYTES);
    memcpy(storage, &four, sizeof four);
    return sizeof four;
  case WEIR__IP_V6:
    memcpy(&six.sin6_addr, ip->bytes, V6_BYTES);
    memcpy(storage, &six, sizeof six);
    return sizeof six;
  case WEIR__IP_UNIX:
    storage->ss_family = AF_UNIX;
    return sizeof storage->ss_family;
  default:
    return 0;
  }
}

/* The second half is zero for IPv6 and begins with zeros for IPv4, but not for the others. */
void weir__ip_key(const struct weir__ip *ip, unsigned char out[WEIR__IP_KEY])
{
  memset(out, 0, WEIR__IP_KEY);
  if (ip->family == WEIR__IP_V6) {
    memcpy(out, ip->bytes, KEPT_BYTES);
    return;
  }
  memcpy(out, mapped, sizeof mapped);
  if (ip->family == WEIR__IP_V4)
    memcpy(out + sizeof mapped, ip->bytes, V4_BYTES);
  else
    out[KEPT_BYTES] = (unsigned char)(1 + ip->family);
}

static void keep_prefix(unsigned char bytes[V6_BYTES], unsigned bits)
{
  for (unsigned i = 0; i < V6_BYTES; i++, bits -= bits < 8 ? bits : 8)
    if (bits < 8)
      bytes[i] &= (unsigned char)(0xFF00 >> bits);
}

bool weir__network_parse(struct weir_slice text, struct weir__network *network)
{
  *network = (struct weir__network){0};
  if (weir__text_equal(text, "unix")) {
    network->family = WEIR__IP_UNIX;
    return true;
  }
  const char *slash = text.len > 0 ? memchr(text.data, '/', text.len) : NULL;
  size_t len = slash != NULL ? (size_t)(slash - text.data) : text.len;
  unsigned char bytes[V6_BYTES];
  enum weir__ip_family family = parse_bytes((struct weir_slice){text.data, len}, bytes);
  int max = family == WEIR__IP_V4 ? 32 : 128;
  int bits =
      slash != NULL ? parse_number((struct weir_slice){slash + 1, text.len - len - 1}, max) : max;
  if (family == WEIR__IP_UNKNOWN || bits < 0)
    return false;
  struct weir__ip ip = weir__ip_of_bytes(family, bytes, 0);
  bits -= family != ip.family ? MAPPED_BITS : 0;
  if (bits < 0) /* a mapped address with a prefix that reaches beyond IPv4 */
    return false;
  keep_prefix(ip.bytes, (unsigned)bits);
  memcpy(network->bytes, ip.bytes, sizeof ip.bytes);
  network->family = ip.family;
  network->bits = (uint8_t)bits;
  return true;
}

bool weir__network_holds(const struct weir__network *network, const struct weir__ip *ip)
{
  size_t whole = network->bits / 8;
  unsigned char rest = (unsigned char)(0xFF00 >> network->bits % 8);
  return network->family == ip->family && network->family != WEIR__IP_UNKNOWN &&
         memcmp(network->bytes, ip->bytes, whole) == 0 &&
         (rest == 0 || ((network->bytes[whole] ^ ip->bytes[whole]) & rest) == 0);
}
