// The simulated application. A message's first letter is a verb, the second its argument; whatever
// it sends, it enters into the model first, so that the clients know what they are to get.
#include "world.hpp"

#include "ws/conn.h"

#include <cerrno>

namespace sim
{

struct app {
  static session &of(struct weir_conn *conn)
  {
    return *static_cast<session *>(weir_conn_user(conn));
  }

  // The result of a send, and its place in the model.
  static void sent(session &s, const message &m, int result)
  {
    world &w = *s.home;
    if (result == 0)
      s.due.push_back(m);
    else if (!allowed(s, result))
      w.fail("a send returned " + std::string(weir_strerror(result)));
  }

  static bool allowed(session &s, int result)
  {
    s.home->notice_closing();
    bool lossy = s.home->options.lossy || s.home->stopped;
    switch (-result) {
    case EPIPE:
      return lossy || s.closing || s.closed || s.peer->broke_off;
    case ENOBUFS:
    case ENOMEM:
    case EMSGSIZE:
      return lossy;
    default:
      return false;
    }
  }

  // What every member gets by one call; the members are those of this moment.
  template <class predicate> static void expect(world &w, const message &m, predicate &&belongs)
  {
    w.notice_closing();
    for (session &s : w.sessions)
      if (s.open && !s.closed && !s.closing && belongs(s))
        s.due.push_back(m);
  }

  // Of a message's opcode, AS_IT_IS included.
  static struct weir_frame *frame_of(const message &m)
  {
    struct weir_frame *frame = nullptr;
    static_assert(WEIR_TEXT_UNCOMPRESSED == (WEIR_TEXT | AS_IT_IS));
    weir_frame_new(&frame, static_cast<enum weir_opcode>(m.opcode), m.payload.data(),
                   m.payload.size());
    return frame;
  }

  static void echo(session &s, const message &m)
  {
    sent(s, m,
         weir_conn_send(s.conn, static_cast<enum weir_opcode>(m.opcode), m.payload.data(),
                        m.payload.size()));
  }

  static void broadcast(session &s, const message &m, bool others)
  {
    struct weir_frame *frame = frame_of(m);
    if (frame == nullptr)
      return;
    expect(*s.home, m, [&](session &other) { return !others || &other != &s; });
    check(*s.home, weir_server_broadcast(s.home->server, frame, others ? s.id : 0));
    weir_frame_unref(frame);
  }

  static void publish(session &s, const message &m, bool others)
  {
    struct weir_frame *frame = frame_of(m);
    if (frame == nullptr)
      return;
    char topic = m.payload[1];
    expect(*s.home, m, [&](session &other) {
      return other.topics.contains(topic) && (!others || &other != &s);
    });
    check(*s.home, others ? weir_conn_publish(s.conn, &topic, 1, frame)
                          : weir_server_publish(s.home->server, &topic, 1, frame, 0));
    weir_frame_unref(frame);
  }

  static void check(world &w, int result)
  {
    if (result != 0 && !(result == -ENOMEM && w.options.lossy))
      w.fail("a call returned " + std::string(weir_strerror(result)));
  }

  static void subscribe(session &s, char topic, bool on)
  {
    bool was = s.topics.contains(topic);
    int result =
        on ? weir_conn_subscribe(s.conn, &topic, 1) : weir_conn_unsubscribe(s.conn, &topic, 1);
    int expected = on ? (was ? -EALREADY : 0) : (was ? 0 : -ENOENT);
    s.home->notice_closing();
    if (on && s.closing)
      return;
    if (result != expected && !(result == -ENOMEM && s.home->options.lossy))
      s.home->fail("(un)subscribe returned " + std::string(weir_strerror(result)));
    if (result == 0 && on)
      s.topics.insert(topic);
    else if (result == 0)
      s.topics.erase(topic);
    if (weir_conn_is_subscribed(s.conn, &topic, 1) != s.topics.contains(topic))
      s.home->fail("is_subscribed is wrong");
  }

  // Begins a message in fragments; the timer sends the rest.
  static void begin(session &s, const message &m)
  {
    if (!s.begun.payload.empty() || m.payload.size() < 3)
      return echo(s, m);
    size_t n = s.home->k.roll.below(m.payload.size() - 1);
    int result =
        weir_conn_send_begin(s.conn, static_cast<enum weir_opcode>(m.opcode), m.payload.data(), n);
    sent(s, as_it_is(m), result);
    if (result != 0)
      return;
    s.begun = {m.opcode, m.payload.substr(n)};
    start_timer(s);
  }

