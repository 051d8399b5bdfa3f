/* The kinds of load, and the one call that makes one. */
#ifndef WEIR_BENCH_MODES_H
#define WEIR_BENCH_MODES_H

#include "result.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Which settings a mode takes beside those that all do; others are refused by name. */
enum mode_uses {
  MODE_RATE = 1 << 0,       /* --rate */
  MODE_NEEDS_RATE = 1 << 1, /* and cannot do without */
  MODE_IN_FLIGHT = 1 << 2,
  MODE_PAYLOAD = 1 << 3, /* --size --kind --fragments */
  MODE_LIFETIME = 1 << 4,
  MODE_STALL = 1 << 5, /* --stall --slow */
  MODE_BOUND = 1 << 6, /* --bound, in microseconds */
  MODE_SIDE = 1 << 7,  /* --side-path, "/" when not given */
  MODE_APART = 1 << 8  /* --apart */
};

struct load; /* of load.h */

struct mode {
  const char *name;
  const char *help;       /* one line */
  const char *operations; /* what counts.operations counts: "answers", "deliveries" ... */
  unsigned uses;
  int (*run)(struct load *load); /* private to the load */
};

/* The first is the default; the last has no name. */
extern const struct mode modes[];

/* NULL: there is none of this name. */
const struct mode *mode_find(const char *name);

/* What a run is at. A ramp goes from WARMUP to DRAINING once a step. */
enum phase { PHASE_CONNECTING, PHASE_WARMUP, PHASE_MEASURING, PHASE_DRAINING, PHASE_DONE };

/* A look at a run that goes on. */
struct live {
  enum phase phase;
  unsigned open;             /* connections */
  double seconds;            /* since the phase began */
  double rate;               /* intended now, operations a second; 0: as many as go */
  struct counts counts;      /* since the measured time began; before that, since the warm-up did */
  struct histogram *latency; /* the same; valid during the call */
};

/* What the caller hears while load_run runs, always on its own thread. */
struct watch {
  void *arg;
  /* A phase begins: CONNECTING before the first connection; MEASURING and DRAINING are the edges of
   * the measured time, at which the server's process is looked at. */
  void (*phase)(void *arg, enum phase phase);
  /* Some five times a second, in every phase; false ends the run with what it has. */
  bool (*tick)(void *arg, const struct live *live);
  /* What the server has used up to now, for the steps of a ramp; 0: unknown. */
  uint64_t (*server_cpu_ns)(void *arg);
};

/* Makes the load that settings ask for: starts the threads, ends them, and fills the result but for
 * what result.h leaves to the caller. Every phase has a deadline. Returns 0, or -1 when the load
 * could not be made at all (no memory, no address, no connection): then result->reasons say why.
 * load_free frees what the result holds in either case. */
int load_run(const struct settings *settings, const struct watch *watch, struct result *result);
void load_free(struct result *result);

#ifdef __cplusplus
}
#endif

#endif
