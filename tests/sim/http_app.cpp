#include "http_world.hpp"

#include <algorithm>
#include <cerrno>

namespace sim
{

namespace
{
constexpr size_t SMALL_BYTES = 1000;
constexpr uint64_t TURN_MS = 20; // a deadline counts from the turn's beginning
constexpr uint64_t TICK_MS = 64; // of the coarse wheel that deadlines stand on

std::string_view view(struct weir_slice s)
{
  return {s.data == nullptr ? "" : s.data, s.len};
}
} // namespace

struct http_app {
  // ---- what is asked

  static exchange *find(http_world &w, struct weir_request *r)
  {
    std::string id(view(weir_request_header(r, "x-exchange")));
    size_t client = std::strtoul(id.c_str(), nullptr, 10);
    size_t number = std::strtoul(id.c_str() + std::min(id.size(), id.find('.') + 1), nullptr, 10);
    if (client < w.speakers.size() && number < w.speakers[client].all.size() &&
        w.speakers[client].all[number]->id() == id)
      return w.speakers[client].all[number];
    w.fail("a request that nobody sent: " + id);
    return nullptr;
  }

  static void check_request(http_world &w, const exchange &e, struct weir_request *r)
  {
    struct weir_peer peer;
    if (view(weir_request_method(r)) != e.method || view(weir_request_path(r)) != e.path ||
        view(weir_request_query(r, "n")) != std::to_string(e.number))
      w.fail(e.id() + " came changed");
    if (weir_request_peer(r, &peer) != 0 || peer.port != e.from->c.port)
      w.fail(e.id() + " came from somebody else");
  }

  // Whether the handler may be asked now: once, and when those before it are answered.
  static void check_turn(http_world &w, exchange &e)
  {
    if (++e.asked != 1)
      w.fail(e.id() + " was asked twice");
    if (e.fate != 0 && !e.asked_yet)
      w.fail(e.id() + " was asked, though it is to be refused");
    if (e.number == 0)
      return;
    const exchange &before = *e.from->all[e.number - 1];
    if (!before.answered || before.closes)
      w.fail(e.id() + " was asked " + (before.answered ? "behind the last one" : "out of turn"));
  }

  static exchange *asked(http_world &w, struct weir_request *r)
  {
    exchange *e = find(w, r);
    if (e == nullptr)
      return nullptr;
    w.k.progress();
    w.k.note("client %ld's request %ld is asked", e->client, e->number);
    check_turn(w, *e);
    check_request(w, *e, r);
    e->asked_at = w.k.now();
    if (!e->in_pieces())
      take_whole(w, *e, view(weir_request_body(r)));
    return e;
  }

  static void take_whole(http_world &w, exchange &e, std::string_view body)
  {
    if (body != e.body)
      w.fail("another body of " + e.id() + " came");
    e.whole = true;
    e.whole_at = w.k.now();
  }

  // ---- what is answered

  static void note_result(http_world &w, exchange &e, int result)
  {
    if (result == -ENOMEM && w.options.lossy)
      e.bare = true;
    else if (result == -ESTALE && e.upgrade && may_be_gone(w, e))
      e.lost = true;
    else if (result != 0)
      w.fail("setting the response to " + e.id() + ": " + weir_strerror(result));
  }

  static void dress(http_world &w, exchange &e, struct weir_request *r)
  {
    note_result(w, e, weir_request_respond_header(r, "X-Exchange", e.id().c_str()));
    if (!e.extra.empty())
      note_result(w, e, weir_request_respond_header(r, "X-Extra", e.extra.c_str()));
    if (!e.protocol.empty())
      note_result(w, e, weir_request_select_protocol(r, e.protocol.c_str()));
    if (!e.type.empty())
      note_result(w, e,
                  weir_request_respond_body(r, e.type.c_str(), e.reply.data(), e.reply.size()));
  }

