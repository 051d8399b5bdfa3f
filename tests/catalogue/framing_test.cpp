/* Rows 27-34: frames whose header breaks RFC 6455 section 5. */
#include "catalogue/harness.hpp"

#include <gtest/gtest.h>

using namespace catalogue;

namespace
{

struct attack {
  std::string name;
  std::string bytes;
  int code = 1002;
};

const std::string sound = masked(fin | text, "sound");
const std::string begun = masked(text, "begun");

/* Each at the start of the stream, behind a sound message, and inside a fragmented message. */
void expect_all_failed(server &at, const std::vector<attack> &attacks)
{
  for (const attack &a : attacks) {
    for (const std::string &before : {std::string(), sound, begun}) {
      SCOPED_TRACE(a.name + (before.empty() ? "" : before == sound ? ", later" : ", inside"));
      expect_failed(at, a.bytes, a.code, before);
    }
  }
}

std::string hex(unsigned value)
{
  char out[8];
  snprintf(out, sizeof out, "%02X", value);
  return out;
}

std::string unmasked(unsigned first, std::string_view payload)
{
  shape bare;
  bare.first = first;
  bare.mask = false;
  return encode(bare, payload);
}

std::string in_form(unsigned first, int form, std::string_view payload)
{
  shape chosen;
  chosen.first = first;
  chosen.form = form;
  return encode(chosen, payload);
}

std::string claiming(unsigned first, int form, uint64_t declared)
{
  shape claim;
  claim.first = first;
  claim.form = form;
  claim.declared = declared;
  return encode(claim);
}

constexpr unsigned control_opcodes[] = {close_frame, ping, pong};

} // namespace

TEST(Row27, UnmaskedFrame)
{
  server at;
  expect_all_failed(at, {{"text", unmasked(fin | text, "hello")},
                         {"binary", unmasked(fin | binary, "hello")},
                         {"empty", unmasked(fin | text, "")},
                         {"long", unmasked(fin | binary, std::string(70000, 'x'))},
                         {"continuation", unmasked(fin | continuation, "hello")},
                         {"ping", unmasked(fin | ping, "hello")},
                         {"close", unmasked(fin | close_frame, "\x03\xe8")}});
}

TEST(Row27, TheFirstTwoBytesAreEnough)
{
  server at;
  expect_all_failed(at, {{"of a text", unmasked(fin | text, "hello").substr(0, 2)}});
}

TEST(Row28, ReservedBitsOnMessages)
{
  server at;
  std::vector<attack> attacks;
  for (unsigned bits :
       {rsv1 + 0u, rsv2 + 0u, rsv3 + 0u, rsv1 | rsv2, rsv1 | rsv3, rsv2 | rsv3, rsv1 | rsv2 | rsv3})
    for (unsigned opcode : {fin | text, fin | binary, text + 0u})
      attacks.push_back({hex(bits | opcode), masked(bits | opcode, "hello")});
  attacks.push_back({"two bytes", masked(fin | text | rsv2, "hello").substr(0, 2)});
  for (const attack &a : attacks) {
    SCOPED_TRACE(a.name);
    expect_failed(at, a.bytes, 1002, sound);
  }
}

TEST(Row29, ReservedBitOnControlFramesAndContinuations)
{
  server at;
  std::vector<attack> attacks;
  for (unsigned bits : {rsv1 + 0u, rsv2 + 0u, rsv3 + 0u}) {
    for (unsigned opcode : control_opcodes)
      attacks.push_back({hex(bits | opcode), masked(fin | bits | opcode, "\x03\xe8")});
    attacks.push_back({hex(bits), masked(fin | bits | continuation, "end")});
  }
  expect_all_failed(at, attacks);
}

TEST(Row30, ReservedOpcodes)
{
  server at;
  for (unsigned opcode : {0x3u, 0x4u, 0x5u, 0x6u, 0x7u, 0xBu, 0xCu, 0xDu, 0xEu, 0xFu}) {
    for (const std::string &payload : {std::string(), std::string("hello")}) {
      SCOPED_TRACE(hex(opcode));
      expect_failed(at, masked(fin | opcode, payload), 1002, sound);
      expect_failed(at, masked(opcode, payload), 1002, begun);
    }
  }
}

TEST(Row31, FragmentedControlFrame)
{
  server at;
  std::vector<attack> attacks;
  for (unsigned opcode : control_opcodes) {
    attacks.push_back({hex(opcode), masked(opcode, "\x03\xe8")});
    attacks.push_back({hex(opcode) + ", two bytes", masked(opcode, "\x03\xe8").substr(0, 2)});
  }
  expect_all_failed(at, attacks);
}

