/* A loop and its turn: events in, handlers called, in the order that loop.h gives. */
#include "io/loop.h"

#include "base/debug.h"
#include "io/tls_stream.h"

#include <errno.h>
#include <string.h>

static int get_buffers(struct weir_loop *loop)
{
  loop->receive = weir__mem_alloc(&loop->mem, WEIR__RECEIVE_BYTES + WEIR__RECEIVE_SLACK);
  loop->scratch.bytes = weir__mem_alloc(&loop->mem, WEIR__SCRATCH_BYTES);
  if (loop->receive == NULL || loop->scratch.bytes == NULL)
    return -ENOMEM;
  memset(loop->receive + WEIR__RECEIVE_BYTES, 0, WEIR__RECEIVE_SLACK);
  loop->scratch.size = WEIR__SCRATCH_BYTES;
  return 0;
}

static int get_descriptors(struct weir_loop *loop)
{
  const struct weir__sys *sys = loop->mem.sys;
  struct epoll_event event = {
      .events = EPOLLIN | EPOLLET,
  };
  loop->epfd = sys->epoll_create1(sys, EPOLL_CLOEXEC);
  if (loop->epfd < 0)
    return loop->epfd;
  loop->eventfd = sys->eventfd(sys);
  if (loop->eventfd < 0)
    return loop->eventfd;
  return sys->epoll_ctl(sys, loop->epfd, EPOLL_CTL_ADD, loop->eventfd, &event);
}

static void close_descriptor(struct weir_loop *loop, int fd)
{
  if (fd >= 0)
    loop->mem.sys->close(loop->mem.sys, fd);
}

static void destroy(struct weir_loop *loop)
{
  const struct weir__sys *sys = loop->mem.sys;
  weir__tls_loop_free(loop);
  close_descriptor(loop, loop->timerfd);
  close_descriptor(loop, loop->eventfd);
  close_descriptor(loop, loop->epfd);
  weir__pool_fini(&loop->pool);
  weir__slots_fini(&loop->slots, &loop->mem);
  weir__mem_free(&loop->mem, loop->scratch.bytes, WEIR__SCRATCH_BYTES);
  weir__mem_free(&loop->mem, loop->receive, WEIR__RECEIVE_BYTES + WEIR__RECEIVE_SLACK);
  WEIR__ASSERT(loop->mem.bytes == sizeof *loop);
  sys->free(sys, loop);
}

int weir__loop_new(struct weir_loop **out, const struct weir__sys *sys)
{
  *out = NULL;
  struct weir_loop *loop = sys->alloc(sys, sizeof *loop);
  if (loop == NULL)
    return -ENOMEM;
  memset(loop, 0, sizeof *loop);
  loop->mem = (struct weir__mem){.sys = sys, .bytes = sizeof *loop};
  weir__pool_init(&loop->pool, &loop->mem);
  loop->epfd = loop->eventfd = loop->timerfd = -1;
  loop->slots.free = WEIR__SLOTS_MAX;
  loop->now_ns = sys->now_ns(sys);
  loop->now_ms = loop->now_ns / 1000000u;
  weir__timers_init(&loop->timers, weir__loop_ms(loop));
  weir__wheel_init(&loop->wheel, weir__loop_ms(loop));
  weir__list_init(&loop->due);
  weir__list_init(&loop->interrupts);
  int error = get_buffers(loop);
  if (error == 0)
    error = get_descriptors(loop);
  if (error < 0) {
    destroy(loop);
    return error;
  }
  *out = loop;
  return 0;
}

int weir_loop_new(struct weir_loop **loop)
{
  return weir__loop_new(loop, &weir__sys_linux);
}

void weir__loop_own(struct weir_loop *loop, uintptr_t thread)
{
  __atomic_store_n(&loop->thread, thread, __ATOMIC_RELAXED);
  __atomic_store_n(&loop->owned, true, __ATOMIC_RELEASE);
}

/* The calling thread is the one that steps from now on. */
static void claim(struct weir_loop *loop)
{
  uintptr_t self = weir__sys_thread();
  if (!loop->owned || loop->thread != self)
    weir__loop_own(loop, self);
}

bool weir__loop_is_here(const struct weir_loop *loop)
{
  if (!__atomic_load_n(&loop->owned, __ATOMIC_ACQUIRE))
    return true;
  return __atomic_load_n(&loop->thread, __ATOMIC_RELAXED) == weir__sys_thread();
}

void weir__loop_enter(struct weir_loop *loop)
{
  WEIR__ASSERT(!loop->stepping);
  claim(loop);
  weir__loop_read_clock(loop);
  loop->stepping = true;
}

void weir__loop_leave(struct weir_loop *loop)
{
  loop->stepping = false;
  weir__loop_rearm(loop);
}

void weir__loop_settle(struct weir_loop *loop)
{
  weir__loop_enter(loop);
  while (weir__loop_run_posts(loop) > 0)
    continue;
  weir__loop_leave(loop);
  weir__loop_reclaim(loop);
}

void weir_loop_free(struct weir_loop *loop)
{
  if (loop == NULL)
    return;
  weir__loop_settle(loop);
  destroy(loop);
}

/* The source of an event, NULL when the event is the loop's own or the source is closed. */
static inline struct weir__source *source_of(const struct weir_loop *loop,
                                             const struct epoll_event *event)
{
  return weir__loop_source(loop, (uint32_t)event->data.u64, (uint32_t)(event->data.u64 >> 32));
}

