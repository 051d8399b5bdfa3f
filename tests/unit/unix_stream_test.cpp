// A unix socket as a stream: what passed descriptors do to reads, and who asks for edges of
// writing.
#include "io/stream.h"
#include "loop_fixture.hpp"

#include <cerrno>
#include <cstring>
#include <fcntl.h>
#include <sys/socket.h>

namespace
{

class unix_stream : public loop_fixture
{
protected:
  weir__stream s{};
  int peer = -1;

  unix_stream()
  {
    static const weir__source_ops ops = {[](weir__source *) {}, [](weir__source *) {},
                                         [](weir__source *) {}};
    int ends[2];
    EXPECT_EQ(socketpair(AF_UNIX, SOCK_STREAM, 0, ends), 0);
    peer = ends[1];
    s.ops = &weir__stream_unix;
    s.source.ops = &ops;
    EXPECT_EQ(weir__loop_watch(loop, &s.source, ends[0], EPOLLIN | EPOLLRDHUP | EPOLLPRI), 0);
    weir_loop_step(loop, 0);
  }
  ~unix_stream() override
  {
    weir__loop_close(loop, &s.source);
    close(peer);
  }

  // Sends bytes with a descriptor of the peer's.
  void pass(std::string text)
  {
    char room[CMSG_SPACE(sizeof(int))] = {};
    iovec piece = {text.data(), text.size()};
    msghdr message = {};
    message.msg_iov = &piece;
    message.msg_iovlen = 1;
    message.msg_control = room;
    message.msg_controllen = sizeof room;
    cmsghdr *header = CMSG_FIRSTHDR(&message);
    header->cmsg_level = SOL_SOCKET;
    header->cmsg_type = SCM_RIGHTS;
    header->cmsg_len = CMSG_LEN(sizeof(int));
    memcpy(CMSG_DATA(header), &peer, sizeof peer);
    ASSERT_EQ(sendmsg(peer, &message, 0), static_cast<ssize_t>(text.size()));
  }

  void say(const std::string &text)
  {
    ASSERT_EQ(send(peer, text.data(), text.size(), 0), static_cast<ssize_t>(text.size()));
  }

  std::string take(size_t len = 100)
  {
    std::string bytes(len, ' ');
    ssize_t n = s.ops->recv(&s, &fake.sys, bytes.data(), len);
    return n < 0 ? std::string("-") : bytes.substr(0, static_cast<size_t>(n));
  }

  static size_t open_descriptors()
  {
    size_t count = 0;
    for (int fd = 0; fd < 200; fd++)
      count += fcntl(fd, F_GETFD) >= 0;
    return count;
  }
};

TEST_F(unix_stream, clears_readable_on_a_short_read)
{
  say("hello");
  weir_loop_step(loop, 1000);
  EXPECT_EQ(take(3), "hel");
  EXPECT_TRUE(s.source.readable);
  EXPECT_EQ(take(), "lo");
  EXPECT_FALSE(s.source.readable);
}

TEST_F(unix_stream, reads_on_behind_passed_descriptors)
{
  size_t before = open_descriptors();
  say("one");
  pass("two");
  pass("three");
  say("four");
  weir_loop_step(loop, 1000);
  std::string all;
  while (s.source.readable) {
    std::string more = take();
    all += more == "-" ? "" : more;
  }
  EXPECT_EQ(all, "onetwothreefour");
  EXPECT_EQ(open_descriptors(), before);
  EXPECT_EQ(take(), "-");
}

TEST_F(unix_stream, hears_of_room_only_once_a_send_was_short)
{
  const std::string much(4096, 'm');
  say("hello");
  EXPECT_EQ(weir_loop_step(loop, 1000), 1);
  EXPECT_EQ(take(), "hello");
  EXPECT_EQ(s.ops->send(&s, &fake.sys, "hi", 2), 2);
  char room[4096];
  EXPECT_EQ(recv(peer, room, sizeof room, 0), 2);
  EXPECT_EQ(weir_loop_step(loop, 0), 0) << "that the peer has read is no news";
  while (s.source.writable)
    s.ops->send(&s, &fake.sys, much.data(), much.size());
  weir__loop_hear(loop, &s.source);
  EXPECT_FALSE(s.source.quiet);
  weir_loop_step(loop, 0);
  EXPECT_FALSE(s.source.writable);
  while (recv(peer, room, sizeof room, MSG_DONTWAIT) > 0)
    continue;
  weir_loop_step(loop, 1000);
  EXPECT_TRUE(s.source.writable);
}

} // namespace
