/* URLs of RFC 6455, section 3: ws://host[:port][/path[?query]], or wss://. And
 * ws+unix:socket[:/path][?query] or wss+unix: for a unix socket, as the client ws of Node.js has
 * them; an abstract one is @name. */
#ifndef WEIR_BENCH_URL_H
#define WEIR_BENCH_URL_H

#include "settings.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Sets url, secure, host, port (80 or 443 when there is none) and path (with its query; "/" when
 * there is none); of a unix socket socket, and localhost as the host. Returns NULL, or what is
 * wrong with the URL, as a clause. */
const char *url_read(struct settings *settings, const char *url);

#ifdef __cplusplus
}
#endif

#endif
