/* Rows 56-58: offers of permessage-deflate, right and wrong (RFC 7692 section 7.1; RFC 6455 section
 * 9.1). */
#include "catalogue/compression.hpp"

#include <gtest/gtest.h>

using namespace catalogue;

namespace
{

/* Several field lines, each an offer or a list. */
request offering_lines(const std::vector<std::string> &lines)
{
  request out;
  for (const std::string &line : lines)
    out = out.with("Sec-WebSocket-Extensions: " + line);
  return out;
}

/* What the answer says of extensions; it must be a 101, by any delivery. */
std::optional<agreement> answer_to(server &at, const request &head, delivery how)
{
  client peer = at.connect();
  deliver(at, peer, head.str(), how);
  std::optional<response> answer = peer.read_response();
  EXPECT_TRUE(answer);
  EXPECT_EQ(answer.value_or(response{}).status, 101) << answer->body;
  return agreed(answer.value_or(response{}));
}

/* The handshake goes on without the extension, and RSV1 is what it was. */
void expect_declined(server &at, const std::string &offer)
{
  SCOPED_TRACE(offer);
  for (delivery how : {delivery::whole, delivery::bytes}) {
    if (testing::Test::HasFailure())
      return;
    EXPECT_FALSE(answer_to(at, offering(offer), how)) << name(how);
  }
  client peer = at.open(offering(offer));
  expect_echo(peer, "uncompressed");
  peer.send(compressed(fin | text, "compressed"));
  expect_failure(at, peer, 1002);
  at.expect_undisturbed();
}

/* The connection works as agreed, with messages larger than any window. */
void expect_works(server &at, const request &head)
{
  speaker peer(at, head);
  for (unsigned seed = 0; seed < 3 && !testing::Test::HasFailure(); seed++)
    peer.expect_echo(prose(40000, seed));
  peer.expect_echo("");
  at.expect_undisturbed();
}

/* Every parameter that the answer must hold, and no other. */
void expect_agreed(server &at, const request &head,
                   const std::map<std::string, std::string> &parameters)
{
  for (delivery how : {delivery::whole, delivery::bytes}) {
    if (testing::Test::HasFailure())
      return;
    SCOPED_TRACE(name(how));
    std::optional<agreement> got = answer_to(at, head, how);
    ASSERT_TRUE(got) << "no extension was agreed";
    EXPECT_EQ(got->parameters, parameters);
  }
  expect_works(at, head);
}

void expect_agreed(server &at, const std::string &offer,
                   const std::map<std::string, std::string> &parameters)
{
  SCOPED_TRACE(offer);
  expect_agreed(at, offering(offer), parameters);
}

setup dedicated(size_t server_bits = 0, size_t client_bits = 0)
{
  setup out = compressing(WEIR_COMPRESSION_DEDICATED);
  out.route.server_window_bits = server_bits;
  out.route.client_window_bits = client_bits;
  return out;
}

} // namespace

TEST(Row56, WindowOf8BitsForTheServerIsDeclined)
{
  for (size_t mode : {WEIR_COMPRESSION_SHARED + 0u, WEIR_COMPRESSION_DEDICATED + 0u}) {
    server at(compressing(mode));
    expect_declined(at, "permessage-deflate; server_max_window_bits=8");
    expect_declined(at, "permessage-deflate; server_max_window_bits=\"8\"");
    expect_declined(at, "permessage-deflate; client_max_window_bits; server_max_window_bits=8");
    expect_declined(at, "permessage-deflate; server_no_context_takeover; server_max_window_bits=8");
  }
}

TEST(Row56, AnOfferBehindItIsTaken)
{
  server at(dedicated());
  expect_agreed(at, "permessage-deflate; server_max_window_bits=8, permessage-deflate", {});
  expect_agreed(at,
                offering_lines({"permessage-deflate; server_max_window_bits=8",
                                "permessage-deflate; server_max_window_bits=10"}),
                {{"server_max_window_bits", "10"}});
}

TEST(Row56, AnyOtherWindowIsKeptTo)
{
  server at(dedicated());
  for (int bits = 9; bits <= 15; bits++)
    expect_agreed(at, "permessage-deflate; server_max_window_bits=" + std::to_string(bits),
                  {{"server_max_window_bits", std::to_string(bits)}});
}

TEST(Row56, WindowsOf8BitsForTheClientAreFine)
{
  server at(dedicated(0, 8));
  expect_agreed(at, "permessage-deflate; client_max_window_bits",
                {{"client_max_window_bits", "8"}});
  server any(dedicated());
  expect_agreed(any, "permessage-deflate; client_max_window_bits=8",
                {{"client_max_window_bits", "8"}});
}

