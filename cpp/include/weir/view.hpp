/* Views: bytes and strings that are lent to a call, from whichever type the caller has them in. */
#ifndef WEIR_VIEW_HPP
#define WEIR_VIEW_HPP

#include <concepts>
#include <cstddef>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include <weir/attributes.h>

namespace weir
{

/* Bytes lent for the length of a call: anything that converts to std::string_view or to
 * std::span<const std::byte>. */
class bytes_view
{
public:
  constexpr bytes_view() noexcept = default;
  template <std::convertible_to<std::string_view> T>
  bytes_view(const T &text) noexcept : bytes_view(std::string_view(text))
  {
  }
  template <std::convertible_to<std::span<const std::byte>> T>
  bytes_view(const T &bytes) noexcept : bytes_view(std::span<const std::byte>(bytes))
  {
  }
  bytes_view(std::string_view text) noexcept : data_(text.data()), size_(text.size()) {}
  bytes_view(std::span<const std::byte> bytes) noexcept : data_(bytes.data()), size_(bytes.size())
  {
  }

  const void *data() const noexcept
  {
    return data_;
  }
  std::size_t size() const noexcept
  {
    return size_;
  }

private:
  const void *data_ = nullptr;
  std::size_t size_ = 0;
};

/* A NUL-terminated string lent for the length of a call. */
class c_string
{
public:
  c_string(const char *string) noexcept : string_(string) {}
  c_string(const std::string &string) noexcept : string_(string.c_str()) {}
  const char *get() const noexcept
  {
    return string_;
  }

private:
  const char *string_;
};

namespace detail
{

inline std::string_view text_of(weir_slice slice) noexcept
{
  return {slice.data, slice.len};
}

inline std::span<const std::byte> bytes_of(weir_slice slice) noexcept
{
  return std::as_bytes(std::span(slice.data, slice.len));
}

/* A string for C, where an empty one is the default: NULL. */
inline const char *null_if_empty(const std::string &string) noexcept
{
  return string.empty() ? nullptr : string.c_str();
}

/* A NULL-terminated array of C strings, good as long as the strings; empty for none. */
inline std::vector<const char *> c_strings(const std::vector<std::string> &strings)
{
  std::vector<const char *> pointers;
  if (strings.empty())
    return pointers;
  pointers.reserve(strings.size() + 1);
  for (const std::string &string : strings)
    pointers.push_back(string.c_str());
  pointers.push_back(nullptr);
  return pointers;
}

} // namespace detail

} // namespace weir

#endif
