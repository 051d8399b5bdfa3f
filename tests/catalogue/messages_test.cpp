/* Rows 35-38: messages and their fragments, and the text in them (RFC 6455 sections 5.4, 8.1). */
#include "catalogue/harness.hpp"

#include <gtest/gtest.h>

using namespace catalogue;

namespace
{

const std::string sound = masked(fin | text, "sound");
const std::string begun = masked(text, "begun");

} // namespace

TEST(Row35, ContinuationWithoutAStart)
{
  server at;
  const std::string ended = begun + masked(fin | continuation, " and ended");
  for (unsigned first : {fin | continuation, continuation + 0u}) {
    for (const std::string &before : {std::string(), sound, ended, masked(fin | ping, "ping")}) {
      expect_failed(at, masked(first, "more"), 1002, before);
      expect_failed(at, masked(first), 1002, before);
    }
  }
}

TEST(Row36, NewMessageInsideAMessage)
{
  server at;
  for (unsigned first : {fin | text, fin | binary, text + 0u, binary + 0u}) {
    for (const std::string &before :
         {begun, masked(binary, "begun"), masked(text), begun + masked(continuation, "on"),
          begun + masked(fin | ping, "ping")}) {
      expect_failed(at, masked(first, "new"), 1002, before);
      expect_failed(at, masked(first), 1002, before);
    }
  }
}

namespace
{

void expect_frame(client &from, unsigned first, std::string_view payload)
{
  std::optional<frame> got = from.read_frame();
  ASSERT_TRUE(got);
  EXPECT_EQ(got->first, first);
  EXPECT_EQ(got->payload, payload);
}

/* Only the newest of pings that came together must be answered (section 5.5.3). */
void expect_pongs(client &from, std::vector<std::string> due, bool all)
{
  std::optional<frame> got = from.read_frame();
  if (!all && got && got->payload != due.front())
    due.erase(due.begin());
  for (size_t i = 0; i < due.size(); i++) {
    if (i > 0)
      got = from.read_frame();
    ASSERT_TRUE(got);
    EXPECT_EQ(got->first, fin | pong);
    EXPECT_EQ(got->payload, due[i]);
  }
}

} // namespace

TEST(Row37, ControlFramesBetweenFragments)
{
  server at;
  const std::string attack = masked(text, "Hel") + masked(fin | ping, "one") +
                             masked(continuation, "l") + masked(fin | pong, "unasked") +
                             masked(continuation) + masked(fin | ping) +
                             masked(fin | continuation, "o");
  for (delivery how : {delivery::whole, delivery::bytes}) {
    SCOPED_TRACE(name(how));
    client peer = at.open();
    deliver(at, peer, attack, how);
    at.expect_undisturbed();
    expect_pongs(peer, {"one", ""}, how == delivery::bytes);
    expect_frame(peer, fin | text, "Hello");
    expect_echo(peer, "next");
    record r = at.seen(peer);
    EXPECT_EQ(r.pings, (std::vector<std::string>{"one", ""}));
    EXPECT_EQ(r.pongs, (std::vector<std::string>{"unasked"}));
    EXPECT_EQ(r.messages, (std::vector<std::string>{"Hello", "next"}));
  }
}

TEST(Row37, CloseBetweenFragments)
{
  server at;
  for (delivery how : {delivery::whole, delivery::bytes}) {
    SCOPED_TRACE(name(how));
    client peer = at.open();
    deliver(at, peer, begun + closing(1001, "leaving"), how);
    at.expect_undisturbed();
    expect_close(at, peer, 1001);
    EXPECT_EQ(at.seen(peer).messages, std::vector<std::string>{});
  }
}

