/* The server: routes, listeners, loops, and everything that reaches all connections
 * (<weir/server.h>). */
#ifndef WEIR_SERVER_HPP
#define WEIR_SERVER_HPP

#include <chrono>

#include <weir/http.hpp>
#include <weir/listen.hpp>
#include <weir/metrics.h>
#include <weir/route.hpp>

namespace weir
{

/* Whom a broadcast or a publish passes by; meant for a designated initialiser. */
struct delivery {
  conn_id except = {}; /* the default: nobody */
};

/* Counts since the server was made, summed over its loops. */
using counters = weir_counters;

/* A server and what its routes' handlers own. Move-only. Set-up throws std::system_error with the
 * value that the C function of the same name returns; the rest returns it. Any thread, but
 * attach(). */
class server
{
public:
  explicit server(server_options options = {}) : log_(std::make_unique<detail::logger>())
  {
    log_->entry = options.log.entry();
    log_->callable = options.log.take();
    auto trusted = detail::c_strings(options.trusted_proxies);
    weir_options native = to_native(options);
    native.trusted_proxies = list(trusted);
    weir_server *made = nullptr;
    detail::check(weir_server_new(&made, &native), "weir::server");
    native_.reset(made);
  }
  server(server &&) noexcept = default;
  server &operator=(server &&other) noexcept
  {
    server taken(std::move(other)); // what this owned dies with taken, in the right order
    log_.swap(taken.log_);
    owned_.swap(taken.owned_);
    native_.swap(taken.native_);
    return *this;
  }
  ~server() = default;

  /* Serves WebSocket connections on a path, "/chat", "/:name" or "*", see weir_server_route. Before
   * listening. Returns itself. */
  template <class User = void> server &route(c_string path, weir::route<User> given)
  {
    auto protocols = detail::c_strings(given.options.protocols);
    auto origins = detail::c_strings(given.options.origins);
    weir_route native = {};
    native.size = sizeof(native);
    native.user_bytes = detail::user_bytes<User>();
    native.handlers = detail::handlers_of(given);
    native.options = detail::to_native(given.options, list(protocols), list(origins));

    void *state = own(detail::take_state(given, log_.get()));
    detail::check(weir_server_route(native_.get(), path.get(), &native, state),
                  std::string("weir::server::route ") + path.get());
    return *this;
  }

  /* Answers plain requests of a method on a path, patterns as of route: with a handler, a callable
   * (request &) that returns a weir::response or a status, or with a weir::http_route. See
   * weir_server_http. Before listening. Returns itself. */
  template <class H = http_route>
  requires detail::http_handling<H> server &http(c_string method, c_string path, H handler)
  {
    return add_http(method.get(), path, detail::http_route_of(std::move(handler)));
  }

  /* The same by the method's name: get answers HEAD too, del is DELETE, and any takes every method
   * that no other route of the path has. */
  template <class H = http_route>
  requires detail::http_handling<H> server &get(c_string path, H handler)
  {
    return http("GET", path, std::move(handler));
  }
  template <class H = http_route>
  requires detail::http_handling<H> server &post(c_string path, H handler)
  {
    return http("POST", path, std::move(handler));
  }
  template <class H = http_route>
  requires detail::http_handling<H> server &put(c_string path, H handler)
  {
    return http("PUT", path, std::move(handler));
  }
  template <class H = http_route>
  requires detail::http_handling<H> server &patch(c_string path, H handler)
  {
    return http("PATCH", path, std::move(handler));
  }
  template <class H = http_route>
  requires detail::http_handling<H> server &del(c_string path, H handler)
  {
    return http("DELETE", path, std::move(handler));
  }
  template <class H = http_route>
  requires detail::http_handling<H> server &options(c_string path, H handler)
  {
    return http("OPTIONS", path, std::move(handler));
  }
  template <class H = http_route>
  requires detail::http_handling<H> server &any(c_string path, H handler)
  {
    return add_http(nullptr, path, detail::http_route_of(std::move(handler)));
  }

