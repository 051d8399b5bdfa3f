// Bodies of plain requests: whole and in pieces, however they arrive; what is too much, too slow or
// wrong; and answers that do not wait for them.
#include "support/stage.hpp"

#include <gtest/gtest.h>

#include <cerrno>

using namespace support;

namespace
{

std::string_view view(weir_slice slice)
{
  return {slice.data, slice.len};
}

int answer_with(weir_request *r, std::string_view body)
{
  return weir_request_respond_body(r, "text/plain", body.data(), body.size());
}

/* A request with a body of so many bytes, or chunked; more are whole header lines. */
std::string counted(const std::string &target, std::string_view body, const std::string &more = "")
{
  return "POST " + target + " HTTP/1.1\r\nHost: x\r\n" + more +
         "Content-Length: " + std::to_string(body.size()) + "\r\n\r\n" + std::string(body);
}

std::string chunked(const std::string &target, const std::string &raw, const std::string &more = "")
{
  return "POST " + target + " HTTP/1.1\r\nHost: x\r\n" + more +
         "Transfer-Encoding: chunked\r\n\r\n" + raw;
}

std::string chunk(std::string_view data)
{
  char size[20];
  snprintf(size, sizeof size, "%zx\r\n", data.size());
  return size + std::string(data) + "\r\n";
}

const std::string last_chunk = "0\r\n\r\n";

/* "/whole" answers with the body; "/pieces" gathers it piece by piece and does the same. */
class http_body : public testing::Test
{
protected:
  page whole, pieces;
  weir_http_route options = {};
  stage at;
  weir_request *kept = nullptr; /* of "/pieces" */
  std::string gathered;
  size_t calls = 0, gone = 0, ends = 0;

  http_body()
  {
    whole.request = [this](weir_request *r) {
      calls++;
      return answer_with(r, view(weir_request_body(r)));
    };
    pieces.request = [this](weir_request *r) {
      calls++;
      gathered.clear();
      EXPECT_EQ(weir_request_body(r).len, 0u);
      let_go();
      kept = weir_request_keep(r);
      return kept == nullptr ? -503 : WEIR_LATER;
    };
    pieces.body = [this](weir_request *r, std::string_view piece, bool last) {
      EXPECT_EQ(r, kept);
      EXPECT_TRUE(last || !piece.empty());
      gathered += piece;
      ends += last;
      if (!last)
        return;
      EXPECT_EQ(answer_with(r, gathered), 0);
      EXPECT_EQ(weir_request_respond(r, 200), 0);
    };
    pieces.gone = [this](weir_request *r) {
      EXPECT_EQ(r, kept);
      EXPECT_EQ(weir_request_respond(r, 200), -ESTALE);
      gone++;
    };
  }
  ~http_body() override
  {
    at.end_server();
    let_go();
  }

