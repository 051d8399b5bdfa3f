// The bench tool's side of permessage-deflate: whatever way a message was compressed and cut, it is
// compared as if it had come plain, and nothing wrong passes.
#include "weir-bench/deflated.h"
#include "weir-bench/worker.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <string>
#include <vector>

namespace
{

const std::string TAIL("\0\0\xFF\xFF", 4);

struct Told {
  std::uint64_t seq;
  bool good;

  bool operator==(const Told &) const = default;
};

std::vector<Told> told;

void on_message(client *, std::uint64_t seq, bool good)
{
  told.push_back({seq, good});
}

// One connection to a server of which there is nothing but what it sends.
class Connection
{
public:
  explicit Connection(const offer &agreed, std::size_t size = 1024)
  {
    told.clear();
    settings.size = size;
    load_.settings = &settings;
    load_.result = &result;
    pthread_mutex_init(&load_.lock, nullptr);
    EXPECT_EQ(payload_init(&load_.payload, KIND_JSON, size, true), 0);
    worker_.load = &load_;
    client_.worker = &worker_;
    role_.message = on_message;
    client_.role = &role_;
    client_.state = CLIENT_OPEN;
    EXPECT_TRUE(deflated_open(&client_, &agreed));
  }
  Connection(const Connection &) = delete;
  ~Connection()
  {
    deflated_close(&client_);
    inflater_free(worker_.inflater);
    for (struct squeezed *squeezed : load_.squeezed)
      squeezed_free(squeezed);
    payload_fini(&load_.payload);
    pthread_mutex_destroy(&load_.lock);
  }

  std::string message(std::uint64_t seq) const
  {
    std::string text(load_.payload.size, '\0');
    payload_copy(&load_.payload, 0, seq, 0, text.size(),
                 reinterpret_cast<unsigned char *>(text.data()));
    return text;
  }

  // The server sends bytes in pieces of so many.
  void receive(std::string data, std::size_t cut = SIZE_MAX)
  {
    std::size_t at = 0;
    do {
      const std::size_t len = std::min(cut, data.size() - at);
      weir__event event = {};
      event.data = reinterpret_cast<unsigned char *>(data.data()) + at;
      event.len = len;
      event.rsv1 = true;
      event.first = at == 0;
      event.last = at + len == data.size();
      deflated_take(&client_, &event);
      at += len;
    } while (at < data.size());
  }

  const counts &counted() const
  {
    return worker_.counts;
  }
  std::string reason() const
  {
    return result.reason_count > 0 ? result.reasons[0].text : "";
  }
  void set_state(client_state state)
  {
    client_.state = state;
  }

  struct settings settings = {};
  struct result result = {};

private:
  struct load load_ = {};
  struct worker worker_ = {};
  struct client client_ = {};
  struct role role_ = {};
};

// A server's compressor.
class Compressor
{
public:
  explicit Compressor(bool takeover, int bits = 15) : takeover_(takeover)
  {
    EXPECT_EQ(deflateInit2(&stream_, 6, Z_DEFLATED, -bits, 8, Z_DEFAULT_STRATEGY), Z_OK);
  }
  Compressor(const Compressor &) = delete;
  ~Compressor()
  {
    deflateEnd(&stream_);
  }

