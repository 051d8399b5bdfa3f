#include "io/stream.h"
#include "loop_fixture.hpp"

#include <cerrno>
#include <netinet/in.h>

namespace
{

// The server's end of a TCP connection as a stream; the peer is a plain socket that blocks.
class stream : public loop_fixture
{
protected:
  weir__stream s{};
  int peer = -1;

  stream()
  {
    static const weir__source_ops ops = {[](weir__source *) {}, [](weir__source *) {},
                                         [](weir__source *) {}};
    sockaddr_in address{};
    socklen_t len = sizeof address;
    auto *any = reinterpret_cast<sockaddr *>(&address);
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    int listening = socket(AF_INET, SOCK_STREAM, 0);
    EXPECT_EQ(bind(listening, any, len), 0);
    EXPECT_EQ(listen(listening, 1), 0);
    EXPECT_EQ(getsockname(listening, any, &len), 0);
    peer = socket(AF_INET, SOCK_STREAM, 0);
    EXPECT_EQ(connect(peer, any, len), 0);
    int fd = accept4(listening, nullptr, nullptr, SOCK_NONBLOCK);
    close(listening);
    s.ops = &weir__stream_tcp;
    s.source.ops = &ops;
    EXPECT_EQ(weir__loop_watch(loop, &s.source, fd, EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLPRI), 0);
    weir_loop_step(loop, 0);
  }
  ~stream() override
  {
    weir__loop_close(loop, &s.source);
    hang_up();
  }

  void hang_up()
  {
    if (peer >= 0)
      close(peer);
    peer = -1;
  }

  void say(const std::string &text)
  {
    ASSERT_EQ(send(peer, text.data(), text.size(), 0), static_cast<ssize_t>(text.size()));
    weir_loop_step(loop, 1000);
  }

  ssize_t receive(size_t len)
  {
    std::vector<char> room(len);
    return s.ops->recv(&s, &fake.sys, room.data(), len);
  }

  ssize_t give(std::vector<std::string> pieces)
  {
    std::vector<iovec> iov;
    for (std::string &piece : pieces)
      iov.push_back({piece.data(), piece.size()});
    if (iov.size() == 1)
      return s.ops->send(&s, &fake.sys, iov[0].iov_base, iov[0].iov_len);
    return s.ops->send_pieces(&s, &fake.sys, iov.data(), static_cast<int>(iov.size()));
  }

