// permessage-deflate on a server (RFC 7692): what is agreed, what is compressed for whom, what a
// connection holds; the clients are zlib's.
#include "support/deflater.hpp"
#include "support/stage.hpp"

#include "wire/inflate.h"

#include <gtest/gtest.h>

#include <cerrno>
#include <memory>
#include <random>

namespace
{

using namespace support;

constexpr unsigned rsv1 = 0x40;
constexpr const char *offers = "permessage-deflate; client_max_window_bits";

std::string json(size_t len, int salt = 0)
{
  std::string out = "[";
  for (int i = salt; out.size() < len; i++)
    out += R"({"id":)" + std::to_string(i * 7919 % 1000) + R"(,"name":"user )" + std::to_string(i) +
           R"(","online":true},)";
  out.resize(len - 1);
  return out + "]";
}

std::string noise(size_t len)
{
  std::mt19937 dice(5);
  std::string out;
  while (out.size() < len)
    out += static_cast<char>(dice());
  return out;
}

// A client that has agreed on something.
struct client {
  peer *at;
  std::string agreed;
  std::shared_ptr<deflater> out;
  std::shared_ptr<inflater> in;

  void say(std::string_view payload, unsigned first = fin | text)
  {
    at->send(masked(first | rsv1, out->message(payload)));
  }
};

struct Compression : ::testing::Test {
  stage on_stage;
  std::vector<std::string> received;

  Compression()
  {
    on_stage.on.message = [this](weir_conn *conn, const weir_message *m) {
      received.emplace_back(static_cast<const char *>(m->data), m->len);
      EXPECT_EQ(weir_conn_send_message(conn, m), 0);
    };
  }

  void start(size_t compression, weir_route_options options = {})
  {
    on_stage.options = options;
    on_stage.options.compression = compression;
    on_stage.start();
  }

  client join(const std::string &offer = offers, int receive_buffer = 0,
              std::string_view target = "/")
  {
    peer &p = on_stage.connect(receive_buffer);
    p.send(upgrade_request(target, "Sec-WebSocket-Extensions: " + offer + "\r\n"));
    response answer = on_stage.answer(p, false);
    EXPECT_EQ(answer.status, 101);
    std::string agreed = answer.field("Sec-WebSocket-Extensions");
    bool server = agreed.find("server_no_context_takeover") == std::string::npos;
    bool mine = agreed.find("client_no_context_takeover") == std::string::npos;
    return {&p, agreed, std::make_shared<deflater>(15, mine),
            std::make_shared<inflater>(15, server)};
  }

  // What the client gets next, inflated where it is compressed.
  std::string hear(client &c, bool *compressed = nullptr)
  {
    frame f = on_stage.next(*c.at);
    if (compressed != nullptr)
      *compressed = (f.first & rsv1) != 0;
    return (f.first & rsv1) == 0 ? f.payload : c.in->message(f.payload).value_or("not deflate");
  }

  void expect_echo(client &c, const std::string &payload, bool compressed = true)
  {
    bool was = false;
    EXPECT_EQ(hear(c, &was), payload);
    EXPECT_EQ(was, compressed);
  }
};

TEST_F(Compression, IsNotAgreedWhereTheRouteDoesNotWantIt)
{
  start(WEIR_COMPRESSION_OFF);
  client c = join();
  EXPECT_EQ(c.agreed, "");
  c.say(json(2000));
  EXPECT_EQ(on_stage.next(*c.at).code(), 1002);
}

TEST_F(Compression, SharedTakesOverNothing)
{
  start(WEIR_COMPRESSION_SHARED);
  client c = join();
  EXPECT_EQ(c.agreed, "permessage-deflate; server_no_context_takeover; client_no_context_takeover");
  for (int i = 0; i < 3; i++) {
    for (size_t len : {1024, 5000, 70000, 300000}) {
      c.say(json(len));
      expect_echo(c, json(len));
    }
  }
  EXPECT_EQ(on_stage.counters().messages_inflated, 12u);
  EXPECT_EQ(on_stage.counters().messages_compressed, 12u);
  EXPECT_EQ(on_stage.counters().compression_bytes, 0u);
}

