/* The result as JSON; README.md tells its shape. */
#include "reports.h"

#include <weir/version.h>

#include <inttypes.h>
#include <math.h>

/* ---- a writer that indents, and knows where commas go */

struct json {
  FILE *out;
  int depth;
  bool first; /* nothing stands yet in the innermost braces */
};

static void string(FILE *out, const char *text)
{
  fputc('"', out);
  for (const unsigned char *c = (const unsigned char *)text; *c != '\0'; c++) {
    if (*c == '"' || *c == '\\')
      fprintf(out, "\\%c", *c);
    else if (*c < ' ' || *c == 0x7F)
      fprintf(out, "\\u%04x", *c);
    else if (*c > 0x7F)
      fputs("\\ufffd", out); /* what servers say may be cut anywhere, or be no text */
    else
      fputc(*c, out);
  }
  fputc('"', out);
}

/* Begins a value: in an object with its key, in a list without (NULL). */
static void key(struct json *json, const char *name)
{
  fprintf(json->out, "%s\n%*s", json->first ? "" : ",", 2 * json->depth, "");
  json->first = false;
  if (name != NULL) {
    string(json->out, name);
    fputs(": ", json->out);
  }
}

static void begin(struct json *json, const char *name, char brace)
{
  if (json->depth > 0)
    key(json, name);
  fputc(brace, json->out);
  json->depth++;
  json->first = true;
}

static void end(struct json *json, char brace)
{
  json->depth--;
  fprintf(json->out, "\n%*s%c", 2 * json->depth, "", brace);
  json->first = false;
}

static void text(struct json *json, const char *name, const char *value)
{
  key(json, name);
  if (value != NULL)
    string(json->out, value);
  else
    fputs("null", json->out);
}

static void count(struct json *json, const char *name, uint64_t value)
{
  key(json, name);
  fprintf(json->out, "%" PRIu64, value);
}

static void bare_number(FILE *out, double value)
{
  if (isfinite(value))
    fprintf(out, "%.12g", value);
  else
    fputs("null", out);
}

static void number(struct json *json, const char *name, double value)
{
  key(json, name);
  bare_number(json->out, value);
}

/* ---- the parts */

static void settings(struct json *json, const struct settings *s)
{
  begin(json, "settings", '{');
  count(json, "connections", s->connections);
  count(json, "in_flight", s->in_flight);
  count(json, "apart", s->apart);
  count(json, "size", s->size);
  text(json, "kind", kind_name(s->kind));
  count(json, "fragments", s->fragments);
  number(json, "rate", s->rate);
  number(json, "warmup_s", s->warmup_s);
  number(json, "seconds", s->seconds);
  number(json, "lifetime_s", s->lifetime_s);
  number(json, "stall_s", s->stall_s);
  number(json, "slow_percent", s->slow_percent);
  number(json, "bound_us", s->bound_us);
  text(json, "side_path", s->side_path);
  count(json, "addresses", s->addresses);
  count(json, "threads", s->threads);
  count(json, "spin_us", s->spin_us);
  text(json, "cpus", s->cpus);
  count(json, "compress", s->compress);
  count(json, "no_takeover", s->no_takeover);
  count(json, "tls_version", s->tls_version);
  text(json, "ca", s->ca);
  count(json, "resume", s->resume);
  end(json, '}');
}

static void counts(struct json *json, const struct counts *c)
{
  begin(json, "counts", '{');
  count(json, "operations", c->operations);
  count(json, "messages_sent", c->messages_sent);
  count(json, "messages_received", c->messages_received);
  count(json, "bytes_sent", c->bytes_sent);
  count(json, "bytes_received", c->bytes_received);
  count(json, "opened", c->opened);
  count(json, "wrong", c->wrong);
  count(json, "lost", c->lost);
  count(json, "failed", c->failed);
  count(json, "dropped", c->dropped);
  count(json, "compressed", c->compressed);
  count(json, "resumed", c->resumed);
  end(json, '}');
}

static double percentile_us(const struct histogram *latency, double percent)
{
  return (double)histogram_percentile(latency, percent) / 1e3;
}

static void latency_us(struct json *json, const struct histogram *latency)
{
  static const struct {
    const char *name;
    double percent;
  } wanted[] = {{"p50", 50}, {"p75", 75},     {"p90", 90},       {"p95", 95},
                {"p99", 99}, {"p99.9", 99.9}, {"p99.99", 99.99}, {"max", 100}};
  begin(json, "latency_us", '{');
  count(json, "count", histogram_count(latency));
  number(json, "min", percentile_us(latency, 0));
  number(json, "mean", histogram_mean(latency) / 1e3);
  for (size_t i = 0; i < sizeof wanted / sizeof wanted[0]; i++)
    number(json, wanted[i].name, percentile_us(latency, wanted[i].percent));
  end(json, '}');
}