  void let_go()
  {
    weir_request_unref(kept);
    kept = nullptr;
  }
  void start()
  {
    at.http("POST", "/whole", whole, options);
    at.http("POST", "/pieces", pieces, options);
    at.start();
  }
  response ask(const std::string &request)
  {
    peer &client = at.connect();
    client.send(request);
    return at.answer(client);
  }
  /* A refusal is readable: the connection is closed by FIN, whatever the client sent behind it. */
  void expect_refused(const std::string &request, int status)
  {
    peer &client = at.connect();
    client.send(request);
    EXPECT_EQ(at.answer(client).status, status) << request.substr(0, 200);
    EXPECT_TRUE(at.ends(client));
    EXPECT_FALSE(client.was_reset());
    EXPECT_EQ(client.input(), "");
    client.half_close();
  }
};

TEST_F(http_body, CountedAndChunked)
{
  start();
  for (const char *target : {"/whole", "/pieces"}) {
    peer &client = at.connect(); /* all on one connection, one behind the other */
    client.send(counted(target, "hello") +
                chunked(target, chunk("hel") + chunk("lo!") + "0\r\n\r\n"));
    client.send(chunked(target, "3;a=b;c=\"d\\\"\"\r\nabc\r\n00\r\nTrailer: x\r\n\r\n"));
    client.send(chunked(target, last_chunk) + counted(target, "") + counted(target, "end"));
    for (const char *body : {"hello", "hello!", "abc", "", "", "end"}) {
      response answer = at.answer(client);
      EXPECT_EQ(answer.status, 200);
      EXPECT_EQ(answer.body, body) << target;
      EXPECT_EQ(answer.field("Connection"), "");
    }
  }
  EXPECT_EQ(calls, 12u);
  EXPECT_EQ(ends, 6u) << "a body that is empty ends, too";
  EXPECT_EQ(gone, 0u);
  EXPECT_EQ(at.counters().requests, 12u);
}

TEST_F(http_body, NoneIsNull)
{
  whole.request = [](weir_request *r) {
    EXPECT_EQ(weir_request_body(r).data, nullptr);
    return 0;
  };
  start();
  EXPECT_EQ(ask("POST /whole HTTP/1.1\r\nHost: x\r\n\r\n").status, 200);
  EXPECT_EQ(ask(counted("/whole", "")).status, 200);
  EXPECT_EQ(ask("POST /pieces HTTP/1.1\r\nHost: x\r\n\r\n").status, 200) << "its end comes anyway";
  EXPECT_EQ(ends, 1u);
}

/* Split anywhere, alone and with a request behind it, each way of sending gives the same. */
TEST_F(http_body, SplitAnywhere)
{
  start();
  for (const char *target : {"/whole", "/pieces"}) {
    std::string several = chunk("hello, ") + "5;x=y\r\nworld\r\n0\r\nT: v\r\n\r\n";
    for (const std::string &request : {counted(target, "hello, world"), chunked(target, several)}) {
      peer &client = at.connect();
      at.settle();
      for (size_t split = 1; split < request.size(); split++) {
        client.send(request.substr(0, split));
        at.turn_once();
        client.send(request.substr(split) + counted(target, "next"));
        ASSERT_EQ(at.answer(client).body, "hello, world") << target << " " << split;
        ASSERT_EQ(at.answer(client).body, "next") << target << " " << split;
      }
    }
  }
}

TEST_F(http_body, ByteByByte)
{
  start();
  for (const char *target : {"/whole", "/pieces"}) {
    peer &client = at.connect();
    at.settle();
    for (char byte : counted(target, "hello") + chunked(target, chunk("hello") + "0\r\n\r\n")) {
      client.send({&byte, 1});
      at.turn_once();
    }
    EXPECT_EQ(at.answer(client).body, "hello");
    EXPECT_EQ(at.answer(client).body, "hello");
  }
}

TEST_F(http_body, LargeOnes)
{
  start();
  std::string body(1 << 20, 'b');
  for (size_t i = 0; i < body.size(); i++)
    body[i] = static_cast<char>('a' + i * 7 % 26);
  std::string raw;
  for (size_t i = 0; i < body.size() - 100000; i += 9999)
    raw += chunk(std::string_view(body).substr(i, 9999));
  for (const char *target : {"/whole", "/pieces"}) {
    EXPECT_EQ(ask(counted(target, body)).body, body) << target << ": 1 MiB is what is allowed";
    std::string got = ask(chunked(target, raw + "0\r\n\r\n")).body;
    EXPECT_EQ(got, body.substr(0, got.size()));
    EXPECT_GT(got.size(), body.size() - 110000);
  }
}

TEST_F(http_body, LimitCountsWhatIsSent)
{
  options.max_body_bytes = 100;
  start();
  std::string most(100, 'x'), most_chunked = chunk(std::string(89, 'x')) + "0\r\n\r\n";
  ASSERT_EQ(most_chunked.size(), most.size());
  for (const char *target : {"/whole", "/pieces"}) {
    EXPECT_EQ(ask(counted(target, most)).body, most);
    EXPECT_EQ(ask(chunked(target, most_chunked)).status, 200);
    size_t before = calls;
    expect_refused(counted(target, most + "x"), 413);
    expect_refused("POST " + std::string(target) +
                       " HTTP/1.1\r\nHost: x\r\nContent-Length: 18446744073709551615\r\n\r\n",
                   413);
    EXPECT_EQ(calls, before) << "nobody is asked about what is declared to be too long";
    expect_refused(chunked(target, chunk(std::string(92, 'x')) + "0\r\n\r\n"), 413);
    std::string tiny;
    for (int i = 0; i < 50; i++)
      tiny += chunk("y");
    expect_refused(chunked(target, tiny), 413);
    expect_refused(chunked(target, "1;" + std::string(200, 'e')), 413);
    expect_refused(chunked(target, "0\r\nT: " + std::string(200, 't')), 413);
  }
  EXPECT_EQ(gone, 4u) << "those that came in chunks were begun";
}

TEST_F(http_body, NoLimit)
{
  options.max_body_bytes = WEIR_OFF;
  start();
  std::string body(3 << 20, 'z');
  EXPECT_EQ(ask(counted("/whole", body)).body.size(), body.size());
  EXPECT_EQ(ask(chunked("/pieces", chunk(body) + "0\r\n\r\n")).body.size(), body.size());
}

TEST_F(http_body, PagesOfWeirServerGetHaveNone)
{
  auto get = [](weir_request *, void *) { return 200; };
  ASSERT_EQ(weir_server_get(at.server(), "/get", get, nullptr), 0);
  start();
  std::string head = "GET /get HTTP/1.1\r\nHost: x\r\n";
  EXPECT_EQ(ask(head + "Content-Length: 0\r\n\r\n").status, 200);
  expect_refused(head + "Content-Length: 1\r\n\r\nx", 413);
  response answer = ask(head + "Transfer-Encoding: chunked\r\nExpect: 100-continue\r\n\r\n");
  EXPECT_EQ(answer.status, 413) << "it is not asked to send what cannot be short enough";
}

TEST_F(http_body, WrongChunks)
{
  start();
  for (const char *target : {"/whole", "/pieces"}) {
    for (const char *raw : {"x\r\n", "\r\n", "-1\r\n", "0x1\r\na\r\n", "1\na\n0\n\n", "1\r\nab\r\n",
                            "1\r\na\n", "1 1\r\n", "ffffffffffffffffff\r\n", "1;\r\na", "1;a=\x01",
                            "0\r\n T: v\r\n\r\n", "0\r\n: v\r\n\r\n", "0\r\nT\r\n\r\n"}) {
      expect_refused(chunked(target, raw), 400);
      expect_refused(chunked(target, "2\r\nab\r\n" + std::string(raw)), 400);
    }
  }
  EXPECT_EQ(gone, 28u);
  EXPECT_EQ(ends, 0u);
}

/* Chunks of one byte are worth a frame each: others have their turn. */
TEST_F(http_body, TinyChunksWaitTheirTurn)
{
  size_t taken = 0;
  pieces.body = [&](weir_request *r, std::string_view piece, bool last) {
    taken += piece.size();
    if (last) {
      EXPECT_EQ(weir_request_respond(r, 200), 0);
    }
  };
  start();
  std::string flood;
  for (int i = 0; i < 20000; i++)
    flood += "1\r\nx\r\n";
  peer &client = at.connect();
  client.send(chunked("/pieces", flood));
  size_t before = 0, most = 0;
  ASSERT_TRUE(at.until([&] {
    most = std::max(most, taken - before);
    before = taken;
    return taken == 20000;
  }));
  EXPECT_LE(most, 2 * 4096u);
  client.send(last_chunk);
  EXPECT_EQ(at.answer(client).status, 200);
}

/* ---- Expect (RFC 9110 section 10.1.1) */

TEST_F(http_body, ContinueIsSaidWhereTheBodyIsWanted)
{
  start();
  const std::string expect = "Expect: 100-Continue\r\n";
  for (const char *target : {"/whole", "/pieces"}) {
    for (bool in_chunks : {false, true}) {
      peer &client = at.connect();
      std::string head = in_chunks ? chunked(target, "", expect)
                                   : "POST " + std::string(target) + " HTTP/1.1\r\nHost: x\r\n" +
                                         expect + "Content-Length: 2\r\n\r\n";
      client.send(head);
      response first = at.answer(client, false);
      EXPECT_EQ(first.status, 100);
      EXPECT_EQ(first.head, "HTTP/1.1 100 Continue\r\n");
      client.send(in_chunks ? "2\r\nhi\r\n0\r\n\r\n" : "hi");
      EXPECT_EQ(at.answer(client).body, "hi") << target;
    }
  }
}

TEST_F(http_body, ContinueIsNotSaidElse)
{
  int verdict = 403;
  weir_http_route small = {};
  page refuses = {.request = [&](weir_request *) { return verdict; },
                  .body = [](weir_request *, std::string_view, bool) { FAIL(); },
                  .drain = {},
                  .gone = {}};
  small.max_body_bytes = 1;
  at.http("PUT", "/refuses", refuses);
  at.http("PUT", "/small", whole, small);
  start();
  auto put = [](const std::string &target, const std::string &more) {
    return "PUT " + target + " HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n" + more + "\r\n";
  };
  const std::string expect = "Expect: 100-continue\r\n";
  for (int status : {403, 200, -499}) {
    verdict = status;
    peer &client = at.connect();
    client.send(put("/refuses", expect));
    response answer = at.answer(client);
    EXPECT_EQ(answer.status, std::abs(status));
    EXPECT_EQ(answer.field("Connection"), "close") << "its body has not come";
    EXPECT_TRUE(at.ends(client));
    client.half_close();
  }
  EXPECT_EQ(ask(put("/small", expect)).status, 413);
  EXPECT_EQ(ask(put("/nowhere", expect)).status, 404);
  EXPECT_EQ(ask(put("/whole", expect)).status, 405);
  EXPECT_EQ(ask(put("/small", "Expect: a-cat\r\n")).status, 417);
  EXPECT_EQ(ask(put("/small", expect + expect)).status, 417);
  EXPECT_EQ(ask(counted("/whole", "", expect)).status, 200) << "there is no body";
  peer &old = at.connect();
  old.send("POST /whole HTTP/1.0\r\nExpect: 100-continue\r\nContent-Length: 1\r\n\r\n");
  at.settle();
  EXPECT_EQ(old.input(), "") << "HTTP/1.0 does not know of it";
  old.send("x");
  EXPECT_EQ(at.answer(old).body, "x");
}

/* A response that was begun already must not have a 100 in its middle. */
TEST_F(http_body, ContinueIsNotSaidBehindAResponse)
{
  pieces.request = [&](weir_request *r) {
    EXPECT_EQ(weir_request_begin(r, 200, 2), -EINVAL) << "it is not kept yet";
    kept = weir_request_keep(r);
    EXPECT_EQ(weir_request_begin(kept, 200, 2), 0);
    return WEIR_LATER;
  };
  pieces.body = [&](weir_request *r, std::string_view, bool last) {
    if (last) {
      EXPECT_EQ(weir_request_write(r, "ok", 2), 0);
      EXPECT_EQ(weir_request_end(r), 0);
    }
  };
  start();
  peer &client = at.connect();
  client.send(
      "POST /pieces HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\n");
  at.settle();
  EXPECT_EQ(client.input().find(" 100 "), std::string::npos) << client.input();
  client.send("ab");
  response answer = at.answer(client);
  EXPECT_EQ(answer.status, 200);
  EXPECT_EQ(answer.body, "ok");
}

/* ---- time */

TEST_F(http_body, ThatDripsIsNotWaitedForForEver)
{
  start();
  for (const char *target : {"/whole", "/pieces"}) {
    peer &client = at.connect();
    client.send("POST " + std::string(target) +
                " HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\n");
    at.settle();
    for (int i = 0; i < 29; i++) {
      at.pass(1000);
      client.send("x"); /* an absolute deadline, not an idle one */
      at.settle();
    }
    EXPECT_EQ(client.input(), "") << target;
    at.pass(1500);
    EXPECT_EQ(at.answer(client).status, 408) << target;
    EXPECT_TRUE(at.ends(client));
    client.half_close();
  }
  EXPECT_EQ(gone, 1u);
}

TEST_F(http_body, TimeThatIsOff)
{
  options.body_timeout_ms = WEIR_OFF;
  start();
  peer &client = at.connect();
  client.send("POST /whole HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\n");
  at.settle();
  at.pass(3600 * 1000);
  client.send("ab");
  EXPECT_EQ(at.answer(client).body, "ab");
}

/* The head's time, the body's and the connection's between requests do not run into each other. */
TEST_F(http_body, EachTimeBeginsAnew)
{
  start();
  peer &client = at.connect();
  client.send("POST /whole HTTP/1.1\r\nHost: x\r\n");
  at.settle();
  at.pass(9000);
  client.send("Content-Length: 2\r\n\r\na");
  at.settle();
  at.pass(29000);
  client.send("b");
  EXPECT_EQ(at.answer(client).body, "ab");
  at.settle();
  at.pass(4500);
  at.settle();
  EXPECT_FALSE(client.ended());
  at.pass(1000);
  EXPECT_TRUE(at.ends(client)) << "it idles";
  EXPECT_EQ(client.input(), "");
}

/* ---- answers that do not wait for the body */

TEST_F(http_body, AnsweredBeforeItHasCome)
{
  std::string early(100000, 'e');
  pieces.request = [&](weir_request *r) {
    EXPECT_EQ(answer_with(r, early), 0);
    return 507;
  };
  start();
  peer &client = at.connect();
  client.send("POST /pieces HTTP/1.1\r\nHost: x\r\nContent-Length: 1000000\r\n\r\nsome");
  client.send(std::string(900000, 'b'));
  response answer = at.answer(client);
  EXPECT_EQ(answer.status, 507);
  EXPECT_EQ(answer.body, early);
  EXPECT_EQ(answer.field("Connection"), "close");
  client.send("and more that nobody reads");
  EXPECT_TRUE(at.ends(client));
  EXPECT_FALSE(client.was_reset()) << "it must be able to read why";
}

TEST_F(http_body, AnsweredInItsMiddle)
{
  pieces.body = [&](weir_request *r, std::string_view piece, bool) {
    gathered += piece;
    if (gathered.find('!') != std::string::npos) {
      EXPECT_EQ(weir_request_respond(r, 400), 0);
    }
  };
  start();
  peer &client = at.connect();
  client.send("POST /pieces HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\nab");
  at.settle();
  client.send("c!");
  response answer = at.answer(client);
  EXPECT_EQ(answer.status, 400);
  EXPECT_EQ(answer.field("Connection"), "close");
  EXPECT_EQ(gathered, "abc!");
  client.send(std::string(96, 'x') + counted("/whole", "never"));
  EXPECT_TRUE(at.ends(client));
  EXPECT_EQ(client.input(), "") << "it was the last one of its connection";
  EXPECT_EQ(gathered, "abc!") << "pieces come until the answer";
  EXPECT_EQ(gone, 0u);
}

/* ---- the end of the connection */

TEST_F(http_body, BrokenOffByThePeer)
{
  start();
  for (bool reset : {false, true}) {
    for (const char *target : {"/whole", "/pieces"}) {
      peer &client = at.connect();
      client.send("POST " + std::string(target) +
                  " HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\nabc");
      at.settle();
      reset ? client.reset() : client.half_close();
      EXPECT_TRUE(reset || at.ends(client));
      at.settle();
      EXPECT_EQ(client.input(), "");
    }
  }
  EXPECT_EQ(calls, 2u) << "whoever waits for the whole body is not asked";
  EXPECT_EQ(gone, 2u);
  EXPECT_EQ(ends, 0u);
}

TEST_F(http_body, ServerThatEndsInItsMiddle)
{
  start();
  for (const char *target : {"/whole", "/pieces"}) {
    peer &client = at.connect();
    client.send("POST " + std::string(target) +
                " HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\nabc");
    at.settle();
  }
  at.end_server();
  EXPECT_EQ(gone, 1u);
  EXPECT_EQ(weir_request_respond(kept, 200), -ESTALE) << "it may outlive the server";
  EXPECT_EQ(view(weir_request_path(kept)), "/pieces");
}

TEST_F(http_body, OverHttp10)
{
  start();
  for (const char *target : {"/whole", "/pieces"}) {
    std::string head = "POST " + std::string(target) + " HTTP/1.0\r\nContent-Length: 2\r\n";
    peer &client = at.connect();
    client.send(head + "Connection: keep-alive\r\n\r\nab" + head + "\r\ncd");
    response answer = at.answer(client);
    EXPECT_EQ(answer.body, "ab");
    EXPECT_EQ(answer.field("Connection"), "keep-alive");
    answer = at.answer(client);
    EXPECT_EQ(answer.body, "cd");
    EXPECT_EQ(answer.field("Connection"), "close");
    EXPECT_TRUE(at.ends(client));
    expect_refused("POST " + std::string(target) +
                       " HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
                   400);
  }
}

/* An idle connection holds no more than it did before its first body. */
TEST_F(http_body, LeavesNothingBehind)
{
  start();
  peer &client = at.connect();
  client.send(counted("/whole", "x"));
  EXPECT_EQ(at.answer(client).status, 200);
  at.settle();
  uint64_t before = at.counters().memory_bytes;
  for (int i = 0; i < 10; i++) {
    client.send(counted("/whole", std::string(500000, 'x')));
    EXPECT_EQ(at.answer(client).status, 200);
  }
  let_go();
  at.settle();
  at.pass(2000);
  EXPECT_LT(at.counters().memory_bytes, before + (64 << 10));
}

} // namespace
