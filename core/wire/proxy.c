/* The PROXY protocol (HAProxy's proxy-protocol.txt of 2020, section 2). In: the first bytes of a
 * stream; out: the addresses they tell, and where they end. Every verdict depends on the bytes up
 * to one of them and on nothing else, so that a header may be split anywhere. Must not know what
 * follows, nor whether the sender is to be believed. */
#include "wire/proxy.h"

#include <string.h>

static int refuse(const char **reason, const char *sentence)
{
  *reason = sentence;
  return -400;
}

/* Whether what came so far may still become a text. */
static bool may_become(const unsigned char *data, size_t len, const char *text, size_t text_len)
{
  return memcmp(data, text, len < text_len ? len : text_len) == 0;
}

/* ---- version 1: a line */

enum { LINE_MAX_BYTES = 107, NAME_AT = 6, FIELDS_AT = 11 };

/* What stands behind an unknown one does not count. */
enum protocol { TCP4, TCP6, UNKNOWN_ALONE, UNKNOWN_WITH_MORE, PROTOCOLS };
static const char *const protocols[PROTOCOLS] = {"TCP4 ", "TCP6 ", "UNKNOWN\r", "UNKNOWN "};

/* Takes what stands in front of the next space, or all when there is none. */
static struct weir_slice take_field(struct weir_slice *line)
{
  const char *space = memchr(line->data, ' ', line->len);
  struct weir_slice field = {line->data, space != NULL ? (size_t)(space - line->data) : line->len};
  size_t taken = space != NULL ? field.len + 1 : field.len;
  *line = (struct weir_slice){line->data + taken, line->len - taken};
  return field;
}

static bool take_address(struct weir_slice *line, bool six, struct weir__ip *ip)
{
  struct weir_slice field = take_field(line);
  return (memchr(field.data, ':', field.len) != NULL) == six && weir__ip_parse(field, ip);
}

static bool set_port(struct weir_slice field, struct weir__ip *ip)
{
  int port = weir__ip_parse_port(field);
  ip->port = (uint16_t)port;
  return port >= 0;
}

static int parse_fields(struct weir_slice line, bool six, struct weir__proxy *out,
                        const char **reason)
{
  if (!take_address(&line, six, &out->source) || !take_address(&line, six, &out->destination))
    return refuse(reason, "The PROXY line holds no address of its family where one must be");
  struct weir_slice first = take_field(&line);
  if (!set_port(first, &out->source) || !set_port(line, &out->destination))
    return refuse(reason, "The PROXY line does not end with two ports");
  return 1;
}

/* Finds the CRLF; 1, 0 or -400 as of the whole. */
static int find_end(const unsigned char *data, size_t len, size_t *end, const char **reason)
{
  size_t i = 0, max = len < LINE_MAX_BYTES ? len : LINE_MAX_BYTES;
  while (i < max && data[i] != '\r' && data[i] != '\n')
    i++;
  *end = i;
  if (i < max && (data[i] == '\n' || (i + 1 < max && data[i + 1] != '\n')))
    return refuse(reason, "The PROXY line does not end with CR LF");
  if (i + 1 < max)
    return 1;
  return max < LINE_MAX_BYTES ? 0 : refuse(reason, "The PROXY line is too long");
}

/* The index of the protocol that the bytes behind "PROXY " name or may come to name; PROTOCOLS when
 * there is none. */
static size_t find_protocol(const unsigned char *name, size_t len)
{
  size_t i = 0;
  while (i < PROTOCOLS && !may_become(name, len, protocols[i], strlen(protocols[i])))
    i++;
  return i;
}

static int parse_v1(const unsigned char *data, size_t len, struct weir__proxy *out, size_t *used,
                    const char **reason)
{
  if (!may_become(data, len, "PROXY ", NAME_AT))
    return refuse(reason, "This is no header of the PROXY protocol");
  size_t end, protocol = len > NAME_AT ? find_protocol(data + NAME_AT, len - NAME_AT) : TCP4;
  if (protocol == PROTOCOLS)
    return refuse(reason, "The PROXY line names no protocol that is known");
  int verdict = find_end(data, len, &end, reason);
  if (verdict != 1)
    return verdict;
  *used = end + 2;
  out->local = protocol > TCP6;
  if (out->local)
    return 1;
  struct weir_slice fields = {(const char *)data + FIELDS_AT, end - FIELDS_AT};
  return parse_fields(fields, protocol == TCP6, out, reason);
}

