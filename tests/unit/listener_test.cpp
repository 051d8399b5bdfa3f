#include "io/listener.h"
#include "loop_fixture.hpp"

#include <arpa/inet.h>
#include <cerrno>
#include <cstring>
#include <deque>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>

namespace
{

weir__address loopback(uint16_t port = 0)
{
  weir__address address{};
  sockaddr_in in{};
  in.sin_family = AF_INET;
  in.sin_port = htons(port);
  in.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  memcpy(&address.storage, &in, sizeof in);
  address.len = sizeof in;
  return address;
}

uint16_t port_of(int fd)
{
  weir__address address;
  EXPECT_EQ(weir__sys_linux.getsockname(&weir__sys_linux, fd, &address), 0);
  return ntohs(reinterpret_cast<sockaddr_in *>(&address.storage)->sin_port);
}

int option(int fd, int level, int name)
{
  int value = -1;
  socklen_t len = sizeof value;
  EXPECT_EQ(getsockopt(fd, level, name, &value, &len), 0);
  return value;
}

int open_listener(const weir__address &address, bool shared = false, bool joining = false)
{
  return weir__listener_open(&weir__sys_linux, &address, 128, shared, joining);
}

TEST(listener_open, binds_with_what_accepted_sockets_inherit)
{
  int fd = open_listener(loopback());
  ASSERT_GE(fd, 0);
  EXPECT_NE(port_of(fd), 0);
  EXPECT_EQ(option(fd, IPPROTO_TCP, TCP_NODELAY), 1);
  EXPECT_EQ(option(fd, IPPROTO_TCP, TCP_NOTSENT_LOWAT), WEIR__NOTSENT_LOWAT);
  EXPECT_EQ(option(fd, SOL_SOCKET, SO_REUSEADDR), 1);
  EXPECT_EQ(option(fd, SOL_SOCKET, SO_REUSEPORT), 0);
  EXPECT_EQ(option(fd, SOL_SOCKET, SO_ACCEPTCONN), 1);
  close(fd);
}

TEST(listener_open, refuses_a_port_that_is_taken)
{
  for (bool shared : {false, true}) {
    int first = open_listener(loopback(), shared);
    ASSERT_GE(first, 0);
    EXPECT_EQ(open_listener(loopback(port_of(first)), false), -EADDRINUSE);
    EXPECT_EQ(open_listener(loopback(port_of(first)), true), -EADDRINUSE);
    close(first);
  }
}

TEST(listener_open, joins_a_shared_port_of_its_own_server)
{
  int first = open_listener(loopback(), true);
  int second = open_listener(loopback(port_of(first)), true, true);
  ASSERT_GE(second, 0);
  EXPECT_EQ(port_of(second), port_of(first));
  EXPECT_EQ(option(second, SOL_SOCKET, SO_REUSEPORT), 1);
  close(first);
  close(second);
}

TEST(listener_open, takes_ipv4_on_the_wildcard_of_ipv6)
{
  weir__address all[2];
  ASSERT_EQ(weir__sys_linux.resolve(&weir__sys_linux, nullptr, 0, all, 2), 2);
  int fd = open_listener(all[0]);
  if (fd == -EAFNOSUPPORT)
    GTEST_SKIP() << "no IPv6 here";
  ASSERT_GE(fd, 0);
  weir__address four = loopback(port_of(fd));
  int client = socket(AF_INET, SOCK_STREAM, 0);
  EXPECT_EQ(connect(client, reinterpret_cast<sockaddr *>(&four.storage), four.len), 0);
  close(client);
  close(fd);
}

class adopted : public testing::Test
{
protected:
  weir__address address{};

