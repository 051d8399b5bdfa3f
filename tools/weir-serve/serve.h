/* weir-serve: one server for conformance and load tests. Shared by its files. */
#ifndef WEIR_TOOLS_SERVE_H
#define WEIR_TOOLS_SERVE_H

#include <weir/weir.h>

/* What the command line says. */
struct settings {
  struct weir_options server;
  struct weir_route_options route;
  const struct mode *mode;
  const char *host;                               /* NULL: all addresses */
  const char *tls_cert, *tls_key, *tls_client_ca; /* files; NULL: plain; clients are not asked */
  struct weir_tls_identity tls_more[16];
  size_t tls_more_count;
  uint16_t port;
  size_t quiet;
};

/* What is done with messages. */
struct mode {
  const char *name, *help;
  /* Adds the mode's routes; settings live as long as the server. Returns 0 or an error. */
  int (*add_routes)(struct weir_server *server, struct settings *settings);
};

/* All modes, ended by one without a name. */
extern const struct mode modes[];

/* Reads the certificates, and reads them again at each SIGHUP, on a thread of its own: wrong files
 * are told on standard error and change nothing. Before other threads are started, which must not
 * get that signal. On wrong files at first, says so and exits. */
struct weir_tls *certificates_start(const struct settings *settings);

/* Ends that thread. */
void certificates_stop(void);

/* Reads the command line. On wrong arguments, or --help, says so and exits. */
void read_arguments(struct settings *settings, int argc, char **argv);

#endif
