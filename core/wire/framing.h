/* The frame header's codec (RFC 6455 section 5.2). Pure: bytes to numbers and back, and the rules
 * that one header alone can break; what a sequence of frames can break is the parser's. */
#ifndef WEIR_WIRE_FRAMING_H
#define WEIR_WIRE_FRAMING_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#ifdef __cplusplus
extern "C" {
#endif

/* The bits of the first byte, and the opcodes (section 11.8). */
enum {
  WEIR__FIN = 0x80,
  WEIR__RSV1 = 0x40,
  WEIR__RSV2 = 0x20,
  WEIR__RSV3 = 0x10,
  WEIR__OPCODE = 0x0F,
  WEIR__MASK = 0x80, /* of the second byte */

  WEIR__CONTINUATION = 0x0,
  WEIR__TEXT = 0x1,
  WEIR__BINARY = 0x2,
  WEIR__CLOSE = 0x8,
  WEIR__PING = 0x9,
  WEIR__PONG = 0xA,
  WEIR__CONTROL = 0x8, /* the bit that control opcodes have */

  WEIR__LENGTH_16 = 126, /* in the second byte: a 16-bit length follows */
  WEIR__LENGTH_64 = 127,

  WEIR__CONTROL_MAX = 125,     /* payload of a control frame, section 5.5 */
  WEIR__HEADER_MIN = 6,        /* a masked header with a length in the second byte */
  WEIR__HEADER_MAX = 14,       /* a masked header with a 64-bit length */
  WEIR__SERVER_HEADER_MAX = 10 /* the same without a masking key */
};

/* A header that a client sent. */
struct weir__header {
  uint64_t length; /* of the payload */
  uint32_t key;    /* as it stands in memory */
  uint8_t first;   /* FIN, RSV1-3 and opcode */
};

/* Decodes the masked header at data, of which have bytes, at least 1, have come; reserved is the
 * set of RSV bits that no extension has claimed. Returns the header's size as soon as the length is
 * known; while have is less than that, the key is not. Returns 0 when more bytes are needed, or a
 * negative close code with *reason set to a sentence (static storage). Each byte is judged when it
 * comes: RSV and opcode, then MASK and a control frame's length, then minimality and bit 63 with
 * the last byte of the length. At data, 8 bytes must be readable, whatever have says. */
int weir__header_decode(const unsigned char *data, size_t have, uint8_t reserved,
                        struct weir__header *header, const char **reason);

/* The first 8 bytes at data as a number, its lowest byte the first. */
static inline uint64_t weir__header_load(const unsigned char *data)
{
  uint64_t word;

  memcpy(&word, data, sizeof word);
#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
  return word;
#else
  return __builtin_bswap64(word);
#endif
}

/* Decodes the header of nearly all traffic: a message in one frame, uncompressed, of less than 64
 * KiB. Returns its size, or 0 for every other header, good or bad. At data, WEIR__HEADER_MIN bytes
 * must have come and 8 be readable; while fewer than the header's size have, the key is noise. The
 * shortest stand in the straight line: a jump taken costs the next ones' prediction. */
static inline size_t weir__header_decode_plain(const unsigned char *data,
                                               struct weir__header *header)
{
  uint64_t word = weir__header_load(data);
  uint8_t length;

  header->first = (uint8_t)word;
  if (header->first != (WEIR__FIN | WEIR__TEXT) && header->first != (WEIR__FIN | WEIR__BINARY))
    return 0;
  length = (uint8_t)(word >> 8) ^ WEIR__MASK;
  if (__builtin_expect(length < WEIR__LENGTH_16, 1)) {
    header->length = length;
    memcpy(&header->key, data + 2, sizeof header->key);
    return WEIR__HEADER_MIN;
  }
  header->length = __builtin_bswap16((uint16_t)(word >> 16));
  memcpy(&header->key, data + 4, sizeof header->key);
  return length == WEIR__LENGTH_16 && header->length >= WEIR__LENGTH_16 ? 8 : 0;
}

/* The same for a header that a server sent, which has no masking key; data is read as far as have
 * says. Returns its size once all of it has come. */
int weir__header_decode_server(const unsigned char *data, size_t have, uint8_t reserved,
                               struct weir__header *header, const char **reason);

/* Encodes an unmasked header with the first byte given; returns its size. At out,
 * WEIR__SERVER_HEADER_MAX bytes. The long one is for lengths over 65,535. */
size_t weir__header_encode_long(unsigned char *out, uint8_t first, uint64_t length);
static inline size_t weir__header_encode(unsigned char *out, uint8_t first, uint64_t length)
{
  if (length > 0xFFFF)
    return weir__header_encode_long(out, first, length);
  out[0] = first;
  if (length < WEIR__LENGTH_16) {
    out[1] = (unsigned char)length;
    return 2;
  }
  out[1] = WEIR__LENGTH_16;
  out[2] = (unsigned char)(length >> 8);
  out[3] = (unsigned char)length;
  return 4;
}

/* The same for a client: with a masking key, of WEIR__HEADER_MAX bytes at most. */
size_t weir__header_encode_masked(unsigned char *out, uint8_t first, uint64_t length, uint32_t key);

/* The size of an unmasked header for a payload of length bytes: 2, 4 or 10. */
static inline size_t weir__header_size(uint64_t length)
{
  return length < 126 ? 2 : length <= 0xFFFF ? 4 : 10;
}

#ifdef __cplusplus
}
#endif

#endif
