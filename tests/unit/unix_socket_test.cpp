#include "io/unix_socket.h"
#include "support/certificates.hpp"

#include <cerrno>
#include <cstring>
#include <fcntl.h>
#include <filesystem>
#include <fstream>
#include <gtest/gtest.h>
#include <sys/un.h>
#include <unistd.h>

namespace
{

const weir__sys *const real = &weir__sys_linux;

weir__address address_of(const std::string &path)
{
  weir__address out;
  EXPECT_EQ(weir__unix_address(&out, path.c_str()), 0);
  return out;
}

mode_t mode_of(const std::string &path)
{
  struct stat file = {};
  EXPECT_EQ(lstat(path.c_str(), &file), 0);
  return file.st_mode;
}

bool exists(const std::string &path)
{
  struct stat file = {};
  return lstat(path.c_str(), &file) == 0;
}

/* What a client hears. */
int dial(const std::string &path)
{
  weir__address address = address_of(path);
  int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0);
  int error = real->connect(real, fd, reinterpret_cast<sockaddr *>(&address.storage), address.len);
  close(fd);
  return error;
}

class unix_socket : public testing::Test
{
protected:
  support::folder folder;
  std::string path = folder.path("socket");
  weir__socket_file file = {};
  weir__sys sys = weir__sys_linux;

  int open(const std::string &where, mode_t mode = 0, int backlog = 16)
  {
    weir__address address = address_of(where);
    return weir__unix_open(&sys, &address, backlog, mode, &file);
  }
  void unlink(const std::string &where)
  {
    weir__address address = address_of(where);
    weir__unix_unlink(&sys, &address, &file);
  }
};

TEST_F(unix_socket, has_the_address_of_its_path)
{
  weir__address out;
  std::string longest(107, 'x');
  ASSERT_EQ(weir__unix_address(&out, longest.c_str()), 0);
  auto *made = reinterpret_cast<sockaddr_un *>(&out.storage);
  EXPECT_EQ(made->sun_family, AF_UNIX);
  EXPECT_EQ(made->sun_path, longest);
  EXPECT_EQ(out.len, offsetof(sockaddr_un, sun_path) + 108);
  EXPECT_EQ(weir__unix_address(&out, (longest + "x").c_str()), -ENAMETOOLONG);
  EXPECT_EQ(weir__unix_address(&out, ""), -EINVAL);
  EXPECT_EQ(weir__unix_address(&out, "@"), -EINVAL);
  ASSERT_EQ(weir__unix_address(&out, "@name"), 0);
  EXPECT_EQ(memcmp(made->sun_path, "\0name", 6), 0);
  EXPECT_EQ(out.len, offsetof(sockaddr_un, sun_path) + 5);
}

TEST_F(unix_socket, listens_without_blocking)
{
  int fd = open(path);
  ASSERT_GE(fd, 0);
  EXPECT_EQ(dial(path), 0);
  EXPECT_TRUE(fcntl(fd, F_GETFL) & O_NONBLOCK);
  EXPECT_TRUE(fcntl(fd, F_GETFD) & FD_CLOEXEC);
  EXPECT_TRUE(S_ISSOCK(mode_of(path)));
  EXPECT_NE(file.inode, 0u);
  unlink(path);
  EXPECT_FALSE(exists(path));
  EXPECT_EQ(file.inode, 0u);
  close(fd);
}

TEST_F(unix_socket, needs_no_file_without_a_path)
{
  std::string name = "@weir-test-" + std::to_string(getpid());
  int fd = open(name);
  ASSERT_GE(fd, 0);
  EXPECT_EQ(file.inode, 0u);
  EXPECT_EQ(dial(name), 0);
  EXPECT_EQ(open(name), -EADDRINUSE);
  close(fd);
  fd = open(name);
  EXPECT_GE(fd, 0) << "its name goes with it";
  close(fd);
}

TEST_F(unix_socket, has_its_permissions_before_anybody_can_connect)
{
  static mode_t seen;
  static std::string where;
  where = path;
  sys.listen = [](const weir__sys *, int fd, int backlog) {
    seen = mode_of(where);
    EXPECT_EQ(dial(where), -ECONNREFUSED);
    return real->listen(real, fd, backlog);
  };
  mode_t before = umask(027);
  int fd = open(path);
  EXPECT_EQ(seen & 07777, 0640u) << "0666 less the umask";
  close(fd);
  fd = open(path, 0660);
  EXPECT_EQ(seen & 07777, 0660u) << "the umask is not asked";
  umask(before);
  close(fd);
}

