// Where a loop's memory comes from: the pool of buffers, the slab of connections and subscriptions,
// with the C library's allocator beside them. items_per_second is pairs of a get and a put. What is
// got is written to once, as by every user, so that a page that is new to the process costs its
// fault.
#include "base/pool.h"
#include "base/slab.h"

#include <benchmark/benchmark.h>

#include <algorithm>
#include <cstdlib>
#include <numeric>
#include <random>
#include <vector>

namespace
{

constexpr std::size_t OBJECT = 192;

void *touched(void *memory)
{
  *static_cast<volatile char *>(memory) = 1;
  return memory;
}

void finish(benchmark::State &state, std::size_t pairs)
{
  state.SetItemsProcessed(state.iterations() * static_cast<std::int64_t>(pairs));
}

void c_library(benchmark::State &state)
{
  for (auto _ : state) {
    void *memory = touched(std::malloc(static_cast<std::size_t>(state.range(0))));
    benchmark::DoNotOptimize(memory);
    std::free(memory);
  }
  finish(state, 1);
}
BENCHMARK(c_library)->ArgName("bytes")->Arg(64)->Arg(1024)->Arg(16384)->Arg(256 << 10);

// So many at once as the second argument says; past a bound of bytes the pool gives back.
void pool(benchmark::State &state)
{
  weir__mem mem = {&weir__sys_linux, 0};
  weir__pool pool;
  const auto bytes = static_cast<std::size_t>(state.range(0));
  std::vector<void *> held(static_cast<std::size_t>(state.range(1)));
  weir__pool_init(&pool, &mem);
  for (auto _ : state) {
    std::size_t got;
    for (auto &memory : held)
      memory = touched(weir__pool_get(&pool, bytes, &got));
    benchmark::DoNotOptimize(held.data());
    for (void *memory : held)
      weir__pool_put(&pool, memory, bytes);
  }
  finish(state, held.size());
  weir__pool_fini(&pool);
}
BENCHMARK(pool)
    ->ArgNames({"bytes", "at once"})
    ->ArgsProduct({{64, 1024, 16384, 256 << 10}, {1, 16}})
    ->Args({64, 10000})
    ->Args({256, 10000})
    ->Args({1024, 10000});

class slab
{
public:
  slab()
  {
    weir__slab_init(&all, &mem_, OBJECT);
  }
  ~slab()
  {
    weir__slab_fini(&all);
  }
  weir__slab all;

private:
  weir__mem mem_ = {&weir__sys_linux, 0};
};

// Objects live, in random order; one after another is given back and got anew.
void slab_replace(benchmark::State &state)
{
  slab slab;
  std::vector<void *> held(static_cast<std::size_t>(state.range(0)));
  for (auto &object : held)
    object = touched(weir__slab_get(&slab.all));
  std::shuffle(held.begin(), held.end(), std::mt19937(1));
  std::size_t at = 0;
  for (auto _ : state) {
    weir__slab_put(&slab.all, held[at]);
    held[at] = touched(weir__slab_get(&slab.all));
    at = at + 1 < held.size() ? at + 1 : 0;
  }
  finish(state, 1);
  for (void *object : held)
    weir__slab_put(&slab.all, object);
}
BENCHMARK(slab_replace)->ArgName("live")->Arg(1)->Arg(1000)->Arg(100000)->Arg(1000000);

// A crowd comes, and goes in another order.
void slab_fill_and_empty(benchmark::State &state)
{
  slab slab;
  std::vector<void *> held(static_cast<std::size_t>(state.range(0)));
  std::vector<std::uint32_t> order(held.size());
  std::iota(order.begin(), order.end(), 0);
  std::shuffle(order.begin(), order.end(), std::mt19937(1));
  for (auto _ : state) {
    for (auto &object : held)
      object = touched(weir__slab_get(&slab.all));
    for (std::uint32_t i : order)
      weir__slab_put(&slab.all, held[i]);
  }
  finish(state, held.size());
}
BENCHMARK(slab_fill_and_empty)->ArgName("live")->Arg(1000)->Arg(100000)->Arg(1000000);

} // namespace
