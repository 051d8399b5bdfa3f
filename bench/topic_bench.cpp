// Topics of one loop. The first argument is how many topics there are, or, where it is named so,
// how many a connection is subscribed to. Names come in random order, so that at 100,000 topics a
// lookup pays for its cache misses. items_per_second is lookups,
// subscriptions or members.
#include "ws/topic.h"

#include <benchmark/benchmark.h>

#include <algorithm>
#include <numeric>
#include <random>
#include <string>
#include <vector>

namespace
{

constexpr std::uint64_t KEY[2] = {1, 2};

// A connection's place in memory: nothing but its first line is looked at.
struct alignas(128) place {
  unsigned char line[128];
};

weir_conn *conn(place &where)
{
  return reinterpret_cast<weir_conn *>(&where);
}

class topics
{
public:
  explicit topics(std::size_t count)
  {
    weir__topics_init(&all, &mem_, KEY, SIZE_MAX);
    for (std::size_t i = 0; i < count; i++)
      names.push_back("rooms/" + std::to_string(1000000 + i));
    std::shuffle(names.begin(), names.end(), std::mt19937(1));
  }

  ~topics()
  {
    weir__topics_leave(&all, &keeper_);
    weir__topics_fini(&all);
  }

  // One member for each, so that every topic exists; names are new, none is looked for in a list.
  void fill()
  {
    for (const std::string &name : names)
      subscribe(keeper_place_, &keeper_, name);
  }

  void subscribe(place &where, weir__subscription **list, const std::string &name)
  {
    const weir__subscriber who = {conn(where), list, SIZE_MAX};
    weir__topics_subscribe(&all, &who, name.data(), name.size());
  }

  void unsubscribe(weir__subscription **list, const std::string &name)
  {
    weir__topics_unsubscribe(&all, list, name.data(), name.size());
  }

  const std::string &next()
  {
    at_ = at_ + 1 < names.size() ? at_ + 1 : 0;
    return names[at_];
  }

  weir__topics all;
  std::vector<std::string> names;

private:
  weir__mem mem_ = {&weir__sys_linux, 0};
  place keeper_place_;
  weir__subscription *keeper_ = nullptr;
  std::size_t at_ = 0;
};

void find(benchmark::State &state)
{
  topics t(static_cast<std::size_t>(state.range(0)));
  t.fill();
  for (auto _ : state) {
    const std::string &name = t.next();
    benchmark::DoNotOptimize(weir__topics_find(&t.all, name.data(), name.size()));
  }
  state.SetItemsProcessed(state.iterations());
}
BENCHMARK(find)->RangeMultiplier(10)->Range(1, 100000);

void find_nothing(benchmark::State &state)
{
  topics t(static_cast<std::size_t>(state.range(0)));
  t.fill();
  std::string name = "nobody/1000000";
  for (auto _ : state) {
    benchmark::DoNotOptimize(name);
    benchmark::DoNotOptimize(weir__topics_find(&t.all, name.data(), name.size()));
  }
  state.SetItemsProcessed(state.iterations());
}
BENCHMARK(find_nothing)->Arg(1)->Arg(100000);

// A connection joins a topic that others are in and leaves it again; then one that it creates.
void join_and_leave(benchmark::State &state, bool exists)
{
  topics t(static_cast<std::size_t>(state.range(0)));
  if (exists)
    t.fill();
  place where;
  weir__subscription *list = nullptr;
  for (auto _ : state) {
    const std::string &name = t.next();
    t.subscribe(where, &list, name);
    t.unsubscribe(&list, name);
  }
  state.SetItemsProcessed(state.iterations());
}
BENCHMARK_CAPTURE(join_and_leave, existing, true)->Arg(1)->Arg(1000)->Arg(100000);
BENCHMARK_CAPTURE(join_and_leave, fresh, false)->Arg(1)->Arg(1000)->Arg(100000);

// The same by a connection that has many subscriptions; ideally as dear as with one.
void join_among_own(benchmark::State &state)
{
  topics t(static_cast<std::size_t>(state.range(0)) + 1);
  t.fill();
  place where;
  weir__subscription *list = nullptr;
  for (const std::string &name : t.names)
    t.subscribe(where, &list, name);
  for (auto _ : state) {
    const std::string &name = t.next();
    t.unsubscribe(&list, name);
    t.subscribe(where, &list, name);
  }
  state.SetItemsProcessed(state.iterations());
  weir__topics_leave(&t.all, &list);
}
BENCHMARK(join_among_own)->ArgName("own")->Arg(1)->Arg(16)->Arg(256)->Arg(4096);

// A connection that closes leaves all its topics. The time is of joining them as well.
void join_all_and_close(benchmark::State &state)
{
  topics t(static_cast<std::size_t>(state.range(0)));
  t.fill();
  place where;
  for (auto _ : state) {
    weir__subscription *list = nullptr;
    for (const std::string &name : t.names)
      t.subscribe(where, &list, name);
    weir__topics_leave(&t.all, &list);
  }
  state.SetItemsProcessed(state.iterations() * state.range(0));
}
BENCHMARK(join_all_and_close)->ArgName("own")->Arg(1)->Arg(16)->Arg(256)->Arg(4096);

// What a publish does first for each member: reach its connection.
void walk(benchmark::State &state)
{
  topics t(1);
  std::vector<place> places(static_cast<std::size_t>(state.range(0)));
  std::vector<weir__subscription *> lists(places.size());
  std::vector<std::uint32_t> order(places.size());
  std::iota(order.begin(), order.end(), 0);
  std::shuffle(order.begin(), order.end(), std::mt19937(1)); // nobody joins in order of memory
  for (std::uint32_t i : order)
    t.subscribe(places[i], &lists[i], t.names[0]);
  const std::string &name = t.names[0];
  for (auto _ : state) {
    const weir__topic *topic = weir__topics_find(&t.all, name.data(), name.size());
    for (std::uint32_t i = 0; i < topic->count; i++)
      benchmark::DoNotOptimize(*reinterpret_cast<const volatile char *>(topic->members[i]->conn));
  }
  state.SetItemsProcessed(state.iterations() * state.range(0));
  for (auto &list : lists)
    weir__topics_leave(&t.all, &list);
}
BENCHMARK(walk)->ArgName("members")->Arg(1)->Arg(100)->Arg(1000)->Arg(10000)->Arg(100000);

} // namespace
