/* The C++ layer's types: sizes, what may be copied, moved and thrown, and that the programs of the
 * documentation compile; then its values that need no server: errors, frames, views. */
#include "unit/cpp_support.hpp"

#include "ws/server.h"

#include <unordered_set>

namespace
{

template <class T>
concept handle = sizeof(T) == sizeof(void *) && std::is_trivially_copyable_v<T>;
template <class T>
concept move_only = std::is_nothrow_move_constructible_v<T> &&
                    std::is_nothrow_move_assignable_v<T> && !std::is_copy_constructible_v<T> &&
                    !std::is_copy_assignable_v<T>;

struct user {
  std::string name, room;
};

static_assert(handle<weir::conn<>> && handle<weir::conn<user>> && handle<weir::message>);
static_assert(handle<weir::loop_ref> && handle<weir::conn_id>);
static_assert(sizeof(weir::frame) == sizeof(void *));
static_assert(std::is_nothrow_copy_constructible_v<weir::frame>);
static_assert(std::is_nothrow_move_constructible_v<weir::frame>);
static_assert(move_only<weir::server> && move_only<weir::loop> && move_only<weir::timer>);
static_assert(std::is_nothrow_move_constructible_v<weir::route<>>);
static_assert(!std::is_copy_constructible_v<weir::request>);
static_assert(sizeof(weir::kept_request) == sizeof(void *));
static_assert(std::is_nothrow_copy_constructible_v<weir::kept_request>);
static_assert(std::is_nothrow_move_constructible_v<weir::kept_request>);
static_assert(!std::is_copy_constructible_v<weir::http_route>);
static_assert(std::is_convertible_v<weir::conn<user>, weir::conn<>>);
static_assert(!std::is_convertible_v<weir::conn<>, weir::conn<user>>);
static_assert(!std::is_convertible_v<std::uint64_t, weir::conn_id>);
static_assert(weir::off == WEIR_OFF);

/* What is called for each message neither throws nor allocates. */
using ws = weir::conn<user>;
static_assert(noexcept(std::declval<ws>().send(std::string_view())));
static_assert(noexcept(std::declval<ws>().send(std::span<const std::byte>())));
static_assert(noexcept(std::declval<ws>().send(std::declval<weir::message>())));
static_assert(noexcept(std::declval<ws>().send(std::declval<weir::frame &>())));
static_assert(noexcept(std::declval<ws>().close()));
static_assert(noexcept(std::declval<ws>().operator->()));
static_assert(noexcept(std::declval<weir::server>().broadcast(std::declval<weir::frame &>())));
static_assert(noexcept(std::declval<weir::server>().stop()));

/* A slot takes what can be called with its arguments, and nothing else. */
template <class Slot, class F>
concept takes = std::is_constructible_v<Slot, F>;
using open_slot = decltype(weir::route<user>::open);
using upgrade_slot = decltype(weir::route<user>::upgrade);
using error_slot = decltype(weir::route<user>::error);
static_assert(takes<open_slot, void (*)(weir::conn<user>)>);
static_assert(takes<open_slot, void (*)(weir::conn<>)>);
static_assert(!takes<open_slot, void (*)(weir::conn<int>)>);
static_assert(!takes<open_slot, void (*)(int)>);
static_assert(!takes<open_slot, int>);
static_assert(takes<upgrade_slot, int (*)(weir::request &, user &)>);
static_assert(!takes<upgrade_slot, void (*)(weir::request &, user &)>);
static_assert(!takes<upgrade_slot, bool (*)(weir::request &, user &)>);
using request_slot = decltype(weir::http_route::request);
using body_slot = decltype(weir::http_route::body);
using gone_slot = decltype(weir::http_route::gone);
static_assert(takes<request_slot, int (*)(weir::request &)>);
static_assert(takes<request_slot, weir::response (*)(weir::request &)>);
static_assert(takes<request_slot, const weir::response &(*)(weir::request &)>);
static_assert(!takes<request_slot, void (*)(weir::request &)>);
static_assert(!takes<request_slot, bool (*)(weir::request &)>);
static_assert(!takes<request_slot, int (*)(weir::kept_request &)>);
static_assert(takes<body_slot, void (*)(weir::kept_request &, std::string_view, bool)>);
static_assert(takes<gone_slot, void (*)(weir::kept_request)>);
static_assert(!takes<gone_slot, void (*)(weir::request &)>);
static_assert(takes<error_slot, void (*)(weir::conn<user>, std::error_code)>);
static_assert(takes<error_slot, void (*)(weir::conn<>, std::error_code, std::string_view)>);

TEST(CppError, CategoryTellsTheThreeRanges)
{
  std::error_code broken = weir::to_error_code(-EPIPE);
  EXPECT_EQ(broken, std::errc::broken_pipe);
  EXPECT_EQ(broken.value(), -EPIPE);
  EXPECT_STREQ(broken.category().name(), "weir");
  EXPECT_EQ(broken.message(), weir_strerror(-EPIPE));
  std::error_code forbidden = weir::to_error_code(-403);
  EXPECT_EQ(forbidden.message(), weir_strerror(-403));
  EXPECT_NE(forbidden, std::error_code(403, std::generic_category()));
  EXPECT_EQ(forbidden.default_error_condition(), std::error_condition(-403, weir::category()));
  EXPECT_EQ(weir::to_error_code(-1009).message(), weir_strerror(-1009));
}

TEST(CppError, SuccessIsFalse)
{
  EXPECT_FALSE(weir::to_error_code(0));
  EXPECT_FALSE(weir::to_error_code(7));
  EXPECT_EQ(weir::to_error_code(7).message(), "success");
}

TEST(CppFrame, SharesItsBytes)
{
  weir::frame first = weir::frame::text("hello");
  weir::frame second = first;
  EXPECT_EQ(first.native(), second.native());
  weir::frame third = std::move(first);
  EXPECT_FALSE(first);
  EXPECT_EQ(third.native(), second.native());
  second = weir::frame();
  EXPECT_EQ(third.payload(), "hello");
  EXPECT_TRUE(third.is_text());
  weir::frame &alias = third;
  third = alias;
  EXPECT_EQ(third.payload(), "hello");
}

TEST(CppFrame, TakesAnyBytes)
{
  const std::array<std::byte, 3> raw = {std::byte{0}, std::byte{1}, std::byte{255}};
  weir::frame binary = weir::frame::binary(raw);
  EXPECT_EQ(binary.payload(), std::string_view("\0\1\377", 3));
  EXPECT_TRUE(binary.is_binary());
  EXPECT_EQ(weir::frame::binary(std::string("abc")).payload(), "abc");
  EXPECT_EQ(weir::frame::binary("").payload(), "");
}

TEST(CppFrame, ReportsWhatCannotBeMade)
{
  std::error_code error;
  std::string_view impossible("x", std::size_t(PTRDIFF_MAX) + 1);
  EXPECT_FALSE(weir::frame::text(impossible, error));
  EXPECT_EQ(error, std::errc::message_size);
  EXPECT_THROW((void)weir::frame::text(impossible), std::system_error);
  EXPECT_TRUE(weir::frame::text("", error));
  EXPECT_FALSE(error);
}

TEST(CppFrame, AdoptsAReference)
{
  weir_frame *native = nullptr;
  ASSERT_EQ(weir_frame_new(&native, WEIR_BINARY, "ab", 2), 0);
  EXPECT_EQ(weir::frame::adopt(native).payload(), "ab");
  EXPECT_FALSE(weir::frame::adopt(nullptr));
}

TEST(CppId, IsAValue)
{
  weir::conn_id none, one(1), two(2);
  EXPECT_FALSE(none);
  EXPECT_TRUE(one);
  EXPECT_LT(one, two);
  EXPECT_EQ(one, weir::conn_id(one.value()));
  std::unordered_set<weir::conn_id> ids = {one, two, one};
  EXPECT_EQ(ids.size(), 2u);
}

TEST(CppOptions, AreThoseOfC)
{
  weir::route_options given = {.max_message_bytes = 1,
                               .max_fragments = 2,
                               .max_queued_bytes = 3,
                               .max_queued_messages = 4,
                               .queue_policy = weir::queue_policy::drop_newest,
                               .ping_interval_ms = weir::off,
                               .pong_timeout_ms = 6,
                               .idle_timeout_ms = 7,
                               .close_timeout_ms = 8,
                               .no_broadcast = true,
                               .protocols = {},
                               .origins = {"https://a.example", "https://b.example"},
                               .origin_required = true,
                               .compression = weir::compression::dedicated,
                               .compression_threshold = 9,
                               .compression_level = 10,
                               .server_window_bits = 11,
                               .client_window_bits = 12,
                               .message_timeout_ms = 13,
                               .max_messages_per_s = 14,
                               .max_bytes_per_s = 15,
                               .max_subscriptions = 16,
                               .listener = "inner",
                               .max_lifetime_ms = 17};
  auto protocols = weir::detail::c_strings(given.protocols);
  auto origins = weir::detail::c_strings(given.origins);
  EXPECT_TRUE(protocols.empty());
  ASSERT_EQ(origins.size(), 3u);
  EXPECT_STREQ(origins[1], "https://b.example");
  EXPECT_EQ(origins[2], nullptr);

  weir_route_options made = weir::detail::to_native(given, nullptr, origins.data());
  EXPECT_EQ(made.size, sizeof(made));
  EXPECT_EQ(made.max_message_bytes, 1u);
  EXPECT_EQ(made.max_fragments, 2u);
  EXPECT_EQ(made.max_queued_bytes, 3u);
  EXPECT_EQ(made.max_queued_messages, 4u);
  EXPECT_EQ(made.queue_policy, std::size_t(WEIR_QUEUE_DROP_NEWEST));
  EXPECT_EQ(made.ping_interval_ms, WEIR_OFF);
  EXPECT_EQ(made.pong_timeout_ms, 6u);
  EXPECT_EQ(made.idle_timeout_ms, 7u);
  EXPECT_EQ(made.close_timeout_ms, 8u);
  EXPECT_EQ(made.no_broadcast, 1u);
  EXPECT_EQ(made.protocols, nullptr);
  EXPECT_EQ(made.origins, origins.data());
  EXPECT_EQ(made.origin_required, 1u);
  EXPECT_EQ(made.compression, std::size_t(WEIR_COMPRESSION_DEDICATED));
  EXPECT_EQ(made.compression_threshold, 9u);
  EXPECT_EQ(made.compression_level, 10u);
  EXPECT_EQ(made.server_window_bits, 11u);
  EXPECT_EQ(made.client_window_bits, 12u);
  EXPECT_EQ(made.message_timeout_ms, 13u);
  EXPECT_EQ(made.max_messages_per_s, 14u);
  EXPECT_EQ(made.max_bytes_per_s, 15u);
  EXPECT_EQ(made.max_subscriptions, 16u);
  EXPECT_STREQ(made.listener, "inner");
  EXPECT_EQ(made.max_lifetime_ms, 17u);
  given.listener.clear();
  EXPECT_EQ(weir::detail::to_native(given, nullptr, nullptr).listener, nullptr);
}

TEST(CppOptions, OfAServerAreThoseOfC)
{
  weir::server app({.max_connections = 1,
                    .max_connections_per_address = 2,
                    .max_handshakes = 3,
                    .max_topics = weir::off,
                    .trusted_proxies = {"10.0.0.0/8", "unix"},
                    .max_queue_memory = 7});
  const weir_server *made = app.native();
  EXPECT_EQ(made->options.max_connections, 1u);
  EXPECT_EQ(made->options.max_connections_per_address, 2u);
  EXPECT_EQ(made->options.max_handshakes, 3u);
  EXPECT_EQ(made->options.max_topics, WEIR_OFF);
  EXPECT_EQ(made->options.max_queue_memory, 7u);
  EXPECT_EQ(made->trusted_count, 2u);
  EXPECT_EQ(weir::server().native()->trusted_count, 0u);
  EXPECT_THROW(weir::server({.trusted_proxies = {"10.0.0.0/8", "nobody"}}), std::system_error);
}

TEST(CppServer, SetUpThrowsWhatCReturns)
{
  auto code_of = [](auto set_up) {
    try {
      set_up();
    } catch (const std::system_error &error) {
      return error.code();
    }
    return std::error_code();
  };
  EXPECT_EQ(code_of([] { weir::server app({.loops = 1000}); }), std::errc::invalid_argument);
  weir::server app;
  EXPECT_EQ(code_of([&] { app.run(); }), std::errc::invalid_argument);
  EXPECT_EQ(code_of([&] { app.route("no slash", {}); }), std::errc::invalid_argument);
  app.route("/", {});
  EXPECT_EQ(code_of([&] { app.route("/", {}); }), std::errc::file_exists);
  app.listen("127.0.0.1", 0);
  EXPECT_EQ(code_of([&] { app.route("/late", {}); }), std::errc::device_or_resource_busy);
  EXPECT_EQ(code_of([&] { app.get("/late", [](weir::request &) { return 200; }); }),
            std::errc::device_or_resource_busy);
  weir::server second;
  EXPECT_EQ(code_of([&] { second.listen("127.0.0.1", app.port()); }), std::errc::address_in_use);
}

TEST(CppServer, Moves)
{
  auto token = std::make_shared<int>(0);
  weir::server first;
  first.route("/", {.open = [token](weir::conn<>) {}});
  weir::server second = std::move(first);
  EXPECT_EQ(token.use_count(), 2);
  second.listen("127.0.0.1", 0);
  EXPECT_NE(second.port(), 0);
  second = weir::server();
  EXPECT_EQ(token.use_count(), 1);
}

TEST(CppServer, HandlersLiveAsLongAsTheServer)
{
  auto token = std::make_shared<int>(0);
  {
    weir::server app({.log = [token](weir::log_level, std::string_view) {}});
    app.route("/", {.message = [token](weir::conn<>, weir::message) {},
                    .close = [token](weir::conn<>, int, std::string_view) {}});
    app.get("/", [token](weir::request &) { return 204; });
    EXPECT_EQ(token.use_count(), 5);
  }
  EXPECT_EQ(token.use_count(), 1);
}

} // namespace
