/* How much a connection may send in a time: two allowances, of messages and of bytes, which fill up
 * at the route's rates to twice what they are a second, and are charged with what each turn read.
 * Who takes more than there is fails with 1008 in that same turn (RFC 6455 section 10.4).
 *
 * An allowance is kept in thousandths, of which a tick of the wheel brings 64 times the rate: none
 * is lost to rounding. */
#include "ws/extra.h"

#include "wire/close.h"

enum {
  THOUSAND = 1000,
  BURST = 2, /* seconds' worth */
  TICKS_MOST = 1 << 16,
};
static const uint64_t RATE_MOST = UINT64_C(1) << 40, ALLOWANCE_MOST = UINT64_C(1) << 62;

static uint64_t allowed(size_t rate)
{
  return rate < RATE_MOST ? rate : RATE_MOST;
}

static uint64_t burst(size_t rate)
{
  return allowed(rate) * BURST * THOUSAND;
}

/* What ticks add to an allowance; more than most only where it was more before. */
static uint64_t filled(uint64_t have, size_t rate, uint32_t ticks, uint64_t most)
{
  uint64_t more = allowed(rate) * WEIR__WHEEL_TICK_MS * ticks;
  if (have >= most)
    return have;
  return more < most - have ? have + more : most;
}

static void fill(struct weir_conn *c, bool beyond)
{
  const struct weir_route_options *options = &weir__conn_route(c)->options;
  size_t messages = options->max_messages_per_s, bytes = options->max_bytes_per_s;
  struct weir__extra *extra = weir__conn_extra(c);
  uint32_t ticks = weir__conn_tick(c) - extra->meter_tick;
  if (ticks > TICKS_MOST)
    ticks = TICKS_MOST;
  extra->meter_tick = weir__conn_tick(c);
  extra->meter_messages =
      filled(extra->meter_messages, messages, ticks, beyond ? ALLOWANCE_MOST : burst(messages));
  extra->meter_bytes =
      filled(extra->meter_bytes, bytes, ticks, beyond ? ALLOWANCE_MOST : burst(bytes));
}

static bool take(uint64_t *allowance, size_t rate, uint64_t count)
{
  if (rate == WEIR_OFF)
    return true;
  if (count * THOUSAND > *allowance)
    return false;
  *allowance -= count * THOUSAND;
  return true;
}

static void charge(struct weir_conn *c, uint64_t messages, uint64_t bytes)
{
  const struct weir_route_options *options = &weir__conn_route(c)->options;
  struct weir__extra *extra = weir__conn_extra(c);
  if (!weir__conn_is_live(c) || (messages == 0 && bytes == 0))
    return;
  fill(c, false);
  if (!take(&extra->meter_messages, options->max_messages_per_s, messages))
    weir__conn_fail(c, -WEIR__CLOSE_POLICY, "too many messages in a second");
  else if (!take(&extra->meter_bytes, options->max_bytes_per_s, bytes))
    weir__conn_fail(c, -WEIR__CLOSE_POLICY, "too many bytes in a second");
}

/* Of the connection whose input is worked off, and of those before it: only differences count. */
static uint64_t messages_so_far(const struct weir_conn *c)
{
  return c->shard->counters.messages_received + c->shard->controls_received;
}

void weir__meter_begin(struct weir_conn *c)
{
  const struct weir__route *route = weir__conn_route(c);
  struct weir__extra *extra = weir__conn_extra(c);
  if (!route->metered)
    return;
  c->metered = 1;
  extra->meter_tick = weir__conn_tick(c);
  extra->meter_messages = burst(route->options.max_messages_per_s);
  extra->meter_bytes = burst(route->options.max_bytes_per_s);
}

void weir__meter_read(struct weir_conn *c)
{
  uint64_t messages = messages_so_far(c);
  uint64_t bytes = c->shard->counters.bytes_received;
  weir__conn_read(c);
  charge(c, messages_so_far(c) - messages, c->shard->counters.bytes_received - bytes);
}

void weir__meter_input(struct weir_conn *c, unsigned char *data, size_t len, size_t *frames)
{
  uint64_t messages = messages_so_far(c);
  weir__conn_input(c, data, len, frames);
  if (!c->metered)
    return;
  charge(c, messages_so_far(c) - messages, len);
  *frames = 0; /* the turn ends, so that the next read is metered as a whole */
}

void weir__meter_pause(struct weir_conn *c)
{
  if (c->metered)
    fill(c, false);
}

void weir__meter_resume(struct weir_conn *c)
{
  if (c->metered)
    fill(c, true);
}
