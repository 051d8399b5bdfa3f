/* Rows 59 and 60, memory and secrets (RFC 7692 sections 7.1.1, 8), and what other rows become where
 * messages are compressed. */
#include "catalogue/compression.hpp"

#include <gtest/gtest.h>

using namespace catalogue;

namespace
{

constexpr size_t budget = 1 << 20;
constexpr int many = 60;

setup with_budget(size_t bytes)
{
  setup out = compressing(WEIR_COMPRESSION_DEDICATED);
  out.options.max_compression_bytes = bytes;
  return out;
}

void expect_within_budget(server &at)
{
  EXPECT_LE(at.counters().compression_bytes, budget);
}

/* Every one of them says something twice and gets it back. */
void expect_all_work(server &at, std::vector<std::unique_ptr<speaker>> &speakers)
{
  for (unsigned round = 0; round < 2; round++)
    for (auto &each : speakers) {
      if (testing::Test::HasFailure())
        return;
      each->expect_echo(prose(3000, round));
      expect_within_budget(at);
    }
  at.expect_undisturbed();
}

size_t with_takeover(const std::vector<std::unique_ptr<speaker>> &speakers)
{
  size_t out = 0;
  for (const auto &each : speakers)
    out += each->terms.has("client_no_context_takeover") ? 0 : 1;
  return out;
}

} // namespace

TEST(Row59, WindowsOfManyConnectionsStayWithinTheBudget)
{
  for (bool at_once : {false, true}) { /* each is heard as soon as it is open; all are open first */
    SCOPED_TRACE(at_once);
    server at(with_budget(budget));
    uint64_t memory = at.counters().memory_bytes;
    std::vector<std::unique_ptr<speaker>> speakers;
    for (int i = 0; i < many; i++) {
      speakers.push_back(std::make_unique<speaker>(at));
      if (!at_once)
        speakers.back()->expect_echo("as soon as it is open");
      expect_within_budget(at);
    }
    expect_all_work(at, speakers);
    EXPECT_GT(with_takeover(speakers), 1u) << "the budget is never used";
    EXPECT_LT(with_takeover(speakers), many + 0u) << "the budget has no end";
    EXPECT_LT(at.counters().memory_bytes, memory + 2 * budget);
  }
}

TEST(Row59, WhatIsClosedIsGivenBack)
{
  server at(with_budget(budget));
  for (int round = 0; round < 3; round++) {
    std::vector<std::unique_ptr<speaker>> speakers;
    for (int i = 0; i < many; i++)
      speakers.push_back(std::make_unique<speaker>(at));
    expect_all_work(at, speakers);
    EXPECT_FALSE(speakers.front()->terms.has("client_no_context_takeover"));
    EXPECT_GT(at.counters().compression_bytes, 0u);
    for (size_t i = 0; i < speakers.size(); i++) /* every way to end */
      if (i % 3 == 0)
        speakers[i]->socket.reset();
      else if (i % 3 == 1)
        speakers[i]->socket.send(closing(1000));
      else
        speakers[i]->socket.send(masked(fin | rsv2 | text));
    at.expect_undisturbed();
    speakers.clear();
    at.poll("the memory to be given back", [&] { return at.counters().compression_bytes == 0; });
  }
}

TEST(Row59, ABudgetOfNextToNothing)
{
  server at(with_budget(1));
  for (int i = 0; i < 3; i++) {
    speaker peer(at);
    EXPECT_TRUE(peer.terms.has("client_no_context_takeover"));
    peer.expect_echo(prose(5000));
    peer.expect_echo(prose(5000));
    EXPECT_LE(at.counters().compression_bytes, 1u);
  }
}

