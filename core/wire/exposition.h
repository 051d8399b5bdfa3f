/* Prometheus' text format, version 0.0.4: families of samples as lines of text. Pure: it fills a
 * buffer of the caller's, and counts what it would have taken where that is too small. */
#ifndef WEIR_WIRE_EXPOSITION_H
#define WEIR_WIRE_EXPOSITION_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* data and size are the caller's; len is that of the whole text so far, which may exceed size. */
struct weir__exposition {
  char *data;
  size_t size, len;
  const char *name; /* of the family in hand, lent */
};

struct weir__label {
  const char *name, *value;
};

/* Begins a family: name is one of [a-zA-Z0-9_], type is "counter", "gauge" or "histogram"; help is
 * any text. */
void weir__exposition_family(struct weir__exposition *out, const char *name, const char *type,
                             const char *help);

/* A sample of that family, with labels, whose values may be any text. */
void weir__exposition_sample(struct weir__exposition *out, const struct weir__label *labels,
                             size_t count, uint64_t value);

/* A histogram's samples: counts[i] are values up to bounds_us[i], counts[n] all that are longer;
 * sum_us of all. It is written in seconds. */
void weir__exposition_histogram(struct weir__exposition *out, const uint64_t *bounds_us, size_t n,
                                const uint64_t *counts, uint64_t sum_us);

#ifdef __cplusplus
}
#endif

#endif
