/* What is written when a run has ended: a table for people, JSON and CSV for programs. */
#ifndef WEIR_BENCH_REPORTS_H
#define WEIR_BENCH_REPORTS_H

#include "modes.h"

#include <stdio.h>
#include <time.h>

#ifdef __cplusplus
extern "C" {
#endif

/* What follows from a result. */
struct figures {
  double per_second; /* operations */
  double cpu_ns_per_operation, switches_per_operation;
  double server_share; /* of one core */
  double rss_per_connection_bytes;
  double generator_share; /* of the cores that it may use */
  unsigned generator_cores;
};

struct figures figures_of(const struct result *result);

/* The share from which on the load, not the server, may have been what was measured. */
#define GENERATOR_BUSY 0.9

/* "2026-03-01T12:00:00Z" */
struct date {
  char text[24];
};
struct date date_of(time_t time);

/* The word of --text and its like. */
const char *kind_name(enum kind kind);

void table_write(FILE *out, const struct result *result);

void json_write(FILE *out, const struct result *result, time_t when);

/* Opens a CSV file to append to ("-": standard output), with a first row of names when it is new.
 * Returns NULL, with a clause in *wrong, when it cannot be, or its columns are others. */
FILE *csv_open(const char *path, const char **wrong);
void csv_write(FILE *out, const struct result *result, time_t when);

#ifdef __cplusplus
}
#endif

#endif
