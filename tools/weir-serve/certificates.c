/* Certificates that SIGHUP reads again, as other servers do. */
#include "serve.h"

#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>

static struct weir_tls *certificates;
static pthread_t reloader;
static atomic_bool stopping;
static bool quiet;

static void reload(void)
{
  struct weir_tls_error error;
  if (weir_tls_reload(certificates, &error) != 0) {
    fprintf(stderr, "weir-serve: %s; the certificates stay as they were\n", error.text);
  } else if (!quiet) {
    puts("certificates read again");
    fflush(stdout);
  }
}

/* The signal is blocked everywhere: it is taken here, where anything may be called. */
static void *wait_for_signals(void *arg)
{
  const sigset_t *signals = arg;
  int number;
  while (sigwait(signals, &number) == 0 && !atomic_load(&stopping))
    reload();
  return NULL;
}

struct weir_tls *certificates_start(const struct settings *settings)
{
  static sigset_t signals;
  const struct weir_tls_options options = {
      .size = sizeof options,
      .identity = {settings->tls_cert, settings->tls_key},
      .more = settings->tls_more,
      .more_count = settings->tls_more_count,
      .client_ca_file = settings->tls_client_ca,
  };
  struct weir_tls_error error;
  quiet = settings->quiet;
  sigemptyset(&signals);
  sigaddset(&signals, SIGHUP);
  pthread_sigmask(SIG_BLOCK, &signals, NULL);
  if (weir_tls_new(&certificates, &options, &error) != 0) {
    fprintf(stderr, "weir-serve: %s\n", error.text);
    exit(1);
  }
  if (pthread_create(&reloader, NULL, wait_for_signals, &signals) != 0) {
    fputs("weir-serve: no thread for SIGHUP\n", stderr);
    exit(1);
  }
  return certificates;
}

void certificates_stop(void)
{
  atomic_store(&stopping, true);
  pthread_kill(reloader, SIGHUP);
  pthread_join(reloader, NULL);
  weir_tls_free(certificates);
}