/* What was agreed with one that fitted is kept, whoever comes later. */
TEST(Row59, TheFirstKeepTheirWindows)
{
  server at(with_budget(budget));
  speaker first(at);
  first.expect_echo(prose(30000, 5));
  std::vector<std::unique_ptr<speaker>> others;
  for (int i = 0; i < many; i++)
    others.push_back(std::make_unique<speaker>(at));
  expect_all_work(at, others);
  std::string again = first.frame_of(prose(30000, 5));
  EXPECT_LT(again.size(), 3000u) << "the test's own window is gone";
  first.socket.send(again);
  EXPECT_TRUE(first.hear() == prose(30000, 5));
}

TEST(Row59, IdleConnectionsWithoutTakeoverHoldNothing)
{
  server at(compressing(WEIR_COMPRESSION_SHARED));
  std::vector<std::unique_ptr<speaker>> speakers;
  for (int i = 0; i < many; i++) {
    speakers.push_back(std::make_unique<speaker>(at));
    speakers.back()->expect_echo(prose(3000));
    EXPECT_TRUE(speakers.back()->terms.has("client_no_context_takeover"));
    EXPECT_TRUE(speakers.back()->terms.has("server_no_context_takeover"));
  }
  EXPECT_EQ(at.counters().compression_bytes, 0u);
}

/* Many that are in the middle of a message each: the memory of what has come is all they cost. */
TEST(Row59, MessagesBegunAndNeverEnded)
{
  for (size_t mode : {WEIR_COMPRESSION_SHARED + 0u, WEIR_COMPRESSION_DEDICATED + 0u}) {
    setup small = compressing(mode);
    small.options.max_compression_bytes = budget;
    server at(small);
    uint64_t memory = at.counters().memory_bytes;
    support::deflater stream;
    const std::string begun = deflated(text, stream.piece(prose(500), Z_SYNC_FLUSH));
    std::vector<client> attackers;
    for (int i = 0; i < 200; i++) {
      attackers.push_back(at.open());
      attackers.back().send(begun);
    }
    at.expect_undisturbed();
    expect_within_budget(at);
    EXPECT_LT(at.counters().memory_bytes, memory + 200 * (64u << 10));
    speaker peer(at);
    peer.expect_echo(prose(5000));
    attackers.clear();
    at.poll("the memory of before",
            [&] { return at.counters().memory_bytes < memory + (256 << 10); });
  }
}

TEST(Row60, CompressionIsOffByDefault)
{
  server at;
  client peer = at.open(offering());
  EXPECT_EQ(peer.answer().values("Sec-WebSocket-Extensions"), std::vector<std::string>{});
  peer.send(masked(fin | text, prose(100000)));
  std::optional<frame> got = peer.read_frame();
  ASSERT_TRUE(got);
  EXPECT_EQ(got->first, fin | text);
  peer.send(compressed(fin | text, "compressed"));
  expect_failure(at, peer, 1002);
}

TEST(Row60, NothingIsCompressedThatWasNotAgreed)
{
  server at(compressing());
  client plain = at.open(request{});
  expect_echo(plain, prose(100000));
  plain.send(compressed(fin | text, "compressed"));
  expect_failure(at, plain, 1002);
}

namespace
{

/* The frames that a test has the server send, one a message, told by the message's text. */
setup sending(const std::function<void(weir_conn *, const std::string &)> &send, size_t mode)
{
  setup out = compressing(mode);
  out.on.message = [send](weir_conn *conn, const weir_message *message) {
    send(conn, std::string(static_cast<const char *>(message->data), message->len));
  };
  return out;
}

int send_as(weir_conn *conn, int opcode, const std::string &text)
{
  return weir_conn_send(conn, static_cast<weir_opcode>(opcode), text.data(), text.size());
}

/* A page with a secret in it and the attacker's guess. */
std::string page(const std::string &guess)
{
  return "token=5ecb39aa0c1e77d2; " + prose(1500) + " you searched for " + guess;
}

const std::vector<std::string> guesses = {"token=5ecb39aa0c1e77d2", "token=1f0c7734e8ab92d6",
                                          "token=5ecb39aa11111111", "qwertyuiopasdfghjklzxc"};

} // namespace

