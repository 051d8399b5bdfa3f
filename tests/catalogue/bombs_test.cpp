/* Rows 46, 52 and 55: compressed messages that grow, or that never come to anything (RFC 6455
 * section 10.4). */
#include "catalogue/compression.hpp"

#include <gtest/gtest.h>

using namespace catalogue;
using support::bit_writer;

TEST(Row46, InflatedSizeOverTheLimit)
{
  for (const way &how : ways) {
    SCOPED_TRACE(how.name);
    inflating s(how, 1000);
    for (const std::string &payload :
         {std::string(1001, 'x'), std::string(100000, 'x'), prose(1001), prose(5000)})
      expect_all_failed(s.at, support::deflater().message(payload), 1009, text, how.piecewise);
    EXPECT_LE(s.bytes, 1000u * 1000);
  }
}

/* Of a message in pieces no more than the limit is ever handed out. */
TEST(Row46, InPiecesNoMoreThanTheLimitIsHandedOut)
{
  for (const way &how : ways) {
    if (!how.piecewise)
      continue;
    SCOPED_TRACE(how.name);
    inflating s(how, 100000);
    client attacker = s.at.open();
    attacker.send(compressed(fin | text, std::string(10 << 20, 'x')));
    expect_failure(s.at, attacker, 1009);
    EXPECT_LE(s.bytes, 100000u);
  }
}

TEST(Row46, ExactlyTheLimitIsAccepted)
{
  for (size_t limit : {1000, 16384, 65536, 1 << 20}) {
    SCOPED_TRACE(limit);
    for (const way &how : {ways[0], ways[1]}) {
      inflating s(how, limit);
      for (const std::string &payload : {std::string(limit, 'x'), prose(limit)}) {
        speaker peer(s.at);
        peer.expect_echo(payload);
        peer.expect_echo(payload);
        peer.say(payload + "y");
        expect_failure(s.at, peer.socket, 1009);
      }
    }
  }
}

/* Compressing makes what does not compress longer: by 5 bytes for each stored block. */
TEST(Row46, ExactlyTheLimitThatDoesNotCompressIsAcceptedToo)
{
  for (size_t limit : {1000, 16384, 65536, 1 << 20}) {
    SCOPED_TRACE(limit);
    inflating s(ways[0], limit);
    for (int level : {0, 1, 9}) {
      speaker peer(s.at);
      const std::string payload = noise(limit);
      peer.socket.send(deflated(fin | binary, support::deflater(15, true, level).message(payload)));
      EXPECT_TRUE(peer.hear() == payload);
      const std::string more = noise(limit + 1);
      peer.socket.send(deflated(fin | binary, support::deflater(15, true, level).message(more)));
      expect_failure(s.at, peer.socket, 1009);
    }
  }
}

TEST(Row46, TheSumOfFragmentsCounts)
{
  for (const way &how : ways) {
    SCOPED_TRACE(how.name);
    inflating s(how, 1000);
    support::deflater stream;
    std::string flood = deflated(text, stream.piece(std::string(900, 'x'), Z_SYNC_FLUSH));
    flood += masked(continuation, stream.piece(std::string(100, 'x'), Z_SYNC_FLUSH));
    flood += masked(fin | ping, "between");
    expect_failed(s.at, masked(fin | continuation, stream.message("y")), 1009, flood);
  }
}

namespace
{

std::string repeat(const std::string &block, size_t bytes)
{
  std::string out;
  while (out.size() < bytes)
    out += block;
  return out;
}

/* Zeros, so many MiB of them, deflated: about 1030:1. */
std::string bomb(size_t mebibytes)
{
  static const std::string one =
      support::deflater(15, true, 9).piece(std::string(1 << 20, '\0'), Z_FULL_FLUSH);
  std::string out;
  for (size_t i = 0; i < mebibytes; i++)
    out += one;
  return out;
}

constexpr size_t mebibyte = 1 << 20;

} // namespace

TEST(Row52, ABombGoesOffAtTheLimit)
{
  for (const way &how : ways) {
    SCOPED_TRACE(how.name);
    inflating s(how);
    const std::string bytes = bomb(512);
    for (const std::string &attack :
         {deflated(fin | binary, bytes), deflated(fin | text, bytes),
          in_fragments(binary, bytes, 7), in_fragments(text, bytes, 1000)}) {
      client attacker = s.at.open();
      uint64_t memory = s.at.counters().memory_bytes;
      auto cpu = s.at.cpu_time();
      attacker.send(attack);
      s.at.expect_undisturbed();
      expect_failure(s.at, attacker, 1009);
      EXPECT_LT(s.at_error, memory + 4 * mebibyte);
      EXPECT_LT(s.at.cpu_time() - cpu, std::chrono::milliseconds(1000));
    }
  }
}

/* A small limit holds however much would come of a frame: what is inflated at once is 16 KiB. */
TEST(Row52, TheLimitIsLookedAtWhileInflating)
{
  for (const way &how : ways) {
    SCOPED_TRACE(how.name);
    inflating s(how, 20000);
    const std::string once = support::deflater(15, true, 9).message(std::string(15 << 20, '\0'));
    for (const std::string &attack :
         {deflated(fin | binary, once), in_fragments(binary, once, 3)}) {
      client attacker = s.at.open();
      uint64_t memory = s.at.counters().memory_bytes;
      attacker.send(attack);
      expect_failure(s.at, attacker, 1009);
      EXPECT_LT(s.at_error, memory + 400000);
      EXPECT_LE(s.bytes, 2u * 20000);
    }
  }
}

