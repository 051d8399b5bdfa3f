/* Draws the line: phase, progress, what went wrong, rate and latency up to now; the most important
 * first, since a narrow terminal cuts it. */
#include "live.h"

#include "words.h"

#include <stdarg.h>
#include <string.h>
#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>

enum { BAR = 20, WIDTH_MAX = 400, WIDE = 90, EVERY_S = 5 };

/* Text that grows up to its size. */
struct line {
  char *text;
  size_t len, size;
};

__attribute__((format(printf, 2, 3))) static void add(struct line *line, const char *format, ...)
{
  va_list arguments;
  va_start(arguments, format);
  int len = vsnprintf(line->text + line->len, line->size - line->len, format, arguments);
  va_end(arguments);
  size_t left = line->size - line->len - 1;
  line->len += (size_t)len < left ? (size_t)len : left;
}

/* How much of the phase has passed, 0 to 1; below 0: nobody knows. */
static double progress(const struct settings *settings, const struct live *live)
{
  double done = -1;
  if (live->phase == PHASE_CONNECTING)
    done = (double)live->open / settings->connections;
  else if (live->phase == PHASE_WARMUP && settings->warmup_s > 0)
    done = live->seconds / settings->warmup_s;
  else if (live->phase == PHASE_MEASURING)
    done = live->seconds / settings->seconds;
  return done < 1 ? done : 1;
}

/* Narrow terminals have a short bar. */
static void add_bar(struct line *line, double done)
{
  char bar[BAR + 1];
  int len = line->size > WIDE ? BAR : BAR / 4;
  if (done < 0)
    return;
  int percent = (int)(done * 100 + 1e-6), full = percent * len / 100;
  memset(bar, '.', (size_t)len);
  memset(bar, '#', (size_t)full);
  bar[len] = '\0';
  add(line, "  [%s] %3d%%", bar, percent);
}

static void add_errors(struct line *line, const struct counts *counts)
{
  if (counts->wrong > 0)
    add(line, "  WRONG %s", word_count(counts->wrong).text);
  if (counts->lost > 0)
    add(line, "  LOST %s", word_count(counts->lost).text);
  if (counts->failed > 0)
    add(line, "  FAILED %s", word_count(counts->failed).text);
}

/* Operations a second over the last second, or what there is of one. */
static double rate(struct display *display, const struct live *live)
{
  if (live->phase != display->phase || live->seconds < display->since_s) {
    display->phase = live->phase;
    display->since_s = 0;
    display->operations = 0;
    display->per_second = 0;
  }
  double passed = live->seconds - display->since_s;
  if (passed >= 1) {
    uint64_t more = live->counts.operations - display->operations;
    display->per_second = (double)more / passed;
    display->since_s = live->seconds;
    display->operations = live->counts.operations;
  }
  if (display->since_s > 0 || live->seconds <= 0)
    return display->per_second;
  return (double)live->counts.operations / live->seconds;
}

static void add_work(struct line *line, struct display *display, const struct live *live)
{
  double per_second = rate(display, live);
  if (display->settings->mode->uses == 0) {
    add(line, "  %s open", word_count(live->open).text);
    return;
  }
  add(line, "  %s", word_count((uint64_t)per_second).text);
  if (live->rate > 0)
    add(line, " of %s", word_count((uint64_t)live->rate).text);
  add(line, " %s/s", display->settings->mode->operations);
  if (live->latency != NULL && histogram_count(live->latency) > 0) {
    add(line, "  p50 %s", word_time((double)histogram_percentile(live->latency, 50)).text);
    add(line, "  p99 %s", word_time((double)histogram_percentile(live->latency, 99)).text);
  }
}

void live_text(struct display *display, const struct live *live, char *text, size_t width)
{
  static const char *const names[] = {[PHASE_CONNECTING] = "connecting",
                                      [PHASE_WARMUP] = "warming up",
                                      [PHASE_MEASURING] = "measuring ",
                                      [PHASE_DRAINING] = "draining  ",
                                      [PHASE_DONE] = "done      "};
  struct line line = {.text = text, .size = width + 1};
  add(&line, "%s", names[live->phase]);
  add_bar(&line, progress(display->settings, live));
  if (live->phase == PHASE_CONNECTING)
    add(&line, "  %s/%s", word_count(live->open).text,
        word_count(display->settings->connections).text);
  add_errors(&line, &live->counts);
  if (live->phase == PHASE_WARMUP || live->phase == PHASE_MEASURING)
    add_work(&line, display, live);
}

static double clock_s(void)
{
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

void live_begin(struct display *display, const struct settings *settings, FILE *out)
{
  *display = (struct display){.out = settings->quiet ? NULL : out,
                              .terminal = isatty(fileno(out)),
                              .settings = settings,
                              .told_s = clock_s()};
}

static size_t width_of(FILE *out)
{
  struct winsize size;
  if (ioctl(fileno(out), TIOCGWINSZ, &size) != 0 || size.ws_col < 2)
    return 79;
  return size.ws_col < WIDTH_MAX ? size.ws_col - 1 : WIDTH_MAX;
}

void live_show(struct display *display, const struct live *live)
{
  char text[WIDTH_MAX + 1];
  if (display->out == NULL)
    return;
  live_text(display, live, text, display->terminal ? width_of(display->out) : WIDTH_MAX);
  if (display->terminal) {
    fprintf(display->out, "\r%s\x1b[K", text);
  } else if (clock_s() - display->told_s >= EVERY_S) {
    display->told_s = clock_s();
    fprintf(display->out, "%s\n", text);
  }
  fflush(display->out);
}

void live_end(struct display *display)
{
  if (display->out != NULL && display->terminal)
    fputs("\r\x1b[K", display->out);
}
