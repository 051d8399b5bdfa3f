/* A run, as its files share it: load.c (phases), worker.c (threads), client*.c (connections), and a
 * file for each mode. */
#ifndef WEIR_BENCH_LOAD_H
#define WEIR_BENCH_LOAD_H

#include "modes.h"
#include "payload.h"

#include <pthread.h>
#include <semaphore.h>
#include <sys/socket.h>

#ifdef __cplusplus
extern "C" {
#endif

struct worker;
struct client;
struct squeezed;
struct tls_context;

/* What a mode makes of its connections, all on the threads of these. */
struct role {
  /* The connection is ready for messages. NULL: nothing to do. */
  void (*opened)(struct client *client);
  /* A message came to its end: client->next, which has moved on; good: it is the one that was due.
   * NULL: messages are not looked at. */
  void (*message)(struct client *client, uint64_t seq, bool good);
  /* The connection is gone; clean: after a closing handshake that we began. NULL: nothing to do. */
  void (*ended)(struct client *client, bool clean);
  bool settle; /* a ping is answered before the connection counts as ready, so that whatever the
                  server says by itself has come before */
  bool again;  /* the connection is made again after its end */
  bool side;   /* it goes to settings->side_path */
};

/* The course of a run; what takes a worker is called once on each thread, NULL is for nothing. */
struct plan {
  const struct role *role;
  const struct role *aside; /* of one connection more, on a thread of its own; NULL: none */
  int (*prepare)(struct load *load);      /* once, before the threads start; 0 or -errno */
  void (*begin)(struct worker *worker);   /* traffic */
  void (*mark)(struct worker *worker);    /* the measured time begins */
  void (*stop)(struct worker *worker);    /* nothing new is sent from here on */
  bool (*drained)(struct worker *worker); /* all that was asked for has come */
  void (*missing)(struct worker *worker); /* not drained in time: counts what is lost */
  unsigned connecting;                    /* connections under way at a time over all threads */
  bool at_once;                           /* traffic makes the connections: none is waited for */
};

struct load {
  const struct settings *settings;
  const struct watch *watch;
  struct result *result;
  const struct plan *plan;
  struct payload payload;
  struct squeezed *squeezed[16]; /* by window bits; under the lock, and never changed */
  struct tls_context *tls;       /* NULL: plain connections */
  struct sockaddr_storage address;
  socklen_t address_len;
  char host[300]; /* as the Host field has it */

  struct worker *workers;
  unsigned worker_count;
  sem_t answered;       /* by a worker: it has done what was asked */
  pthread_mutex_t lock; /* of the result's reasons and of what was agreed */

  enum phase phase;
  uint64_t phase_ns;
  uint64_t looked_ns;     /* when the watch was called last */
  double rate;            /* of an open loop; what live->rate says */
  uint64_t start_ns;      /* when its first message is due */
  uint64_t server_cpu_ns; /* over the measured time */
  bool ended;             /* the watch has had enough */
  struct histogram *latency;
  struct counts counts; /* of all workers, when they were asked last */
  unsigned open;
  void *shared; /* the mode's own */
};

/* The whole course: connect, warm up, measure, drain, close. Returns as mode->run does. */
int load_course(struct load *load, const struct plan *plan);

/* Its parts, for modes with a course of their own. load_measure fills the result's seconds and
 * counts; load_close ends the threads, whatever came before. */
int load_connect(struct load *load, const struct plan *plan);
void load_measure(struct load *load, double warmup_s, double seconds);
void load_drain(struct load *load);
void load_close(struct load *load);

/* Has every worker call fn, and waits for all. */
void load_ask(struct load *load, void (*fn)(struct worker *worker));

/* Keeps a sentence for the report. Any thread. */
void load_note(struct load *load, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Keeps what the first connections agreed on. Any thread. */
void load_agreed_tls(struct load *load, const char *version, const char *cipher);
void load_agreed_compression(struct load *load, const char *parameters);

uint64_t clock_ns(void);

#ifdef __cplusplus
}
#endif

#endif
