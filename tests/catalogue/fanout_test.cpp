/* Rows 50 and 51: receivers that do not read, and the frames they hold (DESIGN of the queue: strict
 * limits per receiver, shared bytes). */
#include "catalogue/harness.hpp"
#include "support/crowd.hpp"

#include <cerrno>
#include <fstream>
#include <gtest/gtest.h>
#include <unistd.h>

using namespace catalogue;

namespace
{

constexpr char topic[] = "news";
constexpr size_t topic_len = sizeof topic - 1;
constexpr size_t payload_bytes = 16 << 10;

setup subscribing(size_t queue_bytes, size_t policy)
{
  setup out;
  out.route.max_queued_bytes = queue_bytes;
  out.route.queue_policy = policy;
  out.on.open = [](weir_conn *conn) { weir_conn_subscribe(conn, topic, topic_len); };
  return out;
}

/* A payload that says which one it is, all over. */
std::string numbered(unsigned n)
{
  std::string out;
  while (out.size() < payload_bytes)
    out += "message " + std::to_string(n) + "; ";
  return out;
}

void publish(server &at, const std::string &payload)
{
  weir_frame *frame = nullptr;
  ASSERT_EQ(weir_frame_new(&frame, WEIR_TEXT, payload.data(), payload.size()), 0);
  at.on_loop([&] { EXPECT_EQ(weir_server_publish(at.get(), topic, topic_len, frame, 0), 0); });
  weir_frame_unref(frame);
}

void expect_message(client &from, const std::string &payload)
{
  std::optional<frame> got = from.read_frame();
  ASSERT_TRUE(got);
  EXPECT_EQ(got->first, fin | text);
  EXPECT_TRUE(got->payload == payload) << "not the message due: " << got->payload.substr(0, 20);
}

/* Publishes to a stuck subscriber and to two that read, until it holds; returns how many. */
unsigned publish_until(server &at, client &one, client &other, const std::function<bool()> &holds)
{
  unsigned n = 0;
  while (!holds() && n < 1000 && !testing::Test::HasFailure()) {
    std::string payload = numbered(n++);
    publish(at, payload);
    expect_message(one, payload);
    expect_message(other, payload);
  }
  EXPECT_TRUE(holds()) << "the stuck subscriber's queue has no end";
  at.expect_undisturbed();
  return n;
}

constexpr size_t mebibyte = 1 << 20;

size_t resident_bytes()
{
  std::ifstream statm("/proc/self/statm");
  size_t total = 0, resident = 0;
  statm >> total >> resident;
  return resident * static_cast<size_t>(sysconf(_SC_PAGESIZE));
}

weir_frame *large_frame(size_t bytes)
{
  weir_frame *out = nullptr;
  std::string payload(bytes, 'x');
  EXPECT_EQ(weir_frame_new(&out, WEIR_BINARY, payload.data(), payload.size()), 0);
  return out;
}

std::vector<client> stuck_receivers(server &at, int count)
{
  std::vector<client> out;
  for (int i = 0; i < count; i++)
    out.push_back(at.open({}, 4096));
  return out;
}

void broadcast(server &at, weir_frame *frame)
{
  at.on_loop([&] { EXPECT_EQ(weir_server_broadcast(at.get(), frame, 0), 0); });
}

/* The fewest and the most bytes that any of them has queued. */
std::pair<size_t, size_t> queued(server &at, const std::vector<client> &receivers)
{
  std::pair<size_t, size_t> out = {SIZE_MAX, 0};
  at.on_loop([&] {
    for (const client &receiver : receivers) {
      weir_conn *conn = at.find(receiver);
      ASSERT_NE(conn, nullptr);
      size_t bytes = weir_conn_buffered(conn).bytes;
      out = {std::min(out.first, bytes), std::max(out.second, bytes)};
    }
  });
  return out;
}

} // namespace

