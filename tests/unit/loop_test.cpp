// The reactor's turn: order, generations, queues, slices, ends. Timers, waiting and threads have
// tests of their own.
#include "loop_fixture.hpp"

#include <cerrno>
#include <csignal>
#include <deque>
#include <sys/socket.h>

namespace
{

using strings = std::vector<std::string>;

class loop_turn : public loop_fixture
{
};

TEST_F(loop_turn, runs_everything_in_its_order)
{
  probe a, b, again, later;
  ticker timer(loop, logs("timer"));
  static std::function<void()> interrupted, passed;
  weir__interrupt interrupt{{}, [](weir__interrupt *) { interrupted(); }, 0};
  weir__link node{};
  stop_clock();
  interrupted = logs("interrupt");
  passed = logs("deadline");
  loop->deadline = [](weir_loop *, weir__link *) { passed(); };
  watch(a, true), watch(b, true), watch(again, false), watch(later, false);
  again.work = logs("again");
  later.work = logs("later");
  b.ready = logs("ready b");
  b.work = logs("work b");
  a.work = logs("work a");
  a.ready = [&] {
    log.push_back("ready a");
    weir__loop_later(loop, &later.source);
    weir__loop_again(loop, &again.source);
    weir__loop_interrupt(loop, &interrupt);
    post(logs("post"));
  };
  weir__loop_add_interrupt(loop, &interrupt);
  weir_timer_start(timer.timer, 1, 0);
  weir__wheel_add(&loop->wheel, &node, 1);
  fake.clock_ns += 200 * MS;
  EXPECT_EQ(weir_loop_step(loop, 0), 8);
  EXPECT_EQ(log, (strings{"ready a", "ready b", "work a", "work b", "post", "interrupt", "timer",
                          "deadline", "again", "later"}));
  weir__loop_remove_interrupt(loop, &interrupt);
  for (probe *p : {&a, &b, &again, &later})
    end(*p);
}

TEST_F(loop_turn, tells_whose_turn_it_is)
{
  probe a;
  watch(a, true);
  a.ready = a.work = [&] { EXPECT_EQ(loop->current, &a.source); };
  EXPECT_EQ(loop->current, nullptr);
  post([&] { EXPECT_EQ(loop->current, nullptr); });
  weir_loop_step(loop, 0);
  weir__loop_later(loop, &a.source);
  weir_loop_step(loop, 0);
  EXPECT_EQ(a.works, 2);
  EXPECT_EQ(loop->current, nullptr);
  end(a);
}

TEST_F(loop_turn, refuses_a_nested_step)
{
  int nested = 0;
  post([&] { nested = weir_loop_step(loop, 0); });
  EXPECT_EQ(weir_loop_step(loop, 0), 1);
  EXPECT_EQ(nested, -EBUSY);
}

TEST_F(loop_turn, sets_the_sticky_bits)
{
  probe p;
  int pair[2];
  ASSERT_EQ(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, pair), 0);
  ASSERT_EQ(weir__loop_watch(loop, &p.source, pair[0], EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLPRI),
            0);
  p.source.writable = 0;
  weir_loop_step(loop, 0);
  EXPECT_TRUE(p.source.writable);
  EXPECT_FALSE(p.source.readable);
  ASSERT_EQ(write(pair[1], "x", 1), 1);
  weir_loop_step(loop, 0);
  EXPECT_TRUE(p.source.readable);
  EXPECT_FALSE(p.source.exhaust);
  EXPECT_EQ(weir_loop_step(loop, 0), 0); // an edge, not a level
  p.source.readable = 0;
  close(pair[1]);
  weir_loop_step(loop, 0);
  EXPECT_TRUE(p.source.readable);
  EXPECT_TRUE(p.source.exhaust);
  end(p);
}

// Closes the victim, and opens a new source in its slot and with its descriptor's number.
struct successor {
  probe fresh;
  bool made = false;
};