  int adopt(int fd)
  {
    return weir__listener_adopt(&weir__sys_linux, fd, &address);
  }
};

TEST_F(adopted, is_made_as_if_it_had_been_opened)
{
  int fd = socket(AF_INET, SOCK_STREAM, 0);
  weir__address where = loopback();
  ASSERT_EQ(bind(fd, reinterpret_cast<sockaddr *>(&where.storage), where.len), 0);
  EXPECT_EQ(adopt(fd), -ENOTSOCK) << "it does not listen";
  ASSERT_EQ(listen(fd, 1), 0);
  ASSERT_EQ(adopt(fd), 0);
  EXPECT_EQ(ntohs(reinterpret_cast<sockaddr_in *>(&address.storage)->sin_port), port_of(fd));
  EXPECT_TRUE(fcntl(fd, F_GETFL) & O_NONBLOCK);
  EXPECT_TRUE(fcntl(fd, F_GETFD) & FD_CLOEXEC);
  EXPECT_EQ(option(fd, IPPROTO_TCP, TCP_NODELAY), 1);
  EXPECT_EQ(option(fd, IPPROTO_TCP, TCP_NOTSENT_LOWAT), WEIR__NOTSENT_LOWAT);
  close(fd);
}

TEST_F(adopted, may_be_a_unix_socket)
{
  int fd = socket(AF_UNIX, SOCK_STREAM, 0);
  sa_family_t family = AF_UNIX; // the kernel gives it a name
  ASSERT_EQ(bind(fd, reinterpret_cast<sockaddr *>(&family), sizeof family), 0);
  ASSERT_EQ(listen(fd, 1), 0);
  ASSERT_EQ(adopt(fd), 0);
  EXPECT_EQ(address.storage.ss_family, AF_UNIX);
  EXPECT_TRUE(fcntl(fd, F_GETFL) & O_NONBLOCK);
  close(fd);
}

TEST_F(adopted, is_no_file_and_no_datagram_socket)
{
  int file = open("/dev/null", O_RDONLY);
  EXPECT_EQ(adopt(file), -ENOTSOCK);
  close(file);
  EXPECT_EQ(adopt(file), -EBADF);
  int datagrams = socket(AF_INET, SOCK_DGRAM, 0);
  EXPECT_EQ(adopt(datagrams), -ENOTSOCK);
  EXPECT_FALSE(fcntl(datagrams, F_GETFL) & O_NONBLOCK) << "it is as it was";
  close(datagrams);
  int packets = socket(AF_UNIX, SOCK_SEQPACKET, 0);
  sa_family_t family = AF_UNIX;
  ASSERT_EQ(bind(packets, reinterpret_cast<sockaddr *>(&family), sizeof family), 0);
  ASSERT_EQ(listen(packets, 1), 0);
  EXPECT_EQ(adopt(packets), -EINVAL);
  close(packets);
}

class listener_open_fixture : public loop_fixture
{
};

TEST_F(listener_open_fixture, closes_the_socket_when_the_kernel_refuses)
{
  size_t before = open_descriptors();
  weir__address address = loopback();
  weir__sys refuses = weir__sys_linux;
  auto open = [&] { return weir__listener_open(&refuses, &address, 1, true, false); };
  refuses.socket = [](const weir__sys *, int, int, int) { return -EAFNOSUPPORT; };
  EXPECT_EQ(open(), -EAFNOSUPPORT);
  refuses.socket = weir__sys_linux.socket;
  refuses.setsockopt = [](const weir__sys *, int, int, int, const void *, socklen_t) {
    return -ENOPROTOOPT;
  };
  EXPECT_EQ(open(), -ENOPROTOOPT);
  refuses.setsockopt = weir__sys_linux.setsockopt;
  refuses.bind = [](const weir__sys *, int, const sockaddr *, socklen_t) { return -EACCES; };
  EXPECT_EQ(open(), -EACCES);
  refuses.bind = weir__sys_linux.bind;
  refuses.listen = [](const weir__sys *, int, int) { return -EADDRINUSE; };
  EXPECT_EQ(open(), -EADDRINUSE);
  EXPECT_EQ(open_descriptors(), before);
}

// A listener on the loop, whose kernel's accept4 may be told what to say.
class listener : public loop_fixture
{
protected:
  int fd;
  struct acceptor {
    weir__listener listener{};
    std::function<void(int)> fn;
  };
  acceptor a;
  std::vector<int> accepted, clients;
  uint16_t port = 0;

  listener() : fd(open_listener(loopback()))
  {
    port = port_of(fd);
    a.fn = [this](int connection) { accepted.push_back(connection); };
    a.listener.accepted = [](weir__listener *l, int connection) {
      reinterpret_cast<acceptor *>(l)->fn(connection);
    };
    EXPECT_EQ(weir__listener_start(&a.listener, loop, fd), 0);
  }
  ~listener() override
  {
    weir__listener_stop(&a.listener);
    for (int fd : accepted)
      close(fd);
    for (int fd : clients)
      close(fd);
  }

  void dial(int count)
  {
    for (; count > 0; count--) {
      weir__address address = loopback(port);
      clients.push_back(socket(AF_INET, SOCK_STREAM, 0));
      ASSERT_EQ(
          connect(clients.back(), reinterpret_cast<sockaddr *>(&address.storage), address.len), 0);
    }
  }