TEST_F(unix_socket, replaces_the_file_of_a_server_that_is_gone)
{
  close(open(path));
  ASSERT_TRUE(exists(path));
  ASSERT_EQ(dial(path), -ECONNREFUSED);
  int fd = open(path);
  ASSERT_GE(fd, 0);
  EXPECT_EQ(dial(path), 0);
  close(fd);
}

TEST_F(unix_socket, leaves_alone_what_is_served)
{
  int fd = open(path);
  EXPECT_EQ(open(path), -EADDRINUSE);
  EXPECT_EQ(dial(path), 0);
  close(fd);
  fd = open(folder.path("full"), 0, 1);
  while (dial(folder.path("full")) == 0)
    continue;
  EXPECT_EQ(open(folder.path("full")), -EADDRINUSE) << "its backlog is full";
  EXPECT_TRUE(exists(folder.path("full")));
  close(fd);
}

TEST_F(unix_socket, leaves_alone_what_is_no_socket_of_a_server)
{
  std::ofstream(path) << "precious";
  EXPECT_EQ(open(path), -EADDRINUSE);
  EXPECT_TRUE(S_ISREG(mode_of(path)));
  std::string other = folder.path("datagrams");
  weir__address address = address_of(other);
  int fd = socket(AF_UNIX, SOCK_DGRAM, 0);
  ASSERT_EQ(bind(fd, reinterpret_cast<sockaddr *>(&address.storage), address.len), 0);
  EXPECT_EQ(open(other), -EADDRINUSE);
  EXPECT_TRUE(exists(other));
  close(fd);
  EXPECT_EQ(open(folder.path("nowhere/socket")), -ENOENT);
}

TEST_F(unix_socket, removes_its_own_file_alone)
{
  int first = open(path);
  weir__socket_file mine = file;
  ::unlink(path.c_str());
  int second = open(path);
  weir__address address = address_of(path);
  weir__unix_unlink(&sys, &address, &mine);
  EXPECT_EQ(mine.inode, 0u);
  EXPECT_EQ(dial(path), 0) << "another server's file is gone";
  unlink(path);
  EXPECT_FALSE(exists(path));
  unlink(path);
  close(first);
  close(second);
}

class unix_socket_failing : public unix_socket
{
protected:
  /* Nothing is left of it. */
  void expect(int error)
  {
    size_t before = descriptors();
    EXPECT_EQ(open(path), error);
    EXPECT_EQ(descriptors(), before);
    EXPECT_EQ(file.inode, 0u);
    sys = weir__sys_linux;
  }
  static size_t descriptors()
  {
    auto entries = std::filesystem::directory_iterator("/proc/self/fd");
    return static_cast<size_t>(std::distance(begin(entries), end(entries)));
  }
};

TEST_F(unix_socket_failing, leaves_nothing_behind)
{
  sys.socket = [](const weir__sys *, int, int, int) { return -EMFILE; };
  expect(-EMFILE);
  sys.bind = [](const weir__sys *, int, const sockaddr *, socklen_t) { return -EACCES; };
  expect(-EACCES);
  sys.chmod = [](const weir__sys *, const char *, mode_t) { return -EPERM; };
  expect(-EPERM);
  EXPECT_FALSE(exists(path));
  sys.listen = [](const weir__sys *, int, int) { return -ENOBUFS; };
  expect(-ENOBUFS);
  EXPECT_FALSE(exists(path));
}

TEST_F(unix_socket_failing, says_why_a_stale_file_stays)
{
  close(open(path));
  file = {};
  sys.unlink = [](const weir__sys *, const char *) { return -EACCES; };
  expect(-EACCES);
  sys.unlink = [](const weir__sys *, const char *name) {
    real->unlink(real, name);
    return -ENOENT; /* somebody else did it */
  };
  int fd = open(path);
  EXPECT_GE(fd, 0);
  close(fd);
}

TEST_F(unix_socket_failing, cannot_tell_whether_a_file_is_stale)
{
  close(open(path));
  file = {};
  static int left;
  left = 1;
  sys.socket = [](const weir__sys *, int domain, int type, int protocol) {
    return left-- > 0 ? real->socket(real, domain, type, protocol) : -EMFILE;
  };
  expect(-EADDRINUSE);
  EXPECT_TRUE(exists(path));
}

} // namespace
