/* The knee: open loops of different rates, one after the other, until the highest rate is found
 * that the server keeps up with. What is reported beside the steps is of that one. */
#include "runs.h"

#include <stdlib.h>

enum { FIRST_RATE = 1000 };

static struct step take_step(struct load *load, double rate)
{
  const struct settings *settings = load->settings;
  const struct counts *counts = &load->result->counts;
  load->rate = rate;
  load_measure(load, settings->warmup_s, settings->seconds);
  load_drain(load);
  struct step step = {.rate = rate,
                      .achieved = (double)counts->operations / load->result->seconds,
                      .p50_us = (double)histogram_percentile(load->latency, 50) / 1e3,
                      .p99_us = (double)histogram_percentile(load->latency, 99) / 1e3};
  if (counts->operations > 0)
    step.server_cpu_ns = (double)load->server_cpu_ns / (double)counts->operations;
  return step;
}

/* Keeps what the best step gave, but for failures, which are of all steps. */
static void keep(struct result *best, const struct load *load, struct histogram *latency)
{
  *best = *load->result;
  histogram_reset(latency);
  histogram_merge(latency, load->latency);
}

static void restore(struct load *load, const struct result *best)
{
  struct result *result = load->result;
  struct counts counts = result->counts;
  result->seconds = best->seconds;
  result->held = best->held;
  result->counts = best->counts;
  result->counts.wrong = counts.wrong;
  result->counts.lost = counts.lost;
  result->counts.failed = counts.failed;
}

static int search(struct load *load, struct step *steps, struct histogram *latency)
{
  const struct settings *settings = load->settings;
  struct result *result = load->result, best = {0};
  struct knee knee = knee_begin(settings->rate > 0 ? settings->rate : FIRST_RATE);
  result->steps = steps;
  if (load_connect(load, &rate_plan) < 0)
    return -1;
  while (knee.next > 0 && !load->ended && result_is_good(result)) {
    struct step *step = &steps[result->step_count++];
    *step = take_step(load, knee.next);
    bool held = knee_held(step->rate, step->achieved, step->p99_us, settings->bound_us);
    knee_tell(&knee, held);
    if (held)
      keep(&best, load, latency);
  }
  result->knee = knee.good;
  if (knee.good > 0) {
    restore(load, &best);
    histogram_reset(load->latency);
    histogram_merge(load->latency, latency);
  }
  return 0;
}

int run_ramp(struct load *load)
{
  struct step *steps = calloc(KNEE_TRIES, sizeof *steps);
  struct histogram *latency = histogram_new();
  int error = -1;
  if (steps != NULL && latency != NULL)
    error = search(load, steps, latency);
  else
    free(steps);
  histogram_free(latency);
  return error;
}
