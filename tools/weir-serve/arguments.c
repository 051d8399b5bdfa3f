/* The command line of weir-serve: a table of options, each a number with bounds or a word. */
#include "serve.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct argument {
  const char *name, *unit, *help;
  size_t *value;
  size_t most;
};

static void usage(FILE *out, const struct argument *arguments)
{
  fputs("usage: weir-serve [option value]...\n\n"
        "  --mode WORD             what is done with messages:\n",
        out);
  for (const struct mode *mode = modes; mode->name != NULL; mode++)
    fprintf(out, "      %-20s%s\n", mode->name, mode->help);
  fputs("  --host ADDRESS          address or name to listen on; default: all\n"
        "  --quiet                 no lines but the first\n"
        "  --help                  this text\n",
        out);
  for (const struct argument *a = arguments; a->name != NULL; a++)
    fprintf(out, "  --%s %-*s%s\n", a->name, (int)(21 - strlen(a->name)), a->unit, a->help);
}

static void wrong(const char *what, const char *name)
{
  fprintf(stderr, "weir-serve: %s: %s (try --help)\n", name, what);
  exit(2);
}

static size_t number(const char *name, const char *text, size_t most)
{
  char *end;
  errno = 0;
  unsigned long long value = strtoull(text, &end, 10);
  if (text[0] < '0' || text[0] > '9' || *end != '\0' || errno != 0 || value > most)
    wrong("not a number in range", name);
  return (size_t)value;
}

static const struct mode *find_mode(const char *word)
{
  for (const struct mode *mode = modes; mode->name != NULL; mode++) {
    if (strcmp(mode->name, word) == 0)
      return mode;
  }
  wrong("no such mode", word);
  return NULL;
}

/* Options whose 0 means off, because the library's 0 means its default. */
static void zero_is_off(size_t *option, bool given)
{
  if (given && *option == 0)
    *option = WEIR_OFF;
}

static bool take_number(const struct argument *arguments, const char *name, const char *value)
{
  for (const struct argument *a = arguments; a->name != NULL; a++) {
    if (strcmp(a->name, name) != 0)
      continue;
    if (value == NULL)
      wrong("a value is missing", name);
    *a->value = number(name, value, a->most);
    zero_is_off(a->value, strcmp(name, "port") != 0 && strcmp(name, "busy-poll-us") != 0);
    return true;
  }
  return false;
}

/* Takes one option with its value; returns how many words it was. */
static int take(struct settings *s, const struct argument *arguments, const char *word,
                const char *value)
{
  if (strncmp(word, "--", 2) != 0)
    wrong("not an option", word);
  const char *name = word + 2;
  if (strcmp(name, "help") == 0) {
    usage(stdout, arguments);
    exit(0);
  }
  if (strcmp(name, "quiet") == 0) {
    s->quiet = 1;
    return 1;
  }
  if (take_number(arguments, name, value))
    return 2;
  if (strcmp(name, "mode") != 0 && strcmp(name, "host") != 0)
    wrong("no such option", word);
  if (value == NULL)
    wrong("a value is missing", name);
  if (strcmp(name, "mode") == 0)
    s->mode = find_mode(value);
  else
    s->host = value;
  return 2;
}

void read_arguments(struct settings *s, int argc, char **argv)
{
  size_t port = 8080;
  struct weir_route_options *route = &s->route;
  const struct argument arguments[] = {
      {"port", "N", "port, 0 for any free one; default 8080", &port, 65535},
      {"loops", "N", "event loops, each on its thread; default 1", &s->server.loops, 255},
      {"max-message", "BYTES", "longest message; 0 is off", &route->max_message_bytes, SIZE_MAX},
      {"max-fragments", "N", "frames of a message; 0 is off", &route->max_fragments, SIZE_MAX},
      {"queue-bytes", "BYTES", "unsent bytes of a connection; 0 is off", &route->max_queued_bytes,
       SIZE_MAX},
      {"ping-ms", "MS", "silence before a ping; 0 is off", &route->ping_interval_ms, SIZE_MAX},
      {"idle-ms", "MS", "silence before a close; 0 is off", &route->idle_timeout_ms, SIZE_MAX},
      {"busy-poll-us", "US", "how long a loop spins; default 0", &s->server.busy_poll_us, 1000000},
      {NULL, NULL, NULL, NULL, 0},
  };
  s->mode = &modes[0];
  for (int i = 1; i < argc;)
    i += take(s, arguments, argv[i], i + 1 < argc ? argv[i + 1] : NULL);
  s->port = (uint16_t)port;
}
