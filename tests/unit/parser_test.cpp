// The parser against a naive decoder: what it makes of a stream must not depend on how the stream
// is cut, and errors must come with the byte that decides them (RFC 6455 sections 5 and 8.1).
#include "support/naive_decoder.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <random>

using namespace std::string_literals;
using naive::masked;

namespace
{

constexpr std::uint8_t ALL_RESERVED = WEIR__RSV1 | WEIR__RSV2 | WEIR__RSV3;
constexpr std::uint8_t RSV1_CLAIMED = WEIR__RSV2 | WEIR__RSV3;
constexpr int FIN = WEIR__FIN, RSV1 = WEIR__RSV1;
constexpr int CONTINUATION = WEIR__CONTINUATION, TEXT = WEIR__TEXT, BINARY = WEIR__BINARY;
constexpr int CLOSE = WEIR__CLOSE, PING = WEIR__PING, PONG = WEIR__PONG;
const std::string KEY = "\x37\xFA\x21\x3D";

std::string bytes_of(const naive::outcome &outcome)
{
  std::string text = "error " + std::to_string(outcome.error);
  for (const naive::frame &f : outcome.frames)
    text += "; " + std::to_string(f.opcode) + (f.rsv1 ? "c" : "") + (f.first ? "f" : "") +
            (f.last ? "l" : "") + (f.whole ? "w" : "") + " " + ::testing::PrintToString(f.payload);
  return text;
}

// Feeds a stream cut at the ends given, and holds what comes against what is expected.
void expect_same(const std::string &stream, const std::vector<std::size_t> &cuts,
                 const naive::outcome &expected, const naive::settings &with)
{
  naive::feeder feeder(with);
  std::size_t at = 0;
  bool going = true;
  for (std::size_t i = 0; going && i <= cuts.size(); i++) {
    std::size_t end = i < cuts.size() ? cuts[i] : stream.size();
    going = feeder.feed(stream.substr(at, end - at));
    if (going)
      at = end;
  }
  naive::outcome result = feeder.result();
  ASSERT_EQ(feeder.fault, nullptr);
  ASSERT_EQ(result.error, expected.error) << (feeder.reason ? feeder.reason : "");
  ASSERT_TRUE(result.frames == expected.frames) << bytes_of(result) << "\n  expected\n"
                                                << bytes_of(expected);
  if (expected.error != 0) {
    ASSERT_LT(at, expected.error_at) << "the error comes late: " << feeder.reason;
    ASSERT_GE(result.error_at, expected.error_at) << "the error comes early: " << feeder.reason;
    ASSERT_NE(feeder.reason, nullptr);
  }
}

std::vector<std::size_t> every_byte(const std::string &stream)
{
  std::vector<std::size_t> cuts;
  for (std::size_t i = 1; i < stream.size(); i++)
    cuts.push_back(i);
  return cuts;
}

// Whole, byte by byte, and cut in two at every place.
void expect_same_everywhere(const std::string &stream, const naive::settings &with = {})
{
  naive::outcome expected = naive::decode(stream, with);
  expect_same(stream, {}, expected, with);
  expect_same(stream, every_byte(stream), expected, with);
  for (std::size_t cut = 0; cut <= stream.size() && !::testing::Test::HasFatalFailure(); cut++)
    expect_same(stream, {cut}, expected, with);
}

// Random streams, mostly legal, so that they get far.
class generator
{
public:
  explicit generator(std::uint32_t seed) : random_(seed) {}

  int below(int bound)
  {
    return static_cast<int>(random_() % static_cast<std::uint32_t>(bound));
  }

  bool one_in(int n)
  {
    return below(n) == 0;
  }

  naive::settings settings()
  {
    naive::settings with;
    if (one_in(2))
      with.reserved = RSV1_CLAIMED;
    if (one_in(3))
      with.limits.max_message_bytes = below(400);
    if (one_in(3))
      with.limits.max_compressed_bytes = below(400);
    if (one_in(3))
      with.limits.max_fragments = 1 + below(4);
    return with;
  }

  std::string stream(std::uint8_t reserved, int max_payload)
  {
    std::string out;
    for (int messages = 1 + below(5); messages > 0; messages--)
      message(out, reserved, max_payload);
    if (one_in(4))
      out.resize(below(static_cast<int>(out.size()) + 1));
    return out;
  }

