/* Rows 39, 53 and 54: compressed messages that lie or break off (RFC 7692 section 7.2; RFC 6455
 * section 8.1). */
#include "catalogue/compression.hpp"

#include <gtest/gtest.h>

using namespace catalogue;
using support::bit_writer;

namespace
{

const std::vector<std::string> bad_texts = {
    "\x80",
    "caf\xbf",
    "\xff",
    "\xc0\xaf",
    "\xe0\x9f\x80",
    "\xed\xa0\x80",
    "\xf4\x90\x80\x80",
    "\xf8\x88\x80\x80\x80",
    "\xc3z",
    "\xe2\x82z",
    "\xf0\x9f\x98z",
    "cut \xe2\x82",
    "cut \xf0\x9f\x98",
    "\xce\xba\xe1\xbd\xb9\xcf\x83\xce\xbc\xce\xb5\xed\xa0\x80 edited"};

} // namespace

TEST(Row39, InvalidTextInsideACompressedMessage)
{
  for (const way &how : ways) {
    SCOPED_TRACE(how.name);
    inflating s(how);
    size_t step = &how == ways ? 1 : 5; /* all of them one way, some the others */
    for (size_t i = 0; i < bad_texts.size(); i += step)
      expect_all_failed(s.at, support::deflater().message(bad_texts[i]), 1007, text, how.piecewise);
  }
}

TEST(Row39, InStoredBlocksAndFinalOnes)
{
  inflating s(ways[0]);
  for (const std::string &bad : bad_texts) {
    expect_all_failed(s.at, bit_writer().stored(bad).bits(0, 8).str(), 1007);
    expect_all_failed(s.at, bit_writer().stored(bad, true).bits(0, 8).str(), 1007);
  }
}

/* A character over the border of what is inflated at once, the broken half of one there, and one
 * that a stored block or a final one cuts. */
TEST(Row39, AtTheBordersOfWhatIsInflatedAtOnce)
{
  for (const way &how : ways) {
    SCOPED_TRACE(how.name);
    inflating s(how);
    for (size_t border : {4096, 16384, 32768, 65536, 131072}) {
      for (size_t before : {1, 2, 3, 0}) {
        SCOPED_TRACE(border - before);
        std::string broken = std::string(border - before, 'a') + "\xf0\x9f\x98z" + "tail";
        client attacker = s.at.open();
        attacker.send(compressed(fin | text, broken));
        expect_failure(s.at, attacker, 1007);
      }
    }
    s.at.expect_undisturbed();
  }
}

TEST(Row39, SoundTextIsAcceptedWhereverItIsCut)
{
  server at(compressing());
  const std::string all = "\x24\xc2\xa2\xdf\xbf\xe0\xa0\x80\xed\x9f\xbf\xee\x80\x80\xef\xbf\xbf"
                          "\xf0\x90\x80\x80\xf4\x8f\xbf\xbf";
  speaker peer(at);
  for (size_t border : {16384, 32768, 65536})
    for (size_t before = 0; before < all.size() && !testing::Test::HasFailure(); before++)
      peer.expect_echo(std::string(border - before, 'a') + all);
  std::string blocks;
  for (char byte : all)
    blocks += bit_writer().stored({&byte, 1}).str();
  peer.socket.send(in_fragments(text, blocks + std::string(1, '\0'), blocks.size() + 1));
  EXPECT_EQ(peer.hear(), all);
}

TEST(Row39, BinaryMayHoldAnything)
{
  server at(compressing());
  speaker peer(at);
  for (const std::string &bad : bad_texts) {
    peer.say(bad, fin | binary);
    EXPECT_EQ(peer.hear(), bad);
  }
}

