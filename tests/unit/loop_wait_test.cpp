// How long the loop waits, how it spins, and what a foreign loop sees that polls its descriptor.
#include "loop_fixture.hpp"

#include <cerrno>
#include <deque>
#include <poll.h>

namespace
{

// The timeout that a step hands to the kernel, which finds nothing.
class loop_timeout : public loop_fixture
{
protected:
  uint64_t start = stop_clock();
  int64_t asked = -2;

  loop_timeout()
  {
    weir_loop_step(loop, 0);
    fake.epoll_wait = [this](epoll_event *, int64_t timeout_ns) {
      asked = timeout_ns;
      return 0;
    };
  }

  int64_t timeout_of(int step_ms)
  {
    asked = -2;
    weir_loop_step(loop, step_ms);
    return asked;
  }
};

TEST_F(loop_timeout, is_the_callers_without_deadlines)
{
  for (int ms : {-1, 0, 1, 1000, INT32_MAX})
    EXPECT_EQ(timeout_of(ms), ms < 0 ? -1 : int64_t{ms} * int64_t{MS});
}

TEST_F(loop_timeout, ends_with_the_next_timer_exactly)
{
  ticker timer(loop);
  for (uint64_t lag_ns : {uint64_t{0}, uint64_t{1}, MS - 1, MS, 9 * MS + 1, 10 * MS, 20 * MS}) {
    fake.clock_ns = start;
    weir_timer_start(timer.timer, 10, 0);
    fake.clock_ns = start + lag_ns; // as if the handlers had run so long
    EXPECT_EQ(timeout_of(-1), static_cast<int64_t>(lag_ns < 10 * MS ? 10 * MS - lag_ns : 0));
    weir_timer_start(timer.timer, 10, 0);
    fake.clock_ns = start;
    weir_timer_start(timer.timer, 10, 0);
    EXPECT_EQ(timeout_of(5), int64_t{5} * int64_t{MS});
  }
}

// A loop that would sleep for ever still gives back what it keeps.
TEST_F(loop_timeout, ends_when_large_blocks_are_to_go)
{
  size_t bytes = loop->mem.bytes;
  weir__buf_give(&loop->pool, weir__buf_take(&loop->pool, 0, WEIR__POOL_LARGE));
  EXPECT_GT(loop->mem.bytes, bytes);
  int steps = 0;
  for (uint64_t slept = 0; timeout_of(-1) >= 0 && steps < 10; steps++) {
    slept += static_cast<uint64_t>(asked);
    EXPECT_LE(slept, 2 * uint64_t{WEIR__LARGE_MS} * MS);
    fake.clock_ns = start + slept;
  }
  EXPECT_LE(steps, 3);
  EXPECT_EQ(asked, -1);
  EXPECT_EQ(loop->mem.bytes, bytes);
}

TEST_F(loop_timeout, ends_with_the_next_deadline_of_the_wheel)
{
  weir__link node{};
  weir__wheel_add(&loop->wheel, &node, 100);
  uint64_t next = weir__wheel_next(&loop->wheel);
  EXPECT_EQ(timeout_of(-1), static_cast<int64_t>(next * MS - start));
  EXPECT_EQ(timeout_of(1), static_cast<int64_t>(MS));
  weir__wheel_remove(&loop->wheel, &node);
  EXPECT_EQ(timeout_of(-1), -1);
}

TEST_F(loop_timeout, is_none_while_a_queue_holds_anything)
{
  probe a;
  watch(a, false);
  weir__loop_again(loop, &a.source);
  EXPECT_EQ(timeout_of(-1), 0);
  EXPECT_EQ(timeout_of(-1), -1);
  weir__loop_later(loop, &a.source);
  EXPECT_EQ(timeout_of(1000), 0);
  end(a);
}

TEST_F(loop_timeout, of_a_timer_beyond_all_time_is_none)
{
  ticker timer(loop);
  weir_timer_start(timer.timer, UINT64_MAX, 0);
  int64_t ns = timeout_of(-1);
  EXPECT_TRUE(ns == -1 || ns > INT64_MAX / 2) << ns;
}

// The wheel counts from now, not from the start of an idle wait.
TEST_F(loop_timeout, of_the_wheel_counts_from_the_end_of_the_wait)
{
  static int came;
  weir__link node{};
  came = 0;
  loop->deadline = [](weir_loop *, weir__link *) { came++; };
  fake.epoll_wait = [&](epoll_event *, int64_t) {
    fake.clock_ns += 20000 * MS;
    return 0;
  };
  post([&] { weir__wheel_add(&loop->wheel, &node, 10000); });
  weir_loop_step(loop, -1);
  EXPECT_EQ(came, 0);
  weir_loop_step(loop, -1);
  EXPECT_EQ(came, 1);
}

// A kernel in which an event comes a given time after the wait began, and looking costs 1 us.
class loop_spin : public loop_fixture
{
protected:
  static constexpr uint64_t US = 1000, BUSY = 64 * US;
  uint64_t event_ns = UINT64_MAX;
  int looks = 0, blocks = 0;

