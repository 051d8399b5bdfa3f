/* Frames: whole messages, encoded once, immutable and counted, so that any number of connections on
 * any number of loops can share the same bytes (RFC 6455 section 5.2). */
#ifndef WEIR_FRAME_H
#define WEIR_FRAME_H

#include <weir/attributes.h>

/* The data opcodes of RFC 6455 section 11.8; and the same for a message that is sent as it is where
 * compression was agreed, too: for one that mixes a secret with what an attacker may choose (RFC
 * 7692 section 8). Received messages are WEIR_TEXT or WEIR_BINARY. */
enum weir_opcode {
  WEIR_TEXT = 1,
  WEIR_BINARY = 2,
  WEIR_TEXT_UNCOMPRESSED = 0x11,
  WEIR_BINARY_UNCOMPRESSED = 0x12
};

struct weir_frame;

/* A message, or a piece of one, as a handler gets it. The bytes are lent until the handler returns.
 */
struct weir_message {
  const void *data; /* never NULL, also when len is 0 */
  size_t len;       /* bytes */
  uint8_t opcode;   /* WEIR_TEXT (valid UTF-8 as a whole) or WEIR_BINARY */
  uint8_t first;    /* 1 when the message begins with this piece; always 1 in on_message */
  uint8_t last;     /* 1 when the message ends with this piece; always 1 in on_message */

  struct weir_frame
      *frame; /* private: the counted frame that holds the bytes, where there is one */
};

/* Encodes one message of len bytes at data into a new frame with one reference, which the caller
 * owns; data is copied. Returns 0, -EINVAL (frame is NULL, an opcode that is none, no data with a
 * length), -EMSGSIZE (len over PTRDIFF_MAX) or -ENOMEM; on an error *frame is NULL. The bytes of a
 * text are not checked to be UTF-8. */
WEIR_ANY_THREAD int weir_frame_new(struct weir_frame **frame, enum weir_opcode opcode,
                                   const void *data, size_t len);

/* The frame of a message that a handler was lent: a further reference to its bytes where they stand
 * in a counted buffer already (messages that came in several reads), else a copy. Returns as
 * weir_frame_new does, and -EINVAL for a piece that is not a whole message. Only inside the handler
 * that was lent the message. */
WEIR_LOOP_THREAD int weir_frame_of_message(struct weir_frame **frame,
                                           const struct weir_message *message);

/* One more reference, for the caller; returns frame. */
WEIR_ANY_THREAD struct weir_frame *weir_frame_ref(struct weir_frame *frame);

/* Gives one reference back; the last one frees the frame. NULL is allowed. */
WEIR_ANY_THREAD void weir_frame_unref(struct weir_frame *frame);

/* The message's bytes, good for as long as the caller holds a reference. */
WEIR_ANY_THREAD struct weir_slice weir_frame_payload(const struct weir_frame *frame);

/* The message's opcode, WEIR_TEXT or WEIR_BINARY. */
WEIR_ANY_THREAD enum weir_opcode weir_frame_opcode(const struct weir_frame *frame);

#endif
