/* Rows 14-16: requests sent ahead, chunked bodies that are all framing, expectations (RFC 9112
 * sections 7.1, 9.3; RFC 9110 section 10.1.1). */
#include "catalogue/harness.hpp"

#include <gtest/gtest.h>

#include <deque>
#include <poll.h>

using namespace catalogue;

namespace
{

/* A page whose answer is the request's query and body; "?later" is answered by the next request
 * elsewhere, or by let_go. */
class pages
{
public:
  std::deque<weir_request *> kept;
  int served = 0, gone = 0;

  setup on(size_t max_body_bytes = 0)
  {
    setup s;
    s.page.on_request = [](weir_request *r, void *arg) {
      return static_cast<pages *>(arg)->ask(r);
    };
    s.page.on_gone = [](weir_request *r, void *arg) { static_cast<pages *>(arg)->lose(r); };
    s.page.max_body_bytes = max_body_bytes;
    s.page_arg = this;
    return s;
  }

  /* On the loop: answers what waits. */
  void let_go()
  {
    for (weir_request *r : kept) {
      EXPECT_EQ(weir_request_respond_body(r, "text/plain", "at last", 7), 0);
      EXPECT_EQ(weir_request_respond(r, 200), 0);
      weir_request_unref(r);
    }
    kept.clear();
  }

private:
  int ask(weir_request *r)
  {
    served++;
    weir_slice n = weir_request_query(r, "n"), body = weir_request_body(r);
    if (weir_request_query(r, "later").data != nullptr) {
      kept.push_back(weir_request_keep(r));
      return WEIR_LATER;
    }
    std::string text = std::string(n.data == nullptr ? "" : n.data, n.len) + "|" +
                       std::string(body.data == nullptr ? "" : body.data, body.len);
    return weir_request_respond_body(r, "text/plain", text.data(), text.size());
  }
  void lose(weir_request *r)
  {
    gone++;
    std::erase(kept, r);
    weir_request_unref(r);
  }
};

std::string get(const std::string &query)
{
  return "GET /page?" + query + " HTTP/1.1\r\nHost: localhost\r\n\r\n";
}

std::string chunked(const std::string &body, const std::string &more = {})
{
  return "POST /page?n=1 HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n" + more +
         "\r\n" + body;
}

void expect_body(client &from, const std::string &body)
{
  std::optional<response> answer = from.read_response();
  ASSERT_TRUE(answer);
  EXPECT_EQ(answer->status, 200);
  EXPECT_EQ(answer->body, body);
}

/* How much the kernel holds for the server, unread. */
bool is_held_back(const client &from)
{
  pollfd ready = {from.fd(), POLLOUT, 0};
  return poll(&ready, 1, 0) == 0;
}

} // namespace

TEST(Row14, InOrder)
{
  pages on;
  server at(on.on());
  std::string all;
  for (int i = 0; i < 50; i++)
    all += get("n=" + std::to_string(i));
  for (delivery how : {delivery::whole, delivery::bytes}) {
    SCOPED_TRACE(name(how));
    client peer = at.connect();
    deliver(at, peer, all, how);
    for (int i = 0; i < 50; i++)
      expect_body(peer, std::to_string(i) + "|");
    at.expect_undisturbed();
  }
}

TEST(Row14, BehindOneThatWaits)
{
  pages on;
  server at(on.on());
  for (delivery how : {delivery::whole, delivery::bytes}) {
    SCOPED_TRACE(name(how));
    client peer = at.connect();
    deliver(at, peer,
            get("n=0") + get("later") + get("n=2") + request{}.str() + masked(fin | text, "x"),
            how);
    expect_body(peer, "0|");
    at.poll("the request", [&] {
      size_t waiting = 0;
      at.on_loop([&] { waiting = on.kept.size(); });
      return waiting == 1;
    });
    EXPECT_FALSE(peer.readable(std::chrono::milliseconds(50)));
    at.on_loop([&] { on.let_go(); });
    expect_body(peer, "at last");
    expect_body(peer, "2|");
    std::optional<response> opened = peer.read_response(false);
    ASSERT_TRUE(opened);
    EXPECT_EQ(opened->status, 101);
    std::optional<frame> echoed = peer.read_frame();
    ASSERT_TRUE(echoed);
    EXPECT_EQ(echoed->payload, "x");
    at.expect_undisturbed();
  }
}

