// A decoder of client frames (RFC 6455 section 5) written for its plainness, to hold the parser
// against: one pass over a whole stream, byte by byte, copying everything. It shares no code with
// the core. Beside it, the same stream through the parser, cut at will, in the same terms.
#pragma once

#include "wire/parser.h"

#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <string>
#include <vector>

namespace naive
{

struct frame {
  int kind = 0, opcode = 0;
  bool rsv1 = false, first = false, last = false;
  bool whole = false; // all of its payload came
  std::string payload;

  bool operator==(const frame &) const = default;
};

struct outcome {
  std::vector<frame> frames; // without the one in which the error is
  int error = 0;
  std::size_t error_at = 0; // bytes up to the one that decides the error, and with it

  bool operator==(const outcome &) const = default;
};

struct settings {
  std::uint8_t reserved = WEIR__RSV1 | WEIR__RSV2 | WEIR__RSV3;
  weir__parser_limits limits = {UINT64_MAX, UINT64_MAX, UINT32_MAX};
};

// Whether some code point's UTF-8 begins with these bytes: fills up what is missing with the least
// and the greatest continuation bytes and looks whether a legal code point lies between.
inline bool begins_character(const std::string &bytes)
{
  auto lead = static_cast<unsigned char>(bytes[0]);
  int size = lead < 0x80 ? 1 : lead >> 5 == 6 ? 2 : lead >> 4 == 14 ? 3 : lead >> 3 == 30 ? 4 : 0;
  if (size == 0)
    return false;
  if (size == 1)
    return true;
  std::uint32_t low = lead & (0x7F >> size), high = low;
  for (int i = 1; i < size; i++) {
    bool come = i < static_cast<int>(bytes.size());
    auto byte = come ? static_cast<unsigned char>(bytes[i]) : 0;
    if (come && byte >> 6 != 2)
      return false;
    low = low << 6 | (come ? byte & 0x3F : 0);
    high = high << 6 | (come ? byte & 0x3F : 0x3F);
  }
  const std::uint32_t least[] = {0, 0, 0x80, 0x800, 0x10000};
  if (high < least[size] || low > 0x10FFFF)
    return false;
  return !(low >= 0xD800 && high <= 0xDFFF);
}

inline bool is_whole_character(const std::string &bytes)
{
  auto lead = static_cast<unsigned char>(bytes[0]);
  return bytes.size() == (lead < 0x80 ? 1u : lead < 0xE0 ? 2u : lead < 0xF0 ? 3u : 4u);
}

class decoder
{
public:
  decoder(const std::string &stream, const settings &with) : stream_(stream), with_(with) {}

  outcome run()
  {
    while (one_frame())
      ;
    return result_;
  }

private:
  bool fail(int code)
  {
    result_.error = -code;
    result_.error_at = at_;
    return false;
  }

  bool has(std::size_t count) const
  {
    return stream_.size() - at_ >= count;
  }

  unsigned char next()
  {
    return static_cast<unsigned char>(stream_[at_++]);
  }

  // False: the stream ends here, or an error.
  bool one_frame()
  {
    if (!has(1))
      return false;
    unsigned char b = next();
    bool fin = b & 0x80, rsv1 = b & 0x40;
    int opcode = b & 15;
    bool control = opcode >= 8;
    if (b & with_.reserved & 0x70)
      return fail(1002);
    if ((opcode >= 3 && opcode <= 7) || opcode >= 11)
      return fail(1002);
    if (control && !fin)
      return fail(1002);
    if (rsv1 && (control || opcode == 0))
      return fail(1002);
    if (opcode == 0 && !message_)
      return fail(1002);
    if ((opcode == 1 || opcode == 2) && message_)
      return fail(1002);

    if (!has(1))
      return false;
    b = next();
    if (!(b & 0x80))
      return fail(1002);
    std::uint64_t length = b & 0x7F;
    if (control && length > 125)
      return fail(1002);
    if (!extended(length))
      return false;
    if (!control && !within_limits(length, message_ ? compressed_ : rsv1))
      return false;

    std::string key;
    if (!has(4))
      return false;
    for (int i = 0; i < 4; i++)
      key += static_cast<char>(next());

    if (opcode == 1 || opcode == 2) {
      message_ = opcode;
      compressed_ = rsv1;
    }
    if (!control) {
      fragments_++;
      bytes_ += length;
    }
    return payload(opcode, fin, length, key);
  }

  bool extended(std::uint64_t &length)
  {
    if (length < 126)
      return true;
    std::size_t size = length == 126 ? 2 : 8;
    if (!has(size))
      return false;
    length = 0;
    for (std::size_t i = 0; i < size; i++)
      length = length * 256 + next();
    if (length < 126 || (size == 8 && length < 65536) || length >= std::uint64_t{1} << 63)
      return fail(1002);
    return true;
  }

  bool within_limits(std::uint64_t length, bool compressed)
  {
    if (with_.limits.max_fragments != UINT32_MAX && fragments_ + 1 > with_.limits.max_fragments)
      return fail(1008);
    using wide = unsigned __int128;
    const weir__parser_limits &limits = with_.limits;
    if (wide{bytes_} + length >
        (compressed ? limits.max_compressed_bytes : limits.max_message_bytes))
      return fail(1009);
    return true;
  }

