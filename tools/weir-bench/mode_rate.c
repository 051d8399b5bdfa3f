/* Echo by an open loop: messages go when they are due, whatever the server does, and latency counts
 * from then; so that a server that stops for a while cannot hide it. */
#include "runs.h"

static uint64_t member(struct worker *worker, unsigned turn)
{
  return worker->clients[turn].index;
}

static void due(struct worker *worker, unsigned turn)
{
  worker->clients[turn].allowed++;
}

static void send_due(struct worker *worker, unsigned turn)
{
  struct client *client = &worker->clients[turn];
  if (client->state == CLIENT_OPEN)
    client_flush(client);
}

static void rate_begin(struct worker *worker)
{
  const struct load *load = worker->load;
  struct pace pace = {
      .schedule = schedule_of(load->start_ns, load->rate, load->settings->connections),
      .count = worker->count,
      .member = member,
      .due = due,
      .send = send_due,
  };
  for (unsigned i = 0; i < worker->count; i++) {
    struct client *client = &worker->clients[i];
    client->first = client->allowed = client->place.seq;
  }
  worker_pace(worker, &pace);
}

/* Messages that were due in the measured time count among the latencies even when they come after
 * it. */
static void rate_message(struct client *client, uint64_t seq, bool good)
{
  struct worker *worker = client->worker;
  uint64_t due_ns = schedule_due(&worker->pace.schedule, seq - client->first, client->index);
  if (!good)
    return;
  if (worker->running)
    worker->counts.operations++;
  if (due_ns >= worker->marked_ns)
    histogram_add(worker->latency, worker->now_ns - due_ns);
}

static void rate_stop(struct worker *worker)
{
  worker_pace_stop(worker);
  echo_stop(worker);
}

static const struct role role = {.message = rate_message, .settle = true};
const struct plan rate_plan = {.role = &role,
                               .begin = rate_begin,
                               .stop = rate_stop,
                               .drained = echo_drained,
                               .missing = echo_missing,
                               .connecting = CONNECTING};

int run_rate(struct load *load)
{
  load->rate = load->settings->rate;
  return load_course(load, &rate_plan);
}
