// User timers and the wheel of deadlines, with as many running as the argument says. Each stands in
// a cache line of its own, and they are visited in random order, so that a million pay for their
// cache misses: one a timer is the floor, which `touch` shows. items_per_second is timers;
// where time passes, an iteration is a turn of 1 ms, of the wheel a tick.
#include "io/timer.h"
#include "io/wheel.h"

#include <benchmark/benchmark.h>

#include <algorithm>
#include <ctime>
#include <memory>
#include <random>
#include <vector>

namespace
{

constexpr std::uint64_t START_MS = 1000000;
constexpr std::uint64_t LONGEST_MS = 60000;

struct alignas(64) owner {
  weir__timer timer{};
};

struct alignas(64) node {
  weir__link link{};
};

// Owners, an order to visit them in, and a delay for each step.
template <class Owner> class crowd
{
public:
  explicit crowd(std::int64_t count) : owners(static_cast<std::size_t>(count))
  {
    std::mt19937 random(1);
    for (std::size_t i = 0; i < owners.size(); i++) {
      order_.push_back(static_cast<std::uint32_t>(i));
      delays_.push_back(static_cast<std::uint32_t>(1 + random() % LONGEST_MS));
    }
    std::shuffle(order_.begin(), order_.end(), random);
  }

  Owner &next()
  {
    at_ = at_ + 1 < owners.size() ? at_ + 1 : 0;
    return owners[order_[at_]];
  }

  std::uint64_t delay() const
  {
    return delays_[at_];
  }

  std::vector<Owner> owners;

private:
  std::vector<std::uint32_t> order_, delays_;
  std::size_t at_ = 0;
};

void with_counts(benchmark::internal::Benchmark *benchmark)
{
  benchmark->ArgName("running")->Arg(1)->Arg(1000)->Arg(100000)->Arg(1000000);
}

void touch(benchmark::State &state)
{
  crowd<owner> crowd(state.range(0));
  for (auto _ : state)
    crowd.next().timer.at_ms += crowd.delay();
  state.SetItemsProcessed(state.iterations());
}
BENCHMARK(touch)->Apply(with_counts);

class timers : public crowd<owner>
{
public:
  explicit timers(std::int64_t count) : crowd(count)
  {
    weir__timers_init(&all, START_MS);
    for (std::size_t i = 0; i < owners.size(); i++)
      add(next());
  }

  void add(owner &who)
  {
    weir__timers_add(&all, &who.timer, all.now_ms + delay());
  }

  weir__timers all;
};

void timer_restart(benchmark::State &state)
{
  timers timers(state.range(0));
  for (auto _ : state) {
    owner &who = timers.next();
    weir__timers_remove(&timers.all, &who.timer);
    timers.add(who);
  }
  state.SetItemsProcessed(state.iterations());
}
BENCHMARK(timer_restart)->Apply(with_counts);

// Time goes on by 1 ms a turn; what fires is started anew.
void timer_expire(benchmark::State &state)
{
  timers timers(state.range(0));
  std::int64_t fired = 0;
  for (auto _ : state) {
    weir__timers_advance(&timers.all, timers.all.now_ms + 1);
    while (weir__timer *timer = weir__timers_take(&timers.all)) {
      timers.next();
      weir__timers_add(&timers.all, timer, timers.all.now_ms + timers.delay());
      fired++;
    }
  }
  state.SetItemsProcessed(fired);
}
BENCHMARK(timer_expire)->Apply(with_counts);

// The dearest turn: for a minute turns of 1 ms hand out what is due, while later timers move from
// coarse slots to finer ones; the time is that of the longest in processor time, and on average.
void timer_dearest_turn(benchmark::State &state)
{
  auto now_s = [] {
    timespec now{};
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
    return static_cast<double>(now.tv_sec) + 1e-9 * static_cast<double>(now.tv_nsec);
  };
  double sum_s = 0;
  std::int64_t turns = 0;
  for (auto _ : state) {
    timers timers(state.range(0));
    double dearest_s = 0;
    for (std::uint64_t ms = 0; ms < LONGEST_MS; ms++, turns++) {
      double start_s = now_s();
      weir__timers_advance(&timers.all, timers.all.now_ms + 1);
      double spent_s = now_s() - start_s;
      dearest_s = std::max(dearest_s, spent_s);
      sum_s += spent_s;
      while (weir__timers_take(&timers.all) != nullptr)
        continue;
    }
    state.SetIterationTime(dearest_s);
  }
  state.counters["average_us"] = 1e6 * sum_s / static_cast<double>(turns);
}
BENCHMARK(timer_dearest_turn)
    ->Iterations(5)
    ->UseManualTime()
    ->Apply(with_counts)
    ->Unit(benchmark::kMicrosecond);

void timer_next(benchmark::State &state)
{
  timers timers(state.range(0));
  for (auto _ : state) {
    benchmark::DoNotOptimize(&timers.all);
    benchmark::DoNotOptimize(weir__timers_next(&timers.all));
  }
}
BENCHMARK(timer_next)->Apply(with_counts);

class wheel : public crowd<node>
{
public:
  explicit wheel(std::int64_t count) : crowd(count)
  {
    weir__wheel_init(&all, START_MS);
    for (std::size_t i = 0; i < owners.size(); i++)
      add(next().link);
  }

  void add(weir__link &link)
  {
    weir__wheel_add(&all, &link, delay());
  }

  weir__wheel all;
};

void wheel_restart(benchmark::State &state)
{
  wheel wheel(state.range(0));
  for (auto _ : state) {
    weir__link &link = wheel.next().link;
    weir__wheel_remove(&wheel.all, &link);
    wheel.add(link);
  }
  state.SetItemsProcessed(state.iterations());
}
BENCHMARK(wheel_restart)->Apply(with_counts);

void wheel_expire(benchmark::State &state)
{
  wheel wheel(state.range(0));
  weir__link due;
  std::uint64_t now_ms = START_MS;
  std::int64_t fired = 0;
  weir__list_init(&due);
  for (auto _ : state) {
    now_ms += WEIR__WHEEL_TICK_MS;
    weir__wheel_advance(&wheel.all, now_ms, &due);
    while (!weir__list_empty(&due)) {
      weir__link *link = due.next;
      weir__list_remove(link);
      wheel.next();
      wheel.add(*link);
      fired++;
    }
  }
  state.SetItemsProcessed(fired);
}
BENCHMARK(wheel_expire)->Apply(with_counts);

void wheel_next(benchmark::State &state)
{
  wheel wheel(state.range(0));
  for (auto _ : state) {
    benchmark::DoNotOptimize(&wheel.all);
    benchmark::DoNotOptimize(weir__wheel_next(&wheel.all));
  }
}
BENCHMARK(wheel_next)->Apply(with_counts);

} // namespace
