/* Connections: one open WebSocket each (<weir/conn.h>). */
#ifndef WEIR_CONN_HPP
#define WEIR_CONN_HPP

#include <cerrno>
#include <compare>
#include <functional>

#include <weir/conn.h>
#include <weir/loop.hpp>
#include <weir/message.hpp>
#include <weir/options.hpp>
#include <weir/request.hpp>

namespace weir
{

/* Names a connection for ever, also once it is gone; the default names none. Any thread. */
class conn_id
{
public:
  constexpr conn_id() noexcept = default;
  constexpr explicit conn_id(weir_conn_id value) noexcept : value_(value) {}

  constexpr weir_conn_id value() const noexcept
  {
    return value_;
  }
  constexpr explicit operator bool() const noexcept
  {
    return value_ != 0;
  }
  constexpr auto operator<=>(const conn_id &) const noexcept = default;

private:
  weir_conn_id value_ = 0;
};

namespace detail
{

/* The reason of a Close as C takes it: terminated, so without a NUL inside, at most 123 bytes. */
class close_reason
{
public:
  explicit close_reason(std::string_view reason) noexcept
      : valid_(reason.size() < sizeof(string_) && reason.find('\0') == std::string_view::npos)
  {
    if (valid_)
      reason.copy(string_, reason.size());
  }
  bool valid() const noexcept
  {
    return valid_;
  }
  const char *string() const noexcept
  {
    return string_;
  }

private:
  char string_[124] = {};
  bool valid_;
};

} // namespace detail

/* What is queued for a connection and unsent: bytes and whole messages. */
using buffered = weir_buffered;

/* What was agreed about compression (struct weir_compression_state). */
using compression_state = weir_compression_state;

template <class User = void> class conn;

/* A handle of a connection: 8 bytes, passed by value, good until the connection's close handler
 * returns; a conn_id outlives that. All calls are allowed inside any handler, on this connection
 * and on others. Loop thread. */
template <> class conn<void>
{
public:
  explicit conn(weir_conn *native) noexcept : native_(native) {}

  /* Sends one message: text, which is not checked to be UTF-8; binary; a message that a handler was
   * lent, or a shared frame, without copying it. Returns as weir_conn_send does. */
  std::error_code send(std::string_view text) noexcept
  {
    return to_error_code(weir_conn_send(native_, WEIR_TEXT, text.data(), text.size()));
  }
  std::error_code send(std::span<const std::byte> binary) noexcept
  {
    return to_error_code(weir_conn_send(native_, WEIR_BINARY, binary.data(), binary.size()));
  }
  std::error_code send(message lent) noexcept
  {
    return to_error_code(weir_conn_send_message(native_, lent.native()));
  }
  std::error_code send(const frame &shared) noexcept
  {
    return to_error_code(weir_conn_send_frame(native_, shared.native()));
  }

  /* The same of a message that stays uncompressed where compression was agreed: for one that mixes
   * a secret with what an attacker may choose (RFC 7692 section 8). */
  std::error_code send_uncompressed(std::string_view text) noexcept
  {
    return to_error_code(weir_conn_send(native_, WEIR_TEXT_UNCOMPRESSED, text.data(), text.size()));
  }
  std::error_code send_uncompressed(std::span<const std::byte> binary) noexcept
  {
    return to_error_code(
        weir_conn_send(native_, WEIR_BINARY_UNCOMPRESSED, binary.data(), binary.size()));
  }

  /* Sends one message in fragments: its first bytes, as text or as binary, further ones, the last
   * ones. Return as weir_conn_send_begin, _more and _end do. */
  std::error_code send_begin(std::string_view text) noexcept
  {
    return to_error_code(weir_conn_send_begin(native_, WEIR_TEXT, text.data(), text.size()));
  }
  std::error_code send_begin(std::span<const std::byte> binary) noexcept
  {
    return to_error_code(weir_conn_send_begin(native_, WEIR_BINARY, binary.data(), binary.size()));
  }
  std::error_code send_more(bytes_view data) noexcept
  {
    return to_error_code(weir_conn_send_more(native_, data.data(), data.size()));
  }
  std::error_code send_end(bytes_view data = {}) noexcept
  {
    return to_error_code(weir_conn_send_end(native_, data.data(), data.size()));
  }

  /* Sends a ping or an unsolicited pong of at most 125 bytes. Return as weir_conn_ping does. */
  std::error_code ping(bytes_view data = {}) noexcept
  {
    return to_error_code(weir_conn_ping(native_, data.data(), data.size()));
  }
  std::error_code pong(bytes_view data = {}) noexcept
  {
    return to_error_code(weir_conn_pong(native_, data.data(), data.size()));
  }

  /* Begins the closing handshake; the close handler follows. Returns as weir_conn_close does. */
  std::error_code close(int code = 1000, std::string_view reason = {}) noexcept
  {
    detail::close_reason terminated(reason);
    if (!terminated.valid())
      return to_error_code(-EINVAL);
    return to_error_code(weir_conn_close(native_, code, terminated.string()));
  }

  /* Drops the connection without a closing handshake; the close handler follows, with 1006. */
  void abort() noexcept
  {
    weir_conn_abort(native_);
  }

  /* Stops reading from the peer, so that TCP holds it back; goes on. */
  void pause() noexcept
  {
    weir_conn_pause(native_);
  }
  void resume() noexcept
  {
    weir_conn_resume(native_);
  }

  /* Begins and ends the subscription of a topic (1 to 255 bytes). Return as weir_conn_subscribe
   * and weir_conn_unsubscribe do. */
  std::error_code subscribe(std::string_view topic) noexcept
  {
    return to_error_code(weir_conn_subscribe(native_, topic.data(), topic.size()));
  }
  std::error_code unsubscribe(std::string_view topic) noexcept
  {
    return to_error_code(weir_conn_unsubscribe(native_, topic.data(), topic.size()));
  }
  bool is_subscribed(std::string_view topic) const noexcept
  {
    return weir_conn_is_subscribed(native_, topic.data(), topic.size());
  }

  /* Sends to all subscribers of a topic but this connection, on all loops. Return as
   * weir_conn_publish does. */
  std::error_code publish(std::string_view topic, const frame &shared) noexcept
  {
    int returned = weir_conn_publish(native_, topic.data(), topic.size(), shared.native());
    return to_error_code(returned);
  }
  std::error_code publish(std::string_view topic, message lent) noexcept
  {
    std::error_code error;
    frame shared = lent.to_frame(error);
    return error ? error : publish(topic, shared);
  }

  /* A policy of its own for what is sent to it from now on. Returns as weir_conn_set_queue_policy
   * does. */
  std::error_code set_queue_policy(queue_policy policy) noexcept
  {
    return to_error_code(
        weir_conn_set_queue_policy(native_, static_cast<weir_queue_policy>(policy)));
  }

  /* What is queued and unsent: .bytes and .messages. */
  weir::buffered buffered() const noexcept
  {
    return weir_conn_buffered(native_);
  }

  conn_id id() const noexcept
  {
    return conn_id(weir_conn_id_of(native_));
  }
  loop_ref loop() const noexcept
  {
    return loop_ref(weir_conn_loop(native_));
  }

  /* The peer's address. */
  weir::peer peer() const
  {
    weir_peer found;
    if (weir_conn_peer(native_, &found) < 0)
      return {};
    return {found.address, found.port};
  }

  /* What the connection agreed on; none when it is plain (or no memory is left for it). */
  std::optional<tls_info> tls() const noexcept
  {
    weir_tls_info found;
    if (weir_conn_tls(native_, &found) < 0)
      return std::nullopt;
    return detail::info_of(found);
  }

  /* What was agreed about compression: .agreed, .server_takeover and so on, 0 where there is none.
   */
  compression_state compression() const noexcept
  {
    compression_state state = {};
    weir_conn_compression(native_, &state);
    return state;
  }

  /* The subprotocol that was selected, lent by the connection; empty when none was. */
  std::string_view protocol() const noexcept
  {
    return detail::text_of(weir_conn_protocol(native_));
  }

  /* The C connection. */
  weir_conn *native() const noexcept
  {
    return native_;
  }

  /* Two handles are equal that name the same connection. */
  bool operator==(const conn &) const noexcept = default;

private:
  weir_conn *native_;
};

/* A handle of a connection on a route<User>: reaches the User that lives inside the connection. */
template <class User> class conn : public conn<void>
{
public:
  using conn<void>::conn;

  User *operator->() const noexcept
  {
    return static_cast<User *>(weir_conn_user(native()));
  }
  User &operator*() const noexcept
  {
    return *operator->();
  }
};

} // namespace weir

/* Ids are keys of unordered containers. */
template <> struct std::hash<weir::conn_id> {
  std::size_t operator()(weir::conn_id id) const noexcept
  {
    return std::hash<weir_conn_id>()(id.value());
  }
};

#endif
