/* Times and rates by arithmetic alone: when a message of an open loop is due, and which rate a ramp
 * tries next. */
#ifndef WEIR_BENCH_SCHEDULE_H
#define WEIR_BENCH_SCHEDULE_H

#include <stdbool.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* An open loop: `members` senders take turns, so that each sends evenly and none with another. */
struct schedule {
  uint64_t start_ns;
  double period_ns; /* between two messages of all */
  uint64_t members;
};

struct schedule schedule_of(uint64_t start_ns, double rate, uint64_t members);

/* When a member's message of a round (both counted from 0) is due. It never depends on what came
 * of earlier ones. */
static inline uint64_t schedule_due(const struct schedule *schedule, uint64_t round,
                                    uint64_t member)
{
  return schedule->start_ns +
         (uint64_t)((double)(round * schedule->members + member) * schedule->period_ns);
}

/* The search for the highest rate that a server sustains: doubling, then bisection down to 4 %. */
struct knee {
  double next; /* the rate to try; 0: the search is over */
  double good; /* the highest that held; 0: none yet */
  double bad;  /* the lowest that did not; 0: none yet */
  unsigned tries;
};

enum { KNEE_TRIES = 24 };

struct knee knee_begin(double rate);

/* Says whether `next` held, and picks the rate after it. */
void knee_tell(struct knee *knee, bool held);

/* Whether a step held: 99 % of what was intended was answered, and p99 is within the bound. */
bool knee_held(double intended, double achieved, double p99_us, double bound_us);

#ifdef __cplusplus
}
#endif

#endif
