// Dates of HTTP, held against the C library's calendar.
#include "wire/http_date.h"

#include <gtest/gtest.h>

#include <cstring>
#include <ctime>
#include <optional>
#include <string>
#include <string_view>
#include <tuple>
#include <vector>

namespace
{

using namespace std::string_literals;

constexpr int64_t NOW = 1790000000; // the 21st of September 2026, 14:13:20

std::string format(int64_t seconds)
{
  char out[WEIR__HTTP_DATE_LEN + 2];
  memset(out, '?', sizeof out);
  weir__http_date_format(seconds, out);
  EXPECT_EQ(out[WEIR__HTTP_DATE_LEN], '\0');
  EXPECT_EQ(out[WEIR__HTTP_DATE_LEN + 1], '?');
  return out;
}

// The text lies in memory of its own size, so that ASan sees a read beyond.
std::optional<int64_t> parse(std::string_view text, int64_t now = NOW)
{
  const std::vector<char> bytes(text.begin(), text.end());
  int64_t seconds = 12345;
  if (weir__http_date_parse({bytes.data(), bytes.size()}, now, &seconds))
    return seconds;
  EXPECT_EQ(seconds, 12345);
  return std::nullopt;
}

int64_t at(int year, int month, int day, int hour = 0, int minute = 0, int second = 0)
{
  std::tm t = {};
  t.tm_year = year - 1900, t.tm_mon = month - 1, t.tm_mday = day;
  t.tm_hour = hour, t.tm_min = minute, t.tm_sec = second;
  return timegm(&t);
}

std::string by_libc(int64_t seconds, const char *form)
{
  std::tm t = {};
  char text[64];
  time_t time = seconds;
  gmtime_r(&time, &t);
  return {text, strftime(text, sizeof text, form, &t)};
}

TEST(HttpDate, WritesTheExampleOfTheRfc)
{
  EXPECT_EQ(format(784111777), "Sun, 06 Nov 1994 08:49:37 GMT");
  EXPECT_EQ(format(0), "Thu, 01 Jan 1970 00:00:00 GMT");
  EXPECT_EQ(format(-1), "Wed, 31 Dec 1969 23:59:59 GMT");
}

TEST(HttpDate, WritesWhatLiesOutsideItsYearsAsTheirEnds)
{
  const int64_t first = at(1, 1, 1), last = at(9999, 12, 31, 23, 59, 59);
  EXPECT_EQ(format(first), "Mon, 01 Jan 0001 00:00:00 GMT");
  EXPECT_EQ(format(first - 1), format(first));
  EXPECT_EQ(format(INT64_MIN), format(first));
  EXPECT_EQ(format(last), "Fri, 31 Dec 9999 23:59:59 GMT");
  EXPECT_EQ(format(last + 1), format(last));
  EXPECT_EQ(format(INT64_MAX), format(last));
}

// Steps of a prime number of seconds, about 25 hours, over centuries with and without a leap day.
TEST(HttpDate, AgreesWithTheCLibrary)
{
  for (int64_t seconds = at(1890, 1, 1); seconds < at(2110, 1, 1); seconds += 90001) {
    ASSERT_EQ(format(seconds), by_libc(seconds, "%a, %d %b %Y %H:%M:%S GMT"));
    ASSERT_EQ(parse(format(seconds)), seconds);
    ASSERT_EQ(parse(by_libc(seconds, "%a %b %e %H:%M:%S %Y")), seconds);
    ASSERT_EQ(parse(by_libc(seconds, "%A, %d-%b-%y %H:%M:%S GMT"), seconds), seconds);
  }
  for (int year : {1, 4, 100, 400, 1582, 1600, 1899, 2000, 2400, 9999})
    for (int month = 1; month <= 12; month++)
      for (int64_t seconds : {at(year, month, 1), at(year, month + 1, 1) - 1})
        EXPECT_EQ(parse(format(seconds)), seconds);
}

TEST(HttpDate, ReadsThreeForms)
{
  EXPECT_EQ(parse("Sun, 06 Nov 1994 08:49:37 GMT"), 784111777);
  EXPECT_EQ(parse("Sunday, 06-Nov-94 08:49:37 GMT"), 784111777);
  EXPECT_EQ(parse("Sun Nov  6 08:49:37 1994"), 784111777);
  EXPECT_EQ(parse("Sun Nov 06 08:49:37 1994"), 784111777);
  EXPECT_EQ(parse("Wed Nov 16 08:49:37 1994"), 784111777 + 10 * 86400);
  EXPECT_EQ(parse("Sat, 31 Dec 2016 23:59:60 GMT"), at(2017, 1, 1));
  EXPECT_EQ(parse("Tue, 29 Feb 2000 00:00:00 GMT"), at(2000, 2, 29));
  EXPECT_EQ(parse("Fri, 06 Nov 1994 08:49:37 GMT"), 784111777); // no judge of weekdays
}

TEST(HttpDate, FindsTheCenturyOfTwoDigits)
{
  const std::tuple<const char *, int64_t, int> cases[] = {
      {"Monday, 01-Jan-26 00:00:00 GMT", NOW, 2026},
      {"Monday, 01-Jan-00 00:00:00 GMT", NOW, 2000},
      {"Monday, 01-Jan-75 00:00:00 GMT", NOW, 2075},
      {"Monday, 01-Jan-76 00:00:00 GMT", NOW, 2076},
      {"Monday, 31-Dec-76 00:00:00 GMT", NOW, 1976},
      {"Monday, 01-Jan-77 00:00:00 GMT", NOW, 1977},
      {"Monday, 01-Jan-99 00:00:00 GMT", NOW, 1999},
      {"Monday, 01-Jan-10 00:00:00 GMT", at(2090, 1, 1), 2110},
      {"Monday, 01-Jan-41 00:00:00 GMT", at(2090, 1, 1), 2041},
      {"Monday, 01-Jan-70 00:00:00 GMT", 0, 1970},
      {"Monday, 01-Jan-20 00:00:00 GMT", 0, 2020},
      {"Monday, 02-Jan-20 00:00:00 GMT", 0, 1920},
  };
  for (const auto &[text, now, year] : cases) {
    SCOPED_TRACE(text);
    std::optional<int64_t> seconds = parse(text, now);
    ASSERT_TRUE(seconds.has_value());
    EXPECT_EQ(by_libc(*seconds, "%Y"), std::to_string(year));
  }
  EXPECT_EQ(parse("Monday, 21-Sep-76 14:13:20 GMT"), at(2076, 9, 21, 14, 13, 20));
  EXPECT_EQ(parse("Monday, 21-Sep-76 14:13:21 GMT"), at(1976, 9, 21, 14, 13, 21));
  EXPECT_FALSE(parse("Monday, 29-Feb-00 00:00:00 GMT", at(2090, 1, 1)).has_value());
  EXPECT_EQ(parse("Monday, 01-Jan-70 00:00:00 GMT", INT64_MAX), at(9970, 1, 1));
  EXPECT_FALSE(parse("Monday, 01-Jan-70 00:00:00 GMT", INT64_MIN).has_value());
}

TEST(HttpDate, ReadsNothingElse)
{
  const std::string bad[] = {"",
                             "0",
                             "Sun",
                             "Sun,",
                             "784111777",
                             "1994-11-06T08:49:37Z",
                             "Sun, 6 Nov 1994 08:49:37 GMT",
                             "Sun, 06 Nov 94 08:49:37 GMT",
                             "Sun, 06-Nov-1994 08:49:37 GMT",
                             "Sun, 06 Nov 1994 08:49 GMT",
                             "Sun, 06 Nov 1994 08:49:37",
                             "Sun, 06 Nov 1994 08:49:37 UTC",
                             "Sun, 06 Nov 1994 08:49:37 +0000",
                             "Sun, 06 Nov 1994 08:49:37 GMT ",
                             " Sun, 06 Nov 1994 08:49:37 GMT",
                             "Sun, 06 Nov 1994 08:49:37 GMTx",
                             "Sun,  06 Nov 1994 08:49:37 GMT",
                             "Sun,06 Nov 1994 08:49:37 GMT",
                             "sun, 06 Nov 1994 08:49:37 GMT",
                             "Sun, 06 nov 1994 08:49:37 GMT",
                             "Sun, 06 NOV 1994 08:49:37 GMT",
                             "Sun, 06 anF 1994 08:49:37 GMT",
                             "Son, 06 Nov 1994 08:49:37 GMT",
                             "Sun, 00 Nov 1994 08:49:37 GMT",
                             "Sun, 31 Nov 1994 08:49:37 GMT",
                             "Tue, 29 Feb 1994 08:49:37 GMT",
                             "Tue, 29 Feb 1900 08:49:37 GMT",
                             "Sun, 06 Nov 0000 08:49:37 GMT",
                             "Sun, 32 Dec 1994 08:49:37 GMT",
                             "Sun, 06 Nov 1994 24:00:00 GMT",
                             "Sun, 06 Nov 1994 08:60:00 GMT",
                             "Sun, 06 Nov 1994 08:49:61 GMT",
                             "Sun, 06 Nov 1994 8:49:37 GMT",
                             "Sun, 06 Nov 1994 -8:49:37 GMT",
                             "Sun, +6 Nov 1994 08:49:37 GMT",
                             "Sun, 06 Nov 19x4 08:49:37 GMT",
                             "Sun, 06 Nov 1994 08.49.37 GMT",
                             "Sun, 06 Nov 19940 08:49:37 GMT",
                             "Sunday, 06-Nov-1994 08:49:37 GMT",
                             "Sun, 06-Nov-94 08:49:37 GMT",
                             "Sunday, 6-Nov-94 08:49:37 GMT",
                             "Sunday, 06 Nov 94 08:49:37 GMT",
                             "Sunday 06-Nov-94 08:49:37 GMT",
                             "Sundae, 06-Nov-94 08:49:37 GMT",
                             "Sunday, 31-Nov-94 08:49:37 GMT",
                             "Sunday, 06-Nov-94 08:49:37",
                             "Sun Nov 6 08:49:37 1994",
                             "Sun Nov   6 08:49:37 1994",
                             "Sun Nov  06 08:49:37 1994",
                             "Sun Nov 31 08:49:37 1994",
                             "Sun Nov  0 08:49:37 1994",
                             "Sun Nov  6 08:49:37 94",
                             "Sun Nov  6 08:49:37 1994 GMT",
                             "Sunday Nov  6 08:49:37 1994",
                             "Sun, Nov  6 08:49:37 1994",
                             "Sun Nov  6 08:49:37 GMT 1994",
                             "Sun, 06 Nov 1994\0"
                             "08:49:37 GMT"s};
  for (const std::string &text : bad)
    EXPECT_FALSE(parse(text).has_value()) << text;
}

TEST(HttpDate, ReadsNoneThatIsCutOrBroken)
{
  for (const std::string whole : {"Sun, 06 Nov 1994 08:49:37 GMT", "Sunday, 06-Nov-94 08:49:37 GMT",
                                  "Sun Nov  6 08:49:37 1994"}) {
    for (size_t len = 0; len < whole.size(); len++)
      EXPECT_FALSE(parse(whole.substr(0, len)).has_value()) << whole.substr(0, len);
    for (size_t i = 0; i < whole.size(); i++) {
      std::string other = whole;
      other[i] = '\x80';
      EXPECT_FALSE(parse(other).has_value()) << other;
    }
  }
}

} // namespace