  std::vector<std::size_t> cuts(std::size_t size)
  {
    std::vector<std::size_t> out;
    int stride = 1 + below(60);
    for (std::size_t at = below(stride + 1); at < size; at += below(stride + 1))
      out.push_back(at);
    return out;
  }

private:
  void message(std::string &out, std::uint8_t reserved, int max_payload)
  {
    bool text = one_in(2);
    bool compressed = !(reserved & RSV1) && one_in(3);
    std::string payload = text ? characters(max_payload) : noise(below(max_payload + 1));
    int first = (text ? TEXT : BINARY) | (compressed ? RSV1 : 0);
    for (int fragments = one_in(2) ? 0 : below(4); fragments > 0; fragments--) {
      std::size_t part = below(static_cast<int>(payload.size()) + 1);
      frame(out, first, payload.substr(0, part));
      payload.erase(0, part);
      first = CONTINUATION;
      if (one_in(3))
        frame(out, FIN | (CLOSE + below(3)), noise(below(one_in(3) ? 126 : 8)));
    }
    frame(out, FIN | first, payload);
  }

  void frame(std::string &out, int first, const std::string &payload)
  {
    std::string whole = masked(first, payload, noise(4));
    if (one_in(60))
      whole[0] ^= static_cast<char>(1 << below(8));
    if (one_in(80))
      whole[1] ^= static_cast<char>(1 << below(8));
    if (one_in(80))
      whole[below(static_cast<int>(whole.size()))] ^= static_cast<char>(1 + below(255));
    out += whole;
  }

  std::string noise(int size)
  {
    std::string out;
    while (size-- > 0)
      out += static_cast<char>(below(256));
    return out;
  }

  std::string characters(int max_size)
  {
    static const std::string some[] = {"a",          "Z",
                                       "\x7F",       "\0"s,
                                       "\u00E4",     "\u07FF",
                                       "\u0800",     "\u4E2D",
                                       "\uD7FF",     "\uE000",
                                       "\uFFFF",     "\U00010000",
                                       "\U0010FFFF", "plain ASCII that fills a vector and more"};
    std::string out;
    for (int count = below(max_size / 2 + 1); count > 0; count--)
      out += some[below(std::size(some))];
    if (one_in(20))
      out += static_cast<char>(below(256));
    return out;
  }

  std::mt19937 random_;
};

TEST(Parser, KnowsEverySplitOfShortStreams)
{
  for (std::uint32_t seed = 0; seed < 1500 && !HasFatalFailure(); seed++) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    generator make(seed);
    naive::settings with = make.settings();
    expect_same_everywhere(make.stream(with.reserved, 12).substr(0, 120), with);
  }
}

TEST(Parser, KnowsRandomSplitsOfLongStreams)
{
  int failed = 0;
  for (std::uint32_t seed = 0; seed < 3000 && !HasFatalFailure(); seed++) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    generator make(seed ^ 0x5EED0000u);
    naive::settings with = make.settings();
    std::string stream = make.stream(with.reserved, seed % 64 == 0 ? 70000 : 300);
    naive::outcome expected = naive::decode(stream, with);
    failed += expected.error != 0;
    expect_same(stream, {}, expected, with);
    for (int i = 0; i < 3 && !HasFatalFailure(); i++)
      expect_same(stream, make.cuts(stream.size()), expected, with);
  }
  EXPECT_GT(failed, 300) << "the generator makes too few bad streams";
  EXPECT_LT(failed, 2700) << "the generator makes too few good streams";
}

TEST(Parser, TakesEveryLengthInEveryForm)
{
  for (std::size_t length : {0, 1, 2, 3, 124, 125, 126, 127, 65535, 65536, 65537}) {
    SCOPED_TRACE(length);
    std::string payload(length, 'x');
    for (int first : {FIN | TEXT, FIN | BINARY}) {
      std::string stream = masked(first, payload) + masked(FIN | PING, "behind");
      naive::outcome expected = naive::decode(stream);
      ASSERT_EQ(expected.frames.size(), 2u);
      ASSERT_EQ(expected.frames[0].payload, payload);
      expect_same(stream, {}, expected, {});
      for (std::size_t cut = 0; cut <= 16 && cut < stream.size(); cut++)
        expect_same(stream, {cut, std::max(cut, stream.size() - cut / 2)}, expected, {});
      expect_same(stream, every_byte(stream), expected, {});
    }
  }
}

