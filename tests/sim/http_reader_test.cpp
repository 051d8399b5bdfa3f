// The simulation's reader of responses: it must see what a lenient client would let pass.
#include "http_reader.hpp"

#include <gtest/gtest.h>

namespace
{

using found = sim::http_reader::found;

struct outcome {
  std::string complaint, body, rest;
  size_t responses = 0;
};

// Reads all that comes, in pieces of a size.
outcome read(std::string_view bytes, size_t step, bool no_body = false)
{
  sim::http_reader reader;
  outcome o;
  for (size_t at = 0; at < bytes.size() && o.complaint.empty(); at += step) {
    o.rest += bytes.substr(at, step);
    for (found what = found::head; what != found::more && o.complaint.empty();) {
      what = reader.amid() || !o.rest.empty() ? reader.take(o.rest) : found::more;
      if (what == found::head && no_body)
        reader.no_body();
      o.responses += what == found::whole;
      o.complaint = reader.complaint;
    }
  }
  o.body = reader.body;
  return o;
}

void expect_body(const std::string &bytes, const std::string &body, size_t responses = 1)
{
  for (size_t step : {size_t{1}, size_t{3}, bytes.size()}) {
    outcome o = read(bytes, step);
    EXPECT_EQ(o.complaint, "") << bytes;
    EXPECT_EQ(o.body, body) << bytes;
    EXPECT_EQ(o.responses, responses) << bytes;
  }
}

TEST(http_reader, takes_what_is_framed_well)
{
  expect_body("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello", "hello");
  expect_body("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", "");
  expect_body("HTTP/1.1 204 No Content\r\n\r\n", "");
  expect_body(
      "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\na\r\n0123456789\r\n"
      "0\r\n\r\n",
      "hello0123456789");
  expect_body("HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\n!", "!", 2);
}

TEST(http_reader, knows_where_a_response_ends)
{
  outcome o =
      read("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nHTTP/1.1 204 No Content\r\n\r\n", 7, true);
  EXPECT_EQ(o.complaint, "");
  EXPECT_EQ(o.responses, 2u);
  sim::http_reader reader;
  std::string in = "HTTP/1.1 200 OK\r\nX: y\r\n\r\nall of it";
  EXPECT_EQ(reader.take(in), found::head);
  EXPECT_EQ(reader.take(in), found::more);
  EXPECT_EQ(reader.body, "all of it");
  EXPECT_TRUE(reader.end());
  EXPECT_FALSE(reader.amid());
}

TEST(http_reader, forgives_nothing)
{
  for (const char *bytes : {
           "HTTP/1.0 200 OK\r\nContent-Length: 0\r\n\r\n",
           "HTTP/1.1 200\r\nContent-Length: 0\r\n\r\n",
           "HTTP/1.1 200 Fine\r\nContent-Length: 0\r\n\r\n",
           "HTTP/1.1 299 OK\r\nContent-Length: 0\r\n\r\n",
           "HTTP/1.1  200 OK\r\nContent-Length: 0\r\n\r\n",
           "HTTP/1.1 200 OK\r\nContent-Length : 0\r\n\r\n",
           "HTTP/1.1 200 OK\r\nContent-Length:0\r\n\r\n",
           "HTTP/1.1 200 OK\r\nContent-Length: 0 \r\n\r\n",
           "HTTP/1.1 200 OK\r\nContent-Length: 00\r\n\r\n",
           "HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n",
           "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n folded\r\n\r\n",
           "HTTP/1.1 200 OK\r\nContent-Length: 0\r\nContent-Length: 0\r\n\r\n",
           "HTTP/1.1 200 OK\r\nContent-Length: 0\r\nTransfer-Encoding: chunked\r\n\r\n",
           "HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\n\r\n",
           "HTTP/1.1 204 No Content\r\nContent-Length: 0\r\n\r\n",
           "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n05\r\nhello\r\n",
           "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nA\r\n0123456789\r\n",
           "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5;a\r\nhello\r\n",
           "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello!\r\n",
           "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\nX: y\r\n\r\n",
           "HTTP/1.1 200 OK\r\nX: a\nb\r\nContent-Length: 0\r\n\r\n",
       })
    EXPECT_NE(read(bytes, 5).complaint, "") << bytes;
}

} // namespace