TEST_F(loop_turn, never_gives_a_stale_event_to_a_slots_next_source)
{
  for (bool in_ready : {true, false}) {
    SCOPED_TRACE(in_ready);
    probe sources[2];
    successor next;
    auto replace = [&](probe &self) {
      probe &victim = &self == &sources[0] ? sources[1] : sources[0];
      if (next.made)
        return;
      int fd = victim.source.fd;
      uint32_t slot = victim.source.slot;
      end(victim);
      watch(next.fresh, false);
      next.made = true;
      EXPECT_EQ(next.fresh.source.fd, fd);
      EXPECT_EQ(next.fresh.source.slot, slot);
    };
    for (probe &p : sources) {
      watch(p, true);
      (in_ready ? p.ready : p.work) = [&] { replace(p); };
    }
    weir_loop_step(loop, 0);
    EXPECT_TRUE(next.made);
    EXPECT_EQ(next.fresh.readies + next.fresh.works, 0);
    EXPECT_EQ(sources[0].reclaims + sources[1].reclaims, 1);
    EXPECT_EQ(sources[0].readies + sources[1].readies, in_ready ? 1 : 2);
    EXPECT_EQ(sources[0].works + sources[1].works, 1);
    raise_edge(next.fresh);
    weir_loop_step(loop, 0);
    EXPECT_EQ(next.fresh.works, 1);
    end(next.fresh);
    end(sources[0].reclaims ? sources[1] : sources[0]);
  }
}

TEST_F(loop_turn, finds_a_source_by_slot_and_generation_only)
{
  probe a;
  watch(a, false);
  uint32_t slot = a.source.slot, generation = weir__slot_at(&loop->slots, slot)->generation;
  EXPECT_NE(generation, 0u);
  EXPECT_EQ(weir__loop_source(loop, slot, generation), &a.source);
  EXPECT_EQ(weir__loop_source(loop, slot, generation + 1), nullptr);
  EXPECT_EQ(weir__loop_source(loop, slot + 1, generation), nullptr);
  EXPECT_EQ(weir__loop_source(loop, UINT32_MAX, generation), nullptr);
  end(a);
  EXPECT_EQ(weir__loop_source(loop, slot, generation), nullptr);
  EXPECT_EQ(weir__loop_source(loop, slot, weir__slot_at(&loop->slots, slot)->generation), nullptr);
}

TEST_F(loop_turn, generation_skips_zero)
{
  probe a;
  watch(a, false);
  weir__slot_at(&loop->slots, a.source.slot)->generation = UINT32_MAX;
  uint32_t slot = a.source.slot;
  end(a);
  EXPECT_EQ(weir__slot_at(&loop->slots, slot)->generation, 1u);
}

TEST_F(loop_turn, watches_many_and_reuses_their_slots)
{
  for (int round = 0; round < 2; round++) {
    std::deque<probe> all(300);
    for (probe &p : all)
      watch(p, true);
    EXPECT_EQ(loop->slots.count, 300u);
    EXPECT_EQ(weir_loop_step(loop, 0), 256);
    EXPECT_EQ(weir_loop_step(loop, 0), 44);
    for (probe &p : all) {
      EXPECT_EQ(p.readies, 1);
      end(p);
    }
    weir_loop_step(loop, 0);
    for (probe &p : all)
      EXPECT_EQ(p.reclaims, 1);
  }
}

TEST_F(loop_turn, leaves_the_descriptor_to_the_caller_when_it_cannot_watch)
{
  probe a;
  int fd = eventfd(0, 0);
  fake.fail_at = fake.allocations + 1; // the table of slots
  EXPECT_EQ(weir__loop_watch(loop, &a.source, fd, EPOLLIN), -ENOMEM);
  EXPECT_EQ(weir__loop_watch(loop, &a.source, -1, EPOLLIN), -EBADF);
  EXPECT_EQ(loop->slots.count, 0u);
  EXPECT_EQ(weir__loop_watch(loop, &a.source, fd, EPOLLIN), 0);
  probe b;
  EXPECT_EQ(weir__loop_watch(loop, &b.source, fd, EPOLLIN), -EEXIST);
  EXPECT_EQ(loop->slots.count, 1u);
  end(a);
  EXPECT_EQ(close(fd), -1); // it was the loop's
}

TEST_F(loop_turn, works_again_once_a_turn_and_does_not_block)
{
  probe a, b;
  watch(a, false), watch(b, false);
  a.work = [&] {
    log.push_back("a");
    weir__loop_again(loop, &a.source);
  };
  b.work = logs("b");
  weir__loop_again(loop, &a.source);
  weir__loop_again(loop, &b.source);
  weir__loop_again(loop, &a.source);
  EXPECT_EQ(weir_loop_step(loop, -1), 2);
  EXPECT_EQ(weir_loop_step(loop, -1), 1);
  EXPECT_EQ(log, (strings{"a", "b", "a"}));
  end(a), end(b);
}

