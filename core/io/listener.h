/* Listening sockets: bound with all that accepted sockets inherit, accepted from within a budget,
 * and kept calm when the process is out of descriptors: one connection is refused by a descriptor
 * held in reserve, then accepting pauses.
 *
 * A socket that several loops watch (or other processes) wakes one of them for each connection; who
 * has got some goes to the end of the line. */
#ifndef WEIR_IO_LISTENER_H
#define WEIR_IO_LISTENER_H

#include "io/loop.h"

#ifdef __cplusplus
extern "C" {
#endif

enum {
  WEIR__ACCEPT_BUDGET = 64,       /* connections at a time */
  WEIR__ACCEPT_SHARED = 4,        /* the same where others wait for connections too */
  WEIR__ACCEPT_LAST = 4096,       /* by one that is finished */
  WEIR__ACCEPT_PAUSE_MS = 100,    /* after EMFILE, ENFILE, ENOBUFS, ENOMEM */
  WEIR__NOTSENT_LOWAT = 128 << 10 /* bytes, TCP_NOTSENT_LOWAT */
};

struct weir__listener {
  struct weir__source source;
  struct weir_loop *loop;
  struct weir_timer *pause; /* runs while accepting pauses */
  int reserve;              /* the descriptor in reserve; -1: none */
  bool resting;             /* it pauses */
  bool shared;              /* others have descriptors of the same socket; the owner's to say */
  bool unwatched;           /* the loop could not watch it again */
  uint64_t paused;          /* times that it paused; other threads read it relaxed */

  void *arg; /* the owner's */

  /* A connection was accepted: non-blocking, close-on-exec; the callee owns fd. */
  void (*accepted)(struct weir__listener *listener, int fd);
};

/* Opens a socket, non-blocking and close-on-exec, with SO_REUSEADDR, TCP_NODELAY and
 * TCP_NOTSENT_LOWAT, dual-stack where the address is IPv6's wildcard, SO_REUSEPORT where shared is
 * set, bound and listening. Returns the descriptor or -errno. With shared, it first makes sure by a
 * socket without SO_REUSEPORT that nobody else has the port, unless joining is set (a further
 * socket of the same server). */
int weir__listener_open(const struct weir__sys *sys, const struct weir__address *address,
                        int backlog, bool shared, bool joining);

/* Makes a listening stream socket that was inherited, of IPv4, IPv6 or unix(7), fit for
 * weir__listener_start; *address is where it listens. Returns 0, -ENOTSOCK (it does not listen),
 * -EINVAL (no stream), -EAFNOSUPPORT or another -errno. */
int weir__listener_adopt(const struct weir__sys *sys, int fd, struct weir__address *address);

/* Starts accepting on a loop from a descriptor that was opened or adopted; accepted is set by the
 * caller. Returns 0 or -errno: then fd is still the caller's. */
int weir__listener_start(struct weir__listener *listener, struct weir_loop *loop, int fd);

/* Accepts who waits in line, unless accepting pauses, and stops it. Not inside its own accepted
 * callback. */
void weir__listener_finish(struct weir__listener *listener);

/* Closes it: nothing is accepted any more, and its memory may go, inside its own accepted callback
 * after the turn, elsewhere at once. Nothing happens when it was stopped before. */
void weir__listener_stop(struct weir__listener *listener);

#ifdef __cplusplus
}
#endif

#endif
