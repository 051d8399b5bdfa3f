// User timers on a loop.
#include "loop_fixture.hpp"

#include <cerrno>

namespace
{

class loop_timer : public loop_fixture
{
protected:
  uint64_t start = stop_clock();

  loop_timer()
  {
    at(0);
  }

  // Lets the clock be so many ns after the start, and a turn run.
  int at(uint64_t ns)
  {
    fake.clock_ns = start + ns;
    return weir_loop_step(loop, 0);
  }
};

TEST_F(loop_timer, refuses_no_function)
{
  weir_timer *timer;
  EXPECT_EQ(weir_timer_new(&timer, loop, nullptr, nullptr), -EINVAL);
  EXPECT_EQ(timer, nullptr);
  fake.fail_at = fake.allocations + 1;
  EXPECT_EQ(weir_timer_new(
                &timer, loop, [](weir_timer *, void *) {}, nullptr),
            -ENOMEM);
  EXPECT_EQ(timer, nullptr);
  weir_timer_free(nullptr);
}

TEST_F(loop_timer, fires_within_a_millisecond_and_never_early)
{
  ticker t(loop);
  for (uint64_t lag : {uint64_t{0}, uint64_t{1}, MS / 2, MS - 1}) {
    start += 10000 * MS;
    at(0);
    fake.clock_ns = start + lag; // the turn's clock is older than the call
    t.fired = 0;
    weir_timer_start(t.timer, 10, 0);
    EXPECT_EQ(at(lag + 10 * MS - 1), 0);
    EXPECT_EQ(at(lag + 11 * MS), 1);
    EXPECT_EQ(at(lag + 5000 * MS), 0);
    EXPECT_EQ(t.fired, 1);
  }
}

TEST_F(loop_timer, repeats_on_its_grid)
{
  ticker t(loop);
  weir_timer_start(t.timer, 10, 5);
  for (uint64_t ms : {9, 10, 12, 15, 20, 24})
    at(ms * MS);
  EXPECT_EQ(t.fired, 3);
  EXPECT_EQ(at(1003 * MS), 1); // late: once
  EXPECT_EQ(at(1004 * MS), 0);
  EXPECT_EQ(at(1005 * MS), 1); // and back on the grid
  EXPECT_EQ(at(1009 * MS), 0);
  EXPECT_EQ(at(1010 * MS), 1);
}

TEST_F(loop_timer, fires_in_order_of_time)
{
  ticker a(loop, logs("a")), b(loop, logs("b")), c(loop, logs("c"));
  weir_timer_start(b.timer, 20, 0);
  weir_timer_start(c.timer, 300, 0);
  weir_timer_start(a.timer, 10, 0);
  EXPECT_EQ(at(1000 * MS), 3);
  EXPECT_EQ(log, (std::vector<std::string>{"a", "b", "c"}));
}

TEST_F(loop_timer, restarts_and_stops)
{
  ticker t(loop);
  weir_timer_start(t.timer, 10, 3);
  weir_timer_start(t.timer, 20, 0);
  EXPECT_EQ(at(19 * MS), 0);
  EXPECT_EQ(at(20 * MS), 1);
  EXPECT_EQ(at(100 * MS), 0);
  weir_timer_start(t.timer, 10, 10);
  weir_timer_stop(t.timer);
  weir_timer_stop(t.timer);
  EXPECT_EQ(at(1000 * MS), 0);
}

TEST_F(loop_timer, may_restart_stop_and_free_inside_its_own_callback)
{
  ticker restarts(loop), stops(loop), frees(loop);
  restarts.fn = [&] { weir_timer_start(restarts.timer, 50, 0); };
  stops.fn = [&] { weir_timer_stop(stops.timer); };
  frees.fn = [&] {
    weir_timer_free(frees.timer);
    frees.timer = nullptr;
  };
  for (ticker *t : {&restarts, &stops, &frees})
    weir_timer_start(t->timer, 10, 10);
  EXPECT_EQ(at(10 * MS), 3);
  EXPECT_EQ(at(59 * MS), 0);
  EXPECT_EQ(at(60 * MS), 1);
  EXPECT_EQ(stops.fired, 1);
}

TEST_F(loop_timer, may_free_another_that_is_due_in_the_same_turn)
{
  ticker first(loop), second(loop);
  first.fn = [&] {
    weir_timer_free(second.timer);
    second.timer = nullptr;
  };
  weir_timer_start(first.timer, 10, 0);
  weir_timer_start(second.timer, 11, 0);
  EXPECT_EQ(at(20 * MS), 1);
  EXPECT_EQ(second.fired, 0);
}

TEST_F(loop_timer, of_no_delay_does_not_keep_the_turn)
{
  ticker t(loop);
  t.fn = [&] { weir_timer_start(t.timer, 0, 0); };
  weir_timer_start(t.timer, 0, 0);
  EXPECT_EQ(at(MS), 1);
  EXPECT_EQ(at(2 * MS), 1);
}

TEST_F(loop_timer, may_be_as_far_as_time_goes)
{
  ticker t(loop);
  weir_timer_start(t.timer, UINT64_MAX, UINT64_MAX);
  EXPECT_EQ(at(1u << 30), 0);
  weir_timer_start(t.timer, 1, UINT64_MAX);
  EXPECT_EQ(at(UINT64_C(1) << 40), 1);
  EXPECT_EQ(at(UINT64_C(1) << 50), 0);
}

TEST_F(loop_timer, is_exact_on_the_real_clock)
{
  ticker t(loop);
  fake.clock_ns = 0;
  for (uint64_t after : {1, 2, 5, 10}) {
    uint64_t called = weir__sys_linux.now_ns(&weir__sys_linux);
    t.fired = 0;
    weir_timer_start(t.timer, after, 0);
    while (t.fired == 0)
      ASSERT_GE(weir_loop_step(loop, -1), 0);
    EXPECT_GE(weir__sys_linux.now_ns(&weir__sys_linux) - called, after * MS);
  }
}

} // namespace
