/* What many hold together, counted once: a number of bytes that any thread adds to, with a count of
 * those who may still do so. */
#ifndef WEIR_BASE_ACCOUNT_H
#define WEIR_BASE_ACCOUNT_H

#include "base/sys.h"

#ifdef __cplusplus
extern "C" {
#endif

struct weir__account {
  const struct weir__sys *sys;
  uint32_t refs; /* atomic */
  size_t bytes;  /* atomic */
};

/* One with a reference and no bytes; NULL when there is no memory. */
struct weir__account *weir__account_new(const struct weir__sys *sys);

/* One more reference; one less, NULL is allowed. Any thread. */
struct weir__account *weir__account_ref(struct weir__account *account);
void weir__account_unref(struct weir__account *account);

#ifdef __cplusplus
}
#endif

#endif
