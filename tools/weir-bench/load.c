/* The course of a run, on the caller's thread: threads are started and asked, phase after phase,
 * each with a deadline. */
#include "squeezed.h"
#include "tls.h"
#include "worker.h"

#include <errno.h>
#include <netdb.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/un.h>
#include <unistd.h>

enum {
  NS_PER_MS = 1000 * 1000,
  LOOK_MS = 200, /* between two calls of the watch */
  POLL_MS = 5,   /* between two questions whether all is there */
  CONNECT_MS = 30 * 1000,
  DRAIN_MS = 5 * 1000,
  LEAVE_MS = 1000,
  SPARE_DESCRIPTORS = 64,
  START_MS = 10 /* until all threads have heard that an open loop begins */
};

void load_note(struct load *load, const char *format, ...)
{
  struct result *result = load->result;
  struct reason reason = {.count = 1};
  va_list arguments;
  va_start(arguments, format);
  vsnprintf(reason.text, sizeof reason.text, format, arguments);
  va_end(arguments);
  pthread_mutex_lock(&load->lock);
  size_t i = 0;
  while (i < result->reason_count && strcmp(result->reasons[i].text, reason.text) != 0)
    i++;
  if (i < result->reason_count)
    result->reasons[i].count++;
  else if (i < REASONS_MAX)
    result->reasons[result->reason_count++] = reason;
  pthread_mutex_unlock(&load->lock);
}

void load_agreed_tls(struct load *load, const char *version, const char *cipher)
{
  char *text = load->result->tls;
  pthread_mutex_lock(&load->lock);
  if (text[0] == '\0')
    snprintf(text, sizeof load->result->tls, "%s %s", version, cipher);
  pthread_mutex_unlock(&load->lock);
}

void load_agreed_compression(struct load *load, const char *parameters)
{
  char *text = load->result->compression;
  pthread_mutex_lock(&load->lock);
  if (text[0] == '\0')
    snprintf(text, sizeof load->result->compression, "%s", parameters);
  pthread_mutex_unlock(&load->lock);
}

void load_ask(struct load *load, void (*fn)(struct worker *worker))
{
  unsigned asked = 0;
  for (unsigned i = 0; i < load->worker_count; i++) {
    if (load->workers[i].started) {
      worker_ask(&load->workers[i], fn);
      asked++;
    }
  }
  while (asked > 0)
    asked -= sem_wait(&load->answered) == 0; /* or EINTR */
}

/* ---- looking */

static void show(struct worker *worker)
{
  worker->shown = worker->counts;
  worker->shown_open = worker->open;
}

static void add_counts(struct counts *to, const struct counts *counts)
{
  to->operations += counts->operations;
  to->messages_sent += counts->messages_sent;
  to->messages_received += counts->messages_received;
  to->bytes_sent += counts->bytes_sent;
  to->bytes_received += counts->bytes_received;
  to->opened += counts->opened;
  to->wrong += counts->wrong;
  to->lost += counts->lost;
  to->failed += counts->failed;
  to->dropped += counts->dropped;
  to->compressed += counts->compressed;
  to->resumed += counts->resumed;
}

/* Sums up what the workers showed. */
static void sum(struct load *load)
{
  load->counts = (struct counts){0};
  load->open = 0;
  histogram_reset(load->latency);
  for (unsigned i = 0; i < load->worker_count; i++) {
    add_counts(&load->counts, &load->workers[i].shown);
    load->open += load->workers[i].shown_open;
    histogram_merge(load->latency, load->workers[i].latency);
  }
}

/* Shows the run to the watch when it is time. */
static void look(struct load *load)
{
  uint64_t now_ns = clock_ns();
  if (now_ns - load->looked_ns < (uint64_t)LOOK_MS * NS_PER_MS)
    return;
  load->looked_ns = now_ns;
  load_ask(load, show);
  sum(load);
  struct live live = {.phase = load->phase,
                      .open = load->open,
                      .seconds = (double)(now_ns - load->phase_ns) / 1e9,
                      .rate = load->rate,
                      .counts = load->counts,
                      .latency = load->latency};
  if (!load->watch->tick(load->watch->arg, &live))
    load->ended = true;
}

