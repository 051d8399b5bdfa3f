// How long a route's connections may be open, on a clock that the test puts forward.
#include "support/stage.hpp"

#include "ws/extra.h"

#include <gtest/gtest.h>

#include <algorithm>

using namespace support;

namespace
{

constexpr uint64_t tick = WEIR__WHEEL_TICK_MS, late = 2 * tick;

class lifetime : public testing::Test
{
protected:
  std::vector<int> codes;
  stage at; /* goes first: its end closes what is open */

  lifetime()
  {
    at.freeze();
    at.options.ping_interval_ms = WEIR_OFF;
    at.on.message = [](weir_conn *c, const weir_message *m) { weir_conn_send_message(c, m); };
    at.on.close = [this](weir_conn *, int code, std::string_view) { codes.push_back(code); };
  }
  void pass(uint64_t ms)
  {
    for (; ms > 0; ms -= std::min(ms, tick))
      at.pass(std::min(ms, tick));
    at.settle();
  }
  void expect_sent_away(peer &client)
  {
    frame got = at.next(client);
    EXPECT_EQ(got.first, fin | closing);
    EXPECT_EQ(got.code(), 1001);
    EXPECT_NE(got.reason(), "");
    client.say(got.payload, fin | closing);
    EXPECT_TRUE(at.ends(client));
  }
};

/* Nothing that it sends puts it off. */
TEST_F(lifetime, EndsWith1001)
{
  at.options.max_lifetime_ms = 3200;
  at.start();
  peer &client = at.open();
  for (int i = 0; i < 49; i++) {
    pass(tick);
    client.say("here");
    ASSERT_EQ(at.next(client).payload, "here") << i;
  }
  pass(3200 / 16 + late + 2 * tick);
  expect_sent_away(client);
  EXPECT_EQ(codes, std::vector<int>{1001});
}

TEST_F(lifetime, IsSpreadOverASixteenth)
{
  constexpr uint64_t most = 64000, spread = most / 16;
  constexpr size_t count = 32;
  at.options.max_lifetime_ms = most;
  at.start();
  std::vector<peer *> clients;
  for (size_t i = 0; i < count; i++)
    clients.push_back(&at.open());
  pass(most - tick);
  size_t halves[2] = {};
  for (uint64_t now = 0; now < spread + late + 2 * tick; now += tick) {
    pass(tick);
    std::erase_if(clients, [&](peer *client) {
      std::optional<frame> got = client->take();
      halves[now >= spread / 2 + late] += got.has_value();
      return got.has_value();
    });
  }
  EXPECT_TRUE(clients.empty());
  EXPECT_GE(halves[0], count / 3);
  EXPECT_GE(halves[1], count / 3);
}

TEST_F(lifetime, EndsThoughReadingIsPaused)
{
  at.options.max_lifetime_ms = 1000;
  at.on.open = [](weir_conn *c) { weir_conn_pause(c); };
  at.start();
  peer &client = at.open();
  pass(1000 + 1000 / 16 + late + 2 * tick);
  EXPECT_EQ(at.next(client).code(), 1001);
}

TEST_F(lifetime, IsTheRoutesOwn)
{
  hooks other;
  weir_route_options short_lived = {};
  short_lived.max_lifetime_ms = 1000;
  short_lived.ping_interval_ms = WEIR_OFF;
  at.route("/short", other, short_lived);
  at.start();
  EXPECT_EQ(at.server()->extra_bytes, size_t{WEIR__EXTRA_BYTES});
  peer &stays = at.open(), &goes = at.open("/short");
  pass(3600000);
  expect_sent_away(goes);
  stays.say("here");
  EXPECT_EQ(at.next(stays).payload, "here");
}

TEST_F(lifetime, CostsOthersNothing)
{
  at.start();
  EXPECT_EQ(at.server()->extra_bytes, 0u);
  peer &client = at.open();
  pass(3600000);
  client.say("here");
  EXPECT_EQ(at.next(client).payload, "here");
}

} // namespace
