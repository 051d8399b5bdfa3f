/* The parser (RFC 6455 sections 5.2-5.5, 8.1 and 10.4). HOT.
 *
 * In: a client's bytes, cut anywhere. Out: pieces of messages and control frames, unmasked where
 * they stand, or the rule that the client broke. Must not know sockets, memory, or what becomes of
 * an event.
 *
 * A message that has come whole in one frame is taken without touching the parser
 * (weir__parser_take_whole); any other frame is kept in there, from one piece to the next
 * (next_of_any). */
#include "wire/parser.h"

#include "wire/close.h"
#include "wire/mask.h"

#include <string.h>

_Static_assert(sizeof(struct weir__parser) <= 32, "every idle connection has a parser");

/* weir__parser.bits */
enum {
  OPCODE = WEIR__TEXT | WEIR__BINARY, /* of the open message; 0: none is open */
  COMPRESSED = 0x04,                  /* the open message's RSV1 */
  IN_HEADER = 0x08,                   /* a part of a header is kept */
  RESERVED = WEIR__PARSER_RESERVED,
  IN_FRAME = 0x80 /* payload of a frame is due */
};

#define UNLIKELY(condition) __builtin_expect(!!(condition), 0)

void weir__parser_init(struct weir__parser *parser, uint8_t reserved)
{
  memset(parser, 0, sizeof *parser);
  parser->bits = reserved & RESERVED;
}

__attribute__((cold)) static int refuse(const char **reason, int code, const char *sentence)
{
  *reason = sentence;
  return -code;
}

static int more(struct weir__event *event)
{
  return event->kind = WEIR__EVENT_MORE;
}

/* Whether a first byte continues a message that is not open, or begins one inside another. */
static bool out_of_sequence(uint8_t bits, uint8_t first)
{
  bool begins = (first & WEIR__OPCODE) != WEIR__CONTINUATION;
  bool open = (bits & OPCODE) != 0;

  return !(first & WEIR__CONTROL) && begins == open;
}

static bool too_many_fragments(const struct weir__parser *parser,
                               const struct weir__parser_limits *limits)
{
  return parser->fragments >= limits->max_fragments && limits->max_fragments != UINT32_MAX;
}

/* The bytes that the message of a data frame may have in all. */
static uint64_t most_bytes(const struct weir__parser *parser,
                           const struct weir__parser_limits *limits, uint8_t first)
{
  bool compressed = (first & WEIR__RSV1) != 0 || (parser->bits & COMPRESSED) != 0;
  return compressed ? limits->max_compressed_bytes : limits->max_message_bytes;
}

/* Judges the header at data, as far as have bytes of it allow. Returns its size when it is there, 0
 * when more of it is due, or an error. */
static int judge_header(const struct weir__parser *parser, const struct weir__parser_limits *limits,
                        const unsigned char *data, size_t have, struct weir__header *header,
                        struct weir__event *event)
{
  int size;

  if (out_of_sequence(parser->bits, data[0]))
    return refuse(&event->reason, WEIR__CLOSE_PROTOCOL_ERROR,
                  parser->bits & OPCODE ? "new message inside a fragmented one"
                                        : "continuation frame without a message");
  size = weir__header_decode(data, have, parser->bits & RESERVED, header, &event->reason);
  if (size <= 0)
    return size;
  if (!(header->first & WEIR__CONTROL)) {
    if (too_many_fragments(parser, limits))
      return refuse(&event->reason, WEIR__CLOSE_POLICY, "message has too many fragments");
    if (header->length > most_bytes(parser, limits, header->first) - parser->message_bytes)
      return refuse(&event->reason, WEIR__CLOSE_TOO_BIG, "message is too big");
  }
  return (size_t)size <= have ? size : 0;
}

/* Unmasks a piece of text and validates it as what follows the text before; last: it must end with
 * a whole character. */
static inline int open_text(struct weir__utf8 *utf8, uint32_t key, unsigned char *data, size_t len,
                            bool last, const char **reason)
{
  if (UNLIKELY(weir__unmask_text(data, len, key, utf8) != len))
    return refuse(reason, WEIR__CLOSE_INVALID_PAYLOAD, "text is not UTF-8");
  if (UNLIKELY(last && !weir__utf8_complete(utf8)))
    return refuse(reason, WEIR__CLOSE_INVALID_PAYLOAD, "text ends inside a character");
  return 0;
}

static void begin_frame(struct weir__parser *parser, const struct weir__header *header)
{
  parser->frame.remaining = header->length;
  parser->frame.key = header->key;
  parser->frame.first = header->first;
  parser->frame.begun = false;
  parser->bits |= IN_FRAME;
  if (header->first & WEIR__CONTROL)
    return;
  parser->fragments++;
  parser->message_bytes += header->length;
  if ((header->first & WEIR__OPCODE) == WEIR__CONTINUATION)
    return;
  parser->bits |= header->first & OPCODE;
  if (header->first & WEIR__RSV1)
    parser->bits |= COMPRESSED;
}

