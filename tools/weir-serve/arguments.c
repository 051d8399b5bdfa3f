/* The command line of weir-serve: tables of options, each a number with bounds, a flag or text. */
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

/* Options without a value, which set one of the library's; and those whose value is text. */
struct flag {
  const char *name, *help;
  size_t *value;
  size_t set;
};
struct word {
  const char *name, *unit, *help;
  const char **value;
};

struct table {
  const struct argument *arguments;
  const struct flag *flags;
  const struct word *words;
};

static void show(FILE *out, const char *name, const char *unit, const char *help)
{
  int column = fprintf(out, "  --%s %s", name, unit);
  fprintf(out, "%*s  %s\n", column < 28 ? 28 - column : 0, "", help);
}

static void usage(FILE *out, const struct table *table)
{
  fputs("usage: weir-serve [option value]...\n\n"
        "  --mode WORD                 what is done with messages:\n",
        out);
  for (const struct mode *mode = modes; mode->name != NULL; mode++)
    fprintf(out, "      %-24s%s\n", mode->name, mode->help);
  show(out, "help", "", "this text");
  for (const struct flag *f = table->flags; f->name != NULL; f++)
    show(out, f->name, "", f->help);
  for (const struct word *w = table->words; w->name != NULL; w++)
    show(out, w->name, w->unit, w->help);
  show(out, "trusted", "ADDRESS", "or network, or \"unix\", of a proxy; up to 32 times");
  show(out, "tls-more", "FILE", "a further certificate with its key, by name; up to 16 times");
  for (const struct argument *a = table->arguments; a->name != NULL; a++)
    show(out, a->name, a->unit, a->help);
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

/* Options whose 0 means off, because the library's 0 means its default; others mean 0. */
static void zero_is_off(size_t *option, bool given)
{
  if (given && *option == 0)
    *option = WEIR_OFF;
}

/* Each takes the option if it is one of theirs. */
static bool take_number(const struct argument *a, const char *name, const char *value)
{
  while (a->name != NULL && strcmp(a->name, name) != 0)
    a++;
  if (a->name == NULL)
    return false;
  if (value == NULL)
    wrong("a value is missing", name);
  *a->value = number(name, value, a->most);
  zero_is_off(a->value, strcmp(name, "port") != 0 && strcmp(name, "metrics") != 0 &&
                            strcmp(name, "busy-poll-us") != 0 && strcmp(name, "drain-ms") != 0);
  return true;
}

static bool take_word(const struct word *w, const char *name, const char *value)
{
  while (w->name != NULL && strcmp(w->name, name) != 0)
    w++;
  if (w->name == NULL)
    return false;
  if (value == NULL)
    wrong("a value is missing", name);
  *w->value = value;
  return true;
}

static bool take_identity(struct settings *s, const char *name, const char *value)
{
  if (strcmp(name, "tls-more") != 0)
    return false;
  if (value == NULL)
    wrong("a value is missing", name);
  if (s->tls_more_count == sizeof s->tls_more / sizeof *s->tls_more)
    wrong("too many", name);
  s->tls_more[s->tls_more_count++].certificate_file = value;
  return true;
}

static bool take_trusted(struct settings *s, const char *name, const char *value)
{
  if (strcmp(name, "trusted") != 0)
    return false;
  if (value == NULL)
    wrong("a value is missing", name);
  if (s->trusted_count == sizeof s->trusted / sizeof *s->trusted - 1)
    wrong("too many", name);
  s->trusted[s->trusted_count++] = value;
  s->server.trusted_proxies = s->trusted;
  return true;
}

static bool take_flag(const struct flag *f, const char *name)
{
  while (f->name != NULL && strcmp(f->name, name) != 0)
    f++;
  if (f->name == NULL)
    return false;
  *f->value = f->set;
  return true;
}

/* Takes one option with its value; returns how many words it was. */
static int take(struct settings *s, const struct table *table, const char *word, const char *value)
{
  if (strncmp(word, "--", 2) != 0)
    wrong("not an option", word);
  const char *name = word + 2;
  if (strcmp(name, "help") == 0) {
    usage(stdout, table);
    exit(0);
  }
  if (take_flag(table->flags, name))
    return 1;
  if (take_number(table->arguments, name, value) || take_word(table->words, name, value) ||
      take_trusted(s, name, value) || take_identity(s, name, value))
    return 2;
  if (strcmp(name, "mode") != 0)
    wrong("no such option", word);
  if (value == NULL)
    wrong("a value is missing", name);
  s->mode = find_mode(value);
  return 2;
}

static void check_proxies(const struct settings *s)
{
  if (s->proxy_protocol && s->trusted_count == 0)
    wrong("only with --trusted: whom to believe", "proxy-protocol");
}

static void check_tls(const struct settings *s)
{
  if ((s->tls_cert == NULL) != (s->tls_key == NULL))
    wrong("--tls-cert and --tls-key go together", s->tls_cert == NULL ? "tls-key" : "tls-cert");
  if (s->tls_cert == NULL && (s->tls_client_ca != NULL || s->tls_more_count > 0))
    wrong("only with --tls-cert and --tls-key",
          s->tls_client_ca != NULL ? "tls-client-ca" : "tls-more");
}

/* TCP is the default, and goes along with a unix socket where it is asked for. */
static void settle_listening(struct settings *s, size_t port, const char *mode)
{
  bool port_given = port <= UINT16_MAX;
  s->tcp = port_given || s->host != NULL || (s->unix_path == NULL && !s->inherit);
  s->port = (uint16_t)(port_given ? port : 8080);
  if (s->inherit && (s->tcp || s->unix_path != NULL))
    wrong("listens on nothing else", "inherit");
  if (mode == NULL)
    return;
  char *end;
  s->unix_mode = strtoul(mode, &end, 8);
  if (s->unix_path == NULL || mode[0] < '0' || mode[0] > '7' || *end != '\0' ||
      s->unix_mode > 07777)
    wrong("an octal number of at most 7777, with --unix", "unix-mode");
}

static void settle_policy(struct weir_route_options *route, const char *word)
{
  static const char *const words[] = {"close", "drop-newest", "drop-oldest", "keep-latest"};
  size_t policy = WEIR_QUEUE_CLOSE;
  if (word == NULL)
    return;
  while (policy <= WEIR_QUEUE_KEEP_LATEST && strcmp(words[policy], word) != 0)
    policy++;
  if (policy > WEIR_QUEUE_KEEP_LATEST)
    wrong("no such policy", word);
  route->queue_policy = policy;
}

/* What has no number; then reads all. */
static void read_with(struct settings *s, const struct argument *arguments, const size_t *port,
                      int argc, char **argv)
{
  const char *mode = NULL, *policy = NULL;
  const struct flag flags[] = {
      {"quiet", "no lines but the first", &s->quiet, 1},
      {"inherit", "listen on what a service manager handed over (LISTEN_FDS)", &s->inherit, 1},
      {"proxy-protocol", "connections begin with a proxy's header", &s->proxy_protocol, 1},
      {"deflate", "permessage-deflate without context takeover", &s->route.compression,
       WEIR_COMPRESSION_SHARED},
      {"deflate-takeover", "with it, where clients allow it", &s->route.compression,
       WEIR_COMPRESSION_DEDICATED},
      {NULL, NULL, NULL, 0},
  };
  const struct word words[] = {
      {"host", "ADDRESS", "address or name to listen on; default: all", &s->host},
      {"unix", "PATH", "unix socket, or @NAME; instead of a port unless one is given",
       &s->unix_path},
      {"unix-mode", "OCTAL", "permissions of its file; default 0666 less the umask", &mode},
      {"slow-policy", "WORD", "of a full queue: close, drop-newest, drop-oldest or keep-latest",
       &policy},
      {"static", "DIR", "GET gives the files of this folder", &s->folder},
      {"tls-cert", "FILE", "wss with this certificate and its chain, PEM; SIGHUP reads it again",
       &s->tls_cert},
      {"tls-key", "FILE", "its key, PEM", &s->tls_key},
      {"tls-client-ca", "FILE", "clients need a certificate of these authorities, PEM",
       &s->tls_client_ca},
      {NULL, NULL, NULL, NULL},
  };
  const struct table table = {arguments, flags, words};
  s->mode = &modes[0];
  s->metrics_port = SIZE_MAX;
  for (int i = 1; i < argc;)
    i += take(s, &table, argv[i], i + 1 < argc ? argv[i + 1] : NULL);
  settle_listening(s, *port, mode);
  settle_policy(&s->route, policy);
  check_proxies(s);
  check_tls(s);
}

void read_arguments(struct settings *s, int argc, char **argv)
{
  size_t port = SIZE_MAX;
  struct weir_route_options *route = &s->route;
  const struct argument arguments[] = {
      {"port", "N", "port, 0 for any free one; default 8080", &port, 65535},
      {"metrics", "PORT", "/metrics, /livez, /readyz there, on --host or 127.0.0.1; 0: any",
       &s->metrics_port, 65535},
      {"loops", "N", "event loops, each on its thread; default 1", &s->server.loops, 255},
      {"max-message", "BYTES", "longest message; 0 is off", &route->max_message_bytes, SIZE_MAX},
      {"max-fragments", "N", "frames of a message; 0 is off", &route->max_fragments, SIZE_MAX},
      {"queue-bytes", "BYTES", "unsent bytes of a connection; 0 is off", &route->max_queued_bytes,
       SIZE_MAX},
      {"queue-messages", "N", "unsent messages of a connection; 0 is off",
       &route->max_queued_messages, SIZE_MAX},
      {"memory-cap", "BYTES", "unsent bytes of all connections together; default and 0: off",
       &s->server.max_queue_memory, SIZE_MAX},
      {"ping-ms", "MS", "silence before a ping; 0 is off", &route->ping_interval_ms, SIZE_MAX},
      {"idle-ms", "MS", "silence before a close; 0 is off", &route->idle_timeout_ms, SIZE_MAX},
      {"busy-poll-us", "US", "how long a loop spins; default 0", &s->server.busy_poll_us, 1000000},
      {"deflate-threshold", "BYTES", "from which messages are compressed; default 1024; 0 is off",
       &route->compression_threshold, SIZE_MAX},
      {"deflate-level", "N", "1 (fast) .. 9 (small); default 1", &route->compression_level, 9},
      {"deflate-window", "BITS", "9 .. 15, of our compressors; default 15",
       &route->server_window_bits, 15},
      {"max-connections", "N", "connections in all; default by RLIMIT_NOFILE; 0 is off",
       &s->server.max_connections, SIZE_MAX},
      {"max-per-address", "N", "connections of an address; default and 0: off",
       &s->server.max_connections_per_address, SIZE_MAX},
      {"max-handshakes", "N", "connections before their first answer; 0 is off",
       &s->server.max_handshakes, SIZE_MAX},
      {"message-timeout-ms", "MS", "from a message's first byte to its last; 0 is off",
       &route->message_timeout_ms, SIZE_MAX},
      {"messages-per-s", "N", "from a connection; default and 0: off", &route->max_messages_per_s,
       SIZE_MAX},
      {"bytes-per-s", "N", "from a connection; default and 0: off", &route->max_bytes_per_s,
       SIZE_MAX},
      {"lifetime-ms", "MS", "of a connection; default and 0: off", &route->max_lifetime_ms,
       SIZE_MAX},
      {"drain-ms", "MS", "in which SIGTERM drains it; default 0: at once", &s->drain_ms, 86400000},
      {"deflate-memory", "BYTES", "of all contexts; default 256 MiB; 0 is off",
       &s->server.max_compression_bytes, SIZE_MAX},
      {NULL, NULL, NULL, NULL, 0},
  };
  read_with(s, arguments, &port, argc, argv);
}
