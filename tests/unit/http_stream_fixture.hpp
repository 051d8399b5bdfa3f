// The server of http_later_fixture.hpp, whose kept requests are answered by streams.
#ifndef WEIR_TESTS_HTTP_STREAM_FIXTURE_HPP
#define WEIR_TESTS_HTTP_STREAM_FIXTURE_HPP

#include "http_later_fixture.hpp"

namespace http_later_test
{

class http_stream : public http_later
{
public:
  size_t drains = 0;
  std::function<void(weir_request *)> on_drain = [](weir_request *) {};

  http_stream()
  {
    later.drain = [this](weir_request *r) {
      EXPECT_EQ(weir_request_buffered(r), 0u) << "it comes when nothing is queued";
      drains++;
      on_drain(r);
    };
  }

  static int begin(weir_request *r, size_t len = WEIR_OFF, int status = 200)
  {
    return weir_request_begin(r, status, len);
  }
  static int write(weir_request *r, std::string_view piece)
  {
    return weir_request_write(r, piece.data(), piece.size());
  }
  static void stream(weir_request *r, size_t len, std::initializer_list<const char *> pieces)
  {
    EXPECT_EQ(begin(r, len), 0);
    for (const char *piece : pieces)
      EXPECT_EQ(write(r, piece), 0) << piece;
    EXPECT_EQ(weir_request_end(r), 0);
  }
  /* Writes pieces that differ until one is not taken. */
  static std::string fill(weir_request *r, size_t size)
  {
    std::string all;
    for (char next = 'a';; next = next == 'z' ? 'a' : static_cast<char>(next + 1)) {
      std::string piece(size, next);
      int error = write(r, piece);
      if (error != 0) {
        EXPECT_EQ(error, -ENOBUFS);
        return all;
      }
      all += piece;
    }
  }
  /* Waits for the end of a long chunked body, near the end of all that comes. */
  void await_end(peer &client)
  {
    EXPECT_TRUE(at.until([&] {
      const std::string &in = client.input();
      return in.find("\r\n0\r\n\r\n", in.size() < 500 ? 0 : in.size() - 500) != std::string::npos;
    }));
  }
  /* What follows a head, once it has come. */
  std::string raw_body(peer &client)
  {
    size_t end = std::string::npos;
    at.until([&] {
      end = client.input().find("\r\n\r\n");
      return end != std::string::npos || client.ended();
    });
    at.settle();
    return end == std::string::npos ? "no head" : client.input().substr(end + 4);
  }
};

} // namespace http_later_test

#endif