TEST_F(Compression, DedicatedRefersToWhatWasSentBefore)
{
  start(WEIR_COMPRESSION_DEDICATED);
  client c = join();
  EXPECT_EQ(c.agreed, "permessage-deflate");
  std::string first = noise(1500);
  c.say(first, fin | binary);
  expect_echo(c, first, false); // cannot become smaller, so nothing refers to it
  c.say(json(1500));
  expect_echo(c, json(1500));
  size_t sent = on_stage.counters().bytes_sent;
  for (int i = 0; i < 5; i++) {
    c.say(json(1500));
    expect_echo(c, json(1500));
  }
  EXPECT_LT(on_stage.counters().bytes_sent - sent, 5 * 40u);
  EXPECT_GT(on_stage.counters().compression_bytes, 256u << 10);
}

TEST_F(Compression, ShortMessagesAndMarkedOnesLeaveAsTheyAre)
{
  on_stage.on.message = [](weir_conn *conn, const weir_message *m) {
    std::string_view text(static_cast<const char *>(m->data), m->len);
    EXPECT_EQ(weir_conn_send(conn, WEIR_TEXT, text.data(), 1023), 0);
    EXPECT_EQ(weir_conn_send(conn, WEIR_TEXT_UNCOMPRESSED, text.data(), text.size()), 0);
    EXPECT_EQ(weir_conn_send(conn, WEIR_BINARY_UNCOMPRESSED, text.data(), text.size()), 0);
    held_frame marked(text, WEIR_TEXT_UNCOMPRESSED), plain(text);
    EXPECT_EQ(weir_conn_send_frame(conn, marked), 0);
    EXPECT_EQ(weir_conn_send_frame(conn, plain), 0);
    EXPECT_EQ(weir_conn_send(conn, static_cast<weir_opcode>(0x18), text.data(), 1), -EINVAL);
    EXPECT_EQ(weir_conn_send(conn, WEIR_TEXT_UNCOMPRESSED, nullptr, 1), -EINVAL);
  };
  weir_route_options shared = {}, dedicated = {};
  shared.compression = WEIR_COMPRESSION_SHARED;
  dedicated.compression = WEIR_COMPRESSION_DEDICATED;
  on_stage.route("/shared", on_stage.on, shared);
  on_stage.route("/dedicated", on_stage.on, dedicated);
  start(WEIR_COMPRESSION_OFF);
  for (const char *target : {"/shared", "/dedicated"}) {
    client c = join(offers, 0, target);
    c.say(json(3000));
    expect_echo(c, json(3000).substr(0, 1023), false);
    for (int i = 0; i < 3; i++)
      expect_echo(c, json(3000), false);
    expect_echo(c, json(3000), true);
  }
}

TEST_F(Compression, MessagesInPiecesComeOutWhole)
{
  start(WEIR_COMPRESSION_DEDICATED);
  client c = join();
  for (int round = 0; round < 2; round++) {
    std::string packed = c.out->message(json(200000, round));
    size_t third = packed.size() / 3;
    c.at->send(masked(text | rsv1, packed.substr(0, third)));
    c.at->send(masked(fin | ping, "in between"));
    c.at->send(masked(continuation, ""));
    for (char byte : packed.substr(third, third))
      c.at->send(masked(continuation, std::string(1, byte)).substr(0));
    c.at->send(masked(fin | continuation, packed.substr(2 * third)));
    EXPECT_EQ(on_stage.next(*c.at).opcode(), unsigned{pong});
    expect_echo(c, json(200000, round));
  }
}

TEST_F(Compression, AnEmptyMessageIsOne)
{
  start(WEIR_COMPRESSION_SHARED);
  client c = join();
  c.say("");
  expect_echo(c, "", false);
  c.at->send(masked(text | rsv1, ""));
  c.at->send(masked(fin | continuation, c.out->message("")));
  expect_echo(c, "", false);
  EXPECT_EQ(received, (std::vector<std::string>{"", ""}));
}

