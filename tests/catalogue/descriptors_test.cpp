/* Rows 61, 67 and 72: descriptors used up, used again, and passed along (accept(2), epoll(7),
 * unix(7)). */
#include "catalogue/harness.hpp"

#include <algorithm>
#include <arpa/inet.h>
#include <atomic>
#include <cerrno>
#include <fcntl.h>
#include <filesystem>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <optional>
#include <poll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

using namespace catalogue;
using std::chrono::milliseconds;
using std::chrono::steady_clock;

namespace
{

/* Uses up all the process's descriptors, and gives them back. */
class exhaustion
{
public:
  exhaustion()
  {
    getrlimit(RLIMIT_NOFILE, &before_);
    rlimit few = before_;
    few.rlim_cur = std::min<rlim_t>(before_.rlim_cur, 256);
    setrlimit(RLIMIT_NOFILE, &few);
    for (int fd; (fd = open("/dev/null", O_RDONLY | O_CLOEXEC)) >= 0;)
      used_.push_back(fd);
  }
  ~exhaustion()
  {
    for (int fd : used_)
      close(fd);
    setrlimit(RLIMIT_NOFILE, &before_);
  }

private:
  rlimit before_ = {};
  std::vector<int> used_;
};

/* A socket that connects only when it is told to: connect(2) needs no further descriptor. */
int unconnected()
{
  return socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
}

void connect_to(int fd, uint16_t port)
{
  sockaddr_in address = {};
  address.sin_family = AF_INET;
  address.sin_port = htons(port);
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  EXPECT_EQ(connect(fd, reinterpret_cast<sockaddr *>(&address), sizeof address), 0);
}

} // namespace

TEST(Row61, OutOfDescriptors)
{
  server at;
  std::vector<int> attackers;
  for (int i = 0; i < 20; i++)
    attackers.push_back(unconnected());
  uint64_t accepted = at.counters().accepted;
  {
    exhaustion all;
    for (int fd : attackers)
      connect_to(fd, at.port());
    at.poll("accepting to pause", [&] { return at.counters().accept_paused > 0; });
    auto wall = steady_clock::now();
    auto before = at.cpu_time();
    for (int i = 0; i < 20; i++) {
      at.expect_undisturbed();
      std::this_thread::sleep_for(milliseconds(15));
    }
    EXPECT_LT(at.cpu_time() - before, (steady_clock::now() - wall) / 4) << "the loop spins";
    EXPECT_LT(at.counters().accept_paused, 20u) << "that was no pause";
  }
  at.poll("accepting to go on", [&] { return at.counters().accepted > accepted; });
  client late(at.port());
  EXPECT_TRUE(late.upgrade());
  expect_echo(late, "accepted again");
  for (int fd : attackers)
    close(fd);
}

TEST(Row61, OneIsRefusedByTheReserve)
{
  server at;
  int fd = unconnected();
  {
    exhaustion all;
    connect_to(fd, at.port());
    char byte;
    timeval until = {8, 0};
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &until, sizeof until);
    ssize_t got = recv(fd, &byte, 1, 0);
    EXPECT_TRUE(got == 0 || (got < 0 && errno == ECONNRESET)) << "left waiting";
    at.expect_undisturbed();
  }
  close(fd);
}

TEST(Row61, TheReserveIsTakenAnew)
{
  server at;
  for (int round = 0; round < 3; round++) {
    int fd = unconnected();
    uint64_t paused = at.counters().accept_paused;
    {
      exhaustion all;
      connect_to(fd, at.port());
      at.poll("accepting to pause", [&] { return at.counters().accept_paused > paused; });
    }
    close(fd);
    client late(at.port());
    EXPECT_TRUE(late.upgrade());
  }
}

