/* A histogram of times with a bounded relative error (the HDR histogram of Gil Tene): exact below
 * 2^HISTOGRAM_BITS nanoseconds, above that within 1 part in 2^(HISTOGRAM_BITS - 1). */
#ifndef WEIR_BENCH_HISTOGRAM_H
#define WEIR_BENCH_HISTOGRAM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

enum { HISTOGRAM_BITS = 8 };

struct histogram;

/* An empty one for values below 2^44 ns (4.9 hours; more counts as the greatest). NULL: no memory.
 */
struct histogram *histogram_new(void);
void histogram_free(struct histogram *histogram);
void histogram_reset(struct histogram *histogram);

/* One thread adds while another may read: counts are relaxed atomics. */
void histogram_add(struct histogram *histogram, uint64_t ns);

/* Adds what other holds. */
void histogram_merge(struct histogram *histogram, const struct histogram *other);

uint64_t histogram_count(const struct histogram *histogram);
uint64_t histogram_min(const struct histogram *histogram);
uint64_t histogram_max(const struct histogram *histogram);
double histogram_mean(const struct histogram *histogram);

/* The least value that percent of all values do not exceed, rounded up within the error: 0 gives
 * the least of all, 100 the greatest. 0 when empty. */
uint64_t histogram_percentile(const struct histogram *histogram, double percent);

#ifdef __cplusplus
}
#endif

#endif
