/* What comes from the server: received once into the loop's buffer, parsed in place, compared with
 * what was sent. HOT. */
#include "deflated.h"
#include "worker.h"

#include "wire/close.h"

#include <errno.h>
#include <string.h>

enum {
  BUDGET = 1 << 20, /* bytes of a connection in one turn */
  TELLING = 4,      /* so many bytes tell which message it is */
  NEAR = 64         /* messages before and behind the one due, among which a stranger is sought */
};

/* Whether a message begins with these bytes that a connection sends as its seq'th. */
static bool begins(const struct client *client, const struct weir__event *event, uint32_t from,
                   uint64_t seq)
{
  return payload_equal(&client->worker->load->payload, from, seq, 0, event->len, event->data);
}

/* A broadcast may reach the connection beside it, too, where a server knows but one crowd. */
static bool is_broadcast(struct client *client, const struct weir__event *event)
{
  for (uint64_t seq = client->tallied; client->role->side && seq < client->tallied + NEAR; seq++) {
    if (begins(client, event, 0, seq)) {
      client->tallied = seq + 1;
      return true;
    }
  }
  return false;
}

/* A message that is not the one due: one that comes later in the order means that those between
 * were lost, one from before that it was late. False: the bytes are those of none. */
static bool identify(struct client *client, const struct weir__event *event)
{
  struct load *load = client->worker->load;
  uint64_t due = client->next;
  if (!event->first || event->len < TELLING)
    return false;
  if (is_broadcast(client, event))
    return client->passed = true;
  for (uint64_t d = 1; d <= NEAR; d++) {
    if (begins(client, event, client->from, due + d)) {
      client->worker->counts.lost += d;
      client->next += d;
      load_note(load, "messages did not come, or not in their order: later ones came instead");
      return true;
    }
    if (d <= due && begins(client, event, client->from, due - d)) {
      client->worker->counts.lost++;
      load_note(load, "messages came late, or twice");
      return client->passed = true;
    }
  }
  return false;
}

static void spoil(struct client *client, const struct weir__event *event)
{
  struct load *load = client->worker->load;
  size_t good = payload_match(&load->payload, client->from, client->next, client->got, event->len,
                              event->data);
  client->spoiled = true;
  client->worker->counts.wrong++;
  load_note(load, "message %llu of connection %u is wrong at byte %zu of %zu",
            (unsigned long long)client->next, client->index, client->got + good,
            load->payload.size);
}

void client_spoil(struct client *client, const char *why)
{
  if (client->spoiled || client->passed)
    return;
  client->spoiled = true;
  client->worker->counts.wrong++;
  load_note(client->worker->load, "a compressed message is wrong: %s", why);
}

static void check_length(struct client *client, size_t length)
{
  struct load *load = client->worker->load;
  if (client->spoiled || client->passed || client->got == length)
    return;
  client->spoiled = true;
  client->worker->counts.wrong++;
  load_note(load, "a message has %zu bytes instead of %zu", client->got, length);
}

static void end_message(struct client *client)
{
  bool passed = client->passed;
  check_length(client, client->worker->load->payload.size);
  bool good = !client->spoiled;
  client->got = 0;
  client->spoiled = client->passed = false;
  if (passed)
    return;
  client->worker->counts.messages_received++;
  client->next++;
  client->role->message(client, client->next - 1, good);
}

/* Whether a whole message came in one piece and is the one due, as nearly all are. */
static inline bool is_due(const struct client *client, const struct payload *payload,
                          const struct weir__event *event)
{
  return event->first && event->last && event->len == payload->size && payload->whole &&
         memcmp(event->data, payload_window(payload, client->from, client->next), event->len) == 0;
}

void client_due(struct client *client)
{
  client->worker->counts.messages_received++;
  client->next++;
  client->role->message(client, client->next - 1, true);
}

void client_judge(struct client *client, const struct weir__event *event)
{
  const struct payload *payload = &client->worker->load->payload;
  if (!client->spoiled && !client->passed && client->got + event->len <= payload->size &&
      !payload_equal(payload, client->from, client->next, client->got, event->len, event->data) &&
      !identify(client, event))
    spoil(client, event);
  client->got += event->len;
  if (event->last)
    end_message(client);
}

