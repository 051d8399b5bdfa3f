/* HTTP requests, of an opening handshake or plain, and their responses (<weir/request.h>,
 * <weir/http.h>). */
#ifndef WEIR_REQUEST_HPP
#define WEIR_REQUEST_HPP

#include <cerrno>
#include <cstdint>
#include <optional>
#include <utility>

#include <weir/cors.hpp>
#include <weir/error.hpp>
#include <weir/http.h>
#include <weir/options.hpp>
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

/* A header field of a response. */
struct header {
  std::string name;
  std::string value;
};

/* A response: what a handler of a plain request returns, or a kept request is answered with. A
 * body's type is not named in the responses that have none (204, 304). */
struct response {
  int status = 200; /* 200 .. 599 */
  std::string type = "text/plain; charset=utf-8";
  std::string body = {};
  std::vector<header> headers = {};
};

/* What a handler returns when the request that it kept is answered later (WEIR_LATER). */
inline constexpr int later = WEIR_LATER;

/* What a request says, lent or kept, and what is set of its response. Views that it gives are lent
 * as long as it is. */
class request_base
{
public:
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

  /* The whole body of a plain request; empty where there is none, and where the route takes it in
   * pieces. */
  std::string_view body() const noexcept
  {
    return detail::text_of(weir_request_body(native_));
  }

  /* The client's address. */
  weir::peer peer() const
  {
    weir_peer found;
    if (weir_request_peer(native_, &found) < 0)
      return {};
    return {found.address, found.port};
  }

  /* The index of the loop that its connection is on, for server::post. */
  std::size_t loop() const noexcept
  {
    return weir_request_loop(native_);
  }

  /* Selects the subprotocol over the route's own list; only of a request that asks for an upgrade.
   * Returns as weir_request_select_protocol does. */
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

  /* Adds the header fields that the request's Origin calls for. Returns 0 to go on; else what the
   * handler of a plain request returns at once: 204, this is a preflight, or an error, see
   * weir_request_cors. */
  int cors(const weir::cors &allowed) noexcept
  {
    return weir_request_cors(native_, allowed.native());
  }

  /* The C request, lent. */
  weir_request *native() const noexcept
  {
    return native_;
  }

protected:
  explicit request_base(weir_request *native) noexcept : native_(native) {}
  request_base(const request_base &) noexcept = default;
  request_base &operator=(const request_base &) noexcept = default;
  ~request_base() = default;

  /* Sets what a response says beside its status, up to the first error. */
  std::error_code set(const response &given) noexcept
  {
    for (const weir::header &field : given.headers) {
      if (std::error_code error = respond_header(field.name, field.value))
        return error;
    }
    bool bodiless = given.status == 204 || given.status == 304;
    return bodiless ? std::error_code() : respond_body(given.type, given.body);
  }

  weir_request *native_;

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
};

/* A counted reference to a request that was kept (request::keep), to be answered later: a copy is
 * one more reference to the same. One that is default-constructed or moved from is empty, and all
 * but assigning to it needs one that is not.
 *
 * Any thread, but one at a time: who hands it on synchronises, as handing over to a thread does. A
 * request that nobody answers is answered with 503 when its time is over, whether handles are left
 * or not. A handle may outlive its server, to be destroyed. */
class kept_request : public request_base
{
public:
  kept_request() noexcept : request_base(nullptr) {}
  kept_request(const kept_request &other) noexcept
      : request_base(other.native_ != nullptr ? weir_request_ref(other.native_) : nullptr)
  {
  }
  kept_request(kept_request &&other) noexcept : request_base(std::exchange(other.native_, nullptr))
  {
  }
  kept_request &operator=(kept_request other) noexcept
  {
    std::swap(native_, other.native_);
    return *this;
  }
  ~kept_request()
  {
    weir_request_unref(native_);
  }

  /* Takes over a reference that the caller owns; native may be NULL. */
  [[nodiscard]] static kept_request adopt(weir_request *native) noexcept
  {
    kept_request adopted;
    adopted.native_ = native;
    return adopted;
  }

