/* The parser's counterpart for clients: a stream of bytes from a server to the same events (RFC
 * 6455 sections 5 and 5.1). Pure: payloads are lent where they stand. What text says is not
 * validated: weir__utf8_validate does that, for who shows it. For the tools, which are clients. */
#ifndef WEIR_WIRE_CLIENT_PARSER_H
#define WEIR_WIRE_CLIENT_PARSER_H

#include "wire/parser.h"

#ifdef __cplusplus
extern "C" {
#endif

/* The state between two pieces of input. All zero: at the start of a stream. */
struct weir__client_parser {
  uint64_t remaining; /* payload bytes of the frame in hand that are still to come */
  unsigned char header[WEIR__SERVER_HEADER_MAX]; /* a part of one that has come */
  uint8_t have;                                  /* bytes of it */
  uint8_t first;                                 /* byte of the frame in hand */
  uint8_t opcode;                                /* of the open message; 0: none is open */
  bool in_frame;
  bool begun;      /* a piece of the frame has been handed out */
  bool rsv1;       /* set by the caller: an extension has claimed the bit (RFC 7692 section 6) */
  bool compressed; /* the open message has it */
};

/* Parses on to the next event, as weir__parser_next does: MORE, DATA or CONTROL, or a negative
 * close code with event->reason set to the rule that the server broke; then the parser must not be
 * used again. event->rsv1 is that of the message. Nothing behind the input's end is read. */
int weir__client_parser_next(struct weir__client_parser *parser, struct weir__input *input,
                             struct weir__event *event);

#ifdef __cplusplus
}
#endif

#endif