/* A piece of a message. */
static void take_data(struct client *client, const struct weir__event *event)
{
  const struct payload *payload = &client->worker->load->payload;
  if (client->state != CLIENT_OPEN || client->role->message == NULL) {
    if (event->rsv1)
      deflated_take(client, event);
    return;
  }
  if (is_due(client, payload, event))
    client_due(client);
  else if (event->rsv1)
    deflated_take(client, event);
  else
    client_judge(client, event);
}

static bool take_close(struct client *client)
{
  const char *reason, *why;
  size_t reason_len;
  int code;
  int error = weir__close_parse(client->control_in, client->control_in_len, &code, &reason,
                                &reason_len, &why);
  client->close_came = true;
  if (client->state == CLIENT_CLOSING)
    return true; /* the end of the stream is due */
  if (error < 0)
    client_fail(client, "a Close frame of the server is malformed: %s", why);
  else
    client_fail(client, "the server closed with code %d%s%.*s", code, reason_len > 0 ? ": " : "",
                (int)reason_len, reason);
  return false;
}

/* A piece of a control frame; they are short, so that pieces are joined. */
static bool take_control(struct client *client, const struct weir__event *event)
{
  if (event->first)
    client->control_in_len = 0;
  memcpy(client->control_in + client->control_in_len, event->data, event->len);
  client->control_in_len += (uint8_t)event->len;
  if (!event->last)
    return true;
  if (event->opcode == WEIR__CLOSE)
    return take_close(client);
  if (event->opcode == WEIR__PONG)
    client_settled(client);
  else if (client->state != CLIENT_CLOSING)
    client_control(client, WEIR__PONG, client->control_in, client->control_in_len);
  return client->state != CLIENT_NONE;
}

bool client_frames(struct client *client, unsigned char *data, size_t len)
{
  struct weir__input input = {data, data + len};
  struct weir__event event;
  for (;;) {
    int kind = weir__client_parser_next(&client->parser, &input, &event);
    if (kind == WEIR__EVENT_MORE)
      return true;
    if (kind == WEIR__EVENT_DATA) {
      take_data(client, &event);
    } else if (kind == WEIR__EVENT_CONTROL) {
      if (!take_control(client, &event))
        return false;
    } else {
      client_fail(client, "the server broke the protocol: %s", event.reason);
      return false;
    }
  }
}

/* Takes what was received; false: the connection is gone. */
static bool take(struct client *client, unsigned char *data, size_t len)
{
  size_t used = 0;
  if (client->state == CLIENT_UPGRADING && !client_upgrade(client, (char *)data, len, &used))
    return false;
  return used == len || client_frames(client, data + used, len - used);
}

static struct client *client_of(struct weir__source *source)
{
  return WEIR__CONTAINER(source, struct client, stream.source);
}

static void ready(struct weir__source *source)
{
  struct client *client = client_of(source);
  struct worker *worker = client->worker;
  if (client->state <= CLIENT_SECURING && !client_begin(client))
    return;
  for (size_t taken = 0; source->readable && !client->stalled;) {
    ssize_t n = client->stream.ops->recv(&client->stream, &weir__sys_linux, worker->loop->receive,
                                         WEIR__RECEIVE_BYTES);
    if (n == -EAGAIN)
      return;
    if (n <= 0) {
      client_hung_up(client, (int)n);
      return;
    }
    worker->now_ns = clock_ns();
    worker->counts.bytes_received += (uint64_t)n;
    if (!take(client, worker->loop->receive, (size_t)n))
      return;
    if ((taken += (size_t)n) >= BUDGET) {
      weir__loop_again(worker->loop, source);
      return;
    }
  }
}

static void work(struct weir__source *source)
{
  struct client *client = client_of(source);
  if (client->state >= CLIENT_SETTLING)
    client_flush(client);
}

static void reclaim(struct weir__source *source)
{
  (void)source; /* never buried: the worker keeps its clients */
}

const struct weir__source_ops client_ops = {.ready = ready, .work = work, .reclaim = reclaim};