  // accept4 gives these, one a call, and then the kernel's own answers.
  void answer(std::deque<int> answers)
  {
    auto left = std::make_shared<std::deque<int>>(std::move(answers));
    fake.accept4 = [this, left] {
      if (left->empty())
        return weir__sys_linux.accept4(&weir__sys_linux, a.listener.source.fd,
                                       SOCK_NONBLOCK | SOCK_CLOEXEC);
      int next = left->front();
      left->pop_front();
      return next;
    };
  }
};

TEST_F(listener, accepts_sockets_that_do_not_block_and_inherit)
{
  dial(1);
  weir_loop_step(loop, 1000);
  ASSERT_EQ(accepted.size(), 1u);
  EXPECT_TRUE(fcntl(accepted[0], F_GETFL) & O_NONBLOCK);
  EXPECT_TRUE(fcntl(accepted[0], F_GETFD) & FD_CLOEXEC);
  EXPECT_EQ(option(accepted[0], IPPROTO_TCP, TCP_NODELAY), 1);
  EXPECT_EQ(option(accepted[0], IPPROTO_TCP, TCP_NOTSENT_LOWAT), WEIR__NOTSENT_LOWAT);
}

// Its turn on the queue may come in the same turn of the loop.
TEST_F(listener, accepts_within_its_budget)
{
  int calls = 0;
  dial(1);
  fake.accept4 = [&] {
    calls++;
    return eventfd(0, 0);
  };
  for (int turn = 1; turn < 4; turn++) {
    weir_loop_step(loop, turn == 1 ? 1000 : -1);
    EXPECT_LE(calls, (turn + 1) * WEIR__ACCEPT_BUDGET);
    EXPECT_GE(calls, turn * WEIR__ACCEPT_BUDGET);
  }
  fake.accept4 = nullptr;
  weir_loop_step(loop, -1);
  EXPECT_EQ(accepted.size(), static_cast<size_t>(calls) + 1);
  EXPECT_FALSE(weir__loop_has_work(loop));
}

TEST_F(listener, tries_the_next_after_an_error_of_one_connection)
{
  dial(3);
  answer({-ECONNABORTED, -EINTR, -ENETDOWN, -EPROTO, -ENOPROTOOPT, -EHOSTDOWN, -ENONET,
          -EHOSTUNREACH, -EOPNOTSUPP, -ENETUNREACH, -EPERM});
  weir_loop_step(loop, 1000);
  EXPECT_EQ(accepted.size(), 3u);
  EXPECT_EQ(a.listener.paused, 0u);
}

TEST_F(listener, pauses_when_descriptors_run_out)
{
  for (int error : {-EMFILE, -ENFILE, -ENOBUFS, -ENOMEM}) {
    SCOPED_TRACE(error);
    uint64_t start = stop_clock(), paused = a.listener.paused;
    accepted.clear();
    dial(3);
    answer({error});
    weir_loop_step(loop, 1000);
    EXPECT_EQ(accepted.size(), 0u); // the first was refused, two wait
    EXPECT_EQ(a.listener.paused, paused + 1);
    EXPECT_GE(a.listener.reserve, 0);
    char byte;
    EXPECT_EQ(recv(clients[clients.size() - 3], &byte, 1, 0), 0);
    dial(1); // an edge meanwhile
    for (uint64_t ms : {0, 50, 99}) {
      fake.clock_ns = start + ms * MS;
      weir_loop_step(loop, 0);
      EXPECT_FALSE(weir__loop_has_work(loop)) << "it spins";
    }
    EXPECT_EQ(accepted.size(), 0u);
    fake.clock_ns = start + WEIR__ACCEPT_PAUSE_MS * MS;
    weir_loop_step(loop, 0);
    EXPECT_EQ(accepted.size(), 3u);
    for (int fd : accepted)
      close(fd);
  }
  accepted.clear();
}

TEST_F(listener, does_without_a_reserve_that_it_cannot_get_back)
{
  uint64_t start = stop_clock();
  dial(2);
  answer({-EMFILE});
  fake.sys.open_reserve = [](const weir__sys *) { return -EMFILE; };
  weir_loop_step(loop, 1000);
  EXPECT_EQ(a.listener.reserve, -1);
  answer({-EMFILE});
  fake.clock_ns = start += WEIR__ACCEPT_PAUSE_MS * MS;
  weir_loop_step(loop, 0);
  EXPECT_EQ(a.listener.paused, 2u);
  EXPECT_EQ(accepted.size(), 0u);
  fake.sys.open_reserve = weir__sys_linux.open_reserve;
  fake.clock_ns = start + WEIR__ACCEPT_PAUSE_MS * MS;
  weir_loop_step(loop, 0);
  EXPECT_GE(a.listener.reserve, 0);
  EXPECT_EQ(accepted.size(), 1u);
}

TEST_F(listener, accepts_no_more_once_stopped)
{
  dial(3);
  a.fn = [this](int connection) {
    accepted.push_back(connection);
    weir__listener_stop(&a.listener);
  };
  weir_loop_step(loop, 1000);
  EXPECT_EQ(accepted.size(), 1u);
  weir__listener_stop(&a.listener);
  EXPECT_EQ(weir_loop_step(loop, 0), 0);
}

TEST_F(listener, may_be_stopped_while_it_pauses_or_is_queued)
{
  stop_clock();
  dial(1);
  answer({-EMFILE});
  weir_loop_step(loop, 1000);
  EXPECT_EQ(loop->timers.count, 1u);
  weir__loop_again(loop, &a.listener.source);
  weir__listener_stop(&a.listener);
  EXPECT_EQ(loop->timers.count, 0u);
  EXPECT_FALSE(weir__loop_has_work(loop));
}

TEST_F(listener, that_cannot_start_leaves_the_descriptor_to_the_caller)
{
  int fd = open_listener(loopback());
  weir__listener other{};
  size_t before = open_descriptors(), held = fake.live;
  fake.fail_at = fake.allocations + 1;
  EXPECT_EQ(weir__listener_start(&other, loop, fd), -ENOMEM);
  fake.sys.epoll_ctl = [](const weir__sys *, int, int, int, epoll_event *) { return -ENOSPC; };
  EXPECT_EQ(weir__listener_start(&other, loop, fd), -ENOSPC);
  EXPECT_EQ(open_descriptors(), before);
  EXPECT_EQ(fake.live, held);
  EXPECT_EQ(close(fd), 0);
}

// A socket that two loops watch, by a duplicate of the descriptor each.
class shared_listener : public listener
{
protected:
  weir_loop *other_loop = nullptr;
  acceptor other;

