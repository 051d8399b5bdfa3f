// Responses that are streamed: begun, written piece by piece by the loop or by another thread, and
// ended; to readers that are quick, slow, stalled or gone.
#include "http_stream_fixture.hpp"

#include <condition_variable>
#include <mutex>

using namespace http_later_test;

namespace
{

TEST_F(http_stream, OfALengthThatWasAnnounced)
{
  start();
  peer &client = ask(get("/later") + get("/now/1"));
  weir_request *r = kept[0];
  EXPECT_EQ(weir_request_respond_header(r, "X-Set", "1"), 0);
  EXPECT_EQ(weir_request_respond_body(r, "text/csv", "left out", 8), 0);
  EXPECT_EQ(begin(r, 10), 0);
  at.settle();
  EXPECT_NE(client.input().find("\r\n\r\n"), std::string::npos) << "the head does not wait";
  EXPECT_EQ(write(r, "hello"), 0);
  EXPECT_GT(weir_request_buffered(r), 0u);
  at.settle();
  EXPECT_EQ(weir_request_buffered(r), 0u);
  EXPECT_EQ(write(r, ""), 0);
  EXPECT_EQ(write(r, "world"), 0);
  EXPECT_EQ(weir_request_end(r), 0);
  response answer = at.answer(client);
  EXPECT_EQ(answer.status, 200);
  EXPECT_EQ(answer.body, "helloworld");
  EXPECT_EQ(answer.field("Content-Length"), "10");
  EXPECT_EQ(answer.field("Content-Type"), "text/csv");
  EXPECT_EQ(answer.field("X-Set"), "1");
  EXPECT_EQ(answer.field("Connection"), "");
  EXPECT_EQ(at.answer(client).body, "1") << "what is behind it waits for its end";
  EXPECT_EQ(gone.size(), 0u);
  EXPECT_EQ(drains, 0u);
  EXPECT_EQ(at.counters().requests, 2u);
}

TEST_F(http_stream, InChunks)
{
  start();
  peer &client = ask(get("/later") + get("/now/2"));
  stream(kept[0], WEIR_OFF, {"hello", "", "a longer piece of text"});
  EXPECT_EQ(raw_body(client).substr(0, 43),
            "5\r\nhello\r\n16\r\na longer piece of text\r\n0\r\n\r\n");
  response answer = at.answer(client);
  EXPECT_EQ(answer.field("Transfer-Encoding"), "chunked");
  EXPECT_EQ(answer.field("Content-Length"), "");
  EXPECT_EQ(answer.body, "helloa longer piece of text");
  EXPECT_EQ(at.answer(client).body, "2");
}

TEST_F(http_stream, OfNoBytes)
{
  start();
  for (size_t len : {size_t{0}, WEIR_OFF}) {
    peer &client = ask(get("/later") + get("/now/3"));
    stream(kept[0], len, {});
    EXPECT_EQ(at.answer(client).body, "");
    EXPECT_EQ(at.answer(client).body, "3");
    let_go();
  }
}

/* HTTP/1.0 has no chunks: the end of the connection is that of the body. */
TEST_F(http_stream, OverHttp10)
{
  start();
  for (const char *more : {"", "Connection: keep-alive\r\n"}) {
    std::string request = "GET /later HTTP/1.0\r\n" + std::string(more) + "\r\n";
    peer &client = ask(request);
    stream(kept[0], WEIR_OFF, {"hello, ", "world"});
    EXPECT_TRUE(at.ends(client));
    EXPECT_FALSE(client.was_reset());
    EXPECT_EQ(raw_body(client), "hello, world");
    response answer = at.answer(client, false);
    EXPECT_EQ(answer.field("Connection"), "close");
    EXPECT_EQ(answer.field("Transfer-Encoding"), "");
    EXPECT_EQ(answer.field("Content-Length"), "");
    let_go();
    peer &other = ask(request);
    stream(kept[0], 2, {"o", "k"});
    answer = at.answer(other);
    EXPECT_EQ(answer.body, "ok");
    EXPECT_EQ(answer.field("Connection"), *more == '\0' ? "close" : "keep-alive");
    EXPECT_EQ(other.ended() || (*more == '\0' && at.ends(other)), *more == '\0');
    let_go();
  }
}

TEST_F(http_stream, ResponsesThatHaveNoBody)
{
  start();
  const struct {
    const char *method, *length, *encoding;
    int status;
    size_t len;
  } cases[] = {{"HEAD", "5", "", 200, 5},
               {"HEAD", "", "chunked", 200, WEIR_OFF},
               {"GET", "", "", 204, WEIR_OFF},
               {"GET", "", "", 204, 5},
               {"GET", "", "", 304, 5}};
  for (const auto &[method, length, encoding, status, len] : cases) {
    for (bool afar : {false, true}) {
      peer &client =
          ask(std::string(method) + " /later HTTP/1.1\r\nHost: x\r\n\r\n" + get("/now/4"));
      weir_request *r = kept[0];
      auto answer = [&, with = status, bytes = len] {
        EXPECT_EQ(begin(r, bytes, with), 0);
        EXPECT_EQ(write(r, "hel"), 0);
        EXPECT_EQ(write(r, "lo"), 0);
        EXPECT_EQ(weir_request_buffered(r) < 1000, true);
        return weir_request_end(r);
      };
      EXPECT_EQ(afar ? elsewhere(answer) : answer(), 0);
      response head = at.answer(client, false);
      EXPECT_EQ(head.status, status);
      EXPECT_EQ(head.field("Content-Length"), length);
      EXPECT_EQ(head.field("Transfer-Encoding"), encoding);
      EXPECT_EQ(at.answer(client).body, "4") << method << status << ": it is in step";
      let_go();
    }
  }
}

/* Nobody waits for what is not sent. */
TEST_F(http_stream, HeadOfALongOneFromAnotherThread)
{
  start();
  peer &client = ask("HEAD /later HTTP/1.1\r\nHost: x\r\n\r\n");
  std::string piece(600000, 'p');
  EXPECT_EQ(elsewhere([&] {
              EXPECT_EQ(begin(kept[0]), 0);
              for (int i = 0; i < 10; i++)
                EXPECT_EQ(write(kept[0], piece), 0);
              return weir_request_end(kept[0]);
            }),
            0);
  EXPECT_EQ(at.answer(client, false).status, 200);
}

TEST_F(http_stream, EachCallInItsPlace)
{
  start();
  ask(get("/later"));
  weir_request *r = kept[0];
  EXPECT_EQ(write(r, "x"), -EINVAL);
  EXPECT_EQ(weir_request_end(r), -EINVAL);
  for (int status : {0, 199, 600, -1})
    EXPECT_EQ(begin(r, 3, status), -EINVAL) << status;
  EXPECT_EQ(begin(r, 3), 0);
  EXPECT_EQ(begin(r, 3), -EALREADY);
  EXPECT_EQ(weir_request_respond(r, 200), -EALREADY);
  EXPECT_EQ(weir_request_respond_header(r, "X", "y"), -EALREADY);
  EXPECT_EQ(weir_request_write(r, nullptr, 1), -EINVAL);
  EXPECT_EQ(write(r, "four"), -EMSGSIZE);
  EXPECT_EQ(write(r, "tw"), 0);
  EXPECT_EQ(write(r, "oo"), -EMSGSIZE);
  EXPECT_EQ(write(r, "o"), 0);
  EXPECT_EQ(weir_request_end(r), 0);
  for (int i = 0; i < 2; i++) {
    EXPECT_EQ(write(r, "x"), -EINVAL);
    EXPECT_EQ(weir_request_end(r), -EINVAL);
    EXPECT_EQ(begin(r), -EALREADY);
    at.settle();
  }
  EXPECT_EQ(weir_request_buffered(r), 0u);
}

TEST_F(http_stream, InItsHandler)
{
  int verdict = WEIR_LATER;
  later.request = [&](weir_request *r) {
    keep(r);
    stream(kept.back(), WEIR_OFF, {"in ", "here"});
    return verdict;
  };
  start();
  for (int v : {static_cast<int>(WEIR_LATER), 500, -1}) {
    verdict = v;
    peer &client = at.connect();
    client.send(get("/later") + get("/now/5"));
    response answer = at.answer(client);
    EXPECT_EQ(answer.status, 200) << v;
    EXPECT_EQ(answer.body, "in here");
    EXPECT_EQ(at.answer(client).body, "5");
  }
  EXPECT_EQ(gone.size(), 0u);
}

TEST_F(http_stream, FromAnotherThread)
{
  start();
  peer &client = ask(get("/later") + get("/now/6"));
  weir_request *r = kept[0];
  std::string all;
  auto answer = [&] { /* all of it before the loop looks once */
                      EXPECT_EQ(begin(r), 0);
                      for (int i = 0; i < 1000; i++) {
                        std::string piece = std::to_string(i) + ",";
                        EXPECT_EQ(write(r, piece), 0);
                        all += piece;
                      }
                      EXPECT_GE(weir_request_buffered(r), all.size());
                      return weir_request_end(r);
  };
  EXPECT_EQ(elsewhere(answer), 0);
  EXPECT_EQ(at.answer(client).body, all);
  EXPECT_EQ(at.answer(client).body, "6");
}

/* The length that was announced is that of the whole, whatever was written before the loop looked.
 */
TEST_F(http_stream, OfALengthFromAnotherThread)
{
  start();
  peer &client = ask(get("/later"));
  auto answer = [&] {
    stream(kept[0], 10, {"hello", "world"});
    return 0;
  };
  EXPECT_EQ(elsewhere(answer), 0);
  response got = at.answer(client);
  EXPECT_EQ(got.field("Content-Length"), "10");
  EXPECT_EQ(got.body, "helloworld");
  EXPECT_FALSE(client.ended());
}

/* Pieces of the loop's thread stay behind those that others have handed over. */
TEST_F(http_stream, FromSeveralThreadsInTurn)
{
  start();
  peer &client = ask(get("/later"));
  weir_request *r = kept[0];
  EXPECT_EQ(begin(r), 0);
  std::string all;
  for (int i = 0; i < 30; i++) {
    std::string piece = std::to_string(i) + ";";
    all += piece;
    auto put = [&] { return write(r, piece); };
    EXPECT_EQ(i % 3 == 0 ? put() : elsewhere(put), 0);
  }
  EXPECT_EQ(weir_request_end(r), 0);
  EXPECT_EQ(at.answer(client).body, all);
}

/* ---- queues and their limits */

TEST_F(http_stream, SlowReaderHoldsItBack)
{
  start();
  peer &client = at.connect(16384);
  client.stall(true);
  client.send(get("/later"));
  ASSERT_TRUE(at.until([&] { return kept.size() == 1; }));
  weir_request *r = kept[0];
  EXPECT_EQ(begin(r), 0);
  at.settle();
  std::string all = fill(r, 10000);
  EXPECT_LE(weir_request_buffered(r), 1u << 20);
  EXPECT_GT(weir_request_buffered(r), (1u << 20) - 20000);
  for (int i = 0; i < 1000 && drains == 0; i++) { /* until the kernel is full, too */
    at.settle();
    size_t before = all.size();
    all += fill(r, 10000);
    if (all.size() == before)
      break;
  }
  EXPECT_EQ(drains, 0u);
  int rounds = 0;
  on_drain = [&](weir_request *of) {
    EXPECT_EQ(of, r);
    if (++rounds < 3)
      all += fill(r, 33333);
    else
      EXPECT_EQ(weir_request_end(r), 0);
  };
  client.stall(false);
  await_end(client);
  response answer = at.answer(client);
  EXPECT_EQ(drains, 3u);
  EXPECT_TRUE(answer.body == all) << answer.body.size() << " of " << all.size();
  EXPECT_GT(all.size(), 3u << 20);
}

TEST_F(http_stream, EmptyQueueTakesEveryPiece)
{
  options.max_queued_bytes = 1000;
  start();
  peer &client = ask(get("/later"));
  std::string large(5 << 20, 'l');
  EXPECT_EQ(begin(kept[0]), 0);
  at.settle();
  EXPECT_EQ(write(kept[0], large), 0);
  EXPECT_EQ(write(kept[0], "x"), -ENOBUFS);
  EXPECT_TRUE(at.until([&] { return drains == 1; }));
  EXPECT_EQ(write(kept[0], "x"), 0);
  EXPECT_EQ(write(kept[0], std::string(1000, 'y')), -ENOBUFS);
  EXPECT_EQ(write(kept[0], std::string(900, 'y')), 0);
  EXPECT_EQ(weir_request_end(kept[0]), 0);
  EXPECT_EQ(at.answer(client).body.size(), large.size() + 901);
}

TEST_F(http_stream, LimitThatIsOff)
{
  options.max_queued_bytes = WEIR_OFF;
  start();
  peer &client = ask(get("/later"));
  std::string piece(1 << 20, 'p');
  EXPECT_EQ(begin(kept[0], 8 * piece.size()), 0);
  for (int i = 0; i < 8; i++)
    EXPECT_EQ(write(kept[0], piece), 0);
  EXPECT_EQ(weir_request_end(kept[0]), 0);
  EXPECT_EQ(at.answer(client).body.size(), 8 * piece.size());
}

/* A thread writes as fast as it may, and waits for on_drain when it may not. */
TEST_F(http_stream, ThreadThatWaitsForRoom)
{
  options.max_queued_bytes = 50000;
  std::mutex lock;
  std::condition_variable drained;
  size_t seen = 0;
  on_drain = [&](weir_request *) {
    std::lock_guard<std::mutex> hold(lock);
    seen++;
    drained.notify_all();
  };
  start();
  peer &client = at.connect(4096);
  client.send(get("/later"));
  ASSERT_TRUE(at.until([&] { return kept.size() == 1; }));
  weir_request *r = kept[0];
  std::string all;
  std::thread writer([&] {
    EXPECT_EQ(begin(r), 0);
    for (int i = 0; i < 400; i++) {
      std::string piece(9000 + static_cast<size_t>(i), static_cast<char>('a' + i % 26));
      for (;;) {
        std::unique_lock<std::mutex> hold(lock);
        size_t before = seen;
        int error = write(r, piece);
        if (error == 0)
          break;
        ASSERT_EQ(error, -ENOBUFS);
        ASSERT_TRUE(drained.wait_for(hold, patience, [&] { return seen > before; }));
      }
      all += piece;
    }
    EXPECT_EQ(weir_request_end(r), 0);
  });
  await_end(client);
  response answer = at.answer(client);
  writer.join();
  EXPECT_TRUE(answer.body == all) << answer.body.size() << " of " << all.size();
  EXPECT_GT(seen, 0u);
}

TEST_F(http_stream, OverTls)
{
  at.secure();
  start();
  peer &client = at.connect(4096);
  client.send(get("/later") + get("/now/7"));
  ASSERT_TRUE(at.until([&] { return kept.size() == 1; }));
  weir_request *r = kept[0];
  client.stall(true);
  EXPECT_EQ(begin(r), 0);
  at.settle();
  std::string all = fill(r, 20000);
  on_drain = [&](weir_request *) {
    all += fill(r, 10000);
    EXPECT_EQ(weir_request_end(r), 0);
    on_drain = [](weir_request *) {};
  };
  at.settle();
  client.stall(false);
  await_end(client);
  response answer = at.answer(client);
  EXPECT_TRUE(answer.body == all) << answer.body.size() << " of " << all.size();
  EXPECT_EQ(at.answer(client).body, "7");
}

/* ---- ends that come early */

TEST_F(http_stream, ShorterThanAnnounced)
{
  start();
  for (bool afar : {false, true}) {
    peer &client = ask(get("/later") + get("/now/8"));
    auto answer = [&] {
      stream(kept[0], 10, {"four"});
      return 0;
    };
    afar ? elsewhere(answer) : answer();
    EXPECT_TRUE(at.ends(client));
    EXPECT_EQ(raw_body(client), "four") << "nothing may look like the rest of it";
    let_go();
  }
  EXPECT_EQ(gone.size(), 0u);
}

TEST_F(http_stream, PeerThatGoes)
{
  start();
  for (bool reset : {false, true}) {
    peer &client = ask(get("/later"));
    EXPECT_EQ(begin(kept[0]), 0);
    EXPECT_EQ(write(kept[0], "some"), 0);
    ASSERT_TRUE(at.until([&] { return client.input().find("some") != std::string::npos; }));
    reset ? client.reset() : client.half_close();
    ASSERT_TRUE(at.until([&] { return gone.size() == 1; }));
    EXPECT_EQ(gone[0], kept[0]);
    EXPECT_EQ(write(kept[0], "x"), -ESTALE);
    EXPECT_EQ(elsewhere([&] { return write(kept[0], "x"); }), -ESTALE);
    EXPECT_EQ(weir_request_end(kept[0]), -ESTALE);
    at.settle();
    EXPECT_EQ(gone.size(), 1u);
    EXPECT_EQ(weir_request_buffered(kept[0]), 0u);
    gone.clear();
    let_go();
  }
}

/* Pieces that are on their way when the peer goes, and the end of all. */
TEST_F(http_stream, PeerThatGoesMeanwhile)
{
  start();
  for (bool ends : {false, true}) {
    peer &client = ask(get("/later"));
    client.reset();
    auto answer = [&] {
      EXPECT_EQ(begin(kept[0]), 0);
      EXPECT_EQ(write(kept[0], std::string(100000, 'x')), 0);
      return ends ? weir_request_end(kept[0]) : 0;
    };
    EXPECT_EQ(elsewhere(answer), 0);
    at.settle();
    EXPECT_EQ(gone.size(), ends ? 0u : 1u) << "who has ended it has nothing to hear";
    gone.clear();
    let_go();
  }
}

TEST_F(http_stream, ServerThatEnds)
{
  start();
  peer &client = ask(get("/later"));
  EXPECT_EQ(begin(kept[0]), 0);
  EXPECT_EQ(write(kept[0], "some"), 0);
  at.settle();
  EXPECT_EQ(elsewhere([&] { return write(kept[0], "more"); }), 0);
  at.end_server();
  EXPECT_EQ(gone, std::vector<weir_request *>{kept[0]});
  EXPECT_EQ(write(kept[0], "x"), -ESTALE);
  EXPECT_TRUE(client.await([&] { return client.ended(); }));
}

/* ---- time */

/* Who writes may take as long as it likes. */
TEST_F(http_stream, SlowWriterIsWaitedFor)
{
  start();
  peer &client = ask(get("/later"));
  EXPECT_EQ(begin(kept[0]), 0);
  for (int i = 0; i < 3; i++) {
    at.settle();
    at.pass(3600 * 1000);
    at.settle();
    ASSERT_FALSE(client.ended());
    EXPECT_EQ(write(kept[0], "tick"), 0);
  }
  at.settle();
  at.advance(3600 * 1000); /* the end itself, while the loop sleeps */
  EXPECT_EQ(elsewhere([&] { return weir_request_end(kept[0]); }), 0);
  EXPECT_EQ(at.answer(client).body, "tickticktick");
}

TEST_F(http_stream, StalledReaderIsNot)
{
  options.max_queued_bytes = 16 << 20;
  start();
  for (bool at_once : {true, false}) {
    peer &client = at.connect(4096);
    client.send(get("/later"));
    ASSERT_TRUE(at.until([&] { return kept.size() == 1; }));
    EXPECT_EQ(begin(kept[0]), 0);
    if (!at_once) { /* what was queued before has left */
      EXPECT_EQ(write(kept[0], "first"), 0);
      ASSERT_TRUE(at.until([&] { return client.input().find("first") != std::string::npos; }));
      at.settle();
      at.pass(100 * 1000);
      at.settle();
    }
    client.stall(true);
    EXPECT_EQ(write(kept[0], std::string(8 << 20, 's')), 0);
    at.settle();
    at.pass(59000);
    at.settle();
    EXPECT_EQ(gone.size(), 0u);
    at.pass(2000);
    ASSERT_TRUE(at.until([&] { return gone.size() == 1; })) << at_once;
    EXPECT_EQ(write(kept[0], "x"), -ESTALE);
    client.stall(false);
    EXPECT_TRUE(at.ends(client));
    gone.clear();
    let_go();
  }
}

/* Its end, and that of the connection with it, changes nothing about that. */
TEST_F(http_stream, SlowReaderOfTheLastOne)
{
  options.max_queued_bytes = 16 << 20;
  start();
  peer &client = at.connect(16384);
  client.stall(true);
  client.send("GET /later HTTP/1.0\r\n\r\n");
  ASSERT_TRUE(at.until([&] { return kept.size() == 1; }));
  std::string large(8 << 20, 'z');
  EXPECT_EQ(begin(kept[0]), 0);
  EXPECT_EQ(write(kept[0], large), 0);
  EXPECT_EQ(weir_request_end(kept[0]), 0);
  for (int i = 0; i < 3; i++) {
    at.settle();
    at.pass(50000);
    client.stall(false);
    size_t before = client.input().size();
    ASSERT_TRUE(at.until([&] { return client.input().size() > before + (1 << 20); }));
    client.stall(true);
  }
  client.stall(false);
  EXPECT_TRUE(at.ends(client));
  EXPECT_EQ(raw_body(client).size(), large.size());
}

TEST_F(http_stream, ProgressIsWaitedFor)
{
  options.response_timeout_ms = 5000;
  options.max_queued_bytes = 16 << 20;
  start();
  peer &client = at.connect(4096);
  client.stall(true);
  client.send(get("/later"));
  ASSERT_TRUE(at.until([&] { return kept.size() == 1; }));
  std::string large(16 << 20, 'p');
  EXPECT_EQ(begin(kept[0], large.size()), 0);
  at.settle();
  EXPECT_EQ(write(kept[0], large), 0);
  for (size_t wanted = 2 << 20; wanted <= 10 << 20; wanted += 2 << 20) {
    at.settle();
    at.pass(4000);
    client.stall(false);
    ASSERT_TRUE(at.until([&] { return client.input().size() > wanted || client.ended(); }));
    client.stall(true);
  }
  EXPECT_EQ(gone.size(), 0u);
  client.stall(false);
  EXPECT_EQ(weir_request_end(kept[0]), 0);
  EXPECT_EQ(at.answer(client).body.size(), large.size());
}

} // namespace
