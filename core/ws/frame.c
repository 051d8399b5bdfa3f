/* Messages encoded once into counted bytes (RFC 6455 section 5.2). Knows no connection. */
#include "ws/frame.h"

#include "wire/framing.h"

#include <errno.h>
#include <string.h>

_Static_assert((sizeof(struct weir__buf) + WEIR__FRAME_ROOM) % 16 == 0, "payloads are aligned");

struct weir_frame *weir__frame_open(const struct weir__sys *sys, size_t capacity)
{
  return (struct weir_frame *)weir__buf_new(sys, WEIR__FRAME_ROOM, capacity);
}

void weir__frame_seal(struct weir_frame *frame, uint8_t opcode)
{
  size_t len = weir__frame_len(frame);
  size_t header = weir__header_size(len);
  unsigned char *room = weir__buf_bytes(&frame->buf);
  frame->buf.begin = (uint32_t)(WEIR__FRAME_ROOM - header);
  room[0] = opcode & WEIR__UNCOMPRESSED;
  weir__header_encode(room + frame->buf.begin, WEIR__FIN | (opcode & WEIR__OPCODE), len);
}

int weir_frame_new(struct weir_frame **frame, enum weir_opcode opcode, const void *data, size_t len)
{
  if (frame == NULL)
    return -EINVAL;
  *frame = NULL;
  if (!weir__opcode_valid(opcode) || (data == NULL && len > 0))
    return -EINVAL;
  if (len > PTRDIFF_MAX)
    return -EMSGSIZE;
  struct weir_frame *made = weir__frame_open(&weir__sys_linux, len);
  if (made == NULL)
    return -ENOMEM;
  if (len > 0)
    memcpy(weir__frame_data(made), data, len);
  made->buf.end += len;
  weir__frame_seal(made, (uint8_t)opcode);
  *frame = made;
  return 0;
}

int weir_frame_of_message(struct weir_frame **frame, const struct weir_message *message)
{
  if (frame == NULL)
    return -EINVAL;
  *frame = NULL;
  if (message == NULL || !message->first || !message->last)
    return -EINVAL;
  if (message->frame == NULL)
    return weir_frame_new(frame, (enum weir_opcode)message->opcode, message->data, message->len);
  *frame = weir_frame_ref(message->frame);
  return 0;
}

struct weir_frame *weir_frame_ref(struct weir_frame *frame)
{
  weir__buf_ref(&frame->buf);
  return frame;
}

void weir_frame_unref(struct weir_frame *frame)
{
  if (frame != NULL)
    weir__buf_unref(&frame->buf);
}

struct weir_slice weir_frame_payload(const struct weir_frame *frame)
{
  return (struct weir_slice){(const char *)weir__frame_data(frame), weir__frame_len(frame)};
}

enum weir_opcode weir_frame_opcode(const struct weir_frame *frame)
{
  const unsigned char *header = weir__buf_bytes(&frame->buf) + frame->buf.begin;
  return (enum weir_opcode)(header[0] & WEIR__OPCODE);
}
