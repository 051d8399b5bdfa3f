/* The parser: a stream of bytes from a client, in pieces of any size, to events (RFC 6455 sections
 * 5 and 8.1). Pull-style and pure: payloads are unmasked and validated where they stand and lent,
 * nothing is copied or allocated. */
#ifndef WEIR_WIRE_PARSER_H
#define WEIR_WIRE_PARSER_H

#include "wire/framing.h"
#include "wire/mask.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Bytes that must be readable behind the end of any input. */
enum { WEIR__PARSER_SLACK = 16 };

struct weir__parser_limits {
  uint64_t max_message_bytes;    /* sum over a message's fragments; UINT64_MAX: unlimited */
  uint64_t max_compressed_bytes; /* the same of a message with RSV1, as it stands on the wire: what
                                    cannot be compressed becomes longer */
  uint32_t
      max_fragments; /* frames of a message, empty ones too; at least 1; UINT32_MAX: unlimited */
};

/* The state between two pieces of input: all that a connection keeps, in 32 bytes. */
struct weir__parser {
  union {
    struct {
      uint64_t remaining; /* payload bytes that are still to come */
      uint32_t key;       /* rotated for the next of them */
      uint8_t first;      /* byte of the header */
      bool begun;         /* a piece has been handed out */
    } frame;              /* while inside one */
    struct {
      unsigned char bytes[WEIR__HEADER_MAX - 1];
      uint8_t have;
    } header; /* while a part of one has come */
  };
  uint64_t message_bytes; /* declared by the frames of the open message; 0 outside one */
  uint32_t fragments;     /* frames of the open message; 0 outside one */
  struct weir__utf8 utf8; /* of its text */
  uint8_t bits;           /* private to parser.c */
};

enum weir__event_kind {
  WEIR__EVENT_MORE = 0, /* the input is used up; more is needed */
  WEIR__EVENT_DATA,     /* a piece of a message: what has come of one frame's payload */
  WEIR__EVENT_CONTROL,  /* a piece of a control frame's payload */
};

/* What weir__parser_next found. */
struct weir__event {
  unsigned char *data; /* the piece, unmasked in place, validated when text; never NULL */
  size_t len;
  uint64_t remaining; /* payload bytes of this frame that have not come yet; 0: the frame ends with
                         this piece */
  uint8_t kind;       /* enum weir__event_kind */
  uint8_t opcode;     /* DATA: of the message, TEXT or BINARY; CONTROL: CLOSE, PING or PONG */
  bool rsv1;  /* DATA: the message is compressed (RFC 7692 section 6), and then its text is not
                 validated here; only where RSV1 is not reserved */
  bool first; /* the message, or the control frame, begins with this piece */
  bool last;  /* the message, or the control frame, ends with this piece */
  const char *reason; /* on an error: a sentence, static storage */
};

/* Bytes to parse; weir__parser_next moves at towards end. */
struct weir__input {
  unsigned char *at;
  unsigned char *end; /* WEIR__PARSER_SLACK bytes behind it are readable */
};

/* A parser at the start of a stream; reserved is the set of RSV bits that no extension has claimed.
 */
void weir__parser_init(struct weir__parser *parser, uint8_t reserved);

/* What weir__parser.bits may hold when neither a message, a frame nor a header has begun. */
enum { WEIR__PARSER_RESERVED = WEIR__RSV1 | WEIR__RSV2 | WEIR__RSV3 };

/* Whether a message, a frame or a header has begun and is not whole. */
static inline bool weir__parser_is_inside(const struct weir__parser *parser)
{
  return (parser->bits & ~WEIR__PARSER_RESERVED) != 0;
}

/* Takes a message off the input that has come whole, uncompressed and in one frame, as nearly all
 * do: its header, and its payload, still masked. False when anything else stands there; then
 * nothing has changed, and weir__parser_next is to be asked. */
static inline bool weir__parser_take_whole(const struct weir__parser *parser,
                                           const struct weir__parser_limits *limits,
                                           struct weir__input *input, struct weir__header *header,
                                           unsigned char **data)
{
  if (__builtin_expect(weir__parser_is_inside(parser) || input->end - input->at < WEIR__HEADER_MIN,
                       0))
    return false;
  size_t size = weir__header_decode_plain(input->at, header);
  unsigned char *payload = input->at + size;
  if (__builtin_expect(size == 0 || header->length > limits->max_message_bytes ||
                           (ptrdiff_t)header->length > input->end - payload,
                       0))
    return false;
  input->at = payload + header->length;
  *data = payload;
  return true;
}

/* Unmasks such a message's payload in place, and validates text. Returns 0 or a negative close
 * code, as weir__parser_next does. */
int weir__parser_open_text(struct weir__parser *parser, struct weir__header header,
                           unsigned char *data, const char **reason);
static inline int weir__parser_open_whole(struct weir__parser *parser, struct weir__header header,
                                          unsigned char *data, const char **reason)
{
  if (header.first & WEIR__TEXT)
    return weir__parser_open_text(parser, header, data, reason);
  weir__unmask(data, header.length, header.key);
  return 0;
}

/* Parses on to the next event. Every piece of payload is handed out as soon as it is there; an
 * empty frame gives one event with len 0, and a header without any of its payload gives none yet.
 * Returns the event's kind, or a negative close code (-1002, -1007, -1008, -1009) with
 * event->reason set; then the parser must not be used again. An error comes with the first byte
 * that decides it, however the stream is cut: a header is judged byte by byte, the limits with the
 * last byte of its length, text with the offending byte. limits stay the same over a message. */
int weir__parser_next(struct weir__parser *parser, const struct weir__parser_limits *limits,
                      struct weir__input *input, struct weir__event *event);

/* Payload bytes of the frame in hand that have not come yet; 0 between frames. */
uint64_t weir__parser_due(const struct weir__parser *parser);

#ifdef __cplusplus
}
#endif

#endif
