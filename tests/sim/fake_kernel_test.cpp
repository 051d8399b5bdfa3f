// The fake kernel against the real one: the same scenario on both gives the same log. What the
// simulation proves of the server is worth no more than this.
#include "fake_kernel.hpp"
#include "fake_names.hpp"

#include <arpa/inet.h>
#include <cerrno>
#include <cstring>
#include <fcntl.h>
#include <gtest/gtest.h>
#include <linux/tcp.h>
#include <netinet/in.h>
#include <unistd.h>

namespace
{

constexpr uint32_t ALL_EDGES = EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLPRI | EPOLLET;

std::string mask_names(uint32_t mask)
{
  static const struct {
    uint32_t bit;
    const char *name;
  } names[] = {{EPOLLIN, "IN"},   {EPOLLOUT, "OUT"}, {EPOLLRDHUP, "RDHUP"},
               {EPOLLPRI, "PRI"}, {EPOLLHUP, "HUP"}, {EPOLLERR, "ERR"}};
  std::string all;
  for (auto &n : names)
    if ((mask & n.bit) != 0)
      all += (all.empty() ? "" : "|") + std::string(n.name);
  return all;
}

// The server's calls, through the seam, with a log of what they gave; the client's end is the
// kernel's.
class rig
{
public:
  explicit rig(const struct weir__sys *sys) : sys_(sys)
  {
    epfd_ = sys_->epoll_create1(sys_, EPOLL_CLOEXEC);
  }
  virtual ~rig() = default;

  virtual size_t connect() = 0; // the number of the connection; not accepted yet
  virtual void peer_send(size_t at, std::string_view bytes) = 0;
  virtual void peer_urgent(size_t at, char byte) = 0;
  virtual void peer_fin(size_t at) = 0;
  virtual void peer_reset(size_t at) = 0;
  virtual void peer_close(size_t at) = 0;
  virtual void peer_drain(size_t at) = 0;

