// Requests that move with their connection to another loop of the server: on three loops, each with
// a thread of its own, over TCP and over TLS.
#include "support/stage.hpp"

#include <gtest/gtest.h>

#include <cerrno>
#include <map>
#include <mutex>
#include <thread>

using namespace support;

namespace
{

constexpr size_t loops = 3;

std::string str(weir_slice slice)
{
  return slice.data == nullptr ? "" : std::string(slice.data, slice.len);
}

size_t number(weir_slice slice)
{
  return std::stoul("0" + str(slice));
}

/* "/go", "/pieces" and "/later" are answered on the loop that the query's "to" names, by what loop
 * that was, the query's "id" and the body; "/ws" opens there. */
class http_move : public testing::TestWithParam<bool>
{
protected:
  page go, pieces, later;
  hooks ws;
  weir_http_route options = {};
  localhost files;
  weir_server *server = nullptr;
  weir_tls *tls = nullptr;
  std::thread runner;

  std::mutex lock; /* for what follows */
  std::map<size_t, std::thread::id> threads;
  std::map<std::string, std::vector<size_t>> calls; /* by id: the loops on which a handler ran */
  std::map<weir_request *, std::string> gathered;
  std::vector<std::thread> workers;
  int inits = 0, finis = 0, opens = 0, closes = 0, gone = 0;

  http_move()
  {
    weir_options server_options = {};
    server_options.size = sizeof server_options;
    server_options.loops = loops;
    EXPECT_EQ(weir_server_new(&server, &server_options), 0);
    go.request = [this](weir_request *r) { return is_there(r) ? answer(r) : move(r); };
    pieces.request = [this](weir_request *r) {
      if (!is_there(r))
        return move(r);
      weir_request *kept = weir_request_keep(r);
      std::lock_guard<std::mutex> hold(lock);
      gathered[kept];
      return static_cast<int>(WEIR_LATER);
    };
    pieces.body = [this](weir_request *r, std::string_view piece, bool last) {
      is_here(r);
      std::lock_guard<std::mutex> hold(lock);
      gathered[r] += piece;
      if (last)
        finish(r);
    };
    pieces.gone = [this](weir_request *r) {
      std::lock_guard<std::mutex> hold(lock);
      gone++;
      gathered.erase(r);
      weir_request_unref(r);
    };
    later.request = [this](weir_request *r) {
      if (!is_there(r))
        return move(r);
      std::lock_guard<std::mutex> hold(lock);
      workers.emplace_back(
          [](weir_request *kept) {
            std::string body = said(kept) + str(weir_request_body(kept));
            int error = weir_request_respond_body(kept, "text/plain", body.data(), body.size());
            if (error == 0)
              error = weir_request_respond(kept, 200);
            EXPECT_TRUE(error == 0 || error == -ESTALE) << error;
            weir_request_unref(kept);
          },
          weir_request_keep(r));
      return static_cast<int>(WEIR_LATER);
    };
    set_hooks();
  }
  ~http_move() override
  {
    end();
    weir_tls_free(tls);
  }

  void set_hooks()
  {
    ws.user_init = [this](void *user) {
      std::lock_guard<std::mutex> hold(lock);
      EXPECT_EQ(*static_cast<int *>(user), 0);
      *static_cast<int *>(user) = ++inits;
      return 0;
    };
    ws.user_fini = [this](void *user) {
      std::lock_guard<std::mutex> hold(lock);
      EXPECT_NE(*static_cast<int *>(user), 0);
      finis++;
    };
    ws.upgrade = [this](weir_request *r, void *) {
      EXPECT_EQ(weir_request_respond_header(r, "X-Loop", said(r).c_str()), 0);
      if (!is_there(r)) {
        weir_request_select_protocol(r, "b"); /* of which nothing is left there */
        return move(r);
      }
      return str(weir_request_query(r, "refuse")).empty() ? 0 : -403;
    };
    ws.open = [this](weir_conn *) {
      std::lock_guard<std::mutex> hold(lock);
      opens++;
    };
    ws.message = [](weir_conn *c, const weir_message *m) { weir_conn_send_message(c, m); };
    ws.close = [this](weir_conn *, int, std::string_view) {
      std::lock_guard<std::mutex> hold(lock);
      closes++;
    };
  }