TEST_F(Compression, FragmentHandlersGetInflatedPieces)
{
  std::vector<std::string> pieces;
  std::vector<std::pair<int, int>> ends;
  on_stage.on.message = nullptr;
  on_stage.on.fragment = [&](weir_conn *conn, const weir_message *m) {
    pieces.emplace_back(static_cast<const char *>(m->data), m->len);
    ends.emplace_back(m->first, m->last);
    if (m->last)
      weir_conn_send(conn, WEIR_TEXT, "done", 4);
  };
  start(WEIR_COMPRESSION_SHARED);
  client c = join();
  c.say(json(100000));
  expect_echo(c, "done", false);
  std::string all;
  for (size_t i = 0; i < pieces.size(); i++) {
    EXPECT_LE(pieces[i].size(), 16384u) << "judged every 16 KiB";
    EXPECT_EQ(ends[i].first, i == 0);
    EXPECT_EQ(ends[i].second, i + 1 == pieces.size());
    all += pieces[i];
  }
  EXPECT_EQ(all, json(100000));
}

TEST_F(Compression, WrongDataFailsTheConnection)
{
  weir_route_options options = {};
  options.max_message_bytes = 100000;
  start(WEIR_COMPRESSION_DEDICATED, options);
  auto fails = [&](const std::string &offer, unsigned first, const std::string &bytes, int code) {
    client c = join(offer);
    c.at->send(masked(fin | rsv1 | first, bytes));
    frame f = on_stage.next(*c.at);
    EXPECT_EQ(f.code(), code) << f.reason();
    EXPECT_TRUE(on_stage.ends(*c.at));
  };
  for (const std::string offer : {"permessage-deflate", "permessage-deflate; "
                                                        "client_no_context_takeover"}) {
    deflater d;
    fails(offer, binary, "\xff\xff\xff\xff", 1007);
    fails(offer, binary, d.message(json(5000)).substr(0, 100), 1007);
    fails(offer, binary, deflater(15, false, 9).message(std::string(100001, 'x')), 1009);
    fails(offer, text, deflater().message(json(2000) + "\xff"), 1007);
    fails(offer, text, deflater().message(json(2000) + "\xe2\x82"), 1007);
    client c = join(offer); // and at the limit all is well
    c.say(std::string(100000, 'x'));
    expect_echo(c, std::string(100000, 'x'));
  }
  EXPECT_TRUE(received.size() == 2);
}

TEST_F(Compression, WhatDoesNotCompressMayBeLongerOnTheWireThanAMessageMayBe)
{
  weir_route_options options = {};
  options.max_message_bytes = 100000;
  start(WEIR_COMPRESSION_SHARED, options);
  client c = join();
  for (int level : {0, 1, 9}) {
    std::string payload = noise(100000), wire = deflater(15, false, level).message(payload);
    EXPECT_GT(wire.size(), payload.size());
    c.at->send(masked(fin | binary | rsv1, wire));
    expect_echo(c, payload, false);
    wire = deflater(9, false, level).message(payload); // grows more
    c.at->send(masked(fin | binary | rsv1, wire));
    expect_echo(c, payload, false);
  }
  c.at->send(masked(fin | binary, noise(100001)));
  EXPECT_EQ(on_stage.next(*c.at).code(), 1009);
  client d = join();
  std::string blocks; // that say nothing, and more and more of them
  for (int i = 0; i < 30000; i++)
    blocks += std::string("\0\0\0\xff\xff", 5);
  d.at->send(masked(fin | binary | rsv1, blocks));
  EXPECT_EQ(on_stage.next(*d.at).code(), 1009);
}

TEST_F(Compression, NothingOfAnotherConnectionsMessageCanBeReached)
{
  start(WEIR_COMPRESSION_SHARED);
  client first = join(), second = join();
  first.say(json(3000));
  expect_echo(first, json(3000));
  bit_writer behind; // a fixed block that begins with a match of what came before
  behind.block(false, 1).match_258(16, 0, 7).symbol(256);
  second.at->send(masked(fin | binary | rsv1, behind.stored("").str().substr(0)));
  EXPECT_EQ(on_stage.next(*second.at).code(), 1007);
}

