/* Options of a server and of a route: names, units and defaults are those of <weir/options.h>, 0 is
 * the default and off means off or unlimited, so that one documentation serves both. */
#ifndef WEIR_OPTIONS_HPP
#define WEIR_OPTIONS_HPP

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include <weir/options.h>
#include <weir/slot.hpp>

namespace weir
{

/* The value of any option that means "off" or "unlimited". */
inline constexpr std::size_t off = WEIR_OFF;

/* What becomes of messages that do not fit a queue, and of those in it (enum weir_queue_policy). */
enum class queue_policy : std::size_t {
  close = WEIR_QUEUE_CLOSE,
  drop_newest = WEIR_QUEUE_DROP_NEWEST,
  drop_oldest = WEIR_QUEUE_DROP_OLDEST,
  keep_latest = WEIR_QUEUE_KEEP_LATEST,
};

/* What a route does with permessage-deflate (enum weir_compression). */
enum class compression : std::size_t {
  off = WEIR_COMPRESSION_OFF,
  shared = WEIR_COMPRESSION_SHARED,
  dedicated = WEIR_COMPRESSION_DEDICATED,
};

/* How loud a line of the log is (enum weir_log_level). */
enum class log_level { error = WEIR_LOG_ERROR, warning = WEIR_LOG_WARNING, info = WEIR_LOG_INFO };

namespace detail
{

struct log_event {
  using entry = weir_log_fn;
  template <class F>
  static constexpr bool accepts = std::is_invocable_v<F &, log_level, std::string_view>;

  template <class F> static void call(weir_log_level level, const char *text, void *arg) noexcept
  {
    try {
      static_cast<box *>(arg)->get<F>()(static_cast<log_level>(level), std::string_view(text));
    } catch (...) { // there is nowhere left to log it
    }
  }
};

} // namespace detail

/* struct weir_options. */
struct server_options {
  std::size_t loops = 0;
  std::size_t backlog = 0;
  std::size_t handshake_timeout_ms = 0;
  std::size_t keep_alive_ms = 0;
  std::size_t max_header_bytes = 0;
  std::size_t max_header_fields = 0;
  std::size_t max_uri_bytes = 0;
  std::size_t busy_poll_us = 0;
  std::size_t max_compression_bytes = 0;
  std::size_t max_connections = 0;
  std::size_t max_connections_per_address = 0;
  std::size_t max_handshakes = 0;
  std::size_t max_topics = 0;
  std::vector<std::string> trusted_proxies = {};
  std::size_t max_queue_memory = 0;

  /* Gets the lines of the log, with those of exceptions that left a handler:
   * (log_level, std::string_view line). Called on any loop's thread, also at once on several. */
  detail::slot<detail::log_event> log = {};
};

/* struct weir_route_options. */
struct route_options {
  std::size_t max_message_bytes = 0;
  std::size_t max_fragments = 0;
  std::size_t max_queued_bytes = 0;
  std::size_t max_queued_messages = 0;
  weir::queue_policy queue_policy = weir::queue_policy::close;

  std::size_t ping_interval_ms = 0;
  std::size_t pong_timeout_ms = 0;
  std::size_t idle_timeout_ms = 0;
  std::size_t close_timeout_ms = 0;

  bool no_broadcast = false;

  std::vector<std::string> protocols = {};
  std::vector<std::string> origins = {};
  bool origin_required = false;

  weir::compression compression = weir::compression::off;
  std::size_t compression_threshold = 0;
  std::size_t compression_level = 0;
  std::size_t server_window_bits = 0;
  std::size_t client_window_bits = 0;

  std::size_t message_timeout_ms = 0;
  std::size_t max_messages_per_s = 0;
  std::size_t max_bytes_per_s = 0;
  std::size_t max_subscriptions = 0;

  std::string listener = {}; /* empty: those without a name */

  std::size_t max_lifetime_ms = 0;
};

} // namespace weir

#endif