  shared_listener()
  {
    weir__listener_stop(&a.listener);
    fd = open_listener(loopback());
    port = port_of(fd);
    int duplicate = fake.sys.duplicate(&fake.sys, fd);
    EXPECT_TRUE(fcntl(duplicate, F_GETFD) & FD_CLOEXEC);
    a.listener.shared = true;
    other.listener = a.listener;
    other.fn = [this](int connection) { accepted.push_back(connection); };
    EXPECT_EQ(weir__loop_new(&other_loop, &fake.sys), 0);
    EXPECT_EQ(weir__listener_start(&a.listener, loop, fd), 0);
    EXPECT_EQ(weir__listener_start(&other.listener, other_loop, duplicate), 0);
  }
  ~shared_listener() override
  {
    weir__listener_stop(&other.listener);
    weir_loop_free(other_loop);
  }

  size_t turn(weir_loop *of)
  {
    size_t before = accepted.size();
    EXPECT_GE(weir_loop_step(of, 0), 0);
    return accepted.size() - before;
  }
};

TEST_F(shared_listener, takes_a_few_at_a_time)
{
  dial(3 * WEIR__ACCEPT_SHARED + 1);
  EXPECT_EQ(turn(loop), size_t{WEIR__ACCEPT_SHARED});
  EXPECT_FALSE(weir__loop_has_work(loop)) << "the rest is an event again";
  EXPECT_EQ(turn(other_loop), size_t{WEIR__ACCEPT_SHARED});
  EXPECT_EQ(turn(loop), size_t{WEIR__ACCEPT_SHARED});
  EXPECT_EQ(turn(loop), 1u);
  EXPECT_EQ(turn(loop), 0u);
  EXPECT_EQ(turn(other_loop), 0u);
  dial(1);
  EXPECT_EQ(turn(other_loop), 1u) << "it is still told of new ones";
  dial(1);
  EXPECT_EQ(turn(loop), 1u);
}

TEST_F(shared_listener, leaves_nothing_in_the_epoll_of_a_loop_that_stops_it)
{
  weir__listener_stop(&other.listener);
  dial(1);
  epoll_event event;
  EXPECT_EQ(epoll_wait(other_loop->epfd, &event, 1, 0), 0);
  EXPECT_EQ(turn(loop), 1u);
}

TEST_F(shared_listener, that_cannot_be_watched_again_tries_later)
{
  uint64_t start = stop_clock();
  weir__listener_stop(&other.listener);
  static auto real_ctl = fake.sys.epoll_ctl;
  fake.sys.epoll_ctl = [](const weir__sys *sys, int epfd, int op, int fd, epoll_event *event) {
    return op == EPOLL_CTL_ADD ? -ENOMEM : real_ctl(sys, epfd, op, fd, event);
  };
  dial(1);
  EXPECT_EQ(turn(loop), 1u);
  EXPECT_EQ(a.listener.paused, 1u);
  fake.clock_ns = start += WEIR__ACCEPT_PAUSE_MS * MS;
  EXPECT_EQ(turn(loop), 0u) << "none waits";
  EXPECT_EQ(a.listener.paused, 2u) << "but nothing tells of the next";
  dial(1);
  fake.sys.epoll_ctl = real_ctl;
  fake.clock_ns = start += WEIR__ACCEPT_PAUSE_MS * MS;
  EXPECT_EQ(turn(loop), 1u);
  dial(1);
  EXPECT_EQ(turn(loop), 1u);
  EXPECT_EQ(a.listener.paused, 2u);
}

} // namespace
