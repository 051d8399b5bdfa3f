/* weir-bench: reads what it is asked, makes the load, looks at the server's process meanwhile, and
 * reports. Exit status: 0 all came back right, 1 not all did, 2 wrong arguments. */
#include "arguments.h"
#include "cpus.h"
#include "live.h"
#include "process.h"
#include "reports.h"

#include <weir/version.h>

#include <errno.h>
#include <signal.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* A measured time; a ramp has one for each step. */
struct span {
  struct server_use server;
  uint64_t own_ns; /* CPU time of this process */
};

struct bench {
  struct settings settings;
  struct process *process; /* the server's; NULL: none was named */
  struct display display;
  uint64_t own_begun_ns;
  struct span *spans;
  size_t span_count;
  FILE *table, *json, *csv;
};

static volatile sig_atomic_t interrupted;

/* The second one ends the program at once. */
static void on_signal(int number)
{
  interrupted = 1;
  signal(number, SIG_DFL);
}

/* ---- before the run */

__attribute__((format(printf, 1, 2), noreturn)) static void refuse(const char *format, ...)
{
  va_list arguments;
  fputs("weir-bench: ", stderr);
  va_start(arguments, format);
  vfprintf(stderr, format, arguments);
  va_end(arguments);
  fputs(" (try --help)\n", stderr);
  exit(2);
}

static void check_cpus(const char *list)
{
  long there = sysconf(_SC_NPROCESSORS_CONF);
  int count = list != NULL ? cpus_count(list) : 0;
  for (int i = 0; i < count; i++) {
    int cpu = cpus_at(list, (unsigned)i);
    if (cpu >= there)
      refuse("--cpus names CPU %d, and this machine has 0 to %ld", cpu, there - 1);
  }
}

static void open_process(struct bench *bench)
{
  pid_t pid = bench->settings.server_pid;
  if (pid == 0)
    return;
  bench->process = process_new(pid);
  if (bench->process == NULL)
    refuse(errno == ENOENT || errno == ESRCH ? "--server-pid: there is no process %ld"
                                             : "--server-pid: process %ld cannot be looked at",
           (long)pid);
}

/* The table gives way to what programs read from standard output. */
static void open_reports(struct bench *bench)
{
  const struct settings *s = &bench->settings;
  const char *wrong;
  bench->table = stdout;
  if ((s->json != NULL && strcmp(s->json, "-") == 0) ||
      (s->csv != NULL && strcmp(s->csv, "-") == 0))
    bench->table = stderr;
  if (s->json != NULL)
    bench->json = strcmp(s->json, "-") == 0 ? stdout : fopen(s->json, "we");
  if (s->json != NULL && bench->json == NULL)
    refuse("--json %s: %s", s->json, strerror(errno));
  if (s->csv != NULL)
    bench->csv = csv_open(s->csv, &wrong);
  if (s->csv != NULL && bench->csv == NULL)
    refuse("--csv %s: %s", s->csv, wrong);
}

static void read_arguments(struct bench *bench, int argc, char **argv)
{
  char sentence[400];
  switch (arguments_read(&bench->settings, argc, argv, sentence, sizeof sentence)) {
  case ASKED_HELP:
    arguments_help(stdout);
    exit(0);
  case ASKED_VERSION:
    printf("weir-bench %s\n", weir_version());
    exit(0);
  case ASKED_WRONG:
    refuse("%s", sentence);
  case ASKED_RUN:
    break;
  }
}

/* ---- during the run */

static void end_span(struct bench *bench)
{
  struct span span = {.own_ns = process_own_cpu_ns() - bench->own_begun_ns};
  struct span *grown = realloc(bench->spans, (bench->span_count + 1) * sizeof *grown);
  if (bench->process != NULL) {
    process_end(bench->process);
    span.server = process_use(bench->process);
  }
  if (grown == NULL)
    return;
  bench->spans = grown;
  bench->spans[bench->span_count++] = span;
}

static void on_phase(void *arg, enum phase phase)
{
  struct bench *bench = arg;
  if (phase == PHASE_MEASURING) {
    if (bench->process != NULL)
      process_begin(bench->process);
    bench->own_begun_ns = process_own_cpu_ns();
  } else if (phase == PHASE_DRAINING) {
    end_span(bench);
  }
}

static bool on_tick(void *arg, const struct live *live)
{
  struct bench *bench = arg;
  if (bench->process != NULL && live->phase == PHASE_MEASURING)
    process_look(bench->process);
  live_show(&bench->display, live);
  return !interrupted;
}

static uint64_t server_cpu_ns(void *arg)
{
  struct bench *bench = arg;
  return bench->process != NULL ? process_cpu_ns(bench->process) : 0;
}

/* ---- after it */

static void report(struct bench *bench, const struct result *result)
{
  time_t now = time(NULL);
  table_write(bench->table, result);
  if (bench->json != NULL)
    json_write(bench->json, result, now);
  if (bench->csv != NULL)
    csv_write(bench->csv, result, now);
}

/* What the processes used while that was counted which the result tells: of a ramp that is the step
 * at the knee. */
static void add_processes(const struct bench *bench, struct result *result)
{
  size_t at = bench->span_count;
  for (size_t i = 0; i < result->step_count && i < at; i++) {
    if (result->steps[i].rate == result->knee)
      at = i + 1;
  }
  if (at == 0)
    return;
  result->server = bench->spans[at - 1].server;
  result->generator_cpu_ns = bench->spans[at - 1].own_ns;
}

static int run(struct bench *bench)
{
  struct watch watch = {
      .arg = bench, .phase = on_phase, .tick = on_tick, .server_cpu_ns = server_cpu_ns};
  struct result result = {.settings = &bench->settings};
  struct histogram *none = histogram_new();
  if (bench->process != NULL)
    process_before(bench->process);
  live_begin(&bench->display, &bench->settings, stderr);
  int made = none != NULL ? load_run(&bench->settings, &watch, &result) : -1;
  live_end(&bench->display);
  result.settings = &bench->settings;
  add_processes(bench, &result);
  if (result.latency == NULL)
    result.latency = none;
  if (interrupted)
    fprintf(stderr, "weir-bench: ended early\n");
  if (result.latency != NULL)
    report(bench, &result);
  bool good = made == 0 && result_is_good(&result);
  load_free(&result);
  histogram_free(none);
  return good ? 0 : 1;
}

/* Whether all that was written has arrived. */
static bool close_report(FILE *file, const char *name)
{
  if (file == NULL || fflush(file) == 0)
    return true;
  fprintf(stderr, "weir-bench: %s: %s\n", name, strerror(errno));
  return false;
}

int main(int argc, char **argv)
{
  static struct bench bench;
  struct sigaction action = {.sa_handler = on_signal};
  read_arguments(&bench, argc, argv);
  check_cpus(bench.settings.cpus);
  open_process(&bench);
  open_reports(&bench);
  sigaction(SIGINT, &action, NULL);
  sigaction(SIGTERM, &action, NULL);
  int status = run(&bench);
  if (!close_report(bench.json, bench.settings.json) ||
      !close_report(bench.csv, bench.settings.csv) || !close_report(bench.table, "the table"))
    status = 1;
  process_free(bench.process);
  free(bench.spans);
  return status;
}
