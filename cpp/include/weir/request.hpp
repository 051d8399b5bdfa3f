/* HTTP requests, of an opening handshake or of a plain GET, and their responses
 * (<weir/request.h>). */
#ifndef WEIR_REQUEST_HPP
#define WEIR_REQUEST_HPP

#include <cstdint>
#include <optional>

#include <weir/error.hpp>
#include <weir/request.h>
#include <weir/tls.hpp>
#include <weir/view.hpp>

namespace weir
{

/* The address of a peer: numeric, empty when the transport has none or it is gone already; port 0
 * where there is none. */
struct peer {
  std::string address;
  std::uint16_t port = 0;
};

/* A response, which a handler of server::get returns. */
struct response {
  int status = 200; /* 200 .. 599 */
  std::string type = "text/plain; charset=utf-8";
  std::string body = {};
};

/* A request, lent for the length of the handler that gets it, and so is every view that it gives.
 * Loop thread. */
class request
{
public:
  explicit request(weir_request *native) noexcept : native_(native) {}
  request(const request &) = delete;
  request &operator=(const request &) = delete;

  /* The method and the path, as sent. */
  std::string_view method() const noexcept
  {
    return detail::text_of(weir_request_method(native_));
  }
  std::string_view path() const noexcept
  {
    return detail::text_of(weir_request_path(native_));
  }

  /* The decoded part of the path that the route's "/:name" matched; the first value of a name in
   * the query, decoded; the first value of a header field. Copies, empty when absent. */
  std::string parameter(c_string name) const
  {
    return copy(weir_request_parameter(native_, name.get()));
  }
  std::string query(c_string name) const
  {
    return copy(weir_request_query(native_, name.get()));
  }
  std::string header(c_string name) const
  {
    return copy(weir_request_header(native_, name.get()));
  }

  /* The same, lent, and told apart: absent is not empty. */
  std::optional<std::string_view> find_parameter(c_string name) const noexcept
  {
    return find(weir_request_parameter(native_, name.get()));
  }
  std::optional<std::string_view> find_query(c_string name) const noexcept
  {
    return find(weir_request_query(native_, name.get()));
  }
  std::optional<std::string_view> find_header(c_string name) const noexcept
  {
    return find(weir_request_header(native_, name.get()));
  }

  /* The peer's address. */
  weir::peer peer() const
  {
    weir_peer found;
    if (weir_request_peer(native_, &found) < 0)
      return {};
    return {found.address, found.port};
  }

  /* What the connection agreed on; none when it is plain (or no memory is left for it). */
  std::optional<tls_info> tls() const noexcept
  {
    weir_tls_info found;
    if (weir_request_tls(native_, &found) < 0)
      return std::nullopt;
    return detail::info_of(found);
  }

  /* Selects the subprotocol over the route's own list; only in an upgrade handler. Returns as
   * weir_request_select_protocol does. */
  std::error_code select_protocol(c_string name) noexcept
  {
    return to_error_code(weir_request_select_protocol(native_, name.get()));
  }

  /* Adds a header field to the response; the strings are copied. Returns as
   * weir_request_respond_header does. */
  std::error_code respond_header(c_string name, c_string value) noexcept
  {
    return to_error_code(weir_request_respond_header(native_, name.get(), value.get()));
  }

  /* Sets the body of the response, of the media type given; the bytes are copied. Returns as
   * weir_request_respond_body does. */
  std::error_code respond_body(c_string type, bytes_view body) noexcept
  {
    return to_error_code(weir_request_respond_body(native_, type.get(), body.data(), body.size()));
  }

  /* The C request, lent. */
  weir_request *native() const noexcept
  {
    return native_;
  }

private:
  static std::string copy(weir_slice slice)
  {
    return std::string(detail::text_of(slice));
  }
  static std::optional<std::string_view> find(weir_slice slice) noexcept
  {
    if (slice.data == nullptr)
      return std::nullopt;
    return detail::text_of(slice);
  }

  weir_request *native_;
};

} // namespace weir

#endif