namespace
{

struct bad_text {
  const char *name;
  std::string bytes; /* the last one of them is the first that cannot be right */
};

const std::vector<bad_text> bad_texts = {
    {"a continuation byte alone", "\x80"},
    {"the last continuation byte alone", "caf\xbf"},
    {"never a byte of UTF-8: FF", "\xff"},
    {"never a byte of UTF-8: FE", "\xfe"},
    {"overlong by C0", "\xc0"},
    {"overlong by C1", "a\xc1"},
    {"overlong in 3 bytes", "\xe0\x9f"},
    {"overlong in 4 bytes", "\xf0\x8f"},
    {"the first surrogate", "\xed\xa0"},
    {"the last surrogate", "\xed\xbf"},
    {"over 10FFFF", "\xf4\x90"},
    {"over 10FFFF by F5", "\xf5"},
    {"5 bytes", "\xf8"},
    {"cut by a letter after 1 of 2", "\xc3z"},
    {"cut by a letter after 2 of 3", "\xe2\x82z"},
    {"cut by a letter after 3 of 4", "\xf0\x9f\x98z"},
    {"a new character after 2 of 3", "\xe2\x82\xe2"},
    {"behind sound text", "\xce\xba\xe1\xbd\xb9\xcf\x83\xce\xbc\xce\xb5\xed\xa0"}};

/* A text frame that claims more than comes: only the offending byte can fail it. */
std::string cut_frame(unsigned first, const std::string &payload)
{
  shape claim;
  claim.first = first;
  claim.form = 16;
  claim.declared = 1000 + payload.size();
  return encode(claim, payload);
}

} // namespace

TEST(Row38, FailsAtTheOffendingByteInMidFrame)
{
  server at;
  for (const bad_text &bad : bad_texts) {
    SCOPED_TRACE(bad.name);
    client patient = at.open();
    patient.send(cut_frame(fin | text, bad.bytes));
    expect_failure(at, patient, 1007);
    expect_failed(at, cut_frame(fin | text, bad.bytes), 1007);
  }
}

TEST(Row38, NotBeforeTheOffendingByte)
{
  server at;
  for (const bad_text &bad : bad_texts) {
    SCOPED_TRACE(bad.name);
    const std::string sound_part = bad.bytes.substr(0, bad.bytes.size() - 1);
    client peer = at.open();
    at.drip(peer, cut_frame(fin | text, sound_part));
    at.expect_undisturbed();
    EXPECT_EQ(at.seen(peer).errors, std::vector<int>{});
    peer.reset();
    ASSERT_TRUE(at.wait_closed(peer));
  }
}

TEST(Row38, InAnyFragment)
{
  server at;
  for (const bad_text &bad : bad_texts) {
    SCOPED_TRACE(bad.name);
    std::string split = masked(text, "sound");
    for (char byte : bad.bytes)
      split += masked(continuation) + masked(continuation, {&byte, 1});
    expect_failed(at, split, 1007);
  }
}

TEST(Row38, FarInsideALongFrame)
{
  server at;
  for (size_t offset : {15, 16, 31, 63, 64, 127, 4095, 70000, 200001}) {
    SCOPED_TRACE(offset);
    std::string payload(300000, 'a');
    payload[offset] = '\xff';
    client attacker = at.open();
    attacker.send(masked(fin | text, payload));
    at.expect_undisturbed();
    expect_failure(at, attacker, 1007);
  }
}

TEST(Row38, CutAtTheEndOfTheMessage)
{
  server at;
  for (const char *cut : {"\xc3", "\xe2", "\xe2\x82", "\xf0", "\xf0\x9f", "\xf0\x9f\x98"}) {
    expect_failed(at, masked(fin | text, cut), 1007);
    expect_failed(at, masked(fin | text, "sound" + std::string(cut)), 1007);
    expect_failed(at, masked(text, cut) + masked(fin | continuation), 1007);
  }
}

TEST(Row38, SoundTextCutAnywhereIsAccepted)
{
  server at;
  const std::string all = "\x24\xc2\xa2\xdf\xbf\xe0\xa0\x80\xed\x9f\xbf\xee\x80\x80\xef\xbf\xbf"
                          "\xf0\x90\x80\x80\xf4\x8f\xbf\xbf";
  client peer = at.open();
  for (size_t cut = 0; cut <= all.size(); cut++) {
    at.drip(peer, masked(text, all.substr(0, cut)) + masked(fin | continuation, all.substr(cut)));
    expect_frame(peer, fin | text, all);
  }
}

TEST(Row38, BinaryMayHoldAnything)
{
  server at;
  client peer = at.open();
  for (const bad_text &bad : bad_texts) {
    peer.send(masked(fin | binary, bad.bytes));
    expect_frame(peer, fin | binary, bad.bytes);
  }
}
