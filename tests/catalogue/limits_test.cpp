/* Rows 44, 45 and 47: messages over a limit (RFC 6455 section 10.4). */
#include "catalogue/harness.hpp"

#include <atomic>
#include <gtest/gtest.h>

using namespace catalogue;

namespace
{

/* A server with small limits that notes, at the moment of the error, how much memory it holds. */
struct limited {
  std::atomic<uint64_t> at_error{0};
  weir_server *raw = nullptr;
  server at;

  explicit limited(size_t bytes, size_t fragments = 0, bool piecewise = false)
      : at(with(bytes, fragments, piecewise))
  {
    raw = at.get();
  }

private:
  setup with(size_t bytes, size_t fragments, bool piecewise)
  {
    setup out;
    out.route.max_message_bytes = bytes;
    out.route.max_fragments = fragments;
    out.on.error = [this](weir_conn *, int, const char *) {
      weir_counters now = {};
      weir_server_counters(raw, &now);
      at_error = now.memory_bytes;
    };
    if (piecewise)
      out.on.fragment = [](weir_conn *, const weir_message *) {};
    return out;
  }
};

const std::string sound = masked(fin | text, "sound");

} // namespace

TEST(Row44, DeclaredLengthOverTheLimit)
{
  for (bool piecewise : {false, true}) {
    limited s(1000, 0, piecewise);
    for (uint64_t length : {UINT64_C(1001), UINT64_C(65535), UINT64_C(65536), UINT64_C(1) << 24,
                            UINT64_C(1) << 32, UINT64_C(1) << 40}) {
      SCOPED_TRACE(length);
      expect_failed(s.at, header_only(fin | binary, length), 1009);
      expect_failed(s.at, header_only(text, length), 1009, piecewise ? "" : sound);
    }
  }
}

TEST(Row44, NothingIsAllocatedForIt)
{
  limited s(1 << 20);
  client attacker = s.at.open();
  expect_echo(attacker, "warm");
  uint64_t memory = s.at.counters().memory_bytes;
  attacker.send(header_only(fin | binary, 64 << 20));
  expect_failure(s.at, attacker, 1009);
  EXPECT_LT(s.at_error, memory + 4096);
}

TEST(Row44, WithinTheLimitAClaimAloneCostsLittle)
{
  limited s(64 << 20);
  client attacker = s.at.open();
  expect_echo(attacker, "warm");
  uint64_t memory = s.at.counters().memory_bytes;
  s.at.drip(attacker, header_only(fin | binary, 64 << 20) + "x");
  s.at.expect_undisturbed();
  EXPECT_LT(s.at.counters().memory_bytes, memory + (1 << 20));
}

TEST(Row44, InTheMiddleOfAnUploadOf16MiB)
{
  limited s(1 << 20);
  const std::string upload = masked(fin | binary, std::string(16 << 20, 'u'));
  client attacker = s.at.open();
  EXPECT_TRUE(attacker.send(upload)) << "reset before it could read why";
  s.at.expect_undisturbed();
  expect_failure(s.at, attacker, 1009);
}

TEST(Row44, ExactlyTheLimitIsAccepted)
{
  limited s(1000);
  client peer = s.at.open();
  expect_echo(peer, std::string(1000, 'x'));
  expect_failed(s.at, masked(fin | text, std::string(1001, 'x')), 1009);
}

TEST(Row45, SumOfFragmentsOverTheLimit)
{
  for (bool piecewise : {false, true}) {
    limited s(1000, 0, piecewise);
    const std::string most = masked(binary, std::string(900, 'x')) + masked(continuation, "y");
    expect_failed(s.at, header_only(fin | continuation, 100), 1009, most);
    expect_failed(s.at, header_only(continuation, 100), 1009, most);
    expect_failed(s.at, header_only(continuation, 1), 1009, masked(text, std::string(1000, 'x')));
    expect_failed(s.at, masked(continuation, "z"), 1009,
                  most + masked(continuation, std::string(99, 'y')) + masked(fin | ping, "p"));
  }
}

TEST(Row45, ExactlyTheLimitIsAccepted)
{
  limited s(1000);
  for (delivery how : {delivery::whole, delivery::bytes}) {
    client peer = s.at.open();
    for (int i = 0; i < 2; i++) { /* the sum starts anew */
      deliver(s.at, peer,
              masked(binary, std::string(500, 'x')) + masked(continuation) +
                  masked(fin | continuation, std::string(500, 'y')),
              how);
      std::optional<frame> got = peer.read_frame();
      ASSERT_TRUE(got);
      EXPECT_EQ(got->payload, std::string(500, 'x') + std::string(500, 'y'));
    }
  }
}

namespace
{

std::string fragments(size_t count, const char *payload)
{
  std::string out = masked(binary, payload);
  for (size_t i = 1; i < count; i++)
    out += masked(continuation, payload);
  return out;
}

} // namespace

TEST(Row47, FloodOfFragments)
{
  for (bool piecewise : {false, true}) {
    limited s(0, 100, piecewise);
    for (const char *payload : {"", "x"}) {
      SCOPED_TRACE(payload);
      expect_failed(s.at, masked(continuation, payload), 1008, fragments(100, payload));
      expect_failed(s.at, masked(fin | continuation, payload), 1008, fragments(100, payload));
    }
  }
}

TEST(Row47, FloodOverTheDefaultLimit)
{
  limited s(0);
  for (const char *payload : {"", "x"}) {
    client attacker = s.at.open();
    attacker.send(fragments(40000, payload));
    s.at.expect_undisturbed();
    expect_failure(s.at, attacker, 1008);
  }
}

TEST(Row47, AsManyAsTheLimitAreAccepted)
{
  limited s(0, 100);
  client peer = s.at.open();
  for (int i = 0; i < 2; i++) { /* the count starts anew; control frames do not count */
    peer.send(fragments(99, "x") + masked(fin | ping, "p") + masked(fin | continuation, "x"));
    EXPECT_EQ(peer.read_frame()->opcode(), pong + 0u);
    EXPECT_EQ(peer.read_frame()->payload, std::string(100, 'x'));
  }
  limited defaults(0);
  client other = defaults.at.open();
  other.send(fragments(16383, "x") + masked(fin | continuation, "x"));
  EXPECT_EQ(other.read_frame()->payload.size(), 16384u);
}
