// What a service manager hands over (sd_listen_fds(3)).
#include <weir/server.h>

#include <gtest/gtest.h>

#include <cerrno>
#include <cstdlib>
#include <fcntl.h>
#include <string>
#include <sys/wait.h>
#include <unistd.h>

namespace
{

/* What it finds in an environment, in a process of its own: descriptors 3 and 4 are open, the
 * others from there on are not. self stands for the process's own number. Returns 100 for an
 * error. */
int found(const char *pid, const char *count)
{
  pid_t child = fork();
  if (child == 0) {
    int null = open("/dev/null", O_RDONLY), at = -1;
    dup2(null, 3);
    dup2(null, 4);
    close_range(5, ~0u, 0);
    fcntl(3, F_SETFD, 0);
    fcntl(4, F_SETFD, 0);
    unsetenv("LISTEN_PID");
    unsetenv("LISTEN_FDS");
    std::string self = std::to_string(getpid());
    if (pid != nullptr)
      setenv("LISTEN_PID", std::string(pid) == "self" ? self.c_str() : pid, 1);
    if (count != nullptr)
      setenv("LISTEN_FDS", count, 1);
    int result = weir_listen_fds(&at);
    for (int fd = 3; fd < 3 + result; fd++) {
      if (at != 3 || fcntl(fd, F_GETFD) != FD_CLOEXEC)
        _exit(101);
    }
    bool kept = (getenv("LISTEN_FDS") != nullptr) == (count != nullptr);
    _exit(!kept ? 102 : result < 0 ? (result == -EBADF ? 100 : 103) : result);
  }
  int status = -1;
  waitpid(child, &status, 0);
  return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

TEST(listen_fds, are_counted_and_closed_on_exec)
{
  EXPECT_EQ(found("self", "2"), 2);
  EXPECT_EQ(found("self", "1"), 1);
  EXPECT_EQ(found("self", "3"), 100) << "the third one is not open";
}

TEST(listen_fds, are_none_without_the_environment_that_says_so)
{
  EXPECT_EQ(found(nullptr, nullptr), 0);
  EXPECT_EQ(found("self", nullptr), 0);
  EXPECT_EQ(found(nullptr, "2"), 0);
  EXPECT_EQ(found("self", "0"), 0);
}

TEST(listen_fds, are_none_for_another_process_or_by_nonsense)
{
  EXPECT_EQ(found("1", "2"), 0);
  for (const char *nonsense : {"", "two", "-1", "2 ", "+2", "0x2", "99999999999999999999", "70000"})
    EXPECT_EQ(found("self", nonsense), 0) << nonsense;
  EXPECT_EQ(found("", "2"), 0);
  EXPECT_EQ(weir_listen_fds(nullptr), -EINVAL);
}

} // namespace
