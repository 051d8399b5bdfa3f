/* What a server does, for whom watches it: Prometheus' text format, and routes that give it.
 *
 * Families: ws_connections{state}, ws_connections_accepted_total, ws_connections_opened_total,
 * ws_connections_rejected_total{reason}, ws_handshake_seconds, ws_closes_total{code,initiator},
 * ws_messages_total{direction}, ws_bytes_total{direction}, ws_slow_consumer_total{action},
 * ws_queue_bytes, ws_loop_lag_seconds, ws_http_requests_total, ws_tls_handshakes_total,
 * ws_tls_failures_total, ws_accept_pauses_total, ws_messages_deflated_total,
 * ws_messages_inflated_total, ws_memory_bytes, ws_compression_bytes. Each stands there from the
 * start; none has a label for a client. */
#ifndef WEIR_METRICS_H
#define WEIR_METRICS_H

#include <weir/server.h>

/* Bytes that the text of any server fits in. */
#define WEIR_METRICS_BYTES ((size_t)16 << 10)

/* The media type of the text. */
#define WEIR_METRICS_TYPE "text/plain; version=0.0.4; charset=utf-8"

/* Writes the metrics of a server, summed over its loops without stopping any, each a moment's
 * reading, to buffer, which has room for size bytes; WEIR_METRICS_BYTES are enough. No NUL is
 * added. Returns the bytes of the whole text, of which the first size were written. */
WEIR_ANY_THREAD size_t weir_server_metrics(const struct weir_server *server, char *buffer,
                                           size_t size);

/* Answers GET on three paths of the listeners that have a name (NULL: of those without): /metrics
 * with that text; /livez with 200 while the loop answers; /readyz with 200 while the server takes
 * new connections, else 503 and the reason. They are for whoever reaches those listeners, so these
 * should not be the public's. Each loop then also measures every 100 ms how late it comes to a
 * timer: ws_loop_lag_seconds, which without this call stays empty. Before listening. Returns as
 * weir_server_http does, -EEXIST where a path is taken; on an error the server is to be freed. */
WEIR_ANY_THREAD int weir_server_observe(struct weir_server *server, const char *listener);

#endif
