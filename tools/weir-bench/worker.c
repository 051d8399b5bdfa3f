#include "worker.h"

#include "cpus.h"
#include "deflated.h"
#include "tls.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { TICK_MS = 100, KNOCK_MS = 1, SPIN_NS = 20 * 1000, NS_PER_MS = 1000 * 1000 };

uint64_t clock_ns(void)
{
  return weir__sys_linux.now_ns(&weir__sys_linux);
}

uint32_t worker_random(struct worker *worker)
{
  worker->random ^= worker->random << 13;
  worker->random ^= worker->random >> 7;
  worker->random ^= worker->random << 17;
  uint32_t value = (uint32_t)(worker->random >> 32);
  return value != 0 ? value : 1;
}

void worker_make(struct worker *worker)
{
  if (worker->making)
    return;
  worker->making = true;
  while (!worker->leaving && worker->may_connect > 0 &&
         worker->connecting < worker->connecting_most && !weir__list_empty(&worker->spare)) {
    struct client *client = WEIR__CONTAINER(worker->spare.next, struct client, link);
    weir__list_remove(&client->link);
    client->began_ns = clock_ns();
    if (worker->pace.on && worker->may_connect != UINT64_MAX)
      client->began_ns = schedule_due(&worker->pace.schedule, worker->begun++, worker->index);
    if (worker->may_connect != UINT64_MAX)
      worker->may_connect--;
    client_connect(client);
  }
  worker->making = false;
}

void worker_wait(struct worker *worker, struct client *client)
{
  bool first = weir__list_empty(&worker->waiting);
  weir__list_push_back(&worker->waiting, &client->link);
  if (!client_knock(client) && first)
    weir_timer_start(worker->knock, KNOCK_MS, 0);
}

/* Those who wait try again, in their order, up to the first that is turned away. */
static void knock(struct weir_timer *timer, void *arg)
{
  struct worker *worker = arg;
  while (!weir__list_empty(&worker->waiting)) {
    if (!client_knock(WEIR__CONTAINER(worker->waiting.next, struct client, link))) {
      weir_timer_start(timer, KNOCK_MS, 0);
      return;
    }
  }
}

void worker_pace(struct worker *worker, const struct pace *pace)
{
  worker->pace = *pace;
  worker->pace.on = pace->count > 0;
}

void worker_pace_stop(struct worker *worker)
{
  worker->pace.on = false;
}

static uint64_t next_due_ns(struct worker *worker)
{
  const struct pace *pace = &worker->pace;
  return schedule_due(&pace->schedule, pace->round, pace->member(worker, pace->turn));
}

/* Tells all members that are due. Two passes, so that one that is due more than once sends once. */
static void fire(struct worker *worker, uint64_t now_ns)
{
  struct pace *pace = &worker->pace;
  unsigned first = pace->turn;
  uint64_t fired = 0;
  for (; next_due_ns(worker) <= now_ns; fired++) {
    pace->due(worker, pace->turn);
    if (++pace->turn == pace->count) {
      pace->turn = 0;
      pace->round++;
    }
  }
  for (uint64_t i = 0; pace->send != NULL && i < fired && i < pace->count; i++)
    pace->send(worker, (unsigned)((first + i) % pace->count));
}

/* Sends what is due; returns how long the loop may wait then: not at all when the next message is
 * due sooner than the kernel would wake us, else until the alarm or whatever comes first. */
static int keep_pace(struct worker *worker)
{
  const struct weir__sys *sys = worker->loop->mem.sys;
  if (!worker->pace.on)
    return -1;
  uint64_t now_ns = clock_ns();
  fire(worker, now_ns);
  uint64_t due_ns = next_due_ns(worker);
  if (due_ns < now_ns + SPIN_NS)
    return 0;
  if (worker->alarm_ns != due_ns)
    sys->timerfd_set(sys, worker->alarm.fd, due_ns);
  worker->alarm_ns = due_ns;
  return -1;
}

/* The oldest stand in front. */
static void expire(struct worker *worker, struct weir__link *list, uint64_t timeout_ms,
                   const char *sentence)
{
  uint64_t now_ns = clock_ns();
  while (!weir__list_empty(list)) {
    struct client *client = WEIR__CONTAINER(list->next, struct client, link);
    if (now_ns - client->since_ns < timeout_ms * NS_PER_MS)
      return;
    client_fail(client, "%s", sentence);
  }
  (void)worker;
}

static void tick(struct weir_timer *timer, void *arg)
{
  struct worker *worker = arg;
  (void)timer;
  expire(worker, &worker->waiting, OPEN_TIMEOUT_MS, "the server's backlog was full for 10 s");
  expire(worker, &worker->opening, OPEN_TIMEOUT_MS, "no answer to the upgrade within 10 s");
  expire(worker, &worker->closing, CLOSE_TIMEOUT_MS, "no end of the connection within 5 s");
  weir__list_splice(&worker->spare, &worker->broken);
  worker_make(worker);
}