  /* Answers GET and HEAD on a path that ends in "*" with the files of a folder, see
   * weir_server_static. Before listening. Returns itself. */
  server &files(c_string path, c_string folder, const file_options &options = {})
  {
    weir_static_options native = {};
    native.size = sizeof(native);
    native.max_age_s = options.max_age_s;
    native.index = detail::null_if_empty(options.index);
    native.listener = detail::null_if_empty(options.listener);
    detail::check(weir_server_static(native_.get(), path.get(), folder.get(), &native),
                  std::string("weir::server::files ") + folder.get());
    return *this;
  }

  /* Listens on all addresses, or on a host's, and a port (0: any free one). Returns itself. */
  server &listen(std::uint16_t port)
  {
    detail::check(weir_server_listen(native_.get(), nullptr, port),
                  "weir::server::listen " + std::to_string(port));
    return *this;
  }
  server &listen(c_string host, std::uint16_t port)
  {
    detail::check(weir_server_listen(native_.get(), host.get(), port),
                  std::string("weir::server::listen ") + host.get());
    return *this;
  }

  /* The same for TLS: connections are those of wss and https. */
  server &listen(const tls &with, std::uint16_t port)
  {
    detail::check(weir_server_listen_tls(native_.get(), with.native(), nullptr, port),
                  "weir::server::listen " + std::to_string(port));
    return *this;
  }
  server &listen(const tls &with, c_string host, std::uint16_t port)
  {
    detail::check(weir_server_listen_tls(native_.get(), with.native(), host.get(), port),
                  std::string("weir::server::listen ") + host.get());
    return *this;
  }

  /* Listens as the options say: on a unix socket, an inherited descriptor, under a name; see
   * weir_server_listen_on. Returns itself. */
  server &listen(const listen_options &options)
  {
    weir_listen_options native = detail::to_native(options);
    detail::check(weir_server_listen_on(native_.get(), &native),
                  "weir::server::listen " + detail::name_of(options));
    return *this;
  }

  /* The port that it listens on first, or first under a name; 0 when there is none. */
  std::uint16_t port() const noexcept
  {
    return weir_server_port(native_.get());
  }
  std::uint16_t port(c_string name) const noexcept
  {
    return weir_server_port_of(native_.get(), name.get());
  }

  /* How many loops it has: the index of the last one, and 1. */
  std::size_t loop_count() const noexcept
  {
    return weir_server_loop_count(native_.get());
  }

  /* loop_ref::post on a loop by its index. Returns as that does, and EINVAL when the server does
   * not run, or has no such loop. */
  template <std::invocable F> std::error_code post(std::size_t index, F &&callable)
  {
    weir_loop *found = weir_server_loop(native_.get(), index);
    if (found == nullptr)
      return to_error_code(-EINVAL);
    return loop_ref(found).post(std::forward<F>(callable));
  }

  /* Serves until stop(): on this thread, and on one more for each further loop. */
  void run()
  {
    detail::check(weir_server_run(native_.get()), "weir::server::run");
  }

  /* Serves on the loop given instead, from now on; it must outlive the server. Loop thread. */
  void attach(loop &on)
  {
    detail::check(weir_server_attach(native_.get(), on.native()), "weir::server::attach");
  }

  /* Closes every connection and ends run(). Async-signal-safe. */
  void stop() noexcept
  {
    weir_server_stop(native_.get());
  }

  /* Ends gracefully within a time of at most a day: connections are told to go one by one, and
   * run() returns when nobody is left; see weir_server_drain. Async-signal-safe. Returns as that
   * does. */
  std::error_code drain(std::chrono::milliseconds deadline) noexcept
  {
    return to_error_code(
        weir_server_drain(native_.get(), static_cast<std::size_t>(deadline.count())));
  }

