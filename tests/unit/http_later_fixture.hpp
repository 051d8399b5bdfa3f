// A server with a route that keeps its requests, for whoever answers them later.
#ifndef WEIR_TESTS_HTTP_LATER_FIXTURE_HPP
#define WEIR_TESTS_HTTP_LATER_FIXTURE_HPP

#include "support/stage.hpp"

#include <gtest/gtest.h>

#include <cerrno>
#include <thread>

namespace http_later_test
{

using namespace support;

inline std::string str(weir_slice slice)
{
  return slice.data == nullptr ? "(none)" : std::string(slice.data, slice.len);
}

inline std::string get(const std::string &target, const std::string &more = "")
{
  return "GET " + target + " HTTP/1.1\r\nHost: x\r\n" + more + "\r\n";
}

inline int answer_with(weir_request *r, const std::string &body)
{
  int error = weir_request_respond_body(r, "text/plain", body.data(), body.size());
  return error != 0 ? error : weir_request_respond(r, 200);
}

/* Does it on another thread, and waits for it. */
template <class Do> auto elsewhere(Do once) -> decltype(once())
{
  decltype(once()) result;
  std::thread([&] { result = once(); }).join();
  return result;
}

/* "/later" keeps its requests, "/now/:n" answers with n at once. */
class http_later : public testing::Test
{
public:
  page later, now;
  weir_http_route options = {};
  stage at;
  std::vector<weir_request *> kept; /* each with a reference */
  std::vector<weir_request *> gone;

  http_later()
  {
    later.request = [this](weir_request *r) { return keep(r); };
    later.gone = [this](weir_request *r) { gone.push_back(r); };
    now.request = [](weir_request *r) {
      weir_slice n = weir_request_parameter(r, "n");
      return weir_request_respond_body(r, "text/plain", n.data, n.len);
    };
  }
  ~http_later() override
  {
    at.end_server();
    let_go();
  }

  int keep(weir_request *r)
  {
    kept.push_back(weir_request_keep(r));
    EXPECT_NE(kept.back(), nullptr);
    return WEIR_LATER;
  }
  void let_go()
  {
    for (weir_request *r : kept)
      weir_request_unref(r);
    kept.clear();
  }
  void start()
  {
    at.http("GET", "/later", later, options);
    at.http("GET", "/later/:room", later, options);
    at.http("GET", "/now/:n", now, options);
    at.start();
  }
  /* A client whose requests have come so far that so many are kept in all. */
  peer &ask(const std::string &requests, size_t count = 1)
  {
    peer &client = at.connect();
    client.send(requests);
    EXPECT_TRUE(at.until([&] { return kept.size() == count; }));
    return client;
  }
};

} // namespace http_later_test

#endif
