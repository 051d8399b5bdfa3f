// Compression of messages, read back by zlib alone.
#include "wire/deflate.h"

#include "../support/deflater.hpp"
#include "../support/texts.hpp"
#include "zmem_fake.hpp"

#include <gtest/gtest.h>

#include <cerrno>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace
{

// What a message can become: at worst a byte takes nine bits, and each block of 127 symbols or more
// ten.
size_t most_bytes(size_t len)
{
  return len + len / 8 + len / 64 + 32;
}

using namespace std::string_literals;
using support::noise;
using support::words;

const unsigned char *bytes(std::string_view text)
{
  return reinterpret_cast<const unsigned char *>(text.data());
}

std::string str(const std::vector<unsigned char> &out, size_t len)
{
  return {out.begin(), out.begin() + static_cast<ptrdiff_t>(len)};
}

struct deflater {
  zmem_fake memory;
  weir__deflate_stream state;

  explicit deflater(int bits = 15, int level = 1)
  {
    EXPECT_EQ(weir__deflate_init(&state, static_cast<uint8_t>(bits), level, memory.zmem()), 0);
  }
  deflater(const deflater &) = delete;
  ~deflater()
  {
    weir__deflate_fini(&state);
    EXPECT_EQ(memory.bytes, 0u);
  }

  // A message into so much room; "!" when there is not enough.
  std::string message(std::string_view text, size_t room)
  {
    std::vector<unsigned char> out(room); // a byte too far is seen by a sanitizer
    size_t made = 0;
    int result = weir__deflate_message(&state, bytes(text), text.size(), out.data(), room, &made);
    EXPECT_TRUE(result == 0 || result == -ENOSPC);
    return result == 0 ? str(out, made) : "!";
  }
  std::string message(std::string_view text)
  {
    return message(text, most_bytes(text.size()));
  }
};

// ---- texts

std::vector<std::string> conversation()
{
  return {"Hello",
          "",
          "Hello",
          "",
          "",
          words(300, 1),
          "x",
          noise(1, 2),
          noise(700, 2),
          words(40000, 3),
          std::string(70000, 'z'),
          words(300, 1),
          noise(33000, 4),
          words(2000, 3)};
}

// ---- streams

TEST(Deflate, MakesTheExamplesOfTheRfc)
{
  deflater one;
  EXPECT_EQ(one.message("Hello"), "\xf2\x48\xcd\xc9\xc9\x07\x00"s); // 7.2.3.1
  EXPECT_EQ(one.message("Hello"), "\xf2\x00\x11\x00\x00"s);         // 7.2.3.2
  EXPECT_EQ(one.message(""), "\x00"s);                              // 7.2.3.6
  EXPECT_EQ(one.message("Hello"), "\x02\x13\x00\x00"s);             // nothing but a match
  weir__deflate_reset(&one.state);
  EXPECT_EQ(one.message(""), "\x00"s);
  EXPECT_EQ(one.message("Hello"), "\xf2\x48\xcd\xc9\xc9\x07\x00"s);
}

TEST(Deflate, IsReadByAWindowOfItsOwnSize)
{
  for (int bits = 9; bits <= 15; bits++)
    for (int level = 1; level <= 9; level++) {
      SCOPED_TRACE(testing::Message() << bits << " bits, level " << level);
      deflater one(bits, level);
      support::inflater peer(bits);
      for (const std::string &text : conversation()) {
        const std::string data = one.message(text);
        EXPECT_LE(data.size() + WEIR__DEFLATE_SLACK, most_bytes(text.size()));
        EXPECT_EQ(data.empty() ? '?' : data.back() & 0xE0, 0); // of the empty block's header
        EXPECT_TRUE(peer.message(data) == text);
      }
    }
}

TEST(Deflate, NeedsNothingBeforeAReset)
{
  for (int bits : {9, 12, 15}) {
    deflater one(bits, 6);
    for (const std::string &text : conversation()) {
      support::inflater fresh(bits);
      EXPECT_TRUE(fresh.message(one.message(text)) == text);
      weir__deflate_reset(&one.state);
    }
  }
}

TEST(Deflate, GainsByWhatWentBefore)
{
  for (int bits : {9, 12, 15}) {
    deflater one(bits);
    const std::string text = words(200, 7);
    const size_t first = one.message(text).size(), second = one.message(text).size();
    EXPECT_LT(second, first / 4) << bits;
  }
}

TEST(Deflate, SaysThatTheRoomIsTooSmallAndGoesOn)
{
  const std::string before = words(300, 1);
  for (const std::string &text : {"x"s, words(150, 2), noise(300, 3), words(5000, 4)}) {
    deflater measure;
    measure.message(before);
    const size_t needed = measure.message(text).size() + WEIR__DEFLATE_SLACK;
    for (size_t room = 0; room < needed + 3; room += room + 40 < needed ? 17 : 1) {
      SCOPED_TRACE(testing::Message() << text.size() << " bytes into " << room);
      deflater one;
      support::inflater peer;
      EXPECT_EQ(peer.message(one.message(before)), before);
      const std::string data = one.message(text, room);
      EXPECT_EQ(data != "!", room >= needed);
      if (data != "!") {
        EXPECT_EQ(peer.message(data), text);
      }
      // what did not go out is referred to by nothing, nor is what went before
      const std::string again = one.message(text);
      EXPECT_EQ(peer.message(again), text);
      if (data == "!") {
        EXPECT_EQ(support::inflater().message(again), text);
      }
    }
  }
  deflater one;
  EXPECT_EQ(one.message("", 0), "!");
  EXPECT_EQ(one.message("", 1), "\x00"s);
}

TEST(Deflate, IsBoundOnWhatCannotBeCompressed)
{
  for (int bits : {9, 11, 15})
    for (int level : {1, 4, 9}) {
      deflater one(bits, level);
      for (size_t length : {1, 2, 5, 100, 255, 256, 257, 1000, 4096, 20000, 70000, 300000}) {
        const std::string text = noise(length, static_cast<uint32_t>(length));
        EXPECT_NE(one.message(text), "!") << bits << " bits, level " << level << ", " << length;
      }
      // bytes of nine bits each in a fixed block, too few of a kind for a dynamic one
      std::string high;
      for (unsigned i = 0; i < 4096; i++)
        high += static_cast<char>(144 + i * 37 % 112);
      EXPECT_NE(one.message(high), "!");
    }
}

TEST(DeflateMemory, IsTakenAtOnceAndAsMuchAsIsSaid)
{
  for (int bits = 9; bits <= 15; bits++)
    for (int level : {1, 6, 9}) {
      deflater one(bits, level);
      const size_t held = one.memory.bytes, calls = one.memory.calls;
      EXPECT_LE(held, weir__deflate_bytes(static_cast<uint8_t>(bits)));
      EXPECT_GT(held + 1024, weir__deflate_bytes(static_cast<uint8_t>(bits)));
      for (const std::string &text : conversation())
        one.message(text);
      weir__deflate_reset(&one.state);
      EXPECT_EQ(one.memory.calls, calls);
      EXPECT_EQ(one.memory.bytes, held);
    }
}

TEST(DeflateMemory, MayFailAtEachCall)
{
  zmem_fake memory;
  weir__deflate_stream state;
  int result = -ENOMEM;
  for (memory.failing = 0; result == -ENOMEM && memory.failing < 10; memory.failing++) {
    memory.calls = 0;
    result = weir__deflate_init(&state, 15, 1, memory.zmem());
    EXPECT_TRUE(result == 0 || memory.bytes == 0) << memory.failing;
  }
  ASSERT_EQ(result, 0);
  EXPECT_GE(memory.failing, 3u);
  weir__deflate_fini(&state);
  EXPECT_EQ(memory.bytes, 0u);
}

TEST(Deflate, ShortMessagesNeedNoLargeWindow)
{
  EXPECT_EQ(weir__deflate_bits(0, 15), 9);
  EXPECT_EQ(weir__deflate_bits(256, 15), 9);
  EXPECT_EQ(weir__deflate_bits(257, 15), 10);
  EXPECT_EQ(weir__deflate_bits(1024, 15), 11);
  EXPECT_EQ(weir__deflate_bits(1024, 10), 10);
  EXPECT_EQ(weir__deflate_bits(1024, 9), 9);
  EXPECT_EQ(weir__deflate_bits(16384, 15), 15);
  EXPECT_EQ(weir__deflate_bits(SIZE_MAX, 15), 15);
  for (size_t length : {300, 1000, 5000, 16000}) {
    const std::string half = noise(length / 2, 1), text = half + half; // it pays to look far back
    EXPECT_EQ(deflater(weir__deflate_bits(length, 15)).message(text).size(),
              deflater(15).message(text).size());
  }
}

} // namespace