  loop_spin()
  {
    stop_clock();
    loop->busy_poll_ns = BUSY;
    fake.epoll_wait = [this](epoll_event *events, int64_t ns) {
      if (ns == 0) {
        looks++;
        fake.clock_ns += US;
      } else {
        blocks++;
        uint64_t end = ns < 0 ? UINT64_MAX : fake.clock_ns + static_cast<uint64_t>(ns);
        fake.clock_ns = std::min(end, std::max(event_ns, fake.clock_ns + US));
      }
      if (fake.clock_ns < event_ns)
        return 0;
      events[0] = {}; // the loop's own, harmless
      return 1;
    };
  }

  // A step that finds an event after so long.
  void step_with_event_after(uint64_t ns)
  {
    looks = blocks = 0;
    event_ns = fake.clock_ns + ns;
    weir_loop_step(loop, -1);
    event_ns = UINT64_MAX;
  }
};

TEST_F(loop_spin, blocks_at_first)
{
  step_with_event_after(10000 * US);
  EXPECT_EQ(looks, 0);
  EXPECT_EQ(blocks, 1);
  EXPECT_EQ(loop->spin_ns, 0u);
}

TEST_F(loop_spin, spins_once_blocking_has_turned_out_short)
{
  step_with_event_after(BUSY);
  EXPECT_EQ(loop->spin_ns, BUSY);
  step_with_event_after(30 * US);
  EXPECT_EQ(looks, 30);
  EXPECT_EQ(blocks, 0);
  EXPECT_EQ(loop->spin_ns, BUSY);
}

TEST_F(loop_spin, spins_half_as_long_after_it_found_nothing)
{
  loop->spin_ns = BUSY;
  for (uint64_t expected = BUSY; expected >= US; expected /= 2) {
    step_with_event_after(10000 * US);
    EXPECT_EQ(looks, static_cast<int>(expected / US));
    EXPECT_EQ(blocks, 1);
    EXPECT_EQ(loop->spin_ns, expected / 2);
  }
  while (loop->spin_ns > 0)
    step_with_event_after(10000 * US);
  step_with_event_after(10000 * US);
  EXPECT_EQ(looks, 0);
  step_with_event_after(BUSY / 2);
  EXPECT_EQ(loop->spin_ns, BUSY);
}

TEST_F(loop_spin, ends_with_the_timeout_and_with_timers)
{
  ticker timer(loop);
  loop->busy_poll_ns = loop->spin_ns = 100 * MS;
  uint64_t start = fake.clock_ns;
  EXPECT_EQ(weir_loop_step(loop, 5), 0);
  EXPECT_EQ(fake.clock_ns, start + 5 * MS);
  EXPECT_EQ(blocks, 0);
  EXPECT_EQ(loop->spin_ns, 50 * MS);
  weir_timer_start(timer.timer, 7, 0);
  start = fake.clock_ns;
  EXPECT_EQ(weir_loop_step(loop, -1), 1);
  EXPECT_EQ(fake.clock_ns, start + 7 * MS);
  EXPECT_EQ(blocks, 0);
}

TEST_F(loop_spin, blocks_for_what_is_left_of_the_timeout)
{
  loop->spin_ns = BUSY;
  uint64_t start = fake.clock_ns;
  EXPECT_EQ(weir_loop_step(loop, 3), 0);
  EXPECT_EQ(blocks, 1);
  EXPECT_EQ(fake.clock_ns, start + 3 * MS);
}

TEST_F(loop_spin, does_not_spin_for_work_at_hand_or_when_off)
{
  probe a;
  watch(a, false);
  loop->spin_ns = BUSY;
  weir__loop_again(loop, &a.source);
  weir_loop_step(loop, -1);
  EXPECT_EQ(looks, 1);
  EXPECT_EQ(loop->spin_ns, BUSY);
  loop->busy_poll_ns = 0;
  step_with_event_after(10 * US);
  EXPECT_EQ(looks, 0);
  EXPECT_EQ(blocks, 1);
  end(a);
}

// A foreign loop: it knows poll(2) and one descriptor, and steps without waiting.
class loop_embedded : public loop_fixture
{
protected:
  int fd = weir_loop_fd(loop);

  bool readable(int timeout_ms = 0) const
  {
    pollfd p{fd, POLLIN, 0};
    return poll(&p, 1, timeout_ms) == 1;
  }

  // Steps as long as the descriptor is readable; returns how often.
  int settle()
  {
    int steps = 0;
    for (; readable() && steps < 1000; steps++)
      EXPECT_GE(weir_loop_step(loop, 0), 0);
    return steps;
  }

