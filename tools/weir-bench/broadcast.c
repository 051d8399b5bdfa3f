/* What a broadcast shares between threads: who has received how much. Each worker counts for its
 * own receivers and tells the sender's only when all of them have a message. */
#include "runs.h"

#include <errno.h>
#include <stdlib.h>

/* A worker's receivers. */
struct party {
  uint64_t complete; /* atomic: messages below this number all of them have */
  unsigned live;     /* whom the broadcast waits for */
  uint32_t *got;     /* by message modulo the ring: how many of them have it */
};

struct broadcast {
  uint64_t mask;
  uint64_t sent;  /* atomic: all that the sender will have sent; UINT64_MAX: not known yet */
  uint64_t begun; /* --apart: how many the sender may send until the first is complete */
  struct party parties[];
};

static struct client *sender_of(const struct load *load)
{
  return &load->workers[0].clients[0];
}

int broadcast_prepare(struct load *load)
{
  uint64_t ring = 1;
  while (ring < load->settings->in_flight)
    ring *= 2;
  struct broadcast *broadcast =
      calloc(1, sizeof *broadcast +
                    load->worker_count * (sizeof *broadcast->parties + ring * sizeof(uint32_t)));
  load->shared = broadcast;
  if (broadcast == NULL)
    return -ENOMEM;
  broadcast->mask = ring - 1;
  broadcast->sent = UINT64_MAX;
  broadcast->begun = 1;
  for (unsigned i = 0; i < load->worker_count; i++) {
    uint32_t *rings = (uint32_t *)&broadcast->parties[load->worker_count];
    broadcast->parties[i].got = rings + i * ring;
    for (unsigned j = 0; j < load->workers[i].count; j++)
      if (load->workers[i].clients[j].role == load->plan->role)
        load->workers[i].clients[j].from = 0;
  }
  return load->rate > 0 ? 0 : worker_stamps(&load->workers[0], load->settings->in_flight);
}

/* Lets the sender go on, on its thread. */
static void go(struct load *load)
{
  struct broadcast *broadcast = load->shared;
  struct client *sender = sender_of(load);
  uint64_t complete = UINT64_MAX;
  for (unsigned i = 0; i < load->worker_count; i++) {
    uint64_t other = __atomic_load_n(&broadcast->parties[i].complete, __ATOMIC_ACQUIRE);
    complete = other < complete ? other : complete;
  }
  if (!sender->worker->running || sender->state != CLIENT_OPEN || complete == UINT64_MAX)
    return;
  bool beginning = load->settings->apart && complete == 0;
  sender->allowed = complete + (beginning ? broadcast->begun : load->settings->in_flight);
  weir__loop_again(sender->worker->loop, &sender->stream.source);
}

static void told(struct weir__interrupt *interrupt)
{
  go(WEIR__CONTAINER(interrupt, struct worker, told)->load);
}

/* Moves on over the messages that all receivers of a worker have. */
static void complete(struct worker *worker)
{
  struct broadcast *broadcast = worker->load->shared;
  struct party *party = &broadcast->parties[worker->index];
  uint64_t before = party->complete, after = before;
  while (party->live > 0 && party->got[after & broadcast->mask] >= party->live)
    party->got[after++ & broadcast->mask] = 0;
  if (party->live == 0)
    after = UINT64_MAX;
  if (after == before)
    return;
  __atomic_store_n(&party->complete, after, __ATOMIC_RELEASE);
  if (worker->index == 0)
    go(worker->load);
  else
    weir__loop_interrupt(worker->load->workers[0].loop, &worker->load->workers[0].told);
}

/* Messages that begin together are answered together, and so are those that follow them, for ever:
 * no server could show whether it joins what comes apart. So each of the first goes when its share
 * of the sender's thread's receivers has the one before. */
static void begin_next(struct worker *worker, uint64_t seq)
{
  struct broadcast *broadcast = worker->load->shared;
  const struct party *party = &broadcast->parties[worker->index];
  uint64_t window = worker->load->settings->in_flight;
  if (worker->index != 0 || party->complete > 0 || broadcast->begun >= window ||
      seq + 1 != broadcast->begun || party->got[seq] * window < party->live)
    return;
  broadcast->begun++;
  go(worker->load);
}

void broadcast_receive(struct client *client, uint64_t seq)
{
  struct broadcast *broadcast = client->worker->load->shared;
  struct party *party = &broadcast->parties[client->worker->index];
  bool completes = false;
  if (!client->gates)
    return;
  for (; client->tallied <= seq; client->tallied++) {
    completes |= ++party->got[client->tallied & broadcast->mask] >= party->live;
    if (client->worker->load->settings->apart)
      begin_next(client->worker, client->tallied);
  }
  if (completes)
    complete(client->worker);
}

static uint64_t sent_ns(const struct worker *worker, uint64_t seq)
{
  const struct worker *sender = &worker->load->workers[0];
  if (worker->load->rate > 0)
    return schedule_due(&worker->pace.schedule, seq, 0);
  return __atomic_load_n(&sender->stamps[seq & sender->stamp_mask], __ATOMIC_RELAXED);
}