// again is for input that is left over: ready reads it, and may end the source.
TEST_F(loop_turn, readies_again_before_work_but_later_for_work_alone)
{
  probe again, later, ends;
  watch(again, false), watch(later, false), watch(ends, false);
  again.ready = logs("ready");
  again.work = logs("work");
  ends.ready = [&] { bury(ends); };
  weir__loop_again(loop, &again.source);
  weir__loop_again(loop, &ends.source);
  weir__loop_later(loop, &later.source);
  EXPECT_EQ(weir_loop_step(loop, 0), 3);
  EXPECT_EQ(log, (strings{"ready", "work"}));
  EXPECT_EQ(later.readies, 0);
  EXPECT_EQ(later.works, 1);
  EXPECT_EQ(ends.works, 0);
  EXPECT_EQ(ends.reclaims, 1);
  end(again), end(later);
}

TEST_F(loop_turn, works_a_source_of_both_queues_once)
{
  probe a;
  watch(a, false);
  weir__loop_later(loop, &a.source);
  weir__loop_again(loop, &a.source);
  EXPECT_EQ(weir_loop_step(loop, 0), 1);
  EXPECT_EQ(weir_loop_step(loop, 0), 0);
  end(a);
}

TEST_F(loop_turn, gives_later_a_slice_of_time)
{
  constexpr size_t COUNT = 100;
  std::deque<probe> all(COUNT);
  probe latecomer;
  stop_clock();
  for (size_t i = 0; i < COUNT; i++) {
    watch(all[i], false);
    all[i].work = [this, i] {
      log.push_back(std::to_string(i));
      fake.clock_ns += WEIR__SLICE_MIN_NS / 20;
    };
    weir__loop_later(loop, &all[i].source);
  }
  watch(latecomer, false);
  latecomer.work = logs("latecomer");
  EXPECT_EQ(weir_loop_step(loop, -1), 20);
  weir__loop_later(loop, &latecomer.source);
  EXPECT_EQ(weir_loop_step(loop, -1), 20);
  while (weir__loop_has_work(loop))
    EXPECT_GT(weir_loop_step(loop, -1), 0);
  ASSERT_EQ(log.size(), COUNT + 1);
  for (size_t i = 0; i < COUNT; i++)
    EXPECT_EQ(log[i], std::to_string(i));
  for (probe &p : all)
    end(p);
  end(latecomer);
}

// A busy loop shares its time between what comes and what is queued.
TEST_F(loop_turn, gives_later_as_much_as_the_rest_of_the_turn_took)
{
  std::deque<probe> all(40);
  stop_clock();
  for (probe &p : all) {
    watch(p, false);
    p.work = [this] { fake.clock_ns += WEIR__SLICE_MAX_NS / 20; };
    weir__loop_later(loop, &p.source);
  }
  probe busy;
  watch(busy, false);
  busy.ready = [this] { fake.clock_ns += WEIR__SLICE_MAX_NS * 3 / 5; };
  weir__loop_again(loop, &busy.source);
  EXPECT_EQ(weir_loop_step(loop, 0), 1 + 12);
  busy.ready = [this] { fake.clock_ns += WEIR__SLICE_MAX_NS * 3; };
  weir__loop_again(loop, &busy.source);
  EXPECT_EQ(weir_loop_step(loop, 0), 1 + 20);
  for (probe &p : all)
    end(p);
  end(busy);
}

// A source that puts itself back must not keep the turn, whatever the clock says.
TEST_F(loop_turn, works_later_at_most_once_a_turn)
{
  probe a;
  watch(a, false);
  stop_clock();
  a.work = [&] { weir__loop_later(loop, &a.source); };
  weir__loop_later(loop, &a.source);
  EXPECT_EQ(weir_loop_step(loop, 0), 1);
  EXPECT_EQ(weir_loop_step(loop, 0), 1);
  end(a);
}

TEST_F(loop_turn, leaves_what_came_during_a_slice_behind_the_rest)
{
  std::deque<probe> all(20);
  stop_clock();
  for (size_t i = 0; i < all.size(); i++) {
    watch(all[i], false);
    all[i].work = logs(std::to_string(i));
    weir__loop_later(loop, &all[i].source);
  }
  all[0].work = [&] {
    fake.clock_ns += WEIR__SLICE_MIN_NS;
    weir__loop_later(loop, &all[0].source);
  };
  EXPECT_EQ(weir_loop_step(loop, 0), 4); // the clock is looked at every 4
  EXPECT_EQ(weir_loop_step(loop, 0), 17);
  EXPECT_EQ(log.back(), "19");
  EXPECT_EQ(all[0].works, 2);
  for (probe &p : all)
    end(p);
}

TEST_F(loop_turn, reclaims_at_the_end_of_the_turn)
{
  probe a;
  watch(a, true);
  a.ready = [&] { end(a); };
  post([&] { EXPECT_EQ(a.reclaims, 0); });
  weir_loop_step(loop, 0);
  EXPECT_EQ(a.works, 0);
  EXPECT_EQ(a.reclaims, 1);
}

