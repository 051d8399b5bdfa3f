// What must hold of every unmasking kernel. Free of GoogleTest, so that mask_cross_main.cpp can run
// it on another architecture too. The reference is a loop over bytes and table 3-7 of the Unicode
// standard, and shares nothing with the code under test.
#pragma once

#include "wire/mask.h"

#include <algorithm>
#include <array>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <random>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace mask_checks
{

using Kernel = struct weir__mask_kernel; // C++ needs a name that no function has too

// Counts what was checked, and keeps the first failure in words.
struct Tally {
  uint64_t passed = 0;
  uint64_t failed = 0;
  std::string first_failure;

  template <class... Arguments> void check(bool holds, const char *format, Arguments... arguments)
  {
    if (holds) {
      passed++;
      return;
    }
    if (failed++ == 0) {
      char text[256];
      std::snprintf(text, sizeof text, format, arguments...);
      first_failure = text;
    }
  }
};

// A row of the table: a first byte, and the bounds of those that follow.
struct Row {
  unsigned char first_low, first_high;
  std::vector<std::pair<unsigned char, unsigned char>> rest;
};

inline const std::vector<Row> &rows()
{
  static const std::vector<Row> table = {
      {0x00, 0x7F, {}},
      {0xC2, 0xDF, {{0x80, 0xBF}}},
      {0xE0, 0xE0, {{0xA0, 0xBF}, {0x80, 0xBF}}},
      {0xE1, 0xEC, {{0x80, 0xBF}, {0x80, 0xBF}}},
      {0xED, 0xED, {{0x80, 0x9F}, {0x80, 0xBF}}},
      {0xEE, 0xEF, {{0x80, 0xBF}, {0x80, 0xBF}}},
      {0xF0, 0xF0, {{0x90, 0xBF}, {0x80, 0xBF}, {0x80, 0xBF}}},
      {0xF1, 0xF3, {{0x80, 0xBF}, {0x80, 0xBF}, {0x80, 0xBF}}},
      {0xF4, 0xF4, {{0x80, 0x8F}, {0x80, 0xBF}, {0x80, 0xBF}}},
  };
  return table;
}

struct Verdict {
  size_t sound;  // the text is sound up to here
  bool complete; // and no character is cut there; meaningful when all of it is sound
};

inline Verdict judge(std::string_view text)
{
  size_t at = 0;
  while (at < text.size()) {
    const auto first = static_cast<unsigned char>(text[at]);
    const auto row = std::find_if(rows().begin(), rows().end(), [&](const Row &candidate) {
      return first >= candidate.first_low && first <= candidate.first_high;
    });
    if (row == rows().end())
      return {at, false};
    at++;
    for (const auto &[low, high] : row->rest) {
      if (at == text.size())
        return {at, false};
      const auto byte = static_cast<unsigned char>(text[at]);
      if (byte < low || byte > high)
        return {at, false};
      at++;
    }
  }
  return {at, true};
}

inline std::string encode(uint32_t code)
{
  const auto byte = [](uint32_t value) { return static_cast<char>(value); };
  const auto six = [&](unsigned shift) { return byte(0x80 | (code >> shift & 0x3F)); };
  if (code < 0x80)
    return {byte(code)};
  if (code < 0x800)
    return {byte(0xC0 | code >> 6), six(0)};
  if (code < 0x10000)
    return {byte(0xE0 | code >> 12), six(6), six(0)};
  return {byte(0xF0 | code >> 18), six(12), six(6), six(0)};
}

using Key = std::array<unsigned char, 4>;
inline constexpr Key sample_key = {0x9D, 0x02, 0xE7, 0x58};

inline uint32_t as_word(const Key &key)
{
  uint32_t word;
  std::memcpy(&word, key.data(), sizeof word);
  return word;
}

inline Key rotated(const Key &key, size_t by)
{
  Key result;
  for (size_t i = 0; i < 4; i++)
    result[i] = key[(i + by) % 4];
  return result;
}

// Room for data at any alignment, with guards around it that tell a stray write.
class Arena
{
public:
  explicit Arena(size_t max_len) : bytes_(guard + 64 + max_len + guard)
  {
    base_ = bytes_.data() + guard;
    base_ += -reinterpret_cast<uintptr_t>(base_) % 64;
  }

  unsigned char *place(std::string_view plain, const Key &key, size_t alignment)
  {
    data_ = base_ + alignment;
    len_ = plain.size();
    std::memset(data_ - guard / 2, guard_byte, guard / 2);
    std::memset(data_ + len_, guard_byte, guard / 2);
    for (size_t i = 0; i < len_; i++)
      data_[i] = static_cast<unsigned char>(plain[i]) ^ key[i % 4];
    return data_;
  }

  bool holds(std::string_view plain) const
  {
    return std::memcmp(data_, plain.data(), len_) == 0;
  }

  bool guards_intact() const
  {
    static const std::vector<unsigned char> intact(guard / 2, guard_byte);
    return std::memcmp(data_ - guard / 2, intact.data(), guard / 2) == 0 &&
           std::memcmp(data_ + len_, intact.data(), guard / 2) == 0;
  }

private:
  static constexpr size_t guard = 128;
  static constexpr unsigned char guard_byte = 0xA5;
  std::vector<unsigned char> bytes_;
  unsigned char *base_;
  unsigned char *data_ = nullptr;
  size_t len_ = 0;
};

inline std::string random_bytes(size_t len, uint32_t seed)
{
  std::minstd_rand random(seed);
  std::string bytes(len, '\0');
  std::generate(bytes.begin(), bytes.end(), [&] { return static_cast<char>(random() >> 8); });
  return bytes;
}

// Characters of the given lengths in turn, and ASCII up to exactly len bytes.
inline std::string text_of(size_t len, std::string_view lengths)
{
  static const std::string samples[] = {"a", encode(0xE9), encode(0x4E2D), encode(0x1F600)};
  std::string text;
  for (size_t i = 0;; i++) {
    const std::string &next = samples[lengths[i % lengths.size()] - '1'];
    if (text.size() + next.size() > len)
      break;
    text += next;
  }
  text.resize(len, '.');
  return text;
}

// Unmasks pieces of the given lengths, the last taking the rest; where the text stops being UTF-8.
inline Verdict unmask_pieces(const Kernel &kernel, unsigned char *data, size_t len, const Key &key,
                             std::span<const size_t> pieces)
{
  weir__utf8 state = {};
  size_t at = 0;
  for (size_t i = 0; at < len || i == 0; i++) {
    const size_t piece = i < pieces.size() ? std::min(pieces[i], len - at) : len - at;
    const size_t sound =
        kernel.unmask_text(data + at, piece, weir__mask_rotate(as_word(key), at), &state);
    at += sound;
    if (sound < piece)
      break;
  }
  return {at, weir__utf8_complete(&state)};
}

// Holds the kernel against the reference on one text.
inline void check_text(const Kernel &kernel, Arena &arena, std::string_view text, Verdict expected,
                       std::span<const size_t> pieces, Tally &tally, size_t alignment = 0)
{
  unsigned char *data = arena.place(text, sample_key, alignment);
  const Verdict found = unmask_pieces(kernel, data, text.size(), sample_key, pieces);
  const bool all = expected.sound == text.size();
  tally.check(found.sound == expected.sound && (!all || found.complete == expected.complete),
              "%s: %zu bytes (first piece %zu, alignment %zu): sound up to %zu%s, expected %zu%s",
              kernel.name, text.size(), pieces.empty() ? text.size() : pieces[0], alignment,
              found.sound, found.complete ? "" : " (cut)", expected.sound,
              expected.complete ? "" : " (cut)");
  if (all)
    tally.check(arena.holds(text), "%s: %zu bytes of text unmasked wrongly", kernel.name,
                text.size());
  tally.check(arena.guards_intact(), "%s: %zu bytes of text: wrote outside", kernel.name,
              text.size());
}

inline void check_unmask(const Kernel &kernel, Arena &arena, std::string_view plain, const Key &key,
                         size_t alignment, Tally &tally)
{
  unsigned char *data = arena.place(plain, key, alignment);
  kernel.unmask(data, plain.size(), as_word(key));
  tally.check(arena.holds(plain), "%s: %zu bytes at alignment %zu, key %02x...: unmasked wrongly",
              kernel.name, plain.size(), alignment, key[0]);
  tally.check(arena.guards_intact(), "%s: %zu bytes at alignment %zu: wrote outside", kernel.name,
              plain.size(), alignment);
}

inline constexpr size_t dense_lengths = 600;
inline constexpr size_t large_lengths[] = {1023, 1024, 1025, 4095, 4096, 4097, 16384, 65537, 99999};

// Every length to 600 at every alignment within a cache line and every phase of the key.
inline void unmask_every_length(const Kernel &kernel, Tally &tally)
{
  Arena arena(100000);
  const std::string plain = random_bytes(100000, 1);
  for (size_t len = 0; len <= dense_lengths; len++)
    for (size_t alignment = 0; alignment < 64; alignment++)
      for (size_t phase = 0; phase < 4; phase++)
        check_unmask(kernel, arena, std::string_view(plain).substr(0, len),
                     rotated(sample_key, phase), alignment, tally);
  for (size_t len : large_lengths)
    for (size_t alignment = 0; alignment < 64; alignment += 7)
      check_unmask(kernel, arena, std::string_view(plain).substr(0, len), sample_key, alignment,
                   tally);
}

// Sound text of every length, of every mixture of character lengths.
inline void text_every_length(const Kernel &kernel, Tally &tally)
{
  Arena arena(100000);
  for (std::string_view lengths : {"1", "2", "3", "4", "1234", "1111111111111111111111112"}) {
    for (size_t len = 0; len <= dense_lengths; len++)
      for (size_t alignment = 0; alignment < 64; alignment += 5) {
        const std::string text = text_of(len, lengths);
        check_text(kernel, arena, text, {len, true}, {}, tally, alignment);
      }
    for (size_t len : large_lengths)
      check_text(kernel, arena, text_of(len, lengths), {len, true}, {}, tally);
  }
}

// Texts of every length, cut within their last character.
inline void text_cut_anywhere(const Kernel &kernel, Tally &tally)
{
  Arena arena(1000);
  for (std::string_view lengths : {"2", "3", "4", "1234"}) {
    const std::string text = text_of(400, lengths);
    for (size_t len = 0; len <= text.size(); len++) {
      const std::string_view cut = std::string_view(text).substr(0, len);
      check_text(kernel, arena, cut, judge(cut), {}, tally);
    }
  }
}

// The sequence at every given position of an ASCII text, and at its end.
inline void check_sequence(const Kernel &kernel, Arena &arena, std::string_view sequence,
                           std::span<const size_t> positions, Tally &tally)
{
  const Verdict at_end = judge(sequence);
  const Verdict within = judge(std::string(sequence) + '.');
  std::string text;
  for (size_t position : positions) {
    text.assign(position, '.');
    text += sequence;
    check_text(kernel, arena, text, {position + at_end.sound, at_end.complete}, {}, tally);
    text.append(70, '.');
    const bool sound = within.sound > sequence.size();
    check_text(kernel, arena, text, {sound ? text.size() : position + within.sound, true}, {},
               tally);
  }
}

inline constexpr size_t edges[] = {0, 15, 31, 62, 63, 127};

// Every two bytes, alone and around the edges of blocks.
inline void every_pair(const Kernel &kernel, Tally &tally)
{
  Arena arena(600);
  for (int first = 0; first < 256; first++)
    for (int second = 0; second < 256; second++) {
      const char sequence[] = {static_cast<char>(first), static_cast<char>(second)};
      check_sequence(kernel, arena, {sequence, 2}, edges, tally);
    }
}

// The bytes at which one of the rules begins or ends.
inline constexpr unsigned char boundary_bytes[] = {
    0x00, 0x7F, 0x80, 0x8F, 0x90, 0x9F, 0xA0, 0xBF, 0xC0, 0xC1, 0xC2, 0xDF, 0xE0,
    0xE1, 0xEC, 0xED, 0xEE, 0xEF, 0xF0, 0xF1, 0xF3, 0xF4, 0xF5, 0xF8, 0xFC, 0xFF};

// Every three boundary bytes.
inline void every_triple(const Kernel &kernel, Tally &tally)
{
  Arena arena(600);
  for (unsigned char a : boundary_bytes)
    for (unsigned char b : boundary_bytes)
      for (unsigned char c : boundary_bytes) {
        const unsigned char sequence[] = {a, b, c};
        check_sequence(kernel, arena, {reinterpret_cast<const char *>(sequence), 3}, edges, tally);
      }
}

// Every four boundary bytes of which the first two can stand together; the rest are pairs' work.
inline void every_quadruple(const Kernel &kernel, Tally &tally)
{
  Arena arena(600);
  constexpr size_t positions[] = {0, 61, 126};
  for (unsigned char a : boundary_bytes)
    for (unsigned char b : boundary_bytes)
      for (unsigned char c : boundary_bytes)
        for (unsigned char d : boundary_bytes) {
          const unsigned char bytes[] = {a, b, c, d};
          const std::string_view sequence(reinterpret_cast<const char *>(bytes), 4);
          if (a >= 0xC2 && judge(sequence).sound >= 2)
            check_sequence(kernel, arena, sequence, positions, tally);
        }
}

// What is wrong in a way of its own, and what is right but barely.
inline const std::vector<std::string> &telling_sequences()
{
  using namespace std::string_literals;
  static const std::vector<std::string> sequences = {
      "\x80"s,         "\xBF"s,         "\xC0\x80"s,         "\xC1\xBF"s,
      "\xC2\x80"s,     "\xDF\xBF"s,     "\xC2.\x80"s,        "\xE0\x80\x80"s,
      "\xE0\x9F\xBF"s, "\xE0\xA0\x80"s, "\xED\x9F\xBF"s,     "\xED\xA0\x80"s,
      "\xED\xBF\xBF"s, "\xEF\xBF\xBF"s, "\xE1\x80"s,         "\xE1\x80\xC2\x80"s,
      "\xF0\x80\x80"s, "\xF0\x8F\xBF"s, "\xF0\x90\x80\x80"s, "\xF4\x8F\xBF\xBF"s,
      "\xF4\x90\x80"s, "\xF5\x80\x80"s, "\xF1\x80\x80"s,     "\xF1\x80\x80\xF1\x80\x80\x80"s,
      "\xFE"s,         "\xFF"s,         "\xC2\x80\x80"s,     "\xF1\x80\x80\x80\x80"s,
  };
  return sequences;
}

// The telling sequences at every position of ASCII and of three-byte text, whatever the alignment.
inline void telling_everywhere(const Kernel &kernel, Tally &tally)
{
  Arena arena(1000);
  for (const std::string &sequence : telling_sequences())
    for (std::string_view lengths : {"1", "3"})
      for (size_t position = 0; position <= 600; position++) {
        const std::string text = text_of(position, lengths) + sequence + text_of(77, lengths);
        check_text(kernel, arena, text, judge(text), {}, tally, position * 11 % 64);
      }
}

// Every boundary byte at every position of a long run of three-byte characters, begun in any phase.
inline void bytes_in_runs(const Kernel &kernel, Tally &tally)
{
  Arena arena(1000);
  for (size_t ascii = 0; ascii < 3; ascii++) {
    const std::string run = std::string(ascii, '.') + text_of(720, "3");
    for (size_t position = 0; position < run.size(); position++)
      for (unsigned char byte : boundary_bytes) {
        std::string text = run;
        text[position] = static_cast<char>(byte);
        check_text(kernel, arena, text, judge(text), {}, tally, position % 64);
      }
  }
}

// Runs of characters of every lead of three bytes, between others, in two pieces.
inline void runs_of_every_lead(const Kernel &kernel, Tally &tally)
{
  Arena arena(4000);
  for (uint32_t code = 0x800; code <= 0xFFFF; code += code == 0xD7FF ? 0x801 : 0x7FF)
    for (std::string_view before : {"", ".", "\xC3\xA4", "\xF0\x9F\x98\x80..."}) {
      std::string text(before);
      for (int i = 0; i < 300; i++)
        text += encode(i % 97 == 0 ? code : 0x4E2D + i);
      text += text;
      for (size_t split : {0, 1, 2, 3, 500, 501, 502})
        check_text(kernel, arena, text, judge(text), std::array{split}, tally, split);
    }
}

// Texts that hold a telling sequence near an edge, in every two pieces.
inline void every_split(const Kernel &kernel, Tally &tally)
{
  Arena arena(1000);
  for (const std::string &sequence : telling_sequences())
    for (size_t position : {0, 14, 31, 60, 62, 63, 64, 130})
      for (std::string_view lengths : {"1", "1234"}) {
        const std::string text = text_of(position, lengths) + sequence + text_of(80, lengths);
        const Verdict expected = judge(text);
        for (size_t split = 0; split <= text.size(); split++)
          check_text(kernel, arena, text, expected, std::array{split}, tally, split % 16);
      }
}

// Sound text with a few random bytes in it, in random pieces, many of them tiny.
inline void random_texts(const Kernel &kernel, Tally &tally)
{
  Arena arena(4000);
  std::minstd_rand random(7);
  const auto below = [&](size_t bound) { return (random() >> 8) % bound; };
  static const char *const mixtures[] = {"1", "3", "1234", "4441", "11111111112"};
  for (int round = 0; round < 20000; round++) {
    std::string text = text_of(below(round % 16 == 0 ? 3000 : 300), mixtures[below(5)]);
    for (size_t wrong = below(3); wrong > 0 && !text.empty(); wrong--)
      text[below(text.size())] = static_cast<char>(below(256));
    std::vector<size_t> pieces;
    const size_t longest = size_t{1} << below(9);
    for (size_t count = below(12); count > 0; count--)
      pieces.push_back(below(longest + 1));
    check_text(kernel, arena, text, judge(text), pieces, tally, below(64));
  }
}

// One text of every code point there is, by chunks.
inline void every_code_point(const Kernel &kernel, Tally &tally)
{
  constexpr uint32_t chunk = 997;
  Arena arena(4 * chunk);
  for (uint32_t from = 0; from <= 0x10FFFF; from += chunk) {
    std::string text;
    for (uint32_t code = from; code < from + chunk && code <= 0x10FFFF; code++)
      if (code < 0xD800 || code > 0xDFFF)
        text += encode(code);
    check_text(kernel, arena, text, {text.size(), true}, {}, tally);
  }
}

struct Check {
  const char *name;
  void (*run)(const Kernel &kernel, Tally &tally);
};

inline constexpr Check checks[] = {
    {"unmask_every_length", unmask_every_length},
    {"text_every_length", text_every_length},
    {"text_cut_anywhere", text_cut_anywhere},
    {"every_pair", every_pair},
    {"every_triple", every_triple},
    {"every_quadruple", every_quadruple},
    {"telling_everywhere", telling_everywhere},
    {"bytes_in_runs", bytes_in_runs},
    {"runs_of_every_lead", runs_of_every_lead},
    {"every_split", every_split},
    {"random_texts", random_texts},
    {"every_code_point", every_code_point},
};

// What the module's own functions do, in the shape of a kernel.
inline const Kernel &dispatching()
{
  static const Kernel kernel = {"dispatch", [] { return true; }, weir__unmask, weir__unmask_text};
  return kernel;
}

// All kernels of this architecture, and the dispatch.
inline std::vector<const Kernel *> subjects()
{
  size_t count = 0;
  const Kernel *const *kernels = weir__mask_kernels(&count);
  std::vector<const Kernel *> all(kernels, kernels + count);
  all.push_back(&dispatching());
  return all;
}

} // namespace mask_checks