TEST_F(Compression, ABroadcastIsCompressedOnceForEachKindOfReceiver)
{
  on_stage.on.message = [this](weir_conn *, const weir_message *m) {
    held_frame frame({static_cast<const char *>(m->data), m->len});
    EXPECT_EQ(weir_server_broadcast(on_stage.server(), frame, 0), 0);
  };
  start(WEIR_COMPRESSION_DEDICATED);
  std::vector<client> clients;
  const std::string kinds[] = {
      "x-unknown", "permessage-deflate", "permessage-deflate; server_no_context_takeover",
      "permessage-deflate; server_max_window_bits=10",
      "permessage-deflate; server_max_window_bits=10; server_no_context_takeover"};
  for (int i = 0; i < 4; i++)
    for (const std::string &kind : kinds)
      clients.push_back(join(kind));
  for (size_t len : {1500, 6000, 100000}) {
    for (int round = 0; round < 3; round++) {
      clients[0].at->say(json(len, round));
      for (client &c : clients)
        expect_echo(c, json(len, round), !c.agreed.empty());
    }
  }
  // One for each window; takeover makes no difference.
  EXPECT_EQ(on_stage.counters().twins_compressed, 9 * 2u);
  EXPECT_EQ(on_stage.counters().messages_compressed, 9 * 16u);
}

TEST_F(Compression, ALoopOfSendsOverAllClientsSendsWhatStandsInTheBufferThen)
{
  std::vector<weir_conn *> all;
  on_stage.on.open = [&](weir_conn *conn) { all.push_back(conn); };
  on_stage.on.message = [&](weir_conn *, const weir_message *m) {
    std::string buffer(static_cast<const char *>(m->data), m->len);
    for (size_t i = 0; i < all.size(); i++) {
      buffer[100] = i < 6 ? 'a' : 'b';
      EXPECT_EQ(
          weir_conn_send(all[i], i == 3 ? WEIR_BINARY : WEIR_TEXT, buffer.data(), buffer.size()),
          0);
    }
  };
  start(WEIR_COMPRESSION_DEDICATED);
  std::vector<client> clients;
  for (int i = 0; i < 12; i++)
    clients.push_back(join(i % 4 == 1   ? "x-unknown"
                           : i % 4 == 2 ? "permessage-deflate"
                                        : "permessage-deflate; server_no_context_takeover"));
  for (size_t len : {1500, 9000, 70000}) {
    for (int round = 0; round < 3; round++) {
      std::string said = json(len, round);
      clients[0].say(said);
      for (size_t i = 0; i < clients.size(); i++) {
        said[100] = i < 6 ? 'a' : 'b';
        expect_echo(clients[i], said, i % 4 != 1);
      }
    }
  }
}

TEST_F(Compression, NothingRefersToWhatATwinHasDisplaced)
{
  bool twin = false;
  on_stage.on.message = [&](weir_conn *conn, const weir_message *m) {
    held_frame frame({static_cast<const char *>(m->data), m->len});
    if (twin)
      EXPECT_EQ(weir_conn_send_frame(conn, frame), 0);
    else
      EXPECT_EQ(weir_conn_send_message(conn, m), 0);
  };
  start(WEIR_COMPRESSION_DEDICATED);
  client c = join("permessage-deflate; server_max_window_bits=9");
  EXPECT_EQ(c.agreed, "permessage-deflate; server_max_window_bits=9");
  inflater strict(9);
  for (int i = 0; i < 12; i++) {
    twin = i % 3 == 1;
    c.say(json(1200, i / 3));
    frame f = on_stage.next(*c.at);
    ASSERT_EQ(f.first & rsv1, rsv1);
    EXPECT_EQ(strict.message(f.payload), json(1200, i / 3)) << i;
  }
}

