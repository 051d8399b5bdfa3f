// The checks of every kernel without GoogleTest, for architectures that run under an emulator.
#include "mask_checks.hpp"

#include <cinttypes>

int main()
{
  int passed = 0;
  int failed = 0;
  for (const mask_checks::Kernel *kernel : mask_checks::subjects()) {
    if (!kernel->supported()) {
      std::printf("%s: skipped, this CPU has none\n", kernel->name);
      continue;
    }
    mask_checks::Tally tally;
    for (const mask_checks::Check &check : mask_checks::checks)
      check.run(*kernel, tally);
    std::printf("%s: %" PRIu64 " checks, %" PRIu64 " failed%s%s\n", kernel->name,
                tally.passed + tally.failed, tally.failed, tally.failed > 0 ? ": " : "",
                tally.first_failure.c_str());
    (tally.failed == 0 ? passed : failed)++;
  }
  std::printf("%d passed, %d failed\n", passed, failed);
  return failed == 0 ? 0 : 1;
}
