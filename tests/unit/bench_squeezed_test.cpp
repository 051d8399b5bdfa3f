// The bench tool's compressed messages: each inflates by itself to what it stands for, and needs no
// larger window than it may.
#include "weir-bench/squeezed.h"

#include <gtest/gtest.h>
#include <zlib.h>

#include <memory>
#include <string>

namespace
{

struct Payload : payload {
  Payload(kind kind, std::size_t size)
  {
    EXPECT_EQ(payload_init(this, kind, size, true), 0);
  }
  Payload(const Payload &) = delete;
  ~Payload()
  {
    payload_fini(this);
  }
};

using Squeezed = std::unique_ptr<squeezed, decltype(&squeezed_free)>;

std::string bytes(const squeezed *squeezed, std::uint64_t number)
{
  std::size_t len = 0;
  const unsigned char *at = squeezed_at(squeezed, number, &len);
  return {reinterpret_cast<const char *>(at), len};
}

// Inflates with a window of so many bits, a byte of room at a time, so that what lies further back
// than the window is out of reach.
std::string inflated(std::string data, int bits)
{
  z_stream stream = {};
  EXPECT_EQ(inflateInit2(&stream, -bits), Z_OK);
  data += std::string("\0\0\xFF\xFF", 4);
  stream.next_in = reinterpret_cast<unsigned char *>(data.data());
  stream.avail_in = static_cast<uInt>(data.size());
  std::string out;
  for (int came = Z_OK; came == Z_OK;) {
    unsigned char room[1];
    stream.next_out = room;
    stream.avail_out = sizeof room;
    came = inflate(&stream, Z_SYNC_FLUSH);
    EXPECT_TRUE(came == Z_OK || came == Z_BUF_ERROR) << stream.msg;
    out.append(reinterpret_cast<char *>(room), sizeof room - stream.avail_out);
  }
  EXPECT_EQ(stream.avail_in, 0u);
  inflateEnd(&stream);
  return out;
}

TEST(BenchSqueezed, InflatesToItsMessages)
{
  for (kind kind : {KIND_BINARY, KIND_TEXT, KIND_CJK, KIND_JSON})
    for (std::size_t size : {2, 64, 1500}) {
      Payload payload(kind, size);
      Squeezed all(squeezed_new(&payload, 15), squeezed_free);
      for (std::uint64_t number = 0; number <= payload.mask; number += 97) {
        std::string message(size, '\0');
        payload_message(&payload, number, reinterpret_cast<unsigned char *>(message.data()));
        ASSERT_EQ(inflated(bytes(all.get(), number), 15), message) << number;
      }
    }
}

TEST(BenchSqueezed, KeepsToItsWindow)
{
  Payload payload(KIND_JSON, 6000);
  for (std::uint8_t bits : {8, 9, 12}) {
    Squeezed all(squeezed_new(&payload, bits), squeezed_free);
    std::string message(payload.size, '\0');
    payload_message(&payload, 3, reinterpret_cast<unsigned char *>(message.data()));
    EXPECT_EQ(inflated(bytes(all.get(), 3), bits), message) << int(bits);
  }
}

TEST(BenchSqueezed, IsAByteOfNothing)
{
  Payload payload(KIND_BINARY, 0);
  Squeezed all(squeezed_new(&payload, 15), squeezed_free);
  EXPECT_EQ(bytes(all.get(), 0), std::string(1, '\0'));
}

TEST(BenchSqueezed, SqueezesJson)
{
  Payload payload(KIND_JSON, 1024);
  Squeezed all(squeezed_new(&payload, 15), squeezed_free);
  for (std::uint64_t number = 0; number <= payload.mask; number++) {
    const std::size_t len = bytes(all.get(), number).size();
    EXPECT_TRUE(len > 300 && len < 560) << len;
  }
}

TEST(BenchSqueezed, SharesWhatFitsAWindow)
{
  Payload payload(KIND_JSON, 1024);
  EXPECT_EQ(squeezed_bits(&payload, 15), 15);
  EXPECT_EQ(squeezed_bits(&payload, 10), 15);
  EXPECT_EQ(squeezed_bits(&payload, 9), 9);
}

} // namespace
