/* Routes by which a server is watched, and the probe that measures how late its loops are. A probe
 * is a timer: what keeps a loop from its timers keeps it from its connections as well. */
#include <weir/metrics.h>

#include "base/debug.h"
#include "io/loop.h"
#include "ws/server.h"

#include <stdio.h>
#include <string.h>

enum { PROBE_MS = 100, NS_PER_MS = 1000 * 1000 };

static int show_metrics(struct weir_request *request, void *arg)
{
  char text[WEIR_METRICS_BYTES];
  size_t len = weir_server_metrics(arg, text, sizeof text);
  WEIR__ASSERT(len <= sizeof text);
  int error = weir_request_respond_body(request, WEIR_METRICS_TYPE, text, len);
  return error == 0 ? 200 : 503;
}

static int say(struct weir_request *request, int status, const char *what)
{
  char line[128];
  int len = snprintf(line, sizeof line, "%s\n", what);
  int error = weir_request_respond_body(request, "text/plain; charset=utf-8", line, (size_t)len);
  return error == 0 ? status : 503;
}

static int show_liveness(struct weir_request *request, void *arg)
{
  (void)arg;
  return say(request, 200, "ok");
}

static int show_readiness(struct weir_request *request, void *arg)
{
  const char *reason = weir__server_not_ready(arg);
  return reason == NULL ? say(request, 200, "ok") : say(request, 503, reason);
}

int weir_server_observe(struct weir_server *server, const char *listener)
{
  static const struct {
    const char *path;
    int (*handler)(struct weir_request *request, void *arg);
  } pages[] = {{"/metrics", show_metrics}, {"/livez", show_liveness}, {"/readyz", show_readiness}};
  int error = 0;
  for (size_t i = 0; error == 0 && i < sizeof pages / sizeof *pages; i++) {
    const struct weir_http_route route = {
        .size = sizeof route, .on_request = pages[i].handler, .listener = listener};
    error = weir_server_http(server, "GET", pages[i].path, &route, server);
  }
  if (error == 0)
    server->observed = true;
  return error;
}

/* The loop's clock is that of the turn, which every callback of the turn before had delayed. */
static void probe(struct weir_timer *timer, void *arg)
{
  struct weir__shard *shard = arg;
  uint64_t due_ns = weir__timer_due_ms(timer) * NS_PER_MS;
  weir__durations_add(&shard->tally.lags, shard->loop->now_ns - due_ns);
  weir_timer_start(timer, PROBE_MS, 0);
}

int weir__shard_observe(struct weir__shard *shard)
{
  if (!shard->server->observed)
    return 0;
  int error = weir_timer_new(&shard->lag_probe, shard->loop, probe, shard);
  if (error == 0)
    weir_timer_start(shard->lag_probe, PROBE_MS, 0);
  return error;
}