  void run_until(const std::function<bool()> &done)
  {
    while (!done()) {
      ASSERT_TRUE(readable(2000)) << "the descriptor missed something";
      weir_loop_step(loop, 0);
    }
  }
};

TEST_F(loop_embedded, is_silent_while_there_is_nothing)
{
  EXPECT_GE(fd, 0);
  EXPECT_EQ(weir_loop_fd(loop), fd);
  EXPECT_EQ(settle(), 0);
  weir_loop_step(loop, 0);
  EXPECT_FALSE(readable());
}

TEST_F(loop_embedded, misses_no_post)
{
  int count = 0;
  for (int i = 0; i < 3; i++)
    post([&] { post([&] { count++; }); });
  run_until([&] { return count == 3; });
  settle();
  EXPECT_FALSE(readable());
}

TEST_F(loop_embedded, misses_no_timer)
{
  ticker once(loop), often(loop), far(loop);
  weir_timer_start(once.timer, 3, 0);
  weir_timer_start(often.timer, 1, 2);
  weir_timer_start(far.timer, 100000, 0);
  run_until([&] { return once.fired == 1 && often.fired >= 5; });
  weir_timer_stop(often.timer);
  settle();
  EXPECT_FALSE(readable());
  weir_timer_start(far.timer, 70, 0); // started again outside a step, across a slot of the wheel
  run_until([&] { return far.fired == 1; });
}

TEST_F(loop_embedded, misses_no_timer_that_a_handler_starts)
{
  ticker timer(loop);
  post([&] { weir_timer_start(timer.timer, 5, 0); });
  run_until([&] { return timer.fired == 1; });
}

TEST_F(loop_embedded, misses_no_deadline)
{
  static int came;
  weir__link node{};
  came = 0;
  loop->deadline = [](weir_loop *, weir__link *) { came++; };
  weir__wheel_add(&loop->wheel, &node, 1);
  weir__loop_rearm(loop);
  run_until([&] { return came == 1; });
  settle();
  EXPECT_FALSE(readable());
}

TEST_F(loop_embedded, misses_nothing_left_over)
{
  probe a;
  watch(a, false);
  a.work = [&] {
    if (a.works < 5)
      weir__loop_again(loop, &a.source);
  };
  weir__loop_later(loop, &a.source); // outside a step
  run_until([&] { return a.works == 5; });
  settle();
  EXPECT_FALSE(readable());
  end(a);
}

TEST_F(loop_embedded, misses_nothing_of_a_long_queue)
{
  std::deque<probe> all(2000);
  int worked = 0;
  for (probe &p : all) {
    watch(p, false);
    p.work = [&] { worked++; };
  }
  post([&] {
    for (probe &p : all)
      weir__loop_later(loop, &p.source);
  });
  fake.clock_ns = weir__sys_linux.now_ns(&weir__sys_linux);
  all[20].work = all[500].work = [&] { worked++, fake.clock_ns += WEIR__SLICE_MIN_NS; };
  run_until([&] { return worked == 2000; });
  for (probe &p : all)
    end(p);
}

TEST_F(loop_embedded, misses_no_event_beyond_one_batch)
{
  std::deque<probe> all(600);
  int ready = 0;
  for (probe &p : all) {
    watch(p, true);
    p.ready = [&] { ready++; };
  }
  run_until([&] { return ready == 600; });
  EXPECT_FALSE(readable());
  for (probe &p : all)
    end(p);
}

TEST_F(loop_embedded, misses_nothing_from_before_it_was_asked)
{
  weir_loop *other;
  ASSERT_EQ(weir__loop_new(&other, &fake.sys), 0);
  std::swap(loop, other);
  probe a;
  {
    ticker timer(loop);
    watch(a, false);
    weir_timer_start(timer.timer, 2, 0);
    weir__loop_again(loop, &a.source);
    fd = weir_loop_fd(loop);
    run_until([&] { return a.works == 1 && timer.fired == 1; });
  }
  end(a);
  std::swap(loop, other);
  weir_loop_free(other);
}

TEST_F(loop_embedded, is_armed_only_when_the_next_deadline_changes)
{
  static int armed;
  armed = 0;
  fake.sys.timerfd_set = [](const weir__sys *, int timerfd, uint64_t at_ns) {
    armed++;
    return weir__sys_linux.timerfd_set(&weir__sys_linux, timerfd, at_ns);
  };
  ticker near(loop), far(loop);
  weir_timer_start(near.timer, 1000, 0);
  EXPECT_EQ(armed, 1);
  weir_timer_start(far.timer, 1000000, 0);
  for (int i = 0; i < 10; i++)
    weir_loop_step(loop, 0);
  EXPECT_EQ(armed, 1);
  weir_timer_stop(near.timer);
  weir_loop_step(loop, 0);
  EXPECT_EQ(armed, 2);
}

class loop_fd : public loop_fixture
{
};

TEST_F(loop_fd, says_what_the_kernel_refuses)
{
  size_t before = open_descriptors();
  fake.sys.timerfd = [](const weir__sys *) { return -EMFILE; };
  EXPECT_EQ(weir_loop_fd(loop), -EMFILE);
  fake.sys.timerfd = weir__sys_linux.timerfd;
  fake.sys.epoll_ctl = [](const weir__sys *, int, int, int, epoll_event *) { return -ENOSPC; };
  EXPECT_EQ(weir_loop_fd(loop), -ENOSPC);
  EXPECT_EQ(open_descriptors(), before);
  fake.sys.epoll_ctl = weir__sys_linux.epoll_ctl;
  EXPECT_GE(weir_loop_fd(loop), 0);
}

} // namespace