/* ---- version 2: binary */

enum { SIGNATURE_BYTES = 12, FIXED_BYTES = 16, TLV_BYTES = 3, SSL_BYTES = 5, CHECKSUM_BYTES = 4 };
enum command { LOCAL, PROXY };
enum family { UNSPECIFIED, INET, INET6, UNIX, FAMILIES };
enum transport { UNKNOWN_TRANSPORT, STREAM };
enum tlv { AUTHORITY = 0x02, CRC32C = 0x03, SSL = 0x20 };

static const char signature[] = "\r\n\r\n\0\r\nQUIT\n";

/* Two addresses and two ports; two paths of a unix socket. */
static const uint8_t address_bytes[FAMILIES] = {[INET] = 12, [INET6] = 36, [UNIX] = 216};

static size_t load16(const unsigned char *at)
{
  return (size_t)at[0] << 8 | at[1];
}

static uint32_t load32(const unsigned char *at)
{
  return (uint32_t)load16(at) << 16 | (uint32_t)load16(at + 2);
}

/* CRC-32C, of RFC 4960 appendix B, by half bytes. */
static uint32_t crc32c(uint32_t crc, const unsigned char *data, size_t len)
{
  static const uint32_t table[16] = {0x00000000, 0x105EC76F, 0x20BD8EDE, 0x30E349B1,
                                     0x417B1DBC, 0x5125DAD3, 0x61C69362, 0x7198540D,
                                     0x82F63B78, 0x92A8FC17, 0xA24BB5A6, 0xB21572C9,
                                     0xC38D26C4, 0xD3D3E1AB, 0xE330A81A, 0xF36E6F75};
  for (size_t i = 0; i < len; i++) {
    crc ^= data[i];
    crc = crc >> 4 ^ table[crc & 15];
    crc = crc >> 4 ^ table[crc & 15];
  }
  return crc;
}

/* Whether a checksum is that of the whole header with zeros in the checksum's own place. */
static bool checksum_holds(const unsigned char *data, size_t len, const unsigned char *checksum)
{
  static const unsigned char zeros[CHECKSUM_BYTES];
  const unsigned char *behind = checksum + CHECKSUM_BYTES;
  uint32_t crc = crc32c(UINT32_MAX, data, (size_t)(checksum - data));
  crc = crc32c(crc, zeros, sizeof zeros);
  crc = crc32c(crc, behind, (size_t)(data + len - behind));
  return ~crc == load32(checksum);
}

/* A walk over type, length, value. */
struct walk {
  const unsigned char *at, *end;
};

/* Takes the value of the next one; false when it reaches beyond the end. */
static bool take_tlv(struct walk *walk, unsigned *type, struct walk *value)
{
  size_t left = (size_t)(walk->end - walk->at);
  if (left < TLV_BYTES || load16(walk->at + 1) > left - TLV_BYTES)
    return false;
  *type = walk->at[0];
  value->at = walk->at + TLV_BYTES;
  value->end = walk->at = value->at + load16(walk->at + 1);
  return true;
}

/* What stands behind the first bytes of PP2_TYPE_SSL are such fields again. */
static bool read_ssl(struct walk value, struct weir__proxy *out)
{
  if (value.end - value.at < SSL_BYTES)
    return false;
  out->tls = value.at[0];
  out->certificate_verified =
      (out->tls & (WEIR__PROXY_CERTIFICATE | WEIR__PROXY_SESSION_CERTIFICATE)) != 0 &&
      load32(value.at + 1) == 0;
  struct walk inner = {value.at + SSL_BYTES, value.end}, skipped;
  unsigned type;
  while (inner.at < inner.end)
    if (!take_tlv(&inner, &type, &skipped))
      return false;
  return true;
}