  /* Sends to every open connection of the routes that take part, on all loops, but to the one that
   * .except names. A message is only taken inside its handler. Returns as weir_server_broadcast
   * does. */
  std::error_code broadcast(const frame &shared, delivery to = {}) noexcept
  {
    return to_error_code(weir_server_broadcast(native_.get(), shared.native(), to.except.value()));
  }
  std::error_code broadcast(message lent, delivery to = {}) noexcept
  {
    std::error_code error;
    frame shared = lent.to_frame(error);
    return error ? error : broadcast(shared, to);
  }

  /* The same to the subscribers of a topic (1 to 255 bytes). Returns as weir_server_publish does.
   */
  std::error_code publish(std::string_view topic, const frame &shared, delivery to = {}) noexcept
  {
    return to_error_code(weir_server_publish(native_.get(), topic.data(), topic.size(),
                                             shared.native(), to.except.value()));
  }
  std::error_code publish(std::string_view topic, message lent, delivery to = {}) noexcept
  {
    std::error_code error;
    frame shared = lent.to_frame(error);
    return error ? error : publish(topic, shared, to);
  }

  /* What is published to topics whose name begins with prefix has this policy, on every connection.
   * Before listening; see weir_server_topic_policy. Returns itself. */
  server &topic_policy(std::string_view prefix, queue_policy policy)
  {
    detail::check(weir_server_topic_policy(native_.get(), prefix.data(), prefix.size(),
                                           static_cast<weir_queue_policy>(policy)),
                  "weir::server::topic_policy " + std::string(prefix));
    return *this;
  }

  /* How many connections are subscribed to a topic, as of now. */
  std::size_t subscribers(std::string_view topic) const noexcept
  {
    return weir_server_subscribers(native_.get(), topic.data(), topic.size());
  }

  /* Sends to one connection, or closes it, by its id. Return as weir_server_send and
   * weir_server_close_id do: ESTALE once the id names no connection. */
  std::error_code send(conn_id to, const frame &shared) noexcept
  {
    return to_error_code(weir_server_send(native_.get(), to.value(), shared.native()));
  }
  std::error_code close(conn_id which, int code = 1000, std::string_view reason = {}) noexcept
  {
    detail::close_reason terminated(reason);
    if (!terminated.valid())
      return to_error_code(-EINVAL);
    return to_error_code(
        weir_server_close_id(native_.get(), which.value(), code, terminated.string()));
  }

  /* Sends to those connections for which the filter, a callable (conn<>) that returns bool, says
   * so. It is called on several loops at once, only looks, and is destroyed after its last call;
   * one that throws says no. Returns as weir_server_broadcast_if does, and ENOMEM when the filter
   * could not be kept. */
  template <std::predicate<conn<>> F>
  std::error_code broadcast_if(const frame &shared, F &&filter) noexcept
  {
    using closure = std::decay_t<F>;
    auto *kept = new (std::nothrow) closure(std::forward<F>(filter));
    if (kept == nullptr)
      return to_error_code(-ENOMEM);
    int returned = weir_server_broadcast_if(native_.get(), shared.native(), chooses<closure>,
                                            destroy<closure>, kept);
    if (returned < 0)
      delete kept;
    return to_error_code(returned);
  }

  /* Has a callable (std::optional<conn<User>>) called once on the loop of a connection of a
   * route<User>, with none when that is closed by then; never inside this call. An exception that
   * leaves it is dropped. Returns as weir_server_with does: on an error it is never called. */
  template <class User = void, std::invocable<std::optional<conn<User>>> F>
  std::error_code with(conn_id which, F &&callable)
  {
    using closure = std::decay_t<F>;
    auto *kept = new (std::nothrow) closure(std::forward<F>(callable));
    if (kept == nullptr)
      return to_error_code(-ENOMEM);
    int returned = weir_server_with(native_.get(), which.value(), visit_once<User, closure>, kept);
    if (returned < 0)
      delete kept;
    return to_error_code(returned);
  }

  /* How many WebSocket connections are open, as of now. */
  std::size_t connections() const noexcept
  {
    return weir_server_connections(native_.get());
  }

