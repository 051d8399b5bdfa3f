// Decompression of messages: ATTACKS rows 46 and 52 to 55, and the examples of RFC 7692.
#include "wire/inflate.h"

#include "../support/deflater.hpp"
#include "../support/texts.hpp"
#include "zmem_fake.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <cerrno>
#include <string>
#include <string_view>
#include <vector>

namespace
{

using namespace std::string_literals;
using support::bit_writer;
using support::noise;
using support::words;

const std::string INSIDE = "!A compressed message ends inside a block";
const std::string INVALID = "!A compressed message is not valid DEFLATE data";

const unsigned char *bytes(std::string_view text)
{
  return reinterpret_cast<const unsigned char *>(text.data());
}

struct inflater {
  zmem_fake memory;
  weir__inflate state;

  explicit inflater(int bits = 15)
  {
    EXPECT_EQ(weir__inflate_init(&state, static_cast<uint8_t>(bits), memory.zmem()), 0);
  }
  inflater(const inflater &) = delete;
  ~inflater()
  {
    weir__inflate_fini(&state);
    EXPECT_EQ(memory.bytes, 0u);
  }

  // A message in pieces of a length, by rooms of a length; "!" and the reason when it is refused.
  std::string message(std::string_view data, size_t piece = SIZE_MAX, size_t room = 4096)
  {
    std::string text;
    do {
      const std::string_view part = data.substr(0, piece);
      data.remove_prefix(part.size());
      const std::string wrong = feed(part, data.empty(), room, text);
      if (!wrong.empty()) {
        weir__inflate_reset(&state);
        return "!" + wrong;
      }
    } while (!data.empty());
    return text;
  }

  // A piece of a message; what it makes is appended. Returns the reason when it is refused.
  std::string feed(std::string_view part, bool last, size_t room, std::string &text)
  {
    std::vector<unsigned char> space(room); // a byte too far is seen by a sanitizer
    weir__bytes_in in = {bytes(part), part.size()};
    int result = WEIR__INFLATE_MORE;
    while (result == WEIR__INFLATE_MORE) {
      size_t made = SIZE_MAX;
      const char *reason = nullptr;
      result = weir__inflate_next(&state, &in, last, space.data(), room, &made, &reason);
      EXPECT_LE(made, room);
      EXPECT_TRUE(result != WEIR__INFLATE_MORE || made == room);
      EXPECT_TRUE(result != WEIR__INFLATE_DONE || in.len == 0);
      EXPECT_EQ(reason != nullptr, result < 0);
      text.append(reinterpret_cast<const char *>(space.data()), made);
      if (result < 0) {
        EXPECT_EQ(result, -1007);
        return reason;
      }
    }
    return {};
  }

