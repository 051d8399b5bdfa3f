// Negotiation of permessage-deflate: ATTACKS rows 56 to 60.
#include "wire/extension.h"

#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace
{

constexpr weir__deflate_wish ALL = {true, 15, 15}, ALONE = {false, 15, 15};

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

TEST(ExtensionNegotiate, AnswersEachParameter)
{
  const std::pair<const char *, const char *> cases[] = {
      {"permessage-deflate", "permessage-deflate"},
      {"permessage-deflate; server_no_context_takeover",
       "permessage-deflate; server_no_context_takeover"},
      {"permessage-deflate; client_no_context_takeover",
       "permessage-deflate; client_no_context_takeover"},
      {"permessage-deflate; server_max_window_bits=10",
       "permessage-deflate; server_max_window_bits=10"},
      {"permessage-deflate; client_max_window_bits", "permessage-deflate"},
      {"permessage-deflate; client_max_window_bits=8",
       "permessage-deflate; client_max_window_bits=8"},
      {"permessage-deflate; server_max_window_bits=8", "declined"},
      {"permessage-deflate; unknown", "declined"},
      {"x-webkit-deflate-frame", "declined"},
      {"x-webkit-deflate-frame, permessage-deflate", "permessage-deflate"},
  };
  for (const auto &[offer, expected] : cases)
    EXPECT_EQ(answer(offer), expected) << offer;
  EXPECT_EQ(answer("permessage-deflate", ALONE),
            "permessage-deflate; server_no_context_takeover; client_no_context_takeover");
}

} // namespace
