/* What weir-bench was asked to do. */
#ifndef WEIR_BENCH_SETTINGS_H
#define WEIR_BENCH_SETTINGS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

enum kind { KIND_BINARY, KIND_TEXT, KIND_CJK, KIND_JSON };

struct mode; /* of modes.h */

struct settings {
  const struct mode *mode;

  /* ws://host:port/path or ws+unix:socket:/path, or wss */
  const char *url;
  char host[256];   /* a name or an address */
  char socket[108]; /* a unix socket: its path, or @ and its abstract name; "": TCP */
  char path[1024];
  uint16_t port;
  bool secure;          /* wss */
  unsigned tls_version; /* 12 or 13, that one alone; 0: either */
  const char *ca;       /* a file of certificates; NULL: any certificate is taken */
  bool resume;          /* TLS sessions are resumed */
  bool compress;        /* permessage-deflate is offered, and must be agreed */
  bool no_takeover;     /* without context takeover in either direction */

  unsigned connections;
  unsigned in_flight; /* messages of a connection that wait for their answers; of a broadcast, those
                         that not all receivers have yet */
  bool apart;         /* broadcast: the first in_flight messages do not begin together */
  size_t size;        /* payload bytes of a message */
  enum kind kind;     /* what the payload is made of */
  unsigned fragments; /* frames of a message */
  double rate;        /* messages (of storm and churn: connections) a second over all threads; 0:
                         as many as go */
  double warmup_s;    /* not measured */
  double seconds;     /* measured */
  double lifetime_s;  /* churn: how long a connection stays */
  double stall_s;     /* slow: how long a receiver does not read */
  double slow_percent;  /* slow: share of the receivers that stall */
  double bound_us;      /* ramp: the p99 at which a rate counts as too much */
  char side_path[1024]; /* bystander: where the connection that is timed asks for echoes */
  unsigned addresses;   /* loopback addresses 127.0.0.1, 127.0.0.2 ... that connections come from */

  unsigned threads;
  unsigned spin_us; /* how long a thread of ours looks for events before it blocks */
  const char *cpus; /* a list as of taskset; NULL: wherever the kernel likes */

  pid_t server_pid; /* 0: unknown */
  const char *json; /* files; NULL: none; "-": standard output */
  const char *csv;
  bool quiet; /* no live line */
};

#endif