TEST_F(loop_turn, does_not_work_the_dead)
{
  probe a, b;
  watch(a, false), watch(b, false);
  weir__loop_again(loop, &a.source);
  weir__loop_later(loop, &b.source);
  bury(a), bury(b);
  weir__loop_again(loop, &a.source);
  weir_loop_step(loop, 0);
  EXPECT_EQ(a.works + b.works, 0);
  EXPECT_EQ(a.reclaims, 1);
  EXPECT_EQ(b.reclaims, 1);
}

TEST_F(loop_turn, reclaims_outside_a_turn_when_told)
{
  probe a, b, living;
  watch(a, false), watch(b, false), watch(living, false);
  for (probe *p : {&a, &living, &b})
    weir__loop_again(loop, &p->source);
  bury(a), bury(b);
  weir__loop_reclaim(loop);
  EXPECT_EQ(a.reclaims + b.reclaims, 2);
  weir_loop_step(loop, 0);
  EXPECT_EQ(living.works, 1);
  end(living);
}

TEST_F(loop_turn, settles_posts_and_the_buried_outside_a_turn)
{
  probe a;
  watch(a, false);
  post([&] {
    EXPECT_EQ(weir_loop_step(loop, 0), -EBUSY);
    bury(a);
    post(logs("post of a post"));
  });
  weir__loop_settle(loop);
  EXPECT_EQ(log, strings{"post of a post"});
  EXPECT_EQ(a.reclaims, 1);
}

TEST_F(loop_turn, forgets_a_source_wherever_it_stands)
{
  std::deque<probe> all(3);
  for (size_t gone = 0; gone < 3; gone++)
    for (bool later : {false, true}) {
      for (probe &p : all) {
        p.works = 0;
        watch(p, false);
        (later ? weir__loop_later : weir__loop_again)(loop, &p.source);
      }
      weir__loop_forget(loop, &all[gone].source);
      weir__loop_forget(loop, &all[gone].source);
      weir__loop_again(loop, &all[(gone + 1) % 3].source);
      weir_loop_step(loop, 0);
      for (size_t i = 0; i < 3; i++) {
        EXPECT_EQ(all[i].works, i != gone) << i << gone << later;
        weir__loop_close(loop, &all[i].source);
      }
    }
}

TEST_F(loop_turn, forgets_a_source_of_the_batch_in_hand)
{
  probe a, b;
  watch(a, false), watch(b, false);
  a.work = [&] { weir__loop_forget(loop, &b.source); };
  weir__loop_again(loop, &a.source);
  weir__loop_again(loop, &b.source);
  EXPECT_EQ(weir_loop_step(loop, 0), 1);
  EXPECT_EQ(b.works, 0);
  end(a), end(b);
}

TEST_F(loop_turn, counts_a_signal_as_nothing_and_passes_errors_on)
{
  fake.epoll_wait = [](epoll_event *, int64_t) { return -EINTR; };
  EXPECT_EQ(weir_loop_step(loop, -1), 0);
  post(logs("post"));
  EXPECT_EQ(weir_loop_step(loop, -1), 1);
  fake.epoll_wait = [](epoll_event *, int64_t) { return -EBADF; };
  EXPECT_EQ(weir_loop_step(loop, -1), -EBADF);
  fake.epoll_wait = nullptr;
  EXPECT_EQ(weir_loop_step(loop, 0), 0);
}

TEST_F(loop_turn, runs_posts_of_posts_in_a_later_turn)
{
  post([&] {
    log.push_back("outer");
    post(logs("inner"));
  });
  EXPECT_EQ(weir_loop_step(loop, -1), 1);
  EXPECT_EQ(log, strings{"outer"});
  while (log.size() < 2)
    weir_loop_step(loop, -1);
  EXPECT_EQ(log, (strings{"outer", "inner"}));
}

TEST_F(loop_turn, a_post_without_memory_is_never_run)
{
  fake.fail_at = fake.allocations + 1;
  EXPECT_EQ(weir_loop_post(
                loop, [](void *) { ADD_FAILURE(); }, nullptr),
            -ENOMEM);
  EXPECT_EQ(weir_loop_step(loop, 0), 0);
}

class loop_interrupt : public loop_fixture
{
protected:
  struct counter {
    weir__interrupt interrupt{};
    std::function<void()> fn;
    int runs = 0;
  };

  static void run(weir__interrupt *interrupt)
  {
    auto *self = reinterpret_cast<counter *>(interrupt);
    self->runs++;
    if (self->fn)
      self->fn();
  }

