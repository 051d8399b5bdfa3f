/* Figures as people read them. Each is a struct, so that it can stand in printf's arguments. */
#ifndef WEIR_BENCH_WORDS_H
#define WEIR_BENCH_WORDS_H

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

struct word {
  char text[32];
};

/* 1,234,567 */
struct word word_count(uint64_t count);

/* The same of what need not be whole: 12.5 below a hundred, else rounded. */
struct word word_number(double number);

/* Three digits and a unit: 850 ns, 4.81 us, 1.20 ms, 3.00 s. */
struct word word_time(double ns);

/* The same of bytes: 64 B, 1.05 MB; a kB has 1,000. */
struct word word_bytes(double bytes);

#ifdef __cplusplus
}
#endif

#endif
