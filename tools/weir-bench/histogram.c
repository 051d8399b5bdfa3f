/* Buckets as wide as their value is long: one each below 2^HISTOGRAM_BITS, and from there on
 * 2^(HISTOGRAM_BITS - 1) for every doubling. */
#include "histogram.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum {
  EXACT = 1 << HISTOGRAM_BITS,
  HALF = EXACT / 2,
  VALUE_BITS = 44,
  BUCKETS = EXACT + (VALUE_BITS - HISTOGRAM_BITS) * HALF
};

static const uint64_t greatest = (UINT64_C(1) << VALUE_BITS) - 1;

struct histogram {
  uint64_t count, sum, min, max;
  uint64_t buckets[BUCKETS];
};

static uint64_t get(const uint64_t *field)
{
  return __atomic_load_n(field, __ATOMIC_RELAXED);
}

/* There is one writer, so it needs no locked instruction. */
static void set(uint64_t *field, uint64_t value)
{
  __atomic_store_n(field, value, __ATOMIC_RELAXED);
}

static size_t bucket_of(uint64_t value)
{
  if (value < EXACT)
    return (size_t)value;
  unsigned shift = 64 - HISTOGRAM_BITS - (unsigned)__builtin_clzll(value);
  return (size_t)(HALF * shift + (value >> shift));
}

/* The greatest value that falls into a bucket. */
static uint64_t top_of(size_t bucket)
{
  if (bucket < EXACT)
    return bucket;
  unsigned shift = (unsigned)(bucket / HALF - 1);
  return ((uint64_t)(bucket - shift * HALF + 1) << shift) - 1;
}

struct histogram *histogram_new(void)
{
  struct histogram *histogram = malloc(sizeof *histogram);
  if (histogram != NULL)
    histogram_reset(histogram);
  return histogram;
}

void histogram_free(struct histogram *histogram)
{
  free(histogram);
}

void histogram_reset(struct histogram *histogram)
{
  set(&histogram->count, 0);
  set(&histogram->sum, 0);
  set(&histogram->min, UINT64_MAX);
  set(&histogram->max, 0);
  for (size_t i = 0; i < BUCKETS; i++)
    set(&histogram->buckets[i], 0);
}

static void widen(struct histogram *histogram, uint64_t min, uint64_t max)
{
  if (min < get(&histogram->min))
    set(&histogram->min, min);
  if (max > get(&histogram->max))
    set(&histogram->max, max);
}

void histogram_add(struct histogram *histogram, uint64_t ns)
{
  uint64_t value = ns < greatest ? ns : greatest;
  uint64_t *bucket = &histogram->buckets[bucket_of(value)];
  set(bucket, get(bucket) + 1);
  set(&histogram->sum, get(&histogram->sum) + value);
  widen(histogram, value, value);
  set(&histogram->count, get(&histogram->count) + 1);
}

void histogram_merge(struct histogram *histogram, const struct histogram *other)
{
  for (size_t i = 0; i < BUCKETS; i++) {
    uint64_t added = get(&other->buckets[i]);
    if (added > 0)
      set(&histogram->buckets[i], get(&histogram->buckets[i]) + added);
  }
  set(&histogram->sum, get(&histogram->sum) + get(&other->sum));
  widen(histogram, get(&other->min), get(&other->max));
  set(&histogram->count, get(&histogram->count) + get(&other->count));
}

uint64_t histogram_count(const struct histogram *histogram)
{
  return get(&histogram->count);
}

uint64_t histogram_min(const struct histogram *histogram)
{
  return histogram_count(histogram) > 0 ? get(&histogram->min) : 0;
}

uint64_t histogram_max(const struct histogram *histogram)
{
  return get(&histogram->max);
}

double histogram_mean(const struct histogram *histogram)
{
  uint64_t count = histogram_count(histogram);
  return count > 0 ? (double)get(&histogram->sum) / (double)count : 0;
}

/* How many values must not exceed what a percentile names: 99.9 % of 1,000 are 999, though as
 * doubles a little more. */
static uint64_t rank_of(double percent, uint64_t count)
{
  double rank = ceil(percent / 100 * (double)count * (1 - 1e-12));
  if (rank < 1)
    return 1;
  return rank < (double)count ? (uint64_t)rank : count;
}

uint64_t histogram_percentile(const struct histogram *histogram, double percent)
{
  uint64_t count = histogram_count(histogram), seen = 0, max = histogram_max(histogram);
  if (count == 0 || percent <= 0)
    return histogram_min(histogram);
  uint64_t rank = rank_of(percent, count);
  for (size_t i = 0; i < BUCKETS && rank < count; i++) {
    seen += get(&histogram->buckets[i]);
    if (seen >= rank)
      return top_of(i) < max ? top_of(i) : max;
  }
  return max;
}