namespace
{

/* Whether an id still names a connection, or could be mistaken for another one. */
bool is_stale(server &at, weir_conn_id id)
{
  bool out = false;
  weir_frame *frame = nullptr;
  EXPECT_EQ(weir_frame_new(&frame, WEIR_TEXT, "not for you", 11), 0);
  at.on_loop([&] {
    out = weir_conn_find(at.get(), at.loop(), id) == nullptr &&
          weir_server_send(at.get(), id, frame) == -ESTALE &&
          weir_server_close_id(at.get(), id, 1000, nullptr) == -ESTALE;
  });
  weir_frame_unref(frame);
  return out;
}

/* A connection that drops another one, told to do so by a message, while that one has an event
 * waiting and a third one is being accepted. */
class reuse
{
public:
  reuse() : at_(dropping()) {}

  int rounds_with_reuse(int rounds);

private:
  setup dropping();
  bool round(int n);
  void in_one_batch(int n, client &second, std::optional<client> &third);

  std::atomic<const client *> victim_ = nullptr;
  server at_;
  client first_ = at_.open();
};

setup reuse::dropping()
{
  setup out;
  out.on.message = [this](weir_conn *conn, const weir_message *message) {
    const client *doomed = victim_.exchange(nullptr);
    if (doomed != nullptr)
      weir_conn_abort(at_.find(*doomed));
    else
      weir_conn_send_message(conn, message);
  };
  return out;
}

const std::string first_words = request{}.str() + masked(fin | text, "hello");

/* Until what a client sent is there for the server: two connections' packets may overtake each
 * other. */
void await_arrival(const client &from)
{
  pollfd there = {descriptor_of(from), POLLIN, 0};
  EXPECT_EQ(poll(&there, 1, static_cast<int>(patience.count())), 1);
}

/* Holds the loop meanwhile, so that its next turn finds all of it, in this order. */
void reuse::in_one_batch(int n, client &second, std::optional<client> &third)
{
  at_.on_loop([&] {
    first_.send(masked(fin | text, "drop the second"));
    await_arrival(first_);
    if (n % 2 == 0)
      third.emplace(at_.port());
    second.send(masked(fin | text, "unheard"));
    if (n % 3 == 0)
      second.half_close();
    if (n % 2 == 1)
      third.emplace(at_.port());
    third->send_raw(third->tls() ? third->hello() : first_words);
  });
  if (third->tls())
    third->send(first_words);
}

/* Whether the third connection got the second one's descriptor. */
bool reuse::round(int n)
{
  client second = at_.open();
  int descriptor = descriptor_of(second);
  weir_conn_id id = at_.seen(second).id;
  victim_ = &second;
  std::optional<client> third;
  in_one_batch(n, second, third);
  EXPECT_TRUE(at_.wait_closed(second));
  EXPECT_EQ(third->read_response().value_or(response{}).status, 101);
  EXPECT_EQ(third->read_frame().value_or(frame{}).payload, "hello");
  EXPECT_EQ(at_.seen(second).closes, std::vector<int>{1006});
  EXPECT_EQ(at_.seen(second).messages, std::vector<std::string>{});
  EXPECT_TRUE(is_stale(at_, id)) << "the id of one connection reaches another one";
  expect_echo(first_, "unharmed");
  expect_echo(*third, "unharmed");
  at_.expect_undisturbed();
  return descriptor_of(*third) == descriptor;
}

int reuse::rounds_with_reuse(int rounds)
{
  int out = 0;
  for (int n = 0; n < rounds && !testing::Test::HasFailure(); n++) {
    SCOPED_TRACE(n);
    out += round(n) ? 1 : 0;
  }
  return out;
}

} // namespace

TEST(Row67, DescriptorUsedAgainInsideABatch)
{
  EXPECT_GT(reuse().rounds_with_reuse(60), 0) << "none was used again: the test shows nothing";
}

namespace
{

setup locally()
{
  setup out;
  out.over = transport::local;
  return out;
}

/* A descriptor to pass along, whose every duplicate is gone once its other end has ended. */
class token
{
public:
  token()
  {
    EXPECT_EQ(pipe2(ends_, O_CLOEXEC | O_NONBLOCK), 0);
  }
  ~token()
  {
    close(ends_[0]);
    close(ends_[1]);
  }
  token(const token &) = delete;

