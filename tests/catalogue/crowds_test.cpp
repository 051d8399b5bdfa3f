/* Row 71: more subscriptions and topics than there may be (RFC 6455 section 10.4). */
#include "catalogue/harness.hpp"

#include <cerrno>
#include <gtest/gtest.h>

using namespace catalogue;

namespace
{

/* Every message names a topic to subscribe to, and is answered with what came of it. */
setup subscribing(size_t subscriptions, size_t topics = 0)
{
  setup out;
  out.route.max_subscriptions = subscriptions;
  out.options.max_topics = topics;
  out.on.message = [](weir_conn *conn, const weir_message *message) {
    int error = weir_conn_subscribe(conn, static_cast<const char *>(message->data), message->len);
    std::string answer = error == 0          ? "subscribed"
                         : error == -ENOBUFS ? "refused"
                                             : weir_strerror(error);
    weir_conn_send(conn, WEIR_TEXT, answer.data(), answer.size());
  };
  return out;
}

/* Asks for topics from the number first on, and counts those that it got; the others must have been
 * refused. */
size_t subscribe(server &at, client &attacker, size_t first, size_t count, delivery how)
{
  std::string attack;
  for (size_t i = 0; i < count; i++)
    attack += masked(fin | text, "topic " + std::to_string(first + i));
  deliver(at, attacker, attack, how);
  at.expect_undisturbed();
  size_t got = 0;
  for (size_t i = 0; i < count; i++) {
    std::optional<frame> answer = attacker.read_frame();
    if (!answer)
      break;
    got += answer->payload == "subscribed";
    EXPECT_TRUE(answer->payload == "subscribed" || answer->payload == "refused") << answer->payload;
  }
  return got;
}

} // namespace

TEST(Row71, SubscriptionsOfAConnection)
{
  server at(subscribing(5));
  for (delivery how : {delivery::whole, delivery::bytes}) {
    SCOPED_TRACE(name(how));
    client attacker = at.open();
    EXPECT_EQ(subscribe(at, attacker, 0, 5, how), 5u);
    EXPECT_EQ(subscribe(at, attacker, 5, 20, how), 0u);
    client other = at.open();
    EXPECT_EQ(subscribe(at, other, 5, 5, how), 5u);
    attacker.reset();
    at.wait_closed(attacker);
    EXPECT_EQ(weir_server_subscribers(at.get(), "topic 0", 7), 0u);
  }
}

TEST(Row71, SubscriptionsOverTheDefaultLimit)
{
  server at(subscribing(0));
  client attacker = at.open();
  for (size_t first = 0; first < 20000; first += 1000) {
    size_t expected = first < 16000 ? 1000 : first < 17000 ? 384 : 0;
    ASSERT_EQ(subscribe(at, attacker, first, 1000, delivery::whole), expected) << first;
  }
}

TEST(Row71, TopicsOfALoop)
{
  server at(subscribing(0, 30));
  for (int round = 0; round < 2; round++) { /* what they leave is there for others */
    client one = at.open(), two = at.open();
    EXPECT_EQ(subscribe(at, one, 0, 20, delivery::whole), 20u);
    EXPECT_EQ(subscribe(at, two, 100, 20, delivery::bytes), 10u);
    EXPECT_EQ(subscribe(at, two, 0, 20, delivery::whole), 20u) << "these are there already";
    for (client *each : {&one, &two}) {
      each->reset();
      at.wait_closed(*each);
    }
  }
}

TEST(Row71, RefusalsLeaveNothingBehind)
{
  server at(subscribing(5));
  client attacker = at.open();
  subscribe(at, attacker, 0, 10, delivery::whole);
  uint64_t memory = at.counters().memory_bytes;
  for (size_t first = 10; first < 5000; first += 500)
    EXPECT_EQ(subscribe(at, attacker, first, 500, delivery::whole), 0u);
  EXPECT_LT(at.counters().memory_bytes, memory + 65536);
}
