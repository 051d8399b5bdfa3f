/* Figures that follow from a result, so that all reports tell the same. */
#include "cpus.h"
#include "reports.h"

#include <unistd.h>

static double ratio(double amount, double of)
{
  return of > 0 ? amount / of : 0;
}

/* A thread fills one core at most. */
static unsigned cores(const struct settings *settings)
{
  long there = settings->cpus != NULL ? cpus_count(settings->cpus) : sysconf(_SC_NPROCESSORS_ONLN);
  return there > 0 && (unsigned)there < settings->threads ? (unsigned)there : settings->threads;
}

struct figures figures_of(const struct result *result)
{
  const struct server_use *server = &result->server;
  double operations = (double)result->counts.operations, ns = result->seconds * 1e9;
  double switches = (double)(server->voluntary_switches + server->involuntary_switches);
  double grown = (double)server->rss_after_bytes - (double)server->rss_before_bytes;
  struct figures figures = {
      .per_second = ratio(operations, result->seconds),
      .cpu_ns_per_operation = ratio((double)server->cpu_ns, operations),
      .switches_per_operation = ratio(switches, operations),
      .server_share = ratio((double)server->cpu_ns, ns),
      .rss_per_connection_bytes = ratio(grown, result->held),
      .generator_cores = cores(result->settings),
  };
  figures.generator_share = ratio((double)result->generator_cpu_ns, ns * figures.generator_cores);
  return figures;
}

struct date date_of(time_t time)
{
  struct date date;
  struct tm parts;
  gmtime_r(&time, &parts);
  strftime(date.text, sizeof date.text, "%Y-%m-%dT%H:%M:%SZ", &parts);
  return date;
}

const char *kind_name(enum kind kind)
{
  static const char *const names[] = {
      [KIND_BINARY] = "binary", [KIND_TEXT] = "text", [KIND_CJK] = "cjk", [KIND_JSON] = "json"};
  return names[kind];
}
