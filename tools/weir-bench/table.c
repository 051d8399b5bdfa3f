/* The end of a run as a table for people. */
#include "reports.h"

#include "words.h"

#include <inttypes.h>

static const char *plural(uint64_t count)
{
  return count == 1 ? "" : "s";
}

static void write_asked(FILE *out, const struct result *result)
{
  const struct settings *s = result->settings;
  fprintf(out, "%s %s\n  %s connection%s", s->mode->name, s->url, word_count(s->connections).text,
          plural(s->connections));
  if ((s->mode->uses & MODE_IN_FLIGHT) != 0)
    fprintf(out, ", %s in flight%s", word_count(s->in_flight).text, s->apart ? " apart" : "");
  if ((s->mode->uses & MODE_PAYLOAD) != 0)
    fprintf(out, ", %s B of %s", word_count(s->size).text, kind_name(s->kind));
  if (s->fragments > 1)
    fprintf(out, " in %u fragments", s->fragments);
  if (s->rate > 0)
    fprintf(out, ", %s/s", word_number(s->rate).text);
  if ((s->mode->uses & MODE_LIFETIME) != 0)
    fprintf(out, ", living %s", word_time(s->lifetime_s * 1e9).text);
  if ((s->mode->uses & MODE_STALL) != 0)
    fprintf(out, ", %s %% stalling %s", word_number(s->slow_percent).text,
            word_time(s->stall_s * 1e9).text);
  fprintf(out, ", %u thread%s%s%s\n  %.2f s measured after %.2f s of warm-up\n", s->threads,
          plural(s->threads), s->cpus != NULL ? " on CPU " : "", s->cpus != NULL ? s->cpus : "",
          result->seconds, s->warmup_s);
  if (result->tls[0] != '\0')
    fprintf(out, "  %s%s\n", result->tls,
            s->ca != NULL ? "" : "; the server's certificate was not verified");
  if (result->compression[0] != '\0')
    fprintf(out, "  permessage-deflate: %s\n", result->compression);
  fputc('\n', out);
}

static void write_traffic(FILE *out, const char *name, uint64_t messages, uint64_t bytes,
                          double seconds)
{
  if (messages == 0)
    return;
  fprintf(out, "  %-12s %15s", name, word_count(messages).text);
  if (seconds > 0)
    fprintf(out, "  %13s/s  %10s/s", word_count((uint64_t)((double)messages / seconds)).text,
            word_bytes((double)bytes / seconds).text);
  fprintf(out, "  %10s in all\n", word_bytes((double)bytes).text);
}

/* What a server said may hold anything, but does not get to steer the terminal. */
static void write_reason(FILE *out, const struct reason *reason)
{
  fprintf(out, "  %-12s %15s  ", "", word_count(reason->count).text);
  for (const char *c = reason->text; *c != '\0'; c++)
    fputc(*c >= ' ' && *c <= '~' ? *c : '?', out);
  fputc('\n', out);
}

static void write_counts(FILE *out, const struct result *result)
{
  const struct counts *c = &result->counts;
  const struct mode *mode = result->settings->mode;
  unsigned asked = result->settings->connections + ((mode->uses & MODE_SIDE) != 0);
  if (mode->uses != 0)
    fprintf(out, "  %-12s %15s  %13s/s\n", mode->operations, word_count(c->operations).text,
            word_number(figures_of(result).per_second).text);
  write_traffic(out, "sent", c->messages_sent, c->bytes_sent, result->seconds);
  write_traffic(out, "received", c->messages_received, c->bytes_received, result->seconds);
  if (c->compressed > 0)
    fprintf(out, "  %-12s %15s  of those received\n", "compressed", word_count(c->compressed).text);
  if (result->settings->resume)
    fprintf(out, "  %-12s %15s  of %s connections\n", "resumed", word_count(c->resumed).text,
            word_count(c->opened).text);
  fprintf(out, "  %-12s %15s  of %s\n", "held", word_count(result->held).text,
          word_count(asked).text);
  if (c->dropped > 0)
    fprintf(out, "  %-12s %15s  slow receivers closed by the server\n", "dropped",
            word_count(c->dropped).text);
  fprintf(out, "  %-12s %15s  wrong, %s lost, %s failed\n",
          result_is_good(result) ? "errors" : "ERRORS", word_count(c->wrong).text,
          word_count(c->lost).text, word_count(c->failed).text);
  for (size_t i = 0; i < result->reason_count; i++)
    write_reason(out, &result->reasons[i]);
}

