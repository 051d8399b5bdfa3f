/* Rows 10-13: request heads that smuggle, bodies, and frames that come too early (RFC 9112). */
#include "catalogue/harness.hpp"

#include <future>
#include <gtest/gtest.h>

using namespace catalogue;

namespace
{

struct head_case {
  const char *name;
  std::string bytes;
};

const std::string good = request{}.str();

/* A good request with a raw line in front of the blank one. */
std::string with_raw(const std::string &raw)
{
  return good.substr(0, good.size() - 2) + raw + "\r\n\r\n";
}

void expect_bad(server &at, const std::vector<head_case> &cases, const char *speaks_of)
{
  for (const head_case &c : cases) {
    SCOPED_TRACE(c.name);
    expect_refused(at, c.bytes, 400, speaks_of);
  }
}

} // namespace

TEST(Row10, FoldedLines)
{
  server at;
  expect_bad(at,
             {{"by a space", with_raw("X-A: 1\r\n 2")},
              {"by a tab", with_raw("X-A: 1\r\n\t2")},
              {"blanks alone", with_raw("X-A: 1\r\n ")},
              {"behind the request line", "GET / HTTP/1.1\r\n Host: localhost\r\n\r\n"}},
             "fold|line|field|header|blank");
}

TEST(Row10, NamesThatAreNone)
{
  server at;
  expect_bad(at,
             {{"space before the colon", with_raw("X-A : 1")},
              {"tab before the colon", with_raw("X-A\t: 1")},
              {"empty name", with_raw(": 1")},
              {"space within", with_raw("X A: 1")},
              {"no colon", with_raw("X-A")},
              {"control character", with_raw("X\x01: 1")},
              {"8 bits", with_raw("X\xe9: 1")}},
             "field|name|header|colon|space|character");
}

TEST(Row10, BareLineEnds)
{
  server at;
  expect_bad(at,
             {{"LF ends a field", with_raw("X-A: 1\nX-B: 2")},
              {"CR within a value", with_raw("X-A: 1\rX-B: 2")},
              {"CR at the end of a value", with_raw("X-A: 1\r")},
              {"LF ends the request line", "GET / HTTP/1.1\nHost: localhost\r\n\r\n"},
              {"CR within the request line", "GET / \rHTTP/1.1\r\nHost: localhost\r\n\r\n"},
              {"LF ends the head", "GET / HTTP/1.1\r\nHost: localhost\r\n\nmore\r\n\r\n"},
              {"LF in front", "\n" + good},
              {"CR in front", "\r" + good}},
             "CR|LF|line|carriage|byte|begin");
}

TEST(Row10, Nul)
{
  server at;
  expect_bad(at,
             {{"in a value", with_raw(std::string("X-A: 1\0", 7) + "2")},
              {"in a name", with_raw(std::string("X\0A: 1", 6))},
              {"in the target", request{}.with_line(std::string("GET /\0 HTTP/1.1", 15)).str()},
              {"in front", std::string(1, '\0') + good}},
             "NUL|character|control|method|byte|name|target|line");
}

TEST(Row10, EmptyLinesInFront)
{
  server at;
  client peer(at.port());
  peer.send("\r\n\r\n" + good);
  EXPECT_EQ(peer.read_response()->status, 101);
  expect_bad(at, {{"three", "\r\n\r\n\r\n" + good}}, "line|CRLF");
}

TEST(Row11, LengthWithTransferEncoding)
{
  server at;
  expect_bad(at,
             {{"length first", with_raw("Content-Length: 4\r\nTransfer-Encoding: chunked")},
              {"coding first", with_raw("Transfer-Encoding: chunked\r\nContent-Length: 4")},
              {"length 0", with_raw("Content-Length: 0\r\nTransfer-Encoding: chunked")},
              {"not chunked", with_raw("Content-Length: 0\r\nTransfer-Encoding: identity")}},
             "length|encoding|body");
}

TEST(Row11, LengthThatIsNone)
{
  server at;
  for (const char *value : {"+0", "-0", "-1", "", "0x0", "0 0", "0,", "0, 0", "zero", "0.0",
                            "18446744073709551616", "99999999999999999999999"}) {
    SCOPED_TRACE(value);
    expect_refused(at, with_raw("Content-Length: " + std::string(value)), 400, "length");
  }
}

