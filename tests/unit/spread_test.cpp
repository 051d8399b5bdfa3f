// Ten thousand connections on four loops: none has far more than its part.
#include "support/crowd.hpp"
#include "support/stage.hpp"

#include <gtest/gtest.h>

#include <array>
#include <atomic>
#include <filesystem>
#include <thread>
#include <unistd.h>

using namespace support;

namespace
{

constexpr size_t loops = 4, connections = 10000;

class spread : public testing::Test
{
protected:
  hooks on;
  weir_server *server = nullptr;
  std::array<std::atomic<size_t>, loops> opened = {};

  spread()
  {
    EXPECT_TRUE(allow_descriptors(connections + 100)) << "raise the hard limit of descriptors";
    weir_options options = {};
    options.size = sizeof options;
    options.loops = loops;
    EXPECT_EQ(weir_server_new(&server, &options), 0);
    on.open = [this](weir_conn *c) { opened[weir_conn_id_of(c) >> 24 & 0xFF]++; };
    weir_route route = route_of(on);
    EXPECT_EQ(weir_server_route(server, "/", &route, &on), 0);
  }
  ~spread() override
  {
    weir_server_free(server);
  }

  template <class Where> void expect_even(const Where &where)
  {
    crowd clients(where, connections, [](std::vector<crowd::member> &members) {
      members.front().receive(); /* until the server stops */
    });
    std::thread runner([&] { EXPECT_EQ(weir_server_run(server), 0); });
    auto end = std::chrono::steady_clock::now() + 3 * patience;
    while (weir_server_connections(server) < connections && std::chrono::steady_clock::now() < end)
      std::this_thread::sleep_for(std::chrono::milliseconds(1));
    EXPECT_EQ(weir_server_connections(server), connections);
    weir_server_stop(server);
    runner.join();
    for (size_t i = 0; i < loops; i++) {
      EXPECT_LE(opened[i], connections / loops * 12 / 10) << "loop " << i;
      RecordProperty("loop" + std::to_string(i), static_cast<int>(opened[i]));
    }
    EXPECT_TRUE(clients.succeeded());
  }
};

TEST_F(spread, IsEvenOverTcp)
{
  ASSERT_EQ(weir_server_listen(server, "127.0.0.1", 0), 0);
  expect_even(weir_server_port(server));
}

TEST_F(spread, IsEvenOverAUnixSocket)
{
  const std::string path =
      std::filesystem::temp_directory_path() / ("weir-spread-" + std::to_string(getpid()));
  weir_listen_options where = {};
  where.size = sizeof where;
  where.path = path.c_str();
  ASSERT_EQ(weir_server_listen_on(server, &where), 0);
  expect_even(path);
}

} // namespace
