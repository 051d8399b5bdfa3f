// Close codes and payloads (RFC 6455 sections 5.5.1 and 7.4).
#include "wire/close.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstring>
#include <memory>
#include <string>

using namespace std::string_literals;

namespace
{

struct parsed {
  int result, code;
  std::string reason;
  const char *why;
};

// The payload lies in memory of its own, so that a sanitizer sees a byte too far.
parsed parse(const std::string &payload)
{
  auto memory = std::make_unique<unsigned char[]>(payload.size());
  std::copy(payload.begin(), payload.end(), memory.get());
  parsed out = {0, 0, "", nullptr};
  const char *reason;
  std::size_t len;
  out.result = weir__close_parse(memory.get(), payload.size(), &out.code, &reason, &len, &out.why);
  if (out.result == 0)
    out.reason.assign(reason, len);
  return out;
}

std::string encode(int code, const std::string &reason)
{
  unsigned char out[2 + WEIR__CLOSE_REASON_MAX];
  std::size_t len = weir__close_encode(out, code, reason.data(), reason.size());
  return {reinterpret_cast<char *>(out), len};
}

std::string payload_of(int code)
{
  return {static_cast<char>(code >> 8), static_cast<char>(code)};
}

// Section 7.4.1, 7.4.2, and the registry of 11.7.
bool may_be_sent(int code)
{
  switch (code) {
  case 1000:
  case 1001:
  case 1002:
  case 1003:
  case 1007:
  case 1008:
  case 1009:
  case 1010:
  case 1011:
  case 1012:
  case 1013:
  case 1014:
    return true;
  default:
    return code / 1000 == 3 || code / 1000 == 4;
  }
}

TEST(Close, KnowsEveryCode)
{
  for (int code = -5100; code <= 5100; code++)
    ASSERT_EQ(weir__close_code_valid(code), code > 0 && may_be_sent(code)) << code;
}

TEST(Close, ParsesEveryCode)
{
  for (int code = 0; code <= 65535; code++) {
    parsed got = parse(payload_of(code) + "why");
    ASSERT_EQ(got.result, may_be_sent(code) ? 0 : -1002) << code;
    ASSERT_EQ(got.why != nullptr, got.result != 0);
    if (got.result == 0) {
      ASSERT_EQ(got.code, code);
      ASSERT_EQ(got.reason, "why");
    }
  }
}

TEST(Close, AnEmptyPayloadIsNoStatus)
{
  parsed got = parse("");
  EXPECT_EQ(got.result, 0);
  EXPECT_EQ(got.code, 1005);
  EXPECT_EQ(got.reason, "");
}

TEST(Close, RefusesOneByte)
{
  for (int byte = 0; byte < 256; byte++) {
    parsed got = parse(std::string(1, static_cast<char>(byte)));
    EXPECT_EQ(got.result, -1002);
    EXPECT_STREQ(got.why, "close payload is 1 byte");
  }
}

TEST(Close, ValidatesTheReason)
{
  const struct {
    std::string reason;
    int result;
  } rows[] = {
      {"", 0},
      {"bye", 0},
      {"\0"s, 0},
      {"gr\u00FC\u00DFe \u4E2D \U0001F30A", 0},
      {std::string(123, 'x'), 0},
      {"\xFF", -1007},
      {"\x80", -1007},
      {"bye\xC3", -1007},
      {"\xED\xA0\x80", -1007},
      {"\xC0\x80", -1007},
      {std::string(122, 'x') + "\xE4", -1007},
  };
  for (const auto &row : rows) {
    parsed got = parse(payload_of(1000) + row.reason);
    EXPECT_EQ(got.result, row.result) << ::testing::PrintToString(row.reason);
    if (row.result == 0) {
      EXPECT_EQ(got.reason, row.reason);
    } else {
      EXPECT_STREQ(got.why, "close reason is not UTF-8");
    }
  }
}

TEST(Close, JudgesTheCodeBeforeTheReason)
{
  parsed got = parse(payload_of(1005) + "\xFF");
  EXPECT_EQ(got.result, -1002);
  EXPECT_STREQ(got.why, "close code is not allowed");
}

TEST(Close, EncodesWhatItParses)
{
  for (int code : {1000, 1001, 1011, 3000, 4999})
    for (const std::string &reason : {""s, "bye"s, std::string(123, 'r')}) {
      parsed got = parse(encode(code, reason));
      EXPECT_EQ(got.result, 0);
      EXPECT_EQ(got.code, code);
      EXPECT_EQ(got.reason, reason);
    }
  EXPECT_EQ(encode(1000, "ok"), "\x03\xE8ok");
  EXPECT_EQ(encode(0, "unsaid"), "");
}

TEST(Close, TakesNoReasonAtAll)
{
  unsigned char out[2 + WEIR__CLOSE_REASON_MAX];
  EXPECT_EQ(weir__close_encode(out, 1001, nullptr, 0), 2u);
}

TEST(Close, CutsTheReasonBetweenCharacters)
{
  for (const char *character : {"a", "\u00E4", "\u4E2D", "\U0001F30A"})
    for (std::size_t before = 110; before <= 130; before++) {
      std::string reason(before, 'x');
      std::size_t size = std::strlen(character);
      for (int i = 0; i < 10; i++)
        reason += character;
      std::string whole = encode(1000, reason);
      parsed got = parse(whole);
      ASSERT_EQ(got.result, 0) << before;
      std::size_t room = before >= 123 ? 0 : (123 - before) / size * size;
      ASSERT_EQ(got.reason, reason.substr(0, std::min<std::size_t>(before, 123) + room));
    }
}

TEST(Close, CutsEvenWhatIsNoText)
{
  EXPECT_EQ(encode(1000, std::string(200, '\x80')), "\x03\xE8");
}

} // namespace
