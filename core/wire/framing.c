/* Frame headers (RFC 6455 section 5.2).
 *
 * In: the bytes at the head of a frame, as many as have come. Out: opcode, length and masking key,
 * or the rule that they break; and the header of a frame to send. Knows nothing of what came before
 * a frame: that is the parser's. */
#include "wire/framing.h"

#include "wire/close.h"

#include <endian.h>

/* The opcodes that section 5.2 defines, a bit for each. */
#define OPCODES                                                                           \
  (1u << WEIR__CONTINUATION | 1u << WEIR__TEXT | 1u << WEIR__BINARY | 1u << WEIR__CLOSE | \
   1u << WEIR__PING | 1u << WEIR__PONG)

/* The rule that a first byte breaks, or NULL. */
static const char *first_byte_fault(uint8_t first, uint8_t reserved)
{
  unsigned int opcode = first & WEIR__OPCODE;

  if (first & reserved & WEIR__RSV1)
    return "reserved bit RSV1 is set";
  if (first & reserved & WEIR__RSV2)
    return "reserved bit RSV2 is set";
  if (first & reserved & WEIR__RSV3)
    return "reserved bit RSV3 is set";
  if (!(OPCODES >> opcode & 1u))
    return "opcode is reserved";
  if ((opcode & WEIR__CONTROL) && !(first & WEIR__FIN))
    return "control frame is fragmented";
  if ((opcode & WEIR__CONTROL) && (first & WEIR__RSV1))
    return "RSV1 is set on a control frame";
  if (opcode == WEIR__CONTINUATION && (first & WEIR__RSV1))
    return "RSV1 is set on a continuation frame";
  return NULL;
}

static int refuse(const char **reason, const char *sentence)
{
  *reason = sentence;
  return -WEIR__CLOSE_PROTOCOL_ERROR;
}

static int decode_16(const unsigned char *data, size_t have, struct weir__header *header,
                     const char **reason)
{
  uint16_t length;

  if (have < 4)
    return 0;
  memcpy(&length, data + 2, sizeof length);
  header->length = be16toh(length);
  memcpy(&header->key, data + 4, sizeof header->key);
  if (header->length < WEIR__LENGTH_16)
    return refuse(reason, "length is not in its shortest form");
  return 8;
}

static int decode_64(const unsigned char *data, size_t have, struct weir__header *header,
                     const char **reason)
{
  uint64_t length;

  if (have < 10)
    return 0;
  memcpy(&length, data + 2, sizeof length);
  header->length = be64toh(length);
  if (header->length >> 63)
    return refuse(reason, "length has its top bit set");
  if (header->length <= UINT16_MAX)
    return refuse(reason, "length is not in its shortest form");
  if (have >= WEIR__HEADER_MAX)
    memcpy(&header->key, data + 10, sizeof header->key);
  return WEIR__HEADER_MAX;
}

int weir__header_decode(const unsigned char *data, size_t have, uint8_t reserved,
                        struct weir__header *header, const char **reason)
{
  const char *fault = first_byte_fault(data[0], reserved);
  unsigned int length;

  if (fault)
    return refuse(reason, fault);
  header->first = data[0];
  if (have < 2)
    return 0;
  if (!(data[1] & WEIR__MASK))
    return refuse(reason, "frame is not masked");
  length = data[1] & ~WEIR__MASK;
  if (length <= WEIR__CONTROL_MAX) {
    header->length = length;
    memcpy(&header->key, data + 2, sizeof header->key);
    return WEIR__HEADER_MIN;
  }
  if (header->first & WEIR__CONTROL)
    return refuse(reason, "control frame is longer than 125 bytes");
  return length == WEIR__LENGTH_64 ? decode_64(data, have, header, reason)
                                   : decode_16(data, have, header, reason);
}

/* The length of a server's frame, from the two bytes that every header has and those behind. */
static int decode_server_length(const unsigned char *data, size_t have, struct weir__header *header,
                                const char **reason)
{
  size_t size = data[1] == WEIR__LENGTH_64 ? 10 : 4;
  uint64_t length = 0;

  if (have < size)
    return 0;
  for (size_t i = 2; i < size; i++)
    length = length << 8 | data[i];
  if (length >> 63)
    return refuse(reason, "length has its top bit set");
  if (length <= (size == 4 ? WEIR__CONTROL_MAX : UINT16_MAX))
    return refuse(reason, "length is not in its shortest form");
  header->length = length;
  return (int)size;
}

int weir__header_decode_server(const unsigned char *data, size_t have, uint8_t reserved,
                               struct weir__header *header, const char **reason)
{
  const char *fault = first_byte_fault(data[0], reserved);

  if (fault)
    return refuse(reason, fault);
  header->first = data[0];
  header->key = 0;
  if (have < 2)
    return 0;
  if (data[1] & WEIR__MASK)
    return refuse(reason, "frame of a server is masked");
  header->length = data[1];
  if (data[1] <= WEIR__CONTROL_MAX)
    return 2;
  if (header->first & WEIR__CONTROL)
    return refuse(reason, "control frame is longer than 125 bytes");
  return decode_server_length(data, have, header, reason);
}

size_t weir__header_encode_long(unsigned char *out, uint8_t first, uint64_t length)
{
  uint64_t length_64 = htobe64(length);

  out[0] = first;
  out[1] = WEIR__LENGTH_64;
  memcpy(out + 2, &length_64, sizeof length_64);
  return 10;
}

size_t weir__header_encode_masked(unsigned char *out, uint8_t first, uint64_t length, uint32_t key)
{
  size_t size = weir__header_encode(out, first, length);

  out[1] |= WEIR__MASK;
  memcpy(out + size, &key, sizeof key);
  return size + sizeof key;
}
