/* A server on its loops: threads of its own, or one loop of the caller's; stopping; the end. */
#include "ws/client.h"
#include "ws/extra.h"

#include "wire/close.h"
#include "ws/drain.h"

#include <errno.h>
#include <signal.h>
#include <string.h>

static bool is_stopping(const struct weir_server *server)
{
  return __atomic_load_n(&server->stopping, __ATOMIC_SEQ_CST) != 0;
}

/* From here on other threads find the shards. Either this thread sees that the server stops, or the
 * one that stops it sees the shards: both write before they read, in one order for all. */
static void publish_shards(struct weir_server *server, uint32_t count)
{
  __atomic_store_n(&server->shard_count, count, __ATOMIC_SEQ_CST);
}

static struct weir__shard *make_shards(struct weir_server *server, uint32_t count)
{
  const struct weir__sys *sys = server->sys;
  server->extra_bytes = weir__server_extra_bytes(server);
  struct weir__shard *shards = sys->alloc(sys, count * sizeof *shards);
  if (shards == NULL)
    return NULL;
  memset(shards, 0, count * sizeof *shards);
  for (uint32_t i = 0; i < count; i++) {
    shards[i].server = server;
    shards[i].index = i;
  }
  return shards;
}

/* Starts a shard, which has its loop, on its sockets. */
static int start(struct weir__shard *shard)
{
  struct weir_server *server = shard->server;
  int fds[WEIR__ENDPOINTS_MAX];
  int error = weir__server_sockets(server, shard->index, fds);
  if (error != 0)
    return error;
  error = weir__shard_start(shard, fds);
  weir__server_settle_sockets(server, shard->index, fds);
  return error;
}

static int start_own(struct weir__shard *shard)
{
  int error = weir__loop_new(&shard->loop, shard->server->sys);
  if (error != 0)
    return error;
  shard->own_loop = true;
  error = start(shard);
  if (error != 0)
    weir_loop_free(shard->loop);
  return error;
}

/* Takes down shards that serve nobody. */
static void discard_shards(struct weir_server *server, struct weir__shard *shards, uint32_t count)
{
  for (uint32_t i = 0; i < count; i++) {
    weir__shard_stop(&shards[i], WEIR__CLOSE_ABNORMAL);
    weir__shard_fini(&shards[i]);
    weir_loop_free(shards[i].loop);
  }
  server->sys->free(server->sys, shards);
}

/* Makes a shard with a loop for each thread to be. */
static int start_shards(struct weir_server *server)
{
  uint32_t count = (uint32_t)server->options.loops;
  struct weir__shard *shards = make_shards(server, count);
  if (shards == NULL)
    return -ENOMEM;
  for (uint32_t i = 0; i < count; i++) {
    int error = start_own(&shards[i]);
    if (error != 0) {
      discard_shards(server, shards, i);
      return error;
    }
  }
  server->shards = shards;
  return 0;
}

static void serve(struct weir__shard *shard)
{
  while (!shard->stopped)
    weir_loop_step(shard->loop, -1);
}

static void *thread_main(void *arg)
{
  struct weir__shard *shard = arg;
  pthread_mutex_lock(&shard->server->gate); /* until all threads are known by their loops */
  pthread_mutex_unlock(&shard->server->gate);
  serve(shard);
  return NULL;
}

/* Starts the threads of all loops but the first, with every signal blocked: signals are the
 * application's. Returns how many there are; *error says why there are not more. */
static uint32_t start_threads(struct weir_server *server, uint32_t count, int *error)
{
  sigset_t all, before;
  uint32_t started = 1;
  *error = 0;
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, &before);
  weir__loop_own(server->shards[0].loop, weir__sys_thread());
  while (started < count && *error == 0) {
    struct weir__shard *shard = &server->shards[started];
    *error = -pthread_create(&shard->thread, NULL, thread_main, shard);
    if (*error == 0) {
      weir__loop_own(shard->loop, (uintptr_t)shard->thread);
      started++;
    }
  }
  pthread_sigmask(SIG_SETMASK, &before, NULL);
  return started;
}