static void enter(struct load *load, enum phase phase)
{
  load->phase = phase;
  load->phase_ns = clock_ns();
  load->watch->phase(load->watch->arg, phase);
}

/* Whether nothing can come of the run any more. */
static bool is_dead(const struct load *load)
{
  return load->ended || (load->open == 0 && !load->plan->role->again);
}

/* Lets time pass; ends early when the watch wants it or every connection is gone. */
static void pass(struct load *load, double seconds)
{
  uint64_t end_ns = clock_ns() + (uint64_t)(seconds * 1e9);
  for (uint64_t now_ns; !is_dead(load) && (now_ns = clock_ns()) < end_ns; look(load)) {
    uint64_t left_us = (end_ns - now_ns) / 1000 + 1;
    usleep(left_us < LOOK_MS * 1000 / 4 ? (useconds_t)left_us : LOOK_MS * 1000 / 4);
  }
}

/* Asks until every worker says that something is so, or the time is over. */
static bool await(struct load *load, uint64_t timeout_ms, void (*ask)(struct worker *worker))
{
  uint64_t end_ns = clock_ns() + timeout_ms * NS_PER_MS;
  for (;;) {
    bool all = true;
    load_ask(load, ask);
    for (unsigned i = 0; i < load->worker_count; i++)
      all = all && (load->workers[i].drained || !load->workers[i].started);
    if (all || load->ended || clock_ns() >= end_ns)
      return all;
    usleep(POLL_MS * 1000);
    look(load);
  }
}

/* ---- phases */

static void connect_all(struct worker *worker)
{
  const struct plan *plan = worker->load->plan;
  unsigned most = plan->connecting / worker->load->worker_count;
  worker->connecting_most = most > 0 ? most : 1;
  worker->may_connect = plan->at_once ? 0 : UINT64_MAX;
  worker_make(worker);
}

static void ask_connected(struct worker *worker)
{
  worker->drained = worker->finished == worker->count;
}

static void give_up_connecting(struct worker *worker)
{
  worker->may_connect = 0;
  weir__list_splice(&worker->opening, &worker->waiting);
  while (!weir__list_empty(&worker->opening))
    client_fail(WEIR__CONTAINER(worker->opening.next, struct client, link),
                "the connection was not open in time");
}

/* Connections take turns on the threads; one aside has a thread of its own, the last. */
static int make_workers(struct load *load)
{
  const struct settings *settings = load->settings;
  unsigned aside = load->plan->aside != NULL;
  load->workers = calloc(settings->threads + aside, sizeof *load->workers);
  if (load->workers == NULL)
    return -ENOMEM;
  for (unsigned i = 0; i < settings->threads; i++) {
    unsigned share = (settings->connections + settings->threads - 1 - i) / settings->threads;
    struct worker *worker = &load->workers[load->worker_count++];
    int error = worker_init(worker, load, i, share);
    if (error < 0)
      return error;
    for (unsigned j = 0; j < share; j++) {
      worker->clients[j].index = worker->clients[j].from = i + j * settings->threads;
      worker->clients[j].role = load->plan->role;
    }
  }
  if (!aside)
    return 0;
  struct worker *last = &load->workers[load->worker_count++];
  int error = worker_init(last, load, settings->threads, 1);
  if (error < 0)
    return error;
  last->clients[0].index = last->clients[0].from = settings->connections;
  last->clients[0].role = load->plan->aside;
  return 0;
}

static int start_workers(struct load *load)
{
  int error = make_workers(load);
  if (error == 0 && load->plan->prepare != NULL)
    error = load->plan->prepare(load);
  for (unsigned i = 0; error == 0 && i < load->worker_count; i++)
    error = worker_start(&load->workers[i]);
  if (error < 0)
    load_note(load, "the threads could not be started: %s", strerror(-error));
  return error;
}

