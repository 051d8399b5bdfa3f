// The scalar validator, which judges texts that no kernel takes: close reasons, text that was
// compressed, the edges of pieces. mask_bench has the validation that is fused with unmasking.
// bytes_per_second is of text.
#include "wire/utf8.h"

#include <benchmark/benchmark.h>

#include <algorithm>
#include <string>
#include <string_view>

namespace
{

constexpr std::string_view MIXED = "na\u00EFve caf\u00E9, \u4E2D\u6587 \U0001F600 and plain words ";

std::string text(std::string_view part, std::size_t length)
{
  std::string made;
  while (made.size() + part.size() <= length)
    made += part;
  made.resize(length, 'x');
  return made;
}

// The text in pieces of the given length, which cut characters.
void validate(benchmark::State &state, std::string_view part, std::size_t piece)
{
  const std::string whole = text(part, static_cast<std::size_t>(state.range(0)));
  const auto *bytes = reinterpret_cast<const unsigned char *>(whole.data());
  for (auto _ : state) {
    weir__utf8 utf8 = {};
    for (std::size_t at = 0; at < whole.size(); at += piece) {
      std::size_t length = std::min(piece, whole.size() - at);
      if (weir__utf8_validate(&utf8, bytes + at, length) != length) {
        state.SkipWithError("the text was found unsound");
        return;
      }
    }
    benchmark::DoNotOptimize(utf8);
  }
  state.SetBytesProcessed(state.iterations() * state.range(0));
}

void with_lengths(benchmark::internal::Benchmark *benchmark)
{
  benchmark->Arg(64)->Arg(1 << 10)->Arg(16 << 10);
}

BENCHMARK_CAPTURE(validate, ascii, "x", SIZE_MAX)->Apply(with_lengths);
BENCHMARK_CAPTURE(validate, cjk, "\u4E2D", SIZE_MAX)->Apply(with_lengths);
BENCHMARK_CAPTURE(validate, emoji, "\U0001F600", SIZE_MAX)->Apply(with_lengths);
BENCHMARK_CAPTURE(validate, mixed, MIXED, SIZE_MAX)->Apply(with_lengths);
BENCHMARK_CAPTURE(validate, cjk_by_7, "\u4E2D", 7)->Apply(with_lengths);

} // namespace
