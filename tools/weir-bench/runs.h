/* What the modes are made of: their runs, and what those share that echo or broadcast. For the
 * files mode*.c and echo.c. */
#ifndef WEIR_BENCH_RUNS_H
#define WEIR_BENCH_RUNS_H

#include "worker.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Connections under way at a time: fewer than the shortest usual backlog. */
enum { CONNECTING = 100 };

int run_closed(struct load *load);
int run_rate(struct load *load);
int run_ramp(struct load *load);
int run_broadcast(struct load *load);
int run_slow(struct load *load);
int run_bystander(struct load *load);
int run_storm(struct load *load);
int run_churn(struct load *load);
int run_idle(struct load *load);

/* Echo. prepare gives the rings of times; begin sends what may be in flight; message lets the next
 * one go; stop cuts off what was not begun; drained and missing as of a plan. */
int echo_prepare(struct load *load);
void echo_begin(struct worker *worker);
void echo_allow(struct client *client);
void echo_message(struct client *client, uint64_t seq, bool good);
void echo_stop(struct worker *worker);
bool echo_drained(struct worker *worker);
void echo_missing(struct worker *worker);

/* Open loop: each connection of a worker sends evenly, so that all together send at load->rate. */
extern const struct plan rate_plan;

/* Broadcast: connection 0 sends, all others receive, and it, too, where the server is of that kind.
 * Without load->rate, it sends when all that a broadcast waits for have the message that is
 * in_flight back. */
int broadcast_prepare(struct load *load);
void broadcast_begin(struct worker *worker);
void broadcast_message(struct client *client, uint64_t seq, bool good);
void broadcast_receive(struct client *client, uint64_t seq); /* the same, without counting */
void broadcast_ended(struct client *client, bool clean);
void broadcast_excuse(struct client *client); /* nobody waits for it any more */
void broadcast_stop(struct worker *worker);
bool broadcast_drained(struct worker *worker);
void broadcast_missing(struct worker *worker);

#ifdef __cplusplus
}
#endif

#endif
