// permessage-deflate for tests (RFC 7692 section 7.2), right and wrong: zlib as a client uses it,
// and blocks put together by hand. It knows nothing of the library.
#ifndef WEIR_TESTS_DEFLATER_HPP
#define WEIR_TESTS_DEFLATER_HPP

#include <cstdint>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <zlib.h>

namespace support
{

// What a sync flush ends with, and what is cut off a message and put back (section 7.2.1).
inline constexpr std::string_view flush_tail{"\0\0\xff\xff", 4};

// The sending side: payloads to the payload data of compressed messages. A window of 8 bits has no
// compressor in zlib: one of 9 bits keeps to distances of at most 250, which is as good.
class deflater
{
public:
  explicit deflater(int window_bits = 15, bool takeover = true, int level = 6,
                    int strategy = Z_DEFAULT_STRATEGY)
      : takeover_(takeover)
  {
    if (deflateInit2(&stream_, level, Z_DEFLATED, -(window_bits < 9 ? 9 : window_bits), 8,
                     strategy) != Z_OK)
      throw std::runtime_error("deflateInit2");
  }
  deflater(const deflater &) = delete;
  ~deflater()
  {
    deflateEnd(&stream_);
  }

  // A whole message. An empty one is a single empty block (section 7.2.3.6).
  std::string message(std::string_view payload)
  {
    std::string out = piece(payload, Z_SYNC_FLUSH);
    if (payload.empty() && out.empty())
      out = std::string(1, '\0') + std::string(flush_tail); // nothing new to flush
    out.resize(out.size() - flush_tail.size());
    if (out.empty())
      out.assign(1, '\0');
    if (!takeover_)
      deflateReset(&stream_);
    return out;
  }

  // A part of a stream, as zlib gives it with Z_NO_FLUSH, Z_SYNC_FLUSH, Z_FULL_FLUSH, Z_BLOCK or
  // Z_FINISH; behind the last of these the stream begins anew.
  std::string piece(std::string_view payload, int flush)
  {
    std::string out;
    char room[16384];
    stream_.next_in = reinterpret_cast<Bytef *>(const_cast<char *>(payload.data()));
    stream_.avail_in = static_cast<uInt>(payload.size());
    do {
      stream_.next_out = reinterpret_cast<Bytef *>(room);
      stream_.avail_out = sizeof room;
      deflate(&stream_, flush);
      out.append(room, sizeof room - stream_.avail_out);
    } while (stream_.avail_out == 0);
    if (flush == Z_FINISH)
      deflateReset(&stream_);
    return out;
  }

private:
  z_stream stream_ = {};
  bool takeover_;
};

// The receiving side: nothing when the data is invalid, or ends inside a block.
class inflater
{
public:
  explicit inflater(int window_bits = 15, bool takeover = true) : takeover_(takeover)
  {
    if (inflateInit2(&stream_, -window_bits) != Z_OK)
      throw std::runtime_error("inflateInit2");
  }
  inflater(const inflater &) = delete;
  ~inflater()
  {
    inflateEnd(&stream_);
  }

  std::optional<std::string> message(std::string_view compressed)
  {
    std::string in(compressed), out;
    in += flush_tail;
    stream_.next_in = reinterpret_cast<Bytef *>(in.data());
    stream_.avail_in = static_cast<uInt>(in.size());
    if (!drain(out))
      return std::nullopt;
    if (!takeover_)
      inflateReset(&stream_);
    return out;
  }

private:
  bool drain(std::string &out)
  {
    static thread_local char room[65536];
    for (bool border = false;;) {
      stream_.next_out = reinterpret_cast<Bytef *>(room);
      stream_.avail_out = sizeof room;
      int result = inflate(&stream_, Z_SYNC_FLUSH);
      out.append(room, sizeof room - stream_.avail_out);
      if (result == Z_STREAM_END)
        inflateReset(&stream_); // a final block: what follows is a stream of its own
      else if (result != Z_OK && result != Z_BUF_ERROR)
        return false;
      if (result != Z_BUF_ERROR) // which says nothing of where the stream stands
        border = result == Z_STREAM_END || (stream_.data_type & 128) != 0;
      if (stream_.avail_in == 0 && stream_.avail_out > 0)
        return border;
      if (result == Z_BUF_ERROR && stream_.avail_out > 0)
        return false;
    }
  }

  z_stream stream_ = {};
  bool takeover_;
};

// Blocks by hand (RFC 1951 section 3.2): bits from the lowest on, Huffman codes from their highest.
class bit_writer
{
public:
  bit_writer &bits(uint32_t value, int count)
  {
    for (int i = 0; i < count; i++)
      bit(value >> i & 1);
    return *this;
  }
  bit_writer &code(uint32_t value, int length)
  {
    for (int i = length - 1; i >= 0; i--)
      bit(value >> i & 1);
    return *this;
  }

  // The head of a block: 0 stored, 1 fixed, 2 dynamic, 3 reserved.
  bit_writer &block(bool final, unsigned type)
  {
    return bits(final ? 1 : 0, 1).bits(type, 2);
  }

  // A symbol of the fixed literal code; 256 ends the block.
  bit_writer &symbol(unsigned value)
  {
    if (value < 144)
      return code(0x30 + value, 8);
    if (value < 256)
      return code(0x190 + value - 144, 9);
    return value < 280 ? code(value - 256, 7) : code(0xC0 + value - 280, 8);
  }
  bit_writer &literals(std::string_view text)
  {
    for (char c : text)
      symbol(static_cast<unsigned char>(c));
    return *this;
  }

  // In a fixed block, a match of 258 bytes; the distance is given by its code and its extra bits.
  bit_writer &match_258(unsigned distance_code, uint32_t extra, int extra_bits)
  {
    return symbol(285).code(distance_code, 5).bits(extra, extra_bits);
  }

  // A stored block, whole; wrong spoils its complement.
  bit_writer &stored(std::string_view data, bool final = false, uint16_t wrong = 0)
  {
    auto len = static_cast<uint16_t>(data.size());
    block(final, 0).align();
    bits(len, 16).bits(static_cast<uint16_t>(~len ^ wrong), 16);
    out_ += data;
    return *this;
  }
  bit_writer &align()
  {
    while (used_ != 0)
      bit(0);
    return *this;
  }
  std::string str() const
  {
    return out_;
  }

private:
  void bit(uint32_t value)
  {
    if (used_ == 0)
      out_ += '\0';
    out_.back() = static_cast<char>(out_.back() | (value << used_));
    used_ = (used_ + 1) % 8;
  }

  std::string out_;
  int used_ = 0;
};

} // namespace support

#endif
