// Compression of messages like those that carry quotes or events as JSON: what a stream costs with
// and without the messages before, what standing alone costs, and what goes back the other way.
// bytes_per_second is of plain text; "ratio" is compressed to plain.
#include "wire/deflate.h"
#include "wire/inflate.h"

#include <benchmark/benchmark.h>

#include <cstdlib>
#include <memory>
#include <string>
#include <vector>

namespace
{

// What a message can become: at worst a byte takes nine bits, and each block of 127 symbols or more
// ten.
size_t most_bytes(size_t len)
{
  return len + len / 8 + len / 64 + 32;
}

constexpr weir__zmem HEAP = {[](void *, size_t size) { return std::malloc(size); },
                             [](void *, void *memory) { std::free(memory); }, nullptr};

const unsigned char *bytes(const std::string &text)
{
  return reinterpret_cast<const unsigned char *>(text.data());
}

// Records of quotes, cut to a length; the seed makes texts of the same kind that differ.
std::string json(size_t length, unsigned seed)
{
  static const char *const names[] = {"EURUSD", "GBPUSD", "USDJPY", "AUDCAD", "XAUUSD"};
  std::string text = "[";
  for (unsigned i = seed * 7919 + 1; text.size() < length; i = i * 1664525 + 1013904223)
    text += "{\"symbol\":\"" + std::string(names[i / 65536 % 5]) +
            "\",\"bid\":" + std::to_string(i / 4096 % 200000) +
            ",\"ask\":" + std::to_string(i / 2048 % 200000) +
            ",\"time\":" + std::to_string(1700000000 + i / 1024 % 100000) +
            ",\"open\":" + (i / 512 % 2 ? "true" : "false") + "},";
  text.resize(length);
  return text;
}

// So many that none comes back within a window, nor is learnt by heart by a branch predictor.
std::vector<std::string> texts(size_t length)
{
  std::vector<std::string> made;
  for (unsigned seed = 0; seed * length < 512 << 10; seed++)
    made.push_back(json(length, seed));
  return made;
}

struct deflater {
  weir__deflate_stream state;
  deflater(int bits, int level)
  {
    if (weir__deflate_init(&state, static_cast<uint8_t>(bits), level, HEAP) != 0)
      std::abort();
  }
  deflater(const deflater &) = delete;
  ~deflater()
  {
    weir__deflate_fini(&state);
  }
};

struct inflater {
  weir__inflate state;
  explicit inflater(int bits)
  {
    if (weir__inflate_init(&state, static_cast<uint8_t>(bits), HEAP) != 0)
      std::abort();
  }
  inflater(const inflater &) = delete;
  ~inflater()
  {
    weir__inflate_fini(&state);
  }
};

void report(benchmark::State &state, size_t plain, size_t compressed)
{
  state.SetBytesProcessed(state.iterations() * state.range(0));
  state.counters["ratio"] = static_cast<double>(compressed) / static_cast<double>(plain);
}

// ---- out

/* bits 0: as many as the length needs. */
void deflate_stream(benchmark::State &state, int level, int bits, bool takeover)
{
  const auto length = static_cast<size_t>(state.range(0));
  if (bits == 0)
    bits = weir__deflate_bits(length, 15);
  const std::vector<std::string> plain = texts(length);
  std::vector<unsigned char> out(most_bytes(length));
  deflater stream(bits, level);
  size_t i = 0, in_bytes = 0, out_bytes = 0;
  for (auto _ : state) {
    const std::string &text = plain[i++ % plain.size()];
    size_t made = 0;
    if (!takeover)
      weir__deflate_reset(&stream.state);
    if (weir__deflate_message(&stream.state, bytes(text), length, out.data(), out.size(), &made))
      state.SkipWithError("it did not fit");
    in_bytes += length;
    out_bytes += made;
  }
  report(state, in_bytes, out_bytes);
}

void deflate_reset(benchmark::State &state)
{
  deflater stream(static_cast<int>(state.range(0)), 1);
  for (auto _ : state)
    weir__deflate_reset(&stream.state);
}

// ---- in: what zlib's level 6, which browsers use, made without context takeover

std::vector<std::string> compressed(size_t length, bool takeover)
{
  std::vector<std::string> made;
  std::vector<unsigned char> out(most_bytes(length));
  deflater stream(15, 6);
  for (const std::string &text : texts(length)) {
    size_t size = 0;
    if (!takeover)
      weir__deflate_reset(&stream.state);
    weir__deflate_message(&stream.state, bytes(text), length, out.data(), out.size(), &size);
    made.emplace_back(out.begin(), out.begin() + static_cast<ptrdiff_t>(size));
  }
  return made;
}

size_t inflate_one(weir__inflate *stream, const std::string &message, unsigned char *out,
                   size_t room)
{
  weir__bytes_in in = {bytes(message), message.size()};
  const char *reason;
  size_t made = 0;
  return weir__inflate_next(stream, &in, true, out, room, &made, &reason) == 0 ? made : 0;
}

void inflate_stream(benchmark::State &state, int bits)
{
  const auto length = static_cast<size_t>(state.range(0));
  const std::vector<std::string> messages = compressed(length, false);
  std::vector<unsigned char> out(length + 1);
  inflater stream(bits);
  size_t i = 0;
  for (auto _ : state) {
    weir__inflate_reset(&stream.state);
    if (inflate_one(&stream.state, messages[i++ % messages.size()], out.data(), out.size()) !=
        length)
      state.SkipWithError("not inflated");
  }
  state.SetBytesProcessed(state.iterations() * state.range(0));
}

// A connection that sleeps gives its stream away: its window is kept, and put into another.
void inflate_restore(benchmark::State &state)
{
  inflater stream(15);
  const std::vector<unsigned char> window(static_cast<size_t>(state.range(0)), 'x');
  std::vector<unsigned char> kept(WEIR__INFLATE_WINDOW);
  for (auto _ : state) {
    weir__inflate_restore(&stream.state, window.data(), window.size());
    benchmark::DoNotOptimize(weir__inflate_window(&stream.state, kept.data()));
  }
}

void with_lengths(benchmark::internal::Benchmark *benchmark)
{
  benchmark->Arg(64)->Arg(256)->Arg(1 << 10)->Arg(4 << 10)->Arg(16 << 10);
}

BENCHMARK_CAPTURE(deflate_stream, takeover_level_1, 1, 15, true)->Apply(with_lengths);
BENCHMARK_CAPTURE(deflate_stream, takeover_level_6, 6, 15, true)->Apply(with_lengths);
BENCHMARK_CAPTURE(deflate_stream, takeover_level_1_window_10, 1, 10, true)->Apply(with_lengths);
BENCHMARK_CAPTURE(deflate_stream, reset_level_1, 1, 15, false)->Apply(with_lengths);
BENCHMARK_CAPTURE(deflate_stream, reset_level_6, 6, 15, false)->Apply(with_lengths);
BENCHMARK_CAPTURE(deflate_stream, alone_level_1, 1, 0, false)->Apply(with_lengths);
BENCHMARK(deflate_reset)->DenseRange(9, 15, 2);
BENCHMARK_CAPTURE(inflate_stream, window_15, 15)->Apply(with_lengths);
BENCHMARK_CAPTURE(inflate_stream, window_10, 10)->Apply(with_lengths);
BENCHMARK(inflate_restore)->Arg(1 << 10)->Arg(WEIR__INFLATE_WINDOW);

} // namespace
