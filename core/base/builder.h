/* Text that grows in a block of a pool. */
#ifndef WEIR_BASE_BUILDER_H
#define WEIR_BASE_BUILDER_H

#include "base/pool.h"

#ifdef __cplusplus
extern "C" {
#endif

/* All zero: empty. */
struct weir__builder {
  char *data;
  size_t len, size;
};

/* Appends bytes. Returns 0 or -ENOMEM: then nothing changed. */
int weir__builder_add(struct weir__builder *text, struct weir__pool *pool, const void *data,
                      size_t len);

/* The same of a string. */
int weir__builder_add_text(struct weir__builder *text, struct weir__pool *pool, const char *string);

/* Frees the block: it is empty again. */
void weir__builder_drop(struct weir__builder *text, struct weir__pool *pool);

#ifdef __cplusplus
}
#endif

#endif
