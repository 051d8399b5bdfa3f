// The parser against the naive decoder. The first byte picks settings, the second how the stream is
// cut; the rest is the stream.
#include "support/naive_decoder.hpp"

#include <algorithm>
#include <cstdio>
#include <random>

namespace
{

naive::settings settings_of(unsigned int byte)
{
  const std::uint64_t bytes[] = {UINT64_MAX, 1000, 125, 0};
  const std::uint32_t fragments[] = {UINT32_MAX, 4, 2, 1};
  naive::settings with;
  with.reserved = byte & (WEIR__RSV1 | WEIR__RSV2 | WEIR__RSV3);
  with.limits = {bytes[byte & 3], bytes[byte & 3] / 2 + 3, fragments[byte >> 2 & 3]};
  return with;
}

[[noreturn]] void complain(const char *what)
{
  std::fprintf(stderr, "parser: %s\n", what);
  std::abort();
}

// Pieces of random size from 1 to longest.
void expect_same(const std::string &stream, const naive::settings &with, unsigned int seed,
                 std::size_t longest)
{
  naive::outcome expected = naive::decode(stream, with);
  naive::feeder feeder(with);
  std::minstd_rand random(seed);
  std::size_t at = 0;
  bool going = true;
  while (going && at < stream.size()) {
    std::size_t size = 1 + random() % longest;
    going = feeder.feed(stream.substr(at, size));
    if (going)
      at = std::min(at + size, stream.size());
  }
  naive::outcome result = feeder.result();
  if (feeder.fault != nullptr)
    complain(feeder.fault);
  if (result.error != expected.error)
    complain("another verdict");
  if (result.frames != expected.frames)
    complain("other frames");
  if (result.error != 0 && (at >= expected.error_at || result.error_at < expected.error_at))
    complain("the same verdict at another byte");
}

} // namespace

extern "C" int LLVMFuzzerTestOneInput(const unsigned char *data, std::size_t size)
{
  if (size < 2)
    return 0;
  naive::settings with = settings_of(data[0]);
  std::string stream(reinterpret_cast<const char *>(data) + 2, size - 2);
  expect_same(stream, with, data[1], SIZE_MAX);
  expect_same(stream, with, data[1], 1 + data[1]);
  if (stream.size() <= 2048)
    expect_same(stream, with, data[1], 1);
  return 0;
}