  std::string heard(size_t len)
  {
    std::string bytes(len, ' ');
    EXPECT_EQ(recv(peer, bytes.data(), len, MSG_WAITALL), static_cast<ssize_t>(len));
    return bytes;
  }
};

TEST_F(stream, clears_readable_on_a_short_read)
{
  say("hello");
  EXPECT_TRUE(s.source.readable);
  EXPECT_EQ(receive(3), 3);
  EXPECT_TRUE(s.source.readable);
  EXPECT_EQ(receive(3), 2);
  EXPECT_FALSE(s.source.readable);
}

TEST_F(stream, clears_readable_when_nothing_is_there)
{
  say("hello");
  EXPECT_EQ(receive(5), 5);
  EXPECT_TRUE(s.source.readable);
  EXPECT_EQ(receive(5), -EAGAIN);
  EXPECT_FALSE(s.source.readable);
}

TEST_F(stream, reads_past_a_short_read_once_the_end_was_seen)
{
  say("hello");
  hang_up();
  weir_loop_step(loop, 1000);
  ASSERT_TRUE(s.source.exhaust);
  EXPECT_EQ(receive(100), 5);
  EXPECT_TRUE(s.source.readable);
  EXPECT_EQ(receive(100), 0);
}

TEST_F(stream, sends_all_pieces_at_once)
{
  EXPECT_EQ(give({"one", "two", "three"}), 11);
  EXPECT_TRUE(s.source.writable);
  EXPECT_EQ(heard(11), "onetwothree");
}

TEST_F(stream, clears_writable_when_not_all_was_taken)
{
  std::string large(64 << 20, 'x');
  ssize_t taken = give({large.substr(0, 10), large});
  ASSERT_GT(taken, 0);
  ASSERT_LT(taken, static_cast<ssize_t>(large.size()));
  EXPECT_FALSE(s.source.writable);
  ssize_t more;
  while ((more = give({"more"})) > 0) // what the peer's side has taken meanwhile left room
    taken += more;
  EXPECT_EQ(more, -EAGAIN);
  EXPECT_FALSE(s.source.writable);
  heard(static_cast<size_t>(taken)); // room again, and an edge says so
  while (!s.source.writable)
    ASSERT_GE(weir_loop_step(loop, 5000), 1);
  EXPECT_EQ(give({"more"}), 4);
}

TEST_F(stream, clears_writable_when_nothing_was_taken)
{
  fake.sys.send = [](const weir__sys *, int, const void *, size_t, int) {
    return ssize_t{-EAGAIN};
  };
  fake.sys.sendmsg = [](const weir__sys *, int, const msghdr *, int) { return ssize_t{-EAGAIN}; };
  for (const std::vector<std::string> &pieces : {{"x"}, std::vector<std::string>{"x", "y"}}) {
    s.source.writable = true;
    EXPECT_EQ(give(pieces), -EAGAIN);
    EXPECT_FALSE(s.source.writable);
  }
}

TEST_F(stream, tries_again_after_a_signal)
{
  static int interruptions;
  fake.sys.recv = [](const weir__sys *, int fd, void *data, size_t len, int flags) {
    return interruptions-- > 0 ? -EINTR
                               : weir__sys_linux.recv(&weir__sys_linux, fd, data, len, flags);
  };
  fake.sys.send = [](const weir__sys *, int fd, const void *data, size_t len, int flags) {
    return interruptions-- > 0 ? -EINTR
                               : weir__sys_linux.send(&weir__sys_linux, fd, data, len, flags);
  };
  fake.sys.sendmsg = [](const weir__sys *, int fd, const msghdr *message, int flags) {
    return interruptions-- > 0 ? -EINTR
                               : weir__sys_linux.sendmsg(&weir__sys_linux, fd, message, flags);
  };
  say("hello");
  interruptions = 3;
  EXPECT_EQ(receive(5), 5);
  interruptions = 3;
  EXPECT_EQ(give({"hello"}), 5);
  interruptions = 3;
  EXPECT_EQ(give({"hel", "lo"}), 5);
}

// SIGPIPE would end this program.
TEST_F(stream, never_raises_sigpipe)
{
  hang_up();
  ssize_t error = 1;
  for (int i = 0; i < 100 && error > 0; i++) {
    error = give({"into the void"});
    weir_loop_step(loop, 10);
  }
  EXPECT_TRUE(error == -EPIPE || error == -ECONNRESET) << error;
  EXPECT_EQ(give({"again"}), -EPIPE);
  EXPECT_EQ(give({"and", "again"}), -EPIPE);
}

TEST_F(stream, ends_the_sending_direction_alone)
{
  EXPECT_EQ(s.ops->shutdown(&s, &fake.sys), 0);
  char byte;
  EXPECT_EQ(recv(peer, &byte, 1, 0), 0);
  say("still heard");
  EXPECT_EQ(receive(100), 11);
}

TEST_F(stream, says_when_the_peer_reset)
{
  linger none{1, 0};
  setsockopt(peer, SOL_SOCKET, SO_LINGER, &none, sizeof none);
  hang_up();
  weir_loop_step(loop, 1000);
  EXPECT_TRUE(s.source.exhaust);
  EXPECT_EQ(receive(10), -ECONNRESET);
}

TEST_F(stream, sends_the_end_along_with_the_last_bytes)
{
  static int flags;
  weir__sys sys = weir__sys_linux;
  sys.send = [](const weir__sys *, int fd, const void *data, size_t len, int how) {
    flags = how;
    return send(fd, data, len, how);
  };
  EXPECT_EQ(s.ops->send(&s, &sys, "a", 1), 1);
  EXPECT_EQ(flags & MSG_MORE, 0);
  s.source.ending = 1;
  EXPECT_EQ(s.ops->send(&s, &sys, "b", 1), 1);
  EXPECT_EQ(flags & MSG_MORE, MSG_MORE);
  EXPECT_EQ(s.ops->shutdown(&s, &sys), 0);
  EXPECT_EQ(heard(2), "ab");
  char byte;
  EXPECT_EQ(recv(peer, &byte, 1, 0), 0);
}

TEST_F(stream, is_hung_when_both_directions_ended)
{
  shutdown(peer, SHUT_WR);
  weir_loop_step(loop, 1000);
  EXPECT_TRUE(s.source.exhaust);
  EXPECT_FALSE(s.source.hung);
  EXPECT_EQ(s.ops->shutdown(&s, &fake.sys), 0);
  weir_loop_step(loop, 1000);
  EXPECT_TRUE(s.source.hung);
}

} // namespace
