/* The sources of a loop: their slots, their turns on the queues, their end. */
#include "io/loop.h"

#include "base/debug.h"

#include <errno.h>

static int control(struct weir_loop *loop, int op, int fd, uint32_t slot, uint32_t events)
{
  const struct weir__sys *sys = loop->mem.sys;
  struct epoll_event event = {
      .events = events | EPOLLET,
      .data.u64 = (uint64_t)weir__slot_at(&loop->slots, slot)->generation << 32 | slot,
  };
  return sys->epoll_ctl(sys, loop->epfd, op, fd, &event);
}

int weir__loop_watch(struct weir_loop *loop, struct weir__source *source, int fd, uint32_t events)
{
  uint32_t slot;
  if (weir__slots_find(&loop->slots, &loop->mem, &slot) < 0)
    return -ENOMEM;
  int error = control(loop, EPOLL_CTL_ADD, fd, slot, events);
  if (error < 0)
    return error;
  weir__slots_take(&loop->slots, slot, source);
  bool quiet = (events & EPOLLOUT) == 0;
  *source = (struct weir__source){
      .ops = source->ops, .fd = fd, .slot = slot, .writable = 1, .quiet = quiet};
  return 0;
}

int weir__loop_rewatch(struct weir_loop *loop, struct weir__source *source, uint32_t events)
{
  const struct weir__sys *sys = loop->mem.sys;
  sys->epoll_ctl(sys, loop->epfd, EPOLL_CTL_DEL, source->fd, NULL);
  return control(loop, EPOLL_CTL_ADD, source->fd, source->slot, events);
}

void weir__loop_hear(struct weir_loop *loop, struct weir__source *source)
{
  source->quiet = 0;
  control(loop, EPOLL_CTL_MOD, source->fd, source->slot,
          EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLPRI);
}

void weir__loop_close(struct weir_loop *loop, struct weir__source *source)
{
  if (source->fd < 0)
    return;
  weir__slots_give(&loop->slots, source->slot);
  loop->mem.sys->close(loop->mem.sys, source->fd);
  source->fd = -1;
}

int weir__loop_release(struct weir_loop *loop, struct weir__source *source)
{
  const struct weir__sys *sys = loop->mem.sys;
  struct epoll_event none = {0};
  int fd = source->fd;
  sys->epoll_ctl(sys, loop->epfd, EPOLL_CTL_DEL, fd, &none);
  weir__slots_give(&loop->slots, source->slot);
  source->fd = -1;
  return fd;
}

static void append(struct weir__queue *queue, struct weir__source *source)
{
  source->next = NULL;
  source->queued = 1;
  if (queue->first == NULL)
    queue->first = source;
  else
    queue->last->next = source;
  queue->last = source;
}

static void to_graveyard(struct weir_loop *loop, struct weir__source *source)
{
  source->next = loop->graveyard;
  loop->graveyard = source;
}

struct weir__source *weir__loop_pop(struct weir_loop *loop, struct weir__queue *queue)
{
  struct weir__source *source = queue->first;
  if (source == NULL)
    return NULL;
  queue->first = source->next;
  source->queued = 0;
  if (!source->dead)
    return source;
  to_graveyard(loop, source);
  return NULL;
}

/* A foreign loop must hear of what is queued outside a turn, the first time. */
static void enqueue(struct weir_loop *loop, struct weir__queue *queue, struct weir__source *source)
{
  if (source->queued || source->dead)
    return;
  bool tell = !loop->stepping && !weir__loop_has_work(loop);
  append(queue, source);
  if (tell)
    weir__loop_rearm(loop);
}

void weir__loop_again(struct weir_loop *loop, struct weir__source *source)
{
  enqueue(loop, &loop->again, source);
}

void weir__loop_later(struct weir_loop *loop, struct weir__source *source)
{
  enqueue(loop, &loop->later, source);
}

static bool unlink_from(struct weir__queue *queue, struct weir__source *source)
{
  struct weir__source **at = &queue->first, *before = NULL;
  while (*at != NULL && *at != source) {
    before = *at;
    at = &before->next;
  }
  if (*at == NULL)
    return false;
  *at = source->next;
  if (queue->last == source)
    queue->last = before;
  return true;
}

void weir__loop_forget(struct weir_loop *loop, struct weir__source *source)
{
  WEIR__ASSERT(!source->dead);
  if (!source->queued)
    return;
  source->queued = 0;
  if (!unlink_from(&loop->again, source) && !unlink_from(&loop->later, source))
    unlink_from(&loop->batch, source);
}

void weir__loop_bury(struct weir_loop *loop, struct weir__source *source)
{
  WEIR__ASSERT(!source->dead && source->fd < 0);
  source->dead = 1;
  if (!source->queued)
    to_graveyard(loop, source);
}

void weir__loop_reclaim_buried(struct weir_loop *loop)
{
  while (loop->graveyard != NULL) {
    struct weir__source *source = loop->graveyard;
    loop->graveyard = source->next;
    source->ops->reclaim(source);
  }
}

/* Takes the dead off a queue. */
static void sift(struct weir_loop *loop, struct weir__queue *queue)
{
  struct weir__queue all = *queue;
  *queue = (struct weir__queue){0};
  while (all.first != NULL) {
    struct weir__source *source = weir__loop_pop(loop, &all);
    if (source != NULL)
      append(queue, source);
  }
}

void weir__loop_reclaim(struct weir_loop *loop)
{
  WEIR__ASSERT(!loop->stepping);
  sift(loop, &loop->again);
  sift(loop, &loop->later);
  weir__loop_reclaim_buried(loop);
}