TEST(Row60, WhatOptsOutIsSentAsItIs)
{
  for (size_t mode : {WEIR_COMPRESSION_SHARED + 0u, WEIR_COMPRESSION_DEDICATED + 0u}) {
    server at(sending(
        [](weir_conn *conn, const std::string &guess) {
          EXPECT_EQ(send_as(conn, WEIR_TEXT, page(guess)), 0);
          EXPECT_EQ(send_as(conn, WEIR_TEXT_UNCOMPRESSED, page(guess)), 0);
          EXPECT_EQ(send_as(conn, WEIR_BINARY_UNCOMPRESSED, page(guess)), 0);
        },
        mode));
    std::vector<size_t> with, without;
    for (const std::string &guess : guesses) {
      speaker peer(at);
      peer.say(guess);
      EXPECT_EQ(peer.hear(), page(guess));
      EXPECT_EQ(peer.heard.first, fin | rsv1 | text);
      with.push_back(peer.heard.payload.size());
      EXPECT_EQ(peer.hear(), page(guess));
      EXPECT_EQ(peer.heard.first, fin | text);
      without.push_back(peer.heard.payload.size());
      EXPECT_EQ(peer.hear(), page(guess));
      EXPECT_EQ(peer.heard.first, fin | binary);
    }
    EXPECT_LT(with[0], with[1]) << "the test shows nothing";
    EXPECT_EQ(without, std::vector<size_t>(guesses.size(), page(guesses[0]).size()));
  }
}

TEST(Row60, SharedFramesThatOptOutAreSentAsTheyAre)
{
  static weir_server *all = nullptr;
  auto broadcast = [](int opcode, const std::string &text) {
    weir_frame *frame = nullptr;
    EXPECT_EQ(weir_frame_new(&frame, static_cast<weir_opcode>(opcode), text.data(), text.size()),
              0);
    EXPECT_EQ(weir_frame_opcode(frame), static_cast<weir_opcode>(opcode & 0xF));
    EXPECT_EQ(weir_server_broadcast(all, frame, 0), 0);
    weir_frame_unref(frame);
  };
  server at(sending(
      [&](weir_conn *, const std::string &guess) {
        broadcast(WEIR_TEXT, page(guess));
        broadcast(WEIR_TEXT_UNCOMPRESSED, page(guess));
      },
      WEIR_COMPRESSION_SHARED));
  all = at.get();
  speaker one(at), other(at);
  client plain = at.open(request{});
  for (const std::string &guess : guesses) {
    one.say(guess);
    for (speaker *each : {&one, &other}) {
      EXPECT_EQ(each->hear(), page(guess));
      EXPECT_EQ(each->heard.first, fin | rsv1 | text);
      EXPECT_EQ(each->hear(), page(guess));
      EXPECT_EQ(each->heard.first, fin | text);
    }
    for (int i = 0; i < 2; i++) {
      std::optional<frame> got = plain.read_frame();
      ASSERT_TRUE(got);
      EXPECT_EQ(got->first, fin | text);
      EXPECT_EQ(got->payload, page(guess));
    }
  }
}

/* What one connection was sent tells nothing of what another one is sent, nor, without takeover, of
 * the next message. */
TEST(Row60, MessagesDoNotShareAWindow)
{
  server at(compressing(WEIR_COMPRESSION_SHARED));
  speaker victim(at), attacker(at);
  std::vector<size_t> lengths;
  for (const std::string &guess : guesses) {
    victim.expect_echo("Cookie: " + guesses[0] + prose(300));
    attacker.expect_echo(guess + prose(100, 9));
    lengths.push_back(attacker.heard.payload.size());
  }
  attacker.expect_echo(guesses[0] + prose(100, 9));
  EXPECT_EQ(attacker.heard.payload.size(), lengths[0]);
  speaker fresh(at);
  fresh.expect_echo(guesses[0] + prose(100, 9));
  EXPECT_EQ(fresh.heard.payload.size(), lengths[0]);
}

