/* weir-serve: listens, says where, serves until SIGINT or SIGTERM, and prints its counts. With
 * --drain-ms the first SIGTERM has it end gracefully. */
#include "serve.h"

#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>

static struct weir_server *running;
static size_t drain_ms;
static volatile sig_atomic_t draining;

static void on_signal(int number)
{
  if (number == SIGINT || drain_ms == 0 || draining) {
    weir_server_stop(running);
    return;
  }
  draining = 1;
  weir_server_drain(running, drain_ms);
}

void check(int error, const char *what)
{
  if (error == 0)
    return;
  fprintf(stderr, "weir-serve: %s: %s\n", what, weir_strerror(error));
  exit(1);
}

static void print_log(enum weir_log_level level, const char *text, void *arg)
{
  static const char *const names[] = {"error", "warning", "info"};
  (void)arg;
  fprintf(stderr, "%s: %s\n", names[level], text);
}

static void print_counts(const struct weir_server *server, const struct settings *settings)
{
  struct weir_counters c;
  weir_server_counters(server, &c);
  printf("accepted %" PRIu64 ", opened %" PRIu64 ", closed %" PRIu64 ", refused %" PRIu64
         ", failed %" PRIu64 "\n",
         c.accepted, c.opened, c.closed, c.refused, c.failed);
  if (c.turned_away > 0)
    printf("turned away %" PRIu64 "\n", c.turned_away);
  printf("messages: %" PRIu64 " received, %" PRIu64 " sent, %" PRIu64 " dropped\n",
         c.messages_received, c.messages_sent, c.dropped);
  printf("bytes: %" PRIu64 " received, %" PRIu64 " sent\n", c.bytes_received, c.bytes_sent);
  if (settings->tls_cert != NULL)
    printf("tls: %" PRIu64 " handshakes, %" PRIu64 " failed\n", c.tls_handshakes, c.tls_failed);
  if (settings->route.compression != WEIR_COMPRESSION_OFF)
    printf("deflate: %" PRIu64 " compressed, %" PRIu64 " inflated, %" PRIu64 " twins\n",
           c.messages_compressed, c.messages_inflated, c.twins_compressed);
}

int main(int argc, char **argv)
{
  static struct settings settings;
  struct sigaction action = {.sa_handler = on_signal};
  settings.server.size = sizeof settings.server;
  read_arguments(&settings, argc, argv);
  if (!settings.quiet)
    settings.server.log = print_log;
  check(weir_server_new(&running, &settings.server), "options");
  check(settings.mode->add_routes(running, &settings), "routes");
  if (settings.folder != NULL)
    check(weir_server_static(running, "/*", settings.folder, NULL), settings.folder);
  listen_as_told(running, &settings);
  drain_ms = settings.drain_ms;
  sigaction(SIGINT, &action, NULL);
  sigaction(SIGTERM, &action, NULL);
  check(weir_server_run(running), "run");
  print_counts(running, &settings);
  if (settings.tls_cert != NULL)
    certificates_stop();
  weir_server_free(running);
  return 0;
}
