/* One sends to all; alone, with receivers that do not read for a while, or with somebody beside who
 * wants an echo in time. */
#include "runs.h"

int run_broadcast(struct load *load)
{
  static const struct role role = {
      .message = broadcast_message, .ended = broadcast_ended, .settle = true};
  static const struct plan plan = {.role = &role,
                                   .prepare = broadcast_prepare,
                                   .begin = broadcast_begin,
                                   .stop = broadcast_stop,
                                   .drained = broadcast_drained,
                                   .missing = broadcast_missing,
                                   .connecting = CONNECTING};
  load->rate = load->settings->rate;
  return load_course(load, &plan);
}

/* ---- slow */

/* Spread evenly over all receivers; the sender is none of them. */
static bool is_slow(const struct client *client)
{
  double share = client->worker->load->settings->slow_percent / 100;
  unsigned index = client->index;
  return index > 0 && (unsigned)(share * index) != (unsigned)(share * (index - 1));
}

static void resume(struct weir_timer *timer, void *arg)
{
  struct worker *worker = arg;
  (void)timer;
  for (unsigned i = 0; i < worker->count; i++)
    if (worker->clients[i].stalled)
      client_resume(&worker->clients[i]);
}

static void stall(struct worker *worker)
{
  double stall_s = worker->load->settings->stall_s;
  if (weir_timer_new(&worker->timer, worker->loop, resume, worker) < 0)
    return;
  weir_timer_start(worker->timer, (uint64_t)(stall_s * 1000), 0);
  for (unsigned i = 0; i < worker->count; i++) {
    struct client *client = &worker->clients[i];
    if (client->state != CLIENT_OPEN || !is_slow(client))
      continue;
    client->stalled = client->excused = true;
    broadcast_excuse(client);
  }
}

/* Who is still stalled at the end gets its chance to catch up. */
static void slow_stop(struct worker *worker)
{
  resume(NULL, worker);
  broadcast_stop(worker);
}

int run_slow(struct load *load)
{
  static const struct role role = {
      .message = broadcast_message, .ended = broadcast_ended, .settle = true};
  static const struct plan plan = {.role = &role,
                                   .prepare = broadcast_prepare,
                                   .begin = broadcast_begin,
                                   .mark = stall,
                                   .stop = slow_stop,
                                   .drained = broadcast_drained,
                                   .missing = broadcast_missing,
                                   .connecting = CONNECTING};
  load->rate = load->settings->rate;
  return load_course(load, &plan);
}

/* ---- bystander */

enum { SIDE_RATE = 1000 }; /* echoes a second */

static uint64_t only(struct worker *worker, unsigned turn)
{
  (void)worker;
  return turn;
}

static void side_due(struct worker *worker, unsigned turn)
{
  worker->clients[turn].allowed++;
}

static void side_send(struct worker *worker, unsigned turn)
{
  if (worker->clients[turn].state == CLIENT_OPEN)
    client_flush(&worker->clients[turn]);
}

static void side_message(struct client *client, uint64_t seq, bool good)
{
  struct worker *worker = client->worker;
  uint64_t due_ns = schedule_due(&worker->pace.schedule, seq, 0);
  if (good && worker->running)
    worker->counts.operations++;
  if (good && due_ns >= worker->marked_ns)
    histogram_add(worker->latency, worker->now_ns - due_ns);
}

static void crowd_message(struct client *client, uint64_t seq, bool good)
{
  (void)good;
  broadcast_receive(client, seq);
}

static bool is_aside(const struct worker *worker)
{
  return worker->index + 1 == worker->load->worker_count;
}

static void side_begin(struct worker *worker)
{
  struct pace pace = {.schedule = schedule_of(worker->load->start_ns, SIDE_RATE, 1),
                      .count = 1,
                      .member = only,
                      .due = side_due,
                      .send = side_send};
  if (is_aside(worker))
    worker_pace(worker, &pace);
  else
    broadcast_begin(worker);
}

static void side_stop(struct worker *worker)
{
  if (!is_aside(worker)) {
    broadcast_stop(worker);
    return;
  }
  worker_pace_stop(worker);
  echo_stop(worker);
}

static bool side_drained(struct worker *worker)
{
  return is_aside(worker) ? echo_drained(worker) : broadcast_drained(worker);
}

static void side_missing(struct worker *worker)
{
  if (is_aside(worker))
    echo_missing(worker);
  else
    broadcast_missing(worker);
}

int run_bystander(struct load *load)
{
  static const struct role crowd = {
      .message = crowd_message, .ended = broadcast_ended, .settle = true};
  static const struct role side = {.message = side_message, .settle = true, .side = true};
  static const struct plan plan = {.role = &crowd,
                                   .aside = &side,
                                   .prepare = broadcast_prepare,
                                   .begin = side_begin,
                                   .stop = side_stop,
                                   .drained = side_drained,
                                   .missing = side_missing,
                                   .connecting = CONNECTING};
  load->rate = load->settings->rate;
  return load_course(load, &plan);
}
