// Metrics through the C++ layer: the text, and the pages of a listener that has a name.
#include "support/peer.hpp"

#include <weir/weir.hpp>

#include <gtest/gtest.h>

#include <thread>

using namespace support;

namespace
{

TEST(cpp_metrics, TextAndPages)
{
  weir::server app;
  app.observe("watchers").listen("127.0.0.1", 0);
  app.listen({.host = "127.0.0.1", .name = "watchers"});
  std::thread runner([&] { app.run(); });
  peer client(app.port("watchers"));
  client.send("GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n");
  std::optional<response> shown;
  EXPECT_TRUE(client.await([&] { return (shown = client.take_response()).has_value(); }));
  app.stop();
  runner.join();
  EXPECT_EQ(shown->status, 200);
  const char sample[] = "\nws_connections_accepted_total 1\n";
  EXPECT_NE(shown->body.find(sample), std::string::npos);
  EXPECT_NE(app.metrics().find(sample), std::string::npos);
  EXPECT_EQ(app.metrics().find('\0'), std::string::npos);
}

TEST(cpp_metrics, ErrorsAreThrown)
{
  weir::server app;
  app.get("/livez", [](weir::request &) { return weir::response{}; });
  app.observe("watchers"); /* another listener's */
  EXPECT_THROW(app.observe("watchers"), std::system_error);
}

} // namespace
