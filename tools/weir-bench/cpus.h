/* Lists of CPUs as taskset writes them: "0", "2,4", "0-3,6". */
#ifndef WEIR_BENCH_CPUS_H
#define WEIR_BENCH_CPUS_H

#ifdef __cplusplus
extern "C" {
#endif

/* How many CPUs a list names; -EINVAL when it is none, or names one twice. */
int cpus_count(const char *list);

/* The CPU that stands at an index of a list, counted from 0, modulo its length; or -EINVAL. */
int cpus_at(const char *list, unsigned index);

/* Pins the calling thread to that CPU. Returns 0 or -errno: -EINVAL also when there is no such CPU.
 */
int cpus_pin(const char *list, unsigned index);

#ifdef __cplusplus
}
#endif

#endif
