/* Frame headers (RFC 6455 section 5.2).
 *
 * In: the bytes at the head of a frame, as many as have come. Out: opcode, length and masking key,
 * or the rule that they break; and the header of a frame to send. Knows nothing of what came before
 * a frame: that is the parser's. */
#include "wire/framing.h"

#include "wire/close.h"

#include <endian.h>
#include <string.h>

/* The values of the second byte's seven bits that announce a longer length. */
enum { LENGTH_16 = 126, LENGTH_64 = 127 };

/* Headers that are well-formed by FIN and opcode: a bit for each (FIN << 4 | opcode). Control
 * frames are never fragmented. */
#define DATA_OPCODES    (1u << WEIR__CONTINUATION | 1u << WEIR__TEXT | 1u << WEIR__BINARY)
#define CONTROL_OPCODES (1u << WEIR__CLOSE | 1u << WEIR__PING | 1u << WEIR__PONG)
#define FORMS           ((DATA_OPCODES | CONTROL_OPCODES) << 16 | DATA_OPCODES)

/* Messages begin with these, and they alone may carry RSV1 (RFC 7692 section 6.1). */
#define BEGINNINGS (1u << WEIR__TEXT | 1u << WEIR__BINARY)

static bool first_byte_sound(uint8_t first, uint8_t reserved)
{
  unsigned int opcode = first & WEIR__OPCODE;
  unsigned int form = opcode | (first & WEIR__FIN) >> 3;

  return !(first & reserved) && (FORMS >> form & 1u) &&
         (!(first & WEIR__RSV1) || (BEGINNINGS >> opcode & 1u));
}

/* The rule that a first byte breaks, for one that is not sound. */
__attribute__((cold)) static const char *first_byte_fault(uint8_t first, uint8_t reserved)
{
  unsigned int opcode = first & WEIR__OPCODE;

  if (first & reserved & WEIR__RSV1)
    return "reserved bit RSV1 is set";
  if (first & reserved & WEIR__RSV2)
    return "reserved bit RSV2 is set";
  if (first & reserved & WEIR__RSV3)
    return "reserved bit RSV3 is set";
  if (!((DATA_OPCODES | CONTROL_OPCODES) >> opcode & 1u))
    return "opcode is reserved";
  if ((opcode & WEIR__CONTROL) && !(first & WEIR__FIN))
    return "control frame is fragmented";
  if (opcode & WEIR__CONTROL)
    return "RSV1 is set on a control frame";
  return "RSV1 is set on a continuation frame";
}

__attribute__((cold)) static int refuse(const char **reason, const char *sentence)
{
  *reason = sentence;
  return -WEIR__CLOSE_PROTOCOL_ERROR;
}

static int decode_16(uint64_t word, size_t have, struct weir__header *header, const char **reason)
{
  if (have < 4)
    return 0;
  header->length = __builtin_bswap16((uint16_t)(word >> 16));
  header->key = htole32((uint32_t)(word >> 32));
  if (header->length < LENGTH_16)
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
  uint64_t word;
  unsigned int length;

  memcpy(&word, data, sizeof word);
  word = le64toh(word);
  header->first = (uint8_t)word;
  if (!first_byte_sound(header->first, reserved))
    return refuse(reason, first_byte_fault(header->first, reserved));
  if (have < 2)
    return 0;
  if (!(word >> 8 & WEIR__MASK))
    return refuse(reason, "frame is not masked");
  length = word >> 8 & 0x7F;
  if (__builtin_expect(length <= WEIR__CONTROL_MAX, 1)) {
    header->length = length;
    header->key = htole32((uint32_t)(word >> 16));
    return 6;
  }
  if (header->first & WEIR__CONTROL)
    return refuse(reason, "control frame is longer than 125 bytes");
  return length == LENGTH_64 ? decode_64(data, have, header, reason)
                             : decode_16(word, have, header, reason);
}

size_t weir__header_encode(unsigned char *out, uint8_t first, uint64_t length)
{
  uint16_t length_16 = htobe16((uint16_t)length);
  uint64_t length_64 = htobe64(length);

  out[0] = first;
  if (length < LENGTH_16) {
    out[1] = (unsigned char)length;
    return 2;
  }
  if (length <= UINT16_MAX) {
    out[1] = LENGTH_16;
    memcpy(out + 2, &length_16, sizeof length_16);
    return 4;
  }
  out[1] = LENGTH_64;
  memcpy(out + 2, &length_64, sizeof length_64);
  return 10;
}