  static void answered(http_world &w, exchange &e)
  {
    static const std::string_view ways[] = {"answered at once", "answered inside", "answered later",
                                            "answered by another", "streamed"};
    e.answered = true;
    e.early |= !e.whole;
    e.answered_at = w.k.now();
    ++w.seen[ways[static_cast<size_t>(e.how)]];
    w.seen["answered early"] += e.early;
  }

  // Whether the connection may be gone without a word: handlers hear of plain requests alone.
  static bool may_be_gone(http_world &w, const exchange &e)
  {
    const http_client &from = *e.from;
    if (from.c.broke_off || from.c.ended || w.stopped || w.options.lossy)
      return true;
    return w.elapsed_ms(from.connected_at) + TURN_MS >= w.limits.handshake_timeout_ms;
  }

  // What a call that answers must return.
  static void check_result(http_world &w, exchange &e, int result, const char *call)
  {
    int due = e.gone != 0 || e.lost ? -ESTALE : e.answered || e.begun ? -EALREADY : 0;
    if (e.upgrade && due == 0 && result == -ESTALE && may_be_gone(w, e)) {
      e.lost = true;
      ++w.seen["upgrade gone"];
      return;
    }
    if (result != due)
      w.fail(std::string(call) + " of " + e.id() + " returned " + weir_strerror(result) + ", not " +
             weir_strerror(due));
  }

  static int respond(exchange &e)
  {
    return e.upgrade && e.accepts ? weir_request_accept(e.request)
                                  : weir_request_respond(e.request, e.status);
  }

  static void answer(http_world &w, exchange &e)
  {
    if (!e.is_over() && !e.keeps)
      dress(w, e, e.request);
    int result = respond(e);
    check_result(w, e, result, "an answer");
    if (result == 0)
      answered(w, e);
    if (e.again)
      check_result(w, e, respond(e), "a second answer");
  }

  static void act(http_world &w, exchange &e)
  {
    if (e.is_over() || e.begun)
      return;
    if (e.how == way::stream)
      begin(w, e);
    else
      answer(w, e);
  }

  // ---- streams

  static void begin(http_world &w, exchange &e)
  {
    if (!e.keeps)
      dress(w, e, e.request);
    size_t size = e.announced ? e.reply.size() : WEIR_OFF;
    int result = weir_request_begin(e.request, e.status, size);
    check_result(w, e, result, "a beginning");
    if (result != 0)
      return;
    e.begun = true;
    e.early = !e.whole;
    if (e.again)
      check_result(w, e, respond(e), "an answer to what has begun");
    go_on(w, e);
  }

  static size_t goal(const exchange &e)
  {
    return e.reply.size() - e.withheld;
  }

  static void go_on(http_world &w, exchange &e)
  {
    while (!e.is_over() && e.written < goal(e)) {
      if (!write(w, e))
        return;
      if (e.pause_ms > 0)
        return start_timer(e, w.k.roll.below(e.pause_ms + 1));
    }
    if (!e.is_over())
      end(w, e);
  }

  // One piece; whether another one may follow.
  static bool write(http_world &w, exchange &e)
  {
    size_t n = std::min(goal(e) - e.written, 1 + w.k.roll.below(e.piece));
    size_t there = weir_request_buffered(e.request), most = w.limits.max_queued_bytes;
    bool fits = there == 0 || (there <= most && n <= most - there);
    bool bodiless = e.method == "HEAD" || e.status == 204 || e.status == 304;
    int result = weir_request_write(e.request, e.reply.data() + e.written, n);
    if (result == 0) {
      e.written += n;
      if (!fits && !bodiless)
        w.fail("a piece of " + e.id() + " was taken over the limit");
      return true;
    }
    e.drains = result == -ENOBUFS;
    w.seen["piece refused"] += e.drains;
    if (result == -ENOMEM && w.options.lossy)
      start_timer(e, 1);
    else if (result != -ENOBUFS || fits)
      w.fail("a piece of " + e.id() + ": " + weir_strerror(result));
    return false;
  }

