/* Row 68: any callback may do anything to any connection during a broadcast. Each callback meets
 * each action: it broadcasts and publishes, acts, and does so again. */
#include "catalogue/harness.hpp"

#include <atomic>
#include <gtest/gtest.h>
#include <optional>

using namespace catalogue;

namespace
{

enum class callback {
  user_init,
  upgrade,
  open,
  message,
  fragment,
  ping,
  pong,
  drain,
  error,
  error_in_broadcast,
  close,
  close_in_broadcast,
  user_fini,
  post,
  timer
};

enum class action {
  close_self,
  abort_self,
  send_to_self,
  pause_self,
  unsubscribe_self,
  close_others,
  abort_others,
  abort_every_other_one,
  close_all,
  abort_all,
  unsubscribe_all,
  close_by_id,
  broadcast_again,
  stop
};

const char *const callback_names[] = {"user_init", "upgrade",
                                      "open",      "message",
                                      "fragment",  "ping",
                                      "pong",      "drain",
                                      "error",     "error_in_broadcast",
                                      "close",     "close_in_broadcast",
                                      "user_fini", "post",
                                      "timer"};
const char *const action_names[] = {
    "close_self",      "abort_self",   "send_to_self",          "pause_self", "unsubscribe_self",
    "close_others",    "abort_others", "abort_every_other_one", "close_all",  "abort_all",
    "unsubscribe_all", "close_by_id",  "broadcast_again",       "stop"};

constexpr char topic[] = "t";
constexpr size_t cast_size = 6;
constexpr size_t payload_bytes = 6000;

/* A connection that sees all of it happen: half of the cast reads as it comes, half at the end. */
struct member {
  client peer;
  weir_conn_id id;
};

class stage
{
public:
  stage(callback where, action what) : where_(where), what_(what), at_(std::in_place, with_hooks())
  {
    for (size_t i = 0; i < cast_size; i++) {
      client peer = at_->open({}, i % 2 == 0 ? 0 : 4096);
      weir_conn_id id = at_->seen(peer).id;
      cast_.push_back({std::move(peer), id});
    }
    if (what_ == action::stop)
      at_->dismiss_bystander();
  }

  ~stage()
  {
    at_.reset();
    EXPECT_EQ(inits_, finis_) << "user_init and user_fini";
  }

  void play();

private:
  setup with_hooks();
  void happen(callback here, weir_conn *self);
  void act(weir_conn *self);
  void to_each(weir_conn *self, const std::function<void(weir_conn *, size_t)> &fn);
  void spread(char letter);
  void trigger();
  void trigger_in_broadcast();
  void expect_consistent();
  void expect_survivor(member &survivor);
  bool in_broadcast() const
  {
    return where_ == callback::error_in_broadcast || where_ == callback::close_in_broadcast;
  }
  client &star() /* reads what comes, unless the queue is to run over */
  {
    return cast_[in_broadcast() ? 3 : 2].peer;
  }

