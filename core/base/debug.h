/* Assertions of debug builds (-DWEIR_DEBUG): contracts that the caller must keep and that cost too
 * much to check always. */
#ifndef WEIR_BASE_DEBUG_H
#define WEIR_BASE_DEBUG_H

#ifdef WEIR_DEBUG
#include <assert.h>
#define WEIR__ASSERT(condition) assert(condition)
#else
#define WEIR__ASSERT(condition) ((void)sizeof(!(condition)))
#endif

#endif
