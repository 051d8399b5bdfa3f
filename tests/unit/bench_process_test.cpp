// What the bench tool reads of processes, against what they know of themselves.
#include "weir-bench/process.h"

#include <gtest/gtest.h>

#include <signal.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <memory>
#include <semaphore>
#include <thread>

namespace
{

struct Freed {
  void operator()(process *held) const
  {
    process_free(held);
  }
};
using Process = std::unique_ptr<process, Freed>;

uint64_t thread_cpu_ns()
{
  timespec time = {};
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time);
  return uint64_t(time.tv_sec) * 1'000'000'000 + uint64_t(time.tv_nsec);
}

// Works until the calling thread has used that much.
void burn(uint64_t ns)
{
  while (thread_cpu_ns() < ns) {
  }
}

TEST(BenchProcess, CountsTheCpuOfThreadsThatComeAndGo)
{
  Process self(process_new(getpid()));
  ASSERT_NE(self, nullptr);
  process_before(self.get());
  process_begin(self.get());
  std::thread(burn, 20'000'000).join();
  process_end(self.get());
  const server_use use = process_use(self.get());
  EXPECT_TRUE(use.known);
  EXPECT_GE(use.cpu_ns, 20'000'000u);
  EXPECT_GE(process_own_cpu_ns(), use.cpu_ns);
  EXPECT_GE(process_cpu_ns(self.get()), use.cpu_ns);
}

TEST(BenchProcess, TellsOfTheLastTimeAlone)
{
  Process self(process_new(getpid()));
  ASSERT_NE(self, nullptr);
  const uint64_t before = process_own_cpu_ns();
  process_begin(self.get());
  std::thread(burn, 50'000'000).join();
  process_end(self.get());
  std::thread(burn, 50'000'000).join();
  process_begin(self.get());
  std::thread(burn, 5'000'000).join();
  process_end(self.get());
  const uint64_t all = process_own_cpu_ns() - before;
  const uint64_t used = process_use(self.get()).cpu_ns;
  EXPECT_GE(used, 5'000'000u);
  EXPECT_LE(used, all - 100'000'000u);
}

TEST(BenchProcess, CountsSwitchesOfAThreadThatEndedSince)
{
  Process self(process_new(getpid()));
  ASSERT_NE(self, nullptr);
  std::binary_semaphore there(0), back(0), seen(0);
  uint64_t voluntary = 0;
  process_begin(self.get());
  std::thread other([&] {
    for (int i = 0; i < 100; i++) {
      there.acquire();
      back.release();
    }
    rusage own = {};
    getrusage(RUSAGE_THREAD, &own);
    voluntary = uint64_t(own.ru_nvcsw);
    back.release();
    seen.acquire();
  });
  for (int i = 0; i < 100; i++) {
    there.release();
    back.acquire();
  }
  back.acquire();
  process_look(self.get());
  seen.release();
  other.join();
  process_end(self.get());
  const server_use use = process_use(self.get());
  EXPECT_TRUE(use.known);
  EXPECT_GE(use.voluntary_switches, voluntary);
  EXPECT_GE(use.threads, 1u);
}

TEST(BenchProcess, TellsMemoryBeforeAndAfter)
{
  Process self(process_new(getpid()));
  ASSERT_NE(self, nullptr);
  process_before(self.get());
  process_begin(self.get());
  const size_t size = 64 << 20;
  auto held = std::make_unique<char[]>(size);
  memset(held.get(), 1, size);
  process_end(self.get());
  const server_use use = process_use(self.get());
  EXPECT_GE(use.rss_after_bytes, use.rss_before_bytes + size / 2);
  EXPECT_GE(use.rss_peak_bytes, use.rss_before_bytes + size / 2);
}

pid_t child()
{
  const pid_t pid = fork();
  if (pid == 0) {
    for (;;)
      pause();
  }
  return pid;
}

void end(pid_t pid)
{
  kill(pid, SIGKILL);
  waitpid(pid, nullptr, 0);
}

TEST(BenchProcess, DoesNotFindOneThatHasEnded)
{
  const pid_t pid = child();
  end(pid);
  EXPECT_EQ(process_new(pid), nullptr);
  EXPECT_EQ(errno, ENOENT);
}

TEST(BenchProcess, NoticesOneThatEndsMeanwhile)
{
  const pid_t pid = child();
  Process other(process_new(pid));
  ASSERT_NE(other, nullptr);
  process_before(other.get());
  process_begin(other.get());
  end(pid);
  process_look(other.get());
  process_end(other.get());
  EXPECT_FALSE(process_use(other.get()).known);
  EXPECT_EQ(process_cpu_ns(other.get()), 0u);
}

} // namespace
