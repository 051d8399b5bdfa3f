/* How a loop waits: for how long, spinning or not, and what a foreign loop's poll sees of it. */
#include "io/loop.h"

#include "base/debug.h"

#include <errno.h>

enum { NS_PER_MS = 1000 * 1000, OWN_TIMERFD = 1 };

void weir__loop_read_clock(struct weir_loop *loop)
{
  loop->now_ns = loop->mem.sys->now_ns(loop->mem.sys);
  loop->now_ms = loop->now_ns / NS_PER_MS;
  weir__wheel_advance(&loop->wheel, weir__loop_ms(loop), &loop->due);
}

uint64_t weir_loop_now_ms(const struct weir_loop *loop)
{
  return weir__loop_ms(loop);
}

/* When the next timer or deadline may come up; UINT64_MAX for never. */
static uint64_t next_deadline_ns(struct weir_loop *loop)
{
  uint64_t ms = weir__wheel_next(&loop->wheel);
  if (loop->timers.count > 0) {
    uint64_t timer_ms = weir__timers_next(&loop->timers);
    ms = timer_ms < ms ? timer_ms : ms;
  }
  if (loop->pool.large_count > 0 && loop->pool_aged_ms + WEIR__LARGE_MS < ms)
    ms = loop->pool_aged_ms + WEIR__LARGE_MS;
  return ms > UINT64_MAX / NS_PER_MS ? UINT64_MAX : ms * NS_PER_MS;
}

/* What is left until a time; 0 once it has come. */
static int64_t left_until(uint64_t now_ns, uint64_t at_ns)
{
  if (at_ns <= now_ns)
    return 0;
  return at_ns - now_ns > INT64_MAX ? INT64_MAX : (int64_t)(at_ns - now_ns);
}

/* How long the wait may block, in ns; -1 for ever. */
static int64_t timeout_of(struct weir_loop *loop, int timeout_ms)
{
  if (timeout_ms == 0 || weir__loop_has_work(loop))
    return 0;
  int64_t asked_ns = timeout_ms < 0 ? -1 : (int64_t)timeout_ms * NS_PER_MS;
  uint64_t next_ns = next_deadline_ns(loop);
  if (next_ns == UINT64_MAX)
    return asked_ns;
  uint64_t now_ns = loop->now_ms * NS_PER_MS; /* the wheel is coarse: whole ms wait cheaper */
  if (loop->timers.count > 0) {               /* exact to 1 ms, however long the handlers ran */
    weir__loop_read_clock(loop);
    now_ns = loop->now_ns;
  }
  int64_t left_ns = left_until(now_ns, next_ns);
  return asked_ns < 0 || left_ns < asked_ns ? left_ns : asked_ns;
}

static int poll_for(struct weir_loop *loop, int64_t timeout_ns)
{
  const struct weir__sys *sys = loop->mem.sys;
  return sys->epoll_wait(sys, loop->epfd, loop->events, WEIR__LOOP_EVENTS, timeout_ns);
}

/* Looks for events without blocking until the time given; the clock's reading at the end is left
 * in the loop. */
static int spin(struct weir_loop *loop, uint64_t end_ns)
{
  int count;
  do {
    count = poll_for(loop, 0);
    weir__loop_read_clock(loop);
  } while (count == 0 && loop->now_ns < end_ns);
  return count;
}

/* Spins before it blocks. A spin that finds nothing halves the next one, down to none; when
 * blocking turns out to have been shorter than the longest spin, the next one has its full length
 * again. */
static int spin_then_block(struct weir_loop *loop, int64_t timeout_ns)
{
  weir__loop_read_clock(loop);
  uint64_t start_ns = loop->now_ns, end_ns = UINT64_MAX;
  if (timeout_ns > 0)
    end_ns = start_ns + (uint64_t)timeout_ns;
  if (loop->spin_ns > 0) {
    uint64_t spun_ns = start_ns + loop->spin_ns;
    int count = spin(loop, spun_ns < end_ns ? spun_ns : end_ns);
    if (count != 0)
      return count;
    loop->spin_ns /= 2;
    if (loop->now_ns >= end_ns)
      return 0;
    start_ns = loop->now_ns;
  }
  int count = poll_for(loop, timeout_ns < 0 ? -1 : left_until(start_ns, end_ns));
  weir__loop_read_clock(loop);
  if (count > 0 && loop->now_ns - start_ns <= loop->busy_poll_ns)
    loop->spin_ns = loop->busy_poll_ns;
  return count;
}

int weir__loop_wait(struct weir_loop *loop, int timeout_ms)
{
  int64_t timeout_ns = timeout_of(loop, timeout_ms);
  int count;
  if (timeout_ns != 0 && loop->busy_poll_ns > 0) {
    count = spin_then_block(loop, timeout_ns);
  } else {
    count = poll_for(loop, timeout_ns);
    weir__loop_read_clock(loop);
  }
  return count == -EINTR ? 0 : count;
}

void weir__loop_rearm(struct weir_loop *loop)
{
  const struct weir__sys *sys = loop->mem.sys;
  if (loop->timerfd < 0)
    return;
  if (weir__loop_has_work(loop))
    sys->eventfd_add(sys, loop->eventfd);
  uint64_t next_ns = next_deadline_ns(loop);
  if (next_ns == UINT64_MAX)
    next_ns = 0;
  if (next_ns == loop->timerfd_at_ns)
    return;
  sys->timerfd_set(sys, loop->timerfd, next_ns);
  loop->timerfd_at_ns = next_ns;
}

int weir_loop_fd(struct weir_loop *loop)
{
  const struct weir__sys *sys = loop->mem.sys;
  struct epoll_event event = {.events = EPOLLIN | EPOLLET, .data.u64 = OWN_TIMERFD};
  WEIR__ASSERT(weir__loop_is_here(loop));
  if (loop->timerfd >= 0)
    return loop->epfd;
  int fd = sys->timerfd(sys);
  if (fd < 0)
    return fd;
  int error = sys->epoll_ctl(sys, loop->epfd, EPOLL_CTL_ADD, fd, &event);
  if (error < 0) {
    sys->close(sys, fd);
    return error;
  }
  loop->timerfd = fd;
  weir__loop_rearm(loop);
  return loop->epfd;
}
