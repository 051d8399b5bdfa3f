// Runs a fuzz target once over every file of the directories given, without a fuzzer: what was
// found once stays found, in builds of any compiler.
#include <algorithm>
#include <cstddef>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <memory>
#include <vector>

extern "C" int LLVMFuzzerTestOneInput(const unsigned char *data, std::size_t size);

namespace
{

// The bytes lie in memory of their own size, so that a sanitizer sees a byte too far.
bool replay(const std::filesystem::path &path)
{
  std::ifstream file(path, std::ios::binary);
  std::vector<char> bytes{std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
  if (!file)
    return false;
  auto data = std::make_unique<unsigned char[]>(bytes.size());
  std::copy(bytes.begin(), bytes.end(), data.get());
  LLVMFuzzerTestOneInput(data.get(), bytes.size());
  return true;
}

} // namespace

int main(int argc, char **argv)
{
  int count = 0;
  for (int i = 1; i < argc; i++) {
    std::error_code missing;
    for (const auto &entry : std::filesystem::directory_iterator(argv[i], missing)) {
      std::printf("%s\n", entry.path().c_str());
      std::fflush(stdout); // the last line names the file that crashes
      if (!replay(entry.path())) {
        std::fprintf(stderr, "cannot read %s\n", entry.path().c_str());
        return 1;
      }
      count++;
    }
    if (missing)
      std::printf("%s: %s\n", argv[i], missing.message().c_str());
  }
  if (count == 0) {
    std::printf("no files to replay\n");
    return 77; // skipped, to tools/run-tests
  }
  std::printf("%d passed, 0 failed, 0 skipped\n", count);
  return 0;
}
