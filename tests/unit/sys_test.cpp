// The real kernel behind the seam, where it is more than a syscall.
#include "base/sys.h"

#include <gtest/gtest.h>

#include <arpa/inet.h>
#include <cerrno>
#include <netinet/in.h>
#include <poll.h>
#include <set>
#include <string>
#include <sys/resource.h>
#include <thread>
#include <unistd.h>

namespace
{

const weir__sys *const sys = &weir__sys_linux;

std::string text_of(const weir__address &address)
{
  char host[INET6_ADDRSTRLEN] = "?";
  uint16_t port = 0;
  if (address.storage.ss_family == AF_INET6) {
    auto *six = reinterpret_cast<const sockaddr_in6 *>(&address.storage);
    EXPECT_EQ(address.len, sizeof *six);
    inet_ntop(AF_INET6, &six->sin6_addr, host, sizeof host);
    port = ntohs(six->sin6_port);
  } else {
    auto *four = reinterpret_cast<const sockaddr_in *>(&address.storage);
    EXPECT_EQ(address.len, sizeof *four);
    inet_ntop(AF_INET, &four->sin_addr, host, sizeof host);
    port = ntohs(four->sin_port);
  }
  return std::string(host) + " " + std::to_string(port);
}

TEST(resolve, gives_both_wildcards_without_a_host)
{
  weir__address out[4];
  ASSERT_EQ(sys->resolve(sys, nullptr, 8080, out, 4), 2);
  EXPECT_EQ(text_of(out[0]), ":: 8080");
  EXPECT_EQ(text_of(out[1]), "0.0.0.0 8080");
  EXPECT_EQ(sys->resolve(sys, nullptr, 8080, out, 1), -EINVAL);
}

TEST(resolve, takes_numeric_addresses)
{
  weir__address out[4];
  ASSERT_EQ(sys->resolve(sys, "127.0.0.1", 80, out, 4), 1);
  EXPECT_EQ(text_of(out[0]), "127.0.0.1 80");
  ASSERT_EQ(sys->resolve(sys, "::1", 65535, out, 4), 1);
  EXPECT_EQ(text_of(out[0]), "::1 65535");
}

TEST(resolve, takes_names_up_to_the_room_that_there_is)
{
  weir__address out[4];
  int count = sys->resolve(sys, "localhost", 80, out, 4);
  EXPECT_GE(count, 1);
  EXPECT_EQ(sys->resolve(sys, "localhost", 80, out, 1), 1);
}

TEST(resolve, says_when_there_is_no_such_host)
{
  weir__address out[4];
  EXPECT_EQ(sys->resolve(sys, "not a host name", 80, out, 4), -ENOENT);
}

TEST(random_bytes, differ)
{
  std::set<std::string> seen;
  for (int i = 0; i < 10; i++) {
    std::string bytes(300, '\0');
    EXPECT_EQ(sys->random(sys, bytes.data(), bytes.size()), 0);
    seen.insert(bytes);
  }
  EXPECT_EQ(seen.size(), 10u);
  EXPECT_EQ(sys->random(sys, nullptr, 0), 0);
}

TEST(errors, are_negative)
{
  epoll_event event{};
  EXPECT_EQ(sys->socket(sys, AF_INET, -1, 0), -EINVAL);
  EXPECT_EQ(sys->bind(sys, -1, nullptr, 0), -EBADF);
  EXPECT_EQ(sys->listen(sys, -1, 1), -EBADF);
  EXPECT_EQ(sys->accept4(sys, -1, 0), -EBADF);
  EXPECT_EQ(sys->recv(sys, -1, nullptr, 0, 0), -EBADF);
  EXPECT_EQ(sys->shutdown(sys, -1, SHUT_WR), -EBADF);
  EXPECT_EQ(sys->close(sys, -1), -EBADF);
  EXPECT_EQ(sys->setsockopt(sys, -1, 0, 0, nullptr, 0), -EBADF);
  EXPECT_EQ(sys->epoll_ctl(sys, -1, EPOLL_CTL_ADD, 0, &event), -EBADF);
  EXPECT_EQ(sys->epoll_wait(sys, -1, &event, 1, 0), -EBADF);
  EXPECT_EQ(sys->timerfd_set(sys, -1, 1), -EBADF);
  msghdr message{};
  EXPECT_EQ(sys->sendmsg(sys, -1, &message, 0), -EBADF);
  EXPECT_EQ(sys->send(sys, -1, nullptr, 0, 0), -EBADF);
  weir__address address;
  EXPECT_EQ(sys->getsockname(sys, -1, &address), -EBADF);
  EXPECT_EQ(sys->getpeername(sys, -1, &address), -EBADF);
}

TEST(descriptor_limit, is_that_of_the_process)
{
  rlimit before, less;
  ASSERT_EQ(getrlimit(RLIMIT_NOFILE, &before), 0);
  less = {50, before.rlim_max};
  ASSERT_EQ(setrlimit(RLIMIT_NOFILE, &less), 0);
  EXPECT_EQ(sys->descriptor_limit(sys), 50u);
  ASSERT_EQ(setrlimit(RLIMIT_NOFILE, &before), 0);
  EXPECT_EQ(sys->descriptor_limit(sys),
            before.rlim_cur == RLIM_INFINITY ? SIZE_MAX : before.rlim_cur);
}

TEST(eventfd, leaves_errno_alone)
{
  errno = 12345;
  EXPECT_EQ(sys->eventfd_add(sys, -1), -EBADF);
  EXPECT_EQ(errno, 12345);
}

TEST(timerfd, is_readable_at_its_time_and_never_once_disarmed)
{
  int fd = sys->timerfd(sys);
  pollfd p{fd, POLLIN, 0};
  uint64_t at = sys->now_ns(sys) + 3000000;
  EXPECT_EQ(sys->timerfd_set(sys, fd, at), 0);
  EXPECT_EQ(poll(&p, 1, 5000), 1);
  EXPECT_GE(sys->now_ns(sys), at);
  EXPECT_EQ(sys->timerfd_set(sys, fd, 0), 0);
  EXPECT_EQ(poll(&p, 1, 0), 0);
  EXPECT_EQ(sys->timerfd_set(sys, fd, 1), 0); // long ago
  EXPECT_EQ(poll(&p, 1, 5000), 1);
  close(fd);
}

TEST(thread, is_told_from_others)
{
  uintptr_t here = weir__sys_thread(), there = here;
  std::thread([&] { there = weir__sys_thread(); }).join();
  EXPECT_NE(here, there);
  EXPECT_EQ(here, weir__sys_thread());
}

} // namespace