static void write_latency(FILE *out, const struct histogram *latency)
{
  static const struct {
    const char *name;
    double percent;
  } columns[] = {{"min", 0},  {"p50", 50},     {"p75", 75},       {"p90", 90},
                 {"p99", 99}, {"p99.9", 99.9}, {"p99.99", 99.99}, {"max", 100}};
  enum { COLUMNS = sizeof columns / sizeof columns[0] };
  if (histogram_count(latency) == 0)
    return;
  fprintf(out, "\n  %-12s", "latency");
  for (size_t i = 0; i < COLUMNS; i++)
    fprintf(out, "  %8s", columns[i].name);
  fprintf(out, "\n  %-12s", "");
  for (size_t i = 0; i < COLUMNS; i++)
    fprintf(out, "  %8s",
            word_time((double)histogram_percentile(latency, columns[i].percent)).text);
  fputc('\n', out);
}

static void write_steps(FILE *out, const struct result *result)
{
  if (result->step_count == 0)
    return;
  fprintf(out, "\n  %-12s  %11s  %11s  %8s  %8s  %10s\n", "steps", "rate", "achieved", "p50", "p99",
          "server CPU");
  for (size_t i = 0; i < result->step_count; i++) {
    const struct step *step = &result->steps[i];
    fprintf(out, "  %-12s  %9s/s  %9s/s  %8s  %8s  %10s\n", "", word_number(step->rate).text,
            word_number(step->achieved).text, word_time(step->p50_us * 1e3).text,
            word_time(step->p99_us * 1e3).text,
            step->server_cpu_ns > 0 ? word_time(step->server_cpu_ns).text : "-");
  }
  if (result->knee > 0)
    fprintf(out, "  %-12s  %9s/s  the most with p99 below %s and nothing left behind\n", "knee",
            word_number(result->knee).text, word_time(result->settings->bound_us * 1e3).text);
  else
    fprintf(out, "  %-12s  none: p99 was never below %s with nothing left behind\n", "knee",
            word_time(result->settings->bound_us * 1e3).text);
}

static void write_server(FILE *out, const struct result *result)
{
  const struct server_use *use = &result->server;
  struct figures figures = figures_of(result);
  if (result->settings->server_pid == 0)
    return;
  fputc('\n', out);
  if (!use->known) {
    fprintf(out, "  %-12s  process %ld ended before the run did\n", "server",
            (long)result->settings->server_pid);
    return;
  }
  fprintf(out, "  %-12s  %s of CPU per operation, %.0f %% of a core, %u thread%s\n", "server",
          word_time(figures.cpu_ns_per_operation).text, figures.server_share * 100, use->threads,
          plural(use->threads));
  fprintf(out, "  %-12s  %s voluntary and %s involuntary, %.4f per operation\n", "switches",
          word_count(use->voluntary_switches).text, word_count(use->involuntary_switches).text,
          figures.switches_per_operation);
  fprintf(out, "  %-12s  %s before, %s after, %s at most; %s B per connection\n", "memory",
          word_bytes((double)use->rss_before_bytes).text,
          word_bytes((double)use->rss_after_bytes).text,
          word_bytes((double)use->rss_peak_bytes).text,
          word_number(figures.rss_per_connection_bytes).text);
}

static void write_generator(FILE *out, const struct result *result)
{
  struct figures figures = figures_of(result);
  fprintf(out, "%s  %-12s  %.0f %% of %u core%s\n", result->settings->server_pid == 0 ? "\n" : "",
          "this tool", figures.generator_share * 100, figures.generator_cores,
          plural(figures.generator_cores));
  if (figures.generator_share > GENERATOR_BUSY)
    fprintf(out, "  WARNING: it had no more to give, so the server may be faster than this."
                 " Give it more --threads or --cpus.\n");
}

void table_write(FILE *out, const struct result *result)
{
  write_asked(out, result);
  write_counts(out, result);
  write_latency(out, result->latency);
  write_steps(out, result);
  write_server(out, result);
  write_generator(out, result);
}
