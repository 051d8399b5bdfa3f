/* The reactor: one epoll, edge-triggered, and all that has its turn on one thread. Knows
 * descriptors, not protocols.
 *
 * A turn: wait; for each event set the source's sticky bits and call ready; for each again call
 * work (so that what all handlers of the batch queued leaves in one flush); posts; interrupts;
 * timers; deadlines; then work for the sources on the queue `again` (each once) and on the queue
 * `later` (for a slice of time, the rest next turn); at last reclaim what was buried. While a queue
 * holds anything, the next wait does not block. */
#ifndef WEIR_IO_LOOP_H
#define WEIR_IO_LOOP_H

#include <weir/loop.h>

#include "base/mem.h"
#include "base/pool.h"
#include "io/outq.h"
#include "io/slots.h"
#include "io/timer.h"
#include "io/wheel.h"

#include <stdbool.h>

#ifdef __cplusplus
extern "C" {
#endif

struct weir__source;

struct weir__source_ops {
  /* The kernel reported something: the sticky bits say what. */
  void (*ready)(struct weir__source *source);

  /* After ready, once all of the batch have had theirs; and when its turn on a queue comes: on
   * `again` after another call of ready, on `later` alone. */
  void (*work)(struct weir__source *source);

  /* The source was buried and nothing points to it any more: its memory may go. */
  void (*reclaim)(struct weir__source *source);
};

/* A descriptor that a loop watches; embedded in what owns it. */
struct weir__source {
  const struct weir__source_ops *ops;
  struct weir__source *next; /* on a queue, or in the graveyard */
  int fd;                    /* -1 once closed */
  uint32_t slot : 24;        /* in the loop's table */
  uint32_t queued : 1;       /* on again or later */
  uint32_t dead : 1;         /* buried as soon as it leaves its queue */
  uint32_t
      readable : 1; /* sticky: a read may give something; cleared by EAGAIN or a short read alone */
  uint32_t
      writable : 1; /* sticky: a send may take something; cleared by EAGAIN or a short send alone */
  uint32_t hung : 1;    /* both directions ended, or the connection was reset */
  uint32_t ending : 1;  /* the end follows what is sent: TCP may hold the last bytes for its FIN */
  uint32_t quiet : 1;   /* edges of writing are not asked for yet */
  uint32_t exhaust : 1; /* FIN, error or urgent data were seen, or it is a unix socket: only 0 or
                           EAGAIN ends reading, not a short read */
};

struct weir__queue {
  struct weir__source *first, *last;
};

/* Something that a signal handler may raise; fn runs once in a turn after it was raised. */
struct weir__interrupt {
  struct weir__link link;
  void (*fn)(struct weir__interrupt *interrupt);
  uint32_t raised; /* atomic */
};

enum {
  WEIR__LOOP_EVENTS = 256,         /* of one epoll_wait */
  WEIR__RECEIVE_BYTES = 128 << 10, /* the receive buffer */
  WEIR__RECEIVE_SLACK = 64,        /* readable bytes behind it */
  WEIR__SCRATCH_BYTES = 64 << 10,  /* for gathering small pieces */
  WEIR__LARGE_MS = 500, /* how long the pool keeps large blocks that nobody uses, twice at most */
  WEIR__SLICE_MIN_NS = 100 * 1000, /* how long the queue later may run in one turn */
  WEIR__SLICE_MAX_NS = 500 * 1000,
  WEIR__SLICE_CHECK = 4 /* sources between two looks at the clock */
};

/* Something to be run on the loop's thread. */
struct weir__post {
  struct weir__post *next;
  void (*fn)(void *arg);
  void *arg;
  bool owned; /* the loop's to free: weir_loop_post made it */
};

struct weir__tls_loop; /* private to tls_stream.c */

struct weir_loop {
  struct weir__mem mem; /* mem.sys is the loop's seam */
  struct weir__pool pool;
  uint64_t now_ns, now_ms;      /* read once a turn and between slices */
  uint64_t pool_aged_ms;        /* when the pool's large blocks were last looked at */
  struct weir__source *current; /* whose ready or work runs now */
  struct weir__queue again, later;
  struct weir__queue batch; /* of one of them, being worked off */
  struct weir__source *graveyard;
  unsigned char *receive; /* WEIR__RECEIVE_BYTES, with the slack behind */
  struct weir__scratch scratch;

  /* An event carries generation << 32 | slot. Generation 0 is the loop's own descriptors. */
  struct weir__slots slots;

  struct weir__timers timers;
  struct weir__wheel wheel; /* kept at the clock's time, so that a delay counts from now */
  struct weir__link due;    /* nodes of the wheel that came up and were not handled yet */
  void (*deadline)(struct weir_loop *loop,
                   struct weir__link *node); /* a node of the wheel came up */

  struct weir__post *posts; /* atomic; newest first */
  struct weir__link interrupts;
  uint32_t interrupted; /* atomic */

  int epfd, eventfd, timerfd; /* timerfd -1 until weir_loop_fd was asked for */
  uint64_t timerfd_at_ns;     /* what it is set to */
  bool stepping;
  bool owned;                     /* atomic: thread is known */
  uintptr_t thread;               /* atomic: who steps */
  uint64_t busy_poll_ns, spin_ns; /* the longest spin, and the one that adapts */
  struct epoll_event events[WEIR__LOOP_EVENTS];

  uint64_t turn;              /* counts them */
  struct weir__tls_loop *tls; /* what TLS streams share; NULL before the first */
};

/* weir_loop_new on a seam of one's own. */
int weir__loop_new(struct weir_loop **loop, const struct weir__sys *sys);

/* Watches a descriptor for edges: IN, RDHUP, PRI and OUT, or that not yet, or as a listener IN
 * alone. The source's ops are set by the caller. From here on the loop owns fd. Returns 0, or
 * -errno of epoll_ctl or -ENOMEM: then fd is still the caller's. */
int weir__loop_watch(struct weir_loop *loop, struct weir__source *source, int fd, uint32_t events);

/* Watches a source's descriptor anew, with other events or behind all others who watch the same
 * socket; what is ready is reported again. Returns 0 or -errno: then it is not watched until
 * another call succeeds. */
int weir__loop_rewatch(struct weir_loop *loop, struct weir__source *source, uint32_t events);

/* A send was short on a source that is quiet: asks for edges of writing too. */
void weir__loop_hear(struct weir_loop *loop, struct weir__source *source);

/* Closes the descriptor and gives the slot back: no event of it reaches the source any more, not
 * even one of the batch in hand. */
void weir__loop_close(struct weir_loop *loop, struct weir__source *source);

/* The same, but that the descriptor is not closed: it is returned, the caller's from now on. */
int weir__loop_release(struct weir_loop *loop, struct weir__source *source);

/* Has reclaim called at the end of the turn in which the source has left all queues. */
void weir__loop_bury(struct weir_loop *loop, struct weir__source *source);

/* Takes a source that is not buried off its queue, so that the loop does not know it any more. For
 * the few sources whose memory their owner keeps: it walks the queues. */
void weir__loop_forget(struct weir_loop *loop, struct weir__source *source);

/* Reclaims all that was buried, now instead of at the end of a turn. Only outside a turn: for who
 * takes down what sources live in. */
void weir__loop_reclaim(struct weir_loop *loop);

/* Puts a source on a queue: for this turn where the queue has not been worked off yet, else for
 * the next. `again` is for input that is left over, `later` for output to a connection whose own
 * handler did not cause it. A source stands on one queue at a time, the first that it was put on,
 * so its work must look for itself whether input is left. */
void weir__loop_again(struct weir_loop *loop, struct weir__source *source);
void weir__loop_later(struct weir_loop *loop, struct weir__source *source);

/* The source of a slot, if its generation still is this one; else NULL. */
static inline struct weir__source *weir__loop_source(const struct weir_loop *loop, uint32_t slot,
                                                     uint32_t generation)
{
  if (slot >= loop->slots.count)
    return NULL;
  const struct weir__slot *at = weir__slot_at(&loop->slots, slot);
  if (at->generation != generation)
    return NULL;
  return weir__slot_source(at);
}

/* weir_loop_post by a node of the caller's, which stays untouched until fn runs: it cannot fail. */
void weir__loop_post(struct weir_loop *loop, struct weir__post *post, void (*fn)(void *arg),
                     void *arg);

/* Adds and removes something to be run after weir__loop_interrupt, which any thread or signal
 * handler may call. */
void weir__loop_add_interrupt(struct weir_loop *loop, struct weir__interrupt *interrupt);
void weir__loop_remove_interrupt(struct weir_loop *loop, struct weir__interrupt *interrupt);
void weir__loop_interrupt(struct weir_loop *loop, struct weir__interrupt *interrupt);

/* Whether the calling thread is the one that steps the loop, or none steps it yet. */
bool weir__loop_is_here(const struct weir_loop *loop);

/* Says which thread steps the loop, before it does. */
void weir__loop_own(struct weir_loop *loop, uintptr_t thread);

/* Outside a step: what runs between the two has the turn, so that it cannot step the loop, and the
 * descriptor of weir_loop_fd hears of what it leaves. */
void weir__loop_enter(struct weir_loop *loop);
void weir__loop_leave(struct weir_loop *loop);

/* Outside a step: runs the posts that wait and reclaims all that is buried. */
void weir__loop_settle(struct weir_loop *loop);

/* Reads the clock. */
void weir__loop_read_clock(struct weir_loop *loop);

/* The same where the loop is not stepping, so that its clock may be old: for public functions that
 * measure time and may be called from outside. */
static inline void weir__loop_freshen(struct weir_loop *loop)
{
  if (!loop->stepping)
    weir__loop_read_clock(loop);
}

/* Makes the descriptor of weir_loop_fd, where it was asked for, readable as soon as there is work
 * or a deadline comes up. The end of a turn does it, and the queues and timers do it outside; who
 * adds to the wheel outside a turn calls it. */
void weir__loop_rearm(struct weir_loop *loop);

/* Whether a queue holds anything. */
static inline bool weir__loop_has_work(const struct weir_loop *loop)
{
  return loop->again.first != NULL || loop->later.first != NULL || !weir__list_empty(&loop->due);
}

/* When a timer that fires once is due; in its callback, was due. */
uint64_t weir__timer_due_ms(const struct weir_timer *timer);

/* Parts of a turn, between the files of the loop. Waits, reads the clock and returns the number of
 * events or -errno; takes the first source off a queue (NULL when it is dead or there is none);
 * reclaims the graveyard; runs what has come (how many). */
int weir__loop_wait(struct weir_loop *loop, int timeout_ms);
struct weir__source *weir__loop_pop(struct weir_loop *loop, struct weir__queue *queue);
void weir__loop_reclaim_buried(struct weir_loop *loop);
int weir__loop_run_posts(struct weir_loop *loop);
int weir__loop_run_interrupts(struct weir_loop *loop);
int weir__loop_run_timers(struct weir_loop *loop);

static inline uint64_t weir__loop_ms(const struct weir_loop *loop)
{
  return loop->now_ms;
}

#ifdef __cplusplus
}
#endif

#endif
