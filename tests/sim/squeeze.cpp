#include "squeeze.hpp"

#include <algorithm>
#include <map>
#include <optional>
#include <stdexcept>
#include <vector>

namespace sim
{

namespace
{
constexpr const char *NAME = "permessage-deflate";
constexpr size_t TAIL = support::flush_tail.size();

// "name; a; b=1" as its pieces, blanks aside.
std::vector<std::string> split(const std::string &text, char at)
{
  std::vector<std::string> all(1);
  for (char c : text)
    if (c == at)
      all.emplace_back();
    else if (c != ' ')
      all.back() += c;
  return all;
}

// A window's size in an answer: 8 to 15, without leading zeros.
std::optional<int> bits_of(const std::string &value)
{
  static const std::map<std::string, int> sizes = {{"8", 8},   {"9", 9},   {"10", 10}, {"11", 11},
                                                   {"12", 12}, {"13", 13}, {"14", 14}, {"15", 15}};
  auto found = sizes.find(value);
  return found == sizes.end() ? std::nullopt : std::optional(found->second);
}
} // namespace

offer offer::of(dice &roll)
{
  offer o;
  o.made = true;
  o.server_no_takeover = roll.chance(250);
  o.client_no_takeover = roll.chance(250);
  if (roll.chance(400))
    o.server_bits = static_cast<int>(roll.between(8, 15));
  o.client_named = roll.chance(700);
  if (o.client_named && roll.chance(600))
    o.client_bits = static_cast<int>(roll.between(8, 15));
  o.strange_first = roll.chance(200);
  o.quoted = roll.chance(100);
  return o;
}

std::string offer::text() const
{
  std::string mark = quoted ? "\"" : "";
  std::string all = strange_first ? std::string(NAME) + "; server_max_window_bits=7, " : "";
  all += NAME;
  if (client_named)
    all += "; client_max_window_bits";
  if (client_named && client_bits != 0)
    all += "=" + mark + std::to_string(client_bits) + mark;
  if (server_no_takeover)
    all += "; server_no_context_takeover";
  if (server_bits != 0)
    all += ";server_max_window_bits=" + mark + std::to_string(server_bits) + mark;
  if (client_no_takeover)
    all += " ; client_no_context_takeover";
  return all;
}

terms expected_of(const offer &asked, const wish &wanted)
{
  terms t;
  bool window_unknown = wanted.client_bits < 15 && !asked.client_named;
  t.agreed = asked.made && wanted.offered && asked.server_bits != 8 && !window_unknown;
  if (!t.agreed)
    return t;
  t.server_takeover = wanted.takeover && !wanted.drops && !asked.server_no_takeover;
  t.client_takeover = wanted.takeover && !asked.client_no_takeover;
  t.server_bits = std::min(asked.server_bits == 0 ? 15 : asked.server_bits, wanted.server_bits);
  if (asked.client_named)
    t.client_bits = std::min(asked.client_bits == 0 ? 15 : asked.client_bits, wanted.client_bits);
  return t;
}

std::string read_answer(const offer &asked, const std::string &answer, terms &out)
{
  out = {};
  if (answer.empty())
    return "";
  if (!asked.made)
    return "an extension that was not offered";
  std::vector<std::string> parts = split(answer, ';');
  if (parts[0] != NAME)
    return "an unknown extension";
  std::map<std::string, std::string> named;
  for (size_t i = 1; i < parts.size(); ++i) {
    size_t equals = std::min(parts[i].find('='), parts[i].size());
    if (!named.emplace(parts[i].substr(0, equals), parts[i].substr(equals)).second)
      return "a parameter twice";
  }
  out.agreed = true;
  for (auto &[name, value] : named) {
    auto bits = bits_of(value.substr(value.empty() ? 0 : 1));
    if (name == "server_no_context_takeover" && value.empty())
      out.server_takeover = false;
    else if (name == "client_no_context_takeover" && value.empty())
      out.client_takeover = false;
    else if (name == "server_max_window_bits" && bits)
      out.server_bits = *bits;
    else if (name == "client_max_window_bits" && bits && asked.client_named)
      out.client_bits = *bits;
    else
      return "a parameter that may not stand there: " + name + value;
  }
  if (asked.server_no_takeover && out.server_takeover)
    return "server_no_context_takeover is ignored";
  if (asked.server_bits != 0 && !named.contains("server_max_window_bits"))
    return "server_max_window_bits is not confirmed";
  if (out.server_bits > (asked.server_bits == 0 ? 15 : asked.server_bits) ||
      out.client_bits > (asked.client_bits == 0 ? 15 : asked.client_bits))
    return "a window larger than was offered";
  return "";
}

strict_inflater::strict_inflater(const terms &agreed)
    : takeover_(agreed.server_takeover), room_(agreed.server_bits < 15 ? 1 : 16384)
{
  if (inflateInit2(&stream_, -agreed.server_bits) != Z_OK)
    throw std::runtime_error("inflateInit2");
}

strict_inflater::~strict_inflater()
{
  inflateEnd(&stream_);
}

std::string strict_inflater::message(std::string_view squeezed, std::string &out)
{
  std::string in(squeezed);
  in += support::flush_tail;
  std::string complaint = run(in, out);
  if (!takeover_)
    inflateReset(&stream_);
  return complaint;
}

// zlib judges a distance by what stands in its window when it is called, and by the call's own
// output: a byte a call leaves the window alone.
std::string strict_inflater::run(std::string_view in, std::string &out)
{
  char room[16384];
  bool border = false; // of blocks: a call that finds nothing to do forgets it
  stream_.next_in = reinterpret_cast<Bytef *>(const_cast<char *>(in.data()));
  stream_.avail_in = static_cast<uInt>(in.size());
  for (;;) {
    stream_.next_out = reinterpret_cast<Bytef *>(room);
    stream_.avail_out = static_cast<uInt>(room_);
    int result = inflate(&stream_, Z_SYNC_FLUSH);
    size_t made = room_ - stream_.avail_out;
    out.append(room, made);
    if (result == Z_OK)
      border = (stream_.data_type & 128) != 0;
    if (result == Z_STREAM_END) {
      if (takeover_)
        return "a final block where the context is kept";
      if (stream_.avail_in != TAIL + 1)
        return "no empty block behind a final one";
      inflateReset(&stream_);
    } else if (result != Z_OK && result != Z_BUF_ERROR) {
      return std::string("invalid: ") + (stream_.msg != nullptr ? stream_.msg : "?");
    } else if (made < room_ && stream_.avail_in == 0) {
      return border ? "" : "it ends inside a block";
    } else if (made == 0) {
      return "inflate goes nowhere";
    }
  }
}

squeezer::squeezer(const terms &its_terms, dice &roll)
    : agreed(its_terms), roll_(roll), inflater_(its_terms)
{
  begin_anew();
}

// A sender may forget at any time.
void squeezer::begin_anew()
{
  static const int strategies[] = {
      Z_DEFAULT_STRATEGY, Z_DEFAULT_STRATEGY, Z_DEFAULT_STRATEGY, Z_FIXED, Z_HUFFMAN_ONLY, Z_RLE};
  int level = static_cast<int>(roll_.below(10));
  deflater_ = std::make_unique<support::deflater>(agreed.client_bits, agreed.client_takeover, level,
                                                  strategies[roll_.below(std::size(strategies))]);
}

// Flushed where nobody would: in the midst of the message.
std::string squeezer::in_pieces(std::string_view payload)
{
  static const int flushes[] = {Z_NO_FLUSH, Z_BLOCK, Z_PARTIAL_FLUSH, Z_SYNC_FLUSH, Z_FULL_FLUSH};
  std::string all;
  while (!payload.empty() && roll_.chance(700)) {
    size_t n = 1 + roll_.below(payload.size());
    all += deflater_->piece(payload.substr(0, n), flushes[roll_.below(std::size(flushes))]);
    payload.remove_prefix(n);
  }
  if (roll_.chance(200))
    return all + deflater_->piece(payload, Z_FINISH) + '\0'; // RFC 7692 section 7.2.3.4
  return all + deflater_->message(payload);
}

std::string squeezer::squeeze(std::string_view payload)
{
  ++squeezed;
  if (roll_.chance(100))
    begin_anew();
  return roll_.chance(250) ? in_pieces(payload) : deflater_->message(payload);
}

} // namespace sim
