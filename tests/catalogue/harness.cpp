#include "catalogue/harness.hpp"

#include "catalogue/local.hpp"
#include "support/certificates.hpp"

#include <algorithm>
#include <arpa/inet.h>
#include <cctype>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <pthread.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <time.h>

namespace catalogue
{

using std::chrono::milliseconds;
using std::chrono::steady_clock;

/* The C handlers: each makes its record, then calls the test's hook. */
struct thunks {
  static server &at(void *arg)
  {
    return *static_cast<server *>(arg);
  }

  template <typename Change> static void note(void *arg, weir_conn *conn, Change change)
  {
    server &s = at(arg);
    std::lock_guard<std::mutex> hold(s.lock_);
    record &r = s.of(conn);
    if (r.opens != 1 || !r.closes.empty())
      s.wrong_.push_back("a handler was called before on_open or after on_close");
    change(r);
    s.changed_.notify_all();
  }

  static int upgrade(weir_request *request, void *, void *arg)
  {
    weir_slice port = weir_request_header(request, "X-Port");
    at(arg).arriving_ = static_cast<uint16_t>(
        std::atoi(std::string(port.len > 0 ? port.data : "", port.len).c_str()));
    return at(arg).on_.upgrade ? at(arg).on_.upgrade(request) : 0;
  }

  static void open(weir_conn *conn, void *arg)
  {
    server &s = at(arg);
    {
      weir_peer peer = {};
      weir_conn_peer(conn, &peer);
      std::lock_guard<std::mutex> hold(s.lock_);
      record &r = s.of(conn);
      r.id = weir_conn_id_of(conn);
      r.opens++;
      s.live_++;
      s.ids_[s.over_ == transport::local ? s.arriving_ : peer.port] = r.id;
      s.changed_.notify_all();
    }
    if (s.on_.open)
      s.on_.open(conn);
  }

  static void message(weir_conn *conn, const weir_message *message, void *arg)
  {
    note(arg, conn, [&](record &r) {
      r.messages.emplace_back(static_cast<const char *>(message->data),
                              std::min<size_t>(message->len, 4096));
    });
    if (at(arg).on_.message)
      at(arg).on_.message(conn, message);
    else
      weir_conn_send_message(conn, message);
  }

  static void fragment(weir_conn *conn, const weir_message *piece, void *arg)
  {
    note(arg, conn, [](record &) {});
    at(arg).on_.fragment(conn, piece);
  }

  static void ping(weir_conn *conn, weir_slice payload, void *arg)
  {
    note(arg, conn, [&](record &r) { r.pings.emplace_back(payload.data, payload.len); });
    if (at(arg).on_.ping)
      at(arg).on_.ping(conn, payload);
  }

  static void pong(weir_conn *conn, weir_slice payload, void *arg)
  {
    note(arg, conn, [&](record &r) { r.pongs.emplace_back(payload.data, payload.len); });
    if (at(arg).on_.pong)
      at(arg).on_.pong(conn, payload);
  }

  static void drain(weir_conn *conn, void *arg)
  {
    note(arg, conn, [](record &r) { r.drains++; });
    if (at(arg).on_.drain)
      at(arg).on_.drain(conn);
  }

  static void dropped(weir_conn *conn, size_t messages, void *arg)
  {
    note(arg, conn, [&](record &r) { r.dropped += messages; });
  }

  static void error(weir_conn *conn, int error, const char *what, void *arg)
  {
    note(arg, conn, [&](record &r) {
      r.errors.push_back(error);
      r.whats.emplace_back(what);
    });
    if (at(arg).on_.error)
      at(arg).on_.error(conn, error, what);
  }

  static void close(weir_conn *conn, int code, weir_slice reason, void *arg)
  {
    server &s = at(arg);
    note(arg, conn, [&](record &r) {
      r.closes.push_back(code);
      if (reason.data != nullptr)
        r.reason.assign(reason.data, reason.len);
      s.live_--;
    });
    if (s.on_.close)
      s.on_.close(conn, code, reason);
  }

  static int user_init(void *, void *arg)
  {
    return at(arg).on_.user_init ? at(arg).on_.user_init() : 0;
  }

  static void user_fini(void *, void *arg)
  {
    if (at(arg).on_.user_fini)
      at(arg).on_.user_fini();
  }

