// Unmasking, and unmasking fused with validation, per kernel, with memcpy beside them as the floor.
#include "wire/mask.h"

#include <benchmark/benchmark.h>

#include <algorithm>
#include <cstring>
#include <string>
#include <string_view>
#include <vector>

namespace
{

constexpr int64_t lengths[] = {8, 64, 125, 1024, 16384, 65536};
constexpr uint32_t key = 0x5AE7029D;
constexpr char mixed[] = "\xD0\xB6\xD1\x83\xD0\xBA, weir \xE2\x80\x93 \xE4\xB8\xAD\xE6\x96\x87 ";
constexpr uint32_t plain_key = 0; // keeps a text what it is, at equal cost

// Payloads as they stand in a receive buffer, behind headers of an odd length, hence at every
// alignment. So many that none is in the store buffer still when it is read again.
class Payloads
{
public:
  Payloads(size_t len, std::string_view character)
      : stride_(len + header), bytes_(std::max(stride_, size_t{16384}) / stride_ * stride_, 'x')
  {
    for (size_t start = header; start < bytes_.size(); start += stride_)
      for (size_t at = 0; at + character.size() <= len; at += character.size())
        std::copy(character.begin(), character.end(), bytes_.begin() + start + at);
  }

  unsigned char *next()
  {
    at_ = at_ + stride_ < bytes_.size() ? at_ + stride_ : 0;
    return bytes_.data() + at_ + header;
  }

private:
  static constexpr size_t header = 7;
  size_t stride_;
  std::vector<unsigned char> bytes_;
  size_t at_ = 0;
};

void copy(benchmark::State &state)
{
  const size_t len = state.range(0);
  Payloads from(len, "x");
  Payloads to(len, "x");
  for (auto _ : state) {
    std::memcpy(to.next(), from.next(), len);
    benchmark::ClobberMemory();
  }
  state.SetBytesProcessed(state.iterations() * state.range(0));
}

void unmask(benchmark::State &state, decltype(&weir__unmask) function)
{
  const size_t len = state.range(0);
  Payloads payloads(len, "x");
  for (auto _ : state) {
    function(payloads.next(), len, key);
    benchmark::ClobberMemory();
  }
  state.SetBytesProcessed(state.iterations() * state.range(0));
}

void unmask_text(benchmark::State &state, decltype(&weir__unmask_text) function,
                 std::string_view character)
{
  const size_t len = state.range(0);
  Payloads payloads(len, character);
  weir__utf8 utf8 = {};
  for (auto _ : state) {
    if (function(payloads.next(), len, plain_key, &utf8) != len) {
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
  benchmark::RegisterBenchmark(("text_ascii/" + name).c_str(), unmask_text, text, "x")
      ->Apply(with_lengths);
  benchmark::RegisterBenchmark(("text_cjk/" + name).c_str(), unmask_text, text, "\xE4\xB8\xAD")
      ->Apply(with_lengths);
  benchmark::RegisterBenchmark(("text_mixed/" + name).c_str(), unmask_text, text, mixed)
      ->Apply(with_lengths);
}

[[maybe_unused]] const bool registered = [] {
  benchmark::RegisterBenchmark("memcpy", copy)->Apply(with_lengths);
  size_t count = 0;
  const struct weir__mask_kernel *const *kernels = weir__mask_kernels(&count);
  for (size_t i = 0; i < count; i++)
    if (kernels[i]->supported())
      add(kernels[i]->name, kernels[i]->unmask, kernels[i]->unmask_text);
  add("dispatch", weir__unmask, weir__unmask_text);
  return true;
}();

} // namespace
