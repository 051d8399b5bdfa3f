// The parser with unmasking and validation, on a stream that lies ready in a loop's receive buffer.
// Frames are unmasked in place and masked again by the next round: keys have no top bits, so that
// ASCII stays ASCII both ways. items_per_second is frames.
// A stream of 256 KiB lies in the cache, as what was just received does, but it repeats, and branch
// predictors learn the order of its lengths, the better the fewer branches a frame takes. What
// unforeseen lengths cost show the points of 2 MiB, too many frames to be learnt.
#include "wire/parser.h"

#include <benchmark/benchmark.h>

#include <algorithm>
#include <random>
#include <vector>

namespace
{

constexpr std::size_t STREAM_BYTES = 256 << 10;
constexpr std::size_t UNFORESEEN_BYTES = 2 << 20;
constexpr int TEXT = WEIR__FIN | WEIR__TEXT;
constexpr int BINARY = WEIR__FIN | WEIR__BINARY;
constexpr int PING = WEIR__FIN | WEIR__PING;

// The frames of a stream, as many as fill it, and at least one.
class stream
{
public:
  std::size_t between(std::size_t shortest, std::size_t longest)
  {
    return shortest + random_() % (longest - shortest + 1);
  }

  void add(int first, std::size_t length)
  {
    unsigned char header[WEIR__SERVER_HEADER_MAX];
    std::size_t size = weir__header_encode(header, static_cast<std::uint8_t>(first), length);
    std::uint32_t key = static_cast<std::uint32_t>(random_()) & 0x7F7F7F7F;
    const auto *key_bytes = reinterpret_cast<const unsigned char *>(&key);
    header[1] |= WEIR__MASK;
    bytes_.insert(bytes_.end(), header, header + size);
    bytes_.insert(bytes_.end(), key_bytes, key_bytes + sizeof key);
    for (std::size_t i = 0; i < length; i++)
      bytes_.push_back(static_cast<unsigned char>('a' + i % 26));
    frames++;
  }

  std::size_t size() const
  {
    return bytes_.size();
  }

  weir__input input()
  {
    bytes_.reserve(bytes_.size() + WEIR__PARSER_SLACK);
    return {bytes_.data(), bytes_.data() + bytes_.size()};
  }

  int frames = 0;

private:
  std::mt19937 random_{1};
  std::vector<unsigned char> bytes_;
};

// ---- what clients send: each adds one message, or what belongs together

template <int FIRST, std::size_t SHORTEST, std::size_t LONGEST> void frame(stream &s)
{
  s.add(FIRST, s.between(SHORTEST, LONGEST));
}

// Lines of text, now and then a long one, or a ping.
void chat(stream &s)
{
  std::size_t dice = s.between(1, 100);
  if (dice <= 2)
    s.add(PING, 4);
  else
    s.add(TEXT, dice <= 10 ? s.between(200, 2000) : s.between(10, 200));
}

void telemetry(stream &s)
{
  s.add(BINARY, s.between(16, 48));
}

// A text in fragments, with a ping after each where that is asked for.
template <bool CONTROLS> void fragments(stream &s)
{
  std::size_t count = s.between(2, 8);
  for (std::size_t i = 0; i < count; i++) {
    int fin = i + 1 == count ? WEIR__FIN : 0;
    s.add(fin | (i == 0 ? WEIR__TEXT : WEIR__CONTINUATION), s.between(10, 300));
    if (CONTROLS)
      s.add(PING, s.between(0, 125));
  }
}

// ---- parsing, in reads of up to a number of bytes, cut anywhere

class parsing
{
public:
  parsing(void (*add)(stream &), std::size_t bytes)
  {
    while (stream_.size() < bytes)
      add(stream_);
    weir__parser_init(&parser_, WEIR__RSV1 | WEIR__RSV2 | WEIR__RSV3);
  }

