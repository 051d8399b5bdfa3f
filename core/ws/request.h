/* A request while a callback has it, and the response that the callback makes. */
#ifndef WEIR_WS_REQUEST_H
#define WEIR_WS_REQUEST_H

#include <weir/request.h>

#include "base/pool.h"
#include "wire/http.h"

#ifdef __cplusplus
extern "C" {
#endif

struct weir_conn;
struct weir__route;

/* Text that grows in a block of the pool. All zero: empty. */
struct weir__builder {
  char *data;
  size_t len, size;
};

int weir__builder_add(struct weir__builder *text, struct weir__pool *pool, const void *data,
                      size_t len);
void weir__builder_drop(struct weir__builder *text, struct weir__pool *pool);

enum { WEIR__RESPONSE_FIELDS_MAX = 8 << 10 };

struct weir_request {
  struct weir_conn *conn;
  const struct weir__http_head *head;
  const struct weir__route *route;
  struct weir__pool *pool;
  const char *protocol;          /* selected; NULL: none */
  struct weir__builder selected; /* by the hook: what protocol points to, with its NUL */
  struct weir__builder fields;   /* whole lines */
  struct weir__builder type, body;
  void *decoded; /* blocks of decoded text, linked through their first word */
};

/* Gives back all that the request holds. */
void weir__request_drop(struct weir_request *request);

/* The address of the peer behind a descriptor. */
int weir__peer_of(const struct weir__sys *sys, int fd, struct weir_peer *peer);

#ifdef __cplusplus
}
#endif

#endif
