/* weir-serve: one server for conformance and load tests. Shared by its files. */
#ifndef WEIR_TOOLS_SERVE_H
#define WEIR_TOOLS_SERVE_H

#include <stdbool.h>
#include <weir/weir.h>

/* What the command line says. */
struct settings {
  struct weir_options server;
  struct weir_route_options route;
  const struct mode *mode;
  const char *host;                               /* NULL: all addresses */
  const char *unix_path;                          /* NULL: none */
  const char *folder;                             /* whose files GET gives; NULL: none */
  const char *tls_cert, *tls_key, *tls_client_ca; /* files; NULL: plain; clients are not asked */
  struct weir_tls_identity tls_more[16];
  size_t tls_more_count;
  uint16_t port;
  bool tcp;         /* on host and port */
  size_t unix_mode; /* 0: the library's default */
  size_t inherit;   /* on descriptors that a service manager handed over instead */
  size_t proxy_protocol;
  const char *trusted[33]; /* NULL-terminated */
  size_t trusted_count;
  size_t metrics_port; /* for whoever watches it; SIZE_MAX: none */
  size_t quiet;
  size_t drain_ms; /* 0: SIGTERM stops it at once */
};

/* What is done with messages. */
struct mode {
  const char *name, *help;
  /* Adds the mode's routes; settings live as long as the server. Returns 0 or an error. */
  int (*add_routes)(struct weir_server *server, struct settings *settings);
};

/* All modes, ended by one without a name. */
extern const struct mode modes[];

/* Listens as the command line says, and says where. On an error, says so and exits. */
void listen_as_told(struct weir_server *server, const struct settings *settings);

/* Ends the program with a sentence if error is not 0. */
void check(int error, const char *what);

/* Reads the certificates, and reads them again at each SIGHUP, on a thread of its own: wrong files
 * are told on standard error and change nothing. Before other threads are started, which must not
 * get that signal. On wrong files at first, says so and exits. */
struct weir_tls *certificates_start(const struct settings *settings);

/* Ends that thread. */
void certificates_stop(void);

/* Reads the command line. On wrong arguments, or --help, says so and exits. */
void read_arguments(struct settings *settings, int argc, char **argv);

#endif
