// The bench tool's offer of permessage-deflate, and which answers it takes (RFC 7692 section 7.1).
#include "weir-bench/offer.h"

#include <gtest/gtest.h>

#include <memory>
#include <string>

namespace
{

// What an answer comes to: the words of what is agreed, or the sentence of what is wrong.
std::string answered(const std::string &fields, bool no_takeover = false)
{
  const std::string text = "HTTP/1.1 101 x\r\n" + fields + "\r\n";
  auto head = std::make_unique<weir__http_head>();
  const char *reason = nullptr;
  EXPECT_EQ(weir__http_parse_response(head.get(), text.data(), text.size(), &reason), 101);
  offer offer;
  char words[80];
  const char *wrong = offer_read(&offer, head.get(), no_takeover);
  return wrong != nullptr ? wrong : offer_text(&offer, words, sizeof words);
}

std::string extension(const std::string &value, bool no_takeover = false)
{
  return answered("Sec-WebSocket-Extensions: " + value + "\r\n", no_takeover);
}

TEST(BenchOffer, IsWhatTheStandardHas)
{
  EXPECT_STREQ(offer_fields(false),
               "Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits\r\n");
  EXPECT_STREQ(offer_fields(true),
               "Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits; "
               "server_no_context_takeover; client_no_context_takeover\r\n");
}

TEST(BenchOffer, TakesWhatAServerMayAnswer)
{
  const std::pair<const char *, const char *> cases[] = {
      {"permessage-deflate", "server 15 bits takeover, client 15 bits takeover"},
      {"PerMessage-Deflate ; Server_No_Context_Takeover",
       "server 15 bits no takeover, client 15 bits takeover"},
      {"permessage-deflate;client_no_context_takeover",
       "server 15 bits takeover, client 15 bits no takeover"},
      {"permessage-deflate; server_max_window_bits=8; client_max_window_bits=9",
       "server 8 bits takeover, client 9 bits takeover"},
      {"permessage-deflate; client_max_window_bits=\"10\"",
       "server 15 bits takeover, client 10 bits takeover"},
      {"permessage-deflate; client_max_window_bits = 15",
       "server 15 bits takeover, client 15 bits takeover"},
  };
  for (const auto &[value, expected] : cases)
    EXPECT_EQ(extension(value), expected) << value;
}

TEST(BenchOffer, RefusesWhatItMayNot)
{
  const char *const bits = "The server's window bits are no number from 8 to 15";
  const char *const unknown =
      "The server answers permessage-deflate with a parameter that there is not";
  const char *const valued = "The server gives a value to a parameter that has none";
  const std::pair<const char *, const char *> cases[] = {
      {"x", "The 101 names an extension that was not asked for"},
      {"permessage-deflate2", "The 101 names an extension that was not asked for"},
      {"permessage-deflate, permessage-deflate", "The 101 names more than one extension"},
      {"permessage-deflate; x", unknown},
      {"permessage-deflate; ; client_no_context_takeover", unknown},
      {"permessage-deflate; server_max_window_bits=9; server_max_window_bits=9",
       "The server answers permessage-deflate with a parameter twice"},
      {"permessage-deflate; client_no_context_takeover; client_no_context_takeover",
       "The server answers permessage-deflate with a parameter twice"},
      {"permessage-deflate; server_no_context_takeover=1", valued},
      {"permessage-deflate; client_no_context_takeover=", valued},
      {"permessage-deflate; client_max_window_bits", bits},
      {"permessage-deflate; server_max_window_bits", bits},
      {"permessage-deflate; server_max_window_bits=", bits},
      {"permessage-deflate; server_max_window_bits=7", bits},
      {"permessage-deflate; server_max_window_bits=16", bits},
      {"permessage-deflate; server_max_window_bits=08", bits},
      {"permessage-deflate; server_max_window_bits=010", bits},
      {"permessage-deflate; client_max_window_bits=1x", bits},
      {"permessage-deflate; client_max_window_bits=\"9", bits},
  };
  for (const auto &[value, expected] : cases)
    EXPECT_EQ(extension(value), expected) << value;
}

TEST(BenchOffer, WantsAnAnswer)
{
  EXPECT_EQ(answered(""), "The server did not agree to permessage-deflate");
  EXPECT_EQ(answered("Sec-WebSocket-Extensions: permessage-deflate\r\n"
                     "Sec-WebSocket-Extensions: permessage-deflate\r\n"),
            "The 101 names more than one extension");
}

TEST(BenchOffer, HoldsTheServerToWhatWasAsked)
{
  EXPECT_EQ(extension("permessage-deflate", true),
            "The server does not promise server_no_context_takeover, which was asked for");
  EXPECT_EQ(extension("permessage-deflate; server_no_context_takeover", true),
            "server 15 bits no takeover, client 15 bits no takeover");
}

} // namespace