  /* Whether there is one; and whether two name the same. */
  explicit operator bool() const noexcept
  {
    return native_ != nullptr;
  }
  friend bool operator==(const kept_request &one, const kept_request &other) noexcept
  {
    return one.native_ == other.native_;
  }

  /* Answers a plain request with a response, or with a status and what was set; refuses one that
   * asks for an upgrade (400 .. 599). Return as weir_request_respond_header, _body and
   * weir_request_respond do; on an error nothing was answered. */
  std::error_code respond(const response &given) noexcept
  {
    std::error_code error = set(given);
    return error ? error : respond(given.status);
  }
  std::error_code respond(int status) noexcept
  {
    return to_error_code(weir_request_respond(native_, status));
  }

  /* Accepts one that asks for an upgrade. Returns as weir_request_accept does. */
  std::error_code accept() noexcept
  {
    return to_error_code(weir_request_accept(native_));
  }

  /* Begins a response whose body follows by write: of a length in all, or of one that is not known
   * yet (off). The response given says all but the body. Return as weir_request_begin does. */
  std::error_code begin(const response &given, std::size_t length = off) noexcept
  {
    std::error_code error = set(given);
    return error ? error : begin(given.status, length);
  }
  std::error_code begin(int status, std::size_t length = off) noexcept
  {
    return to_error_code(weir_request_begin(native_, status, length));
  }

  /* Sends a piece of the body, copied. Returns as weir_request_write does: with ENOBUFS it was not
   * taken, and drain follows. */
  std::error_code write(bytes_view piece) noexcept
  {
    return to_error_code(weir_request_write(native_, piece.data(), piece.size()));
  }

  /* Ends the body. Returns as weir_request_end does. */
  std::error_code end() noexcept
  {
    return to_error_code(weir_request_end(native_));
  }

  /* Bytes of a streamed response that have not left yet. */
  std::size_t buffered() const noexcept
  {
    return weir_request_buffered(native_);
  }

  /* The application's pointer with the request, at first NULL, which all handles share: what body,
   * drain and gone find again. Nobody deletes it but the application. */
  void set_user(void *user) noexcept
  {
    weir_request_set_user(native_, user);
  }
  template <class T> T *user() const noexcept
  {
    return static_cast<T *>(weir_request_user(native_));
  }
};

/* A request, lent for the length of the handler that gets it, and so is every view that it gives.
 * Loop thread. */
class request : public request_base
{
public:
  explicit request(weir_request *native) noexcept : request_base(native) {}
  request(const request &) = delete;
  request &operator=(const request &) = delete;

  /* Keeps it, with what is set of its response so far, to answer it later; the handler then returns
   * weir::later, unless the answer came already. Throws std::system_error when there is no memory.
   */
  [[nodiscard]] kept_request keep()
  {
    weir_request *kept = weir_request_keep(native_);
    detail::check(kept == nullptr ? -ENOMEM : 0, "weir::request::keep");
    kept_ = true;
    return kept_request::adopt(kept);
  }

  /* Whether this handler kept it. */
  bool kept() const noexcept
  {
    return kept_;
  }

  /* Moves it with its connection to another loop of the server: what the handler then returns, to
   * be called again there. See weir_request_move. */
  [[nodiscard]] int move(std::size_t loop) noexcept
  {
    return weir_request_move(native_, loop);
  }

  /* Sets the response to a plain request, and returns the status for the handler to return: for one
   * that else returns weir::later, or what cors gave. Throws std::system_error when it cannot be
   * set. */
  [[nodiscard]] int respond(const response &given)
  {
    if (std::error_code error = set(given))
      throw std::system_error(error, "weir::response");
    return given.status;
  }

  /* What the connection agreed on; none when it is plain (or no memory is left for it). */
  std::optional<tls_info> tls() const noexcept
  {
    weir_tls_info found;
    if (weir_request_tls(native_, &found) < 0)
      return std::nullopt;
    return detail::info_of(found);
  }

private:
  bool kept_ = false;
};

} // namespace weir

#endif
