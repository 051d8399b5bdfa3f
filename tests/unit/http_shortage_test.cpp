// Memory that runs out while HTTP is spoken, at one allocation after the other: whatever a client
// gets is right as far as it goes, every request ends once, and nothing is left behind.
#include "http_stream_fixture.hpp"

using namespace http_later_test;

namespace
{

/* "/later", "/now" and "/", with all that is told of each request. */
class shortage : public http_stream
{
public:
  void TestBody() override {}
  size_t asked = 0, opened = 0, closed = 0, inits = 0, finis = 0;
  std::string heard;
  weir_conn *open = nullptr;

  shortage()
  {
    later.request = [this](weir_request *r) {
      asked++;
      weir_request *mine = weir_request_keep(r);
      if (mine == nullptr)
        return -503;
      kept.push_back(mine);
      return static_cast<int>(WEIR_LATER);
    };
    at.on.upgrade = [this](weir_request *r, void *) { return later.request(r); };
    at.on.user_init = [this](void *) { return inits++, 0; };
    at.on.user_fini = [this](void *) { finis++; };
    at.on.open = [this](weir_conn *) { opened++; };
    at.on.close = [this](weir_conn *, int, std::string_view) { closed++; };
    at.on.message = [this](weir_conn *, const weir_message *m) {
      heard.append(static_cast<const char *>(m->data), m->len);
    };
  }
  ~shortage() override
  {
    at.end_server();
    EXPECT_EQ(opened, closed);
    EXPECT_EQ(inits, finis);
  }

  /* Either its answer was taken, or on_gone came: result is what the call returned. */
  void expect_one_end(int result) const
  {
    EXPECT_TRUE(result == 0 || result == -ESTALE) << result;
    EXPECT_EQ(gone.size(), result == 0 ? 0u : 1u);
  }