TEST(Row57, WindowBitsThatAreNone)
{
  server at(compressing());
  for (const char *name : {"server_max_window_bits", "client_max_window_bits"}) {
    for (const char *value : {"7",
                              "16",
                              "0",
                              "1",
                              "08",
                              "010",
                              "015",
                              "+9",
                              "-9",
                              "1.5",
                              "a",
                              "9a",
                              "0x9",
                              "99",
                              "255",
                              "256",
                              "264",
                              "4294967305",
                              "18446744073709551625",
                              "\"16\"",
                              "\"08\""})
      expect_declined(at, "permessage-deflate; " + std::string(name) + "=" + std::string(value));
  }
  expect_declined(at, "permessage-deflate; server_max_window_bits");
}

TEST(Row57, ParametersTwiceUnknownOrWithAValueTooMany)
{
  server at(compressing());
  for (const char *parameters :
       {"client_no_context_takeover; client_no_context_takeover",
        "server_no_context_takeover; server_no_context_takeover",
        "client_max_window_bits; client_max_window_bits",
        "client_max_window_bits=10; client_max_window_bits=10",
        "client_max_window_bits; server_no_context_takeover; client_max_window_bits=10",
        "server_max_window_bits=10; server_max_window_bits=11", "unknown", "unknown=1",
        "client_max_window_bit", "client_max_window_bitss", "server_no_context_takeover=1",
        "client_no_context_takeover=1", "client_no_context_takeover=\"true\"",
        "server_no_context_takeover=15", "mux", "level=9"})
    expect_declined(at, "permessage-deflate; " + std::string(parameters));
}

TEST(Row57, OtherExtensionsAreNotOurs)
{
  server at(compressing());
  for (const char *offer :
       {"permessage-bzip2", "x-webkit-deflate-frame", "permessage-deflate2", "permessage-deflat",
        "deflate", "permessage-deflate-x; client_max_window_bits",
        "mux; max-channels=4; flow-control"})
    expect_declined(at, offer);
}

TEST(Row57, QuotedValuesAreLegal)
{
  server at(dedicated());
  expect_agreed(at, "permessage-deflate; server_max_window_bits=\"10\"",
                {{"server_max_window_bits", "10"}});
  expect_agreed(at, "permessage-deflate; client_max_window_bits=\"10\"",
                {{"client_max_window_bits", "10"}});
  expect_agreed(at, "permessage-deflate; server_max_window_bits=\"1\\0\"",
                {{"server_max_window_bits", "10"}});
}

TEST(Row57, BlanksAndEmptyElementsAreLegal)
{
  server at(dedicated());
  expect_agreed(at, " permessage-deflate\t; \tserver_max_window_bits=10 ",
                {{"server_max_window_bits", "10"}});
  expect_agreed(at, "permessage-deflate;server_max_window_bits=10,other",
                {{"server_max_window_bits", "10"}});
  expect_agreed(at, ", ,permessage-deflate,,", {});
}

TEST(Row57, TheFirstOfferThatIsRightIsTaken)
{
  server at(dedicated());
  const std::map<std::string, std::string> ten = {{"server_max_window_bits", "10"}};
  for (const char *wrong :
       {"permessage-deflate; server_max_window_bits=16", "permessage-deflate; unknown", "other",
        "permessage-deflate; client_max_window_bits=08",
        "permessage-deflate; client_no_context_takeover; client_no_context_takeover"}) {
    const std::string right = "permessage-deflate; server_max_window_bits=10";
    expect_agreed(at, std::string(wrong) + ", " + right + ", permessage-deflate", ten);
    expect_agreed(at, offering_lines({wrong, right, "permessage-deflate"}), ten);
  }
}

TEST(Row57, WhatItMustAndMayAnswer)
{
  server at(dedicated());
  expect_agreed(at, "permessage-deflate", {});
  expect_agreed(at, "permessage-deflate; client_max_window_bits", {});
  expect_agreed(at, "permessage-deflate; server_no_context_takeover",
                {{"server_no_context_takeover", ""}});
  expect_agreed(at, "permessage-deflate; client_no_context_takeover",
                {{"client_no_context_takeover", ""}});
  server shared(compressing(WEIR_COMPRESSION_SHARED));
  const std::map<std::string, std::string> none = {{"server_no_context_takeover", ""},
                                                   {"client_no_context_takeover", ""}};
  expect_agreed(shared, "permessage-deflate", none);
  expect_agreed(shared, "permessage-deflate; client_max_window_bits", none);
}

