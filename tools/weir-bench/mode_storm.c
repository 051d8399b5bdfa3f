/* Connections that come and go: at once (storm), or after a while of echo (churn). */
#include "runs.h"

#include <limits.h>

/* ---- connections by a schedule */

static uint64_t member(struct worker *worker, unsigned turn)
{
  (void)turn;
  return worker->index;
}

static void due(struct worker *worker, unsigned turn)
{
  (void)turn;
  worker->may_connect++;
}

static void make(struct worker *worker, unsigned turn)
{
  (void)turn;
  worker_make(worker);
}

static void connect_at(struct worker *worker, double rate)
{
  const struct load *load = worker->load;
  struct pace pace = {.schedule = schedule_of(load->start_ns, rate, load->worker_count),
                      .count = 1,
                      .member = member,
                      .due = due,
                      .send = make};
  worker->may_connect = 0;
  worker_pace(worker, &pace);
}

static void stop_connecting(struct worker *worker)
{
  worker_pace_stop(worker);
  worker->may_connect = 0;
}

/* ---- storm */

static void cycle(struct client *client, bool clean)
{
  struct worker *worker = client->worker;
  if (!clean || !worker->running)
    return;
  worker->counts.operations++;
  histogram_add(worker->latency, clock_ns() - client->began_ns);
}

static void storm_begin(struct worker *worker)
{
  if (worker->load->rate > 0) {
    connect_at(worker, worker->load->rate);
    return;
  }
  worker->may_connect = UINT64_MAX;
  worker_make(worker);
}

static bool storm_drained(struct worker *worker)
{
  return worker->connecting == 0 && worker->open == 0;
}

static void storm_missing(struct worker *worker)
{
  worker->counts.failed += worker->connecting + worker->open;
  load_note(worker->load, "connections were not made and closed within 5 s");
}

int run_storm(struct load *load)
{
  static const struct role role = {.opened = client_close, .ended = cycle, .again = true};
  static const struct plan plan = {.role = &role,
                                   .begin = storm_begin,
                                   .stop = stop_connecting,
                                   .drained = storm_drained,
                                   .missing = storm_missing,
                                   .connecting = UINT_MAX,
                                   .at_once = true};
  load->rate = load->settings->rate;
  return load_course(load, &plan);
}

/* ---- churn */

enum { LIFE_CHECK_MS = 10 };

static void born(struct client *client)
{
  client->since_ns = clock_ns();
  if (!client->worker->running)
    return;
  echo_allow(client);
  weir__loop_again(client->worker->loop, &client->stream.source);
}

static void close_when_answered(struct client *client)
{
  if (client->next >= client->place.seq && client->place.seq >= client->allowed)
    client_close(client);
}

static void live(struct client *client, uint64_t seq, bool good)
{
  uint64_t allowed = client->allowed;
  echo_message(client, seq, good);
  if (!client->retiring)
    return;
  client->allowed = allowed;
  close_when_answered(client);
}

static void retire(struct client *client)
{
  client->retiring = true;
  client->since_ns = clock_ns();
  weir__list_push_back(&client->worker->closing, &client->link);
  client_cut(client);
  close_when_answered(client);
}

static void check_lives(struct weir_timer *timer, void *arg)
{
  struct worker *worker = arg;
  uint64_t now_ns = clock_ns();
  uint64_t life_ns = (uint64_t)(worker->load->settings->lifetime_s * 1e9);
  (void)timer;
  for (unsigned i = 0; i < worker->count && worker->running; i++) {
    struct client *client = &worker->clients[i];
    if (client->state == CLIENT_OPEN && !client->retiring && now_ns - client->since_ns >= life_ns)
      retire(client);
  }
}

static void churn_begin(struct worker *worker)
{
  if (weir_timer_new(&worker->timer, worker->loop, check_lives, worker) == 0)
    weir_timer_start(worker->timer, LIFE_CHECK_MS, LIFE_CHECK_MS);
  connect_at(worker, worker->load->rate);
}

static void churn_stop(struct worker *worker)
{
  stop_connecting(worker);
  echo_stop(worker);
}

/* Where no rate is given, so many are made that all connections are in use. */
int run_churn(struct load *load)
{
  static const struct role role = {.opened = born, .message = live, .settle = true, .again = true};
  static const struct plan plan = {.role = &role,
                                   .prepare = echo_prepare,
                                   .begin = churn_begin,
                                   .stop = churn_stop,
                                   .drained = echo_drained,
                                   .missing = echo_missing,
                                   .connecting = UINT_MAX,
                                   .at_once = true};
  const struct settings *settings = load->settings;
  load->rate = settings->rate > 0 ? settings->rate : settings->connections / settings->lifetime_s;
  return load_course(load, &plan);
}