  static void end(http_world &w, exchange &e)
  {
    if (e.announced && e.withheld == 0 && weir_request_write(e.request, "!", 1) != -EMSGSIZE)
      w.fail("more of " + e.id() + " was taken than was announced");
    answered(w, e);
    int result = weir_request_end(e.request);
    if (result != 0)
      w.fail("the end of " + e.id() + ": " + weir_strerror(result));
    if (e.again && weir_request_end(e.request) != -EINVAL)
      w.fail(e.id() + " ended twice");
  }

  // ---- kept requests

  static bool keep(http_world &w, exchange &e, struct weir_request *r)
  {
    if (e.keeps) // what is set goes with it
      dress(w, e, r);
    e.request = weir_request_keep(r);
    if (e.request == nullptr) {
      if (!w.options.lossy)
        w.fail(e.id() + " could not be kept");
      return false;
    }
    e.refs = 1;
    if (w.k.roll.chance(300)) {
      if (weir_request_keep(r) != e.request || weir_request_ref(e.request) != e.request)
        w.fail(e.id() + " was kept as two");
      e.refs += 2;
    }
    weir_request_set_user(e.request, &e);
    w.timed.push_back({&w, &e});
    if (weir_timer_new(&e.timer, w.loop, on_timer, &w.timed.back()) == 0)
      return true;
    release(e);
    return false;
  }

  static void release(exchange &e)
  {
    for (; e.refs > 0; --e.refs)
      weir_request_unref(e.request);
    e.request = nullptr;
    weir_timer_free(std::exchange(e.timer, nullptr));
  }

  static void start_timer(exchange &e, uint64_t ms)
  {
    weir_timer_start(e.timer, ms, 0);
  }

  // What is answered, or gone, can still be read; and answered no more.
  static void look_back(http_world &w, exchange &e)
  {
    if (view(weir_request_header(e.request, "X-Exchange")) != e.id() ||
        weir_request_user(e.request) != &e || weir_request_loop(e.request) != 0)
      w.fail(e.id() + " changed while it was kept");
  }

  static void knock(http_world &w, exchange &e)
  {
    bool gone = e.gone != 0 || e.lost;
    ++w.seen[gone ? "too late: stale" : "too late: already"];
    int due = gone ? -ESTALE : -EALREADY, due_of_pieces = gone ? -ESTALE : -EINVAL;
    if (respond(e) != due || weir_request_begin(e.request, 200, 1) != due ||
        weir_request_write(e.request, "x", 1) != due_of_pieces ||
        weir_request_end(e.request) != due_of_pieces ||
        weir_request_respond_header(e.request, "X-Late", "1") != due)
      w.fail("a late answer to " + e.id() + " did not return " + weir_strerror(due));
    look_back(w, e);
  }

  static void on_timer(struct weir_timer *, void *arg)
  {
    auto [w, e] = *static_cast<http_world::appointment *>(arg);
    if (e->begun && !e->is_over())
      return e->drains ? void() : go_on(*w, *e);
    if (e->how == way::never)
      await_deadline(*w, *e);
    else
      act(*w, *e);
    if (e->is_over() && w->k.roll.chance(700)) {
      knock(*w, *e);
      release(*e);
    } else if (e->is_over() || e->how == way::never) {
      start_timer(*e, w->k.roll.between(1, 60)); // often for longer than the peer lives
    }
  }

  // Of an upgrade's, nobody tells.
  static void await_deadline(http_world &w, exchange &e)
  {
    if (e.is_over() || !e.upgrade || w.elapsed_ms(e.asked_at) < w.limits.handshake_timeout_ms + 200)
      return;
    e.lost = true;
    check_result(w, e, respond(e), "an answer");
  }

  // ---- callbacks

  // Answers requests that wait for another's handler.
  static void meddle(http_world &w)
  {
    while (!w.waiting.empty() && w.k.roll.chance(500)) {
      exchange &e = *w.waiting.front();
      w.waiting.pop_front();
      if (e.request != nullptr)
        act(w, e);
    }
  }