  static void start_timer(session &s)
  {
    weir_timer_start(s.timer, s.home->k.roll.between(0, 20), 0);
  }

  static void on_timer(struct weir_timer *, void *arg)
  {
    session &s = *static_cast<session *>(arg);
    if (s.paused) {
      s.paused = false;
      weir_conn_resume(s.conn);
    }
    if (s.begun.payload.empty())
      return;
    size_t n = 1 + s.home->k.roll.below(s.begun.payload.size());
    bool last = n == s.begun.payload.size();
    const char *data = s.begun.payload.data();
    int result = last ? weir_conn_send_end(s.conn, data, n) : weir_conn_send_more(s.conn, data, n);
    if (result == 0)
      s.begun.payload.erase(0, n);
    else if (result == -EPIPE)
      return;
    if (!s.begun.payload.empty())
      start_timer(s);
  }

  static void pause(session &s, bool for_good)
  {
    s.paused = true;
    weir_conn_pause(s.conn);
    if (!for_good)
      start_timer(s);
  }

  static void close(session &s, bool hard)
  {
    s.closing = true;
    if (hard)
      weir_conn_abort(s.conn);
    else
      weir_conn_close(s.conn, 3001, "on request");
  }

  static void ping(session &s)
  {
    int result = weir_conn_ping(s.conn, "ping", 4);
    if (result != 0 && !allowed(s, result))
      s.home->fail("a ping returned " + std::string(weir_strerror(result)));
  }

  // Somebody else's connection.
  static void close_another(session &s, bool hard)
  {
    std::vector<session *> others;
    for (session &other : s.home->sessions)
      if (other.open && !other.closed && &other != &s)
        others.push_back(&other);
    if (!others.empty())
      close(*others[s.home->k.roll.below(others.size())], hard);
  }

  struct letter {
    world *w;
    weir_conn_id id;
    session *to;
    message m;
  };

  // The same to each of all that are open, by a loop of sends.
  static void send_to_each(session &s, const message &m)
  {
    for (session &other : s.home->sessions)
      if (other.open && !other.closed)
        echo(other, m);
  }

  static void send_shared(session &s, const message &m)
  {
    struct weir_frame *frame = frame_of(m);
    if (frame == nullptr)
      return;
    sent(s, m, weir_conn_send_frame(s.conn, frame));
    weir_frame_unref(frame);
  }

  static message as_it_is(const message &m)
  {
    return {m.opcode | AS_IT_IS, m.payload};
  }

  // By way of a post and the connection's id.
  static void by_post(session &s, const message &m)
  {
    auto *l = new letter{s.home, s.id, &s, m};
    if (weir_loop_post(s.home->loop, delivered, l) != 0)
      delete l;
  }

  static void delivered(void *arg)
  {
    std::unique_ptr<letter> l(static_cast<letter *>(arg));
    if (l->w->server == nullptr)
      return;
    struct weir_frame *frame = frame_of(l->m);
    if (frame == nullptr)
      return;
    int result = weir_server_send(l->w->server, l->id, frame);
    if ((result == -ESTALE) != l->to->closed)
      l->w->fail("weir_server_send knows another state than on_close told");
    if (result != -ESTALE)
      sent(*l->to, l->m, result);
    weir_frame_unref(frame);
  }

  static void act(session &s, const message &m, const struct weir_message *lent)
  {
    switch (m.payload.empty() ? 'e' : m.payload[0]) {
    case 'm':
      return lent == nullptr ? echo(s, m) : sent(s, m, weir_conn_send_message(s.conn, lent));
    case 'f':
      return begin(s, m);
    case 'a':
    case 'o':
      return broadcast(s, m, m.payload[0] == 'o');
    case 't':
    case 'T':
      return publish(s, m, m.payload[0] == 'T');
    case 's':
    case 'u':
      return subscribe(s, m.payload[1], m.payload[0] == 's');
    case 'x':
    case 'X':
      return close(s, m.payload[0] == 'X');
    case 'k':
    case 'K':
      return close_another(s, m.payload[0] == 'K');
    case 'p':
    case 'q':
      return pause(s, m.payload[0] == 'q');
    case 'P':
      return by_post(s, m);
    case 'g':
      return ping(s);
    case 'c':
      return echo(s, as_it_is(m));
    case 'A':
      return broadcast(s, as_it_is(m), false);
    case 'h':
      return send_shared(s, m);
    case 'l':
      return send_to_each(s, m);
    case 'n':
      return;
    default:
      return echo(s, m);
    }
  }