int load_connect(struct load *load, const struct plan *plan)
{
  load->plan = plan;
  enter(load, PHASE_CONNECTING);
  if (start_workers(load) < 0)
    return -1;
  load_ask(load, connect_all);
  if (plan->at_once)
    return 0;
  if (!await(load, CONNECT_MS + load->settings->connections, ask_connected))
    load_ask(load, give_up_connecting);
  load_ask(load, show);
  sum(load);
  load->result->counts = load->counts;
  return load->open > 0 ? 0 : -1;
}

static void begin(struct worker *worker)
{
  worker->running = true;
  worker->counts.operations = 0;
  histogram_reset(worker->latency);
  if (worker->load->plan->begin)
    worker->load->plan->begin(worker);
}

/* Failures of before count as well. */
static void mark(struct worker *worker)
{
  struct counts *counts = &worker->counts;
  *counts = (struct counts){.wrong = counts->wrong,
                            .lost = counts->lost,
                            .failed = counts->failed,
                            .dropped = counts->dropped};
  histogram_reset(worker->latency);
  worker->marked_ns = clock_ns();
  if (worker->load->plan->mark)
    worker->load->plan->mark(worker);
}

static void stop(struct worker *worker)
{
  worker->running = false;
  worker->stopped_ns = clock_ns();
  show(worker);
  if (worker->load->plan->stop)
    worker->load->plan->stop(worker);
}

static void remember(struct load *load)
{
  struct result *result = load->result;
  double seconds = 0;
  for (unsigned i = 0; i < load->worker_count; i++)
    seconds += (double)(load->workers[i].stopped_ns - load->workers[i].marked_ns) / 1e9;
  sum(load);
  result->seconds = seconds / load->worker_count;
  result->counts = load->counts;
  result->held = load->open;
}

void load_measure(struct load *load, double warmup_s, double seconds)
{
  enter(load, PHASE_WARMUP);
  load->start_ns = clock_ns() + (uint64_t)START_MS * NS_PER_MS;
  load_ask(load, begin);
  pass(load, warmup_s);
  load_ask(load, mark);
  enter(load, PHASE_MEASURING);
  load->server_cpu_ns = load->watch->server_cpu_ns(load->watch->arg);
  pass(load, seconds);
  load->server_cpu_ns = load->watch->server_cpu_ns(load->watch->arg) - load->server_cpu_ns;
  load_ask(load, stop);
  enter(load, PHASE_DRAINING);
  remember(load);
}

static void ask_drained(struct worker *worker)
{
  worker->drained = worker->load->plan->drained(worker);
}

void load_drain(struct load *load)
{
  struct counts *counts = &load->result->counts;
  const struct plan *plan = load->plan;
  if (plan->drained != NULL && !await(load, DRAIN_MS, ask_drained) && !load->ended)
    load_ask(load, plan->missing);
  load_ask(load, show);
  sum(load);
  counts->wrong = load->counts.wrong;
  counts->lost = load->counts.lost;
  counts->failed = load->counts.failed;
  counts->dropped = load->counts.dropped;
}

static void leave(struct worker *worker)
{
  worker->leaving = true;
  worker_pace_stop(worker);
  for (unsigned i = 0; i < worker->count; i++) {
    struct client *client = &worker->clients[i];
    client->stalled = false;
    if (client->state == CLIENT_OPEN)
      client_close(client);
    else if (client->state != CLIENT_NONE && client->state != CLIENT_CLOSING)
      client_end(client, false);
  }
}

static void ask_left(struct worker *worker)
{
  worker->drained = worker->open == 0;
}

static void quit(struct worker *worker)
{
  worker->quit = true;
}

void load_close(struct load *load)
{
  load->ended = false;
  load_ask(load, leave);
  await(load, LEAVE_MS, ask_left);
  load_ask(load, quit);
  for (unsigned i = 0; i < load->worker_count; i++)
    worker_fini(&load->workers[i]);
  free(load->workers);
}

int load_course(struct load *load, const struct plan *plan)
{
  int error = load_connect(load, plan);
  if (error == 0) {
    load_measure(load, load->settings->warmup_s, load->settings->seconds);
    load_drain(load);
  }
  return error;
}

/* ---- the whole */

