// What a handler sends to its own connection leaves at once, whole and in order, whatever else is
// sent between, and within the queue's limits.
#include "support/stage.hpp"

#include <gtest/gtest.h>

#include <cerrno>

using namespace support;

namespace
{

class reply : public testing::Test
{
protected:
  int drains = 0, closes = 0;
  stage at;
  peer *client = nullptr;

  /* Has the handler do this for the one message that comes. */
  void answer(const std::function<void(weir_conn *)> &work, int receive_buffer = 0)
  {
    at.on.message = [work](weir_conn *c, const weir_message *) { work(c); };
    at.on.drain = [this](weir_conn *) { drains++; };
    at.on.close = [this](weir_conn *, int, std::string_view) { closes++; };
    at.start();
    client = &at.open("/", "", receive_buffer);
  }
  static int send(weir_conn *c, std::string_view data)
  {
    return weir_conn_send(c, WEIR_TEXT, data.data(), data.size());
  }
  void expect(std::string_view payload, unsigned first = fin | text)
  {
    frame got = at.next(*client);
    EXPECT_EQ(got.first, first);
    EXPECT_TRUE(got.payload == payload) << got.payload.size();
  }
};

TEST_F(reply, KeepsEveryLengthWhole)
{
  std::vector<size_t> lengths;
  for (size_t len = 0; len < 200; len++)
    lengths.push_back(len);
  lengths.insert(lengths.end(), {1000u, 16383u, 16384u, 65535u, 3u, 65536u, 70000u, 1u});
  auto data = [](size_t len) { return std::string(len, static_cast<char>('a' + len % 26)); };
  answer([&](weir_conn *c) {
    for (size_t len : lengths)
      EXPECT_EQ(send(c, data(len)), 0);
  });
  client->say("go");
  for (size_t len : lengths)
    expect(data(len));
  EXPECT_EQ(at.counters().messages_sent, lengths.size());
}

TEST_F(reply, IsLargerThanItsBlock)
{
  answer([&](weir_conn *c) {
    for (char i = 0; i < 20; i++)
      EXPECT_EQ(send(c, std::string(15000, static_cast<char>('a' + i))), 0);
  });
  client->say("go");
  for (char i = 0; i < 20; i++)
    expect(std::string(15000, static_cast<char>('a' + i)));
}

TEST_F(reply, KeepsItsPlaceAmongAllElse)
{
  held_frame shared("shared");
  answer([&](weir_conn *c) {
    EXPECT_EQ(send(c, "one"), 0);
    EXPECT_EQ(weir_conn_ping(c, "p", 1), 0);
    EXPECT_EQ(send(c, "two"), 0);
    EXPECT_EQ(weir_conn_send_frame(c, shared), 0);
    EXPECT_EQ(send(c, "three"), 0);
  });
  for (int round = 0; round < 3; round++) {
    client->say("go");
    expect("one");
    expect("p", fin | ping);
    expect("two");
    expect("shared");
    expect("three");
  }
}

TEST_F(reply, GoesBeforeTheFragmentsAndTheLargeMessageBehindIt)
{
  std::string large(100000, 'l');
  answer([&](weir_conn *c) {
    EXPECT_EQ(send(c, "one"), 0);
    EXPECT_EQ(weir_conn_send_begin(c, WEIR_TEXT, "two", 3), 0);
    EXPECT_EQ(send(c, "held"), 0);
    EXPECT_EQ(weir_conn_send_end(c, "end", 3), 0);
  });
  client->say("go");
  expect("one");
  expect("two", text);
  expect("end", fin | continuation);
  expect("held");
  at.on.message = [&](weir_conn *c, const weir_message *) {
    EXPECT_EQ(send(c, "small"), 0);
    EXPECT_EQ(send(c, large), 0);
    EXPECT_EQ(send(c, "behind"), 0);
  };
  client->say("go");
  expect("small");
  expect(large);
  expect("behind");
}

TEST_F(reply, CountsAsBuffered)
{
  answer([&](weir_conn *c) {
    EXPECT_EQ(send(c, "12345678"), 0);
    EXPECT_EQ(send(c, std::string(126, 'x')), 0);
    EXPECT_EQ(weir_conn_buffered(c).bytes, 10u + 130u);
    EXPECT_EQ(weir_conn_buffered(c).messages, 2u);
  });
  client->say("go");
  expect("12345678");
  expect(std::string(126, 'x'));
  EXPECT_EQ(weir_conn_buffered(at.last()).bytes, 0u);
  EXPECT_EQ(weir_conn_buffered(at.last()).messages, 0u);
  EXPECT_EQ(drains, 0);
}

// What fits no more is preceded by a send, which empties the queue.
TEST_F(reply, KeepsTheLimitsOfTheQueue)
{
  for (size_t bytes : {size_t{5}, size_t{9}, size_t{10}, size_t{11}, size_t{30}, size_t{100}}) {
    stage narrow;
    narrow.options.max_queued_bytes = bytes;
    narrow.options.max_queued_messages = 3;
    narrow.on.message = [&](weir_conn *c, const weir_message *) {
      for (int i = 0; i < 10; i++) {
        EXPECT_EQ(send(c, "12345"), 0);
        EXPECT_LE(weir_conn_buffered(c).bytes, std::max(bytes, size_t{7}));
        EXPECT_LE(weir_conn_buffered(c).messages, 3u);
      }
      EXPECT_EQ(send(c, std::string(bytes + 1, 'x')), -EMSGSIZE);
    };
    narrow.start();
    peer &one = narrow.open();
    one.say("go");
    for (int i = 0; i < 10; i++)
      EXPECT_EQ(narrow.next(one).payload, "12345");
    EXPECT_EQ(narrow.counters().messages_sent, 10u);
  }
}

TEST_F(reply, ThatIsTakenInPartLosesNothing)
{
  int taken = 0, refused = 0;
  at.options.queue_policy = WEIR_QUEUE_DROP_NEWEST;
  auto data = [](int i) { return std::string(static_cast<size_t>(1 + i * 7919 % 9000), 'a'); };
  answer(
      [&](weir_conn *c) {
        while (refused == 0) {
          int error = send(c, data(taken));
          EXPECT_TRUE(error == 0 || error == -ENOBUFS) << error;
          (error == 0 ? taken : refused)++;
        }
      },
      4096);
  client->stall(true);
  client->say("go");
  ASSERT_TRUE(at.until([&] { return refused > 0; }));
  EXPECT_GT(weir_conn_buffered(at.last()).messages, 0u);
  client->stall(false);
  for (int i = 0; i < taken; i++)
    expect(data(i));
  EXPECT_TRUE(at.until([&] { return drains == 1; }));
  EXPECT_EQ(at.counters().messages_sent, static_cast<uint64_t>(taken));
}

TEST_F(reply, GoesBeforeClose)
{
  answer([&](weir_conn *c) {
    EXPECT_EQ(send(c, "last words"), 0);
    EXPECT_EQ(weir_conn_close(c, 1000, "bye"), 0);
    EXPECT_EQ(send(c, "too late"), -EPIPE);
  });
  client->say("go");
  expect("last words");
  EXPECT_EQ(at.next(*client).code(), 1000);
}

TEST_F(reply, GoesBeforeTheCloseOfAPeerThatBreaksARule)
{
  answer([&](weir_conn *c) { EXPECT_EQ(send(c, "answer"), 0); });
  client->send(masked(fin | text, "fine") + masked(fin | text, "\xFF"));
  expect("answer");
  EXPECT_EQ(at.next(*client).code(), 1007);
}

TEST_F(reply, IsLostWithTheConnection)
{
  answer([&](weir_conn *c) {
    EXPECT_EQ(send(c, "never"), 0);
    weir_conn_abort(c);
    EXPECT_EQ(weir_conn_buffered(c).bytes, 0u);
    EXPECT_EQ(send(c, "nor this"), -EPIPE);
  });
  client->say("go");
  EXPECT_TRUE(at.ends(*client));
  EXPECT_EQ(client->input(), "");
  EXPECT_EQ(closes, 1);
}

TEST_F(reply, ToAPeerThatWentIsNoError)
{
  answer([&](weir_conn *c) { EXPECT_EQ(send(c, "answer"), 0); });
  for (int i = 0; i < 100; i++)
    client->say("go");
  client->reset();
  EXPECT_TRUE(at.until([&] { return closes == 1; }));
}

} // namespace
