/* What the tests of the C++ layer share: a server that runs on a thread of its own for the length
 * of a scope, and requests for the catalogue's client. */
#ifndef WEIR_UNIT_CPP_SUPPORT_HPP
#define WEIR_UNIT_CPP_SUPPORT_HPP

#include "catalogue/client.hpp"

#include <weir/weir.hpp>

#include <gtest/gtest.h>

#include <future>
#include <thread>

namespace cpp_test
{

using catalogue::client;

/* Serves on a free port of the loopback from now to the end of the scope. */
class running
{
public:
  explicit running(weir::server &app) : app_(app)
  {
    app.listen("127.0.0.1", 0);
    thread_ = std::thread([&app] { app.run(); });
  }
  running(weir::server &app, const weir::tls &certificates) : app_(app)
  {
    app.listen(certificates, "127.0.0.1", 0);
    thread_ = std::thread([&app] { app.run(); });
  }
  ~running()
  {
    stop();
  }
  running(const running &) = delete;

  void stop()
  {
    app_.stop();
    if (thread_.joinable())
      thread_.join();
  }

  /* A client that is connected to a target such as "/chat?name=x", with further header fields. */
  client open(std::string_view target = "/", std::vector<std::string> fields = {}) const
  {
    client made(app_.port());
    EXPECT_TRUE(made.upgrade(request(target, std::move(fields))));
    return made;
  }

  /* The status that an upgrade to the target is answered with. */
  int status_of(std::string_view target, std::vector<std::string> fields = {}) const
  {
    client made(app_.port());
    EXPECT_TRUE(made.send(request(target, std::move(fields)).str()));
    auto response = made.read_response();
    return response ? response->status : 0;
  }

  /* The answer to a plain GET. */
  catalogue::response get(std::string_view target) const
  {
    return ask("GET " + std::string(target));
  }

  /* The answer to a plain request: its method and target, a body, further header fields. */
  catalogue::response ask(const std::string &what, std::string_view body = {},
                          const std::vector<std::string> &fields = {}) const
  {
    client made(app_.port());
    EXPECT_TRUE(made.send(plain(what, body, fields)));
    return made.read_response(!what.starts_with("HEAD ")).value_or(catalogue::response{});
  }

  /* The bytes of such a request. */
  static std::string plain(const std::string &what, std::string_view body = {},
                           const std::vector<std::string> &fields = {})
  {
    std::string text = what + " HTTP/1.1\r\nHost: localhost\r\n";
    for (const std::string &field : fields)
      text += field + "\r\n";
    if (!body.empty())
      text += "Content-Length: " + std::to_string(body.size()) + "\r\n";
    return text + "\r\n" + std::string(body);
  }

private:
  static catalogue::request request(std::string_view target, std::vector<std::string> fields)
  {
    auto head = catalogue::request{}.with_line("GET " + std::string(target) + " HTTP/1.1");
    for (const std::string &field : fields)
      head = head.with(field);
    return head;
  }

  weir::server &app_;
  std::thread thread_;
};

/* The payload of the next frame, which must have this first byte. */
inline std::string read(client &from, unsigned first)
{
  auto frame = from.read_frame();
  if (!frame)
    return "nothing came";
  EXPECT_EQ(frame->first, first);
  return frame->payload;
}

inline std::string read_text(client &from)
{
  return read(from, catalogue::fin | catalogue::text);
}

inline std::string read_binary(client &from)
{
  return read(from, catalogue::fin | catalogue::binary);
}

/* The code of the Close frame that comes next. */
inline int read_close(client &from)
{
  auto frame = from.read_frame();
  if (!frame || frame->opcode() != catalogue::close_frame)
    return 0;
  return frame->close_code();
}

inline void say(client &to, std::string_view text)
{
  EXPECT_TRUE(to.send(catalogue::masked(catalogue::fin | catalogue::text, text)));
}

inline void say_binary(client &to, std::string_view data)
{
  EXPECT_TRUE(to.send(catalogue::masked(catalogue::fin | catalogue::binary, data)));
}

/* What a promise was given, or a failure of the test when nothing came. */
template <class T> T await(std::promise<T> &promise)
{
  auto future = promise.get_future();
  if (future.wait_for(catalogue::patience) != std::future_status::ready) {
    ADD_FAILURE() << "nothing came in time";
    return T();
  }
  return future.get();
}

/* Waits for a promise that says only that something happened. */
inline void await_done(std::promise<void> &promise)
{
  if (promise.get_future().wait_for(catalogue::patience) != std::future_status::ready)
    ADD_FAILURE() << "nothing happened in time";
}

} // namespace cpp_test

#endif
