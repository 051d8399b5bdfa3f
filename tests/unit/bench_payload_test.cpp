// The bench tool's messages: that they differ, are made of what was asked for, and that any byte
// that is not theirs is seen.
#include "weir-bench/payload.h"

#include "wire/utf8.h"

#include <gtest/gtest.h>

#include <cstdio>
#include <set>
#include <string>

namespace
{

struct Payload : payload {
  Payload(kind kind, std::size_t size, bool few = false)
  {
    EXPECT_EQ(payload_init(this, kind, size, few), 0);
  }
  Payload(const Payload &) = delete;
  ~Payload()
  {
    payload_fini(this);
  }
  std::string part(std::uint32_t from, std::uint64_t seq, std::size_t at, std::size_t len) const
  {
    std::string out(len, '\0');
    payload_copy(this, from, seq, at, len, reinterpret_cast<unsigned char *>(out.data()));
    return out;
  }
  std::string message(std::uint32_t from, std::uint64_t seq) const
  {
    return part(from, seq, 0, size);
  }
  bool equal(std::uint32_t from, std::uint64_t seq, std::size_t at, const std::string &data) const
  {
    return payload_equal(this, from, seq, at, data.size(),
                         reinterpret_cast<const unsigned char *>(data.data()));
  }
  std::size_t match(const std::string &data) const
  {
    return payload_match(this, 3, 7, 0, data.size(),
                         reinterpret_cast<const unsigned char *>(data.data()));
  }
};

constexpr kind KINDS[] = {KIND_BINARY, KIND_TEXT, KIND_CJK, KIND_JSON};

TEST(BenchPayload, DiffersFromMessageToMessage)
{
  for (kind kind : KINDS) {
    Payload payload(kind, 24);
    std::set<std::string> seen;
    for (unsigned seq = 0; seq < (kind == KIND_JSON ? 1024 : 2000); seq++)
      EXPECT_TRUE(seen.insert(payload.message(5, seq)).second) << seq;
    for (unsigned from = 6; from < 500; from++)
      EXPECT_NE(payload.message(from, 0), payload.message(from - 1, 0));
  }
}

TEST(BenchPayload, IsTextWhereTextWasAskedFor)
{
  for (std::size_t size : {0, 1, 2, 3, 64, 125, 1000, 1001, 1002})
    for (kind kind : {KIND_TEXT, KIND_CJK}) {
      Payload payload(kind, size);
      for (unsigned seq = 0; seq < 50; seq++) {
        std::string text = payload.message(1, seq);
        weir__utf8 state = {};
        auto *bytes = reinterpret_cast<const unsigned char *>(text.data());
        ASSERT_EQ(weir__utf8_validate(&state, bytes, text.size()), text.size());
        ASSERT_TRUE(weir__utf8_complete(&state));
        for (char byte : text.substr(0, kind == KIND_CJK ? size / 3 * 3 : 0))
          ASSERT_LT(byte, 0) << "a character of three bytes";
      }
    }
}

// Whether Python reads the text as a value of this type.
bool is_json(const std::string &text, const std::string &type)
{
  const std::string command = "/usr/bin/python3 -c 'import json, sys; "
                              "sys.exit(type(json.load(sys.stdin)).__name__ != \"" +
                              type + "\")'";
  FILE *python = popen(command.c_str(), "w");
  fwrite(text.data(), 1, text.size(), python);
  return pclose(python) == 0;
}

TEST(BenchPayload, IsJsonOfEverySize)
{
  for (std::size_t size : {2, 3, 40, 175, 176, 177, 1000, 1024, 16384})
    EXPECT_TRUE(is_json(Payload(KIND_JSON, size).message(3, 7), size < 176 ? "str" : "dict"))
        << size;
  std::uint64_t state = 1;
  for (std::size_t size = 2; size < 1500; size++) {
    std::string text(size + 1, '\x7F');
    payload_write_json(reinterpret_cast<unsigned char *>(text.data()), size, &state);
    ASSERT_EQ(text.find('\x7F'), size);
    ASSERT_EQ(text[size - 1], text[0] == '{' ? '}' : '"') << text;
  }
}

TEST(BenchPayload, KeepsFewMessagesWhereAllAreKept)
{
  EXPECT_EQ(Payload(KIND_BINARY, 64).mask, PAYLOAD_WINDOWS - 1u);
  EXPECT_EQ(Payload(KIND_BINARY, 64, true).mask, PAYLOAD_FEW_MOST - 1u);
  EXPECT_EQ(Payload(KIND_JSON, 1024).mask, PAYLOAD_FEW_MOST - 1u);
  EXPECT_EQ(Payload(KIND_JSON, 64 << 10).mask, 255u);
  EXPECT_EQ(Payload(KIND_TEXT, 8 << 20, true).mask, PAYLOAD_FEW_LEAST - 1u);
}

TEST(BenchPayload, SaysWhichTravelAsTheyStand)
{
  EXPECT_TRUE(Payload(KIND_BINARY, 64).whole);
  EXPECT_TRUE(Payload(KIND_JSON, 64).whole);
  EXPECT_TRUE(Payload(KIND_CJK, 63).whole);
  EXPECT_FALSE(Payload(KIND_CJK, 64).whole);
  EXPECT_FALSE(Payload(KIND_BINARY, 64, true).whole);
}

TEST(BenchPayload, TellsMessagesByTheirNumber)
{
  for (kind kind : KINDS)
    for (bool few : {false, true}) {
      Payload payload(kind, 64, few);
      std::string out(64, '\0');
      for (unsigned seq : {0, 1, 7, 1023, 1024, 70000}) {
        payload_message(&payload, payload_number(&payload, 5, seq),
                        reinterpret_cast<unsigned char *>(out.data()));
        EXPECT_EQ(out, payload.message(5, seq));
      }
    }
}

TEST(BenchPayload, IsTheSameInPieces)
{
  for (kind kind : KINDS) {
    Payload payload(kind, 100);
    const std::string whole = payload.message(3, 7);
    for (std::size_t at = 0; at <= whole.size(); at++)
      for (std::size_t len = 0; len <= whole.size() - at; len += 7) {
        ASSERT_EQ(payload.part(3, 7, at, len), whole.substr(at, len));
        ASSERT_TRUE(payload.equal(3, 7, at, whole.substr(at, len)));
      }
  }
}

TEST(BenchPayload, SeesEveryByteThatIsWrong)
{
  for (kind kind : KINDS) {
    Payload payload(kind, 50);
    const std::string whole = payload.message(3, 7);
    EXPECT_EQ(payload.match(whole), whole.size());
    for (std::size_t at = 0; at < whole.size(); at++) {
      std::string other = whole;
      other[at] = static_cast<char>(other[at] ^ 1);
      ASSERT_FALSE(payload.equal(3, 7, 0, other)) << at;
      ASSERT_EQ(payload.match(other), at);
    }
  }
}

} // namespace