TEST(Row50, ASubscriberThatNeverReadsIsClosed)
{
  server at(subscribing(256 << 10, WEIR_QUEUE_CLOSE));
  client one = at.open();
  client stuck = at.open({}, 4096);
  client other = at.open();
  publish_until(at, one, other, [&] { return !at.seen(stuck).closes.empty(); });
  EXPECT_EQ(at.seen(stuck).closes, std::vector<int>{1008});
  EXPECT_GE(at.counters().dropped, 1u);
  EXPECT_EQ(weir_server_subscribers(at.get(), topic, topic_len), 2u);
  unsigned next = 0;
  for (;;) { /* what it was sent is whole, in order, and ends with the reason */
    std::optional<frame> got = stuck.read_frame();
    ASSERT_TRUE(got);
    if (got->opcode() == close_frame) {
      EXPECT_EQ(got->close_code(), 1008);
      EXPECT_NE(got->close_reason(), "");
      break;
    }
    ASSERT_TRUE(got->payload == numbered(next++));
  }
  expect_echo(one, "unaffected");
  expect_echo(other, "unaffected");
}

TEST(Row50, OneThatNeitherReadsNorLeavesIsDroppedInTheEnd)
{
  setup quick = subscribing(256 << 10, WEIR_QUEUE_CLOSE);
  quick.route.close_timeout_ms = 200;
  server at(quick);
  uint64_t memory = at.counters().memory_bytes;
  client one = at.open();
  client other = at.open();
  client stuck = at.open({}, 4096);
  publish_until(at, one, other, [&] { return !at.seen(stuck).closes.empty(); });
  at.poll("its memory to be given back",
          [&] { return at.counters().memory_bytes < memory + (128 << 10); });
}

TEST(Row50, OrMissesTheNewest)
{
  server at(subscribing(256 << 10, WEIR_QUEUE_DROP_NEWEST));
  client one = at.open();
  client stuck = at.open({}, 4096);
  client other = at.open();
  unsigned count = publish_until(at, one, other, [&] { return at.counters().dropped >= 10; });
  unsigned kept = count - static_cast<unsigned>(at.counters().dropped);
  for (unsigned n = 0; n < kept; n++)
    expect_message(stuck, numbered(n));
  at.wait(stuck, "on_drain", [](const record &r) { return r.drains > 0; });
  publish(at, numbered(5000));
  for (client *each : {&stuck, &one, &other})
    expect_message(*each, numbered(5000));
  EXPECT_EQ(at.seen(stuck).closes.size(), 0u);
  expect_echo(stuck, "still here");
}

TEST(Row50, OrTheOldest)
{
  server at(subscribing(256 << 10, WEIR_QUEUE_DROP_OLDEST));
  client one = at.open();
  client stuck = at.open({}, 4096);
  client other = at.open();
  unsigned count = publish_until(at, one, other, [&] { return at.counters().dropped >= 10; });
  unsigned dropped = 0, due = 0;
  while (due < count) { /* whole messages in order, with one gap */
    std::optional<frame> got = stuck.read_frame();
    ASSERT_TRUE(got);
    for (; due < count && got->payload != numbered(due); due++)
      dropped++;
    ASSERT_LT(due, count) << "not a message that was published";
    due++;
  }
  EXPECT_EQ(dropped, at.counters().dropped);
  at.wait(stuck, "on_dropped", [&](const record &r) { return r.dropped == dropped; });
  EXPECT_EQ(at.seen(stuck).closes.size(), 0u);
  expect_echo(stuck, "still here");
}

TEST(Row50, OrAllButTheLatest)
{
  server at(subscribing(256 << 10, WEIR_QUEUE_KEEP_LATEST));
  client one = at.open();
  client stuck = at.open({}, 4096);
  client other = at.open();
  unsigned count = publish_until(at, one, other, [&] { return at.counters().dropped >= 10; });
  at.on_loop([&] { EXPECT_LE(weir_conn_buffered(at.find(stuck)).messages, 2u); });
  for (unsigned n = 0; n < count - 1 - at.counters().dropped; n++)
    expect_message(stuck, numbered(n));
  expect_message(stuck, numbered(count - 1));
  expect_echo(stuck, "still here");
}

