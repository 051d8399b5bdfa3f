#include "base/slab.h"
#include "sys_fake.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstring>
#include <random>
#include <vector>

namespace
{

class slab : public testing::TestWithParam<size_t>
{
protected:
  sys_fake fake;
  weir__mem mem{&fake.sys, 0};
  weir__slab s;

  slab()
  {
    weir__slab_init(&s, &mem, GetParam());
  }
  ~slab() override
  {
    weir__slab_fini(&s);
    EXPECT_EQ(mem.bytes, 0u);
    EXPECT_EQ(fake.live, 0u);
  }

  size_t alignment() const
  {
    return GetParam() % 64 == 0 ? 64 : 16;
  }
};

INSTANTIATE_TEST_SUITE_P(sizes, slab, testing::Values(8, 24, 64, 128, 200, 4096, 100000));

// Objects in use never overlap, are aligned, and keep what was written until they are put.
TEST_P(slab, gives_objects_of_its_size)
{
  struct held {
    unsigned char *bytes;
    unsigned char mark;
  };
  for (unsigned seed = 1; seed <= 3; seed++) {
    SCOPED_TRACE(seed);
    std::mt19937 random(seed);
    std::vector<held> all;
    bool growing = true;
    for (int step = 0; step < 6000; step++) {
      if (step % 1000 == 0)
        growing = !growing;
      if (random() % 4 == 0 ? growing : !growing) {
        auto *object = static_cast<unsigned char *>(weir__slab_get(&s));
        ASSERT_EQ(reinterpret_cast<uintptr_t>(object) % alignment(), 0u);
        all.push_back({object, static_cast<unsigned char>(random())});
        std::memset(object, all.back().mark, GetParam());
      } else if (!all.empty()) {
        std::swap(all[random() % all.size()], all.back());
        for (size_t i = 0; i < GetParam(); i += 1 + GetParam() / 8)
          ASSERT_EQ(all.back().bytes[i], all.back().mark);
        weir__slab_put(&s, all.back().bytes);
        all.pop_back();
      }
      ASSERT_EQ(s.live, all.size());
    }
    for (held &h : all)
      weir__slab_put(&s, h.bytes);
  }
}

TEST_P(slab, gives_chunks_back_but_for_one)
{
  std::vector<void *> objects;
  weir__slab_put(&s, weir__slab_get(&s));
  size_t one_chunk = mem.bytes;
  for (size_t i = 0; i < 10 * s.chunk_objects; i++)
    objects.push_back(weir__slab_get(&s));
  EXPECT_EQ(s.count, 10u);
  std::shuffle(objects.begin(), objects.end(), std::mt19937(1));
  for (void *object : objects)
    weir__slab_put(&s, object);
  EXPECT_EQ(s.count, 1u);
  EXPECT_EQ(mem.bytes, one_chunk);
}

TEST_P(slab, does_not_ask_for_a_chunk_back_and_forth)
{
  void *first = weir__slab_get(&s);
  size_t before = fake.allocations;
  for (int i = 0; i < 100; i++) {
    weir__slab_put(&s, first);
    first = weir__slab_get(&s);
  }
  EXPECT_EQ(fake.allocations, before);
  weir__slab_put(&s, first);
}

TEST_P(slab, survives_the_failure_of_any_allocation)
{
  auto complain = [](size_t nth, const char *what) { ADD_FAILURE() << nth << ' ' << what; };
  size_t failed = fail_every_allocation(
      [](sys_fake &fake) {
        weir__mem mem{&fake.sys, 0};
        weir__slab s;
        weir__slab_init(&s, &mem, GetParam());
        std::vector<void *> objects;
        while (objects.size() < 20 * s.chunk_objects) {
          void *object = weir__slab_get(&s);
          if (object == nullptr)
            break;
          objects.push_back(object);
        }
        bool all = objects.size() == 20 * s.chunk_objects;
        EXPECT_EQ(s.live, objects.size());
        for (void *object : objects)
          weir__slab_put(&s, object);
        weir__slab_fini(&s);
        EXPECT_EQ(mem.bytes, 0u);
        return all;
      },
      complain);
  EXPECT_EQ(failed, 20u + 2u); // chunks, and the table of them twice
}

} // namespace