static void nothing(struct weir__source *source)
{
  (void)source;
}

static const struct weir__source_ops alarm_ops = {nothing, nothing, nothing};

static void told_nothing(struct weir__interrupt *interrupt)
{
  (void)interrupt;
}

static int open_loop(struct worker *worker)
{
  const struct weir__sys *sys = &weir__sys_linux;
  int error = weir_loop_new(&worker->loop);
  if (error < 0)
    return error;
  worker->loop->busy_poll_ns = worker->load->settings->spin_us * UINT64_C(1000);
  worker->loop->spin_ns = worker->loop->busy_poll_ns;
  error = weir_timer_new(&worker->tick, worker->loop, tick, worker);
  if (error == 0)
    error = weir_timer_new(&worker->knock, worker->loop, knock, worker);
  if (error < 0)
    return error;
  weir_timer_start(worker->tick, TICK_MS, TICK_MS);
  worker->told.fn = told_nothing;
  weir__loop_add_interrupt(worker->loop, &worker->told);
  worker->alarm.ops = &alarm_ops;
  int fd = sys->timerfd(sys);
  error = fd < 0 ? fd : weir__loop_watch(worker->loop, &worker->alarm, fd, EPOLLIN);
  if (error < 0 && fd >= 0)
    sys->close(sys, fd);
  return error;
}

/* By the thread that made the loop, after the one that ran it. */
static void close_loop(struct worker *worker)
{
  if (worker->loop == NULL)
    return;
  weir__loop_own(worker->loop, weir__sys_thread());
  for (unsigned i = 0; i < worker->count; i++)
    weir__loop_close(worker->loop, &worker->clients[i].stream.source);
  weir__loop_close(worker->loop, &worker->alarm);
  weir_timer_free(worker->tick);
  weir_timer_free(worker->knock);
  weir_timer_free(worker->timer);
  weir_loop_free(worker->loop);
  worker->loop = NULL;
}

/* The thread. What it needs was made by the thread that started it. */
static void *run(void *arg)
{
  struct worker *worker = arg;
  const char *cpus = worker->load->settings->cpus;
  if (cpus != NULL) {
    int error = cpus_pin(cpus, worker->index);
    if (error < 0)
      load_note(worker->load, "a thread could not be pinned: %s", strerror(-error));
  }
  while (!worker->quit)
    weir_loop_step(worker->loop, keep_pace(worker));
  return NULL;
}

int worker_init(struct worker *worker, struct load *load, unsigned index, unsigned count)
{
  *worker = (struct worker){.load = load, .index = index, .count = count, .alarm.fd = -1};
  worker->random = UINT64_C(0x9E3779B97F4A7C15) * (index + 1);
  worker->clients = calloc(count > 0 ? count : 1, sizeof *worker->clients);
  worker->out = malloc(OUT_BYTES);
  worker->latency = histogram_new();
  if (worker->clients == NULL || worker->out == NULL || worker->latency == NULL)
    return -ENOMEM;
  weir__list_init(&worker->spare);
  weir__list_init(&worker->broken);
  weir__list_init(&worker->waiting);
  weir__list_init(&worker->opening);
  weir__list_init(&worker->closing);
  for (unsigned i = 0; i < count; i++) {
    struct client *client = &worker->clients[i];
    client->worker = worker;
    client->stream.source.fd = -1;
    weir__list_push_back(&worker->spare, &client->link);
  }
  return open_loop(worker);
}

int worker_start(struct worker *worker)
{
  int error = pthread_create(&worker->thread, NULL, run, worker);
  worker->started = error == 0;
  return -error;
}

void worker_fini(struct worker *worker)
{
  if (worker->started)
    pthread_join(worker->thread, NULL);
  close_loop(worker);
  for (unsigned i = 0; i < worker->count && worker->clients != NULL; i++)
    client_free(&worker->clients[i]);
  tls_wire_free(worker->wire);
  inflater_free(worker->inflater);
  free(worker->clients);
  free(worker->stamps);
  free(worker->out);
  histogram_free(worker->latency);
}

/* On the worker's thread. */
static void answer(void *arg)
{
  struct worker *worker = arg;
  worker->order(worker);
  sem_post(&worker->load->answered);
}

void worker_ask(struct worker *worker, void (*fn)(struct worker *worker))
{
  worker->order = fn;
  while (weir_loop_post(worker->loop, answer, worker) < 0)
    usleep(1000); /* no memory now */
}

int worker_stamps(struct worker *worker, unsigned in_flight)
{
  uint64_t ring = 1;
  while (ring < in_flight)
    ring *= 2;
  worker->stamp_mask = ring - 1;
  worker->stamps = calloc(ring * (worker->count > 0 ? worker->count : 1), sizeof(uint64_t));
  if (worker->stamps == NULL)
    return -ENOMEM;
  for (unsigned i = 0; i < worker->count; i++)
    worker->clients[i].stamps = worker->stamps + i * ring;
  return 0;
}
