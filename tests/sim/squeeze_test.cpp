// The simulation's receiver of compressed messages, and its idea of what may be agreed: both must
// see what a lenient peer would let pass.
#include "squeeze.hpp"

#include <gtest/gtest.h>

namespace
{

using sim::offer;
using sim::terms;
using support::bit_writer;
using support::deflater;

terms kept(int bits)
{
  return {.agreed = true, .server_bits = bits};
}

terms forgotten(int bits)
{
  return {.agreed = true, .server_takeover = false, .server_bits = bits};
}

std::string noise(size_t n, uint64_t seed)
{
  sim::dice roll(seed);
  std::string all;
  for (size_t i = 0; i < n; ++i)
    all += static_cast<char>(roll.next());
  return all;
}

std::string complaint(sim::strict_inflater &inflater, const std::string &squeezed,
                      std::string expected = "")
{
  std::string out, complaint = inflater.message(squeezed, out);
  return complaint.empty() && out != expected ? "other bytes" : complaint;
}

TEST(strict_inflater, takes_what_the_window_allows_and_nothing_behind_it)
{
  for (int bits = 9; bits < 15; ++bits) {
    // A window of 2^bits reaches back 2^bits - 262 at zlib's hands: all of it is legal.
    std::string far = noise(200, 1) + noise((size_t{1} << bits) - 462, 2) + noise(200, 1);
    deflater fair(bits);
    sim::strict_inflater good(kept(bits));
    EXPECT_EQ(complaint(good, fair.message(far), far), "") << bits;
    std::string too_far = noise(200, 1) + noise(size_t{1} << bits, 2) + noise(200, 1);
    deflater wide(bits + 1);
    sim::strict_inflater bad(kept(bits));
    EXPECT_NE(complaint(bad, wide.message(too_far), too_far), "") << bits;
  }
}

TEST(strict_inflater, tells_the_distance_to_the_byte)
{
  for (unsigned over : {0u, 1u}) {
    // In a fixed block: 513 bytes, then a match at a distance of 512 or 513 (codes 17 and 18).
    sim::strict_inflater inflater(kept(9));
    std::string start = noise(513, 3);
    std::string both = bit_writer().stored(start).str() +
                       bit_writer()
                           .block(false, 1)
                           .match_258(17 + over, over != 0 ? 0 : 127, 7 + static_cast<int>(over))
                           .symbol(256)
                           .block(false, 0)
                           .str();
    std::string got = complaint(inflater, both, start + start.substr(1, 258));
    EXPECT_EQ(got.empty(), over == 0) << got;
  }
}

TEST(strict_inflater, keeps_or_forgets_what_came_before)
{
  std::string text = noise(300, 4);
  for (bool takeover : {true, false}) {
    deflater twice(15, true);
    sim::strict_inflater inflater(takeover ? kept(15) : forgotten(15));
    EXPECT_EQ(complaint(inflater, twice.message(text), text), "");
    EXPECT_EQ(complaint(inflater, twice.message(text), text).empty(), takeover);
  }
}

TEST(strict_inflater, sees_a_message_that_the_senders_context_did_not_see)
{
  deflater context(15), twin(15, false);
  sim::strict_inflater inflater(kept(15));
  std::string one = noise(300, 5), two = noise(100, 6);
  EXPECT_EQ(complaint(inflater, context.message(one), one), "");
  EXPECT_EQ(complaint(inflater, twin.message(two), two), "");
  EXPECT_NE(complaint(inflater, context.message(one), one), "");
}

TEST(strict_inflater, takes_final_blocks_only_where_nothing_is_kept)
{
  std::string text = "final", final = deflater(15).piece(text, Z_FINISH);
  sim::strict_inflater keeps(kept(15)), forgets(forgotten(15)), bare(forgotten(15));
  EXPECT_NE(complaint(keeps, final + '\0', text), "");
  EXPECT_EQ(complaint(forgets, final + '\0', text), "");
  EXPECT_EQ(complaint(forgets, final + '\0', text), "");
  EXPECT_NE(complaint(bare, final, text), "");
}

TEST(strict_inflater, sees_where_a_message_ends)
{
  sim::strict_inflater one(forgotten(15)), two(forgotten(15));
  EXPECT_NE(complaint(one, bit_writer().block(false, 1).literals("abc").str(), "abc"), "");
  EXPECT_EQ(complaint(two, std::string(1, '\0'), ""), "");
}

// What a client squeezes in all its ways, a server with its window reads.
TEST(squeezer, is_understood)
{
  sim::dice roll(9);
  for (int round = 0; round < 200; ++round) {
    terms t{.agreed = true,
            .client_takeover = roll.chance(500),
            .client_bits = static_cast<int>(roll.between(8, 15))};
    sim::squeezer squeezer(t, roll);
    support::inflater server(t.client_bits, t.client_takeover);
    std::string words = noise(30, 7);
    for (int i = 0; i < 20; ++i) {
      std::string text;
      for (size_t n = roll.below(100); n > 0; --n)
        text += words.substr(roll.below(20), 10);
      auto got = server.message(squeezer.squeeze(text));
      ASSERT_TRUE(got.has_value()) << round;
      ASSERT_EQ(*got, text) << round;
    }
  }
}

TEST(answer, is_held_against_the_offer)
{
  offer all{.made = true, .server_no_takeover = true, .server_bits = 12, .client_named = true};
  terms t;
  std::string good = "permessage-deflate; server_no_context_takeover; server_max_window_bits=12";
  EXPECT_EQ(sim::read_answer(all, good, t), "");
  EXPECT_EQ(t, (terms{.agreed = true, .server_takeover = false, .server_bits = 12}));
  for (const char *wrong :
       {"x-deflate", "permessage-deflate", "permessage-deflate; server_no_context_takeover",
        "permessage-deflate; server_no_context_takeover; server_max_window_bits=13",
        "permessage-deflate; server_no_context_takeover; server_max_window_bits=07",
        "permessage-deflate; server_no_context_takeover; server_max_window_bits=12; x",
        "permessage-deflate; server_no_context_takeover; server_max_window_bits=12; "
        "server_no_context_takeover"})
    EXPECT_NE(sim::read_answer(all, wrong, t), "") << wrong;
  EXPECT_NE(sim::read_answer({}, "permessage-deflate", t), "");
  offer bare{.made = true};
  EXPECT_EQ(sim::read_answer(bare, "permessage-deflate", t), "");
  EXPECT_NE(sim::read_answer(bare, "permessage-deflate; client_max_window_bits=9", t), "");
}

} // namespace