TEST(Row60, ShortMessagesAndFragmentsAreNotCompressed)
{
  setup by_default = sending(
      [](weir_conn *conn, const std::string &) {
        const std::string below(1023, 'x'), from(1024, 'x');
        send_as(conn, WEIR_TEXT, below);
        send_as(conn, WEIR_TEXT, from);
        weir_conn_send_begin(conn, WEIR_TEXT, from.data(), from.size());
        weir_conn_send_end(conn, from.data(), from.size());
      },
      WEIR_COMPRESSION_SHARED);
  by_default.route.compression_threshold = 0;
  server at(by_default);
  speaker peer(at);
  peer.say("go");
  const std::vector<unsigned> firsts = {fin | text, fin | rsv1 | text, text + 0u,
                                        fin | continuation};
  for (unsigned first : firsts) {
    peer.hear();
    EXPECT_EQ(peer.heard.first, first);
  }
}

/* ---- what the rows of framing and messages become where RSV1 means something */

TEST(Row29Compressed, ReservedBitsWhereCompressionWasAgreed)
{
  for (size_t mode : {WEIR_COMPRESSION_SHARED + 0u, WEIR_COMPRESSION_DEDICATED + 0u}) {
    server at(compressing(mode));
    const std::string sound = compressed(fin | text, "sound");
    support::deflater stream;
    const std::string begun = deflated(text, stream.piece("begun", Z_SYNC_FLUSH));
    for (unsigned opcode : {close_frame + 0u, ping + 0u, pong + 0u})
      for (const std::string &before : {sound, begun})
        expect_failed(at, masked(fin | rsv1 | opcode, "\x03\xe8"), 1002, before);
    for (unsigned more : {0u, fin + 0u})
      expect_failed(at, masked(more | rsv1 | continuation, "more"), 1002, begun);
    for (unsigned bits : {rsv2 + 0u, rsv3 + 0u, rsv1 | rsv2, rsv1 | rsv3})
      expect_failed(at, masked(fin | bits | text, "text"), 1002, sound);
    for (unsigned opcode : {0x3u, 0x7u})
      expect_failed(at, masked(fin | rsv1 | opcode, "text"), 1002, sound);
  }
}

TEST(Row36Compressed, NewMessageInsideACompressedOne)
{
  server at(compressing(WEIR_COMPRESSION_DEDICATED));
  support::deflater stream;
  const std::string begun = deflated(text, stream.piece("begun", Z_SYNC_FLUSH));
  expect_failed(at, compressed(fin | text, "new"), 1002, begun);
  expect_failed(at, masked(fin | text, "new"), 1002, begun);
  expect_failed(at, compressed(text, "new"), 1002, masked(text, "begun"));
  expect_failed(at, masked(fin | rsv1 | continuation, "start"), 1002);
}

TEST(Row37Compressed, ControlFramesBetweenCompressedFragments)
{
  for (size_t mode : {WEIR_COMPRESSION_SHARED + 0u, WEIR_COMPRESSION_DEDICATED + 0u}) {
    server at(compressing(mode));
    for (delivery how : {delivery::whole, delivery::bytes}) {
      SCOPED_TRACE(name(how));
      speaker peer(at);
      for (int i = 0; i < 2 && !testing::Test::HasFailure(); i++) {
        const std::string whole = peer.bytes_of(prose(100));
        std::string attack;
        for (size_t begin = 0; begin < whole.size(); begin += 10) {
          unsigned first = begin == 0 ? rsv1 | text : continuation + 0u;
          attack += masked(first, whole.substr(begin, 10)) + masked(fin | pong, "pong");
        }
        attack += masked(continuation) + masked(fin | ping, "ping") + masked(fin | continuation);
        deliver(at, peer.socket, attack, how);
        EXPECT_EQ(peer.hear(), "ping");
        EXPECT_EQ(peer.heard.opcode(), pong + 0u);
        EXPECT_EQ(peer.hear(), prose(100));
      }
    }
  }
}