/* An abstract name has a NUL where it is written with @, and none behind it. */
static void local_address(struct load *load)
{
  const char *name = load->settings->socket;
  struct sockaddr_un address = {.sun_family = AF_UNIX};
  strcpy(address.sun_path, name);
  load->address_len = sizeof address;
  if (name[0] == '@') {
    address.sun_path[0] = '\0';
    load->address_len = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + strlen(name));
  }
  memcpy(&load->address, &address, sizeof address);
  strcpy(load->host, load->settings->host);
}

static int resolve(struct load *load)
{
  const struct settings *settings = load->settings;
  struct addrinfo hints = {.ai_socktype = SOCK_STREAM}, *found;
  char port[8];
  if (settings->socket[0] != '\0') {
    local_address(load);
    return 0;
  }
  snprintf(port, sizeof port, "%u", settings->port);
  snprintf(load->host, sizeof load->host, strchr(settings->host, ':') ? "[%s]:%s" : "%s:%s",
           settings->host, port);
  int error = getaddrinfo(settings->host, port, &hints, &found);
  if (error != 0) {
    load_note(load, "%s: %s", settings->host, gai_strerror(error));
    return -1;
  }
  memcpy(&load->address, found->ai_addr, found->ai_addrlen);
  load->address_len = found->ai_addrlen;
  freeaddrinfo(found);
  return 0;
}

/* Sees to it that descriptors are left beside those of the connections, for looking at the server's
 * process and for reports. */
static int make_room(struct load *load)
{
  struct rlimit limit;
  rlim_t need = (rlim_t)load->settings->connections + SPARE_DESCRIPTORS;
  if (getrlimit(RLIMIT_NOFILE, &limit) < 0 || limit.rlim_cur >= need)
    return 0;
  limit.rlim_cur = need;
  if (limit.rlim_max < need)
    limit.rlim_max = need; /* root may */
  if (setrlimit(RLIMIT_NOFILE, &limit) == 0)
    return 0;
  load_note(load, "so many connections need %llu descriptors, more than `ulimit -Hn` allows",
            (unsigned long long)need);
  return -1;
}

/* Messages for the usual window are compressed before connections wait for them. */
static bool make_messages(struct load *load)
{
  const struct settings *settings = load->settings;
  bool compress = settings->compress;
  if (payload_init(&load->payload, settings->kind, settings->size, compress) < 0)
    return false;
  if (compress)
    load->squeezed[15] = squeezed_new(&load->payload, 15);
  return !compress || load->squeezed[15] != NULL;
}

static int make_tls(struct load *load)
{
  const char *wrong = NULL;
  if (load->settings->secure)
    load->tls = tls_context_new(load->settings, &wrong);
  if (wrong != NULL)
    load_note(load, "%s", wrong);
  return wrong != NULL ? -1 : 0;
}

static int run(struct load *load)
{
  const struct settings *settings = load->settings;
  load->latency = histogram_new();
  load->result->latency = load->latency;
  if (load->latency == NULL || !make_messages(load)) {
    load_note(load, "out of memory");
    return -1;
  }
  if (make_tls(load) < 0)
    return -1;
  return make_room(load) < 0 || resolve(load) < 0 ? -1 : settings->mode->run(load);
}

int load_run(const struct settings *settings, const struct watch *watch, struct result *result)
{
  struct load load = {.settings = settings, .watch = watch, .result = result};
  *result = (struct result){.settings = settings};
  pthread_mutex_init(&load.lock, NULL);
  sem_init(&load.answered, 0, 0);
  int error = run(&load);
  load_close(&load);
  enter(&load, PHASE_DONE);
  free(load.shared);
  payload_fini(&load.payload);
  for (size_t i = 0; i < sizeof load.squeezed / sizeof load.squeezed[0]; i++)
    squeezed_free(load.squeezed[i]);
  tls_context_free(load.tls);
  sem_destroy(&load.answered);
  pthread_mutex_destroy(&load.lock);
  return error < 0 ? -1 : 0;
}

void load_free(struct result *result)
{
  histogram_free((struct histogram *)result->latency);
  free((struct step *)result->steps);
}
