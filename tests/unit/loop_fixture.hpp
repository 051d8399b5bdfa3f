// What the tests of io/ share: a loop on the real kernel with a fake's strings, sources that are
// probes, and a log.
#ifndef WEIR_TESTS_LOOP_FIXTURE_HPP
#define WEIR_TESTS_LOOP_FIXTURE_HPP

#include "io/loop.h"
#include "sys_fake.hpp"

#include <gtest/gtest.h>

#include <dirent.h>
#include <functional>
#include <memory>
#include <string>
#include <sys/eventfd.h>
#include <unistd.h>
#include <vector>

constexpr uint64_t MS = 1000000;

// A source that calls functions; it counts what it was called for.
struct probe {
  weir__source source{};
  std::function<void()> ready = [] {};
  std::function<void()> work = [] {};
  int readies = 0, works = 0, reclaims = 0;

  probe()
  {
    static const weir__source_ops ops = {
        [](weir__source *s) { of(s).readies++, of(s).ready(); },
        [](weir__source *s) { of(s).works++, of(s).work(); },
        [](weir__source *s) { of(s).reclaims++; },
    };
    source.ops = &ops;
  }
  static probe &of(weir__source *source)
  {
    return *reinterpret_cast<probe *>(source);
  }
};

class loop_fixture : public testing::Test
{
protected:
  sys_fake fake;
  weir_loop *loop = nullptr;
  std::vector<std::string> log;

  loop_fixture()
  {
    fake.intercept();
    EXPECT_EQ(weir__loop_new(&loop, &fake.sys), 0);
  }
  ~loop_fixture() override
  {
    weir_loop_free(loop);
    EXPECT_EQ(fake.live, 0u);
  }

  // Stops the clock, at a time that the loop has not seen, and from which on a timer of less than
  // 64 ms stands on the wheel's lowest level, so that its time is known exactly.
  uint64_t stop_clock()
  {
    return fake.clock_ns = (loop->now_ns / (64 * MS) + 1) * 64 * MS;
  }

  // Watches an eventfd, readable from the start or not.
  void watch(probe &p, bool readable)
  {
    int fd = eventfd(readable, EFD_NONBLOCK | EFD_CLOEXEC);
    ASSERT_EQ(weir__loop_watch(loop, &p.source, fd, EPOLLIN), 0);
  }

  static void raise_edge(probe &p)
  {
    weir__sys_linux.eventfd_add(&weir__sys_linux, p.source.fd);
  }

  void bury(probe &p)
  {
    weir__loop_close(loop, &p.source);
    weir__loop_bury(loop, &p.source);
  }

  // Outside a turn nothing points to the probe any more afterwards.
  void end(probe &p)
  {
    bury(p);
    if (!loop->stepping)
      weir__loop_reclaim(loop);
  }

  std::function<void()> logs(const std::string &what)
  {
    return [this, what] { log.push_back(what); };
  }

  static size_t open_descriptors()
  {
    size_t count = 0;
    DIR *directory = opendir("/proc/self/fd");
    while (readdir(directory) != nullptr)
      count++;
    closedir(directory);
    return count;
  }

  // Runs a function as a post.
  void post(std::function<void()> fn)
  {
    auto *held = new std::function<void()>(std::move(fn));
    ASSERT_EQ(weir_loop_post(
                  loop,
                  [](void *arg) {
                    std::unique_ptr<std::function<void()>> mine(
                        static_cast<std::function<void()> *>(arg));
                    (*mine)();
                  },
                  held),
              0);
  }
};

// A user timer that calls a function.
struct ticker {
  std::function<void()> fn;
  weir_timer *timer = nullptr;
  int fired = 0;

  ticker(
      weir_loop *loop, std::function<void()> called = [] {})
      : fn(std::move(called))
  {
    auto call = [](weir_timer *, void *arg) {
      auto *self = static_cast<ticker *>(arg);
      self->fired++;
      self->fn();
    };
    EXPECT_EQ(weir_timer_new(&timer, loop, call, this), 0);
  }
  ~ticker()
  {
    weir_timer_free(timer);
  }
  ticker(const ticker &) = delete;
  ticker &operator=(const ticker &) = delete;
};

#endif
