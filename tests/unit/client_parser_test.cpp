// What servers send, as a client reads it: every header, streams cut anywhere, rules broken.
#include "wire/client_parser.h"
#include "wire/mask.h"

#include <gtest/gtest.h>

#include <optional>
#include <random>
#include <string>
#include <vector>

namespace
{

using namespace std::string_literals;

struct frame {
  int first; // byte
  std::string payload;
};

std::string header(int first, std::uint64_t length)
{
  unsigned char out[WEIR__SERVER_HEADER_MAX];
  std::size_t size = weir__header_encode(out, static_cast<std::uint8_t>(first), length);
  return {reinterpret_cast<char *>(out), size};
}

std::string encode(const std::vector<frame> &frames)
{
  std::string stream;
  for (const frame &one : frames)
    stream += header(one.first, one.payload.size()) + one.payload;
  return stream;
}

// A message, or a control frame, put together of its pieces.
struct whole {
  int kind, opcode;
  std::string payload;

  bool operator==(const whole &) const = default;
};

struct outcome {
  std::vector<whole> all;
  std::string reason; // of the error; empty: none
};

// Feeds a parser; a control frame may come between the pieces of a message.
struct feeder {
  weir__client_parser parser = {};
  std::optional<std::string> message, control;
  outcome result;

  void add(const weir__event &event)
  {
    auto &open = event.kind == WEIR__EVENT_CONTROL ? control : message;
    EXPECT_EQ(event.first, !open.has_value());
    if (!open)
      open = "";
    open->append(reinterpret_cast<char *>(event.data), event.len);
    if (!event.last)
      return;
    EXPECT_EQ(event.remaining, 0u);
    result.all.push_back({event.kind, event.opcode, *open});
    open.reset();
  }