static void point(struct json *json, double percent, double us)
{
  key(json, NULL);
  fputc('[', json->out);
  bare_number(json->out, percent);
  fputs(", ", json->out);
  bare_number(json->out, us);
  fputc(']', json->out);
}

/* Five points for each halving of what lies above, as long as that is one value or more. */
static void spectrum(struct json *json, const struct histogram *latency)
{
  double values = (double)histogram_count(latency);
  begin(json, "spectrum", '[');
  for (double above = 100; values > 0 && above >= 0.0001; above /= 2) {
    for (int i = 0; i < 5; i++) {
      double percent = 100 - above + above / 10 * i;
      if ((100 - percent) / 100 * values >= 1 && percent <= 99.9999)
        point(json, percent, percentile_us(latency, percent));
    }
  }
  if (values > 0)
    point(json, 100, percentile_us(latency, 100));
  end(json, ']');
}

static void server(struct json *json, const struct result *result)
{
  const struct server_use *use = &result->server;
  struct figures figures = figures_of(result);
  if (!use->known) {
    text(json, "server", NULL);
    return;
  }
  begin(json, "server", '{');
  count(json, "pid", (uint64_t)result->settings->server_pid);
  count(json, "cpu_ns", use->cpu_ns);
  number(json, "cpu_ns_per_operation", figures.cpu_ns_per_operation);
  number(json, "cpu_share", figures.server_share);
  count(json, "voluntary_switches", use->voluntary_switches);
  count(json, "involuntary_switches", use->involuntary_switches);
  number(json, "switches_per_operation", figures.switches_per_operation);
  count(json, "rss_before_bytes", use->rss_before_bytes);
  count(json, "rss_after_bytes", use->rss_after_bytes);
  count(json, "rss_peak_bytes", use->rss_peak_bytes);
  number(json, "rss_per_connection_bytes", figures.rss_per_connection_bytes);
  count(json, "threads", use->threads);
  end(json, '}');
}

static void generator(struct json *json, const struct result *result)
{
  struct figures figures = figures_of(result);
  begin(json, "generator", '{');
  count(json, "cpu_ns", result->generator_cpu_ns);
  number(json, "cpu_share", figures.generator_share);
  count(json, "cores", figures.generator_cores);
  end(json, '}');
}

static void steps(struct json *json, const struct result *result)
{
  begin(json, "steps", '[');
  for (size_t i = 0; i < result->step_count; i++) {
    const struct step *step = &result->steps[i];
    begin(json, NULL, '{');
    number(json, "rate", step->rate);
    number(json, "achieved", step->achieved);
    number(json, "p50_us", step->p50_us);
    number(json, "p99_us", step->p99_us);
    number(json, "server_cpu_ns", step->server_cpu_ns);
    end(json, '}');
  }
  end(json, ']');
  number(json, "knee", result->knee);
}

static void reasons(struct json *json, const struct result *result)
{
  begin(json, "reasons", '[');
  for (size_t i = 0; i < result->reason_count; i++) {
    begin(json, NULL, '{');
    text(json, "text", result->reasons[i].text);
    count(json, "count", result->reasons[i].count);
    end(json, '}');
  }
  end(json, ']');
}

void json_write(FILE *out, const struct result *result, time_t when)
{
  struct json json = {.out = out};
  begin(&json, NULL, '{');
  text(&json, "tool", "weir-bench");
  text(&json, "version", weir_version());
  text(&json, "date", date_of(when).text);
  text(&json, "url", result->settings->url);
  text(&json, "mode", result->settings->mode->name);
  settings(&json, result->settings);
  text(&json, "tls", result->tls[0] != '\0' ? result->tls : NULL);
  text(&json, "compression", result->compression[0] != '\0' ? result->compression : NULL);
  number(&json, "seconds", result->seconds);
  counts(&json, &result->counts);
  text(&json, "operation", result->settings->mode->operations);
  number(&json, "per_second", figures_of(result).per_second);
  latency_us(&json, result->latency);
  spectrum(&json, result->latency);
  server(&json, result);
  generator(&json, result);
  steps(&json, result);
  count(&json, "held", result->held);
  reasons(&json, result);
  end(&json, '}');
  fputc('\n', out);
}