TEST(Row52, ManyBombsAtOnce)
{
  inflating s(ways[1]);
  const std::string attack = deflated(fin | binary, bomb(64));
  uint64_t memory = s.at.counters().memory_bytes;
  std::vector<client> attackers;
  for (int i = 0; i < 30; i++) {
    attackers.push_back(s.at.open());
    attackers.back().send(attack.substr(0, attack.size() - 1));
  }
  s.at.expect_undisturbed();
  for (client &attacker : attackers)
    expect_failure(s.at, attacker, 1009);
  attackers.clear();
  s.at.poll("the memory of before",
            [&] { return s.at.counters().memory_bytes < memory + mebibyte; });
}

/* Each of them within the limit: they are messages like any other, and cost what they cost. */
TEST(Row52, BombsWithinTheLimitOneBehindTheOther)
{
  for (const way &how : {ways[0], ways[1]}) {
    SCOPED_TRACE(how.name);
    inflating s(how);
    speaker peer(s.at);
    uint64_t memory = s.at.counters().memory_bytes;
    const std::string zeros(mebibyte, '\0');
    for (int i = 0; i < 20 && !testing::Test::HasFailure(); i++) {
      peer.expect_echo(zeros);
      EXPECT_LT(s.at.counters().memory_bytes, memory + 12 * mebibyte);
    }
    s.at.expect_undisturbed();
  }
}

namespace
{

/* Counts, for each turn of a loop, what the handlers of that turn were given. */
class turns
{
public:
  void begin(weir_loop *loop)
  {
    loop_ = loop;
    next(this);
  }
  void add(size_t bytes)
  {
    now_ += bytes;
    most_ = std::max(most_, now_);
    all_ += bytes;
  }
  void end()
  {
    over_ = true;
  }
  size_t most() const
  {
    return most_;
  }
  size_t all() const
  {
    return all_;
  }

private:
  static void next(void *arg)
  {
    auto *self = static_cast<turns *>(arg);
    self->now_ = 0;
    if (!self->over_ && weir_loop_post(self->loop_, next, self) != 0)
      ADD_FAILURE() << "weir_loop_post";
  }

  weir_loop *loop_ = nullptr;
  bool over_ = false;
  size_t now_ = 0, most_ = 0, all_ = 0;
};

} // namespace

/* A turn is as long as what it makes, not as what came for it: 1 KiB of each comes, and 1 MiB of
 * each is made. */
TEST(Row52, TheyDoNotMakeATurnLong)
{
  for (const way &how : ways) {
    SCOPED_TRACE(how.name);
    turns seen;
    setup counting = compressing(how.mode);
    auto count = [&](weir_conn *, const weir_message *message) { seen.add(message->len); };
    if (how.piecewise)
      counting.on.fragment = count;
    else
      counting.on.message = count;
    server at(counting);
    speaker attacker(at);
    at.on_loop([&] { seen.begin(at.loop()); });
    constexpr size_t count_of_bombs = 200;
    const std::string one = compressed(fin | binary, std::string(mebibyte, '\0'));
    attacker.socket.send(repeat(one, one.size() * count_of_bombs));
    at.expect_undisturbed();
    size_t all = 0;
    at.poll("all of it", [&] {
      at.on_loop([&] { all = seen.all(); });
      return all == count_of_bombs * mebibyte;
    });
    at.on_loop([&] { seen.end(); });
    EXPECT_LE(seen.most(), 4 * mebibyte);
  }
}

TEST(Row55, FloodOfEmptyBlocks)
{
  for (const way &how : ways) {
    SCOPED_TRACE(how.name);
    inflating s(how, 100000);
    bit_writer fixed; /* four of them are 40 bits */
    for (int i = 0; i < 4; i++)
      fixed.block(false, 1).symbol(256);
    for (const std::string &block : {bit_writer().stored("").str(), fixed.str()}) {
      const std::string flood = repeat(block, 2000000);
      for (const std::string &attack :
           {deflated(fin | binary, flood), in_fragments(binary, flood, 3),
            in_fragments(text, flood, 2000)}) {
        client attacker = s.at.open();
        uint64_t memory = s.at.counters().memory_bytes;
        auto cpu = s.at.cpu_time();
        attacker.send(attack);
        s.at.expect_undisturbed();
        expect_failure(s.at, attacker, 1009);
        EXPECT_LT(s.at_error, memory + 500000);
        EXPECT_LT(s.at.cpu_time() - cpu, std::chrono::seconds(1));
      }
    }
  }
}

TEST(Row55, SomeOfThemAreSound)
{
  for (const way &how : {ways[0], ways[1]}) {
    inflating s(how, 100000);
    speaker peer(s.at);
    const std::string empty = repeat(bit_writer().stored("").str(), 40000);
    const std::string all = empty + bit_writer().stored("lost in it").str() + empty + '\0';
    for (size_t count : {1, 2, 1000}) {
      peer.socket.send(in_fragments(text, all, count));
      EXPECT_EQ(peer.hear(), "lost in it");
    }
    peer.socket.send(deflated(fin | text, empty + '\0'));
    EXPECT_EQ(peer.hear(), "");
    peer.expect_echo("still here");
  }
}

TEST(Row55, FloodOfFinalBlocks)
{
  for (const way &how : {ways[0], ways[1]}) {
    inflating s(how, 100000);
    const std::string flood = repeat(bit_writer().stored("", true).str(), 2000000);
    client attacker = s.at.open();
    auto cpu = s.at.cpu_time();
    attacker.send(deflated(fin | text, flood));
    expect_failure(s.at, attacker, 1009);
    EXPECT_LT(s.at.cpu_time() - cpu, std::chrono::seconds(1));
    s.at.expect_undisturbed();
  }
}
