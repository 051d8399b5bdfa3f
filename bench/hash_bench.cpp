// The keyed hash of topic names: one a publish, a subscribe and an unsubscribe. The argument is the
// name's length.
#include "base/hash.h"

#include <benchmark/benchmark.h>

#include <string>

namespace
{

void hash(benchmark::State &state)
{
  std::uint64_t key[2] = {1, 2};
  std::string name(static_cast<std::size_t>(state.range(0)), 'n');
  for (auto _ : state) {
    benchmark::DoNotOptimize(key);
    key[0] = weir__hash(key, name.data(), name.size()); // each waits for the one before
  }
  state.SetBytesProcessed(state.iterations() * state.range(0));
}
BENCHMARK(hash)->Arg(4)->Arg(8)->Arg(16)->Arg(31)->Arg(64)->Arg(255);

} // namespace
