/* Routes: the handlers and options of the WebSocket connections on one path (struct weir_route in
 * <weir/server.h>).
 *
 * A handler may be any callable with the arguments that its slot names: a lambda with captures,
 * move-only ones too. It is stored once per route, and C reaches it by one indirect call: the entry
 * of the C table is a function made for the callable's type, which finds the callable through the
 * route's arg. An exception that leaves a handler is caught there. */
#ifndef WEIR_ROUTE_HPP
#define WEIR_ROUTE_HPP

#include <array>
#include <cstdio>
#include <exception>

#include <weir/conn.hpp>
#include <weir/options.hpp>
#include <weir/server.h>

namespace weir
{

namespace detail
{

/* The log's callable; without one, lines go nowhere. */
struct logger {
  weir_log_fn *entry = nullptr;
  box callable;

  void write(const char *where, const char *what) noexcept
  {
    if (entry == nullptr)
      return;
    char line[256];
    std::snprintf(line, sizeof(line), "exception in %s: %s", where, what);
    entry(WEIR_LOG_ERROR, line, &callable);
  }
};

/* Where each handler's callable is in a route's state. */
enum handler : std::size_t {
  upgrade_handler,
  open_handler,
  message_handler,
  fragment_handler,
  ping_handler,
  pong_handler,
  drain_handler,
  dropped_handler,
  error_handler,
  close_handler,
  handler_count
};
inline constexpr std::array<const char *, handler_count> handler_names = {
    "upgrade", "open", "message", "fragment", "ping", "pong", "drain", "dropped", "error", "close"};

/* What a route's arg points to. */
struct route_state {
  std::array<box, handler_count> callables;
  void (*on_error)(weir_conn *, int, const char *, void *) = nullptr;
  logger *log = nullptr;
};

inline route_state &state_of(void *arg) noexcept
{
  return *static_cast<route_state *>(arg);
}

template <class F> F &callable_of(void *arg, handler which) noexcept
{
  return state_of(arg).callables[which].get<F>();
}

/* Inside a catch block: calls use(what) with the sentence of the exception in flight. */
template <class Use> void with_current_exception(Use use) noexcept
{
  try {
    throw;
  } catch (const std::exception &exception) {
    use(exception.what());
  } catch (...) {
    use("not a std::exception");
  }
}

inline void log_exception(logger *log, const char *where) noexcept
{
  with_current_exception([&](const char *what) { log->write(where, what); });
}

/* Inside a catch block: an exception left a handler of the connection, which closes with 1011. The
 * error handler is told once: not when the connection was closing already. */
[[gnu::cold, gnu::noinline]] inline void fail(weir_conn *conn, void *arg, handler which) noexcept
{
  constexpr int internal_error = 1011; // RFC 6455 section 7.4.1
  route_state &state = state_of(arg);
  with_current_exception([&](const char *what) {
    state.log->write(handler_names[which], what);
    int returned = weir_conn_close(conn, internal_error, nullptr);
    if (returned == -ENOMEM)
      weir_conn_abort(conn);
    if (returned != -EALREADY && state.on_error != nullptr && which != error_handler)
      state.on_error(conn, -internal_error, what, arg);
  });
}

/* Runs a handler's call, so that no exception enters C. */
template <class Call>
[[gnu::always_inline]] inline void guarded(weir_conn *conn, void *arg, handler which,
                                           Call call) noexcept
{
  try {
    call();
  } catch (...) {
    fail(conn, arg, which);
  }
}

template <class User> struct upgrade_event {
  using entry = int(weir_request *, void *, void *);
  template <class F>
  static constexpr bool accepts = std::is_same_v<std::invoke_result_t<F &, request &, User &>, int>;

  template <class F> static int call(weir_request *native, void *user, void *arg) noexcept
  {
    request asked(native);
    try {
      return callable_of<F>(arg, upgrade_handler)(asked, *static_cast<User *>(user));
    } catch (...) {
      log_exception(state_of(arg).log, "upgrade");
      return -500;
    }
  }
};

template <> struct upgrade_event<void> {
  using entry = int(weir_request *, void *, void *);
  template <class F>
  static constexpr bool accepts = std::is_same_v<std::invoke_result_t<F &, request &>, int>;

  template <class F> static int call(weir_request *native, void *, void *arg) noexcept
  {
    request asked(native);
    try {
      return callable_of<F>(arg, upgrade_handler)(asked);
    } catch (...) {
      log_exception(state_of(arg).log, "upgrade");
      return -500;
    }
  }
};

template <class User, handler Which> struct conn_event {
  using entry = void(weir_conn *, void *);
  template <class F> static constexpr bool accepts = std::is_invocable_v<F &, conn<User>>;

  template <class F> static void call(weir_conn *native, void *arg) noexcept
  {
    guarded(native, arg, Which, [&] { callable_of<F>(arg, Which)(conn<User>(native)); });
  }
};

template <class User, handler Which> struct message_event {
  using entry = void(weir_conn *, const weir_message *, void *);
  template <class F> static constexpr bool accepts = std::is_invocable_v<F &, conn<User>, message>;

  template <class F>
  static void call(weir_conn *native, const weir_message *lent, void *arg) noexcept
  {
    guarded(native, arg, Which,
            [&] { callable_of<F>(arg, Which)(conn<User>(native), message(*lent)); });
  }
};

template <class User, handler Which> struct payload_event {
  using entry = void(weir_conn *, weir_slice, void *);
  template <class F>
  static constexpr bool accepts = std::is_invocable_v<F &, conn<User>, std::span<const std::byte>>;

  template <class F> static void call(weir_conn *native, weir_slice lent, void *arg) noexcept
  {
    guarded(native, arg, Which,
            [&] { callable_of<F>(arg, Which)(conn<User>(native), bytes_of(lent)); });
  }
};

template <class User> struct error_event {
  using entry = void(weir_conn *, int, const char *, void *);
  template <class F>
  static constexpr bool takes_what =
      std::is_invocable_v<F &, conn<User>, std::error_code, std::string_view>;
  template <class F>
  static constexpr bool accepts =
      takes_what<F> || std::is_invocable_v<F &, conn<User>, std::error_code>;

  template <class F>
  static void call(weir_conn *native, int error, const char *what, void *arg) noexcept
  {
    guarded(native, arg, error_handler, [&] {
      F &callable = callable_of<F>(arg, error_handler);
      if constexpr (takes_what<F>)
        callable(conn<User>(native), to_error_code(error), std::string_view(what));
      else
        callable(conn<User>(native), to_error_code(error));
    });
  }
};

template <class User> struct dropped_event {
  using entry = void(weir_conn *, std::size_t, void *);
  template <class F>
  static constexpr bool accepts = std::is_invocable_v<F &, conn<User>, std::size_t>;

  template <class F> static void call(weir_conn *native, std::size_t messages, void *arg) noexcept
  {
    guarded(native, arg, dropped_handler,
            [&] { callable_of<F>(arg, dropped_handler)(conn<User>(native), messages); });
  }
};

template <class User> struct close_event {
  using entry = void(weir_conn *, int, weir_slice, void *);
  template <class F>
  static constexpr bool accepts = std::is_invocable_v<F &, conn<User>, int, std::string_view>;

  template <class F>
  static void call(weir_conn *native, int code, weir_slice reason, void *arg) noexcept
  {
    guarded(native, arg, close_handler,
            [&] { callable_of<F>(arg, close_handler)(conn<User>(native), code, text_of(reason)); });
  }
};

} // namespace detail

/* The handlers of a route, each of which may be left out, and its options; meant for designated
 * initialisers. struct weir_handlers says when each is called; all run on the connection's loop,
 * and so on several threads at once where a server has several loops.
 *
 * User is what the application keeps inside each connection, at most 64 KiB aligned to 16: default-
 * constructed before upgrade (an exception refuses with 500), destroyed after close.
 *
 * An exception that leaves upgrade refuses with 500. One that leaves another handler is written to
 * the log, the connection is closed with 1011, and error gets that code with the exception's
 * what(); on a connection that is closing already, the log alone. */
template <class User = void> struct route {
  /* int (request &, User &), without the User on a route<>: 0 accepts, -HTTP status refuses,
   * weir::later when the request was kept, or what request::move returned */
  detail::slot<detail::upgrade_event<User>> upgrade = {};
  /* (conn<User>) */
  detail::slot<detail::conn_event<User, detail::open_handler>> open = {};
  /* (conn<User>, message): a whole message */
  detail::slot<detail::message_event<User, detail::message_handler>> message = {};
  /* (conn<User>, message): a piece of one, as it arrives; message is not called then */
  detail::slot<detail::message_event<User, detail::fragment_handler>> fragment = {};
  /* (conn<User>, std::span<const std::byte> payload) */
  detail::slot<detail::payload_event<User, detail::ping_handler>> ping = {};
  detail::slot<detail::payload_event<User, detail::pong_handler>> pong = {};
  /* (conn<User>) */
  detail::slot<detail::conn_event<User, detail::drain_handler>> drain = {};
  /* (conn<User>, std::size_t messages): so many were dropped by the queue's policy */
  detail::slot<detail::dropped_event<User>> dropped = {};
  /* (conn<User>, std::error_code) or (conn<User>, std::error_code, std::string_view what) */
  detail::slot<detail::error_event<User>> error = {};
  /* (conn<User>, int code, std::string_view reason) */
  detail::slot<detail::close_event<User>> close = {};

  route_options options = {};
};

namespace detail
{

template <class User> int user_init(void *user, void *arg) noexcept
{
  try {
    ::new (user) User();
    return 0;
  } catch (...) {
    log_exception(state_of(arg).log, "the user's constructor");
    return -500;
  }
}

template <class User> void user_fini(void *user, void *) noexcept
{
  static_cast<User *>(user)->~User();
}

/* The C table of a route's handlers. */
template <class User> weir_handlers handlers_of(const route<User> &given) noexcept
{
  weir_handlers table = {};
  table.on_upgrade = given.upgrade.entry();
  table.on_open = given.open.entry();
  table.on_message = given.message.entry();
  table.on_fragment = given.fragment.entry();
  table.on_ping = given.ping.entry();
  table.on_pong = given.pong.entry();
  table.on_drain = given.drain.entry();
  table.on_dropped = given.dropped.entry();
  table.on_error = given.error.entry();
  table.on_close = given.close.entry();
  if constexpr (!std::is_void_v<User>) {
    table.user_init = user_init<User>;
    table.user_fini = user_fini<User>;
  }
  return table;
}

/* Moves a route's callables to where its handlers look for them. */
template <class User> std::unique_ptr<route_state> take_state(route<User> &given, logger *log)
{
  auto state = std::make_unique<route_state>();
  state->callables = {given.upgrade.take(),  given.open.take(),    given.message.take(),
                      given.fragment.take(), given.ping.take(),    given.pong.take(),
                      given.drain.take(),    given.dropped.take(), given.error.take(),
                      given.close.take()};
  state->on_error = given.error.entry();
  state->log = log;
  return state;
}

template <class User> constexpr std::size_t user_bytes() noexcept
{
  if constexpr (std::is_void_v<User>) {
    return 0;
  } else {
    static_assert(alignof(User) <= 16, "weir aligns the user data of a connection to 16");
    static_assert(sizeof(User) <= 65536, "weir keeps at most 64 KiB of user data in a connection");
    static_assert(std::is_nothrow_destructible_v<User>);
    return sizeof(User);
  }
}

/* The C options; protocols, origins and the listener's name are lent. */
inline weir_route_options to_native(const route_options &options, const char *const *protocols,
                                    const char *const *origins) noexcept
{
  weir_route_options native = {};
  native.size = sizeof(native);
  native.max_message_bytes = options.max_message_bytes;
  native.max_fragments = options.max_fragments;
  native.max_queued_bytes = options.max_queued_bytes;
  native.max_queued_messages = options.max_queued_messages;
  native.queue_policy = static_cast<std::size_t>(options.queue_policy);
  native.ping_interval_ms = options.ping_interval_ms;
  native.pong_timeout_ms = options.pong_timeout_ms;
  native.idle_timeout_ms = options.idle_timeout_ms;
  native.close_timeout_ms = options.close_timeout_ms;
  native.no_broadcast = options.no_broadcast;
  native.protocols = protocols;
  native.origins = origins;
  native.origin_required = options.origin_required;
  native.compression = static_cast<std::size_t>(options.compression);
  native.compression_threshold = options.compression_threshold;
  native.compression_level = options.compression_level;
  native.server_window_bits = options.server_window_bits;
  native.client_window_bits = options.client_window_bits;
  native.message_timeout_ms = options.message_timeout_ms;
  native.max_messages_per_s = options.max_messages_per_s;
  native.max_bytes_per_s = options.max_bytes_per_s;
  native.max_subscriptions = options.max_subscriptions;
  native.listener = options.listener.empty() ? nullptr : options.listener.c_str();
  native.max_lifetime_ms = options.max_lifetime_ms;
  return native;
}

} // namespace detail

} // namespace weir

#endif