  std::string operator()(std::string text, int flush = Z_SYNC_FLUSH)
  {
    std::string out(deflateBound(&stream_, text.size()) + 16, '\0');
    if (!takeover_)
      deflateReset(&stream_);
    stream_.next_in = reinterpret_cast<unsigned char *>(text.data());
    stream_.avail_in = static_cast<uInt>(text.size());
    stream_.next_out = reinterpret_cast<unsigned char *>(out.data());
    stream_.avail_out = static_cast<uInt>(out.size());
    deflate(&stream_, flush);
    out.resize(out.size() - stream_.avail_out);
    return flush == Z_FINISH ? out + '\0' : out.substr(0, out.size() - TAIL.size());
  }

private:
  z_stream stream_ = {};
  bool takeover_;
};

constexpr offer FORGETS = {false, false, 15, 15}, KEEPS = {true, true, 15, 15};

TEST(BenchDeflated, TakesMessagesThatStandAlone)
{
  Connection connection(FORGETS);
  Compressor compress(false);
  std::vector<Told> expected;
  for (std::uint64_t seq = 0; seq < 3000; seq++) {
    connection.receive(compress(connection.message(seq)));
    expected.push_back({seq, true});
  }
  EXPECT_EQ(told, expected);
  EXPECT_EQ(connection.counted().compressed, 3000u);
  EXPECT_EQ(connection.counted().messages_received, 3000u);
  EXPECT_EQ(connection.reason(), "");
}

TEST(BenchDeflated, TakesMessagesThatReferToThoseBefore)
{
  for (int bits : {9, 15}) {
    offer agreed = KEEPS;
    agreed.server_bits = static_cast<std::uint8_t>(bits);
    Connection connection(agreed, 3000);
    Compressor compress(true, bits);
    std::size_t first = 0, later = 0;
    for (std::uint64_t seq = 0; seq < 50; seq++) {
      const std::string data = compress(connection.message(seq));
      (seq == 0 ? first : later) = data.size();
      connection.receive(data);
      ASSERT_EQ(told.back(), (Told{seq, true})) << connection.reason();
    }
    EXPECT_TRUE(bits == 9 || later < first);
  }
}

TEST(BenchDeflated, TakesThemHoweverTheyAreCut)
{
  for (bool takeover : {false, true}) {
    Connection connection(takeover ? KEEPS : FORGETS);
    Compressor compress(takeover);
    std::uint64_t seq = 0;
    for (std::size_t cut : {1, 2, 3, 100, 400, 2000}) {
      connection.receive(compress(connection.message(seq)), cut);
      ASSERT_EQ(told.back(), (Told{seq++, true})) << connection.reason();
    }
  }
}

TEST(BenchDeflated, TakesFinalBlocks)
{
  Connection connection(FORGETS);
  Compressor compress(false);
  for (std::uint64_t seq = 0; seq < 3; seq++)
    connection.receive(compress(connection.message(seq), Z_FINISH));
  const std::string both = connection.message(3);
  std::string first = compress(both.substr(0, 500), Z_FINISH);
  first.pop_back();
  connection.receive(first + compress(both.substr(500)));
  EXPECT_EQ(told, (std::vector<Told>{{0, true}, {1, true}, {2, true}, {3, true}}))
      << connection.reason();
}

TEST(BenchDeflated, KeepsUpWithWhatCameBeforeItListened)
{
  Connection connection(KEEPS);
  Compressor compress(true);
  connection.set_state(CLIENT_SETTLING);
  connection.receive(compress(connection.message(0)));
  EXPECT_TRUE(told.empty());
  connection.set_state(CLIENT_OPEN);
  connection.receive(compress(connection.message(0)));
  EXPECT_EQ(told, (std::vector<Told>{{0, true}})) << connection.reason();
}

// The first bit says whether another block follows, which ends the message either way; what stands
// behind the end of the last block, in its byte, is nobody's.
bool says_nothing(std::size_t bit, const std::string &data)
{
  return bit == 0 || bit >= 8 * (data.size() - 1);
}

std::string flipped(std::string data, std::size_t bit)
{
  data[bit / 8] = static_cast<char>(data[bit / 8] ^ 1 << bit % 8);
  return data;
}

TEST(BenchDeflated, SeesEveryBitThatIsWrong)
{
  Compressor compress(false);
  const std::string data = compress(Connection(FORGETS, 64).message(0));
  for (std::size_t bit = 0; bit < 8 * data.size(); bit++) {
    Connection connection(FORGETS, 64);
    connection.receive(flipped(data, bit));
    ASSERT_TRUE(!told.back().good || says_nothing(bit, data)) << bit;
  }
}

TEST(BenchDeflated, SeesEveryBitThatIsWrongInWhatItKnows)
{
  Connection connection(FORGETS, 64);
  Compressor compress(false);
  std::vector<std::string> all;
  for (std::uint64_t seq = 0; seq < 1024; seq++)
    all.push_back(compress(connection.message(seq)));
  for (std::size_t bit = 0; bit < 8 * all[0].size(); bit += 5) {
    for (const std::string &data : all)
      connection.receive(data);
    ASSERT_TRUE(told.back().good) << connection.reason();
    connection.receive(flipped(all[0], bit));
    ASSERT_TRUE(!told.back().good || says_nothing(bit, all[0])) << bit;
    for (std::size_t seq = 1; seq < all.size(); seq++)
      connection.receive(all[seq]);
    told.clear();
  }
}

TEST(BenchDeflated, RefusesWhatIsNoMessage)
{
  Compressor compress(false);
  const auto refused = [&](const std::string &data) {
    Connection connection(FORGETS);
    connection.receive(data, 1000);
    EXPECT_EQ(told, (std::vector<Told>{{0, false}}));
    EXPECT_EQ(connection.counted().wrong, 1u);
    told.clear();
    connection.receive(compress(connection.message(1)));
    EXPECT_EQ(told, (std::vector<Told>{{1, true}})) << "it goes on";
    return connection.reason();
  };
  const std::string message = Connection(FORGETS).message(0);
  std::string unended = compress(message, Z_FINISH);
  unended.resize(unended.size() - 1); // its tail is taken for the beginning of a block
  EXPECT_EQ(refused(unended), "a compressed message is wrong: it ends inside a block");
  EXPECT_EQ(refused("\x07"), "a compressed message is wrong: invalid block type");
  EXPECT_EQ(refused(compress(message + "!")), "a message has 1025 bytes instead of 1024");
  EXPECT_EQ(refused(compress(message.substr(1))), "message 0 of connection 0 is wrong at byte 0 "
                                                  "of 1024");
  EXPECT_EQ(refused(std::string(1, '\0')), "a message has 0 bytes instead of 1024");
  std::string endless;
  for (int i = 0; i < 20000; i++)
    endless += std::string(1, '\0') + TAIL;
  const std::string sentence = "a compressed message is wrong: it does not come to its end";
  EXPECT_EQ(refused(endless + '\0'), sentence);
}

} // namespace
