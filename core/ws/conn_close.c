/* Every way in which a connection ends (RFC 6455 section 7), and on_close exactly once for each
 * on_open.
 *
 * A connection that this side fails, or that has closed cleanly, lingers: what is queued is
 * flushed, the sending direction is shut down, and input is thrown away up to a bound of bytes and
 * time, because closing with unread input would reset the connection before the peer has read why.
 */
#include "ws/conn.h"

#include "wire/close.h"
#include "ws/admit.h"
#include "ws/conn_deflate.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>

static void tell_error(struct weir_conn *c, int error, const char *what)
{
  if (!c->opened)
    return;
  const struct weir__route *route = weir__conn_route(c);
  if (route->handlers.on_error != NULL)
    route->handlers.on_error(c, error, what, route->arg);
}

static void tell_closed(struct weir_conn *c, int code, struct weir_slice reason,
                        enum weir__initiator by)
{
  c->close_due = 0;
  if (!c->opened)
    return;
  c->opened = 0;
  weir__topics_leave(&c->shard->topics, &c->subscriptions);
  const struct weir__route *route = weir__conn_route(c);
  weir__count(&c->shard->counters.closed, 1);
  weir__count(&c->shard->tally.closes[by][weir__close_index(code)], 1);
  if (route->handlers.on_close != NULL)
    route->handlers.on_close(c, code, reason, route->arg);
}

static int queue_close(struct weir_conn *c, int code, const char *reason, size_t len)
{
  unsigned char payload[2 + WEIR__CLOSE_REASON_MAX];
  size_t payload_len = weir__close_encode(payload, code, reason, len);
  return weir__conn_control(c, WEIR__CLOSE, payload, payload_len);
}

static void begin_closing(struct weir_conn *c, enum weir__conn_state state)
{
  c->state = state & 7;
  weir__loop_freshen(weir__conn_loop(c));
  c->since_tick = weir__conn_tick(c);
  weir__conn_arm(c);
}

bool weir__may_close_with(int code, const char *reason)
{
  struct weir__utf8 text = {0};
  size_t len = reason == NULL ? 0 : strlen(reason);
  if (code == 0)
    return len == 0;
  return weir__close_code_valid(code) && len <= WEIR__CLOSE_REASON_MAX &&
         weir__utf8_validate(&text, (const unsigned char *)reason, len) == len &&
         weir__utf8_complete(&text);
}

int weir_conn_close(struct weir_conn *c, int code, const char *reason)
{
  WEIR__ASSERT(weir__loop_is_here(weir__conn_loop(c)));
  if (!weir__may_close_with(code, reason))
    return -EINVAL;
  if (c->state != WEIR__CONN_OPEN)
    return -EALREADY;
  int error = queue_close(c, code, reason, reason == NULL ? 0 : strlen(reason));
  if (error == 0)
    begin_closing(c, WEIR__CONN_CLOSING);
  return error;
}

void weir__conn_linger(struct weir_conn *c)
{
  weir__admit_greeted(c);
  weir__conn_drop_inbox(c);
  weir__conn_drop_held(c);
  weir__conn_deflate_end(c);
  c->paused = 0;
  c->stream.source.ending = 1;
  begin_closing(c, WEIR__CONN_LINGER);
  c->discarded = 0;
  weir__loop_again(weir__conn_loop(c), &c->stream.source);
}

void weir__conn_peer_closed(struct weir_conn *c, const unsigned char *payload, size_t len)
{
  int code;
  const char *reason, *why;
  struct weir_slice text;
  int error = weir__close_parse(payload, len, &code, &reason, &text.len, &why);
  if (error != 0) {
    weir__conn_fail(c, error, why);
    return;
  }
  text.data = reason;
  bool answer = c->state == WEIR__CONN_OPEN;
  c->heard_all = 1;
  c->state = WEIR__CONN_LINGER; /* on_close sends in vain */
  tell_closed(c, code, text, answer ? WEIR__BY_PEER : WEIR__BY_US);
  if (answer && queue_close(c, code == WEIR__CLOSE_NO_STATUS ? 0 : code, NULL, 0) != 0)
    weir__conn_drop_outbox(c);
  weir__conn_linger(c);
}

void weir__conn_fail(struct weir_conn *c, int error, const char *what)
{
  int code = -error;
  bool say = c->state == WEIR__CONN_OPEN;
  c->state = WEIR__CONN_LINGER;
  weir__count(&c->shard->counters.failed, 1);
  tell_error(c, error, what);
  tell_closed(c, code, (struct weir_slice){what, strlen(what)}, WEIR__BY_US);
  if (say && queue_close(c, code, what, strlen(what)) != 0)
    weir__conn_drop_outbox(c);
  weir__conn_linger(c);
}

