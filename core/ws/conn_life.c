/* Deadlines: the opening handshake, pings and their answers, messages that have begun, idleness,
 * lifetimes, the closing handshake (RFC 6455 sections 5.5.2, 7.1.1). A connection stands on the
 * loop's coarse wheel once; activity only writes a tick, and when the wheel brings the connection
 * up, what is due is worked out from the ticks. */
#include "ws/client.h"
#include "ws/http_conn.h"

#include "wire/close.h"
#include "ws/extra.h"

#include <errno.h>

enum { NEVER = UINT32_MAX };

/* Ticks that last at least ms. */
static uint32_t ticks(size_t ms)
{
  if (ms == WEIR_OFF || ms / WEIR__WHEEL_TICK_MS >= NEVER / 4)
    return NEVER;
  return (uint32_t)((ms + WEIR__WHEEL_TICK_MS - 1) / WEIR__WHEEL_TICK_MS) + 1;
}

/* How many ticks are left of a span that began at since; 0 when it is over. */
static uint32_t left(uint32_t now, uint32_t since, uint32_t span)
{
  if (span == NEVER)
    return NEVER;
  return now - since >= span ? 0 : span - (now - since);
}

/* The same for the sum of two spans. */
static uint32_t sum(uint32_t a, uint32_t b)
{
  return a == NEVER || b == NEVER ? NEVER : a + b;
}

static uint32_t smaller(uint32_t a, uint32_t b)
{
  return a < b ? a : b;
}

/* A connection's own part of a span, 0 to all of it: multiples of the golden ratio spread
 * neighbouring slots more evenly than dice would. */
static uint32_t part(const struct weir_conn *c, uint32_t span)
{
  uint32_t spread = c->stream.source.slot * 2654435761u;
  return (uint32_t)(spread * ((uint64_t)span + 1) >> 32);
}

/* Spreads what is due of connections that came at once. */
static uint32_t jittered(const struct weir_conn *c, size_t ms)
{
  uint32_t span = ticks(ms);
  return span == NEVER ? NEVER : span + part(c, span / 16);
}

static uint32_t ping_span(const struct weir_conn *c)
{
  return jittered(c, weir__conn_route(c)->options.ping_interval_ms);
}

/* Until it is told that the server drains. */
static uint32_t left_of_stay(const struct weir_conn *c, uint32_t now)
{
  const struct weir__shard *shard = c->shard;
  if (!shard->draining)
    return NEVER;
  return left(now, shard->drain_tick, part(c, shard->drain_ticks));
}

/* Of the time for the message that is coming. */
static uint32_t left_of_message(const struct weir_conn *c, uint32_t now)
{
  const struct weir__inbox *in = c->inbox;
  if (in == NULL || !in->begun)
    return NEVER;
  return left(now, in->begun_tick, ticks(weir__conn_route(c)->options.message_timeout_ms));
}

/* Of the time that its route allows it to be open. */
static uint32_t left_of_life(struct weir_conn *c, uint32_t now)
{
  size_t most = weir__conn_route(c)->options.max_lifetime_ms;
  return most == WEIR_OFF ? NEVER : left(now, weir__conn_extra(c)->opened_tick, jittered(c, most));
}

void weir__life_begin(struct weir_conn *c)
{
  struct weir__extra *extra = weir__conn_extra(c);
  if (extra != NULL)
    extra->opened_tick = weir__conn_tick(c);
}

static uint32_t left_when_open(struct weir_conn *c, uint32_t now)
{
  const struct weir_route_options *options = &weir__conn_route(c)->options;
  uint32_t quiet = ping_span(c);
  if (c->pinged)
    quiet = sum(quiet, ticks(options->pong_timeout_ms));
  uint32_t silent = smaller(left(now, c->received_tick, quiet),
                            left(now, c->since_tick, ticks(options->idle_timeout_ms)));
  uint32_t stay = smaller(left_of_stay(c, now), left_of_life(c, now));
  return smaller(smaller(silent, left_of_message(c, now)), stay);
}