  /* Handlers run on the thread of the loop that the request is on. */
  void is_here(weir_request *r)
  {
    std::lock_guard<std::mutex> hold(lock);
    auto id = std::this_thread::get_id();
    EXPECT_EQ(threads.emplace(weir_request_loop(r), id).first->second, id);
  }
  bool is_there(weir_request *r)
  {
    is_here(r);
    std::lock_guard<std::mutex> hold(lock);
    calls[str(weir_request_query(r, "id"))].push_back(weir_request_loop(r));
    return weir_request_loop(r) == number(weir_request_query(r, "to"));
  }
  static int move(weir_request *r)
  {
    EXPECT_EQ(weir_request_respond_header(r, "X-Moved", "lost"), 0);
    int result = weir_request_move(r, number(weir_request_query(r, "to")));
    EXPECT_EQ(result, WEIR_LATER);
    return result;
  }
  static std::string said(weir_request *r)
  {
    return std::to_string(weir_request_loop(r)) + ":" + str(weir_request_query(r, "id")) + ":";
  }
  static int answer(weir_request *r)
  {
    std::string body = said(r) + str(weir_request_body(r));
    return weir_request_respond_body(r, "text/plain", body.data(), body.size());
  }
  void finish(weir_request *r)
  {
    std::string body = said(r) + gathered[r];
    EXPECT_EQ(weir_request_respond_body(r, "text/plain", body.data(), body.size()), 0);
    EXPECT_EQ(weir_request_respond(r, 200), 0);
    gathered.erase(r);
    weir_request_unref(r);
  }

  void plain(const char *path, const page &on)
  {
    weir_http_route route = route_of(on, options);
    void *arg = const_cast<page *>(&on);
    ASSERT_EQ(weir_server_http(server, nullptr, path, &route, arg), 0);
  }
  void start()
  {
    weir_route route = route_of(ws, {}, 16);
    plain("/go", go);
    plain("/pieces", pieces);
    plain("/later", later);
    ASSERT_EQ(weir_server_route(server, "/ws", &route, &ws), 0);
    if (GetParam()) {
      weir_tls_options with = {};
      with.size = sizeof with;
      with.identity = {files.certificate.c_str(), files.key.c_str()};
      ASSERT_EQ(weir_tls_new(&tls, &with, nullptr), 0);
      ASSERT_EQ(weir_server_listen_tls(server, tls, "127.0.0.1", 0), 0);
    } else {
      ASSERT_EQ(weir_server_listen(server, "127.0.0.1", 0), 0);
    }
    runner = std::thread([this] { EXPECT_EQ(weir_server_run(server), 0); });
  }
  void end()
  {
    if (runner.joinable()) {
      weir_server_stop(server);
      runner.join();
    }
    for (std::thread &worker : workers)
      worker.join();
    workers.clear();
    weir_server_free(server);
    server = nullptr;
  }

