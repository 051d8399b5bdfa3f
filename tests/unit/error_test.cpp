// Every value that a function may return has a sentence of its own kind.
#include <weir/error.h>

#include <gtest/gtest.h>

#include <cerrno>
#include <string>

namespace
{

TEST(Error, SentencesFollowTheThreeRanges)
{
  const std::pair<int, std::string> cases[] = {
      {0, "success"},
      {-ENOMEM, "Cannot allocate memory"},
      {-ESTALE, "Stale file handle"},
      {-404, "Not Found"},
      {-426, "Upgrade Required"},
      {-503, "Service Unavailable"},
      {-1002, "WebSocket protocol error"},
      {-1007, "text is not UTF-8"},
      {-1009, "the message is too big"},
      {-2500, "unknown close code"},
      {-4000, "closed with a code of the application"},
  };
  for (const auto &[error, sentence] : cases)
    EXPECT_EQ(weir_strerror(error), sentence) << error;
}

TEST(Error, OtherValuesAreUnknown)
{
  for (int error : {1, 400, -399, -600, -999, -5000, INT32_MIN})
    EXPECT_STREQ(weir_strerror(error), "unknown error") << error;
}

} // namespace
