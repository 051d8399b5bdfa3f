/* A run: short messages that many queues get one after the other, gathered once, so that whoever
 * got several of them sends them as one piece. It is a share of many units; the queues reference
 * parts of it. */
#ifndef WEIR_IO_RUN_H
#define WEIR_IO_RUN_H

#include "io/outq.h"

#ifdef __cplusplus
extern "C" {
#endif

enum {
  WEIR__RUN_UNIT = 4 << 10,  /* the longest unit: gathering longer ones costs more than it saves */
  WEIR__RUN_BYTES = 64 << 10 /* a block at most */
};

/* All zero: empty. */
struct weir__run {
  struct weir__share *share; /* the one that grows, with a reference of ours; NULL: none */
  const void *key;           /* who gets it */
};

/* Part of a share, for a queue. */
struct weir__part {
  struct weir__share *share; /* borrowed */
  size_t offset, len;
};

/* Adds a unit of header and data, at most WEIR__RUN_UNIT bytes in all, behind those with the same
 * key: a queue that stands still keeps whole blocks, so units that other queues get are kept apart.
 * Returns 0 or -ENOMEM; the part is valid until the next call. */
int weir__run_add(struct weir__run *run, struct weir__pool *pool, const void *key,
                  struct iovec header, struct iovec data, struct weir__part *part);

/* Appends a part, a whole message, to a queue, with flags of enum weir__out_flags: by reference, or
 * as a copy where the queue would keep a run's block for little of it. Returns 0 or -ENOMEM: then
 * nothing changed. */
int weir__run_push(struct weir__outq *q, struct weir__pool *pool, const struct weir__part *part,
                   uint32_t flags);

/* Gives back the reference. */
void weir__run_drop(struct weir__run *run, struct weir__pool *pool);

#ifdef __cplusplus
}
#endif

#endif