TEST(Row37Compressed, CloseInTheMiddleOfACompressedMessage)
{
  for (size_t mode : {WEIR_COMPRESSION_SHARED + 0u, WEIR_COMPRESSION_DEDICATED + 0u}) {
    server at(compressing(mode));
    support::deflater stream;
    const std::string begun = deflated(text, stream.piece(prose(5000), Z_SYNC_FLUSH));
    for (delivery how : {delivery::whole, delivery::bytes}) {
      client peer = at.open();
      deliver(at, peer, begun + closing(1001, "leaving"), how);
      at.expect_undisturbed();
      expect_close(at, peer, 1001);
      client gone = at.open();
      gone.send(begun.substr(0, begun.size() / 2));
      gone.reset();
      EXPECT_TRUE(at.wait_closed(gone));
      EXPECT_EQ(at.seen(gone).messages, std::vector<std::string>{});
    }
    speaker next(at);
    next.expect_echo("a new one");
  }
}

/* Messages that are not compressed stand between those that are, and change no window. */
TEST(Row37Compressed, UncompressedMessagesInBetween)
{
  for (size_t mode : {WEIR_COMPRESSION_SHARED + 0u, WEIR_COMPRESSION_DEDICATED + 0u}) {
    server at(compressing(mode));
    speaker peer(at);
    for (unsigned i = 0; i < 10 && !testing::Test::HasFailure(); i++) {
      peer.expect_echo(prose(2000, i / 3));
      peer.socket.send(masked(fin | text, prose(300, i)));
      EXPECT_EQ(peer.hear(), prose(300, i));
      peer.expect_echo("");
    }
  }
}

namespace
{

/* What a handler heard that pauses at every message or piece; it is resumed from outside. */
struct paused {
  std::string heard;
  bool now = false;
};

setup pausing(bool piecewise, paused &state)
{
  setup out = compressing(WEIR_COMPRESSION_DEDICATED);
  auto hear = [&state](weir_conn *conn, const weir_message *message) {
    EXPECT_FALSE(state.now) << "called while paused";
    state.heard.append(static_cast<const char *>(message->data), message->len);
    state.now = true;
    weir_conn_pause(conn);
  };
  if (piecewise)
    out.on.fragment = hear;
  else
    out.on.message = hear;
  return out;
}

} // namespace

TEST(Row52Paused, PausedInTheMiddleOfACompressedMessage)
{
  for (bool piecewise : {false, true}) {
    SCOPED_TRACE(piecewise);
    paused state;
    std::string said;
    server at(pausing(piecewise, state));
    speaker peer(at);
    std::string frames;
    for (unsigned i = 0; i < 4; i++) {
      const std::string payload = prose(200000, i) + std::string(300000, 'z');
      said += payload;
      frames += peer.frame_of(payload);
    }
    peer.socket.send(frames);
    auto all_heard = [&] {
      bool out = false;
      at.on_loop([&] {
        out = state.heard.size() >= said.size();
        state.now = false;
        if (weir_conn *conn = at.find(peer.socket))
          weir_conn_resume(conn);
      });
      return out;
    };
    at.poll("all of it to be heard", all_heard);
    EXPECT_TRUE(state.heard == said);
    at.expect_undisturbed();
  }
}

/* A paused connection inflates nothing more: what it costs is what was on its way. */
TEST(Row52Paused, AndClosedWhileItIsPaused)
{
  for (bool piecewise : {false, true}) {
    paused state;
    server at(pausing(piecewise, state));
    speaker peer(at);
    const std::string payload(1 << 20, 'z');
    peer.socket.send(peer.frame_of(payload) + peer.frame_of(payload));
    at.poll("a first piece", [&] { return at.seen(peer.socket).opens == 1; });
    at.expect_undisturbed();
    at.on_loop([&] {
      EXPECT_LE(state.heard.size(), payload.size());
      if (weir_conn *conn = at.find(peer.socket))
        weir_conn_abort(conn);
    });
    EXPECT_TRUE(at.wait_closed(peer.socket));
  }
}

