/* The C++ layer's loop: steps, posts that run exactly once, timers and who owns their callables. */
#include <weir/weir.hpp>

#include <gtest/gtest.h>

#include <optional>
#include <thread>
#include <vector>

#include <poll.h>

using namespace std::chrono_literals;

namespace
{

/* Steps until it holds, or until a test has waited far too long. */
template <class Holds> bool step_until(weir::loop &loop, Holds holds)
{
  for (auto end = std::chrono::steady_clock::now() + 8s; std::chrono::steady_clock::now() < end;) {
    if (holds())
      return true;
    loop.step(10ms);
  }
  return false;
}

TEST(CppLoop, StepsAndTellsTheTime)
{
  weir::loop loop;
  EXPECT_EQ(loop.step(0ms), 0);
  auto before = loop.now();
  std::error_code error = std::make_error_code(std::errc::io_error);
  EXPECT_EQ(loop.step(2ms, error), 0);
  EXPECT_FALSE(error);
  EXPECT_GE(loop.now(), before + 1ms);
}

TEST(CppLoop, ANestedStepIsRefused)
{
  weir::loop loop;
  std::error_code nested;
  bool thrown = false;
  loop.post([&] {
    loop.step(0ms, nested);
    try {
      loop.step(0ms);
    } catch (const std::system_error &) {
      thrown = true;
    }
  });
  EXPECT_EQ(loop.step(0ms), 1);
  EXPECT_EQ(nested, std::errc::device_or_resource_busy);
  EXPECT_TRUE(thrown);
}

TEST(CppLoop, DescriptorWakesAForeignLoop)
{
  weir::loop loop;
  pollfd polled = {loop.fd(), POLLIN, 0};
  EXPECT_EQ(poll(&polled, 1, 0), 0);
  bool called = false;
  std::thread([&] { EXPECT_FALSE(loop.post([&] { called = true; })); }).join();
  EXPECT_EQ(poll(&polled, 1, 8000), 1);
  loop.step(0ms);
  EXPECT_TRUE(called);
}

TEST(CppLoop, PostsKeepTheirOrderAndOwnTheirCallables)
{
  weir::loop loop;
  std::vector<int> order;
  auto token = std::make_shared<int>(0);
  auto lasting = [&, token] { order.push_back(1); };
  EXPECT_FALSE(loop.post(lasting));
  EXPECT_FALSE(loop.post([&, owned = std::make_unique<int>(2)] { order.push_back(*owned); }));
  EXPECT_FALSE(weir::loop_ref(loop).post([&, token] { order.push_back(3); }));
  EXPECT_EQ(token.use_count(), 4);
  loop.step(0ms);
  EXPECT_EQ(order, (std::vector{1, 2, 3}));
  EXPECT_EQ(token.use_count(), 2);
}

TEST(CppLoop, WhatIsPostedRunsExactlyOnceAtTheLatestWhenTheLoopGoes)
{
  static constexpr int threads = 3, posts = 1000;
  std::vector<int> runs(threads * posts);
  {
    weir::loop loop;
    std::vector<std::thread> posting;
    for (int t = 0; t < threads; t++)
      posting.emplace_back([&, t] {
        for (int i = 0; i < posts; i++)
          EXPECT_FALSE(loop.post([&runs, t, i] { ++runs[t * posts + i]; }));
      });
    loop.step(1ms);
    for (std::thread &each : posting)
      each.join();
  }
  EXPECT_EQ(runs, std::vector<int>(threads * posts, 1));
}

TEST(CppLoop, AnExceptionLeavesNeitherPostNorTimer)
{
  weir::loop loop;
  bool called = false;
  loop.post([] { throw std::runtime_error("post"); });
  loop.post([&] { called = true; });
  loop.step(0ms);
  EXPECT_TRUE(called);
  int fired = 0;
  weir::timer timer(loop, [&] {
    fired++;
    throw 1;
  });
  timer.start(1ms, 1ms);
  EXPECT_TRUE(step_until(loop, [&] { return fired == 2; }));
}

TEST(CppTimer, FiresOnceOrOnTheGrid)
{
  weir::loop loop;
  int once = 0, often = 0;
  weir::timer first(loop, [&] { once++; }), second(loop, [&] { often++; });
  auto begun = std::chrono::steady_clock::now();
  first.start(20ms);
  second.start(0ms, 1ms);
  EXPECT_TRUE(step_until(loop, [&] { return once == 1; }));
  EXPECT_GE(std::chrono::steady_clock::now() - begun, 20ms);
  EXPECT_TRUE(step_until(loop, [&] { return often >= 3; }));
  EXPECT_EQ(once, 1);
  second.stop();
  often = 0;
  EXPECT_FALSE(first.start(5ms).native() == nullptr);
  EXPECT_TRUE(step_until(loop, [&] { return once == 2; }));
  EXPECT_EQ(often, 0);
}

TEST(CppTimer, MovesWithItsCallable)
{
  weir::loop loop;
  int fired = 0;
  auto token = std::make_shared<int>(0);
  weir::timer first(loop, [&, token, owned = std::make_unique<int>(1)] { fired += *owned; });
  weir::timer second = std::move(first);
  second.start(1ms);
  EXPECT_TRUE(step_until(loop, [&] { return fired == 1; }));
  EXPECT_EQ(token.use_count(), 2);
  second = weir::timer(loop, [] {});
  EXPECT_EQ(token.use_count(), 1);
}

TEST(CppTimer, MayDestroyItselfWhileItFires)
{
  weir::loop loop;
  std::optional<weir::timer> timer;
  auto token = std::make_shared<int>(0);
  int seen = 0;
  timer.emplace(loop, [&, token] {
    timer.reset();
    seen = int(token.use_count()); // what was captured is still there
  });
  timer->start(0ms, 1ms);
  EXPECT_TRUE(step_until(loop, [&] { return seen != 0; }));
  EXPECT_EQ(seen, 2);
  EXPECT_EQ(token.use_count(), 1);
  EXPECT_EQ(loop.step(3ms), 0);
}

TEST(CppTimer, DoesNotFireOnceDestroyed)
{
  weir::loop loop;
  {
    weir::timer timer(loop, [] { FAIL(); });
    timer.start(-5ms);
  }
  EXPECT_EQ(loop.step(2ms), 0);
}

} // namespace