  // An id finds its connection as long as that lives, and never another one.
  static void look_up(world &w)
  {
    session &any = w.sessions[w.k.roll.below(w.sessions.size())];
    if (weir_conn_find(w.server, w.loop, any.id) != any.conn)
      w.fail("weir_conn_find gave another connection than the id's");
  }

  // What the connection says of compression, against what its client was answered.
  static void compare_terms(session &s)
  {
    struct weir_compression_state state;
    terms own;
    weir_conn_compression(s.conn, &state);
    if (state.agreed != 0)
      own = {true, state.server_takeover != 0, state.client_takeover != 0, state.server_window_bits,
             state.client_window_bits};
    if (own != s.peer->agreed)
      s.home->fail("weir_conn_compression says something else than the response");
  }

  static void took(session &s, const message &m, const struct weir_message *lent)
  {
    world &w = *s.home;
    w.k.progress();
    look_up(w);
    compare_terms(s);
    const std::vector<message> &all = w.sent[s.peer];
    if (s.taken >= all.size() || all[s.taken] != m)
      w.fail("message " + std::to_string(s.taken) + " of client " + std::to_string(s.peer->number) +
             " came changed or out of order: " + m.payload.substr(0, 40));
    ++s.taken;
    if (m.opcode == WEIR_TEXT && m.payload.size() > 1)
      act(s, m, lent);
    else
      echo(s, m);
  }

  // What a handler does to others beside its own business.
  static void meddle(session &s)
  {
    world &w = *s.home;
    if (!w.options.mischief || w.server == nullptr || !w.k.roll.chance(200))
      return;
    message m{WEIR_TEXT, "n meddling"};
    switch (w.k.roll.below(5)) {
    case 0:
      return broadcast(s, m, false);
    case 1:
      return broadcast(s, m, true);
    case 2:
      return close_another(s, w.k.roll.chance(500));
    case 3:
      return s.closed ? void() : echo(s, m);
    default:
      return s.closed ? void() : subscribe(s, '0', !s.topics.contains('0'));
    }
  }

  static bool alive(session &s, const char *what)
  {
    if (s.open && !s.closed)
      return true;
    s.home->fail(std::string(what) + " without on_open or after on_close");
    return false;
  }

  static void on_message(struct weir_conn *conn, const struct weir_message *m, void *)
  {
    session &s = of(conn);
    if (s.paused)
      s.home->fail("on_message while paused");
    if (alive(s, "on_message"))
      took(s, {m->opcode, std::string(static_cast<const char *>(m->data), m->len)}, m);
  }

  static void on_fragment(struct weir_conn *conn, const struct weir_message *m, void *)
  {
    session &s = of(conn);
    if (!alive(s, "on_fragment"))
      return;
    if (s.paused)
      s.home->fail("on_fragment while paused");
    if ((m->first != 0) != (s.pieces.opcode == 0))
      s.home->fail("on_fragment: first is wrong");
    s.pieces.opcode = m->opcode;
    s.pieces.payload.append(static_cast<const char *>(m->data), m->len);
    if (m->last == 0)
      return;
    message whole = std::move(s.pieces);
    s.pieces = {0, ""};
    took(s, whole, nullptr);
  }

  // What the connection says of TLS, against what its client speaks.
  static void check_terms(session &s)
  {
    struct weir_tls_info info;
    int result = weir_conn_tls(s.conn, &info);
    bool older = s.peer != nullptr && s.peer->manners.veil.older;
    if (result != (s.home->options.secure ? 0 : -ENOTCONN) && !s.home->options.lossy)
      s.home->fail("weir_conn_tls returned " + std::string(weir_strerror(result)));
    if (result == 0 && s.peer != nullptr &&
        std::string(info.version) != (older ? "TLSv1.2" : "TLSv1.3"))
      s.home->fail(std::string("the connection has ") + info.version);
  }

