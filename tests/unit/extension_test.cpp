// Negotiation of permessage-deflate: ATTACKS rows 56 to 60.
#include "wire/extension.h"

#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace
{

using namespace std::string_literals;

constexpr weir__deflate_wish ALL = {true, 15, 15};

// A head that holds such Sec-WebSocket-Extensions fields, and others around them.
struct request {
  std::vector<std::string> lines;
  std::unique_ptr<weir__http_head> head = std::make_unique<weir__http_head>();

  explicit request(const std::vector<std::string> &fields) : lines(fields)
  {
    add("Host", "server.example.com");
    for (size_t i = 0; i < lines.size(); i++)
      add(i % 2 == 0 ? "Sec-WebSocket-Extensions" : "sec-websocket-EXTENSIONS", lines[i]);
    add("Sec-WebSocket-Extension", "permessage-deflate; unknown");
  }

  void add(std::string_view name, std::string_view value)
  {
    head->fields[head->field_count++] = {{name.data(), name.size()}, {value.data(), value.size()}};
  }
};

// The response's words; "declined", or "400: " and the reason.
std::string answer(const std::vector<std::string> &fields, const weir__deflate_wish &wish)
{
  request r(fields);
  weir__deflate_params params;
  const char *reason = nullptr;
  int status = weir__extension_negotiate(r.head.get(), &wish, &params, &reason);
  if (status != 0) {
    EXPECT_EQ(status, -400);
    EXPECT_FALSE(params.agreed);
    return "400: " + std::string(reason == nullptr ? "(null)" : reason);
  }
  EXPECT_EQ(reason, nullptr);
  if (!params.agreed)
    return "declined";
  char out[WEIR__EXTENSION_MAX];
  size_t len = weir__extension_response(&params, out);
  EXPECT_LE(len, sizeof out);
  return {out, len};
}

std::string answer(const std::string &field, const weir__deflate_wish &wish = ALL)
{
  return answer(std::vector<std::string>{field}, wish);
}

const std::string NAME = "permessage-deflate";
const std::string S_ALONE = "; server_no_context_takeover",
                  C_ALONE = "; client_no_context_takeover";
const std::string S_BITS = "; server_max_window_bits", C_BITS = "; client_max_window_bits";

// ---- offers that are right

TEST(ExtensionNegotiate, AnswersEachParameter)
{
  const std::pair<std::string, std::string> cases[] = {
      {"", ""},
      {S_ALONE, S_ALONE},
      {C_ALONE, C_ALONE},
      {S_ALONE + C_ALONE, S_ALONE + C_ALONE},
      {C_ALONE + S_ALONE, S_ALONE + C_ALONE},
      {S_BITS + "=9", S_BITS + "=9"},
      {S_BITS + "=10", S_BITS + "=10"},
      {S_BITS + "=15", S_BITS + "=15"},
      {C_BITS, ""},
      {C_BITS + "=8", C_BITS + "=8"},
      {C_BITS + "=9", C_BITS + "=9"},
      {C_BITS + "=14", C_BITS + "=14"},
      {C_BITS + "=15", C_BITS + "=15"},
      {C_BITS + S_BITS + "=12", S_BITS + "=12"},
      {C_BITS + "=12" + C_ALONE + S_BITS + "=11" + S_ALONE,
       S_ALONE + C_ALONE + S_BITS + "=11" + C_BITS + "=12"},
  };
  for (const auto &[offered, answered] : cases)
    EXPECT_EQ(answer(NAME + offered), NAME + answered) << offered;
}

TEST(ExtensionNegotiate, AnswersAsTheWishWantsIt)
{
  struct wish_case {
    weir__deflate_wish wish;
    std::string offered, answered;
  };
  const wish_case cases[] = {
      {{false, 15, 15}, "", S_ALONE + C_ALONE},
      {{false, 15, 15}, S_ALONE, S_ALONE + C_ALONE},
      {{false, 15, 15}, C_ALONE, S_ALONE + C_ALONE},
      {{false, 9, 8}, C_BITS, S_ALONE + C_ALONE + S_BITS + "=9" + C_BITS + "=8"},
      {{true, 9, 15}, "", S_BITS + "=9"},
      {{true, 14, 15}, "", S_BITS + "=14"},
      {{true, 12, 15}, S_BITS + "=15", S_BITS + "=12"},
      {{true, 12, 15}, S_BITS + "=12", S_BITS + "=12"},
      {{true, 12, 15}, S_BITS + "=9", S_BITS + "=9"},
      {{true, 15, 14}, C_BITS, C_BITS + "=14"},
      {{true, 15, 8}, C_BITS, C_BITS + "=8"},
      {{true, 15, 12}, C_BITS + "=15", C_BITS + "=12"},
      {{true, 15, 12}, C_BITS + "=10", C_BITS + "=10"},
      {{true, 15, 8}, C_BITS + "=8", C_BITS + "=8"},
      {{true, 15, 15}, C_BITS + "=15", C_BITS + "=15"},
  };
  for (const wish_case &c : cases)
    EXPECT_EQ(answer(NAME + c.offered, c.wish), NAME + c.answered) << c.offered;
  // a client that cannot be told gets none, unless it offers otherwise too
  EXPECT_EQ(answer(NAME, {true, 15, 14}), "declined");
  EXPECT_EQ(answer(NAME + S_ALONE + C_ALONE + S_BITS + "=9", {true, 15, 8}), "declined");
  EXPECT_EQ(answer(NAME + ", " + NAME + C_BITS, {true, 15, 14}), NAME + C_BITS + "=14");
}

TEST(ExtensionNegotiate, FillsInAllParameters)
{
  request r({NAME + S_BITS + "=10" + C_ALONE + C_BITS});
  const weir__deflate_wish wish = {true, 14, 12};
  weir__deflate_params params;
  const char *reason = nullptr;
  ASSERT_EQ(weir__extension_negotiate(r.head.get(), &wish, &params, &reason), 0);
  EXPECT_TRUE(params.agreed && params.server_takeover && !params.client_takeover);
  EXPECT_TRUE(params.name_server_bits && params.name_client_bits);
  EXPECT_EQ(params.server_bits, 10);
  EXPECT_EQ(params.client_bits, 12);
  // what the caller takes away is answered too
  params.server_takeover = false;
  char out[WEIR__EXTENSION_MAX];
  EXPECT_EQ(std::string(out, weir__extension_response(&params, out)),
            NAME + S_ALONE + C_ALONE + S_BITS + "=10" + C_BITS + "=12");
}

TEST(ExtensionNegotiate, TakesTheFirstThatIsAcceptable)
{
  const std::pair<std::string, std::string> cases[] = {
      {"x-webkit-deflate-frame", "declined"},
      {"x-webkit-deflate-frame, " + NAME, NAME},
      {NAME + ", x-webkit-deflate-frame; no_context_takeover", NAME},
      {"permessage-bzip2; a=b; c=\"d\"; e, foo; bar=1; bar=1; bar=1, " + NAME + S_ALONE,
       NAME + S_ALONE},
      {NAME + S_BITS + "=8, " + NAME + S_BITS + "=9", NAME + S_BITS + "=9"},
      {NAME + "; unknown, " + NAME + S_ALONE + ", " + NAME, NAME + S_ALONE},
      {NAME + C_ALONE + ", " + NAME + S_ALONE, NAME + C_ALONE},
      {NAME + S_BITS + "=8, " + NAME + S_BITS + "=7", "declined"},
      {NAME + S_ALONE + S_ALONE + ", " + NAME, NAME},
  };
  for (const auto &[offers, answered] : cases)
    EXPECT_EQ(answer(offers), answered) << offers;
}

TEST(ExtensionNegotiate, ReadsAllFieldsAsOneList)
{
  const std::pair<std::vector<std::string>, std::string> cases[] = {
      {{}, "declined"},
      {{"foo", NAME}, NAME},
      {{"foo; bar, baz", "x", NAME + S_ALONE}, NAME + S_ALONE},
      {{NAME + C_ALONE, NAME}, NAME + C_ALONE},
      {{NAME + "; a", NAME + "; b", NAME + S_BITS + "=9, foo"}, NAME + S_BITS + "=9"},
      {{"", NAME}, NAME},
      {{NAME, " ,\t, "}, NAME},
  };
  for (const auto &[fields, answered] : cases)
    EXPECT_EQ(answer(fields, ALL), answered) << testing::PrintToString(fields);
  // a field never goes on in the next
  EXPECT_EQ(answer({NAME + ";", "server_no_context_takeover"}, ALL).substr(0, 4), "400:");
  EXPECT_EQ(answer({NAME + S_BITS + "=\"1", "0\""}, ALL).substr(0, 4), "400:");
  EXPECT_EQ(answer({NAME, "foo="}, ALL).substr(0, 4), "400:");
}

TEST(ExtensionNegotiate, ReadsBlanksQuotesAndEmptyElements)
{
  const std::string ten = NAME + S_BITS + "=10";
  const std::pair<std::string, std::string> cases[] = {
      {" \t" + NAME + "\t ", NAME},
      {NAME + " ;\tserver_max_window_bits \t=\t 10\t;  client_max_window_bits ", ten},
      {NAME + ";server_max_window_bits=10;client_max_window_bits", ten},
      {"," + NAME, NAME},
      {NAME + ",", NAME},
      {" , ,\t," + NAME + " ,, foo,", NAME},
      {NAME + S_BITS + "=\"10\"", ten},
      {NAME + S_BITS + " = \"10\" ", ten},
      {NAME + S_BITS + "=\"\\10\"", ten},
      {NAME + S_BITS + "=\"\\1\\0\" , foo; a=\"b\"", ten},
      {NAME + C_BITS + "=\"8\"; " + "server_max_window_bits=\"10\"", ten + C_BITS + "=8"},
      {"foo; a=\"b\\c\"; d=e ," + NAME, NAME},
      {"!#$%&'*+-.^_`|~; !#$%&'*+-.^_`|~=!#$%&'*+-.^_`|~, " + NAME, NAME},
  };
  for (const auto &[offers, answered] : cases)
    EXPECT_EQ(answer(offers), answered) << offers;
}

// ---- offers that are declined

TEST(ExtensionNegotiate, DeclinesWindowsThatAreNone)
{
  for (const char *bits : {"0",
                           "1",
                           "7",
                           "16",
                           "17",
                           "20",
                           "99",
                           "08",
                           "09",
                           "010",
                           "+9",
                           "-9",
                           "9.0",
                           "1e1",
                           "0x9",
                           "10a",
                           "a",
                           "1O",
                           "999",
                           "256",
                           "265",
                           "10.",
                           "-0",
                           "'9'",
                           "1*",
                           "9_",
                           "1000000000000000000000000000010",
                           "18446744073709551625",
                           "\"\\7\"",
                           "\"16\"",
                           "\"010\"",
                           "\"1\\6\""})
    for (const std::string &parameter : {S_BITS, C_BITS})
      EXPECT_EQ(answer(NAME + parameter + "=" + bits), "declined") << parameter << bits;
  EXPECT_EQ(answer(NAME + S_BITS + "=8"), "declined") << "zlib cannot";
  EXPECT_EQ(answer(NAME + S_BITS + "=\"8\""), "declined");
  EXPECT_EQ(answer(NAME + S_BITS), "declined") << "it must have a value";
  EXPECT_EQ(answer(NAME + S_BITS + "=" + std::string(60000, '9')), "declined");
}

TEST(ExtensionNegotiate, DeclinesWhatIsUnknownTwiceOrHasAValueTooMany)
{
  const std::string cases[] = {
      "; unknown",
      "; unknown=1",
      "; unknown=\"10\"",
      "; server_max_window_bit=10",
      "; server_max_window_bitss=10",
      "; erver_max_window_bits=10",
      "; mux",
      S_ALONE + "=1",
      S_ALONE + "=true",
      S_ALONE + "=\"true\"",
      C_ALONE + "=0",
      C_ALONE + "=10",
      S_ALONE + S_ALONE,
      C_ALONE + S_ALONE + C_ALONE,
      S_BITS + "=10" + S_BITS + "=10",
      S_BITS + "=10" + S_BITS + "=11",
      C_BITS + C_BITS,
      C_BITS + C_BITS + "=10",
      C_BITS + "=10" + C_BITS,
      S_BITS + S_BITS + "=10",
      "; unknown" + S_ALONE,
      S_ALONE + C_ALONE + S_BITS + "=10" + C_BITS + "=10; unknown",
  };
  for (const std::string &offered : cases)
    EXPECT_EQ(answer(NAME + offered), "declined") << offered;
}

// Names are what was registered, and zlib's own.
TEST(ExtensionNegotiate, MindsTheCaseOfNames)
{
  for (const char *offer :
       {"Permessage-Deflate", "PERMESSAGE-DEFLATE", "permessage-deflat", "permessage-deflatee",
        "permessage_deflate", "permessage-deflate; Server_No_Context_Takeover",
        "permessage-deflate; CLIENT_MAX_WINDOW_BITS"})
    EXPECT_EQ(answer(offer), "declined") << offer;
}

// ---- fields that break the grammar, wherever: 400

TEST(ExtensionNegotiate, RefusesWhatIsMalformed)
{
  struct malformed {
    std::string field, reason;
  };
  const malformed cases[] = {
      {"", "is empty"},
      {" ", "is empty"},
      {",", "is empty"},
      {" , ,\t", "is empty"},
      {";", "extension's name"},
      {"=", "extension's name"},
      {"\"" + NAME + "\"", "extension's name"},
      {"; foo", "extension's name"},
      {NAME + ", ;", "extension's name"},
      {NAME + ", =a", "extension's name"},
      {"(comment) " + NAME, "extension's name"},
      {"\x80" + NAME, "extension's name"},
      {std::string(1, '\0') + NAME, "extension's name"},
      {NAME + ";", "parameter's name"},
      {NAME + "; ", "parameter's name"},
      {NAME + ";;", "parameter's name"},
      {NAME + "; ,", "parameter's name"},
      {NAME + S_ALONE + ";", "parameter's name"},
      {NAME + "; =10", "parameter's name"},
      {NAME + "; \"a\"", "parameter's name"},
      {NAME + "; a=", "value"},
      {NAME + "; a= ", "value"},
      {NAME + "; a=;", "value"},
      {NAME + "; a=,", "value"},
      {NAME + "; a==", "value"},
      {NAME + "; a=\xC3\xA4", "value"},
      {NAME + "; a=\"", "value"},
      {NAME + "; a=\"\"", "value"},
      {NAME + "; a=\"b", "value"},
      {NAME + "; a=\"b\\", "value"},
      {NAME + "; a=\"b\\\"", "value"},
      {NAME + "; a=\"b\\\"\"", "value"},
      {NAME + "; a=\"\\", "value"},
      {NAME + "; a=\"b c\"", "value"},
      {NAME + "; a=\" b\"", "value"},
      {NAME + "; a=\"b,c\"", "value"},
      {NAME + "; a=\"b;c\"", "value"},
      {NAME + "; a=\"b\\,c\"", "value"},
      {NAME + S_BITS + "=", "value"},
      {NAME + S_BITS + "=\"\"", "value"},
      {NAME + S_BITS + "=\" 10\"", "value"},
      {NAME + S_BITS + "=10 11", "not an extension"},
      {NAME + S_BITS + "=10\"11\"", "not an extension"},
      {NAME + S_BITS + "=\"10\"11", "not an extension"},
      {NAME + S_BITS + "=10=10", "not an extension"},
      {NAME + " " + NAME, "not an extension"},
      {NAME + "=1", "not an extension"},
      {NAME + "/1", "not an extension"},
      {NAME + "\r", "not an extension"},
      {NAME + ", foo bar", "not an extension"},
      {"foo; a b, " + NAME, "not an extension"},
  };
  for (const malformed &c : cases) {
    const std::string found = answer(c.field);
    EXPECT_EQ(found.substr(0, 5), "400: ") << c.field;
    EXPECT_NE(found.find(c.reason), std::string::npos) << c.field << "\n" << found;
  }
}

TEST(ExtensionNegotiate, BoundsOffersAndParameters) // row 58
{
  auto times = [](const std::string &what, int count) {
    std::string all;
    for (int i = 0; i < count; i++)
      all += (i == 0 ? "" : ", ") + what;
    return all;
  };
  EXPECT_EQ(answer(times("foo", WEIR__EXTENSION_OFFERS - 1) + ", " + NAME), NAME);
  EXPECT_EQ(answer(times(NAME, WEIR__EXTENSION_OFFERS)), NAME);
  for (const std::string &what : {"foo"s, NAME, NAME + S_BITS + "=8"})
    for (int count : {WEIR__EXTENSION_OFFERS + 1, 300, 5000})
      EXPECT_NE(answer(times(what, count)).find("too many extensions"), std::string::npos);
  // over several fields as well
  std::vector<std::string> fields(WEIR__EXTENSION_OFFERS, "foo");
  EXPECT_EQ(answer(fields, ALL), "declined");
  fields.push_back(NAME);
  EXPECT_NE(answer(fields, ALL).find("too many extensions"), std::string::npos);

  std::string parameters;
  for (int i = 0; i < WEIR__EXTENSION_PARAMETERS; i++)
    parameters += "; a=\"b\"";
  EXPECT_EQ(answer("foo" + parameters + ", " + NAME), NAME);
  EXPECT_EQ(answer(NAME + parameters), "declined");
  EXPECT_NE(answer("foo" + parameters + "; a").find("too many parameters"), std::string::npos);
}

TEST(ExtensionResponse, IsAtMostAsLongAsItsRoom)
{
  EXPECT_EQ(answer(NAME + S_BITS + "=15" + C_BITS + "=15" + S_ALONE + C_ALONE).size(),
            size_t{WEIR__EXTENSION_MAX});
}

} // namespace
