/* Counters by reason and code, and their names. */
#include "ws/tally.h"

#include "ws/server.h"

#include <stdio.h>

_Static_assert(sizeof(struct weir__tally) % sizeof(uint64_t) == 0, "a tally is counters alone");

enum { NS_PER_US = 1000 };

/* From 100 us to 10 s: a loop's hiccups and a handshake over the worst of lines. */
const uint64_t weir__bucket_us[WEIR__BUCKETS] = {100,    500,     1000,    2500,    5000,
                                                 10000,  25000,   50000,   100000,  250000,
                                                 500000, 1000000, 2500000, 10000000};

static const struct {
  int status; /* 0: none stands for it */
  const char *name;
} rejects[WEIR__REJECTS] = {
    [WEIR__REJECT_BAD_REQUEST] = {400, "bad_request"},
    [WEIR__REJECT_UNAUTHORIZED] = {401, "unauthorized"},
    [WEIR__REJECT_FORBIDDEN] = {403, "forbidden"},
    [WEIR__REJECT_NOT_FOUND] = {404, "not_found"},
    [WEIR__REJECT_METHOD] = {405, "method_not_allowed"},
    [WEIR__REJECT_TIMEOUT] = {408, "timeout"},
    [WEIR__REJECT_BODY_TOO_LARGE] = {413, "body_too_large"},
    [WEIR__REJECT_URI_TOO_LONG] = {414, "uri_too_long"},
    [WEIR__REJECT_UPGRADE_REQUIRED] = {426, "upgrade_required"},
    [WEIR__REJECT_RATE] = {429, "too_many_requests"},
    [WEIR__REJECT_HEADER_TOO_LARGE] = {431, "header_too_large"},
    [WEIR__REJECT_INTERNAL] = {500, "internal_error"},
    [WEIR__REJECT_UNAVAILABLE] = {503, "unavailable"},
    [WEIR__REJECT_OTHER] = {0, "other"},
    [WEIR__REJECT_FULL] = {0, "server_full"},
    [WEIR__REJECT_ADDRESS] = {0, "address_limit"},
    [WEIR__REJECT_PROXY] = {0, "proxy_protocol"},
    [WEIR__REJECT_MEMORY] = {0, "no_memory"},
};

enum weir__reject weir__reject_of(int status)
{
  for (int i = 0; i < WEIR__REJECT_OTHER; i++) {
    if (rejects[i].status == status)
      return (enum weir__reject)i;
  }
  return WEIR__REJECT_OTHER;
}

const char *weir__reject_name(enum weir__reject reason)
{
  return rejects[reason].name;
}

/* on_close gives no others: Close frames with such are answered with 1002. */
size_t weir__close_index(int code)
{
  if (code < 1000 + WEIR__CLOSES_NAMED)
    return (size_t)(code - 1000);
  return code < 4000 ? WEIR__CLOSES_3XXX : WEIR__CLOSES_4XXX;
}

void weir__close_name(char name[8], size_t index)
{
  if (index < WEIR__CLOSES_NAMED)
    snprintf(name, 8, "%u", 1000 + (unsigned)index % WEIR__CLOSES_NAMED);
  else
    snprintf(name, 8, "%s", index == WEIR__CLOSES_3XXX ? "3xxx" : "4xxx");
}

void weir__durations_add(struct weir__durations *durations, uint64_t ns)
{
  uint64_t us = ns / NS_PER_US;
  size_t at = 0;
  while (at < WEIR__BUCKETS && us > weir__bucket_us[at])
    at++;
  weir__count(&durations->counts[at], 1);
  weir__count(&durations->sum_us, us);
}

void weir__tally_sum(struct weir__tally *sum, const struct weir__tally *tally)
{
  uint64_t *to = (uint64_t *)sum;
  const uint64_t *from = (const uint64_t *)tally;
  for (size_t i = 0; i < sizeof *sum / sizeof *to; i++)
    to[i] += __atomic_load_n(&from[i], __ATOMIC_RELAXED);
}
