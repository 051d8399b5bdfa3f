/* What a loop counts beside struct weir_counters, for who watches the server: why connections were
 * rejected, how they closed, how long things took. Nothing here is on a message's way. */
#ifndef WEIR_WS_TALLY_H
#define WEIR_WS_TALLY_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Why a connection or a request was rejected; see weir__reject_name. */
enum weir__reject {
  WEIR__REJECT_BAD_REQUEST = 0,
  WEIR__REJECT_UNAUTHORIZED,
  WEIR__REJECT_FORBIDDEN,
  WEIR__REJECT_NOT_FOUND,
  WEIR__REJECT_METHOD,
  WEIR__REJECT_TIMEOUT,
  WEIR__REJECT_BODY_TOO_LARGE,
  WEIR__REJECT_URI_TOO_LONG,
  WEIR__REJECT_UPGRADE_REQUIRED,
  WEIR__REJECT_RATE,
  WEIR__REJECT_HEADER_TOO_LARGE,
  WEIR__REJECT_INTERNAL,
  WEIR__REJECT_UNAVAILABLE,
  WEIR__REJECT_OTHER,   /* any other status */
  WEIR__REJECT_FULL,    /* max_connections or max_handshakes */
  WEIR__REJECT_ADDRESS, /* max_connections_per_address */
  WEIR__REJECT_PROXY,   /* it broke the PROXY protocol */
  WEIR__REJECT_MEMORY,  /* there was none for the connection */
  WEIR__REJECTS
};

/* Who ended a connection: who sent the first Close frame, or went without one. */
enum weir__initiator { WEIR__BY_PEER = 0, WEIR__BY_US, WEIR__INITIATORS };

/* Close codes: 1000 .. 1015, and then two ranges (RFC 6455 section 7.4.2). */
enum {
  WEIR__CLOSES_NAMED = 16,
  WEIR__CLOSES_3XXX = WEIR__CLOSES_NAMED,
  WEIR__CLOSES_4XXX,
  WEIR__CLOSES
};

enum { WEIR__BUCKETS = 14 };

extern const uint64_t weir__bucket_us[WEIR__BUCKETS];

/* counts[i]: how many took at most weir__bucket_us[i]; the last one: longer than all of them. */
struct weir__durations {
  uint64_t counts[WEIR__BUCKETS + 1];
  uint64_t sum_us;
};

/* Only 64-bit counters: they are summed as such. Written by the loop, read relaxed by others. */
struct weir__tally {
  uint64_t rejected[WEIR__REJECTS];
  uint64_t closes[WEIR__INITIATORS][WEIR__CLOSES];
  uint64_t slow_closes;              /* connections closed for a full queue */
  struct weir__durations handshakes; /* from accept to the 101 */
  struct weir__durations lags;       /* by how much the loop's probe came too late */
};

/* The counter of a status that refuses a request; and of a code of on_close. */
enum weir__reject weir__reject_of(int status);
size_t weir__close_index(int code);

/* What they are called where they are shown. */
const char *weir__reject_name(enum weir__reject reason);
void weir__close_name(char name[8], size_t index);

/* Counts one, on its loop. */
void weir__durations_add(struct weir__durations *durations, uint64_t ns);

/* Adds a loop's tally to a sum, on any thread. */
void weir__tally_sum(struct weir__tally *sum, const struct weir__tally *tally);

#ifdef __cplusplus
}
#endif

#endif