int weir_server_run(struct weir_server *server)
{
  int error;
  if (server->endpoint_count == 0)
    return -EINVAL;
  if (server->shards != NULL)
    return -EBUSY;
  error = start_shards(server);
  if (error != 0)
    return error;
  uint32_t count = (uint32_t)server->options.loops;
  pthread_mutex_lock(&server->gate);
  uint32_t started = start_threads(server, count, &error);
  publish_shards(server, count);
  if (error != 0 || is_stopping(server))
    weir_server_stop(server);
  weir__drain_tell(server);
  pthread_mutex_unlock(&server->gate);
  serve(&server->shards[0]);
  for (uint32_t i = 1; i < started; i++)
    pthread_join(server->shards[i].thread, NULL);
  for (uint32_t i = started; i < count; i++)
    weir__shard_stop(&server->shards[i], WEIR__CLOSE_ABNORMAL);
  return error;
}

int weir_server_attach(struct weir_server *server, struct weir_loop *loop)
{
  if (loop == NULL || server->endpoint_count == 0 || server->options.loops != 1)
    return -EINVAL;
  if (server->shards != NULL)
    return -EBUSY;
  struct weir__shard *shard = make_shards(server, 1);
  if (shard == NULL)
    return -ENOMEM;
  shard->loop = loop;
  weir__loop_own(loop, weir__sys_thread()); /* others hand over what they send from now on */
  int error = start(shard);
  if (error != 0) {
    server->sys->free(server->sys, shard);
    return error;
  }
  server->shards = shard;
  publish_shards(server, 1);
  if (is_stopping(server))
    weir_server_stop(server);
  weir__drain_tell(server);
  return 0;
}

size_t weir_server_loop_count(const struct weir_server *server)
{
  return server->options.loops;
}

struct weir_loop *weir_server_loop(const struct weir_server *server, size_t index)
{
  uint32_t count = __atomic_load_n(&server->shard_count, __ATOMIC_ACQUIRE);
  return index < count && !is_stopping(server) ? server->shards[index].loop : NULL;
}

void weir_server_stop(struct weir_server *server)
{
  __atomic_store_n(&server->stopping, 1, __ATOMIC_SEQ_CST);
  uint32_t count = __atomic_load_n(&server->shard_count, __ATOMIC_SEQ_CST);
  for (uint32_t i = 0; i < count; i++)
    weir__loop_interrupt(server->shards[i].loop, &server->shards[i].stop);
}

void weir_server_free(struct weir_server *server)
{
  if (server == NULL)
    return;
  const struct weir__sys *sys = server->sys;
  uint32_t count = server->shard_count;
  for (uint32_t i = 0; i < count; i++) {
    struct weir__shard *shard = &server->shards[i];
    weir__loop_enter(shard->loop);
    weir__shard_stop(shard, WEIR__CLOSE_ABNORMAL);
    weir__loop_leave(shard->loop);
  }
  publish_shards(server, 0); /* posts that still run reach no loop that is gone */
  for (uint32_t i = 0; i < count; i++)
    weir__shard_fini(&server->shards[i]);
  for (uint32_t i = 0; i < count; i++) {
    if (server->shards[i].own_loop)
      weir_loop_free(server->shards[i].loop);
  }
  WEIR__ASSERT(server->connections == 0 && server->handshakes == 0);
  weir__server_free_endpoints(server);
  sys->free(sys, server->shards);
  weir__server_free_topic_rules(server);
  weir__server_free_routes(server);
  weir__server_trust_nobody(server);
  weir__server_free_folders(server);
  weir__guests_fini(&server->guests);
  weir__account_unref(server->account);
  pthread_mutex_destroy(&server->gate);
  sys->free(sys, server);
}
