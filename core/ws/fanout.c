/* One frame to many connections, over all loops, from any thread: what is here is queued at once,
 * which fixes membership and order; each other loop is handed the frame once. Sending is
 * conn_out.c's, in slices. */
#include "ws/conn_deflate.h"

#include "ws/fanout.h"
#include "ws/frame.h"

#include <errno.h>
#include <string.h>

enum kind { TO_ALL, TO_TOPIC, TO_ONE, CLOSE_ONE };

/* What is to be done on a loop. */
struct order {
  enum kind kind;
  struct weir_frame *frame;
  weir_conn_id id; /* the one left out, or the one meant */
  int code;
  size_t len; /* of the topic's name or of the reason */
  const char *text;
};

/* An order on its way to another loop; text follows. */
struct delivery {
  struct weir__shard *shard;
  struct order order;
  char text[];
};

struct weir__shard *weir__server_shard(const struct weir_server *server, weir_conn_id id)
{
  uint32_t index = (uint32_t)(id >> 24) & 0xFF;
  if (index >= __atomic_load_n(&server->shard_count, __ATOMIC_ACQUIRE))
    return NULL;
  return &server->shards[index];
}

struct weir_conn *weir__shard_find(const struct weir__shard *shard, weir_conn_id id)
{
  struct weir__source *source =
      weir__loop_source(shard->loop, (uint32_t)id & 0xFFFFFF, (uint32_t)(id >> 32));
  if (source == NULL || !weir__conn_is(source))
    return NULL;
  struct weir_conn *c = (struct weir_conn *)source;
  return c->shard == shard && c->opened ? c : NULL;
}

/* The connection left out is known by its address on the loop. */
static const struct weir_conn *left_out(const struct weir__shard *shard, weir_conn_id id)
{
  bool here = weir__server_shard(shard->server, id) == shard;
  return id != 0 && here ? weir__shard_find(shard, id) : NULL;
}

/* The message of an order in the loop's own count. */
struct fanned {
  struct weir_frame *frame;
  const void *key;           /* who gets it */
  struct weir__topic *topic; /* whose subscribers those are; NULL: no topic's */
  struct weir__part part;
  size_t header_len;
  const struct weir_conn *except;
  const struct weir__choice *choice; /* NULL: all */
};

static void hand(struct weir_conn *c, const struct fanned *f)
{
  const struct weir__twin *twin = c->deflate ? weir__twin_of(c, f->key, f->frame) : NULL;
  if (twin == NULL)
    weir__conn_queue_part(c, &f->part, f->header_len, f->topic);
  else
    weir__conn_queue_twin(c, twin, f->topic);
}

static bool is_chosen(struct weir_conn *c, const struct weir__choice *choice)
{
  return choice == NULL || choice->filter(c, choice->arg);
}

static void to_all(struct weir__shard *shard, const struct fanned *f)
{
  struct weir_conn *c;
  for (uint32_t slot = 0; (c = weir__shard_next(shard, &slot)) != NULL;) {
    if (c->state == WEIR__CONN_OPEN && c != f->except &&
        !weir__conn_route(c)->options.no_broadcast && is_chosen(c, f->choice))
      hand(c, f);
  }
}

static void to_topic(const struct fanned *f)
{
  const struct weir__topic *topic = f->topic;
  for (uint32_t i = 0; i < topic->count; i++) {
    struct weir_conn *c = topic->members[i]->conn;
    if (c != f->except)
      hand(c, f);
  }
}

/* Short messages are gathered behind those that the same receivers got last; others are shared. The
 * caller drops the reference, which a run has for itself. */
static int take(struct weir__shard *shard, const void *key, struct weir_frame *frame,
                struct weir__part *part)
{
  struct weir__pool *pool = &shard->loop->pool;
  struct weir__buf *buf = &frame->buf;
  struct iovec bytes = {weir__buf_bytes(buf) + buf->begin, buf->end - buf->begin};
  if (bytes.iov_len <= WEIR__RUN_UNIT) {
    int error = weir__run_add(&shard->fanned, pool, key, (struct iovec){NULL, 0}, bytes, part);
    if (error == 0)
      part->share->refs++;
    return error;
  }
  *part = (struct weir__part){weir__share_new(pool, buf), buf->begin, bytes.iov_len};
  return part->share == NULL ? -ENOMEM : 0;
}

static int fan_out(struct weir__shard *shard, const struct order *order)
{
  struct weir__topic *topic = NULL;
  if (order->kind == TO_TOPIC) {
    topic = weir__topics_find(&shard->topics, order->text, order->len);
    if (topic == NULL)
      return 0;
    weir__topic_look_up(shard->server, topic);
  }
  struct fanned f = {.frame = order->frame,
                     .key = topic,
                     .topic = topic,
                     .header_len = weir__frame_header(order->frame),
                     .except = left_out(shard, order->id)};
  int error = take(shard, topic, order->frame, &f.part);
  if (error != 0)
    return error;
  if (topic != NULL)
    to_topic(&f);
  else
    to_all(shard, &f);
  weir__share_unref(&shard->loop->pool, f.part.share);
  return 0;
}

/* The chosen are nobody else's receivers: what is gathered for them goes to no later message, whose
 * choice may have the same address. */
int weir__shard_broadcast(struct weir__shard *shard, struct weir_frame *frame,
                          const struct weir__choice *choice)
{
  struct fanned f = {
      .frame = frame, .key = choice, .header_len = weir__frame_header(frame), .choice = choice};
  int error = take(shard, choice, frame, &f.part);
  if (error != 0)
    return error;
  to_all(shard, &f);
  weir__share_unref(&shard->loop->pool, f.part.share);
  weir__run_drop(&shard->fanned, &shard->loop->pool);
  return 0;
}