  int fd() const
  {
    return ends_[1];
  }
  /* Closes the one of this side. */
  bool is_the_last()
  {
    char byte;
    close(ends_[1]);
    ends_[1] = -1;
    return read(ends_[0], &byte, 1) == 0;
  }

private:
  int ends_[2];
};

size_t open_descriptors()
{
  auto entries = std::filesystem::directory_iterator("/proc/self/fd");
  return static_cast<size_t>(std::distance(begin(entries), end(entries)));
}

} // namespace

/* What comes behind a descriptor in the same event is read as well. */
TEST(Row72, DescriptorsAmongFrames)
{
  server at(locally());
  client attacker = at.open();
  token passed;
  size_t before = open_descriptors();
  at.on_loop([&] { /* so that one turn finds all of it */
                   EXPECT_TRUE(attacker.send(masked(fin | text, "before")));
                   EXPECT_TRUE(attacker.pass(masked(fin | text, "with"), passed.fd()));
                   EXPECT_TRUE(attacker.pass(masked(fin | text, "with many"), passed.fd(), 253));
                   EXPECT_TRUE(attacker.send(masked(fin | text, "behind")));
  });
  for (const char *due : {"before", "with", "with many", "behind"})
    EXPECT_EQ(attacker.read_frame().value_or(frame{}).payload, due);
  EXPECT_EQ(open_descriptors(), before);
  EXPECT_TRUE(passed.is_the_last());
  expect_echo(attacker, "and on");
  at.expect_undisturbed();
}

/* A descriptor with each byte, from the request's first one on. */
TEST(Row72, DescriptorsWithEveryByte)
{
  server at(locally());
  client attacker = at.connect();
  token passed;
  std::string all = request{}.with("X-Port: " + std::to_string(attacker.port())).str() +
                    masked(fin | text, "hello") + masked(fin | ping, "p");
  for (char byte : all)
    EXPECT_TRUE(attacker.pass({&byte, 1}, passed.fd(), 3));
  EXPECT_EQ(attacker.read_response(false).value_or(response{}).status, 101);
  EXPECT_EQ(attacker.read_frame().value_or(frame{}).payload, "hello");
  EXPECT_EQ(attacker.read_frame().value_or(frame{}).payload, "p");
  EXPECT_TRUE(passed.is_the_last());
  at.expect_undisturbed();
}

/* A message that is received where it belongs, with descriptors in its midst. */
TEST(Row72, DescriptorsInALargeMessage)
{
  setup with = locally();
  with.route.max_message_bytes = 4 << 20;
  server at(with);
  client attacker = at.open();
  token passed;
  std::string message(1 << 20, 'm'), bytes = masked(fin | binary, message);
  for (size_t i = 0; i < bytes.size(); i += 40000) {
    EXPECT_TRUE(attacker.pass(bytes.substr(i, 1), passed.fd()));
    EXPECT_TRUE(attacker.send(bytes.substr(i + 1, 39999)));
  }
  EXPECT_TRUE(attacker.read_frame().value_or(frame{}).payload == message);
  EXPECT_TRUE(passed.is_the_last());
  at.expect_undisturbed();
}

/* Those that nobody has read go with the connection. */
TEST(Row72, DescriptorsThatWaitGoWithTheConnection)
{
  setup with = locally();
  with.on.message = [](weir_conn *conn, const weir_message *) { weir_conn_pause(conn); };
  server at(with);
  client attacker = at.open();
  token passed;
  EXPECT_TRUE(attacker.send(masked(fin | text, "pause")));
  ASSERT_TRUE(
      at.wait(attacker, "the message", [](const record &r) { return !r.messages.empty(); }));
  for (int i = 0; i < 100; i++)
    EXPECT_TRUE(attacker.pass("x", passed.fd(), 10));
  at.expect_undisturbed();
  at.on_loop([&] { weir_conn_abort(at.find(attacker)); });
  ASSERT_TRUE(at.wait_closed(attacker));
  at.poll("them to be gone", [&] { return descriptor_of(attacker) < 0; });
  EXPECT_TRUE(passed.is_the_last());
}