  // The bytes stand in a block of their own, so that a sanitizer sees what is read behind them.
  void feed(const std::string &bytes)
  {
    std::vector<unsigned char> block(bytes.begin(), bytes.end());
    weir__input input = {block.data(), block.data() + block.size()};
    weir__event event = {};
    int kind;
    while (result.reason.empty() &&
           (kind = weir__client_parser_next(&parser, &input, &event)) != WEIR__EVENT_MORE) {
      if (kind > 0)
        add(event);
      else
        result.reason = std::to_string(kind) + " " + event.reason;
    }
  }
};

outcome parse(const std::string &stream)
{
  feeder feeder;
  feeder.feed(stream);
  return feeder.result;
}

const std::vector<frame> MIXED = {
    {0x81, "Hello"},
    {0x82, ""},
    {0x01, "ab"},
    {0x89, "ping"},
    {0x00, ""},
    {0x8A, std::string(125, 'p')},
    {0x80, "cd"},
    {0x82, std::string(125, 'x')},
    {0x82, std::string(126, 'y')},
    {0x02, "z"},
    {0x80, std::string(300, 'w')},
    {0x88, "\x03\xE8"
           "bye"s},
};
const std::vector<whole> EXPECTED = {
    {WEIR__EVENT_DATA, 1, "Hello"},
    {WEIR__EVENT_DATA, 2, ""},
    {WEIR__EVENT_CONTROL, 9, "ping"},
    {WEIR__EVENT_CONTROL, 10, std::string(125, 'p')},
    {WEIR__EVENT_DATA, 1, "abcd"},
    {WEIR__EVENT_DATA, 2, std::string(125, 'x')},
    {WEIR__EVENT_DATA, 2, std::string(126, 'y')},
    {WEIR__EVENT_DATA, 2, "z" + std::string(300, 'w')},
    {WEIR__EVENT_CONTROL, 8,
     "\x03\xE8"
     "bye"s},
};

TEST(ClientParser, ReadsFramesOfAllKinds)
{
  outcome got = parse(encode(MIXED));
  EXPECT_EQ(got.reason, "");
  EXPECT_EQ(got.all, EXPECTED);
}

TEST(ClientParser, ReadsTheSameHoweverTheStreamIsCut)
{
  const std::string stream = encode(MIXED);
  for (std::size_t cut = 0; cut <= stream.size(); cut++) {
    feeder feeder;
    feeder.feed(stream.substr(0, cut));
    feeder.feed(stream.substr(cut));
    ASSERT_EQ(feeder.result.all, EXPECTED) << cut;
  }
  for (std::size_t size : {1, 2, 3, 5, 7, 127}) {
    feeder feeder;
    for (std::size_t at = 0; at < stream.size(); at += size)
      feeder.feed(stream.substr(at, size));
    ASSERT_EQ(feeder.result.all, EXPECTED) << size;
  }
}

TEST(ClientParser, ReadsLongLengths)
{
  for (std::size_t length : {65535, 65536, 100000}) {
    const std::string payload(length, 'q');
    outcome got = parse(encode({{0x82, payload}}));
    ASSERT_EQ(got.all.size(), 1u);
    EXPECT_EQ(got.all[0].payload, payload);
  }
}

TEST(ClientParser, NamesTheRuleThatAServerBreaks)
{
  struct {
    std::string stream, reason;
  } const cases[] = {
      {"\x81\x85"s, "frame of a server is masked"},
      {"\xC1\x01"s, "reserved bit RSV1 is set"},
      {"\xA1\x01"s, "reserved bit RSV2 is set"},
      {"\x91\x01"s, "reserved bit RSV3 is set"},
      {"\x83\x01"s, "opcode is reserved"},
      {"\x8B\x00"s, "opcode is reserved"},
      {"\x09\x01"s, "control frame is fragmented"},
      {"\x89\x7E"s, "control frame is longer than 125 bytes"},
      {"\x82\x7E\x00\x7D"s, "length is not in its shortest form"},
      {"\x82\x7F\0\0\0\0\0\0\xFF\xFF"s, "length is not in its shortest form"},
      {"\x82\x7F\x80\0\0\0\0\1\0\0"s, "length has its top bit set"},
      {"\x80\x00"s, "continuation frame without a message"},
      {"\x01\x00\x81\x00"s, "new message inside a fragmented one"},
      {"\x81\x00\x80\x00"s, "continuation frame without a message"},
  };
  for (const auto &one : cases) {
    EXPECT_EQ(parse(one.stream).reason, "-1002 " + one.reason);
    feeder feeder;
    for (char byte : one.stream)
      feeder.feed({byte});
    EXPECT_EQ(feeder.result.reason, "-1002 " + one.reason);
  }
}

// RFC 7692 section 6.1: on the first frame of a message, and on no other.
TEST(ClientParser, TellsWhichMessagesAreCompressedWhereThatWasAgreed)
{
  const std::string stream =
      encode({{0xC1, "a"}, {0x82, "b"}, {0x42, "c"}, {0x89, "d"}, {0x80, "e"}, {0x81, "f"}});
  std::vector<unsigned char> bytes(stream.begin(), stream.end());
  weir__client_parser parser = {};
  parser.rsv1 = true;
  weir__input input = {bytes.data(), bytes.data() + bytes.size()};
  weir__event event;
  std::string compressed;
  while (weir__client_parser_next(&parser, &input, &event) > 0)
    compressed += event.rsv1 ? static_cast<char>(event.data[0]) : '-';
  EXPECT_EQ(compressed, "a-c-e-");
}

TEST(ClientParser, RefusesRsv1WhereItMayNotStand)
{
  for (const char *stream : {"\xC9\x01", "\x41\x00\xC0\x00", "\xA1\x01", "\x91\x01"}) {
    feeder feeder;
    feeder.parser.rsv1 = true;
    feeder.feed(std::string(stream, stream[0] == '\x41' ? 4 : 2));
    EXPECT_NE(feeder.result.reason, "");
  }
}

// Both decoders judge the first two bytes by the same rules, but for the mask.
TEST(ClientParser, JudgesEveryPairOfFirstBytesAsTheServerDoes)
{
  for (unsigned int word = 0; word < 65536; word++) {
    const unsigned char server[] = {static_cast<unsigned char>(word >> 8),
                                    static_cast<unsigned char>(word)};
    const unsigned char client[8] = {server[0], static_cast<unsigned char>(server[1] ^ 0x80)};
    weir__header ours, theirs;
    const char *our_reason = "", *their_reason = "";
    int got = weir__header_decode_server(server, 2, 0x70, &ours, &our_reason);
    int expected = weir__header_decode(client, 2, 0x70, &theirs, &their_reason);
    ASSERT_EQ(got, expected > 0 ? expected - 4 : expected) << std::hex << word;
    if (expected < 0 && their_reason != "frame is not masked"s) {
      ASSERT_STREQ(our_reason, their_reason) << std::hex << word;
    }
  }
}

TEST(ClientParser, SurvivesNoise)
{
  std::minstd_rand random(7);
  for (int round = 0; round < 20000; round++) {
    std::string stream;
    for (std::size_t i = random() % 40; i > 0; i--)
      stream += static_cast<char>(random() % 3 == 0 ? random()
                                                    : "\x01\x00\x80\x82\x02\x89"[random() % 6]);
    outcome once = parse(stream);
    feeder bytes;
    for (char byte : stream)
      bytes.feed({byte});
    ASSERT_EQ(bytes.result.all, once.all);
    ASSERT_EQ(bytes.result.reason, once.reason);
  }
}

TEST(ClientFraming, EncodesMaskedHeadersThatTheServerReads)
{
  for (std::uint64_t length : {0ull, 125ull, 126ull, 65535ull, 65536ull, 1ull << 62}) {
    unsigned char out[WEIR__HEADER_MAX];
    std::size_t size = weir__header_encode_masked(out, 0x82, length, 0x04030201);
    weir__header header;
    const char *reason = "";
    ASSERT_EQ(weir__header_decode(out, size, 0x70, &header, &reason), static_cast<int>(size))
        << reason;
    EXPECT_EQ(size, weir__header_size(length) + 4);
    EXPECT_EQ(header.length, length);
    EXPECT_EQ(header.key, 0x04030201u);
    EXPECT_EQ(header.first, 0x82);
  }
}

} // namespace
