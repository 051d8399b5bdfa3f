// Compression of messages, read back by zlib alone.
#include "wire/deflate.h"

#include <gtest/gtest.h>

#include <cstdlib>
#include <string>
#include <string_view>
#include <vector>

namespace
{

using namespace std::string_literals;

constexpr weir__zmem HEAP = {[](void *, size_t size) { return std::malloc(size); },
                             [](void *, void *memory) { std::free(memory); }, nullptr};

struct deflater {
  weir__deflate_stream state;
  explicit deflater(uint8_t bits = 15, int level = 1)
  {
    EXPECT_EQ(weir__deflate_init(&state, bits, level, HEAP), 0);
  }
  deflater(const deflater &) = delete;
  ~deflater()
  {
    weir__deflate_fini(&state);
  }

  std::string message(std::string_view data)
  {
    std::vector<unsigned char> out(weir__deflate_bound(data.size()));
    size_t made = 0;
    EXPECT_EQ(weir__deflate_message(&state, reinterpret_cast<const unsigned char *>(data.data()),
                                    data.size(), out.data(), out.size(), &made),
              0);
    return {out.begin(), out.begin() + static_cast<ptrdiff_t>(made)};
  }
};

TEST(Deflate, MakesTheExamplesOfTheRfc)
{
  deflater one;
  EXPECT_EQ(one.message("Hello"), "\xf2\x48\xcd\xc9\xc9\x07\x00"s);
  EXPECT_EQ(one.message("Hello"), "\xf2\x00\x11\x00\x00"s);
  EXPECT_EQ(one.message(""), "\x00"s);
}

} // namespace
