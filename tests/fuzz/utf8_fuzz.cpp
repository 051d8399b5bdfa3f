// Every kernel that this CPU supports against the byte-wise reference. Input: four bytes of key,
// one byte that is the length of the pieces the text comes in (0: one piece), then the plain text.
#include "../unit/mask_checks.hpp"

#include <cstdlib>

namespace
{

constexpr size_t prologue = 5;

void expect(bool holds, const mask_checks::Kernel &kernel, const char *what)
{
  if (holds)
    return;
  std::fprintf(stderr, "%s: %s\n", kernel.name, what);
  std::abort();
}

void compare(const mask_checks::Kernel &kernel, std::string_view text, const mask_checks::Key &key,
             size_t piece)
{
  // A vector of exactly this size lets AddressSanitizer see every stray byte.
  std::vector<unsigned char> masked(text.begin(), text.end());
  for (size_t i = 0; i < masked.size(); i++)
    masked[i] ^= key[i % 4];
  std::vector<unsigned char> data = masked;

  kernel.unmask(data.data(), data.size(), mask_checks::as_word(key));
  expect(std::equal(data.begin(), data.end(), text.begin(),
                    [](unsigned char a, char b) { return a == static_cast<unsigned char>(b); }),
         kernel, "unmasked wrongly");

  data = masked;
  const std::vector<size_t> pieces(piece == 0 ? 0 : text.size() / piece, piece);
  const mask_checks::Verdict expected = mask_checks::judge(text);
  const mask_checks::Verdict found =
      mask_checks::unmask_pieces(kernel, data.data(), data.size(), key, pieces);
  expect(found.sound == expected.sound, kernel, "stopped at another byte than the reference");
  if (found.sound == text.size()) {
    expect(found.complete == expected.complete, kernel, "took another view of the last character");
    expect(text.empty() || std::memcmp(data.data(), text.data(), text.size()) == 0, kernel,
           "unmasked the text wrongly");
  }
}

} // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t *input, size_t len)
{
  if (len < prologue)
    return 0;
  mask_checks::Key key;
  std::copy_n(input, key.size(), key.begin());
  const std::string_view text(reinterpret_cast<const char *>(input) + prologue, len - prologue);
  for (const mask_checks::Kernel *kernel : mask_checks::subjects())
    if (kernel->supported())
      compare(*kernel, text, key, input[4]);
  return 0;
}