namespace
{

struct invalid {
  const char *name;
  std::string bytes;
};

/* The head of a dynamic block: so many codes of literals, distances and code lengths, and the
 * lengths of the latter in their order. */
bit_writer dynamic(unsigned literals, unsigned distances, const std::vector<unsigned> &lengths)
{
  bit_writer out;
  out.block(false, 2).bits(literals - 257, 5).bits(distances - 1, 5);
  out.bits(static_cast<uint32_t>(lengths.size()) - 4, 4);
  for (unsigned length : lengths)
    out.bits(length, 3);
  return out;
}

std::string padded(bit_writer out)
{
  return out.align().bits(0, 8).bits(0, 32).str();
}

std::vector<invalid> invalid_streams()
{
  bit_writer fixed;
  fixed.block(false, 1);
  return {{"a reserved type", padded(bit_writer().block(false, 3))},
          {"a reserved type, final", padded(bit_writer().block(true, 3))},
          {"a reserved type behind a block", padded(bit_writer().stored("sound").block(false, 3))},
          {"a length that its complement denies", bit_writer().stored("abc", false, 1).str()},
          {"the same behind a block", bit_writer().stored("a").stored("abc", false, 0x100).str()},
          {"a symbol 286", padded(bit_writer(fixed).symbol(286))},
          {"a symbol 287", padded(bit_writer(fixed).symbol(287))},
          {"a distance code 30", padded(bit_writer(fixed).literals("abc").match_258(30, 0, 0))},
          {"a distance code 31", padded(bit_writer(fixed).literals("abc").match_258(31, 0, 0))},
          {"a distance before the start", padded(bit_writer(fixed).match_258(0, 0, 0).symbol(256))},
          {"one byte before the start",
           padded(bit_writer(fixed).literals("abc").match_258(3, 0, 0).symbol(256))},
          {"287 literal codes", padded(dynamic(287, 1, {1, 1, 0, 0}))},
          {"288 literal codes", padded(dynamic(288, 1, {1, 1, 0, 0}))},
          {"31 distance codes", padded(dynamic(257, 31, {1, 1, 0, 0}))},
          {"32 distance codes", padded(dynamic(257, 32, {1, 1, 0, 0}))},
          {"code lengths over-subscribed", padded(dynamic(257, 1, {1, 1, 1, 1}))},
          {"code lengths incomplete", padded(dynamic(257, 1, {2, 2, 2, 0}))},
          {"no code lengths at all", padded(dynamic(257, 1, {0, 0, 0, 0}))},
          {"a repetition of nothing", padded(dynamic(257, 1, {1, 0, 0, 1}).bits(0, 1).bits(0, 2))},
          {"all bits set", std::string(20, '\xff')}};
}

} // namespace

TEST(Row53, InvalidStreams)
{
  for (const way &how : ways) {
    SCOPED_TRACE(how.name);
    inflating s(how);
    for (const invalid &each : invalid_streams()) {
      SCOPED_TRACE(each.name);
      if (how.piecewise || how.mode == WEIR_COMPRESSION_DEDICATED) {
        client attacker = s.at.open();
        attacker.send(deflated(fin | binary, each.bytes));
        expect_failure(s.at, attacker, 1007);
      } else {
        expect_all_failed(s.at, each.bytes, 1007, binary);
      }
    }
  }
}

TEST(Row53, MessagesThatEndInsideABlock)
{
  for (const way &how : ways) {
    SCOPED_TRACE(how.name);
    inflating s(how);
    for (const std::string &whole :
         {support::deflater().message(prose(60)), support::deflater().message("short"),
          bit_writer().stored(prose(30)).bits(0, 8).str()}) {
      for (size_t cut = 1; cut + 1 < whole.size() && !testing::Test::HasFailure(); cut++) {
        SCOPED_TRACE(cut);
        if (support::inflater().message(whole.substr(0, cut)))
          continue; /* what is put back behind it makes it whole */
        client attacker = s.at.open();
        attacker.send(deflated(fin | binary, whole.substr(0, cut)));
        std::optional<frame> got = attacker.read_frame();
        ASSERT_TRUE(got);
        ASSERT_EQ(got->first, fin | close_frame) << "taken for a message";
        EXPECT_EQ(got->close_code(), 1007);
      }
    }
  }
}

/* Each bit of a sound message spoilt: whatever comes of it, it is a message or F1007, and nobody
 * else notices. */
TEST(Row53, EachBitSpoilt)
{
  for (const way &how : {ways[0], ways[1]}) {
    inflating s(how, 100000);
    const std::string whole = support::deflater().message(prose(80));
    int refused = 0;
    client attacker = s.at.open();
    for (size_t i = 0; i < whole.size() * 8; i++) {
      std::string spoilt = whole;
      spoilt[i / 8] = static_cast<char>(spoilt[i / 8] ^ (1 << i % 8));
      attacker.send(deflated(fin | binary, spoilt));
      std::optional<frame> got = attacker.read_frame();
      ASSERT_TRUE(got);
      if (got->opcode() != close_frame)
        continue;
      EXPECT_EQ(got->close_code(), 1007);
      refused++;
      attacker = s.at.open();
    }
    EXPECT_GT(refused, 20);
    s.at.expect_undisturbed();
  }
}

TEST(Row53, AnEmptyCompressedFrameIsNoMessage)
{
  for (const way &how : ways) {
    if (how.piecewise)
      continue;
    inflating s(how);
    client attacker = s.at.open();
    attacker.send(deflated(fin | text, ""));
    std::optional<frame> got = attacker.read_frame();
    ASSERT_TRUE(got); /* the tail that is put back, 00 00 FF FF, is cut short by a byte */
    if (got->opcode() == close_frame)
      EXPECT_EQ(got->close_code(), 1007);
    else
      EXPECT_EQ(got->payload, "");
    s.at.expect_undisturbed();
  }
}