/* What waits is bounded: the rest stays in TCP, and nothing of it is lost. */
TEST(Row14, WithinABound)
{
  pages on;
  server at(on.on());
  client peer = at.connect();
  const std::string ahead =
      "GET /page?n=7 HTTP/1.1\r\nHost: localhost\r\nX-Pad: " + std::string(12000, 'x') + "\r\n\r\n";
  ASSERT_TRUE(peer.send(get("later")));
  uint64_t before = at.counters().bytes_received;
  size_t sent = 0;
  while (sent < 4000 && !is_held_back(peer)) {
    ASSERT_TRUE(peer.send(ahead));
    sent++;
  }
  ASSERT_LT(sent, 4000u) << "the server reads whatever is sent ahead";
  at.expect_undisturbed();
  EXPECT_LT(at.counters().bytes_received - before, 400u << 10);
  at.on_loop([&] { on.let_go(); });
  expect_body(peer, "at last");
  for (size_t i = 0; i < sent && !testing::Test::HasFailure(); i++)
    expect_body(peer, "7|");
  at.expect_undisturbed();
}

TEST(Row15, ChunksThatAreSound)
{
  pages on;
  server at(on.on());
  const std::string bodies[] = {
      "5\r\nhello\r\n0\r\n\r\n", "2;a=b;c=\"d,e\"\r\nhe\r\n003\r\nllo\r\n0\r\n\r\n",
      "5\r\nhello\r\n0\r\nX-Trailer: Content-Length: 9\r\nHost: elsewhere\r\n\r\n"};
  for (const std::string &body : bodies) {
    for (delivery how : {delivery::whole, delivery::bytes}) {
      SCOPED_TRACE(body);
      client peer = at.connect();
      deliver(at, peer, chunked(body) + get("n=2"), how);
      expect_body(peer, "1|hello");
      expect_body(peer, "2|");
    }
  }
}

/* Framing costs as much as what it frames. */
TEST(Row15, Floods)
{
  pages on;
  server at(on.on(4096));
  std::string extension = "1;" + std::string(5000, 'x') + "\r\na\r\n0\r\n\r\n", tiny,
              trailers = "0\r\n";
  for (int i = 0; i < 1000; i++)
    tiny += "1\r\na\r\n";
  for (int i = 0; i < 300; i++)
    trailers += "X-" + std::to_string(i) + ": of no use at all\r\n";
  for (const std::string &body : {extension, tiny + "0\r\n\r\n", trailers + "\r\n"})
    expect_refused(at, chunked(body), 413, "large");
  std::string declared = "POST /page HTTP/1.1\r\nHost: localhost\r\nContent-Length: 4097\r\n\r\n";
  expect_refused(at, declared, 413, "large");
  EXPECT_EQ(on.served, 0);
}

TEST(Row15, ChunksThatAreNone)
{
  pages on;
  server at(on.on());
  for (const char *body :
       {"5\nhello\r\n0\r\n\r\n", "5\r\nhello0\r\n\r\n", "-5\r\nhello\r\n0\r\n\r\n",
        "0x5\r\nhello\r\n0\r\n\r\n", "5 \r\nhello\r\n0\r\n\r\n", "5;a=\n\r\nhello\r\n0\r\n\r\n",
        "10000000000000005\r\nhello\r\n0\r\n\r\n", "ffffffffffffffff\r\nhello\r\n0\r\n\r\n",
        "5\r\nhello\r\n0\r\n X: 1\r\n\r\n"}) {
    SCOPED_TRACE(body);
    expect_refused(at, chunked(body), 400, "chunk|size|line|trailer|CR|LF|extension|blank|feed");
  }
  EXPECT_EQ(on.served, 0);
}

TEST(Row16, WhatNobodyKnows)
{
  pages on;
  server at(on.on());
  for (const char *value : {"200-ok", "100-continue, more", "", "100"}) {
    SCOPED_TRACE(value);
    expect_refused(at, chunked("0\r\n\r\n", std::string("Expect: ") + value + "\r\n"), 417,
                   "Expect");
  }
  expect_refused(at, chunked("0\r\n\r\n", "Expect: 100-continue\r\nExpect: 100-continue\r\n"), 417,
                 "Expect");
  expect_refused(at, request{}.with("Expect: more").str(), 417, "Expect");
}

TEST(Row16, GoOn)
{
  pages on;
  server at(on.on());
  client peer = at.connect();
  ASSERT_TRUE(peer.send(chunked("", "Expect: 100-Continue\r\n")));
  std::optional<response> interim = peer.read_response(false);
  ASSERT_TRUE(interim);
  EXPECT_EQ(interim->status, 100);
  ASSERT_TRUE(peer.send("5\r\nhello\r\n0\r\n\r\n"));
  expect_body(peer, "1|hello");
  at.expect_undisturbed();
}
