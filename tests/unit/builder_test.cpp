#include "base/builder.h"
#include "sys_fake.hpp"

#include <gtest/gtest.h>

#include <cerrno>
#include <string>

namespace
{

class builder : public testing::Test
{
protected:
  sys_fake fake;
  weir__mem mem{&fake.sys, 0};
  weir__pool pool{};
  weir__builder text{};

  builder()
  {
    weir__pool_init(&pool, &mem);
  }
  ~builder() override
  {
    weir__builder_drop(&text, &pool);
    weir__pool_fini(&pool);
    EXPECT_EQ(fake.live, 0u);
  }

  std::string str() const
  {
    return std::string(text.data, text.len);
  }
};

TEST_F(builder, grows_and_keeps_what_it_has)
{
  std::string all;
  for (int i = 0; i < 1000; i++) {
    std::string more = std::to_string(i);
    ASSERT_EQ(weir__builder_add(&text, &pool, more.data(), more.size()), 0);
    all += more;
  }
  ASSERT_EQ(weir__builder_add_text(&text, &pool, "end"), 0);
  ASSERT_EQ(weir__builder_add(&text, &pool, nullptr, 0), 0);
  EXPECT_EQ(str(), all + "end");
}

TEST_F(builder, takes_few_blocks_for_many_bytes)
{
  for (int i = 0; i < 100000; i++)
    ASSERT_EQ(weir__builder_add(&text, &pool, "x", 1), 0);
  EXPECT_LT(fake.allocations, 20u);
}

TEST_F(builder, is_as_it_was_without_memory)
{
  ASSERT_EQ(weir__builder_add_text(&text, &pool, "hello"), 0);
  fake.fail_at = fake.allocations + 1;
  std::string more(4096, 'm');
  EXPECT_EQ(weir__builder_add(&text, &pool, more.data(), more.size()), -ENOMEM);
  EXPECT_EQ(weir__builder_add(&text, &pool, more.data(), SIZE_MAX), -ENOMEM);
  EXPECT_EQ(str(), "hello");
}

TEST_F(builder, is_empty_once_dropped)
{
  ASSERT_EQ(weir__builder_add_text(&text, &pool, "hello"), 0);
  weir__builder_drop(&text, &pool);
  EXPECT_EQ(text.len, 0u);
  ASSERT_EQ(weir__builder_add_text(&text, &pool, "again"), 0);
  EXPECT_EQ(str(), "again");
}

} // namespace
