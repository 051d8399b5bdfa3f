// Every kernel against a loop over bytes: see mask_checks.hpp.
#include "mask_checks.hpp"

#include <gtest/gtest.h>

#include <thread>

namespace
{

using mask_checks::Check;

class MaskKernel : public testing::TestWithParam<std::tuple<const mask_checks::Kernel *, Check>>
{
};

TEST_P(MaskKernel, HoldsAgainstReference)
{
  const auto &[kernel, check] = GetParam();
  if (!kernel->supported())
    GTEST_SKIP() << "this CPU has no " << kernel->name;
  mask_checks::Tally tally;
  check.run(*kernel, tally);
  EXPECT_GT(tally.passed, 0u);
  EXPECT_EQ(tally.failed, 0u) << tally.first_failure;
}

INSTANTIATE_TEST_SUITE_P(All, MaskKernel,
                         testing::Combine(testing::ValuesIn(mask_checks::subjects()),
                                          testing::ValuesIn(mask_checks::checks)),
                         [](const testing::TestParamInfo<MaskKernel::ParamType> &info) {
                           return std::string(std::get<0>(info.param)->name) + "_" +
                                  std::get<1>(info.param).name;
                         });

TEST(Mask, KernelsAreListedSlowestFirst)
{
  size_t count = 0;
  const mask_checks::Kernel *const *kernels = weir__mask_kernels(&count);
  ASSERT_GE(count, 1u);
  EXPECT_STREQ(kernels[0]->name, "portable");
  EXPECT_TRUE(kernels[0]->supported());
#if defined(__x86_64__)
  ASSERT_EQ(count, 4u);
  EXPECT_STREQ(kernels[1]->name, "sse2");
  EXPECT_STREQ(kernels[2]->name, "avx2");
  EXPECT_STREQ(kernels[3]->name, "avx512");
#endif
}

TEST(Mask, BestSupportedKernelIsChosen)
{
  size_t count = 0;
  const mask_checks::Kernel *const *kernels = weir__mask_kernels(&count);
  const mask_checks::Kernel *best = nullptr;
  for (size_t i = 0; i < count; i++)
    if (kernels[i]->supported())
      best = kernels[i];
  EXPECT_EQ(weir__mask_kernel(), best);
  std::thread([&] { EXPECT_EQ(weir__mask_kernel(), best); }).join();
}

TEST(Mask, KeyIsRotatedByBytes)
{
  const mask_checks::Key key = {1, 2, 3, 4};
  for (size_t n = 0; n < 9; n++)
    EXPECT_EQ(weir__mask_rotate(mask_checks::as_word(key), n),
              mask_checks::as_word(mask_checks::rotated(key, n)))
        << n;
}

TEST(Mask, NoDataIsFineAnywhere)
{
  weir__utf8 state = {};
  weir__unmask(nullptr, 0, 0x01020304);
  EXPECT_EQ(weir__unmask_text(nullptr, 0, 0x01020304, &state), 0u);
  EXPECT_TRUE(weir__utf8_complete(&state));
}

// RFC 6455 section 5.7.
TEST(Mask, HelloOfTheRfc)
{
  unsigned char data[] = {0x7f, 0x9f, 0x4d, 0x51, 0x58};
  weir__unmask(data, sizeof data, mask_checks::as_word({0x37, 0xfa, 0x21, 0x3d}));
  EXPECT_EQ(std::string_view(reinterpret_cast<char *>(data), sizeof data), "Hello");
}

} // namespace
