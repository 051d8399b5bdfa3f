/* The line that is shown while a run goes on. */
#ifndef WEIR_BENCH_LIVE_H
#define WEIR_BENCH_LIVE_H

#include "modes.h"

#include <stdio.h>

#ifdef __cplusplus
extern "C" {
#endif

/* What stays between two looks. */
struct display {
  FILE *out; /* NULL: nothing is shown */
  bool terminal;
  const struct settings *settings;
  double told_s; /* the clock when a line was last written to what is no terminal */
  enum phase phase;
  double since_s; /* of the phase: when operations was counted */
  uint64_t operations;
  double per_second; /* over the second before since_s */
};

/* Shows on a terminal a line that is drawn again and again, elsewhere one every few seconds. */
void live_begin(struct display *display, const struct settings *settings, FILE *out);
void live_show(struct display *display, const struct live *live);

/* Takes the line away. */
void live_end(struct display *display);

/* The line itself, ASCII, cut to width. */
void live_text(struct display *display, const struct live *live, char *text, size_t width);

#ifdef __cplusplus
}
#endif

#endif