TEST(Row57, SmallWindowsThatWeAskFor)
{
  server at(dedicated(11, 10));
  expect_declined(at, "permessage-deflate"); /* it did not say that it can (section 7.1.2.2) */
  expect_declined(at, "permessage-deflate; server_max_window_bits=12");
  expect_agreed(at, "permessage-deflate; client_max_window_bits",
                {{"client_max_window_bits", "10"}, {"server_max_window_bits", "11"}});
  expect_agreed(at, "permessage-deflate; client_max_window_bits=9; server_max_window_bits=9",
                {{"client_max_window_bits", "9"}, {"server_max_window_bits", "9"}});
  expect_agreed(at, "permessage-deflate; client_max_window_bits=15; server_max_window_bits=15",
                {{"client_max_window_bits", "10"}, {"server_max_window_bits", "11"}});
}

TEST(Row57, WhatBreaksTheGrammarIsABadRequest)
{
  server at(compressing());
  for (const char *value : {"permessage-deflate;",
                            "permessage-deflate; ;",
                            "; permessage-deflate",
                            "permessage deflate",
                            "permessage-deflate; a=",
                            "permessage-deflate; =1",
                            "permessage-deflate; a=\"1",
                            "permessage-deflate; a=\"1\"2",
                            "permessage-deflate; a b",
                            "permessage-deflate; a=1 2",
                            "permessage-deflate; a=(1)",
                            "permessage/deflate",
                            "permessage-deflate=1",
                            "\"a\"",
                            "permessage-deflate; a==1",
                            "permessage-deflate; a=\"1\\",
                            "@",
                            "",
                            " , ,",
                            "permessage-deflate; client_max_window_bits=\"\"",
                            "permessage-deflate; client_max_window_bits=\" 9\"",
                            "permessage-deflate; client_max_window_bits=\"9 \"",
                            "permessage-deflate, permessage-deflate; a=(1)"}) {
    SCOPED_TRACE(value);
    expect_refused(at, offering(value).str(), 400, "extension");
  }
}

TEST(Row57, ARequestWithoutCompressionOnTheRouteIsJudgedAlike)
{
  server at;
  expect_declined(at, "permessage-deflate");
  expect_declined(at, "permessage-deflate; server_max_window_bits=7");
}

namespace
{

std::string repeated(const std::string &text, size_t times, const std::string &between)
{
  std::string out = text;
  for (size_t i = 1; i < times; i++)
    out += between + text;
  return out;
}

setup with_large_heads()
{
  setup out = compressing();
  out.options.max_header_bytes = 1 << 20;
  out.options.max_header_fields = 128;
  return out;
}

} // namespace

TEST(Row58, HundredsOfOffers)
{
  server at(with_large_heads());
  for (const char *offer :
       {"permessage-deflate", "other", "permessage-deflate; server_max_window_bits=7",
        "permessage-deflate; client_max_window_bits; server_no_context_takeover"}) {
    SCOPED_TRACE(offer);
    expect_refused(at, offering(repeated(offer, 17, ", ")).str(), 400, "extension");
    expect_refused(at, offering(repeated(offer, 500, ",")).str(), 400, "extension");
    expect_refused(at, offering_lines(std::vector<std::string>(17, offer)).str(), 400, "extension");
  }
}

TEST(Row58, HundredsOfParameters)
{
  server at(with_large_heads());
  std::string different = "permessage-deflate";
  for (int i = 0; i < 500; i++)
    different += "; p" + std::to_string(i);
  expect_refused(at, offering(different).str(), 400, "extension");
  expect_refused(at, offering("permessage-deflate; " + repeated("a=1", 17, "; ")).str(), 400,
                 "extension");
}

TEST(Row58, AsManyAsTheCapAreJudged)
{
  server at(with_large_heads());
  expect_declined(at, repeated("other", 16, ", "));
  expect_declined(at, "permessage-deflate; " + repeated("a=1", 16, "; "));
  speaker last(at, offering(repeated("other", 15, ", ") + ", permessage-deflate"));
  last.expect_echo("taken");
}

TEST(Row58, EmptyElementsAreLinearToo)
{
  server at(with_large_heads());
  auto before = at.cpu_time();
  client attacker = at.connect();
  attacker.send(offering(std::string(500000, ',')).str());
  std::optional<response> answer = attacker.read_response();
  ASSERT_TRUE(answer);
  EXPECT_TRUE(answer->status == 101 || answer->status == 400) << answer->status;
  EXPECT_LT(at.cpu_time() - before, std::chrono::milliseconds(500));
  at.expect_undisturbed();
}
