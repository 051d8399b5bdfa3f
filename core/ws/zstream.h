/* zlib's streams in memory of a loop, counted. */
#ifndef WEIR_WS_ZSTREAM_H
#define WEIR_WS_ZSTREAM_H

#include "io/loop.h"
#include "wire/deflate.h"
#include "wire/inflate.h"

#ifdef __cplusplus
extern "C" {
#endif

/* A compressor of a window and a level; NULL when there is no memory. And frees it. */
struct weir__deflate_stream *weir__compressor_new(struct weir_loop *loop, uint8_t window_bits,
                                                  uint8_t level);
void weir__compressor_free(struct weir_loop *loop, struct weir__deflate_stream *stream);

/* An inflater, which is to last or is not; NULL when there is no memory. And frees it, NULL is
 * allowed, with the same word. */
struct weir__inflate *weir__inflater_new(struct weir_loop *loop, uint8_t window_bits, bool lasting);
void weir__inflater_free(struct weir_loop *loop, struct weir__inflate *inflater, bool lasting);

#ifdef __cplusplus
}
#endif

#endif