  void add(counter &c)
  {
    c.interrupt.fn = run;
    weir__loop_add_interrupt(loop, &c.interrupt);
  }
};

TEST_F(loop_interrupt, runs_once_however_often_it_was_raised)
{
  counter a, b;
  add(a), add(b);
  weir__loop_interrupt(loop, &a.interrupt);
  weir__loop_interrupt(loop, &a.interrupt);
  EXPECT_EQ(weir_loop_step(loop, -1), 1);
  EXPECT_EQ(weir_loop_step(loop, 0), 0);
  EXPECT_EQ(a.runs, 1);
  EXPECT_EQ(b.runs, 0);
}

TEST_F(loop_interrupt, raised_by_itself_runs_in_the_next_turn)
{
  counter a;
  add(a);
  a.fn = [&] { weir__loop_interrupt(loop, &a.interrupt); };
  weir__loop_interrupt(loop, &a.interrupt);
  EXPECT_EQ(weir_loop_step(loop, -1), 1);
  EXPECT_EQ(weir_loop_step(loop, -1), 1);
  EXPECT_EQ(a.runs, 2);
}

TEST_F(loop_interrupt, may_remove_itself_and_others)
{
  counter a, b;
  add(a), add(b);
  a.fn = b.fn = [&] {
    weir__loop_remove_interrupt(loop, &a.interrupt);
    weir__loop_remove_interrupt(loop, &b.interrupt);
  };
  weir__loop_interrupt(loop, &a.interrupt);
  weir__loop_interrupt(loop, &b.interrupt);
  weir_loop_step(loop, -1);
  EXPECT_EQ(a.runs + b.runs, 1);
}

TEST_F(loop_interrupt, may_be_raised_by_a_signal)
{
  static weir_loop *signalled;
  static counter *raised;
  counter a;
  add(a);
  signalled = loop;
  raised = &a;
  struct sigaction old, action = {};
  action.sa_handler = [](int) { weir__loop_interrupt(signalled, &raised->interrupt); };
  sigaction(SIGUSR1, &action, &old);
  errno = 12345;
  raise(SIGUSR1);
  EXPECT_EQ(errno, 12345);
  EXPECT_EQ(weir_loop_step(loop, -1), 1);
  sigaction(SIGUSR1, &old, nullptr);
  EXPECT_EQ(a.runs, 1);
}

TEST(loop_new, leaves_nothing_behind_when_an_allocation_fails)
{
  auto complain = [](size_t nth, const char *what) { ADD_FAILURE() << nth << ' ' << what; };
  size_t failed = fail_every_allocation(
      [](sys_fake &fake) {
        weir_loop *loop;
        bool made = weir__loop_new(&loop, &fake.sys) == 0;
        EXPECT_EQ(made, loop != nullptr);
        weir_loop_free(loop);
        return made;
      },
      complain);
  EXPECT_EQ(failed, 3u); // the loop, its receive buffer, its scratch
}

class loop_new_fixture : public loop_fixture
{
};

TEST_F(loop_new_fixture, closes_what_it_opened_when_the_kernel_refuses)
{
  size_t before = open_descriptors();
  weir_loop *none;
  sys_fake refuses;
  refuses.sys.epoll_create1 = [](const weir__sys *, int) { return -EMFILE; };
  EXPECT_EQ(weir__loop_new(&none, &refuses.sys), -EMFILE);
  refuses.sys.epoll_create1 = fake.sys.epoll_create1;
  refuses.sys.eventfd = [](const weir__sys *) { return -ENFILE; };
  EXPECT_EQ(weir__loop_new(&none, &refuses.sys), -ENFILE);
  refuses.sys.eventfd = fake.sys.eventfd;
  refuses.sys.epoll_ctl = [](const weir__sys *, int, int, int, epoll_event *) { return -ENOSPC; };
  EXPECT_EQ(weir__loop_new(&none, &refuses.sys), -ENOSPC);
  EXPECT_EQ(none, nullptr);
  EXPECT_EQ(refuses.live, 0u);
  EXPECT_EQ(open_descriptors(), before);
}

TEST_F(loop_new_fixture, works_on_the_real_kernel)
{
  size_t before = open_descriptors();
  weir_loop *real;
  ASSERT_EQ(weir_loop_new(&real), 0);
  uint64_t now = weir_loop_now_ms(real);
  EXPECT_EQ(weir_loop_step(real, 2), 0);
  EXPECT_GE(weir_loop_now_ms(real), now + 2);
  EXPECT_GE(weir_loop_fd(real), 0);
  weir_loop_free(real);
  weir_loop_free(nullptr);
  EXPECT_EQ(open_descriptors(), before);
}

} // namespace
