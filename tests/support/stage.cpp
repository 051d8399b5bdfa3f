#include "support/stage.hpp"

#include "io/loop.h"
#include "ws/server.h"

#include <gtest/gtest.h>

#include <poll.h>

namespace support
{

namespace
{

const hooks &of(void *arg)
{
  return *static_cast<const hooks *>(arg);
}

std::string_view view(weir_slice slice)
{
  return {slice.data, slice.len};
}

uint64_t shifted_now_ns(const weir__sys *sys)
{
  auto *self = reinterpret_cast<const shifted_sys *>(sys);
  uint64_t now_ns =
      self->frozen_ns > 0 ? self->frozen_ns : weir__sys_linux.now_ns(&weir__sys_linux);
  return now_ns + self->ahead_ns;
}

bool fails(const weir__sys *sys)
{
  auto *self = reinterpret_cast<const shifted_sys *>(sys);
  return ++self->allocations == self->failing;
}

void *counted_alloc(const weir__sys *sys, size_t size)
{
  return fails(sys) ? nullptr : weir__sys_linux.alloc(&weir__sys_linux, size);
}

void *counted_resize(const weir__sys *sys, void *memory, size_t size)
{
  return fails(sys) ? nullptr : weir__sys_linux.resize(&weir__sys_linux, memory, size);
}

int shifted_timerfd_set(const weir__sys *sys, int fd, uint64_t at_ns)
{
  auto *self = reinterpret_cast<const shifted_sys *>(sys);
  self->timerfd = fd;
  self->timer_ns = at_ns;
  if (self->frozen_ns > 0)
    at_ns = 0;
  if (at_ns > 0)
    at_ns = at_ns > self->ahead_ns ? at_ns - self->ahead_ns : 1;
  return weir__sys_linux.timerfd_set(&weir__sys_linux, fd, at_ns);
}

weir_handlers handlers_of(const hooks &on)
{
  weir_handlers out = {};
  if (on.upgrade)
    out.on_upgrade = [](weir_request *r, void *user, void *arg) {
      return of(arg).upgrade(r, user);
    };
  if (on.open)
    out.on_open = [](weir_conn *c, void *arg) { of(arg).open(c); };
  if (on.message)
    out.on_message = [](weir_conn *c, const weir_message *m, void *arg) { of(arg).message(c, m); };
  if (on.fragment)
    out.on_fragment = [](weir_conn *c, const weir_message *m, void *arg) {
      of(arg).fragment(c, m);
    };
  if (on.ping)
    out.on_ping = [](weir_conn *c, weir_slice p, void *arg) { of(arg).ping(c, view(p)); };
  if (on.pong)
    out.on_pong = [](weir_conn *c, weir_slice p, void *arg) { of(arg).pong(c, view(p)); };
  if (on.drain)
    out.on_drain = [](weir_conn *c, void *arg) { of(arg).drain(c); };
  if (on.dropped)
    out.on_dropped = [](weir_conn *c, size_t messages, void *arg) { of(arg).dropped(c, messages); };
  if (on.error)
    out.on_error = [](weir_conn *c, int e, const char *w, void *arg) { of(arg).error(c, e, w); };
  if (on.close)
    out.on_close = [](weir_conn *c, int code, weir_slice reason, void *arg) {
      of(arg).close(c, code, view(reason));
    };
  if (on.user_init)
    out.user_init = [](void *user, void *arg) { return of(arg).user_init(user); };
  if (on.user_fini)
    out.user_fini = [](void *user, void *arg) { of(arg).user_fini(user); };
  return out;
}

} // namespace

weir_route route_of(const hooks &on, weir_route_options options, size_t user_bytes)
{
  options.size = sizeof options;
  return {sizeof(weir_route), user_bytes, handlers_of(on), options};
}

weir_http_route route_of(const page &on, weir_http_route out)
{
  out.size = sizeof out;
  out.on_request = [](weir_request *r, void *arg) {
    return static_cast<const page *>(arg)->request(r);
  };
  if (on.body)
    out.on_body = [](weir_request *r, weir_slice piece, bool last, void *arg) {
      static_cast<const page *>(arg)->body(r, view(piece), last);
    };
  if (on.drain)
    out.on_drain = [](weir_request *r, void *arg) { static_cast<const page *>(arg)->drain(r); };
  if (on.gone)
    out.on_gone = [](weir_request *r, void *arg) { static_cast<const page *>(arg)->gone(r); };
  return out;
}

shifted_sys::shifted_sys() : sys(weir__sys_linux)
{
  sys.now_ns = shifted_now_ns;
  sys.alloc = counted_alloc;
  sys.resize = counted_resize;
  sys.timerfd_set = shifted_timerfd_set;
}

void shifted_sys::advance(uint64_t ns)
{
  ahead_ns += ns;
  if (timer_ns > 0)
    sys.timerfd_set(&sys, timerfd, timer_ns);
}

stage::stage(weir_options server_options)
{
  server_options.size = sizeof server_options;
  EXPECT_EQ(weir__loop_new(&loop_, &sys_.sys), 0);
  EXPECT_EQ(weir__server_new(&server_, &server_options, &sys_.sys), 0);
}

stage::~stage()
{
  end_server();
  weir_tls_free(tls_);
  weir_loop_free(loop_);
}

void stage::route(const char *path, const hooks &handlers, weir_route_options of)
{
  weir_route route = route_of(handlers, of);
  ASSERT_EQ(weir_server_route(server_, path, &route, const_cast<hooks *>(&handlers)), 0);
}

void stage::http(const char *method, const char *path, const page &handlers, weir_http_route of)
{
  weir_http_route route = route_of(handlers, of);
  ASSERT_EQ(weir_server_http(server_, method, path, &route, const_cast<page *>(&handlers)), 0);
}

void stage::secure(weir_tls_options with)
{
  certificates_ = std::make_unique<localhost>();
  with.size = sizeof with;
  with.identity = {certificates_->certificate.c_str(), certificates_->key.c_str()};
  ASSERT_EQ(weir_tls_new(&tls_, &with, nullptr), 0);
  client.trust_file = certificates_->ca;
  client.server_name = "localhost";
}

void stage::start()
{
  opened_ = std::move(on.open);
  on.open = [this](weir_conn *c) {
    last_ = c;
    if (opened_)
      opened_(c);
  };
  weir_route route = route_of(on, options, user_bytes);
  ASSERT_EQ(weir_server_route(server_, "/", &route, &on), 0);
  weir_listen_options loopback = {};
  loopback.host = "127.0.0.1";
  loopback.tls = tls_;
  if (listens_.empty())
    listens_.push_back(loopback);
  for (weir_listen_options &where : listens_) {
    where.size = sizeof where;
    ASSERT_EQ(weir_server_listen_on(server_, &where), 0);
  }
  ASSERT_EQ(weir_server_attach(server_, loop_), 0);
  fd_ = weir_loop_fd(loop_);
  ASSERT_GE(fd_, 0);
}

void stage::end_server()
{
  weir_server_free(server_);
  server_ = nullptr;
}

weir_counters stage::counters() const
{
  weir_counters out;
  EXPECT_EQ(weir_server_counters(server_, &out), 0);
  return out;
}

peer &stage::connect(int receive_buffer)
{
  peers_.push_back(std::make_unique<peer>(port(), "127.0.0.1", receive_buffer));
  if (tls_ != nullptr)
    peers_.back()->secure(client);
  return *peers_.back();
}

peer &stage::connect(peer made)
{
  peers_.push_back(std::make_unique<peer>(std::move(made)));
  return *peers_.back();
}

peer &stage::open(std::string_view target, std::string_view more, int receive_buffer)
{
  peer &made = connect(receive_buffer);
  made.send(upgrade_request(target, more));
  EXPECT_EQ(answer(made, false).status, 101);
  return made;
}

/* One poll, one step, one pump of each peer; whether anything happened. */
bool stage::turn(int timeout_ms)
{
  std::vector<pollfd> polled = {{fd_, POLLIN, 0}};
  for (const auto &each : peers_) {
    if (each->fd() >= 0 && each->interest() != 0)
      polled.push_back({each->fd(), each->interest(), 0});
  }
  bool moved = poll(polled.data(), polled.size(), timeout_ms) > 0;
  if (polled[0].revents != 0) {
    EXPECT_GE(weir_loop_step(loop_, 0), 0);
  }
  for (const auto &each : peers_)
    moved |= each->pump();
  return moved;
}

bool stage::until(const std::function<bool()> &holds)
{
  auto end = std::chrono::steady_clock::now() + patience;
  while (!holds()) {
    if (std::chrono::steady_clock::now() > end)
      return false;
    turn(50);
  }
  return true;
}

void stage::pass(uint64_t ms)
{
  advance(ms);
  EXPECT_GE(weir_loop_step(loop_, 0), 0);
}

void stage::settle()
{
  for (int quiet = 0; quiet < 2;)
    quiet = turn(1) ? 0 : quiet + 1;
}

frame stage::next(peer &of)
{
  std::optional<frame> got;
  until([&] { return (got = of.take()).has_value() || of.ended(); });
  return got ? *got : frame{};
}

response stage::answer(peer &of, bool with_body)
{
  std::optional<response> got;
  until([&] { return (got = of.take_response(with_body)).has_value() || of.ended(); });
  return got ? *got : response{};
}

bool stage::ends(peer &of)
{
  return until([&] { return of.ended(); });
}

held_frame::held_frame(std::string_view payload, weir_opcode opcode)
{
  EXPECT_EQ(weir_frame_new(&frame, opcode, payload.data(), payload.size()), 0);
}

held_frame::~held_frame()
{
  weir_frame_unref(frame);
}

} // namespace support
