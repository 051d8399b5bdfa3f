// Compression through the C++ layer: what a route agrees on, and which messages leave compressed.
#include "cpp_support.hpp"

#include "support/deflater.hpp"

using namespace cpp_test;
using catalogue::fin;
using catalogue::rsv1;

namespace
{

const std::vector<std::string> offer = {"Sec-WebSocket-Extensions: permessage-deflate"};
const std::string long_text(5000, 'w');

TEST(CppCompression, StateIsWhatTheRouteAgreedOn)
{
  struct row {
    weir::compression wanted;
    bool agreed, takeover;
  };
  for (const row &r :
       {row{weir::compression::off, false, false}, row{weir::compression::shared, true, false},
        row{weir::compression::dedicated, true, true}}) {
    std::promise<weir::compression_state> told;
    weir::server app({.max_compression_bytes = weir::off});
    app.route("/", {.open = [&](weir::conn<> ws) { told.set_value(ws.compression()); },
                    .options = {.compression = r.wanted, .server_window_bits = 10}});
    running serving(app);
    client ws = serving.open("/", offer);
    weir::compression_state state = await(told);
    EXPECT_EQ(state.agreed, r.agreed);
    EXPECT_EQ(state.server_takeover, r.takeover);
    EXPECT_EQ(state.client_takeover, r.takeover);
    EXPECT_EQ(state.server_window_bits, r.agreed ? 10 : 0);
    EXPECT_EQ(state.client_window_bits, r.agreed ? 15 : 0);
  }
}

TEST(CppCompression, TheServersBudgetIsKept)
{
  std::promise<weir::compression_state> told;
  weir::server app({.max_compression_bytes = 1});
  app.route("/", {.open = [&](weir::conn<> ws) { told.set_value(ws.compression()); },
                  .options = {.compression = weir::compression::dedicated}});
  running serving(app);
  client ws = serving.open("/", offer);
  weir::compression_state state = await(told);
  EXPECT_TRUE(state.agreed);
  EXPECT_FALSE(state.client_takeover);
}

TEST(CppCompression, MessagesThatShallNotBeAreNotCompressed)
{
  weir::server app;
  app.route("/", {.open =
                      [&](weir::conn<> ws) {
                        auto raw = std::as_bytes(std::span(long_text));
                        ws.send(long_text);
                        ws.send_uncompressed(long_text);
                        ws.send(raw);
                        ws.send_uncompressed(raw);
                        std::error_code error;
                        ws.send(weir::frame::text(long_text));
                        ws.send(weir::frame::text_uncompressed(long_text));
                        ws.send(weir::frame::text_uncompressed(long_text, error));
                        ws.send(weir::frame::binary(long_text));
                        ws.send(weir::frame::binary_uncompressed(long_text));
                        ws.send(weir::frame::binary_uncompressed(long_text, error));
                      },
                  .options = {.compression = weir::compression::shared}});
  running serving(app);
  client ws = serving.open("/", offer);
  const unsigned text = fin | catalogue::text, binary = fin | catalogue::binary;
  const unsigned expected[] = {text | rsv1, text, binary | rsv1, binary, text | rsv1,
                               text,        text, binary | rsv1, binary, binary};
  support::inflater inflate(15, false);
  for (unsigned first : expected) {
    std::string payload = read(ws, first);
    if (first & rsv1)
      payload = inflate.message(payload).value_or("not to be inflated");
    EXPECT_TRUE(payload == long_text);
  }
}

TEST(CppCompression, AnUncompressedFrameIsTextOrBinary)
{
  weir::frame text = weir::frame::text_uncompressed("a");
  weir::frame binary = weir::frame::binary_uncompressed("b");
  EXPECT_TRUE(text.is_text());
  EXPECT_FALSE(text.is_binary());
  EXPECT_EQ(text.payload(), "a");
  EXPECT_TRUE(binary.is_binary());
  EXPECT_FALSE(binary.is_text());
  std::error_code error;
  std::string_view impossible("x", std::size_t(PTRDIFF_MAX) + 1);
  EXPECT_FALSE(weir::frame::text_uncompressed(impossible, error));
  EXPECT_EQ(error, std::errc::message_size);
  EXPECT_FALSE(weir::frame::binary_uncompressed(impossible, error));
  EXPECT_EQ(error, std::errc::message_size);
}

TEST(CppCompression, LevelsAndThresholdsAreTheRoutes)
{
  weir::server app;
  EXPECT_THROW(app.route("/", {.options = {.compression_level = 10}}), std::system_error);
  EXPECT_THROW(app.route("/", {.options = {.server_window_bits = 16}}), std::system_error);
  EXPECT_THROW(app.route("/", {.options = {.client_window_bits = 7}}), std::system_error);
  app.route("/",
            {.open =
                 [](weir::conn<> ws) {
                   ws.send(long_text.substr(0, 99));
                   ws.send(long_text.substr(0, 100));
                 },
             .options = {.compression = weir::compression::shared, .compression_threshold = 100}});
  running serving(app);
  client ws = serving.open("/", offer);
  EXPECT_EQ(read_text(ws).size(), 99u);
  read(ws, fin | rsv1 | catalogue::text);
}

} // namespace
