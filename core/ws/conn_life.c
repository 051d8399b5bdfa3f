/* Deadlines: the opening handshake, pings and their answers, messages that have begun, idleness,
 * the closing handshake (RFC 6455 sections 5.5.2, 7.1.1). A connection stands on the loop's coarse
 * wheel once; activity only writes a tick, and when the wheel brings the connection up, what is due
 * is worked out from the ticks. */
#include "ws/client.h"
#include "ws/http_conn.h"

#include "wire/close.h"

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

/* Spreads the pings of connections that came at once. */
static uint32_t ping_span(const struct weir_conn *c)
{
  uint32_t span = ticks(weir__conn_route(c)->options.ping_interval_ms);
  uint32_t spread = c->stream.source.slot * 2654435761u >> 16;
  return span == NEVER ? NEVER : span + spread % (span / 16 + 1);
}

/* Of the time for the message that is coming. */
static uint32_t left_of_message(const struct weir_conn *c, uint32_t now)
{
  const struct weir__inbox *in = c->inbox;
  if (in == NULL || !in->begun)
    return NEVER;
  return left(now, in->begun_tick, ticks(weir__conn_route(c)->options.message_timeout_ms));
}

static uint32_t left_when_open(const struct weir_conn *c, uint32_t now)
{
  const struct weir_route_options *options = &weir__conn_route(c)->options;
  uint32_t quiet = ping_span(c);
  if (c->pinged)
    quiet = sum(quiet, ticks(options->pong_timeout_ms));
  uint32_t silent = smaller(left(now, c->received_tick, quiet),
                            left(now, c->since_tick, ticks(options->idle_timeout_ms)));
  return smaller(silent, left_of_message(c, now));
}

/* A response may leave as slowly as others do, though the connection ends with it. */
static size_t close_timeout(const struct weir_conn *c)
{
  if (c->routed)
    return weir__conn_route(c)->options.close_timeout_ms;
  return c->outbox != NULL ? WEIR__HTTP_STALL_MS : WEIR__LINGER_MS;
}

static uint32_t time_left(const struct weir_conn *c, uint32_t now)
{
  if (c->state == WEIR__CONN_HTTP)
    return left(now, c->since_tick, ticks(weir__http_timeout_ms(c)));
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

static void open_is_due(struct weir_conn *c, uint32_t now)
{
  const struct weir_route_options *options = &weir__conn_route(c)->options;
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
