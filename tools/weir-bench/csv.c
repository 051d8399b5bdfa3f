/* The result as one row of CSV (RFC 4180): each column is written by the same line as its name. */
#include "reports.h"

#include <weir/version.h>

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

struct csv {
  FILE *out;
  bool names; /* the first row: the names, not what they name */
  bool begun;
};

/* Begins a column; whether its value is wanted. */
static bool column(struct csv *csv, const char *name)
{
  if (csv->begun)
    fputc(',', csv->out);
  csv->begun = true;
  if (csv->names)
    fputs(name, csv->out);
  return !csv->names;
}

/* Text is quoted when it must be. */
static void text(struct csv *csv, const char *name, const char *value)
{
  if (!column(csv, name))
    return;
  if (strpbrk(value, ",\"\r\n") == NULL) {
    fputs(value, csv->out);
    return;
  }
  fputc('"', csv->out);
  for (; *value != '\0'; value++) {
    if (*value == '"')
      fputc('"', csv->out);
    fputc(*value, csv->out);
  }
  fputc('"', csv->out);
}

static void count(struct csv *csv, const char *name, uint64_t value)
{
  if (column(csv, name))
    fprintf(csv->out, "%" PRIu64, value);
}

static void number(struct csv *csv, const char *name, double value)
{
  if (column(csv, name))
    fprintf(csv->out, "%.12g", value);
}

/* A column that stays empty when nothing is known. */
static void known(struct csv *csv, const char *name, bool is, double value)
{
  if (is)
    number(csv, name, value);
  else
    text(csv, name, "");
}

static void settings(struct csv *csv, const struct settings *s)
{
  text(csv, "url", s->url);
  text(csv, "mode", s->mode->name);
  count(csv, "connections", s->connections);
  count(csv, "in_flight", s->in_flight);
  count(csv, "apart", s->apart);
  count(csv, "size", s->size);
  text(csv, "kind", kind_name(s->kind));
  count(csv, "fragments", s->fragments);
  number(csv, "rate", s->rate);
  count(csv, "compress", s->compress);
  count(csv, "no_takeover", s->no_takeover);
  count(csv, "threads", s->threads);
}

static void counts(struct csv *csv, const struct result *result)
{
  const struct counts *c = &result->counts;
  number(csv, "seconds", result->seconds);
  count(csv, "operations", c->operations);
  number(csv, "per_second", figures_of(result).per_second);
  count(csv, "messages_sent", c->messages_sent);
  count(csv, "messages_received", c->messages_received);
  count(csv, "bytes_sent", c->bytes_sent);
  count(csv, "bytes_received", c->bytes_received);
  count(csv, "opened", c->opened);
  count(csv, "wrong", c->wrong);
  count(csv, "lost", c->lost);
  count(csv, "failed", c->failed);
  count(csv, "dropped", c->dropped);
  count(csv, "compressed", c->compressed);
  count(csv, "resumed", c->resumed);
  count(csv, "held", result->held);
  number(csv, "knee", result->knee);
}

static void latency(struct csv *csv, const struct histogram *latency)
{
  static const struct {
    const char *name;
    double percent;
  } wanted[] = {{"p50_us", 50},     {"p75_us", 75},       {"p90_us", 90}, {"p99_us", 99},
                {"p99.9_us", 99.9}, {"p99.99_us", 99.99}, {"max_us", 100}};
  for (size_t i = 0; i < sizeof wanted / sizeof wanted[0]; i++)
    number(csv, wanted[i].name, (double)histogram_percentile(latency, wanted[i].percent) / 1e3);
}

static void processes(struct csv *csv, const struct result *result)
{
  const struct server_use *use = &result->server;
  struct figures figures = figures_of(result);
  known(csv, "server_cpu_ns", use->known, (double)use->cpu_ns);
  known(csv, "cpu_ns_per_operation", use->known, figures.cpu_ns_per_operation);
  known(csv, "switches_per_operation", use->known, figures.switches_per_operation);
  known(csv, "rss_before_bytes", use->known, (double)use->rss_before_bytes);
  known(csv, "rss_after_bytes", use->known, (double)use->rss_after_bytes);
  known(csv, "rss_peak_bytes", use->known, (double)use->rss_peak_bytes);
  known(csv, "rss_per_connection_bytes", use->known, figures.rss_per_connection_bytes);
  number(csv, "generator_share", figures.generator_share);
}

/* One row, of names or of a result, for the caller to free; NULL: no memory. */
static char *row(bool names, const struct result *result, time_t when)
{
  char *line = NULL;
  size_t size;
  struct csv csv = {.out = open_memstream(&line, &size), .names = names};
  if (csv.out == NULL)
    return NULL;
  text(&csv, "date", date_of(when).text);
  text(&csv, "version", weir_version());
  settings(&csv, result->settings);
  counts(&csv, result);
  latency(&csv, result->latency);
  processes(&csv, result);
  fputc('\n', csv.out);
  return fclose(csv.out) == 0 ? line : NULL;
}

static char *names_row(void)
{
  const struct settings settings = {.mode = modes, .url = "", .threads = 1};
  const struct result none = {.settings = &settings, .latency = histogram_new()};
  char *line = none.latency != NULL ? row(true, &none, 0) : NULL;
  histogram_free((struct histogram *)none.latency);
  return line;
}

/* Whether the file begins with these names; a new one is made to. */
static const char *judge(FILE *file, const char *names)
{
  char *line = NULL;
  size_t size = 0;
  rewind(file);
  ssize_t len = getline(&line, &size, file);
  bool same = len > 0 && strcmp(line, names) == 0;
  free(line);
  if (len > 0)
    return same ? NULL : "its first row names other columns than this version writes";
  return fputs(names, file) >= 0 && fflush(file) == 0 ? NULL : strerror(errno);
}

FILE *csv_open(const char *path, const char **wrong)
{
  FILE *file = strcmp(path, "-") == 0 ? stdout : fopen(path, "a+e");
  if (file == NULL) {
    *wrong = strerror(errno);
    return NULL;
  }
  char *names = names_row();
  *wrong = NULL;
  if (names == NULL)
    *wrong = strerror(ENOMEM);
  else if (file == stdout)
    fputs(names, stdout);
  else
    *wrong = judge(file, names);
  free(names);
  if (*wrong != NULL && file != stdout)
    fclose(file);
  return *wrong == NULL ? file : NULL;
}

/* By one write, so that rows of others do not come in between. */
void csv_write(FILE *out, const struct result *result, time_t when)
{
  char *line = row(false, result, when);
  if (line == NULL)
    return;
  fseek(out, 0, SEEK_END);
  fputs(line, out);
  fflush(out);
  free(line);
}