  void run(benchmark::State &state, std::size_t longest_read)
  {
    const std::vector<std::size_t> reads = lengths(longest_read);
    std::size_t turn = 0;
    for (auto _ : state) {
      weir__input all = stream_.input(), input = all;
      while (input.at != all.end) {
        auto left = static_cast<std::size_t>(all.end - input.at);
        input.end = input.at + std::min(left, reads[turn++ % reads.size()]);
        if (!drain(input, state))
          return;
      }
    }
    state.SetItemsProcessed(state.iterations() * stream_.frames);
  }

private:
  static std::vector<std::size_t> lengths(std::size_t longest)
  {
    std::mt19937_64 random(1);
    std::vector<std::size_t> made(4096, longest);
    for (std::size_t &length : made)
      length = longest == SIZE_MAX ? longest : 1 + random() % longest;
    return made;
  }

  bool drain(weir__input &input, benchmark::State &state)
  {
    const weir__parser_limits limits = {1 << 20, 1 << 20, 1024};
    weir__event event;
    int kind;
    do {
      kind = weir__parser_next(&parser_, &limits, &input, &event);
      benchmark::DoNotOptimize(event);
    } while (kind > 0);
    if (kind < 0)
      state.SkipWithError(event.reason);
    return kind == 0;
  }

  stream stream_;
  weir__parser parser_;
};

void parse(benchmark::State &state, void (*add)(stream &), std::size_t longest_read,
           std::size_t bytes = STREAM_BYTES)
{
  parsing(add, bytes).run(state, longest_read);
}

BENCHMARK_CAPTURE(parse, binary_2_to_125, frame<BINARY, 2, 125>, SIZE_MAX);
BENCHMARK_CAPTURE(parse, text_2_to_125, frame<TEXT, 2, 125>, SIZE_MAX);
BENCHMARK_CAPTURE(parse, binary_2_to_125_unforeseen, frame<BINARY, 2, 125>, SIZE_MAX,
                  UNFORESEEN_BYTES);
BENCHMARK_CAPTURE(parse, text_2_to_125_unforeseen, frame<TEXT, 2, 125>, SIZE_MAX, UNFORESEEN_BYTES);
BENCHMARK_CAPTURE(parse, binary_64, frame<BINARY, 64, 64>, SIZE_MAX);
BENCHMARK_CAPTURE(parse, text_64, frame<TEXT, 64, 64>, SIZE_MAX);
BENCHMARK_CAPTURE(parse, binary_1K, frame<BINARY, 1024, 1024>, SIZE_MAX);
BENCHMARK_CAPTURE(parse, text_1K, frame<TEXT, 1024, 1024>, SIZE_MAX);
BENCHMARK_CAPTURE(parse, binary_16K, frame<BINARY, 16384, 16384>, SIZE_MAX);
BENCHMARK_CAPTURE(parse, text_16K, frame<TEXT, 16384, 16384>, SIZE_MAX);
BENCHMARK_CAPTURE(parse, chat, chat, SIZE_MAX);
BENCHMARK_CAPTURE(parse, telemetry, telemetry, SIZE_MAX);
BENCHMARK_CAPTURE(parse, large_to_128K, frame<BINARY, 65536, 131072>, SIZE_MAX);
BENCHMARK_CAPTURE(parse, fragments, fragments<false>, SIZE_MAX);
BENCHMARK_CAPTURE(parse, fragments_and_pings, fragments<true>, SIZE_MAX);

BENCHMARK_CAPTURE(parse, chat_in_reads_to_1460, chat, 1460);
BENCHMARK_CAPTURE(parse, binary_in_reads_to_100, frame<BINARY, 2, 125>, 100);
BENCHMARK_CAPTURE(parse, text_in_reads_to_100, frame<TEXT, 2, 125>, 100);
BENCHMARK_CAPTURE(parse, fragments_in_reads_to_100, fragments<true>, 100);
BENCHMARK_CAPTURE(parse, text_in_reads_to_5, frame<TEXT, 2, 125>, 5);
BENCHMARK_CAPTURE(parse, large_in_reads_to_16K, frame<BINARY, 65536, 131072>, 16384);

} // namespace
