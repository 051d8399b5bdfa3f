/* What a server listens on (struct weir_listen_options in <weir/server.h>). */
#ifndef WEIR_LISTEN_HPP
#define WEIR_LISTEN_HPP

#include <cstdint>
#include <numeric>

#include <weir/server.h>
#include <weir/tls.hpp>

namespace weir
{

/* struct weir_listen_options, which documents each; an empty string is its default. Meant for a
 * designated initialiser. */
struct listen_options {
  std::string host = {};
  std::uint16_t port = 0;

  std::string path = {};
  std::size_t mode = 0;

  int fd = 0;

  const weir::tls *tls = nullptr; /* lent for the call */
  bool proxy_protocol = false;

  std::string name = {};
};

/* The descriptors that a service manager handed to this process, each for one listen_options::fd;
 * none where there are none. Throws std::system_error as weir_listen_fds fails. Before threads are
 * started. */
inline std::vector<int> inherited_descriptors()
{
  int first = 0;
  int count = weir_listen_fds(&first);
  detail::check(count, "weir::inherited_descriptors");
  std::vector<int> descriptors(static_cast<std::size_t>(count));
  std::iota(descriptors.begin(), descriptors.end(), first);
  return descriptors;
}

namespace detail
{

/* The C options; strings are lent. */
inline weir_listen_options to_native(const listen_options &options) noexcept
{
  weir_listen_options native = {};
  native.size = sizeof(native);
  native.host = null_if_empty(options.host);
  native.port = options.port;
  native.path = null_if_empty(options.path);
  native.mode = options.mode;
  native.fd = options.fd;
  native.tls = options.tls == nullptr ? nullptr : options.tls->native();
  native.proxy_protocol = options.proxy_protocol;
  native.name = null_if_empty(options.name);
  return native;
}

/* What it listens on, for the text of an exception. */
inline std::string name_of(const listen_options &options)
{
  if (options.fd != 0)
    return "descriptor " + std::to_string(options.fd);
  if (!options.path.empty())
    return options.path;
  return options.host + ":" + std::to_string(options.port);
}

} // namespace detail

} // namespace weir

#endif
