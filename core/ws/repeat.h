/* Lent data that is sent to one connection after the other, as a loop over all clients does: from
 * the second time on it is not copied, but gathered once in a run. */
#ifndef WEIR_WS_REPEAT_H
#define WEIR_WS_REPEAT_H

#include "io/run.h"

#ifdef __cplusplus
extern "C" {
#endif

/* All zero: nothing was sent yet. */
struct weir__repeat {
  const void *data; /* what was lent last; only compared */
  size_t len;
  struct weir__run run;
  struct weir__part part; /* the message in the run; len 0: it was seen only once */
};

/* The part to queue instead of a copy when these very bytes were sent last; NULL when a copy should
 * be made, because they were not, there is no memory or the queue must not reference more blocks.
 * data may not be NULL. */
const struct weir__part *weir__repeat_of(struct weir__repeat *repeat, struct weir__pool *pool,
                                         const struct weir__outq *q, struct iovec header,
                                         struct iovec data);

#ifdef __cplusplus
}
#endif

#endif