  /* Waits until a request was kept, or there will be none any more. */
  weir_request *next(peer &client, size_t count = 1)
  {
    at.until([&] { return kept.size() == count || client.ended(); });
    return kept.size() == count ? kept.back() : nullptr;
  }
};

/* Does it with the n-th allocation failing, for every n until none failed. */
void sweep(const std::function<void(shortage &)> &prepare,
           const std::function<void(shortage &, bool whole)> &once)
{
  for (size_t n = 1;; n++) {
    SCOPED_TRACE(n);
    shortage s;
    prepare(s);
    s.start();
    size_t before = s.at.allocations();
    s.at.fail_allocation(n);
    once(s, false);
    if (testing::Test::HasFailure())
      return;
    if (s.at.allocations() - before < n) {
      EXPECT_GT(n, 4u) << "little was done";
      break;
    }
  }
  shortage s; /* and all is well when none does */
  prepare(s);
  s.start();
  once(s, true);
}

/* What came is a row of whole responses, of which the last one may be cut off. Returns them. */
std::vector<response> responses(peer &client)
{
  std::vector<response> all;
  while (auto got = client.take_response())
    all.push_back(*got);
  return all;
}

TEST(HttpShortage, OfOnesAnsweredLater)
{
  for (bool afar : {false, true}) {
    auto once = [afar](shortage &s, bool whole) {
      peer &client = s.at.connect();
      client.send("GET /later?q=a+b HTTP/1.1\r\nHo");
      s.at.turn_once();
      s.at.turn_once();
      client.send("st: x\r\n\r\n" + get("/now/1") + get("/now/2"));
      int result = 0;
      if (weir_request *r = s.next(client)) {
        auto answer = [&] {
          std::string q = str(weir_request_query(r, "q"));
          EXPECT_TRUE(q == "a b" || q == "(none)") << q;
          if (weir_request_respond_header(r, "X-Set", std::string(500, 'h').c_str()) != 0)
            return weir_request_respond(r, 503);
          return answer_with(r, "body") == -ENOMEM ? weir_request_respond(r, 503) : 0;
        };
        result = afar ? elsewhere(answer) : answer();
      }
      client.send(get("/now/3", "Connection: close\r\n"));
      EXPECT_TRUE(s.at.ends(client));
      client.half_close();
      s.at.settle();
      s.expect_one_end(result);
      std::vector<response> got = responses(client);
      EXPECT_EQ(client.input(), "");
      size_t i = 0;
      for (const response &each : got) {
        EXPECT_TRUE(each.status == 200 || each.status >= 500) << each.head;
        if (each.status == 200) {
          EXPECT_EQ(each.body, i == 0 ? "body" : std::to_string(i));
        }
        i++;
      }
      EXPECT_TRUE(!whole || (got.size() == 4 && got[0].status == 200)) << got.size();
    };
    sweep([](shortage &) {}, once);
  }
}

TEST(HttpShortage, OfStreams)
{
  for (bool afar : {false, true}) {
    auto once = [afar](shortage &s, bool whole) {
      peer &client = s.at.connect();
      client.send(get("/later") + get("/now/1", "Connection: close\r\n"));
      std::string all;
      int result = 0;
      if (weir_request *r = s.next(client)) {
        auto answer = [&] {
          int error = http_stream::begin(r);
          for (int i = 0; error == 0 && i < 6; i++) {
            std::string piece(static_cast<size_t>(i) * 3000 + 1, static_cast<char>('a' + i));
            error = http_stream::write(r, piece);
            all += error == 0 ? piece : "";
          }
          EXPECT_TRUE(error == 0 || error == -ENOMEM || error == -ESTALE) << error;
          return weir_request_end(r);
        };
        result = afar ? elsewhere(answer) : answer();
      }
      EXPECT_TRUE(s.at.ends(client));
      client.half_close();
      s.at.settle();
      s.expect_one_end(result);
      std::string input = client.input();
      std::vector<response> got = responses(client);
      if (!got.empty() && got[0].status == 200) {
        EXPECT_EQ(got[0].body, all) << "a body that ends is whole";
      }
      EXPECT_TRUE(!whole || got.size() == 2) << input.substr(0, 200);
    };
    sweep([](shortage &) {}, once);
  }
}

TEST(HttpShortage, OfBodies)
{
  for (bool pieces : {false, true}) {
    auto prepare = [pieces](shortage &s) {
      if (pieces)
        s.later.body = [&s](weir_request *r, std::string_view piece, bool last) {
          s.heard += piece;
          if (last) {
            EXPECT_EQ(weir_request_respond(r, 200), 0);
          }
        };
      else
        s.later.request = [&s](weir_request *r) {
          s.asked++;
          s.heard = str(weir_request_body(r));
          return 200;
        };
      s.at.http("POST", "/body", s.later);
    };
    auto once = [](shortage &s, bool whole) {
      std::string large(20000, 'l');
      peer &client = s.at.connect();
      client.send("POST /body HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\n"
                  "Transfer-Encoding: chunked\r\nConnection: close\r\n\r\n");
      s.at.until([&] { return client.take_response(false).has_value() || client.ended(); });
      client.send("5\r\nhello\r\n4e20\r\n" + large.substr(0, 10000));
      s.at.settle();
      client.send(large.substr(10000) + "\r\n0\r\n\r\n");
      EXPECT_TRUE(s.at.ends(client));
      client.half_close();
      s.at.settle();
      std::vector<response> got = responses(client);
      bool fine = !got.empty() && got[0].status == 200;
      EXPECT_TRUE(!fine || s.heard == "hello" + large);
      EXPECT_TRUE(fine || !whole);
      EXPECT_LE(s.asked, 1u);
      EXPECT_LE(s.gone.size(), s.kept.size());
      if (!fine && !s.kept.empty()) {
        EXPECT_TRUE(s.gone.size() == 1 || s.heard == "hello" + large) << s.heard.size();
      }
    };
    sweep(prepare, once);
  }
}

TEST(HttpShortage, OfOpeningHandshakes)
{
  auto once = [](shortage &s, bool whole) {
    peer &client = s.at.connect();
    client.send(upgrade_request("/", "Sec-WebSocket-Protocol: a, b\r\n") +
                masked(fin | text, "early,"));
    client.say("more");
    if (weir_request *r = s.next(client)) {
      int error = weir_request_select_protocol(r, "b");
      EXPECT_TRUE(error == 0 || error == -ENOMEM || error == -ESTALE);
      error = weir_request_accept(r);
      EXPECT_TRUE(error == 0 || error == -ESTALE);
    }
    s.at.until([&] { return s.heard == "early,more" || client.ended(); });
    EXPECT_TRUE(!whole || s.heard == "early,more");
    response got = s.at.answer(client, false);
    EXPECT_TRUE(got.status == 101 || got.status == 503 || got.status == 0) << got.status;
    EXPECT_EQ(got.status == 101, s.opened == 1);
  };
  sweep([](shortage &) {}, once);
}

/* To the loop that it is on: that goes the whole way, too. */
TEST(HttpShortage, OfMoves)
{
  auto prepare = [](shortage &s) {
    auto request = [&s](weir_request *r) {
      if (s.asked++ == 0)
        return weir_request_move(r, 0);
      weir_slice body = weir_request_body(r);
      return weir_request_respond_body(r, "text/plain", body.data, body.len);
    };
    s.later.request = request;
    s.at.http("POST", "/move", s.later);
  };
  auto once = [](shortage &s, bool whole) {
    peer &client = s.at.connect();
    client.send("POST /move HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\nhello" +
                get("/now/1", "Connection: close\r\n"));
    EXPECT_TRUE(s.at.ends(client));
    client.half_close();
    s.at.settle();
    std::vector<response> got = responses(client);
    bool fine = got.size() == 2 && got[0].body == "hello" && got[1].body == "1";
    EXPECT_TRUE(!whole || fine) << got.size();
    for (const response &each : got)
      EXPECT_TRUE(each.status == 200 || each.status >= 500) << each.head;
  };
  sweep(prepare, once);
}

} // namespace
