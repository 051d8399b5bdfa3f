/* Routes of plain HTTP requests, and folders of files (<weir/http.h>).
 *
 * Handlers are callables as those of a WebSocket route are (weir/route.hpp): stored once, reached
 * by C's one indirect call, and no exception leaves them. */
#ifndef WEIR_HTTP_HPP
#define WEIR_HTTP_HPP

#include <weir/http.h>
#include <weir/route.hpp>

namespace weir
{

namespace detail
{

/* Where each handler's callable is in an HTTP route's state. */
enum http_handler : std::size_t {
  request_handler,
  body_handler,
  room_handler,
  gone_handler,
  http_handler_count
};
inline constexpr std::array<const char *, http_handler_count> http_handler_names = {
    "request", "body", "drain", "gone"};

/* What an HTTP route's arg points to. */
struct http_state {
  std::array<box, http_handler_count> callables;
  logger *log = nullptr;
};

inline http_state &http_state_of(void *arg) noexcept
{
  return *static_cast<http_state *>(arg);
}

/* Inside a catch block. */
[[gnu::cold, gnu::noinline]] inline void log_failure(void *arg, http_handler which) noexcept
{
  log_exception(http_state_of(arg).log, http_handler_names[which]);
}

/* Inside a catch block: what answers a request whose handler threw. A kept one's response may be in
 * other hands, so only the status says it. */
[[gnu::cold, gnu::noinline]] inline int answer_failure(request &asked, void *arg) noexcept
{
  log_failure(arg, request_handler);
  if (asked.kept())
    return -500;
  asked.respond_body("text/plain; charset=utf-8", "internal server error\n");
  return 500;
}

template <class R>
concept status_or_response = std::same_as<R, int> || std::same_as<std::remove_cvref_t<R>, response>;

struct request_event {
  using entry = int(weir_request *, void *);
  template <class F> static constexpr bool accepts = requires(F &callable, request &asked)
  {
    {
      callable(asked)
      } -> status_or_response;
  };

  static int status(request &, int given) noexcept
  {
    return given;
  }
  static int status(request &asked, const response &given)
  {
    return asked.respond(given);
  }
  template <class F> static int call(weir_request *native, void *arg) noexcept
  {
    request asked(native);
    try {
      return status(asked, http_state_of(arg).callables[request_handler].get<F>()(asked));
    } catch (...) {
      return answer_failure(asked, arg);
    }
  }
};

/* A reference of the handler's own, for it may drop all others. */
inline kept_request share(weir_request *lent) noexcept
{
  return kept_request::adopt(weir_request_ref(lent));
}

struct body_event {
  using entry = void(weir_request *, weir_slice, bool, void *);
  template <class F>
  static constexpr bool accepts = std::is_invocable_v<F &, kept_request &, std::string_view, bool>;

  template <class F>
  static void call(weir_request *native, weir_slice piece, bool last, void *arg) noexcept
  {
    kept_request kept = share(native);
    try {
      http_state_of(arg).callables[body_handler].get<F>()(kept, text_of(piece), last);
    } catch (...) {
      log_failure(arg, body_handler);
      weir_request_respond(native, 500); // unless it is answered
    }
  }
};

template <http_handler Which> struct kept_event {
  using entry = void(weir_request *, void *);
  template <class F> static constexpr bool accepts = std::is_invocable_v<F &, kept_request &>;

  template <class F> static void call(weir_request *native, void *arg) noexcept
  {
    kept_request kept = share(native);
    try {
      http_state_of(arg).callables[Which].get<F>()(kept);
    } catch (...) {
      log_failure(arg, Which);
    }
  }
};

} // namespace detail

/* Options of an HTTP route: those of struct weir_http_route, which documents each. */
struct http_options {
  std::size_t max_body_bytes = 0;
  std::size_t body_timeout_ms = 0;
  std::size_t response_timeout_ms = 0;
  std::size_t max_queued_bytes = 0;
  std::string listener = {};
};

/* The handlers of plain requests, of which request is needed, and the route's options; meant for
 * designated initialisers. struct weir_http_route says when each is called; all run on the
 * connection's loop, and so on several threads at once where a server has several loops.
 *
 * An exception that leaves request answers 500; one that leaves body does where nothing was
 * answered yet. All are written to the log, and nothing else is done about one that leaves drain or
 * gone. */
struct http_route {
  /* (request &) returns a weir::response; or an int: the status, where 0 is 200, weir::later, or
   * what request's move, respond or cors gave */
  detail::slot<detail::request_event> request = {};
  /* (kept_request &, std::string_view piece, bool last): a piece of the body as it arrives, of a
   * request that request kept before any of it came */
  detail::slot<detail::body_event> body = {};
  /* (kept_request &): a streamed response has left, write may go on */
  detail::slot<detail::kept_event<detail::room_handler>> drain = {};
  /* (kept_request &): it can be answered no more, and was not */
  detail::slot<detail::kept_event<detail::gone_handler>> gone = {};

  http_options options = {};
};

/* struct weir_static_options, which documents each; meant for a designated initialiser. */
struct file_options {
  std::size_t max_age_s = 0;
  std::string index = {};
  std::string listener = {};
};

namespace detail
{

/* What server::http takes: a whole route, or the one handler of it. */
template <class H>
concept http_handling = std::same_as<H, http_route> || request_event::accepts<H>;

inline http_route http_route_of(http_route &&given) noexcept
{
  return std::move(given);
}
template <class F>
requires request_event::accepts<F> http_route http_route_of(F &&handler)
{
  return {.request = std::move(handler)};
}

/* The C route; its strings are lent. */
inline weir_http_route to_native(const http_route &given) noexcept
{
  weir_http_route native = {};
  native.size = sizeof(native);
  native.on_request = given.request.entry();
  native.on_body = given.body.entry();
  native.on_drain = given.drain.entry();
  native.on_gone = given.gone.entry();
  native.max_body_bytes = given.options.max_body_bytes;
  native.body_timeout_ms = given.options.body_timeout_ms;
  native.response_timeout_ms = given.options.response_timeout_ms;
  native.max_queued_bytes = given.options.max_queued_bytes;
  native.listener = null_if_empty(given.options.listener);
  return native;
}

/* Moves a route's callables to where its handlers look for them. */
inline std::unique_ptr<http_state> take_state(http_route &given, logger *log)
{
  auto state = std::make_unique<http_state>();
  state->callables = {given.request.take(), given.body.take(), given.drain.take(),
                      given.gone.take()};
  state->log = log;
  return state;
}

} // namespace detail

} // namespace weir

#endif