/* From here on nothing is sent, parsed or handed out; weir__conn_settle follows. */
static void close_soon(struct weir_conn *c, int code)
{
  c->state = WEIR__CONN_LINGER;
  c->discarded = 0;
  c->close_due = 1;
  c->close_code = (uint16_t)code;
  weir__loop_again(weir__conn_loop(c), &c->stream.source);
}

void weir__conn_fail_later(struct weir_conn *c, int code)
{
  weir__count(&c->shard->counters.failed, 1);
  weir__conn_drop_unsent(c);
  close_soon(c, code);
}

void weir_conn_abort(struct weir_conn *c)
{
  WEIR__ASSERT(weir__loop_is_here(weir__conn_loop(c)));
  if (!weir__conn_is_live(c))
    return;
  weir__conn_drop_outbox(c);
  c->broken = 1;
  close_soon(c, WEIR__CLOSE_ABNORMAL);
}

/* on_close after weir_conn_abort, or after a queue over its limit under the policy that closes. */
void weir__conn_settle(struct weir_conn *c)
{
  static const char full[] = "the send queue is full";
  if (!c->close_due)
    return;
  if (c->close_code == WEIR__CLOSE_ABNORMAL) {
    tell_closed(c, WEIR__CLOSE_ABNORMAL, (struct weir_slice){"", 0}, WEIR__BY_US);
    weir__conn_end(c);
    return;
  }
  tell_error(c, -ENOBUFS, full);
  tell_closed(c, c->close_code, (struct weir_slice){full, sizeof full - 1}, WEIR__BY_US);
  if (queue_close(c, c->close_code, full, sizeof full - 1) != 0)
    weir__conn_drop_outbox(c);
  weir__conn_linger(c);
}

void weir__conn_tell_lost(struct weir_conn *c, int error, const char *what)
{
  if (weir__conn_is_live(c)) {
    bool wrong = error != 0 && error != -ECONNRESET && error != -EPIPE;
    bool ours = wrong || c->state == WEIR__CONN_CLOSING;
    c->state = WEIR__CONN_LINGER;
    if (wrong)
      tell_error(c, error, what);
    tell_closed(c, WEIR__CLOSE_ABNORMAL, (struct weir_slice){"", 0},
                ours ? WEIR__BY_US : WEIR__BY_PEER);
  } else if (c->close_due) {
    weir__conn_settle(c);
  }
}

void weir__conn_lost(struct weir_conn *c, int error, const char *what)
{
  weir__conn_tell_lost(c, error, what);
  if (c->state != WEIR__CONN_DEAD)
    weir__conn_end(c);
}

void weir__conn_input_ended(struct weir_conn *c)
{
  bool answering = c->state == WEIR__CONN_HTTP || c->state == WEIR__CONN_LINGER;
  if (!answering || c->outbox == NULL || c->broken) {
    weir__conn_flush(c);
    weir__conn_lost(c, 0, "");
    return;
  }
  if (c->state == WEIR__CONN_HTTP) {
    weir__http_drop(c);
    weir__conn_linger(c);
  }
  c->input_done = 1;
  c->stream.source.readable = 0;
}

void weir__conn_end(struct weir_conn *c)
{
  struct weir_loop *loop = weir__conn_loop(c);
  if (c->state == WEIR__CONN_HTTP)
    weir__http_drop(c);
  c->state = WEIR__CONN_DEAD;
  weir__admit_leave(c);
  weir__conn_drop_inbox(c);
  weir__conn_drop_outbox(c);
  weir__wheel_remove(&loop->wheel, &c->deadline);
  if (c->user_init) {
    const struct weir__route *route = weir__conn_route(c);
    c->user_init = 0;
    if (route->handlers.user_fini != NULL)
      route->handlers.user_fini(c->user, route->arg);
  }
  weir__conn_deflate_end(c);
  if (c->own_protocol)
    weir__pool_put(&loop->pool, c->protocol, strlen(c->protocol) + 1);
  c->stream.ops->close(&c->stream, loop);
  weir__loop_bury(loop, &c->stream.source);
}

void weir__conn_stop(struct weir_conn *c, int code)
{
  static const char going[] = "the server stops";
  const struct weir__sys *sys = weir__conn_loop(c)->mem.sys;
  bool say = c->state == WEIR__CONN_OPEN && !c->broken && code != WEIR__CLOSE_ABNORMAL;
  if (c->opened) {
    c->state = WEIR__CONN_LINGER;
    tell_closed(c, code, (struct weir_slice){going, sizeof going - 1}, WEIR__BY_US);
  }
  c->stream.source.ending = 1;
  if (say && queue_close(c, code, going, sizeof going - 1) == 0) {
    weir__conn_flush(c);
    c->stream.ops->shutdown(&c->stream, sys);
  }
  weir__conn_end(c);
}