  void listen()
  {
    listener_ = sys_->socket(sys_, AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    struct weir__address address;
    ASSERT_EQ(sys_->resolve(sys_, "127.0.0.1", 0, &address, 1), 1);
    auto *where = reinterpret_cast<sockaddr *>(&address.storage);
    ASSERT_EQ(sys_->bind(sys_, listener_, where, address.len), 0);
    ASSERT_EQ(sys_->listen(sys_, listener_, 16), 0);
    ASSERT_EQ(sys_->getsockname(sys_, listener_, &address), 0);
    port_ = ntohs(reinterpret_cast<sockaddr_in *>(&address.storage)->sin_port);
  }
  void accept()
  {
    int fd = sys_->accept4(sys_, listener_, SOCK_NONBLOCK | SOCK_CLOEXEC);
    log(fd < 0 ? result(fd) : "accepted");
    if (fd >= 0)
      fds_.push_back(fd);
  }
  void watch(int fd, uint32_t events, uint64_t name)
  {
    struct epoll_event event = {};
    event.events = events;
    event.data.u64 = name;
    ASSERT_EQ(sys_->epoll_ctl(sys_, epfd_, EPOLL_CTL_ADD, fd, &event), 0);
  }
  void watch_socket(size_t at)
  {
    watch(fds_[at], ALL_EDGES, at);
  }
  // A connection that is accepted and watched, its first edge taken.
  void open()
  {
    size_t at = connect();
    accept();
    watch_socket(at);
    wait();
  }
  void wait(int max = 8)
  {
    struct epoll_event events[8];
    int n = sys_->epoll_wait(sys_, epfd_, events, max, 0);
    std::string line = "events:";
    for (int i = 0; i < n; ++i)
      line += " " + std::to_string(events[i].data.u64) + "=" + mask_names(events[i].events);
    log(line);
  }
  void recv(size_t at, size_t len)
  {
    char data[4096];
    ssize_t n = sys_->recv(sys_, fds_[at], data, len, 0);
    log("recv " + (n > 0 ? std::string(data, static_cast<size_t>(n)) : result(n)));
  }
  void peek(size_t at, size_t len)
  {
    char data[4096];
    ssize_t n = sys_->recv(sys_, fds_[at], data, len, MSG_PEEK | MSG_DONTWAIT);
    log("peek " + (n > 0 ? std::string(data, static_cast<size_t>(n)) : result(n)));
  }
  ssize_t send_quietly(size_t at, size_t len)
  {
    std::string bytes(len, 'x');
    struct iovec iov = {bytes.data(), bytes.size()};
    struct msghdr message = {};
    message.msg_iov = &iov;
    message.msg_iovlen = 1;
    ssize_t n = sys_->sendmsg(sys_, fds_[at], &message, MSG_NOSIGNAL);
    sent_ += n > 0 ? static_cast<size_t>(n) : 0;
    return n;
  }
  void send(size_t at, size_t len)
  {
    log("send " + result(send_quietly(at, len)));
  }
  // Sends until nothing more is taken.
  void fill(size_t at)
  {
    ssize_t n;
    do
      n = send_quietly(at, 4096);
    while (n > 0);
    log("filled " + result(n));
  }
  // Unix sockets of a name, one after the other: bound, found, replaced.
  void local(const std::string &name)
  {
    struct weir__address address;
    sim::fill(&address, name);
    auto *where = reinterpret_cast<sockaddr *>(&address.storage);
    auto make = [&] {
      return sys_->socket(sys_, AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    };
    auto dial = [&] {
      int fd = make();
      log("connect " + result(sys_->connect(sys_, fd, where, address.len)));
      sys_->close(sys_, fd);
    };
    auto look = [&] {
      struct stat file = {};
      int error = sys_->lstat(sys_, name.c_str(), &file);
      log("lstat " + result(error) + (S_ISSOCK(file.st_mode) ? " socket " : " ") +
          std::to_string(file.st_mode & 07777));
    };
    mode_t before = umask(022);
    int first = make(), second = make();
    dial(), look();
    log("bind " + result(sys_->bind(sys_, first, where, address.len)));
    log("bind " + result(sys_->bind(sys_, second, where, address.len)));
    dial(), look();
    log("chmod " + result(sys_->chmod(sys_, name.c_str(), 0600)));
    log("listen " + result(sys_->listen(sys_, first, 1)));
    struct weir__address got;
    log("getsockname " + result(sys_->getsockname(sys_, first, &got)));
    log(sim::name_of(reinterpret_cast<sockaddr *>(&got.storage), got.len));
    dial(), look();
    sys_->close(sys_, first);
    dial(), look();
    log("unlink " + result(sys_->unlink(sys_, name.c_str())));
    log("bind " + result(sys_->bind(sys_, second, where, address.len)));
    look();
    log("unlink " + result(sys_->unlink(sys_, name.c_str())));
    look();
    sys_->close(sys_, second);
    umask(before);
  }
  void shutdown(size_t at)
  {
    log("shutdown " + result(sys_->shutdown(sys_, fds_[at], SHUT_WR)));
  }
  void close(size_t at)
  {
    log("close " + result(sys_->close(sys_, fds_[at])));
  }
  void log(const std::string &line)
  {
    lines += line + "\n";
  }
  static std::string result(ssize_t n)
  {
    return n < 0 ? strerrorname_np(static_cast<int>(-n)) : std::to_string(n);
  }

  std::string lines;
  const struct weir__sys *sys_;
  int epfd_, listener_ = -1;
  uint16_t port_ = 0;
  std::vector<int> fds_;
  size_t sent_ = 0;
};

class fake_rig final : public rig
{
public:
  fake_rig() : fake_rig(std::make_unique<sim::kernel>(1)) {}

  size_t connect() override
  {
    peers_.push_back(kernel_->connect(port_));
    return peers_.size() - 1;
  }
  void peer_send(size_t at, std::string_view bytes) override
  {
    peers_[at]->peer_send(bytes);
  }
  void peer_urgent(size_t at, char byte) override
  {
    peers_[at]->peer_urgent(byte);
  }
  void peer_fin(size_t at) override
  {
    peers_[at]->peer_fin();
  }
  void peer_reset(size_t at) override
  {
    peers_[at]->peer_reset();
  }
  void peer_close(size_t at) override
  {
    peers_[at]->peer_close();
  }
  void peer_drain(size_t at) override
  {
    peers_[at]->peer_recv(SIZE_MAX);
  }

  std::unique_ptr<sim::kernel> kernel_;

private:
  explicit fake_rig(std::unique_ptr<sim::kernel> k) : rig(k->sys()), kernel_(std::move(k)) {}
  std::vector<std::shared_ptr<sim::tcp_socket>> peers_;
};

// Every action of the peer ends when the server's socket has seen it.
class real_rig final : public rig
{
public:
  real_rig() : rig(&weir__sys_linux) {}
  ~real_rig() override
  {
    for (int fd : peers_)
      if (fd >= 0)
        ::close(fd);
    for (int fd : fds_)
      ::close(fd);
    ::close(listener_);
    ::close(epfd_);
  }

  size_t connect() override
  {
    int fd = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    int bytes = 16384;
    ::setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &bytes, sizeof bytes);
    sockaddr_in where = {};
    where.sin_family = AF_INET;
    where.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    where.sin_port = htons(port_);
    EXPECT_EQ(::connect(fd, reinterpret_cast<sockaddr *>(&where), sizeof where), 0);
    peers_.push_back(fd);
    received_.push_back(0);
    return peers_.size() - 1;
  }
  void peer_send(size_t at, std::string_view bytes) override
  {
    ::send(peers_[at], bytes.data(), bytes.size(), MSG_NOSIGNAL);
    received_[at] += bytes.size();
    settle(at, [&](const tcp_info &i) { return i.tcpi_bytes_received >= received_[at]; });
  }
  void peer_urgent(size_t at, char byte) override
  {
    ::send(peers_[at], &byte, 1, MSG_OOB | MSG_NOSIGNAL);
    received_[at] += 1;
    settle(at, [&](const tcp_info &i) { return i.tcpi_bytes_received >= received_[at]; });
  }
  void peer_fin(size_t at) override
  {
    ::shutdown(peers_[at], SHUT_WR);
    settle(at, [](const tcp_info &i) { return i.tcpi_state != TCP_ESTABLISHED; });
  }
  void peer_reset(size_t at) override
  {
    linger hard = {1, 0};
    ::setsockopt(peers_[at], SOL_SOCKET, SO_LINGER, &hard, sizeof hard);
    ::close(std::exchange(peers_[at], -1));
    settle(at, [](const tcp_info &i) { return i.tcpi_state == TCP_CLOSE; });
  }
  void peer_close(size_t at) override
  {
    ::close(std::exchange(peers_[at], -1));
    settle(at, [](const tcp_info &i) { return i.tcpi_state != TCP_ESTABLISHED; });
  }
  void peer_drain(size_t at) override
  {
    char data[4096];
    while (drained_ < sent_)
      drained_ +=
          static_cast<size_t>(std::max<ssize_t>(::recv(peers_[at], data, sizeof data, 0), 0));
    settle(at, [](const tcp_info &i) { return i.tcpi_unacked == 0 && i.tcpi_notsent_bytes == 0; });
  }

private:
  enum { TCP_ESTABLISHED = 1, TCP_CLOSE = 7 };

  template <class condition> void settle(size_t at, condition &&done)
  {
    if (at >= fds_.size()) // not accepted yet: loopback delivers within the call
      return;
    for (int tries = 0; tries < 100000; ++tries) {
      tcp_info info = {};
      socklen_t len = sizeof info;
      ::getsockopt(fds_[at], IPPROTO_TCP, TCP_INFO, &info, &len);
      if (done(info))
        return;
      ::usleep(20);
    }
    ADD_FAILURE() << "the peer's action never arrived";
  }
  std::vector<int> peers_;
  std::vector<size_t> received_;
  size_t drained_ = 0;
};

struct scenario {
  const char *name;
  void (*run)(rig &r);
};

const scenario scenarios[] = {
    {"first_edge", [](rig &r) { r.open(), r.wait(); }},
    {"data_is_one_edge",
     [](rig &r) { r.open(), r.peer_send(0, "hello"), r.wait(), r.wait(), r.recv(0, 9), r.wait(); }},
    {"sends_coalesce",
     [](rig &r) {
       r.open(), r.peer_send(0, "ab"), r.peer_send(0, "cd"), r.wait(), r.wait();
       r.recv(0, 9), r.recv(0, 9);
     }},
    {"more_data_is_a_new_edge",
     [](rig &r) { r.open(), r.peer_send(0, "ab"), r.wait(), r.peer_send(0, "cd"), r.wait(); }},
    {"no_edge_for_what_was_left",
     [](rig &r) {
       r.open(), r.peer_send(0, "abcdef"), r.wait(), r.recv(0, 2), r.wait(), r.recv(0, 9);
     }},
    {"read_before_the_event",
     [](rig &r) { r.open(), r.peer_send(0, "abc"), r.recv(0, 9), r.wait(), r.wait(); }},
    {"data_before_watching",
     [](rig &r) {
       r.connect(), r.peer_send(0, "abc"), r.accept(), r.watch_socket(0), r.wait(), r.wait();
     }},
    {"fin_with_data",
     [](rig &r) {
       r.open(), r.peer_send(0, "abc"), r.peer_fin(0), r.wait(), r.recv(0, 9), r.recv(0, 9),
           r.wait();
     }},
    {"fin_after_the_event",
     [](rig &r) {
       r.open(), r.peer_send(0, "abc"), r.wait(), r.peer_fin(0), r.recv(0, 9), r.wait(),
           r.recv(0, 9);
     }},
    {"half_closed_still_takes_data",
     [](rig &r) { r.open(), r.peer_fin(0), r.wait(), r.send(0, 5), r.recv(0, 9), r.wait(); }},
    {"fin_before_accept",
     [](rig &r) {
       r.connect(), r.peer_fin(0), r.accept(), r.watch_socket(0), r.wait(), r.recv(0, 9);
     }},
    {"reset_seen_by_recv",
     [](rig &r) {
       r.open(), r.peer_reset(0), r.wait(), r.recv(0, 9), r.recv(0, 9), r.send(0, 1), r.wait();
     }},
    {"reset_seen_by_send",
     [](rig &r) {
       r.open(), r.peer_reset(0), r.wait(), r.send(0, 1), r.send(0, 1), r.recv(0, 9), r.shutdown(0);
     }},
    {"data_before_the_reset",
     [](rig &r) {
       r.open(), r.peer_send(0, "abc"), r.peer_reset(0), r.wait(), r.recv(0, 9), r.recv(0, 9),
           r.recv(0, 9);
     }},
    {"reset_before_accept",
     [](rig &r) {
       r.connect(), r.peer_reset(0), r.accept(), r.watch_socket(0), r.wait(), r.recv(0, 9),
           r.recv(0, 9);
     }},
    {"reset_after_fin",
     [](rig &r) {
       r.open(), r.peer_fin(0), r.wait(), r.peer_reset(0), r.wait(), r.recv(0, 9), r.send(0, 1),
           r.send(0, 1);
     }},
    {"peer_closes_with_unread_data",
     [](rig &r) { r.open(), r.send(0, 5), r.peer_close(0), r.wait(), r.recv(0, 9), r.recv(0, 9); }},
    {"send_to_a_peer_that_closed",
     [](rig &r) {
       r.open(), r.peer_close(0), r.wait(), r.send(0, 5), r.wait(), r.send(0, 5), r.send(0, 5),
           r.recv(0, 9);
     }},
    {"shutdown_is_an_edge",
     [](rig &r) { r.open(), r.shutdown(0), r.wait(), r.wait(), r.send(0, 1), r.shutdown(0); }},
    {"shutdown_then_fin",
     [](rig &r) {
       r.open(), r.shutdown(0), r.wait(), r.peer_fin(0), r.wait(), r.recv(0, 9), r.shutdown(0);
     }},
    {"fin_then_shutdown",
     [](rig &r) {
       r.open(), r.peer_fin(0), r.wait(), r.shutdown(0), r.wait(), r.recv(0, 9), r.shutdown(0);
     }},
    {"full_then_drained",
     [](rig &r) {
       r.open(), r.fill(0), r.wait(), r.peer_drain(0), r.wait(), r.wait(), r.send(0, 10);
     }},
    {"drained_without_having_been_full",
     [](rig &r) { r.open(), r.send(0, 100), r.peer_drain(0), r.wait(); }},
    {"data_while_full",
     [](rig &r) {
       r.open(), r.fill(0), r.peer_send(0, "abc"), r.wait(), r.peer_drain(0), r.wait(),
           r.recv(0, 9);
     }},
    {"reset_while_full",
     [](rig &r) { r.open(), r.fill(0), r.peer_reset(0), r.wait(), r.send(0, 1), r.send(0, 1); }},
    {"urgent_data_shortens_a_read",
     [](rig &r) {
       r.open(), r.peer_send(0, "ab"), r.peer_urgent(0, '!'), r.peer_send(0, "cd"), r.wait();
       r.recv(0, 9), r.wait(), r.recv(0, 9), r.recv(0, 9), r.wait();
     }},
    {"urgent_data_alone",
     [](rig &r) {
       r.open(), r.peer_urgent(0, '!'), r.wait(), r.recv(0, 9), r.wait(), r.recv(0, 9);
     }},
    {"urgent_data_then_more",
     [](rig &r) {
       r.open(), r.peer_urgent(0, '!'), r.wait(), r.recv(0, 9), r.peer_send(0, "ab"), r.wait(),
           r.recv(0, 9);
     }},
    {"a_peek_takes_nothing",
     [](rig &r) {
       r.open(), r.peek(0, 9), r.peer_send(0, "abc"), r.wait(), r.peek(0, 2), r.peek(0, 9);
       r.wait(), r.peer_send(0, "d"), r.wait(), r.peek(0, 9), r.recv(0, 9), r.peek(0, 9);
       r.peer_fin(0), r.wait(), r.peek(0, 9), r.recv(0, 9);
     }},
    {"a_peek_stops_at_urgent_data_and_passes_it",
     [](rig &r) {
       r.open(), r.peer_send(0, "ab"), r.peer_urgent(0, '!'), r.peer_send(0, "cd"), r.wait();
       r.peek(0, 9), r.peek(0, 9), r.recv(0, 9), r.peek(0, 9), r.peek(0, 1), r.recv(0, 9);
     }},
    {"a_peek_at_urgent_data_alone",
     [](rig &r) { r.open(), r.peer_urgent(0, '!'), r.wait(), r.peek(0, 9), r.recv(0, 9); }},
    {"a_peek_after_a_reset",
     [](rig &r) { r.open(), r.peer_reset(0), r.wait(), r.peek(0, 9), r.peek(0, 9); }},
    {"close_takes_the_event_away",
     [](rig &r) { r.open(), r.peer_send(0, "abc"), r.close(0), r.wait(); }},
    {"events_in_order_of_arrival",
     [](rig &r) {
       r.open(), r.open(), r.open();
       r.peer_send(2, "c"), r.peer_send(0, "a"), r.peer_send(1, "b"), r.peer_send(2, "c"), r.wait();
     }},
    {"one_event_at_a_time",
     [](rig &r) {
       r.open(), r.open();
       r.peer_send(1, "b"), r.peer_send(0, "a"), r.wait(1), r.peer_send(1, "b"), r.wait(1),
           r.wait(1), r.wait(1);
     }},
    {"listener_level",
     [](rig &r) {
       r.watch(r.listener_, EPOLLIN, 9), r.wait(), r.connect(), r.wait(), r.wait(), r.accept(),
           r.wait();
       r.accept();
     }},
    {"listener_edge",
     [](rig &r) {
       r.watch(r.listener_, EPOLLIN | EPOLLET, 9), r.connect(), r.wait(), r.wait(), r.connect(),
           r.wait();
       r.accept(), r.wait(), r.accept(), r.accept();
     }},
    {"level_among_edges",
     [](rig &r) {
       r.watch(r.listener_, EPOLLIN, 9), r.connect(), r.accept(), r.watch_socket(0), r.connect();
       r.wait(), r.peer_send(0, "a"), r.wait(), r.wait();
     }},
    {"eventfd_edges",
     [](rig &r) {
       int fd = r.sys_->eventfd(r.sys_);
       r.watch(fd, EPOLLIN | EPOLLET, 7), r.wait();
       r.sys_->eventfd_add(r.sys_, fd), r.sys_->eventfd_add(r.sys_, fd), r.wait(), r.wait();
       r.sys_->eventfd_add(r.sys_, fd), r.wait();
       r.sys_->close(r.sys_, fd);
     }},
    {"timerfd_edges",
     [](rig &r) {
       int fd = r.sys_->timerfd(r.sys_);
       r.watch(fd, EPOLLIN | EPOLLET, 7), r.wait();
       r.sys_->timerfd_set(r.sys_, fd, 1), r.wait(), r.wait();
       r.sys_->timerfd_set(r.sys_, fd, r.sys_->now_ns(r.sys_) + 3600000000000), r.wait();
       r.sys_->timerfd_set(r.sys_, fd, 1), r.wait();
       r.sys_->timerfd_set(r.sys_, fd, 0), r.wait();
       r.sys_->close(r.sys_, fd);
     }},
    {"descriptors_are_used_again_lowest_first",
     [](rig &r) {
       r.open(), r.open(), r.open();
       int low = r.fds_[0], next = r.fds_[1];
       r.connect(), r.connect(), r.close(1), r.close(0), r.accept(), r.accept();
       r.log(r.fds_[3] == low && r.fds_[4] == next ? "lowest first" : "another order");
       r.fds_.erase(r.fds_.begin(), r.fds_.begin() + 2);
     }},
    {"a_duplicate_keeps_the_watch",
     [](rig &r) {
       int other = r.sys_->duplicate(r.sys_, r.listener_);
       r.watch(other, EPOLLIN | EPOLLET, 9), r.sys_->close(r.sys_, other);
       r.connect(), r.wait(), r.accept();
     }},
    {"the_watch_of_a_duplicate_can_be_ended",
     [](rig &r) {
       int other = r.sys_->duplicate(r.sys_, r.listener_);
       r.watch(other, EPOLLIN | EPOLLET, 9);
       r.log(r.result(r.sys_->epoll_ctl(r.sys_, r.epfd_, EPOLL_CTL_DEL, other, nullptr)));
       r.sys_->close(r.sys_, other), r.connect(), r.wait(), r.accept();
     }},
    {"what_waits_is_told_to_a_new_watch",
     [](rig &r) {
       r.watch(r.listener_, EPOLLIN | EPOLLET, 9), r.connect(), r.wait();
       r.sys_->epoll_ctl(r.sys_, r.epfd_, EPOLL_CTL_DEL, r.listener_, nullptr);
       r.watch(r.listener_, EPOLLIN | EPOLLET, 8), r.wait(), r.accept();
     }},
    {"sockets_tell_whether_they_listen",
     [](rig &r) {
       int value = -1;
       r.log(r.result(r.sys_->getsockopt(r.sys_, r.listener_, SOL_SOCKET, SO_ACCEPTCONN, &value)));
       r.log(r.result(value));
       r.sys_->getsockopt(r.sys_, r.listener_, SOL_SOCKET, SO_TYPE, &value);
       r.log(value == SOCK_STREAM ? "stream" : "no stream");
     }},
    {"unix_sockets_at_a_path",
     [](rig &r) { r.local("/tmp/weir-sim-" + std::to_string(getpid())); }},
    {"unix_sockets_without_a_file",
     [](rig &r) { r.local("@weir-sim-" + std::to_string(getpid())); }},
    {"wrong_descriptors",
     [](rig &r) { r.open(), r.close(0), r.recv(0, 1), r.send(0, 1), r.close(0); }},
};

class against_the_real_kernel : public testing::TestWithParam<scenario>
{
};

TEST_P(against_the_real_kernel, gives_the_same_log)
{
  real_rig real;
  real.listen();
  GetParam().run(real);
  fake_rig fake;
  fake.listen();
  GetParam().run(fake);
  EXPECT_EQ(real.lines, fake.lines);
}

INSTANTIATE_TEST_SUITE_P(scenarios, against_the_real_kernel, testing::ValuesIn(scenarios),
                         [](const auto &info) { return std::string(info.param.name); });

} // namespace
