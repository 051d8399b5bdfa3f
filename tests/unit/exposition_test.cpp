// Prometheus' text: the lines of families and samples, what is escaped, and buffers that are short.
#include "wire/exposition.h"

#include <gtest/gtest.h>

#include <string>

namespace
{

class exposition : public testing::Test
{
protected:
  char room[512] = {};
  weir__exposition out = {};

  exposition()
  {
    out.data = room;
    out.size = sizeof room;
  }
  std::string text() const
  {
    return std::string(room, out.len);
  }
};

TEST_F(exposition, Family)
{
  weir__exposition_family(&out, "a_total", "counter", "What it counts.");
  weir__exposition_sample(&out, nullptr, 0, 7);
  EXPECT_EQ(text(), "# HELP a_total What it counts.\n# TYPE a_total counter\na_total 7\n");
}

TEST_F(exposition, LabelsAndTheLargestValue)
{
  const weir__label labels[] = {{"x", "1"}, {"y", "two"}};
  weir__exposition_family(&out, "g", "gauge", "");
  out.len = 0;
  weir__exposition_sample(&out, labels, 1, 0);
  weir__exposition_sample(&out, labels, 2, UINT64_MAX);
  EXPECT_EQ(text(), "g{x=\"1\"} 0\ng{x=\"1\",y=\"two\"} 18446744073709551615\n");
}

/* A quote ends only a label's value. */
TEST_F(exposition, Escapes)
{
  const weir__label label = {"l", "a\"b\\c\nd"};
  weir__exposition_family(&out, "e", "gauge", "a\"b\\c\nd");
  weir__exposition_sample(&out, &label, 1, 1);
  EXPECT_EQ(text(), "# HELP e a\"b\\\\c\\nd\n# TYPE e gauge\ne{l=\"a\\\"b\\\\c\\nd\"} 1\n");
}

/* Buckets hold all that is below them; seconds have no digits that say nothing. */
TEST_F(exposition, Histogram)
{
  const uint64_t bounds_us[] = {100, 2500000, 10000000};
  const uint64_t counts[] = {1, 2, 0, 4};
  weir__exposition_family(&out, "h_seconds", "histogram", "");
  out.len = 0;
  weir__exposition_histogram(&out, bounds_us, 3, counts, 61000001);
  EXPECT_EQ(text(), "h_seconds_bucket{le=\"0.0001\"} 1\n"
                    "h_seconds_bucket{le=\"2.5\"} 3\n"
                    "h_seconds_bucket{le=\"10\"} 3\n"
                    "h_seconds_bucket{le=\"+Inf\"} 7\n"
                    "h_seconds_sum 61.000001\n"
                    "h_seconds_count 7\n");
}

/* Whatever the room: its length is told, and nothing behind the room is touched. */
TEST_F(exposition, ShortBuffers)
{
  weir__exposition_family(&out, "a_total", "counter", "What it counts.");
  weir__exposition_sample(&out, nullptr, 0, 7);
  const std::string whole = text();
  for (size_t size = 0; size <= whole.size(); size++) {
    std::string some(whole.size() + 8, '~');
    weir__exposition cut = {};
    cut.data = some.data();
    cut.size = size;
    weir__exposition_family(&cut, "a_total", "counter", "What it counts.");
    weir__exposition_sample(&cut, nullptr, 0, 7);
    EXPECT_EQ(cut.len, whole.size());
    EXPECT_EQ(some, whole.substr(0, size) + std::string(some.size() - size, '~'));
  }
}

} // namespace
