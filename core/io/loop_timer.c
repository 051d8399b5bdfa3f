/* User timers on a loop's wheel. A timer may be restarted, stopped and freed inside its own
 * callback: nothing of it is touched after that. */
#include "io/loop.h"

#include "base/debug.h"

#include <errno.h>

struct weir_timer {
  struct weir__timer node;
  struct weir_loop *loop;
  void (*fn)(struct weir_timer *timer, void *arg);
  void *arg;
  uint64_t every_ms; /* 0: once */
};

int weir_timer_new(struct weir_timer **out, struct weir_loop *loop,
                   void (*fn)(struct weir_timer *timer, void *arg), void *arg)
{
  WEIR__ASSERT(weir__loop_is_here(loop));
  *out = NULL;
  if (fn == NULL)
    return -EINVAL;
  struct weir_timer *timer = weir__mem_alloc(&loop->mem, sizeof *timer);
  if (timer == NULL)
    return -ENOMEM;
  *timer = (struct weir_timer){.loop = loop, .fn = fn, .arg = arg};
  *out = timer;
  return 0;
}

static uint64_t saturating_add(uint64_t a, uint64_t b)
{
  return a > UINT64_MAX - b ? UINT64_MAX : a + b;
}

/* The first whole millisecond that is after_ms away from this moment, which the turn's clock may
 * lag behind; never the one whose timers are firing, so that a callback that restarts its timer
 * does not keep the turn. */
static uint64_t due_ms(const struct weir_loop *loop, uint64_t after_ms)
{
  uint64_t now_ns = loop->mem.sys->now_ns(loop->mem.sys);
  uint64_t at_ms = saturating_add((now_ns + 999999u) / 1000000u, after_ms);
  return at_ms > loop->timers.now_ms ? at_ms : loop->timers.now_ms + 1;
}

void weir_timer_start(struct weir_timer *timer, uint64_t after_ms, uint64_t every_ms)
{
  struct weir_loop *loop = timer->loop;
  WEIR__ASSERT(weir__loop_is_here(loop));
  weir__timers_remove(&loop->timers, &timer->node);
  if (loop->timers.count == 0) /* turns leave the time of a wheel without timers alone */
    weir__timers_advance(&loop->timers, weir__loop_ms(loop));
  timer->every_ms = every_ms;
  weir__timers_add(&loop->timers, &timer->node, due_ms(loop, after_ms));
  if (!loop->stepping)
    weir__loop_rearm(loop);
}

uint64_t weir__timer_due_ms(const struct weir_timer *timer)
{
  return timer->node.at_ms;
}

void weir_timer_stop(struct weir_timer *timer)
{
  WEIR__ASSERT(weir__loop_is_here(timer->loop));
  weir__timers_remove(&timer->loop->timers, &timer->node);
}

void weir_timer_free(struct weir_timer *timer)
{
  if (timer == NULL)
    return;
  weir_timer_stop(timer);
  weir__mem_free(&timer->loop->mem, timer, sizeof *timer);
}

/* The next time on the timer's grid that is still ahead. */
static uint64_t next_on_grid(const struct weir_timer *timer, uint64_t now_ms)
{
  uint64_t missed = (now_ms - timer->node.at_ms) / timer->every_ms;
  return saturating_add(timer->node.at_ms + missed * timer->every_ms, timer->every_ms);
}

int weir__loop_run_timers(struct weir_loop *loop)
{
  struct weir__timer *node;
  int handled = 0;
  weir__timers_advance(&loop->timers, weir__loop_ms(loop));
  while ((node = weir__timers_take(&loop->timers)) != NULL) {
    struct weir_timer *timer = WEIR__CONTAINER(node, struct weir_timer, node);
    if (timer->every_ms > 0)
      weir__timers_add(&loop->timers, node, next_on_grid(timer, loop->timers.now_ms));
    timer->fn(timer, timer->arg);
    handled++;
  }
  return handled;
}