struct row {
  int attack; // in the attack catalogue
  const char *name;
  std::string stream;
  int code;
  std::size_t at; // bytes up to and with the one that decides it
  naive::settings with = {};
};

std::string header(int first, int second, const std::string &length = "",
                   const std::string &key = "")
{
  std::string out = {static_cast<char>(first), static_cast<char>(second)};
  return out + length + key;
}

naive::settings limited(std::uint64_t bytes, std::uint32_t fragments = UINT32_MAX)
{
  return {ALL_RESERVED, {bytes, bytes, fragments}};
}

const naive::settings COMPRESSION = {RSV1_CLAIMED, {UINT64_MAX, UINT64_MAX, UINT32_MAX}};

std::vector<row> framing_rows()
{
  std::vector<row> rows = {
      {27, "unmasked text", "\x81\x05Hello", 1002, 2},
      {27, "unmasked and empty", header(FIN | BINARY, 0), 1002, 2},
      {27, "unmasked ping", header(FIN | PING, 4), 1002, 2},
      {27, "unmasked, long", header(FIN | BINARY, 126), 1002, 2},
      {28, "RSV1", header(FIN | RSV1 | TEXT, 0x80), 1002, 1},
      {28, "RSV2", header(FIN | 0x20 | TEXT, 0x80), 1002, 1, COMPRESSION},
      {28, "RSV3", header(FIN | 0x10 | BINARY, 0x80), 1002, 1, COMPRESSION},
      {29, "RSV1 on a ping", masked(FIN | RSV1 | PING, ""), 1002, 1, COMPRESSION},
      {29, "RSV1 on a pong", masked(FIN | RSV1 | PONG, ""), 1002, 1, COMPRESSION},
      {29, "RSV1 on a close", masked(FIN | RSV1 | CLOSE, ""), 1002, 1, COMPRESSION},
      {29, "RSV1 on a continuation", masked(TEXT, "") + masked(FIN | RSV1, ""), 1002, 7,
       COMPRESSION},
      {29, "the same, of a compressed message", masked(RSV1 | TEXT, "") + masked(FIN | RSV1, ""),
       1002, 7, COMPRESSION},
      {31, "fragmented ping", header(PING, 0x80), 1002, 1},
      {31, "fragmented pong", header(PONG, 0x80), 1002, 1},
      {31, "fragmented close", header(CLOSE, 0x80), 1002, 1},
      {31, "ping of 126 bytes", header(FIN | PING, 0xFE), 1002, 2},
      {31, "pong of 64-bit length", header(FIN | PONG, 0xFF), 1002, 2},
      {32, "bit 63", header(FIN | BINARY, 0xFF, "\x80\0\0\0\0\1\0\0"s), 1002, 10},
      {32, "all bits", header(FIN | BINARY, 0xFF, "\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF"), 1002, 10},
      {33, "0 in 16 bits", header(FIN | BINARY, 0xFE, "\0\0"s), 1002, 4},
      {33, "125 in 16 bits", header(FIN | TEXT, 0xFE, "\0\x7D"s), 1002, 4},
      {33, "65535 in 64 bits", header(FIN | BINARY, 0xFF, "\0\0\0\0\0\0\xFF\xFF"s), 1002, 10},
      {33, "0 in 64 bits", header(FIN | BINARY, 0xFF, "\0\0\0\0\0\0\0\0"s), 1002, 10},
      {35, "continuation at the start", masked(FIN | CONTINUATION, "x"), 1002, 1},
      {35, "continuation after a message", masked(FIN | TEXT, "x") + masked(0, "x"), 1002, 8},
      {35, "continuation after fragments", masked(TEXT, "") + masked(FIN, "") + masked(FIN, ""),
       1002, 13},
      {36, "text inside a message", masked(TEXT, "x") + masked(FIN | TEXT, "x"), 1002, 8},
      {36, "binary inside a message", masked(BINARY, "") + masked(BINARY, ""), 1002, 7},
      {36, "behind a ping", masked(TEXT, "") + masked(FIN | PING, "") + masked(TEXT, ""), 1002, 13},
  };
  for (int opcode : {3, 4, 5, 6, 7, 11, 12, 13, 14, 15}) {
    rows.push_back({30, "reserved opcode", header(FIN | opcode, 0x80), 1002, 1});
    rows.push_back({30, "reserved opcode, fragmented", header(opcode, 0x80), 1002, 1});
    rows.push_back(
        {30, "the same in a message", masked(TEXT, "") + header(FIN | opcode, 0), 1002, 7});
  }
  return rows;
}

