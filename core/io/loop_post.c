/* How other threads and signal handlers reach a loop: posts, each run exactly once, and interrupts,
 * which need no memory. One eventfd wakes the loop for both; being edge-triggered, it is never
 * read. */
#include "io/loop.h"

#include "base/debug.h"

#include <errno.h>

static void push(struct weir_loop *loop, struct weir__post *post)
{
  const struct weir__sys *sys = loop->mem.sys;
  struct weir__post *below = __atomic_load_n(&loop->posts, __ATOMIC_RELAXED);
  do
    post->next = below;
  while (!__atomic_compare_exchange_n(&loop->posts, &below, post, true, __ATOMIC_RELEASE,
                                      __ATOMIC_RELAXED));
  if (below == NULL) /* the post itself may be gone by now */
    sys->eventfd_add(sys, loop->eventfd);
}

void weir__loop_post(struct weir_loop *loop, struct weir__post *post, void (*fn)(void *arg),
                     void *arg)
{
  *post = (struct weir__post){.fn = fn, .arg = arg};
  push(loop, post);
}

/* The nodes' memory is not counted: other threads ask for it. */
int weir_loop_post(struct weir_loop *loop, void (*fn)(void *arg), void *arg)
{
  const struct weir__sys *sys = loop->mem.sys;
  struct weir__post *post = sys->alloc(sys, sizeof *post);
  if (post == NULL)
    return -ENOMEM;
  *post = (struct weir__post){.fn = fn, .arg = arg, .owned = true};
  push(loop, post);
  return 0;
}

/* All that was posted so far, oldest first. */
static struct weir__post *take_posts(struct weir_loop *loop)
{
  struct weir__post *newest = __atomic_exchange_n(&loop->posts, NULL, __ATOMIC_ACQUIRE);
  struct weir__post *ordered = NULL;
  while (newest != NULL) {
    struct weir__post *next = newest->next;
    newest->next = ordered;
    ordered = newest;
    newest = next;
  }
  return ordered;
}

int weir__loop_run_posts(struct weir_loop *loop)
{
  const struct weir__sys *sys = loop->mem.sys;
  int handled = 0;
  if (__atomic_load_n(&loop->posts, __ATOMIC_RELAXED) == NULL)
    return 0;
  struct weir__post *post = take_posts(loop);
  while (post != NULL) {
    struct weir__post *next = post->next, *mine = post->owned ? post : NULL;
    post->fn(post->arg); /* which may free a post that is not the loop's */
    sys->free(sys, mine);
    post = next;
    handled++;
  }
  return handled;
}

void weir__loop_add_interrupt(struct weir_loop *loop, struct weir__interrupt *interrupt)
{
  weir__list_push_back(&loop->interrupts, &interrupt->link);
}

void weir__loop_remove_interrupt(struct weir_loop *loop, struct weir__interrupt *interrupt)
{
  (void)loop;
  weir__list_remove(&interrupt->link);
}

void weir__loop_interrupt(struct weir_loop *loop, struct weir__interrupt *interrupt)
{
  __atomic_store_n(&interrupt->raised, 1, __ATOMIC_RELEASE);
  __atomic_store_n(&loop->interrupted, 1, __ATOMIC_RELEASE);
  loop->mem.sys->eventfd_add(loop->mem.sys, loop->eventfd);
}

/* Each interrupt moves back to the loop's list before its turn, so that it may remove itself or
 * others. */
int weir__loop_run_interrupts(struct weir_loop *loop)
{
  struct weir__link batch;
  int handled = 0;
  if (!__atomic_load_n(&loop->interrupted, __ATOMIC_RELAXED) ||
      !__atomic_exchange_n(&loop->interrupted, 0, __ATOMIC_ACQUIRE))
    return 0;
  weir__list_init(&batch);
  weir__list_splice(&batch, &loop->interrupts);
  while (!weir__list_empty(&batch)) {
    struct weir__interrupt *interrupt = WEIR__CONTAINER(batch.next, struct weir__interrupt, link);
    weir__list_remove(&interrupt->link);
    weir__list_push_back(&loop->interrupts, &interrupt->link);
    if (!__atomic_exchange_n(&interrupt->raised, 0, __ATOMIC_ACQUIRE))
      continue;
    interrupt->fn(interrupt);
    handled++;
  }
  return handled;
}