  static int by_value(http_world &w, exchange &e, struct weir_request *r)
  {
    if (e.keeps)
      keep(w, e, r);
    else
      dress(w, e, r);
    answered(w, e);
    if (e.request != nullptr)
      start_timer(e, w.k.roll.between(0, 100));
    if (e.upgrade)
      return e.accepts ? 0 : -e.status;
    return e.status == 200 && w.k.roll.chance(500) ? 0 : e.status;
  }

  static int instead(http_world &w, exchange &e, struct weir_request *r)
  {
    e.status = 503; // no memory to keep it
    e.how = way::value;
    e.accepts = e.keeps = false;
    e.bare = true;
    e.extra.clear(); // it may have been set already, and not fit twice
    return by_value(w, e, r);
  }

  // As long as it takes to answer in the very turn in which the deadline passes, or next to it.
  static uint64_t at_the_last_moment(http_world &w, const exchange &e)
  {
    uint64_t most = e.upgrade ? w.limits.handshake_timeout_ms : w.limits.response_timeout_ms;
    uint64_t now = weir_loop_now_ms(w.loop);
    uint64_t due = (now / TICK_MS + (most + TICK_MS - 1) / TICK_MS + 1) * TICK_MS;
    return due - now + w.k.roll.below(3) - 1;
  }

  // The verdict of a handler.
  static int decide(http_world &w, exchange &e, struct weir_request *r)
  {
    meddle(w);
    if (e.how == way::value)
      return by_value(w, e, r);
    if (e.how == way::nonsense)
      return e.returned;
    if (e.how == way::promise)
      return WEIR_LATER;
    if (!keep(w, e, r))
      return instead(w, e, r);
    e.later = true;
    if (e.how == way::inside || (e.how == way::stream && e.delay_ms < 3 && !e.awaits_body))
      act(w, e);
    if (e.how == way::other)
      w.waiting.push_back(&e);
    if (e.how == way::timer && w.flavour.deadlines && w.k.roll.chance(150))
      e.delay_ms = at_the_last_moment(w, e);
    start_timer(e, e.how == way::never ? 60 : e.delay_ms + (e.awaits_body ? 60 : 0));
    return WEIR_LATER;
  }

  static int on_request(struct weir_request *r, void *arg)
  {
    http_world &w = *static_cast<http_world *>(arg);
    exchange *e = asked(w, r);
    return e == nullptr ? 500 : decide(w, *e, r);
  }

  static int on_upgrade(struct weir_request *r, void *, void *arg)
  {
    http_world &w = *static_cast<http_world *>(static_cast<world *>(arg));
    exchange *e = asked(w, r);
    return e == nullptr ? -500 : decide(w, *e, r);
  }

  static void on_body(struct weir_request *r, struct weir_slice piece, bool last, void *arg)
  {
    http_world &w = *static_cast<http_world *>(arg);
    exchange *e = find(w, r);
    if (e == nullptr)
      return;
    if (e->asked == 0 || !e->later || e->is_over() || (e->whole && e->has_body()))
      w.fail("a piece of the body of " + e->id() + " that nobody awaits");
    if (piece.len == 0 && !last)
      w.fail("an empty piece of the body of " + e->id());
    w.seen["body in pieces"] += !last;
    e->got += view(piece);
    if (last ? e->got != e->body : !e->body.starts_with(e->got))
      w.fail("another body of " + e->id() + " came");
    if (last) {
      e->whole = true;
      e->whole_at = w.k.now();
    }
    meddle(w);
    if (last && e->awaits_body && e->how != way::never)
      act(w, *e);
  }

  static void on_drain(struct weir_request *r, void *arg)
  {
    http_world &w = *static_cast<http_world *>(arg);
    exchange *e = find(w, r);
    if (e == nullptr)
      return;
    ++w.seen["drained"];
    if (!e->begun || e->is_over() || weir_request_buffered(r) != 0)
      w.fail("on_drain of " + e->id() + " out of place");
    meddle(w);
    if (std::exchange(e->drains, false))
      go_on(w, *e);
  }