std::vector<row> limit_rows()
{
  const std::string two_to_63 = "\x7F\xFF\xFF\xFF\xFF\xFF\xFF\xFF";
  const std::string one = masked(CONTINUATION, "x"), none = masked(CONTINUATION, "");
  return {
      {34, "nearly SIZE_MAX", header(FIN | BINARY, 0xFF, two_to_63), 1009, 10, limited(1 << 20)},
      {34, "behind a fragment", masked(BINARY, "xx") + header(FIN, 0xFF, two_to_63), 1009, 18,
       limited(INT64_MAX)},
      {44, "one byte more", header(FIN | BINARY, 0x80 | 101), 1009, 2, limited(100)},
      {44, "16 bits", header(FIN | TEXT, 0xFE, "\x10\x01"), 1009, 4, limited(0x1000)},
      {44, "64 bits", header(BINARY, 0xFF, "\0\0\0\0\0\x10\0\1"s), 1009, 10, limited(0x100000)},
      {45, "sum of two", masked(TEXT, "12345") + header(FIN, 0x86), 1009, 13, limited(10)},
      {45, "sum of three", masked(TEXT, "12345") + masked(0, "12345") + header(0, 0x81), 1009, 24,
       limited(10)},
      {45, "a ping between counts nothing",
       masked(TEXT, "12345") + masked(FIN | PING, "12345678901") + header(FIN, 0x86), 1009, 30,
       limited(10)},
      {47, "empty fragments", masked(TEXT, "") + none + none + none, 1008, 20,
       limited(UINT64_MAX, 3)},
      {47, "1-byte fragments", masked(TEXT, "x") + one + one + one, 1008, 23,
       limited(UINT64_MAX, 3)},
      {47, "mixed", masked(BINARY, "x") + none + masked(FIN | PING, "") + one + masked(FIN, ""),
       1008, 28, limited(UINT64_MAX, 3)},
  };
}

std::vector<row> text_rows()
{
  std::string long_text(1000, 'a');
  std::string late = long_text;
  late[777] = '\xFF';
  std::string big = masked(FIN | TEXT, late);
  return {
      {38, "stray continuation byte", masked(FIN | TEXT, "a\x80zzzzzzzz"), 1007, 8},
      {38, "in the middle of a large frame", big, 1007, 8 + 778},
      {38, "overlong slash", masked(FIN | TEXT, "\xC0\xAFzzzz"), 1007, 7},
      {38, "overlong, three bytes", masked(FIN | TEXT, "\xE0\x9F\xBFzzzz"), 1007, 8},
      {38, "overlong, four bytes", masked(FIN | TEXT, "\xF0\x8F\xBF\xBFzzzz"), 1007, 8},
      {38, "surrogate", masked(FIN | TEXT, "ab\xED\xA0\x80zzzz"), 1007, 10},
      {38, "over 10FFFF", masked(FIN | TEXT, "\xF4\x90\x80\x80zzzz"), 1007, 8},
      {38, "five bytes", masked(FIN | TEXT, "\xF8\x88\x80\x80\x80"), 1007, 7},
      {38, "cut at the end", masked(FIN | TEXT, "abc\xE4\xB8"), 1007, 11},
      {38, "cut at the end of fragments", masked(TEXT, "\xF0\x9F") + masked(FIN, "\x92"), 1007, 15},
      {38, "cut, then empty", masked(TEXT, "\xC3") + masked(FIN, ""), 1007, 13},
      {38, "split in a character", masked(TEXT, "\xED") + masked(FIN, "\xA0\x80"), 1007, 14},
      {38, "not gone on after a ping",
       masked(TEXT, "\xC3") + masked(FIN | PING, "\xBC") + masked(FIN, "z"), 1007, 21},
      {38, "frame without an end", masked(TEXT, "ok\xFFzz"), 1007, 9},
  };
}

