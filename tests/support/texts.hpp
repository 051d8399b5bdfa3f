// Payloads of any length for tests of compression, the same for the same seed.
#ifndef WEIR_TESTS_TEXTS_HPP
#define WEIR_TESTS_TEXTS_HPP

#include <cstdint>
#include <string>

namespace support
{

inline uint32_t next(uint32_t &random)
{
  return random = random * 1664525 + 1013904223;
}

// What cannot be compressed.
inline std::string noise(size_t length, uint32_t seed)
{
  std::string text;
  while (text.size() < length)
    text += static_cast<char>(next(seed) >> 24);
  return text;
}

// Words that come again at all distances.
inline std::string words(size_t length, uint32_t seed)
{
  std::string text;
  while (text.size() < length)
    text += "{\"word\":" + std::to_string(next(seed) >> 20) + "},";
  text.resize(length);
  return text;
}

} // namespace support

#endif