TEST_F(Compression, AMessageThatWasRefusedIsNotReferredTo)
{
  weir_route_options options = {};
  options.max_queued_bytes = 20000;
  options.queue_policy = WEIR_QUEUE_DROP_NEWEST;
  std::vector<std::string> taken;
  on_stage.on.message = [&](weir_conn *conn, const weir_message *) {
    std::string fixed = noise(3000);
    for (int i = 0; i < 20000; i++) { // until the socket is full, and the queue, and then some
      std::string text = json(2000, i % 50) + fixed.substr(i % 1000, 1500);
      if (weir_conn_send(conn, WEIR_BINARY, text.data(), text.size()) == 0)
        taken.push_back(text);
    }
  };
  start(WEIR_COMPRESSION_DEDICATED, options);
  client c = join(offers, 4096);
  c.at->stall(true);
  c.say("go");
  on_stage.settle();
  EXPECT_GT(on_stage.counters().dropped, 0u);
  c.at->stall(false);
  ASSERT_LT(taken.size(), 20000u);
  for (size_t i = 0; i < taken.size(); i++)
    ASSERT_EQ(hear(c), taken[i]) << i << " of " << taken.size();
}

TEST_F(Compression, IdleConnectionsGiveBackAllButTheirWindows)
{
  constexpr size_t count = 20, pool = 64 << 10; // what the loop's pool may keep of its work
  start(WEIR_COMPRESSION_DEDICATED);
  std::vector<client> clients;
  while (clients.size() < count)
    clients.push_back(join());
  on_stage.settle();
  uint64_t before = on_stage.counters().memory_bytes;
  uint64_t reserved = on_stage.counters().compression_bytes;
  for (client &c : clients) {
    c.say(json(1500));
    expect_echo(c, json(1500));
  }
  EXPECT_GT(on_stage.counters().memory_bytes, before + count * (256 << 10));
  for (int i = 0; i < 3; i++)
    on_stage.pass(1000);
  EXPECT_LT(on_stage.counters().memory_bytes, before + count * 2048 + pool);
  EXPECT_EQ(on_stage.counters().compression_bytes, reserved);
  for (client &c : clients) {
    std::string next = c.out->message(json(1500));
    EXPECT_LT(next.size(), 60u) << "refers to what was said before";
    c.at->send(masked(fin | text | rsv1, next));
    expect_echo(c, json(1500));
    c.at->half_close();
    EXPECT_TRUE(on_stage.ends(*c.at));
  }
  for (int i = 0; i < 3; i++)
    on_stage.pass(1000);
  EXPECT_LE(on_stage.counters().memory_bytes, before + pool);
  EXPECT_EQ(on_stage.counters().compression_bytes, 0u);
}

TEST_F(Compression, InflatedBytesCountAgainstTheTurnsBudget)
{
  size_t turns = 0, most = 0, now = 0;
  on_stage.on.message = [&](weir_conn *, const weir_message *) { now++; };
  start(WEIR_COMPRESSION_SHARED);
  client c = join();
  std::string bombs;
  for (int i = 0; i < 100; i++)
    bombs += masked(fin | binary | rsv1, c.out->message(std::string(200000, 'x')));
  c.at->send(bombs);
  on_stage.until([&] {
    turns += now > 0;
    most = std::max(most, now);
    received.resize(received.size() + now);
    now = 0;
    return received.size() == 100;
  });
  EXPECT_EQ(received.size(), 100u);
  EXPECT_LE(most, 4u) << "200 KB each, 256 KiB a reading, two readings a turn";
  EXPECT_GE(turns, 25u);
}

