/* Kept requests: counted copies that outlive the callback that had the request. One block holds the
 * structure, the head and the head's bytes; text that is added has a pool of its own, for any
 * thread may add to it. */
#include "ws/http_conn.h"

#include <errno.h>
#include <string.h>

static size_t head_bytes(const struct weir__http_head *head)
{
  return offsetof(struct weir__http_head, fields) + head->field_count * sizeof head->fields[0];
}

/* The same slice of the copied bytes. */
static void rebase(struct weir_slice *slice, const char *from, const char *to)
{
  if (slice->data != NULL)
    slice->data = to + (slice->data - from);
}

static void copy_head(struct weir__http_head *to, const struct weir_request *r, char *bytes)
{
  const char *from = r->raw.data;
  memcpy(to, r->head, head_bytes(r->head));
  memcpy(bytes, from, r->raw.len);
  rebase(&to->method, from, bytes);
  rebase(&to->target, from, bytes);
  rebase(&to->path, from, bytes);
  rebase(&to->query, from, bytes);
  for (size_t i = 0; i < to->field_count; i++) {
    rebase(&to->fields[i].name, from, bytes);
    rebase(&to->fields[i].value, from, bytes);
  }
}

static int copy_text(struct weir__kept *kept, struct weir__builder *to,
                     const struct weir__builder *from)
{
  return weir__builder_add(to, &kept->pool, from->data, from->len);
}

/* The response set so far. */
static int copy_response(struct weir__kept *kept, const struct weir_request *r)
{
  struct weir_request *to = &kept->request;
  int error = copy_text(kept, &to->selected, &r->selected);
  if (error == 0)
    error = copy_text(kept, &to->fields, &r->fields);
  if (error == 0)
    error = copy_text(kept, &to->type, &r->type);
  if (error == 0)
    error = copy_text(kept, &to->body, &r->body);
  to->protocol = r->protocol == r->selected.data ? to->selected.data : r->protocol;
  return error;
}

struct weir__kept *weir__request_copy(struct weir_request *r)
{
  struct weir__shard *shard = r->conn->shard;
  const struct weir__sys *sys = shard->server->sys;
  size_t head = head_bytes(r->head), pattern = strlen(r->route->pattern) + 1;
  struct weir__kept *kept = sys->alloc(sys, sizeof *kept + head + r->raw.len + pattern);
  if (kept == NULL)
    return NULL;
  memset(kept, 0, sizeof *kept);
  kept->refs = 1;
  kept->shard = shard;
  kept->loop = shard->index;
  kept->mem.sys = sys;
  weir__pool_init(&kept->pool, &kept->mem);
  struct weir__http_head *copy = (struct weir__http_head *)(kept + 1);
  char *bytes = (char *)copy + head;
  copy_head(copy, r, bytes);
  kept->pattern = memcpy(bytes + r->raw.len, r->route->pattern, pattern);
  kept->peer_error = weir_request_peer(r, &kept->peer);
  kept->request = (struct weir_request){.conn = r->conn,
                                        .head = copy,
                                        .raw = {bytes, r->raw.len},
                                        .route = r->route,
                                        .pool = &kept->pool,
                                        .listener = r->listener,
                                        .kept = kept};
  if (copy_response(kept, r) == 0)
    return kept;
  weir_request_unref(&kept->request);
  return NULL;
}

struct weir_request *weir_request_keep(struct weir_request *r)
{
  if (r->kept == NULL && weir__http_need(r->conn) != NULL) /* so that waiting cannot fail */
    r->kept = weir__request_copy(r);
  if (r->kept == NULL)
    return NULL;
  r->kept->taken = true;
  return weir_request_ref(&r->kept->request);
}

struct weir_request *weir_request_ref(struct weir_request *r)
{
  __atomic_add_fetch(&r->kept->refs, 1, __ATOMIC_RELAXED);
  return r;
}

void weir_request_unref(struct weir_request *r)
{
  if (r == NULL || __atomic_sub_fetch(&r->kept->refs, 1, __ATOMIC_ACQ_REL) > 0)
    return;
  struct weir__kept *kept = r->kept;
  const struct weir__sys *sys = kept->mem.sys;
  weir__request_drop(r);
  weir__builder_drop(&kept->arrived, &kept->pool);
  weir__pool_fini(&kept->pool);
  sys->free(sys, kept);
}

void *weir_request_user(const struct weir_request *r)
{
  return r->kept == NULL ? NULL : r->kept->user;
}

void weir_request_set_user(struct weir_request *r, void *user)
{
  if (r->kept != NULL)
    r->kept->user = user;
}

size_t weir_request_loop(const struct weir_request *r)
{
  return r->kept == NULL ? r->conn->shard->index : r->kept->loop;
}

struct weir_slice weir_request_body(const struct weir_request *r)
{
  const struct weir__builder none = {0}, *arrived = r->kept == NULL ? &none : &r->kept->arrived;
  return (struct weir_slice){arrived->data, arrived->len};
}

int weir_request_move(struct weir_request *r, size_t loop)
{
  const struct weir_conn *c = r->conn;
  if (c == NULL || loop >= c->shard->server->shard_count || (r->kept != NULL && r->kept->taken))
    return -500;
  r->move_to = loop + 1;
  return WEIR_LATER;
}
