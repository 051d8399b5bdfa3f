// The parser with unmasking and validation, on a stream that lies ready in a loop's receive buffer.
// Frames are unmasked in place and masked again by the next round: keys have no top bits, so that
// ASCII stays ASCII both ways. items_per_second is frames.
#include "wire/parser.h"

#include <benchmark/benchmark.h>

#include <cstring>
#include <random>
#include <string>
#include <vector>

namespace
{

constexpr std::size_t STREAM_BYTES = 256 << 10;

std::string header(int first, std::size_t length, std::uint32_t key)
{
  unsigned char out[WEIR__SERVER_HEADER_MAX];
  std::size_t size = weir__header_encode(out, static_cast<std::uint8_t>(first), length);
  out[1] |= WEIR__MASK;
  return std::string(reinterpret_cast<char *>(out), size) +
         std::string(reinterpret_cast<char *>(&key), sizeof key);
}

class stream
{
public:
  // Frames of shortest to longest bytes of payload, as many as fit, and at least one.
  stream(int opcode, std::size_t shortest, std::size_t longest)
  {
    std::mt19937 random(1);
    std::string bytes;
    while (bytes.size() < STREAM_BYTES) {
      std::size_t length = shortest + random() % (longest - shortest + 1);
      bytes += header(WEIR__FIN | opcode, length, random() & 0x7F7F7F7F);
      for (std::size_t i = 0; i < length; i++)
        bytes += static_cast<char>('a' + i % 26);
      frames++;
    }
    memory_.assign(bytes.begin(), bytes.end());
    memory_.resize(bytes.size() + WEIR__PARSER_SLACK);
    size_ = bytes.size();
  }

  weir__input input()
  {
    return {memory_.data(), memory_.data() + size_};
  }

  int frames = 0;

private:
  std::vector<unsigned char> memory_;
  std::size_t size_;
};

void parse(benchmark::State &state, int opcode, std::size_t shortest, std::size_t longest)
{
  stream stream(opcode, shortest, longest);
  const weir__parser_limits limits = {1 << 20, 1024};
  weir__parser parser;
  weir__parser_init(&parser, WEIR__RSV1 | WEIR__RSV2 | WEIR__RSV3);
  for (auto _ : state) {
    weir__input input = stream.input();
    weir__event event;
    int kind;
    do {
      kind = weir__parser_next(&parser, &limits, &input, &event);
      benchmark::DoNotOptimize(event);
    } while (kind > 0);
    if (kind < 0)
      state.SkipWithError(event.reason);
  }
  state.SetItemsProcessed(state.iterations() * stream.frames);
}

BENCHMARK_CAPTURE(parse, binary_2_to_125, WEIR__BINARY, 2, 125);
BENCHMARK_CAPTURE(parse, text_2_to_125, WEIR__TEXT, 2, 125);
BENCHMARK_CAPTURE(parse, binary_64, WEIR__BINARY, 64, 64);
BENCHMARK_CAPTURE(parse, text_64, WEIR__TEXT, 64, 64);
BENCHMARK_CAPTURE(parse, binary_1K, WEIR__BINARY, 1 << 10, 1 << 10);
BENCHMARK_CAPTURE(parse, text_1K, WEIR__TEXT, 1 << 10, 1 << 10);
BENCHMARK_CAPTURE(parse, binary_16K, WEIR__BINARY, 16 << 10, 16 << 10);
BENCHMARK_CAPTURE(parse, text_16K, WEIR__TEXT, 16 << 10, 16 << 10);

// The same, from reads that end in the middle of frames.
void parse_in_reads(benchmark::State &state, int opcode, std::size_t read_bytes)
{
  stream stream(opcode, 2, 125);
  const weir__parser_limits limits = {1 << 20, 1024};
  weir__parser parser;
  weir__parser_init(&parser, WEIR__RSV1 | WEIR__RSV2 | WEIR__RSV3);
  for (auto _ : state) {
    weir__input all = stream.input(), input = all;
    weir__event event;
    int kind = WEIR__EVENT_MORE;
    while (kind >= 0 && input.at != all.end) {
      input.end = static_cast<std::size_t>(all.end - input.at) < read_bytes ? all.end
                                                                            : input.at + read_bytes;
      do {
        kind = weir__parser_next(&parser, &limits, &input, &event);
        benchmark::DoNotOptimize(event);
      } while (kind > 0);
    }
    if (kind < 0)
      state.SkipWithError(event.reason);
  }
  state.SetItemsProcessed(state.iterations() * stream.frames);
}

BENCHMARK_CAPTURE(parse_in_reads, binary_of_100, WEIR__BINARY, 100);
BENCHMARK_CAPTURE(parse_in_reads, text_of_100, WEIR__TEXT, 100);

} // namespace
