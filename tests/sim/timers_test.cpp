// Deadlines on the virtual clock, as core/include/weir/options.h gives them: never early, at most
// 128 ms late. User timers are exact to 1 ms.
#include "world.hpp"

#include <gtest/gtest.h>

namespace
{

using sim::NS_PER_MS;

constexpr uint64_t LATE_MS = 128;     // two ticks of the coarse wheel
constexpr uint64_t CALLS_NS = 100000; // what the fake's calls themselves take

class deadline : public testing::Test
{
protected:
  deadline()
  {
    options.patience_ms = 200000;
  }

  void begin()
  {
    w = std::make_unique<sim::world>(1, options);
    ASSERT_EQ(w->set_up(), 0);
  }

  sim::client &open(sim::client_manners manners = {}, const char *path = "/whole")
  {
    sim::client &c = w->add_client(manners);
    c.connect(path);
    w->run_until([&] { return c.open || c.ended; });
    opened_at = w->k.now();
    return c;
  }

  void TearDown() override
  {
    w->tear_down();
    EXPECT_TRUE(w->failures.empty()) << w->report();
  }

  static void expect_ms(uint64_t from_ns, uint64_t to_ns, uint64_t due_ms,
                        uint64_t late_ms = LATE_MS)
  {
    EXPECT_GE(to_ns, from_ns + due_ms * NS_PER_MS - CALLS_NS);
    EXPECT_LE(to_ns, from_ns + (due_ms + late_ms) * NS_PER_MS + CALLS_NS);
  }