/* A response may leave as slowly as others do, though the connection ends with it. */
static size_t close_timeout(const struct weir_conn *c)
{
  if (c->routed)
    return weir__conn_route(c)->options.close_timeout_ms;
  return c->outbox != NULL ? WEIR__HTTP_STALL_MS : WEIR__LINGER_MS;
}

/* Who has asked for nothing yet is not waited for longer than for those who are told to go. */
static uint32_t left_of_http(const struct weir_conn *c, uint32_t now)
{
  const struct weir__shard *shard = c->shard;
  uint32_t wait = left(now, c->since_tick, ticks(weir__http_timeout_ms(c)));
  if (!shard->draining || !weir__http_is_fresh(c))
    return wait;
  return smaller(wait, left(now, shard->drain_tick, shard->drain_ticks));
}

static uint32_t time_left(struct weir_conn *c, uint32_t now)
{
  if (c->state == WEIR__CONN_HTTP)
    return left_of_http(c, now);
  if (c->state == WEIR__CONN_OPEN)
    return left_when_open(c, now);
  return left(now, c->since_tick, ticks(close_timeout(c)));
}

void weir__conn_arm(struct weir_conn *c)
{
  struct weir__wheel *wheel = &weir__conn_loop(c)->wheel;
  uint32_t wait = time_left(c, weir__conn_tick(c));
  uint32_t whole = wait > 0 ? wait - 1 : 0; /* the wheel adds the tick in hand itself */
  weir__wheel_remove(wheel, &c->deadline);
  if (wait != NEVER)
    weir__wheel_add(wheel, &c->deadline, (uint64_t)whole * WEIR__WHEEL_TICK_MS);
}

void weir__conn_excuse(struct weir_conn *c)
{
  if (c->state != WEIR__CONN_OPEN)
    return;
  weir__loop_freshen(weir__conn_loop(c));
  c->received_tick = weir__conn_tick(c);
  c->since_tick = c->received_tick;
  c->pinged = 0;
  if (c->inbox != NULL)
    c->inbox->begun_tick = c->received_tick;
  weir__conn_arm(c);
}

/* Why a connection with which nothing is wrong has to go; NULL: it has not. */
static const char *why_go(struct weir_conn *c, uint32_t now)
{
  if (left_of_stay(c, now) == 0)
    return "the server goes away";
  return left_of_life(c, now) == 0 ? "open for long enough" : NULL;
}

static void send_away(struct weir_conn *c, const char *why)
{
  if (weir_conn_close(c, WEIR__CLOSE_GOING_AWAY, why) != 0)
    weir__conn_arm(c);
}

static void open_is_due(struct weir_conn *c, uint32_t now)
{
  const struct weir_route_options *options = &weir__conn_route(c)->options;
  const char *why = why_go(c, now);
  if (why != NULL) {
    send_away(c, why);
    return;
  }
  if (c->paused) {
    weir__conn_excuse(c);
    return;
  }
  if (left_of_message(c, now) == 0) {
    weir__conn_fail(c, -WEIR__CLOSE_POLICY, "the message takes too long to come");
    return;
  }
  if (left(now, c->since_tick, ticks(options->idle_timeout_ms)) == 0) {
    if (weir_conn_close(c, WEIR__CLOSE_GOING_AWAY, "idle for too long") == 0)
      return;
  } else if (c->pinged) {
    weir__conn_lost(c, -ETIMEDOUT, "the peer answered no ping");
    return;
  } else {
    weir_conn_ping(c, NULL, 0);
    c->pinged = 1;
  }
  weir__conn_arm(c);
}

static void is_due(struct weir_conn *c, uint32_t now)
{
  if (weir__proxied_waits(c))
    weir__proxied_timeout(c);
  else if (c->state == WEIR__CONN_HTTP)
    weir__http_timeout(c);
  else if (c->state == WEIR__CONN_OPEN)
    open_is_due(c, now);
  else
    weir__conn_lost(c, 0, "");
}

void weir__conn_deadline(struct weir_loop *loop, struct weir__link *node)
{
  struct weir_conn *c = WEIR__CONTAINER(node, struct weir_conn, deadline);
  uint32_t now = weir__conn_tick(c);
  (void)loop;
  if (time_left(c, now) > 0)
    weir__conn_arm(c);
  else
    is_due(c, now);
}
