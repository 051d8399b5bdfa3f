/* Listening by options through the C++ layer: unix sockets, descriptors, names, TLS; and the loops
 * of a server. */
#include "unit/cpp_support.hpp"

#include "support/certificates.hpp"

#include <array>
#include <cstdlib>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

using namespace cpp_test;

namespace
{

/* A server that already listens, running to the end of the scope. */
class serving
{
public:
  explicit serving(weir::server &app) : app_(app), thread_([&app] { app.run(); }) {}
  ~serving()
  {
    app_.stop();
    thread_.join();
  }
  serving(const serving &) = delete;

private:
  weir::server &app_;
  std::thread thread_;
};

catalogue::response get(std::uint16_t port, const char *target,
                        catalogue::transport over = catalogue::transport::tcp)
{
  client one(port, 0, over);
  EXPECT_TRUE(one.send(running::plain("GET " + std::string(target))));
  return one.read_response().value_or(catalogue::response{});
}

weir::response hello(weir::request &req)
{
  return {.body = "hello " + req.peer().address};
}

/* All that comes for a request over a unix socket, until the server closes. */
std::string ask_unix(const std::string &path, const std::string &request)
{
  sockaddr_un address = {};
  address.sun_family = AF_UNIX;
  path.copy(address.sun_path, sizeof(address.sun_path) - 1);
  int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  EXPECT_EQ(connect(fd, reinterpret_cast<sockaddr *>(&address), sizeof(address)), 0);
  EXPECT_EQ(send(fd, request.data(), request.size(), MSG_NOSIGNAL),
            static_cast<ssize_t>(request.size()));
  std::string all;
  char bytes[1024];
  for (ssize_t n; (n = recv(fd, bytes, sizeof(bytes), 0)) > 0;)
    all.append(bytes, static_cast<std::size_t>(n));
  close(fd);
  return all;
}

TEST(CppListen, OnAUnixSocket)
{
  std::string folder = testing::TempDir() + "weir-XXXXXX";
  ASSERT_NE(mkdtemp(folder.data()), nullptr);
  std::string path = folder + "/app.sock";
  {
    weir::server app;
    app.get("/", hello);
    app.listen({.path = path, .mode = 0600});
    EXPECT_EQ(app.port(), 0);
    struct stat file = {};
    ASSERT_EQ(stat(path.c_str(), &file), 0);
    EXPECT_EQ(file.st_mode & 0777u, 0600u);
    serving running(app);
    std::string answer = ask_unix(path, running::plain("GET /", {}, {"Connection: close"}));
    EXPECT_TRUE(answer.starts_with("HTTP/1.1 200")) << answer;
    EXPECT_TRUE(answer.ends_with("\r\n\r\nhello unix")) << answer;
  }
  EXPECT_EQ(rmdir(folder.c_str()), 0) << "the socket's file is left";
}

TEST(CppListen, ByNames)
{
  weir::server app;
  app.get("/", hello);
  app.get("/", {.request = [](weir::request &) { return 418; }, .options = {.listener = "inside"}});
  app.listen({.host = "127.0.0.1"}).listen({.host = "127.0.0.1", .name = "inside"});
  EXPECT_NE(app.port(), 0);
  EXPECT_NE(app.port("inside"), 0);
  EXPECT_NE(app.port("inside"), app.port());
  EXPECT_EQ(app.port("nobody"), 0);
  serving running(app);
  EXPECT_EQ(get(app.port(), "/").body, "hello 127.0.0.1");
  EXPECT_EQ(get(app.port("inside"), "/").status, 418);
}

TEST(CppListen, OnADescriptor)
{
  int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in address = {};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  ASSERT_EQ(bind(fd, reinterpret_cast<sockaddr *>(&address), sizeof(address)), 0);
  ASSERT_EQ(listen(fd, 8), 0);
  weir::server app;
  app.get("/", hello);
  app.listen({.fd = fd});
  serving running(app);
  EXPECT_EQ(get(app.port(), "/").status, 200);
}

TEST(CppListen, BesideTls)
{
  support::localhost made;
  weir::server app;
  app.get("/", hello);
  {
    weir::tls certificates({.identity = {made.certificate, made.key}});
    app.listen({.host = "127.0.0.1", .tls = &certificates});
  }
  app.listen({.host = "127.0.0.1", .name = "plain"});
  serving running(app);
  EXPECT_EQ(get(app.port(), "/", catalogue::transport::tls13).status, 200);
  EXPECT_EQ(get(app.port("plain"), "/").status, 404) << "the route is not that listener's";
}

TEST(CppListen, SaysWhatFailed)
{
  weir::server app;
  auto message = [&](const weir::listen_options &options) -> std::string {
    try {
      app.listen(options);
    } catch (const std::system_error &error) {
      return error.what();
    }
    return "nothing failed";
  };
  EXPECT_NE(message({.path = "/nowhere/at/all"}).find("/nowhere/at/all"), std::string::npos);
  EXPECT_NE(message({.host = "not a host", .port = 80}).find("not a host:80"), std::string::npos);
  EXPECT_NE(message({.fd = 1 << 20}).find("descriptor 1048576"), std::string::npos);
}

TEST(CppListen, NothingWasInherited)
{
  unsetenv("LISTEN_FDS");
  EXPECT_TRUE(weir::inherited_descriptors().empty());
}

TEST(CppListen, PostsToEachLoop)
{
  weir::server app{{.loops = 2}};
  std::array<std::promise<std::thread::id>, 2> ran;
  app.get("/", hello);
  app.listen({.host = "127.0.0.1"});
  EXPECT_EQ(app.loop_count(), 2u);
  EXPECT_EQ(app.post(0, [] {}), std::errc::invalid_argument) << "it does not run";
  serving running(app);
  EXPECT_EQ(get(app.port(), "/").status, 200); // so it runs
  for (std::size_t i = 0; i < ran.size(); i++)
    EXPECT_FALSE(app.post(i, [&, i] { ran[i].set_value(std::this_thread::get_id()); }));
  EXPECT_NE(await(ran[0]), await(ran[1]));
  EXPECT_EQ(app.post(2, [] {}), std::errc::invalid_argument);
}

} // namespace