  sim::world_options options;
  std::unique_ptr<sim::world> w;
  uint64_t opened_at = 0;
};

// The deadlines stand on ticks of 64 ms: any phase of them must do.
class phase : public deadline, public testing::WithParamInterface<uint64_t>
{
protected:
  void begin_at_phase()
  {
    begin();
    w->run_for(GetParam());
  }
};

INSTANTIATE_TEST_SUITE_P(ticks, phase, testing::Values(1, 13, 32, 50, 63, 64, 100));

TEST_P(phase, connection_that_sends_nothing)
{
  begin_at_phase();
  sim::client &c = w->add_client({});
  uint64_t since = w->k.now();
  c.connect("");
  w->run_until([&] { return c.ended; });
  expect_ms(since, c.ended_at, 10000);
  EXPECT_EQ(c.plain, "");
}

TEST_P(phase, head_that_drips)
{
  options.server.handshake_timeout_ms = 3000;
  begin_at_phase();
  sim::client &c = w->add_client({});
  uint64_t since = w->k.now();
  c.connect("");
  for (uint64_t at = 100; at < 6000; at += 100)
    w->k.after(at * NS_PER_MS, [&] { c.send_raw("G"); });
  w->run_until([&] { return c.ended; });
  expect_ms(since, c.ended_at, 3000);
  EXPECT_EQ(c.plain.substr(0, 13), "HTTP/1.1 408 ");
}

TEST_P(phase, ping_after_silence)
{
  begin_at_phase();
  sim::client &c = open();
  w->run_until([&] { return c.pings == 1; });
  expect_ms(opened_at, c.pinged_at, 30000, 30000 / 16 + LATE_MS); // pings are spread
  w->run_for(100000);
  EXPECT_GE(c.pings, 3u); // each answer begins another silence
  EXPECT_FALSE(c.ended);
}

TEST_P(phase, peer_that_answers_no_ping)
{
  options.lossy = true; // on_error comes
  options.route.ping_interval_ms = 5000;
  options.route.pong_timeout_ms = 2000;
  begin_at_phase();
  sim::client &c = open({.answers_pings = false});
  w->run_until([&] { return c.ended; });
  EXPECT_EQ(c.pings, 1u);
  sim::session *s = w->session_of(c);
  EXPECT_EQ(s->close_code, 1006);
  EXPECT_TRUE(s->failed);
  expect_ms(c.pinged_at, s->closed_at, 2000);
}

TEST_P(phase, idle_peer)
{
  options.route.idle_timeout_ms = 70000;
  begin_at_phase();
  sim::client &c = open();
  w->run_until([&] { return c.close_got != 0; });
  expect_ms(opened_at, w->k.now(), 70000);
  EXPECT_EQ(c.close_got, 1001);
  EXPECT_GE(c.pings, 2u); // pongs are no messages
  w->run_until([&] { return w->all_over(); });
}

TEST_P(phase, message_that_drips)
{
  options.route.message_timeout_ms = 3000;
  begin_at_phase();
  sim::client &c = open();
  c.offence = 1008;
  uint64_t since = w->k.now();
  c.send_raw("\x82\xFE");
  for (uint64_t at = 100; at < 6000; at += 100)
    w->k.after(at * NS_PER_MS, [&] { c.send_raw("\1"); });
  w->run_until([&] { return w->session_of(c)->closed; });
  EXPECT_EQ(w->session_of(c)->close_code, 1008);
  expect_ms(since, w->session_of(c)->closed_at, 3000);
}

TEST_P(phase, close_that_is_not_answered)
{
  begin_at_phase();
  sim::client &c = open({.answers_close = false, .closes_after_end = false});
  uint64_t since = w->k.now();
  w->command(c, 'x', '0', WEIR_TEXT, 20);
  w->run_until([&] { return w->session_of(c)->closed; });
  EXPECT_EQ(c.close_got, 3001);
  EXPECT_EQ(w->session_of(c)->close_code, 1006);
  expect_ms(since, w->session_of(c)->closed_at, 5000);
  c.send_end();
}

TEST_P(phase, peer_that_does_not_close_its_socket)
{
  begin_at_phase();
  size_t files = w->k.open_files();
  sim::client &c = open({.closes_after_end = false});
  c.send_close(1000, "");
  w->run_until([&] { return w->session_of(c)->closed; });
  w->run_for(4990);
  EXPECT_EQ(w->k.open_files(), files + 1);
  w->run_for(11 + LATE_MS);
  EXPECT_EQ(w->k.open_files(), files);
}

TEST_F(deadline, activity_postpones_the_ping)
{
  options.route.ping_interval_ms = 5000;
  begin();
  sim::client &c = open();
  for (uint64_t at = 0; at < 60000; at += 4500)
    w->k.after(at * NS_PER_MS, [&] { w->command(c, 'e', '0', WEIR_TEXT, 10); });
  w->run_for(60000);
  EXPECT_EQ(c.pings, 0u);
}

TEST_F(deadline, messages_postpone_the_end_of_the_idle)
{
  options.route.idle_timeout_ms = 5000;
  begin();
  sim::client &c = open();
  for (uint64_t at = 0; at <= 45000; at += 4500)
    w->k.after(at * NS_PER_MS, [&] { w->command(c, 'e', '0', WEIR_TEXT, 10); });
  w->run_for(46000);
  EXPECT_EQ(c.close_got, 0);
  uint64_t last = opened_at + 45000 * NS_PER_MS;
  w->run_until([&] { return c.close_got != 0; });
  expect_ms(last, w->k.now(), 5000);
}

TEST_F(deadline, paused_peer_is_not_blamed_for_silence)
{
  options.route.ping_interval_ms = 2000;
  options.route.pong_timeout_ms = 1000;
  options.route.idle_timeout_ms = 3000;
  begin();
  sim::client &c = open();
  w->command(c, 'q', '0', WEIR_TEXT, 10);
  w->run_for(30000);
  sim::session *s = w->session_of(c);
  ASSERT_FALSE(s->closed);
  s->paused = false;
  weir_conn_resume(s->conn);
  uint64_t since = w->k.now();
  w->run_until([&] { return c.close_got != 0; });
  EXPECT_EQ(c.close_got, 1001);
  EXPECT_GE(w->k.now(), since + 2900 * NS_PER_MS - LATE_MS * NS_PER_MS);
}

TEST_F(deadline, off_is_never)
{
  options.server.handshake_timeout_ms = WEIR_OFF;
  options.route.ping_interval_ms = WEIR_OFF;
  begin();
  sim::client &silent = w->add_client({});
  silent.connect("");
  sim::client &c = open();
  w->run_for(10 * 60000);
  EXPECT_FALSE(silent.ended);
  EXPECT_FALSE(c.ended);
  EXPECT_EQ(c.pings, 0u);
}

struct alarm {
  struct weir_timer *timer;
  sim::kernel *k;
  std::vector<uint64_t> fired_at; // ns
};

void ring(struct weir_timer *, void *arg)
{
  auto *a = static_cast<alarm *>(arg);
  a->fired_at.push_back(a->k->now());
}

TEST_F(deadline, user_timers_are_exact)
{
  begin();
  const uint64_t spans[] = {0,    1,    2,    5,    63,    64,     65,    127,
                            1000, 4095, 4096, 4097, 70000, 262144, 300000};
  std::deque<alarm> alarms;
  uint64_t since = w->k.now();
  for (uint64_t ms : spans) {
    alarm &a = alarms.emplace_back(alarm{nullptr, &w->k, {}});
    ASSERT_EQ(weir_timer_new(&a.timer, w->loop, ring, &a), 0);
    weir_timer_start(a.timer, ms, 0);
  }
  w->run_for(310000);
  for (size_t i = 0; i < alarms.size(); ++i) {
    ASSERT_EQ(alarms[i].fired_at.size(), 1u) << spans[i];
    EXPECT_GE(alarms[i].fired_at[0], since + spans[i] * NS_PER_MS) << spans[i];
    EXPECT_LE(alarms[i].fired_at[0], since + (spans[i] + 1) * NS_PER_MS + CALLS_NS) << spans[i];
    weir_timer_free(alarms[i].timer);
  }
}

// A loop that only polls weir_loop_fd keeps the same time.
TEST_F(deadline, foreign_loop)
{
  options.foreign = true;
  options.route.idle_timeout_ms = 7000;
  begin();
  sim::client &c = open();
  alarm a{nullptr, &w->k, {}};
  ASSERT_EQ(weir_timer_new(&a.timer, w->loop, ring, &a), 0);
  uint64_t since = w->k.now();
  weir_timer_start(a.timer, 4321, 0);
  w->run_until([&] { return c.close_got != 0; });
  expect_ms(opened_at, w->k.now(), 7000);
  ASSERT_EQ(a.fired_at.size(), 1u);
  expect_ms(since, a.fired_at[0], 4321, 2);
  weir_timer_free(a.timer);
}

TEST_F(deadline, repeating_timers_keep_to_the_grid)
{
  begin();
  alarm a{nullptr, &w->k, {}};
  uint64_t since = w->k.now();
  ASSERT_EQ(weir_timer_new(&a.timer, w->loop, ring, &a), 0);
  weir_timer_start(a.timer, 7, 10);
  w->run_for(1000);
  ASSERT_EQ(a.fired_at.size(), 100u);
  for (size_t i = 0; i < a.fired_at.size(); ++i) {
    uint64_t due = since + (7 + 10 * i) * NS_PER_MS;
    EXPECT_GE(a.fired_at[i], due);
    EXPECT_LE(a.fired_at[i], due + 2 * NS_PER_MS); // the first one's start and this wait round up
  }
  weir_timer_free(a.timer);
}

} // namespace