static int read_tlvs(const unsigned char *data, size_t len, size_t from, struct weir__proxy *out,
                     const char **reason)
{
  struct walk walk = {data + from, data + len}, value;
  bool checked = false;
  unsigned type;
  while (walk.at < walk.end) {
    if (!take_tlv(&walk, &type, &value))
      return refuse(reason, "A field of the PROXY header reaches beyond its end");
    size_t size = (size_t)(value.end - value.at);
    if (type == AUTHORITY)
      out->authority = (struct weir_slice){(const char *)value.at, size};
    if (type == SSL && !read_ssl(value, out))
      return refuse(reason, "The PROXY header's field about TLS is malformed");
    if (type != CRC32C)
      continue;
    if (size != CHECKSUM_BYTES || checked || !checksum_holds(data, len, value.at))
      return refuse(reason, "The PROXY header's checksum is wrong");
    checked = true;
  }
  return 1;
}

static void read_addresses(const unsigned char *at, enum family family, struct weir__proxy *out)
{
  if (family == UNIX) {
    out->source.family = out->destination.family = WEIR__IP_UNIX;
    return;
  }
  enum weir__ip_family ip = family == INET ? WEIR__IP_V4 : WEIR__IP_V6;
  size_t size = family == INET ? 4 : 16;
  const unsigned char *ports = at + 2 * size;
  out->source = weir__ip_of_bytes(ip, at, (uint16_t)load16(ports));
  out->destination = weir__ip_of_bytes(ip, at + size, (uint16_t)load16(ports + 2));
}

/* Judges the first 16 bytes, as many of them as there are. A local connection's family is not
 * looked at: the protocol wants it so. */
static int judge_v2(const unsigned char *data, size_t len, struct weir__proxy *out,
                    const char **reason)
{
  if (!may_become(data, len, signature, SIGNATURE_BYTES))
    return refuse(reason, "This is no header of the PROXY protocol");
  if (len > 12 && data[12] >> 4 != 2)
    return refuse(reason, "The PROXY header's version is not known");
  if (len > 12 && (data[12] & 15) > PROXY)
    return refuse(reason, "The PROXY header's command is not known");
  if (len <= 13)
    return 0;
  unsigned family = data[13] >> 4, transport = data[13] & 15;
  bool local = (data[12] & 15) == LOCAL;
  if (!local && (family >= FAMILIES || transport > STREAM))
    return refuse(reason, "The PROXY header's connection is no stream of a known family");
  out->local = local || family == UNSPECIFIED || transport == UNKNOWN_TRANSPORT;
  if (len < FIXED_BYTES)
    return 0;
  if (load16(data + 14) > WEIR__PROXY_MAX - FIXED_BYTES)
    return refuse(reason, "The PROXY header is too long");
  if (!out->local && load16(data + 14) < address_bytes[family])
    return refuse(reason, "The PROXY header is too short for its addresses");
  return 1;
}

/* Where there are no addresses, nobody says where they would end and fields begin. */
static int parse_v2(const unsigned char *data, size_t len, struct weir__proxy *out, size_t *used,
                    const char **reason)
{
  int verdict = judge_v2(data, len, out, reason);
  if (verdict != 1)
    return verdict;
  size_t whole = FIXED_BYTES + load16(data + 14);
  if (len < whole)
    return 0;
  *used = whole;
  if (out->local)
    return 1;
  enum family family = (enum family)(data[13] >> 4);
  read_addresses(data + FIXED_BYTES, family, out);
  return read_tlvs(data, whole, FIXED_BYTES + address_bytes[family], out, reason);
}

int weir__proxy_parse(const unsigned char *data, size_t len, struct weir__proxy *out, size_t *used,
                      const char **reason)
{
  *out = (struct weir__proxy){0};
  if (len == 0)
    return 0;
  return data[0] == 'P' ? parse_v1(data, len, out, used, reason)
                        : parse_v2(data, len, out, used, reason);
}
