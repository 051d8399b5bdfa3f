// The header codec. items_per_second is headers, of which an echo decodes one and encodes one; a
// time is of COUNT. decode_plain is what the parser tries first, decode what it falls back to.
#include "wire/framing.h"

#include <benchmark/benchmark.h>

#include <cstring>
#include <random>
#include <vector>

namespace
{

constexpr std::size_t COUNT = 1024; // headers in turn, so that no branch is learnt by heart
constexpr std::size_t STRIDE = 16;

// Masked headers for payloads whose lengths have the given size, or any, one every STRIDE bytes.
std::vector<unsigned char> headers(std::int64_t size)
{
  constexpr std::uint64_t longest[] = {125, 0xFFFF, std::uint64_t{1} << 40};
  std::vector<unsigned char> bytes(COUNT * STRIDE);
  std::mt19937_64 random(1);
  for (std::size_t i = 0; i < COUNT; i++) {
    std::size_t kind = size == 0 ? random() % 3 : size == 2 ? 0 : size == 4 ? 1 : 2;
    std::uint64_t shortest = kind == 0 ? 0 : longest[kind - 1] + 1;
    unsigned char *at = &bytes[i * STRIDE];
    weir__header_encode(at, WEIR__FIN | WEIR__BINARY,
                        shortest + random() % (longest[kind] - shortest + 1));
    at[1] |= WEIR__MASK;
  }
  return bytes;
}

void finish(benchmark::State &state)
{
  state.SetItemsProcessed(state.iterations() * COUNT);
}

void encode(benchmark::State &state)
{
  std::vector<std::uint64_t> lengths(COUNT);
  std::mt19937_64 random(1);
  for (auto &length : lengths)
    length = random() % static_cast<std::uint64_t>(state.range(0));
  unsigned char out[WEIR__SERVER_HEADER_MAX];
  for (auto _ : state) {
    for (std::uint64_t length : lengths) {
      benchmark::DoNotOptimize(weir__header_encode(out, WEIR__FIN | WEIR__TEXT, length));
      benchmark::DoNotOptimize(out);
    }
  }
  finish(state);
}
BENCHMARK(encode)->ArgName("below")->Arg(126)->Arg(1 << 16)->Arg(1 << 20);

void decode(benchmark::State &state)
{
  std::vector<unsigned char> bytes = headers(state.range(0));
  for (auto _ : state) {
    for (std::size_t i = 0; i < COUNT; i++) {
      weir__header header;
      const char *reason;
      int size =
          weir__header_decode(&bytes[i * STRIDE], WEIR__HEADER_MAX, WEIR__RSV1, &header, &reason);
      benchmark::DoNotOptimize(size);
      benchmark::DoNotOptimize(header);
    }
  }
  finish(state);
}
BENCHMARK(decode)->ArgName("size")->Arg(2)->Arg(4)->Arg(10)->Arg(0);

void decode_plain(benchmark::State &state)
{
  std::vector<unsigned char> bytes = headers(state.range(0));
  for (auto _ : state) {
    for (std::size_t i = 0; i < COUNT; i++) {
      weir__header header;
      benchmark::DoNotOptimize(weir__header_decode_plain(&bytes[i * STRIDE], &header));
      benchmark::DoNotOptimize(header);
    }
  }
  finish(state);
}
BENCHMARK(decode_plain)->ArgName("size")->Arg(2)->Arg(4);

} // namespace
