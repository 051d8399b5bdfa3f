#include "sys_fake.hpp"
#include "ws/repeat.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace
{

class repeat : public testing::Test
{
protected:
  sys_fake fake;
  weir__mem mem{&fake.sys, 0};
  weir__pool pool;
  weir__repeat r{};
  weir__outq q{};
  std::string head = "h", data = "some data";

  repeat()
  {
    weir__pool_init(&pool, &mem);
  }
  ~repeat() override
  {
    weir__outq_clear(&q, &pool);
    weir__run_drop(&r.run, &pool);
    weir__pool_fini(&pool);
    EXPECT_EQ(mem.bytes, 0u);
  }

  // What would be queued instead of a copy; nothing where a copy has to be made.
  std::string offered()
  {
    const weir__part *part =
        weir__repeat_of(&r, &pool, &q, {head.data(), head.size()}, {data.data(), data.size()});
    if (part == nullptr)
      return "";
    return {reinterpret_cast<char *>(weir__share_bytes(part->share)) + part->offset, part->len};
  }

  void queue()
  {
    const weir__part &part = r.part;
    ASSERT_EQ(weir__outq_push(&q, &pool, part.share, part.offset, part.len, WEIR__OUT_MESSAGE), 0);
  }
};

TEST_F(repeat, gathers_from_the_second_time_on)
{
  EXPECT_EQ(offered(), "");
  EXPECT_EQ(r.run.share, nullptr);
  for (int i = 0; i < 3; i++)
    EXPECT_EQ(offered(), "hsome data");
  EXPECT_EQ(r.run.share->units, 1u);
}

TEST_F(repeat, believes_bytes_and_not_their_address)
{
  offered();
  offered();
  data[3] = '!';
  EXPECT_EQ(offered(), "");
  EXPECT_EQ(offered(), "hsom! data");
  head[0] = 'H';
  EXPECT_EQ(offered(), "");
  EXPECT_EQ(offered(), "Hsom! data");
  data.pop_back();
  EXPECT_EQ(offered(), "");
  EXPECT_EQ(offered(), "Hsom! dat");
}

TEST_F(repeat, lets_a_queue_reference_few_blocks)
{
  for (int i = 0; i < WEIR__OUTQ_INLINE; i++) {
    ASSERT_EQ(weir__outq_copy(&q, &pool, "", 0, "own", 3, WEIR__OUT_MESSAGE), 0);
    data += static_cast<char>('a' + i);
    offered();
    EXPECT_EQ(offered() != "", i == 0) << i;
  }
  weir__outq_consume(&q, &pool, q.bytes);
  for (int i = 0; i < 8; i++) { // behind what stands in the same block
    data[0] = static_cast<char>('a' + i);
    offered();
    ASSERT_NE(offered(), "");
    queue();
    EXPECT_EQ(q.messages, static_cast<uint32_t>(i + 1));
  }
}

TEST_F(repeat, copies_without_memory)
{
  offered();
  fake.fail_at = fake.allocations + 1;
  EXPECT_EQ(offered(), "");
  EXPECT_EQ(offered(), "hsome data");
}

} // namespace