static int to_one(struct weir__shard *shard, const struct order *order)
{
  struct weir_conn *c = weir__shard_find(shard, order->id);
  if (c == NULL)
    return -ESTALE;
  return order->kind == TO_ONE ? weir_conn_send_frame(c, order->frame)
                               : weir_conn_close(c, order->code, order->text);
}

static int carry_out(struct weir__shard *shard, const struct order *order)
{
  if (order->kind == TO_ONE || order->kind == CLOSE_ONE)
    return to_one(shard, order);
  return fan_out(shard, order);
}

static void deliver(void *arg)
{
  struct delivery *delivery = arg;
  const struct weir__sys *sys = delivery->shard->server->sys;
  carry_out(delivery->shard, &delivery->order);
  weir_frame_unref(delivery->order.frame);
  sys->free(sys, delivery);
}

static int hand_over(struct weir__shard *shard, const struct order *order)
{
  const struct weir__sys *sys = shard->server->sys;
  struct delivery *delivery = sys->alloc(sys, sizeof *delivery + order->len + 1);
  if (delivery == NULL)
    return -ENOMEM;
  delivery->shard = shard;
  delivery->order = *order;
  if (order->text != NULL) {
    memcpy(delivery->text, order->text, order->len);
    delivery->text[order->len] = '\0';
    delivery->order.text = delivery->text;
  }
  if (order->frame != NULL)
    weir_frame_ref(order->frame);
  int error = weir_loop_post(shard->loop, deliver, delivery);
  if (error != 0) {
    weir_frame_unref(order->frame);
    sys->free(sys, delivery);
  }
  return error;
}

static int give(struct weir__shard *shard, const struct order *order)
{
  return weir__loop_is_here(shard->loop) ? carry_out(shard, order) : hand_over(shard, order);
}

static int give_all(struct weir_server *server, const struct order *order)
{
  uint32_t count = __atomic_load_n(&server->shard_count, __ATOMIC_ACQUIRE);
  int first_error = 0;
  for (uint32_t i = 0; i < count; i++) {
    int error = give(&server->shards[i], order);
    if (first_error == 0)
      first_error = error;
  }
  return first_error;
}

static int give_one(struct weir_server *server, const struct order *order)
{
  struct weir__shard *shard = weir__server_shard(server, order->id);
  return shard == NULL || order->id >> 32 == 0 ? -ESTALE : give(shard, order);
}

int weir_server_broadcast(struct weir_server *server, struct weir_frame *frame, weir_conn_id except)
{
  const struct order order = {.kind = TO_ALL, .frame = frame, .id = except};
  return frame == NULL ? -EINVAL : give_all(server, &order);
}

static bool is_topic(const char *topic, size_t len)
{
  return topic != NULL && len > 0 && len <= WEIR__TOPIC_MAX;
}

int weir_server_publish(struct weir_server *server, const char *topic, size_t len,
                        struct weir_frame *frame, weir_conn_id except)
{
  const struct order order = {
      .kind = TO_TOPIC, .frame = frame, .id = except, .text = topic, .len = len};
  return frame == NULL || !is_topic(topic, len) ? -EINVAL : give_all(server, &order);
}

int weir_server_send(struct weir_server *server, weir_conn_id id, struct weir_frame *frame)
{
  const struct order order = {.kind = TO_ONE, .frame = frame, .id = id};
  return frame == NULL ? -EINVAL : give_one(server, &order);
}

int weir_server_close_id(struct weir_server *server, weir_conn_id id, int code, const char *reason)
{
  const struct order order = {.kind = CLOSE_ONE,
                              .id = id,
                              .code = code,
                              .text = reason,
                              .len = reason == NULL ? 0 : strlen(reason)};
  return weir__may_close_with(code, reason) ? give_one(server, &order) : -EINVAL;
}

size_t weir_server_subscribers(const struct weir_server *server, const char *topic, size_t len)
{
  uint32_t count = __atomic_load_n(&server->shard_count, __ATOMIC_ACQUIRE);
  size_t sum = 0;
  for (uint32_t i = 0; i < count && is_topic(topic, len); i++)
    sum += weir__topics_count(&server->shards[i].topics, topic, len);
  return sum;
}

int weir_conn_publish(struct weir_conn *c, const char *topic, size_t len, struct weir_frame *frame)
{
  return weir_server_publish(c->shard->server, topic, len, frame, weir_conn_id_of(c));
}

int weir_conn_subscribe(struct weir_conn *c, const char *topic, size_t len)
{
  WEIR__ASSERT(weir__loop_is_here(weir__conn_loop(c)));
  if (!is_topic(topic, len))
    return -EINVAL;
  if (c->state != WEIR__CONN_OPEN)
    return -EPIPE;
  const struct weir__subscriber who = {c, &c->subscriptions,
                                       weir__conn_route(c)->options.max_subscriptions};
  return weir__topics_subscribe(&c->shard->topics, &who, topic, len);
}

int weir_conn_unsubscribe(struct weir_conn *c, const char *topic, size_t len)
{
  WEIR__ASSERT(weir__loop_is_here(weir__conn_loop(c)));
  if (!is_topic(topic, len))
    return -ENOENT;
  return weir__topics_unsubscribe(&c->shard->topics, &c->subscriptions, topic, len);
}

bool weir_conn_is_subscribed(const struct weir_conn *c, const char *topic, size_t len)
{
  return is_topic(topic, len) &&
         weir__topics_in(&c->shard->topics, c->subscriptions, topic, len) != NULL;
}