  callback where_;
  action what_;
  std::atomic<bool> armed_{false}, happened_{false};
  bool acting_ = false; /* these the loop's thread alone */
  int inits_ = 0, finis_ = 0;
  weir_timer *timer_ = nullptr;
  std::vector<member> cast_;
  std::vector<client> guests_;
  std::optional<server> at_;
};

/* The action must see the cast through ids: a client that has left has no weir_conn any more. */
void stage::to_each(weir_conn *self, const std::function<void(weir_conn *, size_t)> &fn)
{
  for (size_t i = 0; i < cast_.size(); i++) {
    weir_conn *conn = weir_conn_find(at_->get(), at_->loop(), cast_[i].id);
    if (conn != nullptr && conn != self)
      fn(conn, i);
  }
}

setup stage::with_hooks()
{
  setup out;
  out.route.max_queued_bytes = in_broadcast() ? 64 << 10 : 0;
  out.route.close_timeout_ms = 500;
  out.on.user_init = [this] {
    inits_++;
    happen(callback::user_init, nullptr);
    return 0;
  };
  out.on.user_fini = [this] {
    finis_++;
    happen(callback::user_fini, nullptr);
  };
  out.on.upgrade = [this](weir_request *) {
    happen(callback::upgrade, nullptr);
    return 0;
  };
  out.on.open = [this](weir_conn *conn) {
    weir_conn_subscribe(conn, topic, 1);
    happen(callback::open, conn);
  };
  if (where_ == callback::fragment)
    out.on.fragment = [this](weir_conn *c, const weir_message *) { happen(callback::fragment, c); };
  out.on.message = [this](weir_conn *c, const weir_message *) { happen(callback::message, c); };
  out.on.ping = [this](weir_conn *c, weir_slice) { happen(callback::ping, c); };
  out.on.pong = [this](weir_conn *c, weir_slice) { happen(callback::pong, c); };
  out.on.drain = [this](weir_conn *c) { happen(callback::drain, c); };
  out.on.error = [this](weir_conn *c, int, const char *) {
    happen(where_ == callback::error_in_broadcast ? where_ : callback::error, c);
  };
  out.on.close = [this](weir_conn *c, int, weir_slice) {
    happen(where_ == callback::close_in_broadcast ? where_ : callback::close, c);
  };
  return out;
}

void stage::spread(char letter)
{
  weir_frame *frame = nullptr;
  std::string payload(payload_bytes, letter);
  weir_frame_new(&frame, WEIR_TEXT, payload.data(), payload.size());
  weir_server_broadcast(at_->get(), frame, 0);
  weir_server_publish(at_->get(), topic, 1, frame, 0);
  weir_frame_unref(frame);
}

void stage::happen(callback here, weir_conn *self)
{
  EXPECT_FALSE(acting_) << "a handler was called inside a call of the library";
  if (here != where_ || !armed_.exchange(false))
    return;
  spread('a');
  acting_ = true;
  act(self);
  acting_ = false;
  if (what_ != action::stop)
    spread('b');
  happened_ = true;
}

void stage::act(weir_conn *self)
{
  auto close = [](weir_conn *conn, size_t) { weir_conn_close(conn, 4321, "acted"); };
  auto abort = [](weir_conn *conn, size_t) { weir_conn_abort(conn); };
  auto unsubscribe = [](weir_conn *conn, size_t) { weir_conn_unsubscribe(conn, topic, 1); };
  switch (what_) {
  case action::close_self:
    return weir_conn_close(self, 4321, "acted"), void();
  case action::abort_self:
    return weir_conn_abort(self);
  case action::send_to_self:
    return weir_conn_send(self, WEIR_TEXT, "self", 4), void();
  case action::pause_self:
    return weir_conn_pause(self), weir_conn_resume(self);
  case action::unsubscribe_self:
    return weir_conn_unsubscribe(self, topic, 1), void();
  case action::close_others:
    return to_each(self, close);
  case action::abort_others:
    return to_each(self, abort);
  case action::abort_every_other_one:
    return to_each(self,
                   [](weir_conn *conn, size_t i) { i % 2 == 0 ? weir_conn_abort(conn) : void(); });
  case action::close_all:
    return to_each(nullptr, close);
  case action::abort_all:
    return to_each(nullptr, abort);
  case action::unsubscribe_all:
    return to_each(nullptr, unsubscribe);
  case action::close_by_id:
    for (const member &each : cast_)
      weir_server_close_id(at_->get(), each.id, 4321, "acted");
    return;
  case action::broadcast_again:
    return spread('n');
  case action::stop:
    return weir_server_stop(at_->get());
  }
}

/* Makes the callback happen on the star's connection. */
void stage::trigger()
{
  weir_timer *timer = nullptr;
  switch (where_) {
  case callback::user_init:
  case callback::upgrade:
  case callback::open:
    guests_.emplace_back(at_->port());
    guests_.back().send(request{}.str());
    return;
  case callback::message:
  case callback::fragment:
    return star().send(masked(fin | text, "go")), void();
  case callback::ping:
    return star().send(masked(fin | ping, "go")), void();
  case callback::pong:
    return star().send(masked(fin | pong, "go")), void();
  case callback::drain:
    return at_->on_loop([&] {
      std::string large(900 << 10, 'd');
      weir_conn_send(at_->find(star()), WEIR_TEXT, large.data(), large.size());
    });
  case callback::error:
    return star().send(masked(fin | 0x7, "fault")), void();
  case callback::close:
    return star().send(closing(1000)), void();
  case callback::user_fini:
    star().send(closing(1000));
    return star().half_close();
  case callback::error_in_broadcast:
  case callback::close_in_broadcast:
    return trigger_in_broadcast();
  case callback::post:
    return at_->on_loop([&] { happen(callback::post, at_->find(star())); });
  case callback::timer:
    return at_->on_loop([&] {
      auto fire = [](weir_timer *, void *arg) {
        auto *it = static_cast<stage *>(arg);
        it->happen(callback::timer, it->at_->find(it->star()));
      };
      weir_timer_new(&timer, at_->loop(), fire, this);
      weir_timer_start(timer, 1, 0);
      timer_ = timer;
    });
  }
}

/* The star's queue is full to the brim, and stays so from turn to turn, so that the broadcast
 * itself closes it by its policy. */
void stage::trigger_in_broadcast()
{
  const std::string filler(8 << 10, 'f');
  for (bool stuck = false; !stuck;) {
    at_->on_loop([&] {
      weir_conn *conn = at_->find(star());
      stuck = weir_conn_buffered(conn).bytes >= 48 << 10;
      while (weir_conn_buffered(conn).bytes < 48 << 10)
        weir_conn_send(conn, WEIR_TEXT, filler.data(), filler.size());
    });
  }
  at_->on_loop([&] {
    spread('x');
    spread('x');
  });
}

void stage::play()
{
  armed_ = true;
  trigger();
  if (where_ == callback::drain)
    star().read_frame();
  at_->poll("the callback", [&] { return happened_.load(); });
  at_->on_loop([&] { weir_timer_free(timer_); });
  if (what_ != action::stop)
    at_->expect_undisturbed();
  expect_consistent();
}

void stage::expect_consistent()
{
  for (member &each : cast_) {
    record seen = at_->seen(each.peer);
    EXPECT_LE(seen.closes.size(), 1u);
    if (what_ == action::stop)
      EXPECT_NE(static_cast<int>(each.peer.wait_end()), static_cast<int>(ending::silence));
    else if (seen.closes.empty() && !each.peer.ended())
      expect_survivor(each);
  }
}

/* Whoever is open got everything that was spread, whole and in order. */
void stage::expect_survivor(member &survivor)
{
  bool subscribed = false, open = false;
  at_->on_loop([&] {
    weir_conn *conn = weir_conn_find(at_->get(), at_->loop(), survivor.id);
    open = conn != nullptr && weir_conn_send(conn, WEIR_TEXT, "end", 3) == 0;
    subscribed = open && weir_conn_is_subscribed(conn, topic, 1);
  });
  if (!open)
    return;
  std::string letters;
  for (std::optional<frame> got; (got = survivor.peer.read_frame()) && got->payload != "end";) {
    if (got->payload.size() != payload_bytes)
      continue; /* an answer to the trigger */
    EXPECT_EQ(got->payload, std::string(payload_bytes, got->payload[0]));
    if (got->payload[0] == 'a' || got->payload[0] == 'b')
      letters += got->payload[0];
  }
  EXPECT_EQ(letters, subscribed ? "aabb" : "aab");
}

struct meeting {
  callback where;
  action what;
};

/* Every callback with every action, but for those on a connection that is not there yet, or any
 * more. */
std::vector<meeting> all_meetings()
{
  std::vector<meeting> out;
  for (int where = 0; where <= static_cast<int>(callback::timer); where++) {
    for (int what = 0; what <= static_cast<int>(action::stop); what++) {
      meeting m = {static_cast<callback>(where), static_cast<action>(what)};
      bool nobody = m.where == callback::user_init || m.where == callback::upgrade ||
                    m.where == callback::user_fini;
      if (!nobody || m.what > action::unsubscribe_self)
        out.push_back(m);
    }
  }
  return out;
}

std::string name_of(const testing::TestParamInfo<meeting> &info)
{
  return std::string(action_names[static_cast<int>(info.param.what)]) + "_in_" +
         callback_names[static_cast<int>(info.param.where)];
}

class Row68 : public testing::TestWithParam<meeting>
{
};

} // namespace

TEST_P(Row68, IsSafe)
{
  stage(GetParam().where, GetParam().what).play();
}

INSTANTIATE_TEST_SUITE_P(, Row68, testing::ValuesIn(all_meetings()), name_of);