  bool payload(int opcode, bool fin, std::uint64_t length, const std::string &key)
  {
    bool control = opcode >= 8;
    bool text = !control && message_ == 1 && !compressed_;
    frame f;
    f.kind = control ? 2 : 1;
    f.opcode = control ? opcode : message_;
    f.rsv1 = !control && compressed_;
    f.first = opcode != 0;
    for (std::uint64_t i = 0; i < length; i++) {
      if (!has(1)) {
        if (i > 0)
          result_.frames.push_back(f);
        return false;
      }
      f.payload += static_cast<char>(next() ^ static_cast<unsigned char>(key[i % 4]));
      if (text) {
        character_ += f.payload.back();
        if (!begins_character(character_))
          return fail(1007);
        if (is_whole_character(character_))
          character_.clear();
      }
    }
    if (text && fin && !character_.empty())
      return fail(1007);
    f.whole = true;
    f.last = fin;
    result_.frames.push_back(f);
    if (!control && fin) {
      message_ = 0;
      fragments_ = 0;
      bytes_ = 0;
    }
    return true;
  }

  const std::string &stream_;
  settings with_;
  outcome result_;
  std::size_t at_ = 0;
  int message_ = 0; // opcode of the open message
  bool compressed_ = false;
  std::uint64_t fragments_ = 0, bytes_ = 0;
  std::string character_;
};

inline outcome decode(const std::string &stream, const settings &with = {})
{
  return decoder(stream, with).run();
}

// The parser fed piece by piece. A fault of the parser that the outcome cannot show (an event that
// contradicts the one before, bytes skipped, slack written to) stands in fault.
class feeder
{
public:
  explicit feeder(const settings &with = {}) : limits_(with.limits)
  {
    weir__parser_init(&parser, with.reserved);
  }

  // Each piece lies in memory of its own, so that a sanitizer sees a byte too far. False after an
  // error.
  bool feed(const std::string &piece)
  {
    const std::string slack(WEIR__PARSER_SLACK, '\xFF');
    auto memory = std::make_unique<unsigned char[]>(piece.size() + slack.size());
    std::memcpy(memory.get(), piece.data(), piece.size());
    std::memcpy(memory.get() + piece.size(), slack.data(), slack.size());
    weir__input input = {memory.get(), memory.get() + piece.size()};
    int kind;
    do {
      const unsigned char *before = input.at;
      weir__event event;
      kind = weir__parser_next(&parser, &limits_, &input, &event);
      if (kind < 0)
        fail(kind, event, piece.size());
      else if (kind != WEIR__EVENT_MORE)
        take(kind, event, before, input);
    } while (kind > 0);
    if (kind == 0 && input.at != input.end)
      fault = "input left over";
    if (std::memcmp(input.end, slack.data(), slack.size()) != 0)
      fault = "slack written to";
    fed += piece.size();
    return kind == 0;
  }

  // What came so far; an unfinished frame counts unless an error is in it.
  outcome result() const
  {
    outcome all = result_;
    if (open_ && all.error == 0)
      all.frames.push_back(frame_);
    return all;
  }

  weir__parser parser;
  const char *fault = nullptr;
  const char *reason = nullptr; // of the error
  std::size_t fed = 0;          // before the piece that held the error
  std::size_t events = 0;

private:
  void fail(int code, const weir__event &event, std::size_t piece_size)
  {
    result_.error = code;
    result_.error_at = fed + piece_size;
    reason = event.reason;
  }

  void take(int kind, const weir__event &event, const unsigned char *before,
            const weir__input &input)
  {
    events++;
    if (kind != event.kind)
      fault = "kind is not what was returned";
    if (event.data < before || event.data + event.len != input.at || input.at > input.end)
      fault = "piece is not within its input";
    if (event.remaining != weir__parser_due(&parser))
      fault = "due is not what remains";
    if (event.last && event.remaining != 0)
      fault = "last before the end of the frame";
    if (open_)
      go_on(kind, event);
    else
      frame_ = {kind, event.opcode, event.rsv1, event.first, false, false, ""};
    frame_.payload.append(reinterpret_cast<const char *>(event.data), event.len);
    frame_.last = event.last;
    frame_.whole = event.remaining == 0;
    remaining_ = event.remaining;
    open_ = !frame_.whole;
    if (frame_.whole)
      result_.frames.push_back(frame_);
  }

  void go_on(int kind, const weir__event &event)
  {
    if (kind != frame_.kind || event.opcode != frame_.opcode || event.rsv1 != frame_.rsv1)
      fault = "frame changed under way";
    if (event.first)
      fault = "first twice";
    if (event.len == 0)
      fault = "empty piece of a frame that is not empty";
    if (event.len + event.remaining != remaining_)
      fault = "remaining is wrong";
  }

  weir__parser_limits limits_;
  outcome result_;
  frame frame_;
  bool open_ = false;
  std::uint64_t remaining_ = 0;
};

// A masked frame, with the length in its shortest form.
inline std::string masked(int first, const std::string &payload,
                          const std::string &key = "\x37\xFA\x21\x3D")
{
  std::string out(1, static_cast<char>(first));
  std::uint64_t length = payload.size();
  int size = length < 126 ? 0 : length < 65536 ? 2 : 8;
  out += static_cast<char>(0x80 | (size == 0 ? length : size == 2 ? 126 : 127));
  for (int i = size; i-- > 0;)
    out += static_cast<char>(length >> (8 * i));
  out += key;
  for (std::size_t i = 0; i < payload.size(); i++)
    out += static_cast<char>(payload[i] ^ key[i % 4]);
  return out;
}

} // namespace naive