TEST(Row11, LengthTwice)
{
  server at;
  expect_bad(at,
             {{"different", with_raw("Content-Length: 0\r\nContent-Length: 5")},
              {"the same", with_raw("Content-Length: 0\r\nContent-Length: 0")},
              {"another case", with_raw("Content-Length: 0\r\ncontent-length: 0")}},
             "length");
}

TEST(Row12, UpgradeWithBody)
{
  server at;
  expect_bad(at,
             {{"length", with_raw("Content-Length: 5") + "hello"},
              {"length alone", with_raw("Content-Length: 5")},
              {"a frame as body", with_raw("Content-Length: 8") + masked(fin | text, "hi")},
              {"chunked", with_raw("Transfer-Encoding: chunked") + "5\r\nhello\r\n0\r\n\r\n"}},
             "body");
}

TEST(Row12, UpgradeWithAnEmptyBodyHasNone)
{
  server at;
  for (delivery how : {delivery::whole, delivery::bytes}) {
    client peer(at.port());
    deliver(at, peer, with_raw("Content-Length: 0"), how);
    EXPECT_EQ(peer.read_response()->status, 101);
    expect_echo(peer, "no body");
  }
}

namespace
{

std::string early_frames(int count)
{
  std::string out;
  for (int i = 0; i < count; i++)
    out += masked(fin | text, "early " + std::to_string(i));
  return out;
}

void expect_early_echoes(client &from, int count)
{
  EXPECT_EQ(from.read_response()->status, 101);
  for (int i = 0; i < count; i++) {
    std::optional<frame> got = from.read_frame();
    ASSERT_TRUE(got);
    ASSERT_EQ(got->payload, "early " + std::to_string(i));
  }
}

} // namespace

TEST(Row13, FramesBehindTheRequestAreProcessedOnceAccepted)
{
  server at;
  for (delivery how : {delivery::whole, delivery::bytes}) {
    SCOPED_TRACE(name(how));
    client peer(at.port());
    deliver(at, peer, good + early_frames(3), how);
    expect_early_echoes(peer, 3);
    expect_echo(peer, "late");
  }
}

TEST(Row13, CutAnywhereTheyAreTheSame)
{
  server at;
  const std::string all = good + early_frames(1);
  for (size_t cut = good.size() - 5; cut < all.size(); cut++) {
    SCOPED_TRACE(cut);
    client peer(at.port());
    uint64_t before = at.counters().bytes_received;
    peer.send(all.substr(0, cut));
    at.poll("the first part", [&] { return at.counters().bytes_received == before + cut; });
    peer.send(all.substr(cut));
    expect_early_echoes(peer, 1);
  }
}

TEST(Row13, TheyAreDroppedOnRefusal)
{
  int asked = 0;
  setup refusing;
  refusing.on.upgrade = [&](weir_request *) {
    asked++;
    return -403;
  };
  server at(refusing);
  uint64_t before = at.counters().messages_received;
  expect_refused(at, good + early_frames(3), 403, "forbidden|refused");
  EXPECT_EQ(asked, 3) << "once for each delivery";
  EXPECT_EQ(at.counters().messages_received - before, 3u * 1 /* the bystander's */ * 2);
}

TEST(Row13, TheirBufferIsBounded)
{
  setup waiting;
  std::promise<void> sent;
  std::shared_future<void> until = sent.get_future().share();
  waiting.on.upgrade = [&](weir_request *) {
    until.wait();
    return 0;
  };
  waiting.route.max_queued_bytes = WEIR_OFF;
  waiting.route.max_queued_messages = WEIR_OFF;
  server at(waiting);
  uint64_t before = at.counters().memory_bytes;
  client peer(at.port());
  constexpr int count = 20000;
  const std::string all = good + early_frames(count);
  std::thread sender([&] { EXPECT_TRUE(peer.send(all)); });
  while (at.counters().accepted < 2)
    std::this_thread::yield();
  sent.set_value();
  sender.join();
  expect_early_echoes(peer, count);
  at.expect_undisturbed();
  EXPECT_LT(at.counters().memory_bytes, before + (2u << 20));
}
