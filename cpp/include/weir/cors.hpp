/* What pages of other origins may do: the Fetch Standard's CORS protocol (struct weir_cors in
 * <weir/http.h>). */
#ifndef WEIR_CORS_HPP
#define WEIR_CORS_HPP

#include <cerrno>
#include <memory>
#include <string>
#include <vector>

#include <weir/error.hpp>
#include <weir/http.h>
#include <weir/view.hpp>

namespace weir
{

/* struct weir_cors, which documents each; an empty string or list is its default. Meant for a
 * designated initialiser. */
struct cors_options {
  std::vector<std::string> origins = {};
  bool credentials = false;
  std::string methods = {};
  std::string headers = {};
  std::string exposed = {};
  std::size_t max_age_s = 0;
};

/* Such options, made once and asked by any number of requests (request::cors): the strings and the
 * C structure that points to them, shared by all copies, so that a handler captures one by value.
 * Any thread. */
class cors
{
public:
  /* Throws std::system_error: EINVAL for credentials where every origin may come. */
  explicit cors(cors_options options = {}) : state_(std::make_shared<state>(std::move(options)))
  {
    if (state_->options.credentials && state_->options.origins.empty())
      throw std::system_error(to_error_code(-EINVAL), "weir::cors");
  }

  /* The C structure, lent; NULL when moved from. */
  const weir_cors *native() const noexcept
  {
    return state_ == nullptr ? nullptr : &state_->native;
  }

private:
  struct state {
    explicit state(cors_options given)
        : options(std::move(given)), origins(detail::c_strings(options.origins))
    {
      native.size = sizeof(native);
      native.origins = origins.empty() ? nullptr : origins.data();
      native.credentials = options.credentials;
      native.methods = detail::null_if_empty(options.methods);
      native.headers = detail::null_if_empty(options.headers);
      native.exposed = detail::null_if_empty(options.exposed);
      native.max_age_s = options.max_age_s;
    }
    state(const state &) = delete; // native points into it

    cors_options options;
    std::vector<const char *> origins;
    weir_cors native = {};
  };

  std::shared_ptr<const state> state_;
};

} // namespace weir

#endif