  // Why a request can be answered no more.
  static bool has_reason(http_world &w, const exchange &e)
  {
    const http_client &from = *e.from;
    if (from.c.broke_off || from.c.ended || w.stopped || w.options.lossy || e.fate != 0)
      return true;
    if (!e.whole)
      return w.elapsed_ms(e.asked_at) + TURN_MS >= w.limits.body_timeout_ms;
    if (e.begun)
      return from.stalled_ms() + TURN_MS >= w.limits.response_timeout_ms;
    return w.elapsed_ms(std::max(e.asked_at, e.whole_at)) + TURN_MS >= w.limits.response_timeout_ms;
  }

  static void on_gone(struct weir_request *r, void *arg)
  {
    http_world &w = *static_cast<http_world *>(arg);
    exchange *e = find(w, r);
    if (e == nullptr)
      return;
    w.k.progress();
    w.k.note("client %ld's request %ld is gone", e->client, e->number);
    if (++e->gone != 1)
      w.fail(e->id() + " is gone twice");
    if (e->answered || !e->later)
      w.fail(e->id() + " is gone, though it is " + (e->later ? "answered" : "not kept"));
    ++w.seen[e->begun ? "gone amid a stream" : "gone"];
    if (!has_reason(w, *e))
      w.fail(e->id() + " is gone without a reason");
    if (e->request != nullptr) {
      knock(w, *e);
      start_timer(*e, w.k.roll.between(0, 30));
    }
    meddle(w);
  }

  static int user_init(void *, void *arg)
  {
    ++static_cast<http_world *>(static_cast<world *>(arg))->inits;
    return 0;
  }

  static void user_fini(void *, void *arg)
  {
    http_world &w = *static_cast<http_world *>(static_cast<world *>(arg));
    if (++w.finis > w.inits)
      w.fail("user_fini without user_init");
  }

  static int no_user(void *, void *)
  {
    return -403;
  }

  static void no_fini(void *, void *arg)
  {
    static_cast<world *>(arg)->fail("user_fini of what user_init refused");
  }
};

int http_world::add_routes()
{
  struct weir_route chat = route_of(*this);
  chat.handlers.on_upgrade = http_app::on_upgrade;
  chat.handlers.user_init = http_app::user_init;
  chat.handlers.user_fini = http_app::user_fini;
  struct weir_route closed = route_of(*this);
  closed.handlers.user_init = http_app::no_user;
  closed.handlers.user_fini = http_app::no_fini;
  world *as_world = this;
  int error = weir_server_route(server, "/chat", &chat, as_world);
  if (error == 0)
    error = weir_server_route(server, "/closed", &closed, as_world);

  struct weir_http_route plain = {};
  plain.size = sizeof plain;
  plain.on_request = http_app::on_request;
  plain.on_drain = http_app::on_drain;
  plain.on_gone = http_app::on_gone;
  plain.body_timeout_ms = limits.body_timeout_ms;
  plain.response_timeout_ms = limits.response_timeout_ms;
  plain.max_queued_bytes = limits.max_queued_bytes;
  struct weir_http_route pieces = plain;
  pieces.on_body = http_app::on_body;
  struct weir_http_route small = plain, narrow = pieces;
  small.max_body_bytes = narrow.max_body_bytes = SMALL_BYTES;
  const std::pair<const char *, std::pair<const char *, struct weir_http_route *>> all[] = {
      {"GET", {"/all", &plain}},     {"POST", {"/all", &plain}},      {"GET", {"/chat", &plain}},
      {nullptr, {"/bits", &pieces}}, {nullptr, {"/narrow", &narrow}}, {"POST", {"/small", &small}}};
  for (auto &[method, where] : all)
    if (error == 0)
      error = weir_server_http(server, method, where.first, where.second, this);
  return error;
}

// Timers and requests that outlive their server.
void http_world::release_all()
{
  for (exchange &e : exchanges)
    if (e.request != nullptr) {
      http_app::look_back(*this, e);
      http_app::release(e);
    }
}

} // namespace sim