TEST_F(Compression, APauseHoldsBackWhatIsNotInflatedYet)
{
  std::string all;
  size_t pieces = 0, done = 0;
  on_stage.on.message = nullptr;
  on_stage.on.fragment = [&](weir_conn *conn, const weir_message *m) {
    all.append(static_cast<const char *>(m->data), m->len);
    done += m->last;
    if (++pieces % 3 == 0)
      weir_conn_pause(conn);
  };
  start(WEIR_COMPRESSION_SHARED);
  client c = join();
  std::string first = json(100000), second(900000, 'x');
  c.at->send(masked(fin | text | rsv1, c.out->message(first)) +
             masked(fin | text | rsv1, c.out->message(second)) + masked(fin | text, "plain"));
  size_t stops = 0;
  while (done < 3) {
    on_stage.settle();
    stops++;
    ASSERT_TRUE(pieces == 3 * stops || done == 3) << pieces;
    weir_conn_resume(on_stage.last());
  }
  EXPECT_EQ(all, first + second + "plain");
}

// One byte of a message costs no context; fragment handlers have one while the budget allows.
TEST(CompressionBudget, IsNotForMessagesInPieces)
{
  weir_options options = {};
  options.size = sizeof options;
  options.max_compression_bytes = 100000;
  std::string got;
  stage s(options);
  hooks pieces;
  pieces.fragment = [&](weir_conn *, const weir_message *m) {
    got.append(static_cast<const char *>(m->data), m->len);
    got.append(m->last, '.');
  };
  s.on.message = [](weir_conn *conn, const weir_message *m) { weir_conn_send_message(conn, m); };
  s.options.compression = WEIR_COMPRESSION_SHARED;
  s.route("/pieces", pieces, s.options);
  s.start();
  std::string packed = deflater(15, false).message(json(3000));
  std::vector<peer *> peers;
  for (int i = 0; i < 10; i++) {
    peers.push_back(
        &s.open(i < 5 ? "/" : "/pieces", "Sec-WebSocket-Extensions: permessage-deflate\r\n"));
    peers.back()->send(masked(text | rsv1, packed.substr(0, 10)));
    s.settle();
    EXPECT_EQ(s.counters().compression_bytes,
              i < 5 ? 0u : static_cast<size_t>(std::min(i - 4, 2)) * weir__inflate_bytes(15))
        << i;
  }
  for (peer *p : peers)
    p->send(masked(fin | continuation, packed.substr(10)));
  for (size_t i = 0; i < 5; i++)
    EXPECT_EQ(inflater().message(s.next(*peers[i]).payload), json(3000));
  s.settle();
  std::string expected;
  for (int i = 0; i < 5; i++)
    expected += json(3000) + ".";
  EXPECT_EQ(got, expected);
  EXPECT_EQ(s.counters().compression_bytes, 0u);
}

TEST(CompressionBudget, IsForWhatIsTakenOver)
{
  weir_options options = {};
  options.size = sizeof options;
  options.max_compression_bytes = 100000; // two windows, no compressor
  stage s(options);
  s.on.message = [](weir_conn *conn, const weir_message *m) { weir_conn_send_message(conn, m); };
  s.options.compression = WEIR_COMPRESSION_DEDICATED;
  s.start();
  std::vector<client> clients;
  for (int i = 0; i < 4; i++) {
    peer &p = s.open("/", "Sec-WebSocket-Extensions: permessage-deflate\r\n");
    clients.push_back(
        {&p, "", std::make_shared<deflater>(15, i < 2), std::make_shared<inflater>()});
    weir_compression_state state;
    ASSERT_EQ(weir_conn_compression(s.last(), &state), 0);
    EXPECT_EQ(state.agreed, 1);
    EXPECT_EQ(state.client_takeover, i < 2);
    EXPECT_EQ(state.server_takeover, 1);
    EXPECT_EQ(state.server_window_bits, 15);
  }
  for (int round = 0; round < 3; round++) {
    for (client &c : clients) {
      c.say(json(3000));
      frame f = s.next(*c.at);
      EXPECT_EQ(f.first, fin | rsv1 | text);
      EXPECT_EQ(c.in->message(f.payload), json(3000));
    }
  }
  EXPECT_LE(s.counters().compression_bytes, 100000u);
  EXPECT_EQ(weir_conn_compression(s.last(), nullptr), -EINVAL);
}

} // namespace