  std::string window() const
  {
    std::vector<unsigned char> out(WEIR__INFLATE_WINDOW);
    size_t len = weir__inflate_window(&state, out.data());
    return {out.begin(), out.begin() + static_cast<ptrdiff_t>(len)};
  }
};

// ---- texts

std::vector<std::string> conversation()
{
  return {words(300, 1),  "",
          noise(700, 2),  words(40000, 3),
          words(10, 1),   std::string(70000, 'z'),
          words(300, 1),  noise(33000, 4),
          words(2000, 3), "Hello"};
}

// ---- right messages

TEST(Inflate, ReadsTheExamplesOfTheRfc)
{
  struct example {
    const char *section;
    std::vector<std::string> messages, texts;
  };
  const example examples[] = {
      {"7.2.3.1", {"\xf2\x48\xcd\xc9\xc9\x07\x00"s}, {"Hello"}},
      {"7.2.3.2, the same again",
       {"\xf2\x48\xcd\xc9\xc9\x07\x00"s, "\xf2\x48\xcd\xc9\xc9\x07\x00"s},
       {"Hello", "Hello"}},
      {"7.2.3.2, the window shared",
       {"\xf2\x48\xcd\xc9\xc9\x07\x00"s, "\xf2\x00\x11\x00\x00"s},
       {"Hello", "Hello"}},
      {"7.2.3.3", {"\x00\x05\x00\xfa\xff\x48\x65\x6c\x6c\x6f\x00"s}, {"Hello"}},
      {"7.2.3.4", {"\xf3\x48\xcd\xc9\xc9\x07\x00\x00"s}, {"Hello"}},
      {"7.2.3.5", {"\xf2\x48\x05\x00\x00\x00\xff\xff\xca\xc9\xc9\x07\x00"s}, {"Hello"}},
      {"7.2.3.6", {"\x00"s}, {""}},
  };
  for (const example &e : examples)
    for (size_t piece = 1; piece < 16; piece++)
      for (size_t room : {1, 2, 5, 6, 100}) {
        SCOPED_TRACE(e.section);
        inflater one;
        for (size_t i = 0; i < e.messages.size(); i++)
          EXPECT_EQ(one.message(e.messages[i], piece, room), e.texts[i]);
      }
}

TEST(Inflate, ReadsAConversationAtEachWindow)
{
  for (int bits = 8; bits <= 15; bits++)
    for (size_t piece : {size_t{1}, size_t{1000}, SIZE_MAX}) {
      SCOPED_TRACE(testing::Message() << bits << " bits by " << piece);
      support::deflater peer(bits);
      inflater one(bits);
      for (const std::string &text : conversation())
        EXPECT_TRUE(one.message(peer.message(text), piece, piece == 1 ? 7 : 16384) == text);
    }
}

TEST(Inflate, ReadsWhatIsCutAnywhere)
{
  support::deflater peer(15, true, 9);
  const std::string before = words(500, 1), text = words(200, 2) + noise(50, 3) + words(100, 1);
  const std::string first = peer.message(before), second = peer.message(text);
  for (size_t cut = 0; cut <= second.size(); cut++)
    for (size_t room : {1, 300, 350, 351}) { // the text is 350 long
      inflater one;
      EXPECT_EQ(one.message(first), before);
      std::string found;
      EXPECT_EQ(one.feed(second.substr(0, cut), false, room, found), "");
      EXPECT_EQ(one.feed(second.substr(cut), true, room, found), "");
      EXPECT_EQ(found, text) << cut;
      EXPECT_EQ(one.message("\x00"s), "");
    }
}

// A client that was told 8 and has zlib, which makes 9 of it: up to 512 - 262 bytes back, and with
// another compressor up to 512.
TEST(Inflate, LetsAWindowOfEightBitsHaveNine)
{
  std::string text = noise(500, 1);
  bit_writer data;
  data.stored(text).block(false, 1).match_258(17, 500 - 385, 7).symbol(256).block(false, 0).align();
  inflater eight(8);
  EXPECT_TRUE(eight.message(data.str(), 1, 1) == text + text.substr(0, 258));
}

TEST(Inflate, ForgetsOnlyWhatItIsToldToForget)
{
  inflater one;
  EXPECT_EQ(one.message("\xf2\x48\xcd\xc9\xc9\x07\x00"s), "Hello");
  EXPECT_EQ(one.message("\xf2\x00\x11\x00\x00"s), "Hello");
  weir__inflate_reset(&one.state);
  EXPECT_EQ(one.message("\xf2\x00\x11\x00\x00"s), INVALID);

  // also in the middle of a message
  std::string text;
  EXPECT_EQ(one.feed("\xf2\x48\xcd"s, false, 100, text), "");
  weir__inflate_reset(&one.state);
  EXPECT_EQ(one.message("\xf2\x48\xcd\xc9\xc9\x07\x00"s), "Hello");
}

TEST(Inflate, AsksForBytesOfEachMessage)
{
  const std::string final_hello = "\xf3\x48\xcd\xc9\xc9\x07\x00"s;
  inflater one;
  EXPECT_EQ(one.message(final_hello), "Hello");
  EXPECT_EQ(one.message(""), INSIDE);
  std::string text;
  EXPECT_EQ(one.feed(final_hello, false, 100, text), "");
  weir__inflate_reset(&one.state);
  EXPECT_EQ(one.message(""), INSIDE);
  EXPECT_EQ(one.feed(final_hello, false, 100, text), "");
  EXPECT_EQ(one.feed("", true, 100, text), "") << "the message has them, though this piece has not";
}

// ---- final blocks: row 54

TEST(Inflate, GoesOnBehindAFinalBlock)
{
  const std::string final_hello = "\xf3\x48\xcd\xc9\xc9\x07\x00"s;
  struct final_case {
    const char *what;
    std::string message, text;
  };
  const final_case cases[] = {
      {"the 00 that belongs there", final_hello + "\x00"s, "Hello"},
      {"nothing", final_hello, "Hello"},
      {"another final block", final_hello + final_hello, "HelloHello"},
      {"two of them and 00", final_hello + final_hello + "\x00"s, "HelloHello"},
      {"one that goes on", final_hello + "\xf2\x48\xcd\xc9\xc9\x07\x00"s, "HelloHello"},
      {"a reference across", final_hello + "\xf2\x00\x11\x00\x00"s, INVALID},
      {"nothing but it, empty", "\x03\x00"s, ""},
      {"many empty ones", "\x03\x00\x03\x00\x03\x00\x03\x00\x00"s, ""},
      {"a stored one, which the tail completes", "\x01"s, ""},
      {"a stored one", bit_writer().stored("Hello", true).str() + "\x00"s, "Hello"},
      {"a stored one and nothing", bit_writer().stored("Hello", true).str(), "Hello"},
      {"half a block", final_hello + "\xf2\x48"s, INSIDE},
      {"a flush that was not cut off", final_hello + "\x00\x00\x00\xff\xff"s, INSIDE},
      {"cut inside", "\xf3\x48\xcd\xc9"s, INSIDE},
  };
  for (const final_case &c : cases)
    for (size_t piece = 1; piece <= c.message.size(); piece++)
      for (size_t room : {1, 5, 10, 100}) {
        SCOPED_TRACE(testing::Message() << c.what << " by " << piece << " into " << room);
        inflater one;
        EXPECT_EQ(one.message(c.message, piece, room), c.text);
        EXPECT_EQ(one.message("\xf2\x48\xcd\xc9\xc9\x07\x00"s, piece, room), "Hello");
      }
}

TEST(Inflate, HasAnEmptyWindowBehindAFinalBlock)
{
  for (const std::string &final_one : {"\xf3\x48\xcd\xc9\xc9\x07\x00"s, "\x03\x00\x00"s, "\x01"s}) {
    inflater one;
    EXPECT_EQ(one.message("\xf2\x48\xcd\xc9\xc9\x07\x00"s), "Hello");
    EXPECT_EQ(one.message(final_one)[0], final_one.size() > 3 ? 'H' : '\0');
    EXPECT_EQ(one.window(), "");
    EXPECT_EQ(one.message("\xf2\x00\x11\x00\x00"s), INVALID);
  }
}

TEST(Inflate, ReadsFinishedStreamsOfZlib)
{
  for (bool followed : {true, false}) {
    support::deflater peer;
    inflater one;
    for (const std::string &text : conversation()) {
      std::string data = peer.piece(text, Z_FINISH) + (followed ? "\x00"s : ""s);
      EXPECT_TRUE(one.message(data, 1000, 1000) == text);
    }
  }
}

// ---- wrong messages: row 53

// The header of a dynamic block whose one literal, 'a', has the code 0, and whose end has 1.
bit_writer short_codes(bool final)
{
  bit_writer data;
  data.block(final, 2).bits(0, 5).bits(0, 5).bits(14, 4); // 257 literals, a distance, 18 lengths
  // lengths of the code for lengths, in the order 16 17 18 0 8 7 9 6 10 5 11 4 12 3 13 2 14 1
  for (int length : {0, 0, 1, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 2})
    data.bits(static_cast<uint32_t>(length), 3);
  // 18, many zeros, has the code 0; 0 has 10; 1 has 11
  data.code(0, 1).bits(97 - 11, 7).code(3, 2);  // 97 zeros, 'a'
  data.code(0, 1).bits(138 - 11, 7);            // 138 zeros
  data.code(0, 1).bits(255 - 97 - 138 - 11, 7); // up to 255
  return data.code(3, 2).code(2, 2);            // the end; no distance
}

TEST(Inflate, RefusesWhatIsInvalid)
{
  struct wrong_case {
    const char *what;
    std::string message, answer;
  };
  const std::string hello = "\xf2\x48\xcd\xc9\xc9\x07\x00"s;
  const wrong_case cases[] = {
      {"a reserved block", bit_writer().block(false, 3).str(), INVALID},
      {"a reserved final block", "\xff"s, INVALID},
      {"a length that is not its complement", bit_writer().stored("Hello", false, 1).str(),
       INVALID},
      {"a distance before the start",
       bit_writer().block(false, 1).literals("ab").match_258(2, 0, 0).symbol(256).str(), INVALID},
      {"a distance code that is none",
       bit_writer().block(false, 1).literals("ab").match_258(30, 0, 0).symbol(256).str(), INVALID},
      {"a length code that is none", bit_writer().block(false, 1).symbol(286).str(), INVALID},
      {"286 and more literals", bit_writer().block(false, 2).bits(31, 5).bits(0, 9).str(), INVALID},
      {"codes that are not complete", bit_writer().block(false, 2).bits(0, 14).bits(1, 12).str(),
       INVALID},
      {"plain text", "Hello, plain world", INVALID},
      {"a stream of zlib's own format", "\x78\x9c\xf3\x48\xcd\xc9\xc9\x07\x00"s, INVALID},
      // they end inside a block
      {"no byte at all", "", INSIDE},
      {"a block without its end", bit_writer().block(false, 1).literals("Hello").str(), INSIDE},
      {"a final block without its end", bit_writer().block(true, 1).literals("Hello").str(),
       INSIDE},
      {"a block, and no empty one", hello.substr(0, 6), INSIDE},
      {"a flush that was not cut off", hello + "\x00\x00\xff\xff"s, INSIDE},
      {"a flush cut too short", hello + "\x00"s, INSIDE},
      {"a stored block that lacks four bytes", "\x00\x09\x00\xf6\xffHello"s, INSIDE},
      {"a stored block that lacks one byte", "\x00\x06\x00\xf9\xffHello"s, INSIDE},
      {"a final one that lacks four bytes", "\x01\x09\x00\xf6\xffHello"s, INSIDE},
      {"short codes, whose end the tail has", short_codes(false).str(), INSIDE},
      {"short codes, final", short_codes(true).str(), INSIDE},
  };
  for (const wrong_case &c : cases)
    for (size_t piece = 1; piece <= c.message.size() + 1; piece++)
      for (size_t room : {1, 100}) {
        SCOPED_TRACE(testing::Message() << c.what << " by " << piece << " into " << room);
        inflater one;
        EXPECT_EQ(one.message(c.message, piece, room), c.answer);
        EXPECT_EQ(one.message(hello), "Hello") << "after it was reset";
      }
}

// The last byte of such a message may hold several of its literals, and the empty block's header.
TEST(Inflate, KeepsOutputThatIsDueWhenItsInputIsUsedUp)
{
  for (size_t length = 1; length < 30; length++)
    for (size_t room = 1; room < 9; room++) {
      bit_writer data = short_codes(false);
      for (size_t i = 0; i < length; i++)
        data.code(0, 1);
      data.code(1, 1).block(false, 0);
      inflater one;
      EXPECT_EQ(one.message(data.str(), SIZE_MAX, room), std::string(length, 'a')) << room;
      EXPECT_EQ(one.message(data.str(), 1, room), std::string(length, 'a')) << room;
    }
}

TEST(Inflate, RefusesWhatIsTruncated)
{
  support::deflater peer(15, true, 6);
  const std::string text = words(400, 1), data = peer.message(text);
  inflater one;
  for (size_t len = 0; len < data.size(); len++) {
    EXPECT_EQ(one.message(data.substr(0, len)), INSIDE) << len;
    EXPECT_EQ(one.message(data.substr(0, len), 1, 1), INSIDE) << len;
  }
  EXPECT_EQ(one.message(data), text);
}

// Beyond its window a stream may look where zlib still has the bytes, but never gets others.
TEST(Inflate, NeverInventsBytesBeyondItsWindow)
{
  const std::string text = noise(2000, 1);
  bit_writer far; // 1,500 bytes back
  far.stored(text).block(false, 1).match_258(20, 1500 - 1025, 9).symbol(256).block(false, 0);
  inflater small(9), large(11);
  EXPECT_EQ(small.message(far.str(), 100, 100), INVALID);
  EXPECT_TRUE(large.message(far.str(), 100, 100) == text + text.substr(500, 258));
}

// ---- limits: rows 46, 52 and 55

TEST(Inflate, StopsWhereTheCallerStops)
{
  const std::string bomb = support::deflater(15, true, 9).message(std::string(64 << 20, '\0'));
  ASSERT_LT(bomb.size(), size_t{70000}); // 1,030 to 1 is the most that DEFLATE can do
  inflater one;
  std::vector<unsigned char> room(16384);
  weir__bytes_in in = {bytes(bomb), bomb.size()};
  const char *reason = nullptr;
  size_t total = 0, made = 0;
  while (total < 1 << 20) {
    ASSERT_EQ(weir__inflate_next(&one.state, &in, true, room.data(), room.size(), &made, &reason),
              WEIR__INFLATE_MORE);
    ASSERT_EQ(made, room.size());
    total += made;
  }
  EXPECT_LT(bomb.size() - in.len, size_t{1200}) << "no more was read than needed";
  EXPECT_LE(one.memory.bytes, weir__inflate_bytes(15));
  weir__inflate_reset(&one.state);
  EXPECT_EQ(one.message("\xf2\x48\xcd\xc9\xc9\x07\x00"s), "Hello");
}

TEST(Inflate, StandsAFloodOfEmptyBlocks)
{
  std::string stored, fixed, final_ones;
  for (int i = 0; i < 20000; i++) {
    stored += "\x00\x00\x00\xff\xff"s;
    final_ones += "\x03\x00"s;
  }
  bit_writer blocks;
  for (int i = 0; i < 20000; i++)
    blocks.block(false, 1).symbol(256);
  inflater one;
  EXPECT_EQ(one.message(stored + "\x00"s, 4096, 1), "");
  EXPECT_EQ(one.message(blocks.block(false, 0).str(), 4096, 1), "");
  EXPECT_EQ(one.message(final_ones + "\x00"s, 4096, 1), "");
  EXPECT_EQ(one.message("\xf2\x48\xcd\xc9\xc9\x07\x00"s), "Hello");
}

// ---- the window, kept and put back

TEST(InflateWindow, GoesOnInAnotherStream)
{
  for (int bits = 9; bits <= 15; bits++) {
    SCOPED_TRACE(bits);
    support::deflater peer(bits);
    inflater first(bits), second(bits);
    inflater *streams[] = {&first, &second};
    std::string all, window;
    int turn = 0;
    for (const std::string &text : conversation()) {
      inflater &stream = *streams[turn++ % 2];
      weir__inflate_restore(&stream.state, bytes(window), window.size());
      EXPECT_TRUE(stream.message(peer.message(text)) == text);
      all += text;
      window = stream.window();
      const size_t len = std::min(all.size(), size_t{1} << bits);
      ASSERT_TRUE(window == all.substr(all.size() - len));
      EXPECT_EQ(stream.message(std::string(1, turn % 3 == 0 ? '\xff' : '\x00')),
                turn % 3 == 0 ? INVALID : ""); // whatever it holds
    }
  }
}

TEST(InflateWindow, OfNothingIsEmpty)
{
  inflater one;
  EXPECT_EQ(one.window(), "");
  EXPECT_EQ(one.message("\xf2\x48\xcd\xc9\xc9\x07\x00"s), "Hello");
  EXPECT_EQ(one.window(), "Hello");
  weir__inflate_restore(&one.state, nullptr, 0);
  EXPECT_EQ(one.window(), "");
  EXPECT_EQ(one.message("\xf2\x00\x11\x00\x00"s), INVALID);
}

// ---- memory

TEST(InflateMemory, IsTakenAtOnceAndAsMuchAsIsSaid)
{
  for (int bits = 8; bits <= 15; bits++) {
    inflater one(bits);
    const size_t held = one.memory.bytes, calls = one.memory.calls;
    EXPECT_LE(held, weir__inflate_bytes(static_cast<uint8_t>(bits)));
    EXPECT_GT(held + 1024, weir__inflate_bytes(static_cast<uint8_t>(bits)));
    support::deflater peer(bits);
    for (const std::string &text : conversation())
      one.message(peer.message(text));
    one.message("\xff"s);
    const std::string window = one.window();
    weir__inflate_restore(&one.state, bytes(window), window.size());
    EXPECT_EQ(one.memory.calls, calls);
    EXPECT_EQ(one.memory.bytes, held);
  }
}

TEST(InflateMemory, MayFailAtEachCall)
{
  zmem_fake memory;
  weir__inflate state;
  int result = -ENOMEM;
  for (memory.failing = 0; result == -ENOMEM && memory.failing < 10; memory.failing++) {
    memory.calls = 0;
    result = weir__inflate_init(&state, 15, memory.zmem());
    EXPECT_TRUE(result == 0 || memory.bytes == 0) << memory.failing;
  }
  ASSERT_EQ(result, 0);
  EXPECT_GE(memory.failing, 3u) << "a state and a window, at least";
  weir__inflate_fini(&state);
  EXPECT_EQ(memory.bytes, 0u);
}

} // namespace
