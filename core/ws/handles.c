/* What any thread may do with connections that live on other loops: have a function called where
 * one lives, choose the receivers of a broadcast by looking at them, count them. */
#include "ws/conn.h"

#include "ws/fanout.h"

#include <errno.h>

/* ---- one connection */

struct visit {
  struct weir__post post;
  struct weir__shard *shard;
  weir_conn_id id;
  void (*fn)(struct weir_conn *conn, void *arg);
  void *arg;
};

static void pay(void *arg)
{
  struct visit visit = *(struct visit *)arg;
  const struct weir__sys *sys = visit.shard->server->sys;
  sys->free(sys, arg);
  visit.fn(weir__shard_find(visit.shard, visit.id), visit.arg);
}

int weir_server_with(struct weir_server *server, weir_conn_id id,
                     void (*fn)(struct weir_conn *conn, void *arg), void *arg)
{
  const struct weir__sys *sys = server->sys;
  struct weir__shard *shard = weir__server_shard(server, id);
  if (fn == NULL)
    return -EINVAL;
  if (shard == NULL || id >> 32 == 0)
    return -ESTALE;
  struct visit *visit = sys->alloc(sys, sizeof *visit);
  if (visit == NULL)
    return -ENOMEM;
  *visit = (struct visit){.shard = shard, .id = id, .fn = fn, .arg = arg};
  weir__loop_post(shard->loop, &visit->post, pay, visit);
  return 0;
}

/* ---- a choice of them */

/* A chosen broadcast on its way, in one block, so that all loops get it or none. */
struct choosing;
struct stop_of {
  struct weir__post post;
  struct weir__shard *shard;
  struct choosing *choosing;
};
struct choosing {
  const struct weir__sys *sys;
  struct weir__choice choice;
  void (*done)(void *arg);
  struct weir_frame *frame; /* with a reference */
  uint32_t left;            /* atomic: loops */
  struct stop_of stops[];
};

static void choose(void *arg)
{
  struct stop_of *stop = arg;
  struct choosing *all = stop->choosing;
  const struct weir__sys *sys = all->sys;
  weir__shard_broadcast(stop->shard, all->frame, &all->choice);
  if (__atomic_sub_fetch(&all->left, 1, __ATOMIC_ACQ_REL) > 0)
    return;
  if (all->done != NULL)
    all->done(all->choice.arg);
  weir_frame_unref(all->frame);
  sys->free(sys, all);
}

static void send_round(struct choosing *all, struct weir_server *server, uint32_t count)
{
  for (uint32_t i = 0; i < count; i++) {
    struct stop_of *stop = &all->stops[i];
    stop->shard = &server->shards[i];
    stop->choosing = all;
    if (weir__loop_is_here(stop->shard->loop))
      choose(stop);
    else
      weir__loop_post(stop->shard->loop, &stop->post, choose, stop);
  }
}

int weir_server_broadcast_if(struct weir_server *server, struct weir_frame *frame,
                             bool (*filter)(struct weir_conn *conn, void *arg),
                             void (*done)(void *arg), void *arg)
{
  const struct weir__sys *sys = server->sys;
  uint32_t count = __atomic_load_n(&server->shard_count, __ATOMIC_ACQUIRE);
  if (frame == NULL || filter == NULL)
    return -EINVAL;
  if (count == 0) {
    if (done != NULL)
      done(arg);
    return 0;
  }
  struct choosing *all = sys->alloc(sys, sizeof *all + count * sizeof *all->stops);
  if (all == NULL)
    return -ENOMEM;
  *all = (struct choosing){
      .sys = sys, .choice = {filter, arg}, .done = done, .frame = frame, .left = count};
  weir_frame_ref(frame);
  send_round(all, server, count);
  return 0;
}

/* ---- all of them */

/* What closed was open before: counted in this order, none is missing. */
size_t weir_server_connections(const struct weir_server *server)
{
  uint32_t count = __atomic_load_n(&server->shard_count, __ATOMIC_ACQUIRE);
  size_t open = 0;
  for (uint32_t i = 0; i < count; i++) {
    const struct weir_counters *counters = &server->shards[i].counters;
    uint64_t closed = __atomic_load_n(&counters->closed, __ATOMIC_ACQUIRE);
    uint64_t opened = __atomic_load_n(&counters->opened, __ATOMIC_RELAXED);
    open += opened > closed ? (size_t)(opened - closed) : 0;
  }
  return open;
}
