/* Frames are counted buffers whose bytes are one whole encoded message: the payload starts at a
 * fixed place, the header stands right in front of it. */
#ifndef WEIR_WS_FRAME_H
#define WEIR_WS_FRAME_H

#include <weir/frame.h>

#include "io/buf.h"

#include <stdbool.h>

#ifdef __cplusplus
extern "C" {
#endif

enum {
  WEIR__FRAME_ROOM = 16,    /* where the payload starts: room for a header, and alignment to 16 */
  WEIR__UNCOMPRESSED = 0x10 /* what WEIR_TEXT_UNCOMPRESSED has and WEIR_TEXT has not */
};

/* Whether an application may send with this opcode. */
static inline bool weir__opcode_valid(enum weir_opcode opcode)
{
  unsigned plain = (unsigned)opcode & ~(unsigned)WEIR__UNCOMPRESSED;
  return plain == WEIR_TEXT || plain == WEIR_BINARY;
}

struct weir_frame {
  struct weir__buf buf;
};

/* An empty frame to assemble a message in, with one reference; NULL when there is no memory. */
struct weir_frame *weir__frame_open(const struct weir__sys *sys, size_t capacity);

/* Puts the header in front of the payload: now it is a message. The opcode may be one of those that
 * say that it is not to be compressed, which the first byte of the room notes. */
void weir__frame_seal(struct weir_frame *frame, uint8_t opcode);
static inline bool weir__frame_compressible(const struct weir_frame *frame)
{
  return weir__buf_bytes(&frame->buf)[0] == 0;
}

static inline unsigned char *weir__frame_data(const struct weir_frame *frame)
{
  return weir__buf_bytes(&frame->buf) + WEIR__FRAME_ROOM;
}

/* The length of a sealed frame's header. */
static inline size_t weir__frame_header(const struct weir_frame *frame)
{
  return WEIR__FRAME_ROOM - frame->buf.begin;
}

static inline size_t weir__frame_len(const struct weir_frame *frame)
{
  return frame->buf.end - WEIR__FRAME_ROOM;
}

#ifdef __cplusplus
}
#endif

#endif
