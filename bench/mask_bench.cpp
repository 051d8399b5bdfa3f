// Unmasking, and unmasking fused with validation, per kernel, with memcpy beside them as the floor.
#include "wire/mask.h"

#include <benchmark/benchmark.h>

#include <cstring>
#include <string>
#include <vector>

namespace
{

constexpr int64_t lengths[] = {8, 64, 125, 1024, 16384, 65536};
// Applied twice, it restores the text. Zero keeps the data plain in every iteration, at equal cost.
constexpr uint32_t plain_key = 0;
constexpr uint32_t key = 0x5AE7029D;

std::vector<unsigned char> ascii(size_t len)
{
  return std::vector<unsigned char>(len, 'x');
}

// Three-byte characters, and ASCII up to exactly len.
std::vector<unsigned char> cjk(size_t len)
{
  std::vector<unsigned char> text;
  while (text.size() + 3 <= len)
    text.insert(text.end(), {0xE4, 0xB8, 0xAD});
  text.resize(len, 'x');
  return text;
}

void copy(benchmark::State &state)
{
  const auto from = ascii(state.range(0));
  std::vector<unsigned char> to(from.size());
  for (auto _ : state) {
    std::memcpy(to.data(), from.data(), from.size());
    benchmark::ClobberMemory();
  }
  state.SetBytesProcessed(state.iterations() * state.range(0));
}

void unmask(benchmark::State &state, decltype(&weir__unmask) function)
{
  auto data = ascii(state.range(0));
  for (auto _ : state) {
    function(data.data(), data.size(), key);
    benchmark::ClobberMemory();
  }
  state.SetBytesProcessed(state.iterations() * state.range(0));
}

void unmask_text(benchmark::State &state, decltype(&weir__unmask_text) function,
                 std::vector<unsigned char> (*make)(size_t))
{
  auto data = make(state.range(0));
  weir__utf8 utf8 = {};
  for (auto _ : state) {
    if (function(data.data(), data.size(), plain_key, &utf8) != data.size()) {
      state.SkipWithError("the text was found unsound");
      break;
    }
    benchmark::ClobberMemory();
  }
  state.SetBytesProcessed(state.iterations() * state.range(0));
}

void with_lengths(benchmark::internal::Benchmark *benchmark)
{
  for (int64_t len : lengths)
    benchmark->Arg(len);
}

void add(const std::string &name, decltype(&weir__unmask) plain, decltype(&weir__unmask_text) text)
{
  benchmark::RegisterBenchmark(("unmask/" + name).c_str(), unmask, plain)->Apply(with_lengths);
  benchmark::RegisterBenchmark(("text_ascii/" + name).c_str(), unmask_text, text, ascii)
      ->Apply(with_lengths);
  benchmark::RegisterBenchmark(("text_cjk/" + name).c_str(), unmask_text, text, cjk)
      ->Apply(with_lengths);
}

} // namespace

int main(int argc, char **argv)
{
  benchmark::RegisterBenchmark("memcpy", copy)->Apply(with_lengths);
  size_t count = 0;
  const struct weir__mask_kernel *const *kernels = weir__mask_kernels(&count);
  for (size_t i = 0; i < count; i++)
    if (kernels[i]->supported())
      add(kernels[i]->name, kernels[i]->unmask, kernels[i]->unmask_text);
  add("dispatch", weir__unmask, weir__unmask_text);

  benchmark::Initialize(&argc, argv);
  benchmark::RunSpecifiedBenchmarks();
  return 0;
}
