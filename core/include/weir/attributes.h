/* Markers that every public declaration carries: which threads may call it, and its linkage. */
#ifndef WEIR_ATTRIBUTES_H
#define WEIR_ATTRIBUTES_H

#include <stddef.h>
#include <stdint.h>

/* Exported from the library, with C linkage. */
#ifdef __cplusplus
#define WEIR_API extern "C"
#else
#define WEIR_API extern
#endif

/* May be called from any thread, also while the loops run. */
#define WEIR_ANY_THREAD WEIR_API

/* May be called only from the thread that steps the object's loop; before the loop's first step,
 * from the thread that made it. Debug builds assert it. */
#define WEIR_LOOP_THREAD WEIR_API

/* The value of any option that means "off" or "unlimited". Zero always means "the documented
 * default". */
#define WEIR_OFF ((size_t)-1)

/* Bytes lent for the length of a call or callback, not terminated by NUL; data is NULL when there
 * are none. */
struct weir_slice {
  const char *data;
  size_t len;
};

#endif