void expect_refused(const std::vector<row> &rows)
{
  for (const row &r : rows) {
    SCOPED_TRACE("row " + std::to_string(r.attack) + ": " + r.name);
    naive::outcome expected = naive::decode(r.stream, r.with);
    ASSERT_EQ(expected.error, -r.code);
    ASSERT_EQ(expected.error_at, r.at);
    expect_same_everywhere(r.stream, r.with);
    std::string gone_on = r.stream + std::string(300, '\0');
    expect_same(gone_on, {}, expected, r.with);
    expect_same(gone_on, {r.at - 1}, expected, r.with);
    if (::testing::Test::HasFatalFailure())
      return;
  }
}

TEST(Parser, RefusesWhatTheCatalogueSaysOfFrames)
{
  expect_refused(framing_rows());
}

TEST(Parser, RefusesWhatTheCatalogueSaysOfLimits)
{
  expect_refused(limit_rows());
}

TEST(Parser, RefusesWhatTheCatalogueSaysOfText)
{
  expect_refused(text_rows());
}

TEST(Parser, TakesWhatIsJustWithinTheRules)
{
  const row rows[] = {
      {28, "RSV1 where it is claimed", masked(FIN | RSV1 | TEXT, "\xFF\xFE"), 0, 0, COMPRESSION},
      {29, "fragments of a compressed message",
       masked(RSV1 | TEXT, "\xFF") + masked(FIN | PING, "\xFF") + masked(FIN, "\xFE"), 0, 0,
       COMPRESSION},
      {31, "ping of 125 bytes", masked(FIN | PING, std::string(125, '\xFF')), 0, 0},
      {33, "126 in 16 bits", masked(FIN | BINARY, std::string(126, 'x')), 0, 0},
      {37, "control frames between fragments",
       masked(TEXT, "\xE4") + masked(FIN | PING, "\xFFping") + masked(0, "\xB8") +
           masked(FIN | PONG, "") + masked(FIN, "\xAD"),
       0, 0},
      {37, "close between fragments", masked(BINARY, "a") + masked(FIN | CLOSE, "\x03\xE8"), 0, 0},
      {44, "exactly the limit", masked(FIN | TEXT, "0123456789"), 0, 0, limited(10)},
      {45, "fragments exactly at the limit", masked(TEXT, "01234") + masked(FIN, "56789"), 0, 0,
       limited(10)},
      {45, "messages do not add up",
       masked(FIN | TEXT, "0123456789") + masked(FIN | TEXT, "0123456789"), 0, 0, limited(10)},
      {45, "fragmented messages do not add up",
       masked(TEXT, "0123456789") + masked(FIN, "") + masked(TEXT, "") + masked(FIN, "0123456789"),
       0, 0, limited(10, 2)},
      {44, "nothing, where nothing is allowed", masked(FIN | TEXT, "") + masked(FIN | PING, "ping"),
       0, 0, limited(0)},
      {47, "as many fragments as allowed", masked(TEXT, "") + masked(0, "") + masked(FIN, ""), 0, 0,
       limited(UINT64_MAX, 3)},
  };
  for (const row &r : rows) {
    SCOPED_TRACE("row " + std::to_string(r.attack) + ": " + r.name);
    ASSERT_EQ(naive::decode(r.stream, r.with).error, 0);
    expect_same_everywhere(r.stream, r.with);
  }
}

// The verdict on the first two bytes alone, from the words of section 5.2, for a message that is
// open or not.
bool acceptable(unsigned int first, unsigned int second, std::uint8_t reserved, bool open)
{
  unsigned int opcode = first % 16;
  bool data = opcode <= 2, control = opcode >= 8 && opcode <= 10;
  bool in_sequence = control || (opcode == 0) == open;
  bool bits = (first & reserved) == 0 && ((first & RSV1) == 0 || opcode == 1 || opcode == 2);
  bool control_form = !control || (first >= 128 && second % 128 <= 125);
  return (data || control) && in_sequence && bits && control_form && second >= 128;
}