  peer connect(int receive_buffer = 0)
  {
    peer made(weir_server_port(server), "127.0.0.1", receive_buffer);
    if (GetParam())
      made.secure({.server_name = "localhost", .trust_file = files.ca});
    return made;
  }
  static response take(peer &client, bool with_body = true)
  {
    std::optional<response> got;
    client.await(
        [&] { return (got = client.take_response(with_body)).has_value() || client.ended(); });
    return got ? *got : response{};
  }
  static std::string target(const std::string &path, size_t to, const std::string &id)
  {
    return path + "?to=" + std::to_string(to) + "&id=" + id;
  }
  static std::string get(const std::string &path, size_t to, const std::string &id)
  {
    return "GET " + target(path, to, id) + " HTTP/1.1\r\nHost: x\r\n\r\n";
  }
  static std::string post(const std::string &path, size_t to, const std::string &id,
                          std::string_view body)
  {
    return "POST " + target(path, to, id) +
           " HTTP/1.1\r\nHost: x\r\nContent-Length: " + std::to_string(body.size()) + "\r\n\r\n" +
           std::string(body);
  }
  void expect(peer &client, size_t to, const std::string &id, const std::string &body = "")
  {
    response got = take(client);
    EXPECT_EQ(got.status, 200) << id;
    EXPECT_TRUE(got.body == std::to_string(to) + ":" + id + ":" + body)
        << id << ": " << got.body.substr(0, 60) << ", " << got.body.size();
    EXPECT_EQ(got.field("X-Moved"), "") << "what was set before is set anew";
    std::lock_guard<std::mutex> hold(lock);
    EXPECT_EQ(calls[id].back(), to);
    EXPECT_LE(calls[id].size(), 2u) << "asked here, and there";
  }
};

TEST_P(http_move, ToTheLoopThatIsNamed)
{
  start();
  for (const char *path : {"/go", "/later", "/pieces"}) {
    peer client = connect(); /* which goes round and round */
    for (size_t i = 0; i < 12; i++) {
      std::string id = path + std::to_string(i);
      client.send(get(path, i % loops, id));
      expect(client, i % loops, id);
    }
  }
  std::lock_guard<std::mutex> hold(lock);
  EXPECT_EQ(threads.size(), loops);
}

TEST_P(http_move, WithItsBody)
{
  start();
  std::string large(700000, 'l');
  for (const char *path : {"/go", "/later", "/pieces"}) {
    peer client = connect();
    for (size_t i = 0; i < 6; i++) {
      std::string id = path + std::to_string(i);
      client.send(post(path, i % loops, id, i < 3 ? "small" : large));
      expect(client, i % loops, id, i < 3 ? "small" : large);
    }
  }
}

TEST_P(http_move, BodyThatComesAfterIt)
{
  start();
  peer client = connect();
  for (size_t i = 0; i < 12; i++) {
    std::string id = "slow" + std::to_string(i), all;
    bool chunked = i % 2 == 1;
    client.send("POST " + target(i < 6 ? "/pieces" : "/go", i % loops, id) +
                " HTTP/1.1\r\nHost: x\r\n" +
                (chunked ? "Transfer-Encoding: chunked" : "Content-Length: 100000") +
                "\r\nExpect: 100-continue\r\n\r\n");
    EXPECT_EQ(take(client, false).status, 100);
    for (int piece = 0; piece < 100; piece++) {
      std::string text(1000, static_cast<char>('a' + piece % 26));
      all += text;
      client.send(chunked ? "3e8\r\n" + text + "\r\n" : text);
      client.pump();
    }
    client.send(chunked ? "0\r\n\r\n" : "");
    expect(client, i % loops, id, all);
  }
}

/* As much behind the request as a turn reads, and more: all of it comes along, in order. */
TEST_P(http_move, WithWhatStandsBehindIt)
{
  start();
  for (const char *path : {"/go", "/later"}) {
    peer client = connect();
    std::string all, filler(2000, 'f');
    for (size_t i = 0; i < 300; i++)
      all += post(path, i * 7 % 5 % loops, path + std::to_string(i), filler);
    client.send(all);
    for (size_t i = 0; i < 300; i++)
      expect(client, i * 7 % 5 % loops, path + std::to_string(i), filler);
  }
}

TEST_P(http_move, BehindAResponseThatIsLeaving)
{
  std::string large(3 << 20, 'l');
  page big;
  big.request = [&](weir_request *r) {
    return weir_request_respond_body(r, "text/plain", large.data(), large.size());
  };
  plain("/big", big);
  start();
  for (size_t to = 0; to < loops; to++) {
    std::string id = "behind" + std::to_string(to);
    peer client = connect(16384);
    client.stall(true);
    client.send("GET /big HTTP/1.1\r\nHost: x\r\n\r\n" + get("/go", to, id) +
                get("/go", 0, id + "again"));
    client.pump();
    client.stall(false);
    EXPECT_TRUE(client.await([&] { return client.input().size() > large.size(); }));
    EXPECT_EQ(take(client).body.size(), large.size());
    expect(client, to, id);
    expect(client, 0, id + "again");
  }
}

TEST_P(http_move, UpgradesWithFramesBehind)
{
  start();
  std::string large(200000, 'l');
  std::vector<peer> clients;
  for (size_t i = 0; i < 9; i++) {
    clients.push_back(connect());
    peer &client = clients.back();
    client.send(get("/go", (i + 1) % loops, "first" + std::to_string(i)) +
                upgrade_request(target("/ws", i % loops, "ws" + std::to_string(i)),
                                "Sec-WebSocket-Protocol: a, b\r\n") +
                masked(fin | text, "early") + masked(fin | text, large));
  }
  for (size_t i = 0; i < 9; i++) {
    peer &client = clients[i];
    expect(client, (i + 1) % loops, "first" + std::to_string(i));
    response got = take(client, false);
    EXPECT_EQ(got.status, 101);
    std::string loop = std::to_string(i % loops) + ":ws" + std::to_string(i) + ":";
    EXPECT_EQ(got.field("X-Loop"), loop);
    EXPECT_EQ(got.head.find("X-Loop"), got.head.rfind("X-Loop"));
    EXPECT_EQ(got.field("Sec-WebSocket-Protocol"), "");
    EXPECT_EQ(client.await_frame().payload, "early");
    EXPECT_TRUE(client.await_frame().payload == large);
    client.say("hello");
    EXPECT_EQ(client.await_frame().payload, "hello");
  }
  end();
  EXPECT_EQ(opens, 9);
  EXPECT_EQ(closes, 9);
  EXPECT_EQ(finis, inits);
  EXPECT_GT(inits, 9) << "those that moved were set up twice";
}

TEST_P(http_move, UpgradesThatAreRefusedThere)
{
  start();
  for (size_t to = 0; to < loops; to++) {
    peer client = connect();
    client.send(upgrade_request(target("/ws", to, "no") + "&refuse=1"));
    EXPECT_EQ(take(client).status, 403);
    EXPECT_TRUE(client.await([&] { return client.ended(); }));
    EXPECT_FALSE(client.was_reset());
  }
  end();
  EXPECT_EQ(finis, inits);
  EXPECT_EQ(opens, 0);
}

TEST_P(http_move, ToNoLoop)
{
  page out, kept;
  out.request = [](weir_request *r) { return weir_request_move(r, loops); };
  kept.request = [](weir_request *r) {
    weir_request *copy = weir_request_keep(r);
    int result = weir_request_move(r, 0);
    EXPECT_EQ(weir_request_move(copy, 0), result);
    weir_request_unref(copy);
    return result;
  };
  plain("/out", out);
  plain("/kept", kept);
  start();
  for (const char *path : {"/out", "/kept"}) {
    peer client = connect();
    client.send(get(path, 0, "out"));
    EXPECT_EQ(take(client).status, 500) << path;
  }
}

/* Peers that go at any moment, many at once. */
TEST_P(http_move, PeersThatGoMeanwhile)
{
  start();
  for (size_t i = 0; i < 120; i++) {
    size_t to = i % loops;
    std::string id = "gone" + std::to_string(i);
    peer client = connect();
    if (GetParam())
      client.await([&] { return client.tls()->handshake(); });
    switch (i % 4) {
    case 0:
      client.send(get("/go", to, id) + get("/go", (to + 1) % loops, id));
      break;
    case 1:
      client.send(post("/pieces", to, id, std::string(50000, 'x')).substr(0, 30000));
      break;
    case 2:
      client.send(upgrade_request(target("/ws", to, id)) + masked(fin | text, "early"));
      break;
    default:
      client.send(get("/later", to, id));
    }
    if (i % 3 == 0)
      client.reset();
    else if (i % 3 == 1)
      client.half_close();
    client.pump();
  }
  peer client = connect(); /* it serves on */
  client.send(get("/go", 1, "last"));
  expect(client, 1, "last");
  end();
  EXPECT_EQ(finis, inits);
  EXPECT_EQ(opens, closes);
  EXPECT_TRUE(gathered.empty()) << "on_gone comes for each";
}

/* The server stops while requests are on their way between its loops. */
TEST_P(http_move, ServerThatStopsMeanwhile)
{
  page round;
  round.request = [](weir_request *r) {
    return weir_request_move(r, (weir_request_loop(r) + 1) % loops); /* for ever */
  };
  plain("/round", round);
  start();
  std::vector<peer> clients;
  for (size_t i = 0; i < 24; i++) {
    clients.push_back(connect());
    clients.back().send(i % 2 == 0 ? get("/round", 0, "x") + std::string(5000, 'x')
                                   : upgrade_request(target("/ws", i % loops, "x")));
    clients.back().pump();
  }
  for (size_t i = 1; i < clients.size(); i += 2)
    EXPECT_EQ(take(clients[i], false).status, 101);
  for (size_t i = 0; i < 24; i += 2)
    clients[i].pump();
  weir_server_stop(server);
  runner.join();
  end();
  EXPECT_EQ(finis, inits);
  EXPECT_EQ(opens, closes);
  for (peer &client : clients)
    EXPECT_TRUE(client.await([&] { return client.ended(); }));
}

/* The peer has said that it ends, without an end of TCP's of which the kernel would tell again. */
TEST(HttpMoveHome, WithTheEndThatTlsHasSeen)
{
  stage at;
  page later;
  weir_request *kept = nullptr;
  int calls = 0, gone = 0;
  later.request = [&](weir_request *r) {
    if (calls++ == 0)
      return weir_request_move(r, 0); /* the loop that it is on, by the same way */
    kept = weir_request_keep(r);
    return static_cast<int>(WEIR_LATER);
  };
  later.gone = [&](weir_request *) { gone++; };
  at.http("GET", "/later", later);
  at.secure();
  at.start();
  peer &client = at.connect();
  ASSERT_TRUE(at.until([&] { return client.tls()->handshake(); }));
  client.send("GET /later HTTP/1.1\r\nHost: x\r\n\r\n");
  client.tls()->shutdown();
  EXPECT_TRUE(at.until([&] { return gone == 1; }));
  EXPECT_EQ(calls, 2);
  EXPECT_EQ(weir_request_respond(kept, 200), -ESTALE);
  weir_request_unref(kept);
}

INSTANTIATE_TEST_SUITE_P(Over, http_move, testing::Bool(),
                         [](const auto &with) { return with.param ? "tls" : "tcp"; });

} // namespace