/* Without takeover the window of one message is not there for the next one, and never that of
 * another connection's message: a distance that reaches behind the start is invalid. */
TEST(Row53, NobodyReadsTheMessageBefore)
{
  for (size_t mode : {WEIR_COMPRESSION_SHARED + 0u, WEIR_COMPRESSION_DEDICATED + 0u}) {
    server at(compressing(mode));
    request without = offering("permessage-deflate; client_no_context_takeover");
    for (size_t bytes : {300, 3000, 100000}) {
      speaker victim(at, without);
      victim.expect_echo(prose(bytes, 7));
      client other = at.open(without);
      for (client *thief : {&other, &victim.socket}) {
        bit_writer peek;
        peek.block(false, 1).match_258(15, 0, 6).symbol(256);
        thief->send(deflated(fin | binary, padded(peek)));
        expect_failure(at, *thief, 1007);
      }
    }
  }
}

/* Beyond the window that was agreed lies nothing, however much has been said. */
TEST(Row53, NobodyReadsBeyondTheWindow)
{
  server at(compressing(WEIR_COMPRESSION_DEDICATED));
  for (int bits : {8, 9, 10}) {
    SCOPED_TRACE(bits);
    request small = offering("permessage-deflate; client_max_window_bits=" + std::to_string(bits));
    speaker peer(at, small);
    peer.expect_echo(prose(5000, 3));
    bit_writer peek; /* 2,049 bytes back */
    peek.block(false, 1).match_258(22, 0, 10).symbol(256);
    peer.socket.send(deflated(fin | binary, padded(peek)));
    expect_failure(at, peer.socket, 1007);
  }
}

namespace
{

/* "Hello" in a final block, as section 7.2.3.4 has it, without the 00 behind it. */
const std::string final_hello("\xf3\x48\xcd\xc9\xc9\x07\x00", 7);

} // namespace

TEST(Row54, AFinalBlockEndsNoConnection)
{
  for (const way &how : {ways[0], ways[1]}) {
    SCOPED_TRACE(how.name);
    inflating s(how);
    for (delivery each : {delivery::whole, delivery::bytes}) {
      speaker peer(s.at);
      for (int i = 0; i < 3; i++) {
        deliver(s.at, peer.socket, deflated(fin | text, final_hello + std::string(1, '\0')), each);
        EXPECT_EQ(peer.hear(), "Hello");
      }
    }
  }
}

TEST(Row54, WhatStandsBehindItIsHeard)
{
  for (const way &how : {ways[0], ways[1]}) {
    SCOPED_TRACE(how.name);
    inflating s(how);
    const std::string zero(1, '\0');
    support::deflater finishing;
    struct sample {
      std::string bytes, means;
    };
    const std::vector<sample> samples = {
        {final_hello + final_hello + zero, "HelloHello"},
        {final_hello + support::deflater().message("lo and behold"), "Hellolo and behold"},
        {final_hello + bit_writer().stored("stored").str() + zero, "Hellostored"},
        {bit_writer().stored("stored", true).str() + final_hello + zero, "storedHello"},
        {bit_writer().stored("", true).str() + final_hello + zero, "Hello"},
        {finishing.piece(prose(50000), Z_FINISH) + finishing.piece(prose(300, 2), Z_FINISH) + zero,
         prose(50000) + prose(300, 2)}};
    for (const sample &each : samples) {
      SCOPED_TRACE(each.means.substr(0, 30));
      for (const std::string &frames :
           {deflated(fin | text, each.bytes), in_fragments(text, each.bytes, 2),
            in_fragments(text, each.bytes, std::min<size_t>(each.bytes.size(), 5000))}) {
        speaker peer(s.at);
        peer.socket.send(frames);
        EXPECT_TRUE(peer.hear() == each.means);
        peer.expect_echo("and on");
      }
    }
  }
}

TEST(Row54, GarbageBehindItIsInvalid)
{
  for (const way &how : ways) {
    SCOPED_TRACE(how.name);
    inflating s(how);
    for (const std::string &behind :
         {std::string("\xff\xff\xff", 3), padded(bit_writer().block(false, 3)),
          padded(bit_writer().block(false, 1).match_258(0, 0, 0).symbol(256))}) {
      client attacker = s.at.open();
      attacker.send(deflated(fin | text, final_hello + behind));
      expect_failure(s.at, attacker, 1007);
    }
  }
}
