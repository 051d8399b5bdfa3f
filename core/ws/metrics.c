/* A server's counters as Prometheus' text: what each family means, and where it is counted. */
#include <weir/metrics.h>

#include "wire/exposition.h"
#include "ws/server.h"

#include <string.h>

/* All that is shown, read once. */
struct reading {
  struct weir_counters counters;
  struct weir__tally tally;
  uint64_t admitted, greeting; /* connections; of those, before the answer to a first request */
};

static void read_all(struct reading *out, const struct weir_server *server)
{
  uint32_t count = __atomic_load_n(&server->shard_count, __ATOMIC_ACQUIRE);
  memset(out, 0, sizeof *out);
  weir_server_counters(server, &out->counters);
  for (uint32_t i = 0; i < count; i++)
    weir__tally_sum(&out->tally, &server->shards[i].tally);
  out->admitted = __atomic_load_n(&server->connections, __ATOMIC_RELAXED);
  out->greeting = __atomic_load_n(&server->handshakes, __ATOMIC_RELAXED);
}

/* Counters are read one by one while they change, so a difference may come out below zero. */
static uint64_t less(uint64_t a, uint64_t b)
{
  return a > b ? a - b : 0;
}

static void put_one(struct weir__exposition *out, const char *name, const char *type,
                    const char *help, uint64_t value)
{
  weir__exposition_family(out, name, type, help);
  weir__exposition_sample(out, NULL, 0, value);
}

static void put_labelled(struct weir__exposition *out, const char *label, const char *value,
                         uint64_t number)
{
  const struct weir__label only = {label, value};
  weir__exposition_sample(out, &only, 1, number);
}

static void put_durations(struct weir__exposition *out, const char *name, const char *help,
                          const struct weir__durations *durations)
{
  weir__exposition_family(out, name, "histogram", help);
  weir__exposition_histogram(out, weir__bucket_us, WEIR__BUCKETS, durations->counts,
                             durations->sum_us);
}

static void put_connections(struct weir__exposition *out, const struct reading *r)
{
  uint64_t open = less(r->counters.opened, r->counters.closed);
  weir__exposition_family(out, "ws_connections", "gauge",
                          "Connections now: before the answer to their first request, open "
                          "WebSockets, and others (HTTP that was answered, or closing).");
  put_labelled(out, "state", "handshake", r->greeting);
  put_labelled(out, "state", "open", open);
  put_labelled(out, "state", "other", less(r->admitted, r->greeting + open));
  put_one(out, "ws_connections_accepted_total", "counter", "Connections accepted.",
          r->counters.accepted);
  put_one(out, "ws_connections_opened_total", "counter", "WebSocket connections opened.",
          r->counters.opened);
  weir__exposition_family(out, "ws_connections_rejected_total", "counter",
                          "Requests refused with 400 and more, and connections turned away.");
  for (int i = 0; i < WEIR__REJECTS; i++)
    put_labelled(out, "reason", weir__reject_name((enum weir__reject)i), r->tally.rejected[i]);
  put_durations(out, "ws_handshake_seconds",
                "Time from accept to the 101 of connections whose first request it answers.",
                &r->tally.handshakes);
}

static void put_closes(struct weir__exposition *out, const struct reading *r)
{
  static const char *const initiators[WEIR__INITIATORS] = {"peer", "us"};
  char code[8];
  weir__exposition_family(out, "ws_closes_total", "counter",
                          "WebSocket connections closed, by close code (1006: without a Close "
                          "frame) and by who began it.");
  for (size_t by = 0; by < WEIR__INITIATORS; by++) {
    for (size_t i = 0; i < WEIR__CLOSES; i++) {
      const struct weir__label both[] = {{"code", code}, {"initiator", initiators[by]}};
      weir__close_name(code, i);
      weir__exposition_sample(out, both, 2, r->tally.closes[by][i]);
    }
  }
}

static void put_traffic(struct weir__exposition *out, const struct reading *r)
{
  const struct weir_counters *c = &r->counters;
  weir__exposition_family(out, "ws_messages_total", "counter",
                          "Whole messages received, and sent: once per receiver.");
  put_labelled(out, "direction", "in", c->messages_received);
  put_labelled(out, "direction", "out", c->messages_sent);
  weir__exposition_family(out, "ws_bytes_total", "counter",
                          "Bytes from and to sockets; under TLS what that carried.");
  put_labelled(out, "direction", "in", c->bytes_received);
  put_labelled(out, "direction", "out", c->bytes_sent);
  weir__exposition_family(out, "ws_slow_consumer_total", "counter",
                          "Messages dropped for slow consumers, connections closed for a full "
                          "queue, and queues that gave way to the cap on all of them.");
  put_labelled(out, "action", "drop", less(c->dropped, r->tally.slow_closes));
  put_labelled(out, "action", "close", r->tally.slow_closes);
  put_labelled(out, "action", "shed", c->shed);
  put_one(out, "ws_queue_bytes", "gauge",
          "Bytes that send queues hold; shared frames once where max_queue_memory is on, else not.",
          c->queue_bytes);
  put_one(out, "ws_messages_deflated_total", "counter",
          "Messages sent compressed, once per receiver.", c->messages_compressed);
  put_one(out, "ws_messages_inflated_total", "counter", "Messages received compressed.",
          c->messages_inflated);
  put_one(out, "ws_http_requests_total", "counter", "Plain HTTP requests answered by a handler.",
          c->requests);
}

static void put_machinery(struct weir__exposition *out, const struct reading *r)
{
  const struct weir_counters *c = &r->counters;
  put_durations(out, "ws_loop_lag_seconds",
                "By how much each loop came too late to a timer of every 100 ms.", &r->tally.lags);
  put_one(out, "ws_tls_handshakes_total", "counter", "TLS handshakes completed.",
          c->tls_handshakes);
  put_one(out, "ws_tls_failures_total", "counter",
          "Connections that ended because TLS failed, most in the handshake.", c->tls_failed);
  put_one(out, "ws_accept_pauses_total", "counter",
          "Times that accepting paused for want of descriptors.", c->accept_paused);
  put_one(out, "ws_memory_bytes", "gauge",
          "Memory of loops and connections, without shared frames and what OpenSSL holds.",
          c->memory_bytes);
  put_one(out, "ws_compression_bytes", "gauge", "Memory held or reserved to compress.",
          c->compression_bytes);
}

size_t weir_server_metrics(const struct weir_server *server, char *buffer, size_t size)
{
  struct weir__exposition out = {.data = buffer, .size = size};
  struct reading reading;
  read_all(&reading, server);
  put_connections(&out, &reading);
  put_closes(&out, &reading);
  put_traffic(&out, &reading);
  put_machinery(&out, &reading);
  return out.len;
}