  static void echo(weir_conn *conn, const weir_message *message, void *)
  {
    weir_conn_send_message(conn, message);
  }
};

namespace
{

weir_tls *new_tls()
{
  static const support::localhost files;
  weir_tls *out = nullptr;
  weir_tls_error error = {};
  weir_tls_options options = {};
  options.size = sizeof options;
  options.identity = {files.certificate.c_str(), files.key.c_str()};
  EXPECT_EQ(weir_tls_new(&out, &options, &error), 0) << error.text;
  return out;
}

} // namespace

server::server(setup setup) : on_(setup.on), head_(setup.head), over_(setup.over)
{
  listen(setup);
  thread_ = std::thread([this] { serve(); });
  await([this] { return serving_; });
  bystander_ = std::make_unique<client>(connect());
  bystander_->upgrade(request{}.with_line("GET /bystander HTTP/1.1"));
  expect_undisturbed();
}

server::~server()
{
  if (bystander_)
    expect_undisturbed();
  on_loop([this] { done_ = true; });
  tell([this] { serving_ = false; }); /* the post has returned: the loop may go */
  thread_.join();
  judge();
}

void server::listen(const setup &setup)
{
  weir_options options = setup.options;
  options.size = sizeof options;
  EXPECT_EQ(weir_server_new(&server_, &options), 0);
  weir_route route = {};
  route.size = sizeof route;
  route.user_bytes = on_.user_init || on_.user_fini ? 16 : 0;
  route.options = setup.route;
  route.options.size = sizeof route.options;
  route.handlers = {thunks::upgrade, thunks::open, thunks::message, nullptr,
                    thunks::ping,    thunks::pong, thunks::drain,   thunks::error,
                    thunks::close,   nullptr,      nullptr,         thunks::dropped};
  if (on_.fragment)
    route.handlers.on_fragment = thunks::fragment;
  if (route.user_bytes > 0) {
    route.handlers.user_init = thunks::user_init;
    route.handlers.user_fini = thunks::user_fini;
  }
  EXPECT_EQ(weir_server_route(server_, "/", &route, this), 0);
  weir_http_route page = setup.page;
  page.size = sizeof page;
  if (page.on_request != nullptr) {
    EXPECT_EQ(weir_server_http(server_, nullptr, "/page", &page, setup.page_arg), 0);
  }
  weir_route aside = {};
  aside.size = sizeof aside;
  aside.options.size = sizeof aside.options;
  aside.options.no_broadcast = 1;
  aside.handlers.on_message = thunks::echo;
  EXPECT_EQ(weir_server_route(server_, "/bystander", &aside, this), 0);
  listen_on_transport();
}

void server::listen_on_transport()
{
  weir_listen_options where = {};
  where.size = sizeof where;
  bool local = over_ == transport::local;
  port_ = local ? next_local() : 0;
  std::string name = local_name(port_);
  where.host = local ? nullptr : "127.0.0.1";
  where.path = local ? name.c_str() : nullptr;
  where.tls = local || over_ == transport::tcp ? nullptr : new_tls();
  EXPECT_EQ(weir_server_listen_on(server_, &where), 0);
  weir_tls_free(where.tls);
  if (!local)
    port_ = weir_server_port(server_);
}

/* The loop's thread. What is still open at the end is closed by weir_server_stop. */
void server::serve()
{
  EXPECT_EQ(weir_loop_new(&loop_), 0);
  EXPECT_EQ(weir_server_attach(server_, loop_), 0);
  tell([this] { serving_ = true; });
  while (!done_)
    weir_loop_step(loop_, -1);
  await([this] { return !serving_; });
  weir_server_stop(server_);
  auto until = steady_clock::now() + patience;
  for (bool busy = true; busy && steady_clock::now() < until;) {
    weir_loop_step(loop_, 1);
    std::lock_guard<std::mutex> hold(lock_);
    busy = live_ > 0;
  }
  weir_server_free(server_);
  weir_loop_free(loop_);
}

/* Changes what both threads know, or waits until it has changed. */
void server::tell(const std::function<void()> &change)
{
  std::lock_guard<std::mutex> hold(lock_);
  change();
  changed_.notify_all();
}

void server::await(const std::function<bool()> &holds)
{
  std::unique_lock<std::mutex> hold(lock_);
  changed_.wait(hold, holds);
}

/* What must hold of every connection that ever was. */
void server::judge() const
{
  for (const auto &[id, r] : records_) {
    EXPECT_EQ(r.opens, 1) << "on_open of one connection";
    EXPECT_EQ(r.closes.size(), 1u) << "on_close of one connection";
    EXPECT_LE(r.errors.size(), 1u) << "on_error of one connection";
    for (const std::string &what : r.whats)
      EXPECT_NE(what, "") << "on_error's sentence";
  }
  for (const std::string &what : wrong_)
    ADD_FAILURE() << what;
}

record &server::of(weir_conn *conn)
{
  return records_[weir_conn_id_of(conn)];
}

client server::open(const request &head, int receive_buffer)
{
  client out = connect(receive_buffer);
  out.upgrade(head);
  wait(out, "on_open", [](const record &r) { return r.opens == 1; });
  return out;
}

/* Whether bytes stand in the server's socket that it has not read. */
static bool is_waiting(int descriptor)
{
  int bytes = 0;
  return ioctl(descriptor, FIONREAD, &bytes) == 0 && bytes > 0;
}

bool server::drip_by(const client &to, std::string_view bytes,
                     const std::function<bool(std::string_view)> &send) const
{
  int descriptor = -1;
  for (size_t i = 0; i < bytes.size(); i++) {
    if (!send(bytes.substr(i, 1)))
      return false;
    auto until = steady_clock::now() + milliseconds(20);
    while (!to.ended() && steady_clock::now() < until) {
      if (descriptor < 0)
        descriptor = descriptor_of(to);
      if (descriptor >= 0 && !is_waiting(descriptor))
        break;
      sched_yield();
    }
  }
  return true;
}

bool server::drip(client &to, std::string_view bytes)
{
  return drip_by(to, bytes, [&](std::string_view byte) { return to.send(byte); });
}

bool server::drip_raw(client &to, std::string_view bytes)
{
  return drip_by(to, bytes, [&](std::string_view byte) { return to.send_raw(byte); });
}

void server::on_loop(const std::function<void()> &fn)
{
  struct job {
    server &at;
    const std::function<void()> &fn;
    bool done;
  } job = {*this, fn, false};
  auto run = [](void *arg) {
    auto *it = static_cast<struct job *>(arg);
    it->fn();
    it->at.tell([it] { it->done = true; });
  };
  ASSERT_EQ(weir_loop_post(loop_, run, &job), 0);
  await([&] { return job.done; });
}

weir_conn *server::find(const client &of) const
{
  weir_conn_id id = seen(of).id;
  return id == 0 ? nullptr : weir_conn_find(server_, loop_, id);
}

record server::seen(const client &of) const
{
  std::lock_guard<std::mutex> hold(lock_);
  auto id = ids_.find(of.port());
  return id == ids_.end() ? record{} : records_.at(id->second);
}

bool server::wait(const client &of, const char *what,
                  const std::function<bool(const record &)> &holds)
{
  std::unique_lock<std::mutex> hold(lock_);
  bool held = changed_.wait_for(hold, patience, [&] {
    auto id = ids_.find(of.port());
    return id != ids_.end() && holds(records_.at(id->second));
  });
  EXPECT_TRUE(held) << "waited in vain for " << what;
  return held;
}

bool server::wait_closed(const client &of)
{
  return wait(of, "on_close", [](const record &r) { return !r.closes.empty(); });
}

bool server::poll(const char *what, const std::function<bool()> &holds) const
{
  auto until = steady_clock::now() + patience;
  while (!holds()) {
    if (steady_clock::now() > until) {
      ADD_FAILURE() << "waited in vain for " << what;
      return false;
    }
    std::this_thread::sleep_for(milliseconds(1));
  }
  return true;
}

void server::expect_undisturbed()
{
  SCOPED_TRACE("the bystander");
  expect_echo(*bystander_, "still here " + std::to_string(++said_));
}

weir_counters server::counters() const
{
  weir_counters out = {};
  EXPECT_EQ(weir_server_counters(server_, &out), 0);
  return out;
}

std::chrono::nanoseconds server::cpu_time()
{
  clockid_t clock;
  timespec now = {};
  EXPECT_EQ(pthread_getcpuclockid(thread_.native_handle(), &clock), 0);
  EXPECT_EQ(clock_gettime(clock, &now), 0);
  return std::chrono::seconds(now.tv_sec) + std::chrono::nanoseconds(now.tv_nsec);
}

int descriptor_of(const client &peer)
{
  for (int fd = 3; fd < 1024; fd++) {
    sockaddr_in address = {};
    socklen_t length = sizeof address;
    if (peer.is_local()) {
      if (fd != peer.fd() && local_peer(fd) == peer.port())
        return fd;
    } else if (fd != peer.fd() &&
               getpeername(fd, reinterpret_cast<sockaddr *>(&address), &length) == 0 &&
               ntohs(address.sin_port) == peer.port())
      return fd;
  }
  return -1;
}

const char *name(delivery how)
{
  return how == delivery::whole ? "whole" : how == delivery::bytes ? "byte by byte" : "trailed";
}

void deliver(server &at, client &from, std::string_view attack, delivery how)
{
  if (how == delivery::bytes) {
    EXPECT_TRUE(at.drip(from, attack)) << "the server did not let the attack be sent";
    return;
  }
  std::string all(attack);
  if (how == delivery::trailed)
    all.append(1 << 20, 'x');
  EXPECT_TRUE(from.send(all)) << "the server did not let the attack be sent";
}

namespace
{

std::string lower(std::string text)
{
  for (char &c : text)
    c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  return text;
}

/* Whether a sentence holds one of some words, separated by "|", in any case. */
bool holds_one_of(const std::string &sentence, const std::string &words)
{
  for (size_t begin = 0; begin < words.size();) {
    size_t end = std::min(words.find('|', begin), words.size());
    if (lower(sentence).find(lower(words.substr(begin, end - begin))) != std::string::npos)
      return true;
    begin = end + 1;
  }
  return false;
}

void expect_ordered_end(client &from)
{
  EXPECT_EQ(static_cast<int>(from.wait_end()), static_cast<int>(ending::finished))
      << "0: FIN, 1: RST, 2: nothing";
  EXPECT_EQ(from.discarded(), 0u) << "bytes behind the answer";
}

response refused_once(server &at, const std::string &request, int status, const std::string &words,
                      delivery how)
{
  weir_counters before = at.counters();
  client attacker = at.connect();
  deliver(at, attacker, request, how);
  at.expect_undisturbed();
  response answer = attacker.read_response().value_or(response{});
  EXPECT_EQ(answer.status, status) << answer.body;
  EXPECT_TRUE(answer.has_token("Connection", "close"));
  EXPECT_NE(answer.body, "");
  EXPECT_TRUE(holds_one_of(answer.body, words))
      << "\"" << answer.body << "\" does not speak of " << words;
  expect_ordered_end(attacker);
  at.expect_undisturbed();
  weir_counters after = at.counters();
  EXPECT_EQ(after.opened, before.opened);
  EXPECT_EQ(after.refused, before.refused + 1);
  return answer;
}

} // namespace

response expect_refused(server &at, const std::string &request, int status,
                        const std::string &words)
{
  response answer;
  for (delivery how : deliveries) {
    if (testing::Test::HasFailure())
      break;
    SCOPED_TRACE(name(how));
    answer = refused_once(at, request, status, words, how);
  }
  return answer;
}

void expect_failure(server &at, client &from, int code)
{
  if (testing::Test::HasFailure())
    return;
  std::optional<frame> got;
  while ((got = from.read_frame()) && got->opcode() != close_frame)
    ;
  ASSERT_TRUE(got);
  EXPECT_EQ(got->first, fin | close_frame);
  EXPECT_EQ(got->close_code(), code) << got->close_reason();
  EXPECT_NE(got->close_reason(), "");
  expect_ordered_end(from);
  ASSERT_TRUE(at.wait_closed(from));
  record r = at.seen(from);
  EXPECT_EQ(r.errors, std::vector<int>{-code});
  EXPECT_EQ(r.closes, std::vector<int>{code});
}

void expect_failed(server &at, const std::string &attack, int code, const std::string &before)
{
  for (delivery how : deliveries) {
    if (testing::Test::HasFailure())
      return;
    SCOPED_TRACE(name(how));
    client attacker = at.open();
    attacker.send(before);
    uint64_t failed = at.counters().failed;
    deliver(at, attacker, attack, how);
    at.expect_undisturbed();
    expect_failure(at, attacker, code);
    EXPECT_EQ(at.counters().failed, failed + 1);
    at.expect_undisturbed();
  }
}

void expect_close(server &at, client &from, int code)
{
  std::optional<frame> got = from.read_frame();
  ASSERT_TRUE(got);
  EXPECT_EQ(got->first, fin | close_frame);
  EXPECT_EQ(got->close_code(), code);
  expect_ordered_end(from);
  ASSERT_TRUE(at.wait_closed(from));
  record r = at.seen(from);
  EXPECT_EQ(r.errors, std::vector<int>{});
  EXPECT_EQ(r.closes, std::vector<int>{code});
}

void expect_echo(client &from, std::string_view message)
{
  ASSERT_TRUE(from.send(masked(fin | text, message)));
  std::optional<frame> got = from.read_frame();
  ASSERT_TRUE(got);
  EXPECT_EQ(got->first, fin | text);
  EXPECT_EQ(got->payload, message);
}

} // namespace catalogue
