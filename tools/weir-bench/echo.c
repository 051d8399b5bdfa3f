/* Echo, closed: what comes back lets the next message go. */
#include "runs.h"

int echo_prepare(struct load *load)
{
  int error = 0;
  for (unsigned i = 0; error == 0 && i < load->worker_count; i++)
    error = worker_stamps(&load->workers[i], load->settings->in_flight);
  return error;
}

void echo_allow(struct client *client)
{
  client->allowed = client->next + client->worker->load->settings->in_flight;
}

void echo_begin(struct worker *worker)
{
  for (unsigned i = 0; i < worker->count; i++) {
    struct client *client = &worker->clients[i];
    if (client->state != CLIENT_OPEN)
      continue;
    echo_allow(client);
    weir__loop_again(worker->loop, &client->stream.source);
  }
}

void echo_message(struct client *client, uint64_t seq, bool good)
{
  struct worker *worker = client->worker;
  if (!worker->running)
    return;
  echo_allow(client);
  if (!good)
    return;
  worker->counts.operations++;
  histogram_add(worker->latency, worker->now_ns - client->stamps[seq & worker->stamp_mask]);
}

void echo_stop(struct worker *worker)
{
  for (unsigned i = 0; i < worker->count; i++)
    client_cut(&worker->clients[i]);
}

static bool is_answered(const struct client *client)
{
  return client->state != CLIENT_OPEN ||
         (client->next >= client->place.seq && client->place.seq >= client->allowed);
}

bool echo_drained(struct worker *worker)
{
  for (unsigned i = 0; i < worker->count; i++)
    if (!is_answered(&worker->clients[i]))
      return false;
  return true;
}

void echo_missing(struct worker *worker)
{
  for (unsigned i = 0; i < worker->count; i++) {
    const struct client *client = &worker->clients[i];
    uint64_t sent = client->place.seq + client_is_amid(client);
    if (client->state != CLIENT_OPEN || sent <= client->next)
      continue;
    worker->counts.lost += sent - client->next;
    load_note(worker->load, "messages were not answered within 5 s after the last was sent");
  }
}
