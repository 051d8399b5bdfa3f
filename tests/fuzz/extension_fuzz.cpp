// Offers of extensions, against a reader that is slow and plain. Input: a byte whose bits are the
// wish, then the fields, a line each.
#include "wire/extension.h"

#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace
{

using namespace std::string_literals;

void require(bool holds)
{
  if (!holds)
    abort();
}

// ---- the plain reader: pieces between separators, for no quoted string may hold one

struct broken {
};

std::vector<std::string> split(const std::string &text, char separator)
{
  std::vector<std::string> parts(1);
  for (char c : text)
    if (c == separator)
      parts.emplace_back();
    else
      parts.back() += c;
  return parts;
}

std::string trim(const std::string &text)
{
  size_t from = text.find_first_not_of(" \t"), to = text.find_last_not_of(" \t");
  return from == std::string::npos ? "" : text.substr(from, to - from + 1);
}

std::string token(const std::string &text)
{
  for (char c : text)
    if (!isalnum(static_cast<unsigned char>(c)) && (c == 0 || !strchr("!#$%&'*+-.^_`|~", c)))
      throw broken();
  return text.empty() ? throw broken() : text;
}

std::string value(const std::string &text)
{
  if (text.empty() || text[0] != '"')
    return token(text);
  std::string inside;
  size_t i = 1;
  for (; i < text.size() && text[i] != '"'; i++) {
    if (text[i] == '\\' && ++i == text.size())
      throw broken();
    inside += text[i];
  }
  return i + 1 == text.size() ? token(inside) : throw broken();
}

struct extension {
  std::string name;
  std::vector<std::pair<std::string, std::optional<std::string>>> parameters;
};

extension read_one(const std::string &text)
{
  std::vector<std::string> parts = split(text, ';');
  extension one = {token(trim(parts[0])), {}};
  if (parts.size() - 1 > WEIR__EXTENSION_PARAMETERS)
    throw broken();
  for (size_t i = 1; i < parts.size(); i++) {
    size_t equals = parts[i].find('=');
    std::optional<std::string> given;
    if (equals != std::string::npos)
      given = value(trim(parts[i].substr(equals + 1)));
    one.parameters.emplace_back(token(trim(parts[i].substr(0, equals))), given);
  }
  return one;
}

std::vector<extension> read_all(const std::vector<std::string> &fields)
{
  std::vector<extension> all;
  for (const std::string &field : fields)
    for (const std::string &element : split(field, ','))
      if (!trim(element).empty())
        all.push_back(read_one(element));
  if (!fields.empty() && (all.empty() || all.size() > WEIR__EXTENSION_OFFERS))
    throw broken();
  return all;
}

int bits_of(const std::string &digits)
{
  for (int bits = 8; bits <= 15; bits++)
    if (digits == std::to_string(bits))
      return bits;
  return 0;
}

// The answer that an offer deserves, by the words of RFC 7692 section 7.1.
std::optional<std::string> judge(const extension &offer, const weir__deflate_wish &wish)
{
  std::map<std::string, std::optional<std::string>> has;
  for (const auto &[name, given] : offer.parameters)
    if (!has.emplace(name, given).second)
      return std::nullopt;
  bool server_alone = !wish.takeover, client_alone = !wish.takeover;
  bool server_asked = false, client_asked = false, client_given = false;
  int server_bits = wish.server_bits, client_bits = wish.client_bits;
  for (const auto &[name, given] : has) {
    int bits = given ? bits_of(*given) : 0;
    if (name == "server_no_context_takeover" && !given)
      server_alone = true;
    else if (name == "client_no_context_takeover" && !given)
      client_alone = true;
    else if (name == "server_max_window_bits" && bits >= 9)
      server_asked = true, server_bits = std::min(server_bits, bits);
    else if (name == "client_max_window_bits" && (!given || bits > 0))
      client_asked = true, client_given = given.has_value(),
      client_bits = given ? std::min(client_bits, bits) : client_bits;
    else
      return std::nullopt;
  }
  if (offer.name != "permessage-deflate" || (!client_asked && client_bits < 15))
    return std::nullopt;
  return "permessage-deflate"s + (server_alone ? "; server_no_context_takeover" : "") +
         (client_alone ? "; client_no_context_takeover" : "") +
         (server_asked || server_bits < 15
              ? "; server_max_window_bits=" + std::to_string(server_bits)
              : "") +
         (client_given || client_bits < 15
              ? "; client_max_window_bits=" + std::to_string(client_bits)
              : "");
}

std::string plain(const std::vector<std::string> &fields, const weir__deflate_wish &wish)
try {
  for (const extension &offer : read_all(fields))
    if (std::optional<std::string> answer = judge(offer, wish))
      return *answer;
  return "declined";
} catch (const broken &) {
  return "broken";
}

std::string ours(const std::vector<std::string> &fields, const weir__deflate_wish &wish)
{
  static const std::string name = "Sec-Websocket-Extensions";
  static weir__http_head head;
  // each field in memory of its own size, so that a sanitizer sees a byte too far
  std::vector<std::vector<char>> copies;
  head.field_count = 0;
  for (const std::string &field : fields)
    copies.emplace_back(field.begin(), field.end());
  for (const std::vector<char> &copy : copies)
    head.fields[head.field_count++] = {{name.data(), name.size()}, {copy.data(), copy.size()}};
  weir__deflate_params params;
  const char *reason = nullptr;
  int status = weir__extension_negotiate(&head, &wish, &params, &reason);
  require((status == 0 && reason == nullptr) || (status == -400 && reason != nullptr));
  require(status == 0 || !params.agreed);
  if (!params.agreed)
    return status == 0 ? "declined" : "broken";
  require(params.server_bits >= 9 && params.server_bits <= wish.server_bits);
  require(params.client_bits >= 8 && params.client_bits <= wish.client_bits);
  require(wish.takeover || (!params.server_takeover && !params.client_takeover));
  std::vector<char> out(WEIR__EXTENSION_MAX);
  return {out.data(), weir__extension_response(&params, out.data())};
}

} // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
  if (size == 0)
    return 0;
  const weir__deflate_wish wish = {(data[0] & 1) != 0,
                                   static_cast<uint8_t>(9 + (data[0] >> 1 & 7) % 7),
                                   static_cast<uint8_t>(8 + (data[0] >> 4 & 7))};
  std::vector<std::string> fields;
  if (size > 1)
    fields = split(std::string(data + 1, data + size), '\n');
  if (fields.size() <= WEIR__HTTP_FIELDS)
    require(ours(fields, wish) == plain(fields, wish));
  return 0;
}