void broadcast_message(struct client *client, uint64_t seq, bool good)
{
  struct worker *worker = client->worker;
  if (good && worker->running)
    worker->counts.operations++;
  if (good && !client->excused) {
    uint64_t at_ns = sent_ns(worker, seq);
    if (worker->running || (worker->load->rate > 0 && at_ns >= worker->marked_ns))
      histogram_add(worker->latency, worker->now_ns > at_ns ? worker->now_ns - at_ns : 0);
  }
  broadcast_receive(client, seq);
}

void broadcast_excuse(struct client *client)
{
  struct broadcast *broadcast = client->worker->load->shared;
  struct party *party = &broadcast->parties[client->worker->index];
  if (!client->gates)
    return;
  client->gates = false;
  party->live--;
  for (uint64_t seq = party->complete; seq < client->tallied; seq++)
    party->got[seq & broadcast->mask]--;
  complete(client->worker);
}

void broadcast_ended(struct client *client, bool clean)
{
  (void)clean;
  broadcast_excuse(client);
}

/* ---- the sender by a schedule */

static uint64_t member(struct worker *worker, unsigned turn)
{
  (void)worker;
  return turn;
}

static void due(struct worker *worker, unsigned turn)
{
  worker->clients[turn].allowed++;
}

static void send_due(struct worker *worker, unsigned turn)
{
  if (worker->clients[turn].state == CLIENT_OPEN)
    client_flush(&worker->clients[turn]);
}

/* ---- the course */

/* Only the sender's worker has a member, but all need to know when messages are due. */
static void begin_pace(struct worker *worker)
{
  struct pace pace = {.schedule = schedule_of(worker->load->start_ns, worker->load->rate, 1),
                      .count = worker->index == 0,
                      .member = member,
                      .due = due,
                      .send = send_due};
  worker_pace(worker, &pace);
}

/* A sender that is alone waits for itself. The first messages may have come already, as the
 * sender's thread may have begun before. */
static void begin_gates(struct worker *worker)
{
  struct load *load = worker->load;
  struct broadcast *broadcast = load->shared;
  struct party *party = &broadcast->parties[worker->index];
  for (unsigned i = 0; i < worker->count; i++) {
    struct client *client = &worker->clients[i];
    client->gates = client->state == CLIENT_OPEN && client->role == load->plan->role &&
                    (client != sender_of(load) || load->settings->connections == 1);
    party->live += client->gates;
  }
  for (unsigned i = 0; i < worker->count; i++)
    if (worker->clients[i].next > 0)
      broadcast_receive(&worker->clients[i], worker->clients[i].next - 1);
  complete(worker);
}

void broadcast_begin(struct worker *worker)
{
  if (worker->load->rate > 0) {
    begin_pace(worker);
    return;
  }
  begin_gates(worker);
  if (worker->index != 0)
    return;
  worker->told.fn = told;
  go(worker->load);
}

void broadcast_stop(struct worker *worker)
{
  if (worker->index != 0)
    return;
  worker_pace_stop(worker);
  echo_stop(worker);
}

/* What the sender will have sent is known when it has sent all that it had begun. */
static uint64_t final_count(struct worker *worker)
{
  struct broadcast *broadcast = worker->load->shared;
  const struct client *sender = sender_of(worker->load);
  if (worker->index == 0 && (sender->state != CLIENT_OPEN || sender->place.seq >= sender->allowed))
    __atomic_store_n(&broadcast->sent, sender->place.seq, __ATOMIC_RELEASE);
  return __atomic_load_n(&broadcast->sent, __ATOMIC_ACQUIRE);
}

/* How many messages of the broadcast a client still has to get. */
static uint64_t due_to(const struct client *client, uint64_t sent)
{
  const struct load *load = client->worker->load;
  bool receives =
      client->role == load->plan->role &&
      (client != sender_of(load) || client->next > 0 || load->settings->connections == 1);
  return client->state == CLIENT_OPEN && receives && client->next < sent ? sent - client->next : 0;
}

bool broadcast_drained(struct worker *worker)
{
  uint64_t sent = final_count(worker);
  for (unsigned i = 0; i < worker->count; i++)
    if (due_to(&worker->clients[i], sent) > 0)
      return false;
  return sent != UINT64_MAX;
}

void broadcast_missing(struct worker *worker)
{
  uint64_t sent = final_count(worker);
  if (sent == UINT64_MAX && worker->index == 0) {
    worker->counts.lost++;
    load_note(worker->load, "the server did not take the last message within 5 s");
  }
  for (unsigned i = 0; i < worker->count && sent != UINT64_MAX; i++) {
    uint64_t missing = due_to(&worker->clients[i], sent);
    worker->counts.lost += missing;
    if (missing > 0)
      load_note(worker->load, "receivers lacked messages 5 s after the last was sent");
  }
}
