#include "wire/utf8.h"

#include "mask_checks.hpp"

#include <gtest/gtest.h>

namespace
{

using mask_checks::encode;
using mask_checks::judge;
using mask_checks::Verdict;

// Where the text, fed in pieces of at most the given length, stops being UTF-8.
Verdict validate(std::string_view text, size_t piece)
{
  weir__utf8 state = {};
  size_t at = 0;
  while (at < text.size()) {
    const size_t len = std::min(piece, text.size() - at);
    const auto *data = reinterpret_cast<const unsigned char *>(text.data()) + at;
    const size_t sound = weir__utf8_validate(&state, data, len);
    at += sound;
    if (sound < len)
      break;
  }
  return {at, weir__utf8_complete(&state)};
}

void expect_as_reference(std::string_view text)
{
  const Verdict expected = judge(text);
  for (size_t piece : {size_t{1}, size_t{2}, size_t{3}, size_t{7}, text.size()}) {
    const Verdict found = validate(text, std::max(piece, size_t{1}));
    ASSERT_EQ(found.sound, expected.sound) << testing::PrintToString(text) << " by " << piece;
    ASSERT_TRUE(found.complete == expected.complete || found.sound < text.size())
        << testing::PrintToString(text) << " by " << piece;
  }
}

struct Case {
  const char *name;
  std::string_view text;
  size_t sound;
  bool complete;
};

class Utf8Cases : public testing::TestWithParam<Case>
{
};

using namespace std::string_view_literals;

const Case cases[] = {
    {"Empty", ""sv, 0, true},
    {"Nul", "\0"sv, 1, true},
    {"Greek", "\xCE\xBA\xE1\xBD\xB9\xCF\x83\xCE\xBC\xCE\xB5"sv, 11, true},
    {"LoneContinuation", "a\x80"sv, 1, true},
    {"ContinuationTooMany", "\xC3\xA9\xA9"sv, 2, true},
    {"LeadWhereContinuationWasDue", "\xE4\xB8\xC3"sv, 2, false},
    {"AsciiWhereContinuationWasDue", "\xE4\xB8z"sv, 2, false},
    {"C0", "ab\xC0\x80"sv, 2, true},
    {"C1", "ab\xC1"sv, 2, true},
    {"F5", "\xF5\x80\x80\x80"sv, 0, true},
    {"FF", "\xFF"sv, 0, true},
    {"OverlongOfThree", "\xE0\x80\x80"sv, 1, false},
    {"OverlongOfThreeLast", "\xE0\x9F"sv, 1, false},
    {"OverlongOfFour", "\xF0\x8F\xBF\xBF"sv, 1, false},
    {"SurrogateFirst", "\xED\xA0\x80"sv, 1, false},
    {"SurrogateLast", "\xED\xBF\xBF"sv, 1, false},
    {"BeforeSurrogates", "\xED\x9F\xBF"sv, 3, true},
    {"AfterSurrogates", "\xEE\x80\x80"sv, 3, true},
    {"Above10FFFF", "\xF4\x90\x80\x80"sv, 1, false},
    {"Exactly10FFFF", "\xF4\x8F\xBF\xBF"sv, 4, true},
    {"Noncharacter", "\xEF\xBF\xBE\xEF\xBF\xBF"sv, 6, true},
    {"CutAfterOne", "\xF0"sv, 1, false},
    {"CutAfterTwo", "\xF0\x9F"sv, 2, false},
    {"CutAfterThree", "\xF0\x9F\x98"sv, 3, false},
};

TEST_P(Utf8Cases, StopsAtTheOffendingByte)
{
  const Case &given = GetParam();
  for (size_t piece = 1; piece <= given.text.size() + 1; piece++) {
    const Verdict found = validate(given.text, piece);
    EXPECT_EQ(found.sound, given.sound) << "by " << piece;
    EXPECT_EQ(found.complete, given.complete) << "by " << piece;
  }
}

INSTANTIATE_TEST_SUITE_P(All, Utf8Cases, testing::ValuesIn(cases),
                         [](const testing::TestParamInfo<Case> &info) { return info.param.name; });

TEST(Utf8, EveryCodePoint)
{
  for (uint32_t code = 0; code <= 0x10FFFF; code++) {
    const std::string text = encode(code);
    const bool surrogate = code >= 0xD800 && code <= 0xDFFF;
    const Verdict alone = validate(text, text.size());
    ASSERT_EQ(alone.sound, surrogate ? 1 : text.size()) << std::hex << code;
    ASSERT_EQ(alone.complete, !surrogate) << std::hex << code;
    const Verdict followed = validate(text + "abc", text.size() + 3);
    ASSERT_EQ(followed.sound, surrogate ? 1 : text.size() + 3) << std::hex << code;
  }
}

TEST(Utf8, EveryOneAndTwoBytes)
{
  for (int first = 0; first < 256; first++) {
    expect_as_reference(std::string(1, static_cast<char>(first)));
    for (int second = 0; second < 256; second++) {
      const std::string text = {static_cast<char>(first), static_cast<char>(second)};
      expect_as_reference(text);
      expect_as_reference(text + "abcdefghi");
    }
  }
}

TEST(Utf8, EveryThreeAndFourBoundaryBytes)
{
  for (unsigned char a : mask_checks::boundary_bytes)
    for (unsigned char b : mask_checks::boundary_bytes)
      for (unsigned char c : mask_checks::boundary_bytes) {
        const std::string three = {static_cast<char>(a), static_cast<char>(b),
                                   static_cast<char>(c)};
        expect_as_reference(three);
        for (unsigned char d : mask_checks::boundary_bytes)
          expect_as_reference(three + static_cast<char>(d));
      }
}

TEST(Utf8, TellingSequencesAtEveryPosition)
{
  for (const std::string &sequence : mask_checks::telling_sequences())
    for (size_t position = 0; position < 40; position++)
      for (std::string_view lengths : {"1", "2", "3", "4", "1234"})
        expect_as_reference(mask_checks::text_of(position, lengths) + sequence +
                            mask_checks::text_of(20, lengths));
}

TEST(Utf8, StateNamesWhatMayFollow)
{
  const struct {
    unsigned char lead;
    weir__utf8 expected;
  } leads[] = {
      {0xC2, {1, 0x80, 0xBF}}, {0xDF, {1, 0x80, 0xBF}}, {0xE0, {2, 0xA0, 0xBF}},
      {0xE1, {2, 0x80, 0xBF}}, {0xED, {2, 0x80, 0x9F}}, {0xEF, {2, 0x80, 0xBF}},
      {0xF0, {3, 0x90, 0xBF}}, {0xF3, {3, 0x80, 0xBF}}, {0xF4, {3, 0x80, 0x8F}},
  };
  for (const auto &[lead, expected] : leads) {
    weir__utf8 state = {};
    EXPECT_EQ(weir__utf8_validate(&state, &lead, 1), 1u);
    EXPECT_EQ(state.due, expected.due) << int{lead};
    EXPECT_EQ(state.low, expected.low) << int{lead};
    EXPECT_EQ(state.high, expected.high) << int{lead};
  }
}

} // namespace
