#include "catalogue/compression.hpp"

#include <cctype>
#include <gtest/gtest.h>
#include <random>

namespace catalogue
{

request offering(const std::string &extensions)
{
  return request{}.with("Sec-WebSocket-Extensions: " + extensions);
}

setup compressing(size_t mode)
{
  setup out;
  out.route.compression = mode;
  out.route.compression_threshold = 1;
  out.head = offering();
  return out;
}

int agreement::bits(const std::string &name) const
{
  auto found = parameters.find(name);
  return found == parameters.end() ? 15 : std::atoi(found->second.c_str());
}

namespace
{

std::vector<std::string> split(const std::string &text, char at)
{
  std::vector<std::string> out;
  for (size_t begin = 0; begin <= text.size();) {
    size_t end = std::min(text.find(at, begin), text.size());
    size_t first = text.find_first_not_of(' ', begin);
    size_t last = text.find_last_not_of(' ', end - 1);
    out.push_back(first < end ? text.substr(first, last + 1 - first) : "");
    begin = end + 1;
  }
  return out;
}

/* What a server may answer: all four, the bits with a value, the others without one. */
void expect_legal(const std::string &name, const std::string &value)
{
  if (name == "server_no_context_takeover" || name == "client_no_context_takeover")
    EXPECT_EQ(value, "") << name;
  else if (name == "server_max_window_bits" || name == "client_max_window_bits")
    EXPECT_TRUE(std::atoi(value.c_str()) >= 8 && std::atoi(value.c_str()) <= 15 && value[0] != '0')
        << name << " is \"" << value << "\"";
  else
    ADD_FAILURE() << "no parameter of permessage-deflate: " << name;
}

} // namespace

std::optional<agreement> agreed(const response &answer)
{
  std::vector<std::string> lines = answer.values("Sec-WebSocket-Extensions");
  if (lines.empty())
    return std::nullopt;
  EXPECT_EQ(lines.size(), 1u);
  std::vector<std::string> parts = split(lines[0], ';');
  EXPECT_EQ(parts[0], "permessage-deflate") << lines[0];
  agreement out;
  for (size_t i = 1; i < parts.size(); i++) {
    size_t equals = std::min(parts[i].find('='), parts[i].size());
    std::string name = parts[i].substr(0, equals);
    std::string value = equals < parts[i].size() ? parts[i].substr(equals + 1) : "";
    expect_legal(name, value);
    EXPECT_TRUE(out.parameters.emplace(name, value).second) << "twice: " << name;
  }
  return out;
}

std::string deflated(unsigned first, std::string_view bytes)
{
  return masked(first | rsv1, bytes);
}

std::string compressed(unsigned first, std::string_view payload)
{
  return deflated(first, support::deflater().message(payload));
}

std::string in_fragments(unsigned opcode, std::string_view bytes, size_t count)
{
  std::string out;
  for (size_t i = 0; i < count; i++) {
    size_t begin = bytes.size() * i / count, end = bytes.size() * (i + 1) / count;
    unsigned first = (i == 0 ? opcode | rsv1 : continuation) | (i + 1 == count ? fin : 0u);
    out += masked(first, bytes.substr(begin, end - begin));
  }
  return out;
}

speaker::speaker(server &at, const request &head) : socket(at.open(head))
{
  std::optional<agreement> got = agreed(socket.answer());
  EXPECT_TRUE(got) << "no compression was agreed";
  terms = got.value_or(agreement{});
  deflater_ = std::make_unique<support::deflater>(terms.bits("client_max_window_bits"),
                                                  !terms.has("client_no_context_takeover"));
  inflater_ = std::make_unique<support::inflater>(terms.bits("server_max_window_bits"),
                                                  !terms.has("server_no_context_takeover"));
}

std::string speaker::bytes_of(std::string_view payload)
{
  return deflater_->message(payload);
}

std::string speaker::frame_of(std::string_view payload, unsigned first)
{
  return deflated(first, bytes_of(payload));
}

bool speaker::say(std::string_view payload, unsigned first)
{
  return socket.send(frame_of(payload, first));
}

std::string speaker::hear()
{
  heard = socket.read_frame().value_or(frame{});
  if ((heard.first & rsv1) == 0)
    return heard.payload;
  std::optional<std::string> out = inflater_->message(heard.payload);
  EXPECT_TRUE(out) << "the server's message is no valid deflate stream";
  return out.value_or("");
}

void speaker::expect_echo(std::string_view payload)
{
  ASSERT_TRUE(say(payload));
  std::string back = hear();
  EXPECT_EQ(heard.opcode(), text + 0u);
  EXPECT_EQ(back.size(), payload.size());
  EXPECT_TRUE(back == payload) << "another text: " << back.substr(0, 60);
}

setup inflating::with(const way &how, size_t limit)
{
  setup out = compressing(how.mode);
  out.route.max_message_bytes = limit;
  out.on.error = [this](weir_conn *, int, const char *) {
    weir_counters now = {};
    weir_server_counters(raw, &now);
    at_error = now.memory_bytes;
  };
  if (how.piecewise)
    out.on.fragment = [this](weir_conn *, const weir_message *piece) { bytes += piece->len; };
  return out;
}

inflating::inflating(const way &how, size_t limit) : at(with(how, limit))
{
  raw = at.get();
}

void expect_all_failed(server &at, std::string_view bytes, int code, unsigned opcode,
                       bool piecewise)
{
  const std::string sound = piecewise ? "" : compressed(fin | text, prose(900));
  for (const std::string &before : {std::string(), sound}) {
    if (testing::Test::HasFailure())
      return;
    expect_failed(at, deflated(fin | opcode, bytes), code, before);
    expect_failed(at, in_fragments(opcode, bytes, std::max<size_t>(bytes.size(), 2)), code, before);
    expect_failed(at, in_fragments(opcode, bytes, 2), code, before);
  }
}

std::string prose(size_t bytes, unsigned seed)
{
  static const char *const words[] = {"the ",   "river ",  "runs ", "over ",  "a ",     "low ",
                                      "dam ",   "and ",    "what ", "comes ", "down ",  "with ",
                                      "it ",    "settles", ", ",    "water ", "behind", " stones ",
                                      "slowly", ". ",      "We ",   "saw ",   "light ", "on it "};
  std::mt19937 dice(seed);
  std::string out;
  while (out.size() < bytes)
    out += words[dice() % std::size(words)];
  out.resize(bytes);
  return out;
}

std::string noise(size_t bytes, unsigned seed)
{
  std::mt19937 dice(seed);
  std::string out(bytes, '\0');
  for (char &c : out)
    c = static_cast<char>(dice());
  return out;
}

} // namespace catalogue