TEST(Parser, JudgesTheFirstTwoBytesAsSoonAsTheyAreThere)
{
  for (std::uint8_t reserved : {ALL_RESERVED, RSV1_CLAIMED})
    for (bool open : {false, true})
      for (unsigned int word = 0; word < 65536; word++) {
        naive::feeder feeder({reserved, {UINT64_MAX, UINT64_MAX, UINT32_MAX}});
        if (open) {
          ASSERT_TRUE(feeder.feed(masked(BINARY, "begun")));
        }
        unsigned int first = word >> 8, second = word & 255;
        bool taken = feeder.feed({static_cast<char>(first), static_cast<char>(second)});
        ASSERT_EQ(taken, acceptable(first, second, reserved, open))
            << std::hex << word << " open " << open << " reserved " << int{reserved};
        ASSERT_EQ(feeder.result().error, taken ? 0 : -1002);
      }
}

TEST(Parser, NamesTheRuleThatIsBroken)
{
  const struct {
    std::string stream;
    const char *reason;
    naive::settings with = {};
  } rows[] = {
      {"\xC1", "reserved bit RSV1 is set"},
      {"\xA1", "reserved bit RSV2 is set"},
      {"\x91", "reserved bit RSV3 is set"},
      {"\x83", "opcode is reserved"},
      {"\x8B", "opcode is reserved"},
      {"\x09", "control frame is fragmented"},
      {"\xC9", "RSV1 is set on a control frame", COMPRESSION},
      {masked(TEXT, "") + "\xC0", "RSV1 is set on a continuation frame", COMPRESSION},
      {"\x81\x05", "frame is not masked"},
      {"\x89\xFE", "control frame is longer than 125 bytes"},
      {"\x81\xFE\x00\x7D"s, "length is not in its shortest form"},
      {header(FIN | TEXT, 0xFF, "\0\0\0\0\0\0\xFF\xFF"s), "length is not in its shortest form"},
      {header(FIN | TEXT, 0xFF, "\x80\0\0\0\0\0\xFF\xFF"s), "length has its top bit set"},
      {"\x80", "continuation frame without a message"},
      {masked(TEXT, "") + "\x81", "new message inside a fragmented one"},
      {"\x82\x8B", "message is too big", limited(10)},
      {masked(TEXT, "") + "\x80\x80", "message has too many fragments", limited(10, 1)},
      {masked(FIN | TEXT, "\xFF"), "text is not UTF-8"},
      {masked(FIN | TEXT, "\xC3"), "text ends inside a character"},
  };
  for (const auto &r : rows) {
    naive::feeder feeder(r.with);
    EXPECT_FALSE(feeder.feed(r.stream)) << r.reason;
    EXPECT_STREQ(feeder.reason, r.reason);
  }
}

TEST(Parser, GivesNoEventBeforeThePayloadUnlessItIsEmpty)
{
  naive::feeder feeder;
  std::string stream = masked(FIN | BINARY, "xy");
  ASSERT_TRUE(feeder.feed(stream.substr(0, 6)));
  EXPECT_EQ(feeder.events, 0u);
  ASSERT_TRUE(feeder.feed(""));
  EXPECT_EQ(feeder.events, 0u);
  ASSERT_TRUE(feeder.feed(stream.substr(6, 1)));
  EXPECT_EQ(feeder.events, 1u);
  ASSERT_TRUE(feeder.feed(stream.substr(7)));
  EXPECT_EQ(feeder.events, 2u);
  ASSERT_TRUE(feeder.feed(masked(FIN | TEXT, "")));
  EXPECT_EQ(feeder.events, 3u);
  EXPECT_EQ(feeder.fault, nullptr);
}

TEST(Parser, KnowsWhatIsDueOfTheFrameInHand)
{
  naive::feeder feeder;
  std::string stream = masked(BINARY, std::string(300, 'x')) + masked(FIN | PING, "ping");
  const struct {
    std::size_t fed; // bytes in all
    std::uint64_t due;
  } rows[] = {{1, 0}, {7, 0}, {8, 300}, {9, 299}, {307, 1}, {308, 0}, {313, 0}, {314, 4}, {318, 0}};
  EXPECT_EQ(weir__parser_due(&feeder.parser), 0u);
  for (const auto &row : rows) {
    ASSERT_TRUE(feeder.feed(stream.substr(feeder.fed, row.fed - feeder.fed)));
    EXPECT_EQ(weir__parser_due(&feeder.parser), row.due) << row.fed;
  }
  EXPECT_EQ(feeder.fault, nullptr);
}

