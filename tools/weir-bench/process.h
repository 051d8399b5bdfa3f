/* What a process has used, as the kernel counts it: CPU time, context switches, memory. */
#ifndef WEIR_BENCH_PROCESS_H
#define WEIR_BENCH_PROCESS_H

#include "result.h"

#ifdef __cplusplus
extern "C" {
#endif

struct process;

/* NULL, with errno: there is no such process, or no memory. */
struct process *process_new(pid_t pid);
void process_free(struct process *process);

/* Remembers the memory as what it was before the load. */
void process_before(struct process *process);

/* The edges of the measured time; each step of a ramp has its own. */
void process_begin(struct process *process);
void process_end(struct process *process);

/* Called now and then in between, so that less is missed of threads that end. */
void process_look(struct process *process);

/* CPU time up to now, of all threads that are and were; 0: unknown. */
uint64_t process_cpu_ns(const struct process *process);

/* What was used between the last two edges; not known when the process has ended. */
struct server_use process_use(const struct process *process);

/* CPU time of the calling process up to now. */
uint64_t process_own_cpu_ns(void);

#ifdef __cplusplus
}
#endif

#endif