  // The client's port, by which it is known.
  static uint16_t port_of(world &w, const struct weir_conn *conn)
  {
    struct weir_peer where;
    if (weir_conn_peer(conn, &where) != 0)
      w.fail("weir_conn_peer failed");
    if (w.options.proxied && std::string_view(where.address) != CLIENT_ADDRESS)
      w.fail(std::string("the proxy's client is ") + where.address);
    if (!w.options.local || w.options.proxied)
      return where.port;
    if (where.port != 0 || std::string_view(where.address) != "unix")
      w.fail(std::string("a unix socket's peer is ") + where.address);
    return w.k.port_behind(conn->stream.source.fd);
  }

  static void on_open(struct weir_conn *conn, void *arg)
  {
    world &w = *static_cast<world *>(arg);
    uint16_t port = port_of(w, conn);
    session &s = w.sessions.emplace_back();
    s.home = &w;
    s.conn = conn;
    s.id = weir_conn_id_of(conn);
    s.open = true;
    for (client &c : w.clients)
      if (c.port == port)
        s.peer = &c;
    weir_conn_set_user(conn, &s);
    if (s.peer == nullptr || weir_timer_new(&s.timer, w.loop, on_timer, &s) != 0) {
      if (!w.options.lossy)
        w.fail("on_open of a connection that nobody made");
      s.closing = true;
      weir_conn_abort(conn);
    }
    w.k.note("on_open, client %ld", s.peer == nullptr ? -1 : s.peer->number);
    check_terms(s);
    meddle(s);
  }

  static void on_error(struct weir_conn *conn, int error, const char *what, void *)
  {
    session &s = of(conn);
    alive(s, "on_error");
    if (s.failed)
      s.home->fail("on_error twice");
    s.failed = true;
    s.home->k.note(std::string("on_error: ") + weir_strerror(error) + ": " + what);
    if (!s.home->options.lossy && error != -s.peer->offence)
      s.home->fail("on_error: " + std::string(weir_strerror(error)) + ": " + what);
  }

  static void on_close(struct weir_conn *conn, int code, struct weir_slice, void *)
  {
    session &s = of(conn);
    if (!alive(s, "on_close"))
      return;
    s.home->k.note("on_close(%ld), client %ld", code, s.peer == nullptr ? -1 : s.peer->number);
    s.close_code = code;
    s.closed_at = s.home->k.now();
    s.closed = true;
    s.topics.clear();
    if (weir_conn_send(conn, WEIR_TEXT, "late", 4) != -EPIPE)
      s.home->fail("a send in on_close was taken");
    weir_timer_free(s.timer);
    s.timer = nullptr;
    s.conn = nullptr;
    s.home->check_closed(s);
    meddle(s);
  }

  static void on_ping(struct weir_conn *conn, struct weir_slice, void *)
  {
    alive(of(conn), "on_ping");
  }
  static void on_drain(struct weir_conn *conn, void *)
  {
    if (alive(of(conn), "on_drain"))
      meddle(of(conn));
  }
  static void on_dropped(struct weir_conn *conn, size_t messages, void *)
  {
    session &s = of(conn);
    if (!alive(s, "on_dropped"))
      return;
    if (messages == 0)
      s.home->fail("on_dropped of nothing");
    meddle(s);
  }
};

struct weir_route route_of(const world &w)
{
  struct weir_route route = {};
  route.size = sizeof route;
  route.options = w.options.route;
  route.options.size = sizeof route.options;
  route.handlers.on_open = app::on_open;
  route.handlers.on_message = app::on_message;
  route.handlers.on_ping = app::on_ping;
  route.handlers.on_pong = app::on_ping;
  route.handlers.on_drain = app::on_drain;
  route.handlers.on_dropped = app::on_dropped;
  route.handlers.on_error = app::on_error;
  route.handlers.on_close = app::on_close;
  return route;
}

int add_routes(world &w)
{
  struct weir_route route = route_of(w);
  int error = weir_server_route(w.server, "/whole", &route, &w);
  route.handlers.on_fragment = app::on_fragment;
  return error != 0 ? error : weir_server_route(w.server, "/pieces", &route, &w);
}

} // namespace sim
