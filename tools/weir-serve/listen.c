/* Where weir-serve listens: a port, a unix socket, or what a service manager handed over. */
#include "serve.h"

#include <stdio.h>
#include <stdlib.h>

static const char *const watchers = "metrics";
static const char *separator = "listening on";

/* Listens on one thing, and names it on the first line. */
static void listen_on(struct weir_server *server, struct weir_listen_options where,
                      const struct settings *settings, const char *what)
{
  where.size = sizeof where;
  where.proxy_protocol = settings->proxy_protocol;
  check(weir_server_listen_on(server, &where), what);
  if (where.path != NULL)
    printf("%s unix:%s", separator, where.path);
  else if (where.fd > 0)
    printf("%s descriptor %d", separator, where.fd);
  else
    printf("%s %s://127.0.0.1:%u", separator, settings->tls_cert != NULL ? "wss" : "ws",
           weir_server_port(server));
  separator = " and";
}

static void listen_on_inherited(struct weir_server *server, struct weir_tls *tls,
                                const struct settings *settings)
{
  int first, count = weir_listen_fds(&first);
  check(count < 0 ? count : 0, "inherit");
  if (count == 0) {
    fputs("weir-serve: --inherit: LISTEN_FDS and LISTEN_PID name no descriptors\n", stderr);
    exit(1);
  }
  for (int fd = first; fd < first + count; fd++)
    listen_on(server, (struct weir_listen_options){.fd = fd, .tls = tls}, settings, "inherit");
}

/* A listener of its own, which nobody but who watches the server should reach. */
static void listen_for_metrics(struct weir_server *server, const struct settings *settings)
{
  const char *host = settings->host == NULL ? "127.0.0.1" : settings->host;
  const struct weir_listen_options where = {
      .size = sizeof where, .host = host, .port = settings->metrics_port, .name = watchers};
  check(weir_server_listen_on(server, &where), "metrics");
  printf("metrics on %s, port %u\n", host, weir_server_port_of(server, watchers));
}

void listen_as_told(struct weir_server *server, const struct settings *settings)
{
  struct weir_tls *tls = settings->tls_cert != NULL ? certificates_start(settings) : NULL;
  struct weir_listen_options tcp = {.host = settings->host, .port = settings->port, .tls = tls};
  struct weir_listen_options local = {
      .path = settings->unix_path, .mode = settings->unix_mode, .tls = tls};
  if (settings->metrics_port != SIZE_MAX)
    check(weir_server_observe(server, watchers), "metrics");
  if (settings->inherit)
    listen_on_inherited(server, tls, settings);
  if (settings->tcp)
    listen_on(server, tcp, settings, "listen");
  if (settings->unix_path != NULL)
    listen_on(server, local, settings, settings->unix_path);
  putchar('\n');
  if (settings->metrics_port != SIZE_MAX)
    listen_for_metrics(server, settings);
  fflush(stdout);
}
