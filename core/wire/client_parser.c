/* What a server may send (RFC 6455 sections 5.1-5.5). In: its bytes, cut anywhere. Out: pieces of
 * messages and control frames where they stand, or the rule that the server broke. Must not know
 * sockets, nor what was asked. */
#include "wire/client_parser.h"

#include "wire/close.h"

#include <string.h>

enum { RESERVED = WEIR__RSV1 | WEIR__RSV2 | WEIR__RSV3 };

static int refuse(struct weir__event *event, const char *sentence)
{
  event->reason = sentence;
  return -WEIR__CLOSE_PROTOCOL_ERROR;
}

static int judge(const struct weir__client_parser *parser, const unsigned char *data, size_t have,
                 struct weir__header *header, struct weir__event *event)
{
  bool begins = (data[0] & WEIR__OPCODE) != WEIR__CONTINUATION;
  if (!(data[0] & WEIR__CONTROL) && begins == (parser->opcode != 0))
    return refuse(event, begins ? "new message inside a fragmented one"
                                : "continuation frame without a message");
  uint8_t reserved = parser->rsv1 ? RESERVED & ~WEIR__RSV1 : RESERVED;
  return weir__header_decode_server(data, have, reserved, header, &event->reason);
}

static void begin_frame(struct weir__client_parser *parser, const struct weir__header *header)
{
  uint8_t opcode = header->first & WEIR__OPCODE;
  parser->remaining = header->length;
  parser->first = header->first;
  parser->in_frame = true;
  parser->begun = false;
  parser->have = 0;
  if (opcode == WEIR__TEXT || opcode == WEIR__BINARY) {
    parser->opcode = opcode;
    parser->compressed = (header->first & WEIR__RSV1) != 0;
  }
}

/* Reads the next header, the beginning from what is kept. Returns its size, 0 when more is due. */
static int take_header(struct weir__client_parser *parser, struct weir__input *input,
                       struct weir__event *event)
{
  size_t len = (size_t)(input->end - input->at), kept = parser->have;
  struct weir__header header;
  if (len > sizeof parser->header - kept)
    len = sizeof parser->header - kept;
  memcpy(parser->header + kept, input->at, len);
  int size = judge(parser, parser->header, kept + len, &header, event);
  if (size < 0)
    return size;
  if (size == 0) {
    parser->have = (uint8_t)(kept + len);
    input->at += len;
    return 0;
  }
  input->at += (size_t)size - kept;
  begin_frame(parser, &header);
  return size;
}

static int next_piece(struct weir__client_parser *parser, struct weir__input *input,
                      struct weir__event *event)
{
  size_t have = (size_t)(input->end - input->at);
  uint8_t opcode = parser->first & WEIR__OPCODE;
  bool control = (opcode & WEIR__CONTROL) != 0;
  if (have == 0 && parser->remaining != 0)
    return event->kind = WEIR__EVENT_MORE;
  event->data = input->at;
  event->len = parser->remaining < have ? (size_t)parser->remaining : have;
  event->remaining = parser->remaining - event->len;
  event->kind = control ? WEIR__EVENT_CONTROL : WEIR__EVENT_DATA;
  event->opcode = control ? opcode : parser->opcode;
  event->rsv1 = !control && parser->compressed;
  event->first = opcode != WEIR__CONTINUATION && !parser->begun;
  event->last = (parser->first & WEIR__FIN) != 0 && event->remaining == 0;
  input->at += event->len;
  parser->remaining = event->remaining;
  parser->begun = true;
  parser->in_frame = event->remaining != 0;
  if (!control && event->last)
    parser->opcode = 0;
  return event->kind;
}

/* The general way: any frame, good or bad, from where the input before ended. */
__attribute__((noinline)) static int next_of_any(struct weir__client_parser *parser,
                                                 struct weir__input *input,
                                                 struct weir__event *event)
{
  if (!parser->in_frame) {
    if (input->at == input->end)
      return event->kind = WEIR__EVENT_MORE;
    int size = take_header(parser, input, event);
    if (size < 0)
      return size;
    if (size == 0)
      return event->kind = WEIR__EVENT_MORE;
  }
  return next_piece(parser, input, event);
}

/* The header's size of a message in one frame of less than 64 KiB, with its length; 0 for every
 * other header, good or bad. At data, 4 bytes have come. */
static inline size_t decode_plain(const unsigned char *data, size_t *length)
{
  if (data[0] != (WEIR__FIN | WEIR__TEXT) && data[0] != (WEIR__FIN | WEIR__BINARY))
    return 0;
  *length = data[1];
  if (*length < WEIR__LENGTH_16)
    return 2;
  *length = (size_t)data[2] << 8 | data[3];
  return data[1] == WEIR__LENGTH_16 && *length >= WEIR__LENGTH_16 ? 4 : 0;
}

int weir__client_parser_next(struct weir__client_parser *parser, struct weir__input *input,
                             struct weir__event *event)
{
  size_t have = (size_t)(input->end - input->at), length, size;
  if ((parser->in_frame | parser->have | parser->opcode) != 0 || have < 4)
    return next_of_any(parser, input, event);
  size = decode_plain(input->at, &length);
  if (size == 0 || have - size < length)
    return next_of_any(parser, input, event);
  *event = (struct weir__event){.data = input->at + size,
                                .len = length,
                                .kind = WEIR__EVENT_DATA,
                                .opcode = input->at[0] & WEIR__OPCODE,
                                .first = true,
                                .last = true};
  input->at += size + length;
  return WEIR__EVENT_DATA;
}
