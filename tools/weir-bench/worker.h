/* A thread of the load: a loop, its share of the connections, what they count, and the clock that
 * sends messages when they are due. */
#ifndef WEIR_BENCH_WORKER_H
#define WEIR_BENCH_WORKER_H

#include "client.h"
#include "load.h"
#include "schedule.h"

#include "io/loop.h"

#ifdef __cplusplus
extern "C" {
#endif

enum {
  OUT_BYTES = 256 << 10,       /* filled for one send */
  OPEN_TIMEOUT_MS = 10 * 1000, /* connect and upgrade */
  CLOSE_TIMEOUT_MS = 5 * 1000  /* closing handshake */
};

struct inflater;
struct tls_wire;

/* An open loop on this thread: its members take turns. */
struct pace {
  struct schedule schedule;
  bool on;
  uint64_t round;
  unsigned turn; /* whose it is next: below count */
  unsigned count;
  uint64_t (*member)(struct worker *worker, unsigned turn); /* its number over all threads */
  void (*due)(struct worker *worker, unsigned turn);        /* once for each time that has come */
  void (*send)(struct worker *worker, unsigned turn);       /* after all that are due; or NULL */
};

struct worker {
  struct load *load;
  struct weir_loop *loop;
  pthread_t thread;
  unsigned index;
  bool started, quit;
  bool leaving; /* the run is over: failures do not count any more */
  void (*order)(struct worker *worker);

  struct client *clients;
  unsigned count;
  unsigned open;                               /* ready for messages, or closing */
  unsigned finished;                           /* have opened, or failed to, for the first time */
  unsigned connecting;                         /* under way */
  unsigned connecting_most;                    /* that may be */
  uint64_t may_connect;                        /* how many more may be begun; UINT64_MAX: all */
  uint64_t begun;                              /* of those that a schedule has asked for */
  bool making;                                 /* worker_make runs */
  struct weir__link spare;                     /* to be made */
  struct weir__link broken;                    /* to be made after a pause, because they failed */
  struct weir__link waiting, opening, closing; /* oldest first; waiting: for a place in a backlog */

  bool running; /* traffic goes on */
  struct counts counts;
  struct counts shown; /* as they stood when asked for */
  unsigned shown_open;
  bool drained;
  struct histogram *latency;
  uint64_t marked_ns, stopped_ns; /* the measured time */
  uint64_t now_ns;                /* the clock after the last receive */
  uint64_t random;

  struct weir_timer *tick;
  struct weir_timer *knock;  /* runs while any wait */
  struct weir_timer *timer;  /* the mode's; or NULL */
  struct weir__source alarm; /* a timerfd: the next message is due */
  uint64_t alarm_ns;
  struct pace pace;
  uint64_t *stamps; /* of all clients */
  uint64_t stamp_mask;
  unsigned char *out;
  struct tls_wire *wire;       /* made with the first connection that needs it, as this: */
  struct inflater *inflater;   /* or NULL */
  struct weir__interrupt told; /* by another worker; the mode sets what it does */
};

/* Makes a worker with its loop, of count connections; 0 or -errno, and fini in either case. Starts
 * its thread; fini joins it, which must have been told to quit. */
int worker_init(struct worker *worker, struct load *load, unsigned index, unsigned count);
int worker_start(struct worker *worker);
void worker_fini(struct worker *worker);

/* Has the thread call fn, and then post load->answered. */
void worker_ask(struct worker *worker, void (*fn)(struct worker *worker));

/* Gives each client a ring of times, for as many messages as may be in flight. 0 or -ENOMEM. */
int worker_stamps(struct worker *worker, unsigned in_flight);

/* Makes connections as long as any are wanted and not too many under way. */
void worker_make(struct worker *worker);

/* Has a client that is new connect, now or as soon as the server has room for it. */
void worker_wait(struct worker *worker, struct client *client);

/* Begins and ends an open loop; one without members does not begin. */
void worker_pace(struct worker *worker, const struct pace *pace);
void worker_pace_stop(struct worker *worker);

/* Never 0. */
uint32_t worker_random(struct worker *worker);

#ifdef __cplusplus
}
#endif

#endif
