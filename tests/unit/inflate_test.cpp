// Decompression of messages: ATTACKS rows 46 and 52 to 55, and the examples of RFC 7692.
#include "wire/inflate.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>
#include <string>
#include <string_view>

namespace
{

using namespace std::string_literals;

constexpr weir__zmem HEAP = {[](void *, size_t size) { return std::malloc(size); },
                             [](void *, void *memory) { std::free(memory); }, nullptr};

struct inflater {
  weir__inflate state;
  explicit inflater(uint8_t bits = 15)
  {
    EXPECT_EQ(weir__inflate_init(&state, bits, HEAP), 0);
  }
  inflater(const inflater &) = delete;
  ~inflater()
  {
    weir__inflate_fini(&state);
  }

  // A message in pieces of a length, by rooms of a length; "!" and the reason when it is refused.
  std::string message(std::string_view data, size_t piece = SIZE_MAX, size_t room = 4096)
  {
    std::string text, space(room, '\0');
    const char *reason = nullptr;
    do {
      const size_t len = std::min(piece, data.size());
      weir__bytes_in in = {reinterpret_cast<const unsigned char *>(data.data()), len};
      data.remove_prefix(len);
      int result = WEIR__INFLATE_MORE;
      while (result == WEIR__INFLATE_MORE) {
        size_t made = 0;
        result = weir__inflate_next(&state, &in, data.empty(),
                                    reinterpret_cast<unsigned char *>(space.data()), room, &made,
                                    &reason);
        text.append(space, 0, made);
      }
      if (result != WEIR__INFLATE_DONE)
        return "!" + std::string(reason);
    } while (!data.empty());
    return text;
  }
};

TEST(Inflate, ReadsTheExamplesOfTheRfc)
{
  for (size_t piece : {1, 2, 3, 100}) {
    inflater one;
    EXPECT_EQ(one.message("\xf2\x48\xcd\xc9\xc9\x07\x00"s, piece), "Hello");
    EXPECT_EQ(one.message("\xf2\x00\x11\x00\x00"s, piece), "Hello");
    EXPECT_EQ(one.message("\xf3\x48\xcd\xc9\xc9\x07\x00\x00"s, piece), "Hello");
    EXPECT_EQ(one.message("\x00"s, piece), "");
  }
}

} // namespace