/* ---- messages for many, whatever each of them agreed to */

namespace
{

setup speaking_to_all(weir_server *&all)
{
  setup out = compressing(WEIR_COMPRESSION_DEDICATED);
  out.on.message = [&all](weir_conn *conn, const weir_message *message) {
    weir_frame *frame = nullptr;
    EXPECT_EQ(weir_frame_new(&frame, WEIR_TEXT, message->data, message->len), 0);
    EXPECT_EQ(weir_server_broadcast(all, frame, 0), 0);
    weir_frame_unref(frame);
    weir_conn_send(conn, WEIR_TEXT, message->data, message->len);
    weir_conn_send(conn, WEIR_TEXT_UNCOMPRESSED, message->data, message->len);
    weir_conn_send(conn, WEIR_TEXT, message->data, message->len / 2);
  };
  return out;
}

/* Text that compresses to three quarters, no more. */
std::string letters(size_t bytes, unsigned seed)
{
  std::string out = noise(bytes, seed);
  for (char &c : out)
    c = static_cast<char>('0' + (c & 63));
  return out;
}

std::vector<request> all_sorts()
{
  std::vector<request> out = {offering()};
  for (const char *takeover : {"", "; server_no_context_takeover"})
    for (int bits = 9; bits <= 15; bits += 2)
      out.push_back(offering("permessage-deflate; client_max_window_bits=" + std::to_string(bits) +
                             "; server_max_window_bits=" + std::to_string(bits) + takeover));
  return out;
}

} // namespace

/* One window for each receiver, through broadcasts, messages of its own, and such as are not
 * compressed. */
TEST(Row51Compressed, EveryReceiverCanReadIt)
{
  weir_server *all = nullptr;
  server at(speaking_to_all(all));
  all = at.get();
  std::vector<std::unique_ptr<speaker>> speakers;
  for (const request &each : all_sorts())
    speakers.push_back(std::make_unique<speaker>(at, each));
  for (unsigned i = 0; i < 60 && !testing::Test::HasFailure(); i++) {
    SCOPED_TRACE(i);
    speaker &who = *speakers[i * 7 % speakers.size()];
    const std::string said = i % 5 == 4 ? letters(300, i) : prose(10 + i % 7 * 1500 + i, i / 9);
    who.say(said);
    for (auto &each : speakers)
      EXPECT_TRUE(each->hear() == said);
    EXPECT_TRUE(who.hear() == said);
    EXPECT_TRUE(who.hear() == said);
    EXPECT_TRUE(who.hear() == said.substr(0, said.size() / 2));
  }
  at.expect_undisturbed();
}

/* What is dropped for a peer that does not read, nothing later refers to. */
TEST(Row51Compressed, NothingRefersToWhatWasDropped)
{
  weir_server *all = nullptr;
  setup dropping = speaking_to_all(all);
  dropping.route.max_queued_bytes = 64 << 10;
  dropping.route.queue_policy = WEIR_QUEUE_DROP_NEWEST;
  server at(dropping);
  all = at.get();
  speaker stuck(at, offering());
  speaker other(at, offering("permessage-deflate; server_no_context_takeover"));
  unsigned said = 0;
  while (at.counters().dropped < 50 && said < 3000) {
    for (speaker *each : {&stuck, &other})
      each->say(prose(9000, said / 7) + letters(3000, said));
    said++;
    while (other.socket.readable(std::chrono::milliseconds(0)) && !testing::Test::HasFailure())
      EXPECT_FALSE(other.hear().empty());
  }
  EXPECT_GE(at.counters().dropped, 50u) << "the test shows nothing";
  stuck.socket.send(closing(1000)); /* whose answer comes behind all that was kept */
  do
    EXPECT_FALSE(stuck.hear().empty());
  while (stuck.heard.opcode() != close_frame && !testing::Test::HasFailure());
  at.expect_undisturbed();
}