/* Those who read notice nothing: every message reaches each of them, in order. */
TEST(Row50, AThousandThatNeverReadBesideAHundredThatDo)
{
  constexpr size_t limit = 64 << 10, stuck_count = 1000, lively_count = 100;
  ASSERT_TRUE(support::allow_descriptors(2 * (stuck_count + lively_count) + 200));
  setup crowd = subscribing(limit, WEIR_QUEUE_DROP_OLDEST);
  crowd.options.max_connections = WEIR_OFF;
  crowd.options.max_handshakes = WEIR_OFF;
  server at(crowd);
  std::vector<client> stuck = stuck_receivers(at, stuck_count);
  std::vector<client> lively;
  for (size_t i = 0; i < lively_count; i++)
    lively.push_back(at.open());
  uint64_t memory = at.counters().memory_bytes;
  unsigned n = 0;
  for (; n < 40 || at.counters().dropped < stuck_count; n++) {
    ASSERT_LT(n, 1000u) << "the stuck ones take all";
    std::string payload = numbered(n);
    publish(at, payload);
    for (client &each : lively)
      expect_message(each, payload);
    ASSERT_FALSE(HasFailure());
  }
  EXPECT_LE(queued(at, stuck).second, limit);
  /* the bound: what a connection queues beside shared frames, and ciphertext on its way */
  size_t each = at.over() == transport::tcp ? 1024 : 96 << 10;
  EXPECT_LT(at.counters().memory_bytes, memory + stuck_count * each);
  at.expect_undisturbed();
}

TEST(Row50, LimitsOnMessagesCountToo)
{
  setup few = subscribing(WEIR_OFF, WEIR_QUEUE_CLOSE);
  few.route.max_queued_messages = 20;
  server at(few);
  client one = at.open();
  client stuck = at.open({}, 4096);
  client other = at.open();
  publish_until(at, one, other, [&] { return !at.seen(stuck).closes.empty(); });
  EXPECT_EQ(at.seen(stuck).closes, std::vector<int>{1008});
}

TEST(Row51, AFrameIsSharedByAHundredStuckReceivers)
{
  setup roomy;
  roomy.route.max_queued_bytes = 20 * mebibyte;
  server at(roomy);
  std::vector<client> receivers = stuck_receivers(at, 100);
  weir_frame *frame = large_frame(8 * mebibyte);
  uint64_t memory = at.counters().memory_bytes;
  size_t resident = resident_bytes();
  broadcast(at, frame);
  at.expect_undisturbed();
  EXPECT_LT(resident_bytes(), resident + 10 * mebibyte) << "the payload was copied";
  size_t in_flight = at.over() == transport::tcp ? 0 : 96 << 10; /* ciphertext of each */
  EXPECT_LT(at.counters().memory_bytes, memory + mebibyte + receivers.size() * in_flight);
  EXPECT_GT(queued(at, receivers).first, 7 * mebibyte) << "not counted in full for each";
  weir_frame_unref(frame);
}

TEST(Row51, TheFrameCountsAgainstEachReceiversLimit)
{
  setup tight;
  tight.route.max_queued_bytes = 12 * mebibyte;
  tight.route.queue_policy = WEIR_QUEUE_DROP_NEWEST;
  server at(tight);
  std::vector<client> receivers = stuck_receivers(at, 10);
  weir_frame *frame = large_frame(8 * mebibyte);
  broadcast(at, frame);
  EXPECT_EQ(at.counters().dropped, 0u);
  broadcast(at, frame);
  EXPECT_EQ(at.counters().dropped, receivers.size());
  auto [fewest, most] = queued(at, receivers);
  EXPECT_GT(fewest, 7 * mebibyte);
  EXPECT_LE(most, 12 * mebibyte);
  weir_frame_unref(frame);
}

TEST(Row51, AFrameOverTheLimitByItselfTriggersNoPolicy)
{
  setup tight;
  tight.route.max_queued_bytes = mebibyte;
  server at(tight);
  client receiver = at.open();
  weir_frame *frame = large_frame(mebibyte + 1);
  at.on_loop([&] { EXPECT_EQ(weir_conn_send_frame(at.find(receiver), frame), -EMSGSIZE); });
  weir_frame_unref(frame);
  expect_echo(receiver, "nothing happened");
}
