/* What came of a run: made by the run, printed by the reports. */
#ifndef WEIR_BENCH_RESULT_H
#define WEIR_BENCH_RESULT_H

#include "histogram.h"
#include "settings.h"

/* Counts of the measured time; over all threads. */
struct counts {
  uint64_t
      operations; /* answers, deliveries, or connections made and closed: what the mode counts */
  uint64_t messages_sent, messages_received;
  uint64_t bytes_sent, bytes_received; /* of the stream, with headers */
  uint64_t opened;                     /* connections whose upgrade was answered by 101 */
  uint64_t wrong;                      /* payloads that were not what was sent */
  uint64_t lost;                       /* messages that never came, or came out of order */
  uint64_t failed;                     /* connections refused, reset, or closed by the server */
  uint64_t compressed;                 /* messages that came compressed */
  uint64_t resumed;                    /* connections that resumed a TLS session */
  uint64_t dropped; /* slow: stalled receivers that the server closed, which is its right */
};

/* What the kernel tells of the server's process, all threads together, over the measured time. */
struct server_use {
  bool known;
  uint64_t cpu_ns;                                            /* of its CPU clock */
  uint64_t voluntary_switches, involuntary_switches;          /* of /proc/PID/task/N/status */
  uint64_t rss_before_bytes, rss_after_bytes, rss_peak_bytes; /* before the first connection; at
                                                                 the end of the measured time */
  unsigned threads;
};

/* One step of a ramp. */
struct step {
  double rate;     /* intended, messages a second */
  double achieved; /* answered, messages a second */
  double p50_us, p99_us;
  double server_cpu_ns; /* per operation; 0: unknown */
};

/* Why something failed, or was wrong or lost: a sentence, and how often. */
struct reason {
  char text[200];
  uint64_t count;
};

enum { REASONS_MAX = 8 }; /* the first ones are kept */

struct result {
  const struct settings *settings;
  double seconds; /* really measured */
  struct counts counts;
  const struct histogram
      *latency;              /* nanoseconds; of the intended send time where a rate was given */
  struct server_use server;  /* these two by the caller of load_run, who looks at the processes */
  uint64_t generator_cpu_ns; /* of this process, over the measured time */
  unsigned held;             /* connections that were open at the end of the measured time */

  const struct step *steps; /* of a ramp */
  size_t step_count;
  double
      knee; /* messages a second: the most with p99 under bound and nothing left behind; 0: none */

  char tls[64];         /* version and cipher; "": none was agreed */
  char compression[80]; /* windows and takeover, in words; "": none was agreed */

  struct reason reasons[REASONS_MAX];
  size_t reason_count;
};

/* Whether every payload came and was right and every connection held: the exit status. */
static inline bool result_is_good(const struct result *result)
{
  return result->counts.wrong == 0 && result->counts.lost == 0 && result->counts.failed == 0;
}

#endif