/* Describes the next len bytes of the open frame. */
static void describe_piece(const struct weir__parser *parser, size_t len, struct weir__event *event)
{
  uint8_t opcode = parser->frame.first & WEIR__OPCODE;
  bool control = opcode & WEIR__CONTROL;

  event->len = len;
  event->remaining = parser->frame.remaining - len;
  event->kind = control ? WEIR__EVENT_CONTROL : WEIR__EVENT_DATA;
  event->opcode = control ? opcode : parser->bits & OPCODE;
  event->rsv1 = !control && parser->bits & COMPRESSED;
  event->first = opcode != WEIR__CONTINUATION && !parser->frame.begun;
  event->last = parser->frame.first & WEIR__FIN && event->remaining == 0;
}

static void end_frame(struct weir__parser *parser, const struct weir__event *event)
{
  parser->bits &= (uint8_t)~IN_FRAME;
  if (event->kind == WEIR__EVENT_CONTROL || !event->last)
    return;
  parser->bits &= RESERVED;
  parser->fragments = 0;
  parser->message_bytes = 0;
}

/* Hands out what the input holds of the open frame. */
static int next_piece(struct weir__parser *parser, struct weir__input *input,
                      struct weir__event *event)
{
  size_t have = (size_t)(input->end - input->at);
  uint64_t remaining = parser->frame.remaining;
  uint32_t key = parser->frame.key;

  if (have == 0 && remaining != 0)
    return more(event);
  event->data = input->at;
  describe_piece(parser, remaining < have ? (size_t)remaining : have, event);
  input->at += event->len;
  parser->frame.remaining = event->remaining;
  parser->frame.key = weir__mask_rotate(key, event->len);
  parser->frame.begun = true;
  if (event->remaining == 0)
    end_frame(parser, event);
  int error = 0;
  if (event->opcode == WEIR__TEXT && !event->rsv1)
    error = open_text(&parser->utf8, key, event->data, event->len, event->last, &event->reason);
  else
    weir__unmask(event->data, event->len, key);
  return error == 0 ? event->kind : error;
}

/* Keeps the part of a header that ends the input. */
static int keep_header(struct weir__parser *parser, struct weir__input *input,
                       struct weir__event *event)
{
  size_t have = parser->bits & IN_HEADER ? parser->header.have : 0;
  size_t len = (size_t)(input->end - input->at);

  memcpy(parser->header.bytes + have, input->at, len);
  parser->header.have = (uint8_t)(have + len);
  parser->bits |= IN_HEADER;
  input->at = input->end;
  return more(event);
}

/* Reads the next header, its beginning from what is kept, and moves the input behind it. Returns as
 * judge_header. */
static int take_header(struct weir__parser *parser, const struct weir__parser_limits *limits,
                       struct weir__input *input, struct weir__header *header,
                       struct weir__event *event)
{
  unsigned char joined[WEIR__HEADER_MAX] = {0};
  size_t have = parser->bits & IN_HEADER ? parser->header.have : 0;
  size_t len = (size_t)(input->end - input->at);
  int size;

  if (len > sizeof joined - have)
    len = sizeof joined - have;
  memcpy(joined, parser->header.bytes, have);
  memcpy(joined + have, input->at, len);
  size = judge_header(parser, limits, joined, have + len, header, event);
  if (size <= 0)
    return size;
  parser->bits &= (uint8_t)~IN_HEADER;
  input->at += (size_t)size - have;
  return size;
}

/* The general way: any frame, good or bad, from where the input before ended. */
__attribute__((noinline)) static int next_of_any(struct weir__parser *parser,
                                                 const struct weir__parser_limits *limits,
                                                 struct weir__input *input,
                                                 struct weir__event *event)
{
  struct weir__header header;
  int size;

  if (parser->bits & IN_FRAME)
    return next_piece(parser, input, event);
  if (input->at == input->end)
    return more(event);
  size = take_header(parser, limits, input, &header, event);
  if (size < 0)
    return size;
  if (size == 0)
    return keep_header(parser, input, event);
  begin_frame(parser, &header);
  return next_piece(parser, input, event);
}

int weir__parser_open_text(struct weir__parser *parser, struct weir__header header,
                           unsigned char *data, const char **reason)
{
  return open_text(&parser->utf8, header.key, data, header.length, true, reason);
}

int weir__parser_next(struct weir__parser *parser, const struct weir__parser_limits *limits,
                      struct weir__input *input, struct weir__event *event)
{
  struct weir__header header;
  if (!weir__parser_take_whole(parser, limits, input, &header, &event->data))
    return next_of_any(parser, limits, input, event);
  event->len = header.length;
  event->remaining = 0;
  event->kind = WEIR__EVENT_DATA;
  event->opcode = header.first & WEIR__OPCODE;
  event->rsv1 = false;
  event->first = true;
  event->last = true;
  int error = weir__parser_open_whole(parser, header, event->data, &event->reason);
  return UNLIKELY(error != 0) ? error : WEIR__EVENT_DATA;
}

uint64_t weir__parser_due(const struct weir__parser *parser)
{
  return parser->bits & IN_FRAME ? parser->frame.remaining : 0;
}