/* What an event says, as sticky bits. */
static inline void set_bits(struct weir__source *source, uint32_t events)
{
  const uint32_t ends = EPOLLRDHUP | EPOLLHUP | EPOLLERR | EPOLLPRI;
  if (events & (EPOLLIN | ends))
    source->readable = 1;
  if (events & (EPOLLOUT | EPOLLHUP | EPOLLERR))
    source->writable = 1;
  if (__builtin_expect(events & ends, 0)) {
    source->exhaust = 1;
    source->hung |= (events & EPOLLHUP) != 0;
  }
}

/* Handles a batch in two passes, so that all that its handlers cause leaves in one flush. A handler
 * may close any source and open others in its slot: each pass looks the source up. */
static int run_events(struct weir_loop *loop, int count)
{
  int handled = 0;
  for (int i = 0; i < count; i++) {
    struct weir__source *source = source_of(loop, &loop->events[i]);
    if (source == NULL)
      continue;
    set_bits(source, loop->events[i].events);
    loop->current = source;
    source->ops->ready(source);
    handled++;
  }
  for (int i = 0; i < count; i++) {
    struct weir__source *source = source_of(loop, &loop->events[i]);
    if (source == NULL)
      continue;
    loop->current = source;
    source->ops->work(source);
  }
  loop->current = NULL;
  return handled;
}

static __attribute__((noinline)) int run_deadlines(struct weir_loop *loop)
{
  int handled = 0;
  while (!weir__list_empty(&loop->due)) {
    struct weir__link *node = loop->due.next;
    weir__list_remove(node);
    loop->deadline(loop, node);
    handled++;
  }
  return handled;
}

/* Has a source from the batch work, if it still lives; with what is left of its input first. */
static int work_next(struct weir_loop *loop, bool input)
{
  struct weir__source *source = weir__loop_pop(loop, &loop->batch);
  if (source == NULL)
    return 0;
  loop->current = source;
  if (input)
    source->ops->ready(source);
  if (!source->dead)
    source->ops->work(source);
  loop->current = NULL;
  return 1;
}

/* What is queued meanwhile waits for the next turn. */
static __attribute__((noinline)) int run_again(struct weir_loop *loop)
{
  int handled = 0;
  loop->batch = loop->again;
  loop->again = (struct weir__queue){0};
  while (loop->batch.first != NULL)
    handled += work_next(loop, true);
  return handled;
}

/* When the slice of this turn ends: it is as long as what came before it in the turn, so that the
 * two share a busy loop, and short where nothing did, so that who has something new to say soon is
 * heard: what it queues then leaves along with what still waits here. */
static uint64_t slice_end_ns(struct weir_loop *loop)
{
  uint64_t began_ns = loop->now_ns;
  weir__loop_read_clock(loop);
  uint64_t slice_ns = loop->now_ns - began_ns;
  if (slice_ns < WEIR__SLICE_MIN_NS)
    slice_ns = WEIR__SLICE_MIN_NS;
  else if (slice_ns > WEIR__SLICE_MAX_NS)
    slice_ns = WEIR__SLICE_MAX_NS;
  return loop->now_ns + slice_ns;
}

/* A slice of the queue later; what is left of it stays in front of what came meanwhile. */
static __attribute__((noinline)) int run_later(struct weir_loop *loop)
{
  int handled = 0;
  uint64_t end_ns = slice_end_ns(loop);
  loop->batch = loop->later;
  loop->later = (struct weir__queue){0};
  for (unsigned n = 1; loop->batch.first != NULL; n++) {
    handled += work_next(loop, false);
    if (n % WEIR__SLICE_CHECK != 0)
      continue;
    weir__loop_read_clock(loop);
    if (loop->now_ns >= end_ns)
      break;
  }
  if (loop->batch.first == NULL)
    return handled;
  loop->batch.last->next = loop->later.first;
  if (loop->later.first != NULL)
    loop->batch.last = loop->later.last;
  loop->later = loop->batch;
  loop->batch = (struct weir__queue){0};
  return handled;
}

static __attribute__((noinline)) void age_pool(struct weir_loop *loop)
{
  if (loop->now_ms - loop->pool_aged_ms < WEIR__LARGE_MS)
    return;
  loop->pool_aged_ms = loop->now_ms;
  weir__pool_age(&loop->pool);
}

/* All but events. Most turns have nothing of it, so each is looked for before it is called. */
static inline int run_the_rest(struct weir_loop *loop)
{
  int handled = 0;
  if (__atomic_load_n(&loop->posts, __ATOMIC_RELAXED) != NULL)
    handled += weir__loop_run_posts(loop);
  if (__atomic_load_n(&loop->interrupted, __ATOMIC_RELAXED))
    handled += weir__loop_run_interrupts(loop);
  if (loop->timers.count > 0)
    handled += weir__loop_run_timers(loop);
  if (!weir__list_empty(&loop->due))
    handled += run_deadlines(loop);
  if (loop->again.first != NULL)
    handled += run_again(loop);
  if (loop->later.first != NULL)
    handled += run_later(loop);
  if (loop->graveyard != NULL)
    weir__loop_reclaim_buried(loop);
  if (loop->pool.large_count > 0)
    age_pool(loop);
  return handled;
}

int weir_loop_step(struct weir_loop *loop, int timeout_ms)
{
  if (loop->stepping)
    return -EBUSY;
  claim(loop);
  loop->stepping = true;
  loop->turn++;
  int handled = weir__loop_wait(loop, timeout_ms);
  if (handled >= 0) {
    handled = run_events(loop, handled);
    handled += run_the_rest(loop);
  }
  loop->stepping = false;
  if (loop->timerfd >= 0)
    weir__loop_rearm(loop);
  return handled;
}
