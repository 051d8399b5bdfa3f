/* The event loop: edge-triggered epoll, timers and posts. A server makes its own loops; a service
 * that has a loop of its own makes a weir_loop, attaches the server to it, and steps it whenever
 * weir_loop_fd is readable. */
#ifndef WEIR_LOOP_H
#define WEIR_LOOP_H

#include <weir/attributes.h>

struct weir_loop;
struct weir_timer;

/* Makes a loop, owned by the caller. Returns 0, -errno of epoll_create1(2) or eventfd(2), or
 * -ENOMEM; on an error *loop is NULL. */
WEIR_ANY_THREAD int weir_loop_new(struct weir_loop **loop);

/* Frees a loop that no server is attached to any more: runs the posts that are left, then closes
 * its descriptors. Its timers must have been freed. Outside a step. NULL is allowed. */
WEIR_LOOP_THREAD void weir_loop_free(struct weir_loop *loop);

/* Runs one turn: waits at most timeout_ms milliseconds (-1 for ever, 0 not at all) for something to
 * do, then does it all within the loop's budgets. Returns the number of events, timers and posts
 * that were handled (0: the timeout passed, or the loop woke for its own sake), -EBUSY when called
 * inside a handler of this loop, or -errno of epoll_wait(2); a signal counts as 0. */
WEIR_LOOP_THREAD int weir_loop_step(struct weir_loop *loop, int timeout_ms);

/* A descriptor that is readable whenever a step would find something to do, for a foreign loop to
 * poll; the loop keeps it. From the first call on, timers and leftover work make it readable too
 * (timerfd_create(2), eventfd(2)). Returns the descriptor or -errno. */
WEIR_LOOP_THREAD int weir_loop_fd(struct weir_loop *loop);

/* The loop's clock: monotonic milliseconds, read once a turn. */
WEIR_LOOP_THREAD uint64_t weir_loop_now_ms(const struct weir_loop *loop);

/* Has fn(arg) called once on the loop's thread, in a later part of a turn or at the latest in
 * weir_loop_free; posts of one thread keep their order. Returns 0 or -ENOMEM: then fn is never
 * called. The caller sees to it that the loop lives during the call. */
WEIR_ANY_THREAD int weir_loop_post(struct weir_loop *loop, void (*fn)(void *arg), void *arg);

/* Makes a timer that calls fn(timer, arg) on the loop; owned by the caller, stopped at first.
 * Returns 0, -EINVAL (fn is NULL) or -ENOMEM. */
WEIR_LOOP_THREAD int weir_timer_new(struct weir_timer **timer, struct weir_loop *loop,
                                    void (*fn)(struct weir_timer *timer, void *arg), void *arg);

/* Starts or restarts the timer: first after after_ms milliseconds, never earlier, then every
 * every_ms; 0 for once. A turn that comes late fires a repeating timer once, and the next time
 * keeps to the grid. */
WEIR_LOOP_THREAD void weir_timer_start(struct weir_timer *timer, uint64_t after_ms,
                                       uint64_t every_ms);

/* Stops the timer; it does not fire again until started. Allowed inside its own callback. */
WEIR_LOOP_THREAD void weir_timer_stop(struct weir_timer *timer);

/* Stops and frees the timer, inside its own callback too. NULL is allowed. */
WEIR_LOOP_THREAD void weir_timer_free(struct weir_timer *timer);

#endif
