/* Errors in C++. The values of <weir/error.h> travel as std::error_code in the category "weir",
 * value unchanged and negative; 0 is success. Those that are an errno compare equal to their
 * std::errc: error == std::errc::broken_pipe. Set-up throws std::system_error with such a code;
 * calls on the hot path return it and never throw. */
#ifndef WEIR_ERROR_HPP
#define WEIR_ERROR_HPP

#include <string>
#include <system_error>

#include <weir/error.h>

namespace weir
{

namespace detail
{

class error_category final : public std::error_category
{
public:
  const char *name() const noexcept override
  {
    return "weir";
  }
  std::string message(int value) const override
  {
    return value == 0 ? "success" : weir_strerror(value);
  }
  std::error_condition default_error_condition(int value) const noexcept override
  {
    if (value < 0 && value > -400) // an errno, see <weir/error.h>
      return {-value, std::generic_category()};
    return {value, *this};
  }
};

/* Constant-initialised and never destroyed: reached without a guard, and good in destructors of
 * other static objects. */
union error_category_holder {
  error_category category;
  constexpr error_category_holder() noexcept : category() {}
  ~error_category_holder() {}
};
inline constinit const error_category_holder error_category_instance;

} // namespace detail

/* The category of weir's values: message() is weir_strerror's sentence. Any thread. */
inline const std::error_category &category() noexcept
{
  return detail::error_category_instance.category;
}

/* What a C function returned, as an error code; 0 and more are success. Any thread. */
inline std::error_code to_error_code(int returned) noexcept
{
  return {returned < 0 ? returned : 0, category()};
}

namespace detail
{

/* Throws what a C function returned as std::system_error when it is an error. */
inline void check(int returned, const std::string &what)
{
  if (returned < 0)
    throw std::system_error(to_error_code(returned), what);
}

} // namespace detail

} // namespace weir

#endif