  /* The connection of an id, on a route<User>; none when it is closed or lives on another loop.
   * On the loop's thread. */
  template <class User = void> std::optional<conn<User>> find(loop_ref on, conn_id id) noexcept
  {
    weir_conn *found = weir_conn_find(native_.get(), on.native(), id.value());
    if (found == nullptr)
      return std::nullopt;
    return conn<User>(found);
  }

  /* The server's counts, each a moment's reading. */
  weir::counters counters() const noexcept
  {
    weir::counters counts = {};
    weir_server_counters(native_.get(), &counts);
    return counts;
  }

  /* The same and more as Prometheus' text, see weir_server_metrics. */
  std::string metrics() const
  {
    std::string text(WEIR_METRICS_BYTES, '\0');
    text.resize(weir_server_metrics(native_.get(), text.data(), text.size()));
    return text;
  }

  /* GET /metrics, /livez and /readyz on the listeners of a name, see weir_server_observe. Before
   * listening. Returns itself. */
  server &observe(c_string listener)
  {
    detail::check(weir_server_observe(native_.get(), listener.get()),
                  std::string("weir::server::observe ") + listener.get());
    return *this;
  }

  /* The C server, still owned here. */
  weir_server *native() const noexcept
  {
    return native_.get();
  }

private:
  struct release {
    void operator()(weir_server *native) const noexcept
    {
      weir_server_free(native);
    }
  };

  template <class Closure> static bool chooses(weir_conn *native, void *arg) noexcept
  {
    try {
      return (*static_cast<Closure *>(arg))(conn<>(native));
    } catch (...) {
      return false;
    }
  }

  template <class Closure> static void destroy(void *arg) noexcept
  {
    delete static_cast<Closure *>(arg);
  }

  template <class User, class Closure> static void visit_once(weir_conn *native, void *arg) noexcept
  {
    std::unique_ptr<Closure> kept(static_cast<Closure *>(arg));
    std::optional<conn<User>> found;
    if (native != nullptr)
      found.emplace(native);
    try {
      (*kept)(found);
    } catch (...) {
    }
  }

  weir_options to_native(const server_options &options) const noexcept
  {
    weir_options native = {};
    native.size = sizeof(native);
    native.loops = options.loops;
    native.backlog = options.backlog;
    native.handshake_timeout_ms = options.handshake_timeout_ms;
    native.keep_alive_ms = options.keep_alive_ms;
    native.max_header_bytes = options.max_header_bytes;
    native.max_header_fields = options.max_header_fields;
    native.max_uri_bytes = options.max_uri_bytes;
    native.busy_poll_us = options.busy_poll_us;
    native.max_compression_bytes = options.max_compression_bytes;
    native.max_connections = options.max_connections;
    native.max_connections_per_address = options.max_connections_per_address;
    native.max_handshakes = options.max_handshakes;
    native.max_topics = options.max_topics;
    native.max_queue_memory = options.max_queue_memory;
    native.log = log_->entry;
    native.log_arg = &log_->callable;
    return native;
  }

  server &add_http(const char *method, c_string path, http_route given)
  {
    weir_http_route native = detail::to_native(given);
    void *state = own(detail::take_state(given, log_.get()));
    detail::check(weir_server_http(native_.get(), method, path.get(), &native, state),
                  std::string("weir::server::http ") + path.get());
    return *this;
  }

  /* Keeps an object as long as the server; returns it. */
  template <class T> void *own(std::unique_ptr<T> object)
  {
    owned_.emplace_back(std::move(object));
    return owned_.back().get();
  }

  static const char *const *list(const std::vector<const char *> &strings) noexcept
  {
    return strings.empty() ? nullptr : strings.data();
  }

  std::unique_ptr<detail::logger> log_;
  std::vector<std::shared_ptr<void>> owned_;
  std::unique_ptr<weir_server, release> native_; // the last member: freed first, it uses the others
};

} // namespace weir

#endif