TEST(Row31, ControlFrameOver125Bytes)
{
  server at;
  std::vector<attack> attacks;
  std::string payload = "\x03\xe8" + std::string(124, 'r');
  for (unsigned opcode : control_opcodes) {
    attacks.push_back({hex(opcode) + " of 126", masked(fin | opcode, payload)});
    attacks.push_back({hex(opcode) + " in 16 bits", in_form(fin | opcode, 16, "\x03\xe8")});
    attacks.push_back({hex(opcode) + " in 64 bits", in_form(fin | opcode, 64, "\x03\xe8")});
    attacks.push_back({hex(opcode) + ", two bytes", masked(fin | opcode, payload).substr(0, 2)});
  }
  expect_all_failed(at, attacks);
}

TEST(Row31, ControlFrameOf125BytesIsSound)
{
  server at;
  client peer = at.open();
  std::string payload(125, 'p');
  peer.send(masked(fin | ping, payload));
  std::optional<frame> got = peer.read_frame();
  ASSERT_TRUE(got);
  EXPECT_EQ(got->first, fin | pong);
  EXPECT_EQ(got->payload, payload);
}

TEST(Row32, TopBitOfThe64BitLength)
{
  setup unlimited;
  unlimited.route.max_message_bytes = WEIR_OFF;
  for (const setup &s : {setup{}, unlimited}) {
    server at(s);
    for (uint64_t length : {UINT64_C(1) << 63, UINT64_MAX, (UINT64_C(1) << 63) + 5}) {
      SCOPED_TRACE(length);
      expect_failed(at, claiming(fin | binary, 64, length), 1002, sound);
      expect_failed(at, claiming(fin | continuation, 64, length), 1002, begun);
    }
  }
}

TEST(Row33, LengthNotInItsShortestForm)
{
  server at;
  std::vector<attack> attacks;
  for (size_t length : {0, 1, 5, 124, 125})
    attacks.push_back({"16 bits for " + std::to_string(length),
                       in_form(fin | binary, 16, std::string(length, 'x'))});
  for (size_t length : {0, 125, 126, 127, 65534, 65535}) {
    attacks.push_back({"64 bits for " + std::to_string(length), claiming(fin | text, 64, length)});
    attacks.push_back(
        {"64 bits for " + std::to_string(length), claiming(fin | continuation, 64, length)});
  }
  for (const attack &a : attacks) {
    SCOPED_TRACE(a.name);
    bool continues = (static_cast<unsigned char>(a.bytes[0]) & 0x0F) == continuation;
    expect_failed(at, a.bytes, a.code, continues ? begun : sound);
  }
}

TEST(Row33, TheShortestFormOfEachLengthIsSound)
{
  server at;
  client peer = at.open();
  for (size_t length : {0, 1, 125, 126, 127, 65535, 65536})
    expect_echo(peer, std::string(length, 'x'));
}

TEST(Row34, LengthNearTheLargestNumber)
{
  setup nearly;
  nearly.route.max_message_bytes = static_cast<size_t>(1) << 62;
  for (const setup &s : {setup{}, nearly}) {
    server at(s);
    uint64_t memory = at.counters().memory_bytes;
    for (uint64_t less : {0, 1, 13, 14, 15, 16, 4096}) {
      uint64_t length = (UINT64_C(1) << 63) - 1 - less;
      SCOPED_TRACE(length);
      expect_failed(at, claiming(fin | binary, 64, length), 1009, sound);
      expect_failed(at, claiming(fin | continuation, 64, length), 1009, begun);
    }
    at.poll("the memory of before", [&] { return at.counters().memory_bytes < memory + 65536; });
  }
}

TEST(Row34, TheSumOfFragmentsDoesNotWrap)
{
  setup nearly;
  nearly.route.max_message_bytes = (static_cast<size_t>(1) << 63) - 1;
  server at(nearly);
  uint64_t largest = (UINT64_C(1) << 63) - 1;
  expect_failed(at, claiming(fin | continuation, 64, largest), 1009, begun);
  expect_failed(at, claiming(fin | continuation, 64, largest - 4), 1009, begun);
}

TEST(Row34, WithoutALimitAClaimAllocatesNothing)
{
  setup unlimited;
  unlimited.route.max_message_bytes = WEIR_OFF;
  server at(unlimited);
  uint64_t memory = at.counters().memory_bytes;
  for (delivery how : {delivery::whole, delivery::bytes}) {
    SCOPED_TRACE(name(how));
    client peer = at.open();
    deliver(at, peer, claiming(fin | binary, 64, (UINT64_C(1) << 63) - 1) + "some of it", how);
    at.expect_undisturbed();
    EXPECT_LT(at.counters().memory_bytes, memory + (4u << 20));
    peer.half_close();
    ASSERT_TRUE(at.wait_closed(peer));
  }
}