TEST(Parser, HandsOutAWholeFrameAsOneEvent)
{
  naive::feeder feeder;
  std::string stream;
  for (int i = 0; i < 100; i++)
    stream +=
        masked(FIN | (i % 2 ? TEXT : BINARY), std::string(i * 7, 'x')) + masked(FIN | PING, "p");
  ASSERT_TRUE(feeder.feed(stream));
  EXPECT_EQ(feeder.events, 200u);
}

TEST(Parser, HandsOutTextUpToTheOffendingByte)
{
  naive::feeder feeder;
  std::string stream = masked(FIN | TEXT, "good\xFF");
  ASSERT_TRUE(feeder.feed(stream.substr(0, 10)));
  ASSERT_EQ(feeder.result().frames.size(), 1u);
  EXPECT_EQ(feeder.result().frames[0].payload, "good");
  EXPECT_FALSE(feeder.feed(stream.substr(10)));
}

TEST(Parser, UnlimitedHasNoEnd)
{
  naive::feeder feeder;
  const std::string most = "\x7F\xFF\xFF\xFF\xFF\xFF\xFF\xFF";
  ASSERT_TRUE(feeder.feed(masked(BINARY, "x")));
  feeder.parser.fragments = UINT32_MAX;
  ASSERT_TRUE(feeder.feed(masked(CONTINUATION, "x")));
  ASSERT_TRUE(feeder.feed(masked(CONTINUATION, "x")));
  ASSERT_TRUE(feeder.feed(header(FIN, 0xFF, most, KEY) + "payload"));
  EXPECT_EQ(feeder.result().frames.back().payload.size(), 7u);
  EXPECT_EQ(feeder.fault, nullptr);
}

TEST(Parser, ComparesLengthsWithoutOverflow)
{
  const naive::settings with = limited(UINT64_MAX - 1);
  naive::feeder feeder(with);
  ASSERT_TRUE(feeder.feed(masked(BINARY, "x")));
  feeder.parser.message_bytes = UINT64_MAX - 5;
  EXPECT_FALSE(feeder.feed(header(FIN, 0xFF, "\0\0\0\0\0\1\0\0"s)));
  EXPECT_EQ(feeder.result().error, -1009);
}

TEST(Parser, ReadsNothingFromAnEmptyInput)
{
  weir__parser parser;
  weir__parser_init(&parser, ALL_RESERVED);
  const weir__parser_limits limits = {1, 1, 1};
  unsigned char slack[WEIR__PARSER_SLACK];
  std::memset(slack, 0xFF, sizeof slack); // would be an error, were it read as input
  weir__input input = {slack, slack};
  weir__event event;
  EXPECT_EQ(weir__parser_next(&parser, &limits, &input, &event), WEIR__EVENT_MORE);
  EXPECT_EQ(event.kind, WEIR__EVENT_MORE);
  EXPECT_EQ(input.at, slack);
}

TEST(Parser, LeavesTheBytesBehindAFrameAlone)
{
  std::string stream = masked(FIN | BINARY, "abc") + masked(FIN | BINARY, "def");
  std::string memory = stream + std::string(WEIR__PARSER_SLACK, '\0');
  auto *data = reinterpret_cast<unsigned char *>(memory.data());
  weir__parser parser;
  weir__parser_init(&parser, ALL_RESERVED);
  const weir__parser_limits limits = {100, 100, 1};
  weir__input input = {data, data + stream.size()};
  weir__event event;
  ASSERT_EQ(weir__parser_next(&parser, &limits, &input, &event), WEIR__EVENT_DATA);
  EXPECT_EQ(event.data, data + 6);
  EXPECT_EQ(input.at, data + 9);
  EXPECT_EQ(memory.substr(6, 3), "abc");
  EXPECT_EQ(memory.substr(9, 9), stream.substr(9));
}

} // namespace
