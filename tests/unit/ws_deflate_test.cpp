// What a loop holds for compression, when memory runs out in the middle of it.
#include "ws/server.h"

#include "support/deflater.hpp"
#include "sys_fake.hpp"

#include <gtest/gtest.h>

#include <string>

namespace
{

TEST(WsDeflate, DataThatFoundNoMemoryIsCompressedTheNextTime)
{
  const std::string text(3000, 'x');
  bool failed = true;
  for (size_t nth = 1; failed; nth++) {
    sys_fake fake;
    weir_loop *loop;
    ASSERT_EQ(weir__loop_new(&loop, &fake.sys), 0);
    weir__shard shard = {};
    shard.loop = loop;
    weir__deflates_init(&shard.deflates);
    fake.fail_at = fake.allocations + nth;
    const unsigned char *out = nullptr;
    failed = weir__deflate_again(&shard, {15, 1}, text.data(), text.size(), &out) == 0;
    fake.fail_at = 0;
    size_t made = weir__deflate_again(&shard, {15, 1}, text.data(), text.size(), &out);
    if (made > 0) { // 0: no memory for a compressor; that is not tried again for the same data
      std::string_view bytes(reinterpret_cast<const char *>(out), made);
      EXPECT_EQ(support::inflater().message(bytes), text);
    }
    EXPECT_TRUE(made > 0 || nth > 1) << "the data's own block is asked for first";
    weir__deflates_fini(&shard);
    weir_loop_free(loop);
    EXPECT_EQ(fake.live, 0u) << nth;
  }
}

} // namespace
