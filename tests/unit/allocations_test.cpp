/* 100,000 echoes after a warm-up allocate nothing, in C and in C++. This program's own malloc
 * counts for the whole process; the client is a child, forked before there are threads. */
#include <weir/weir.h>
#include <weir/weir.hpp>

#include <gtest/gtest.h>

#include <array>
#include <atomic>
#include <cstdlib>
#include <cstring>
#include <thread>

#include <arpa/inet.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

namespace
{

std::atomic<unsigned long> allocations;

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
constexpr bool counting = false; // a sanitizer's malloc cannot be replaced
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
constexpr bool counting = false;
#else
constexpr bool counting = true;
#define COUNT_ALLOCATIONS
#endif
#else
constexpr bool counting = true;
#define COUNT_ALLOCATIONS
#endif

} // namespace

#ifdef COUNT_ALLOCATIONS
/* glibc's own entries, under the names that replace them; operator new comes here too. */
extern "C" {
void *__libc_malloc(size_t size);
void *__libc_calloc(size_t count, size_t size);
void *__libc_realloc(void *old, size_t size);
void *__libc_memalign(size_t alignment, size_t size);

void *malloc(size_t size)
{
  ++allocations;
  return __libc_malloc(size);
}
void *calloc(size_t count, size_t size)
{
  ++allocations;
  return __libc_calloc(count, size);
}
void *realloc(void *old, size_t size)
{
  ++allocations;
  return __libc_realloc(old, size);
}
void *memalign(size_t alignment, size_t size)
{
  ++allocations;
  return __libc_memalign(alignment, size);
}
void *aligned_alloc(size_t alignment, size_t size)
{
  return memalign(alignment, size);
}
int posix_memalign(void **out, size_t alignment, size_t size)
{
  *out = memalign(alignment, size);
  return *out != nullptr ? 0 : ENOMEM;
}
}
#endif

namespace
{

constexpr unsigned payload_bytes = 64, window = 50;
constexpr unsigned warm_up = 10'000, echoes = 100'000;

/* The client: whole windows of masked frames there, the same payloads back. */
class echo_client
{
public:
  explicit echo_client(uint16_t port)
  {
    sockaddr_in address = {};
    address.sin_family = AF_INET;
    address.sin_port = htons(port);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    fd_ = socket(AF_INET, SOCK_STREAM, 0);
    fine_ = connect(fd_, reinterpret_cast<sockaddr *>(&address), sizeof(address)) == 0;
    fine_ = fine_ && upgrade();
    compose();
  }
  ~echo_client()
  {
    close(fd_);
  }
  echo_client(const echo_client &) = delete;

  bool run(unsigned messages)
  {
    std::array<char, window *(payload_bytes + 2)> answer;
    for (unsigned i = 0; fine_ && i < messages; i += window)
      fine_ = put(frames_.data(), frames_.size()) && take(answer.data(), answer.size()) &&
              memcmp(answer.data(), expected_.data(), answer.size()) == 0;
    return fine_;
  }

private:
  bool upgrade()
  {
    static const char request[] = "GET / HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\n"
                                  "Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
                                  "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";
    std::string head;
    char byte;
    if (!put(request, sizeof(request) - 1))
      return false;
    while (!head.ends_with("\r\n\r\n")) {
      if (!take(&byte, 1))
        return false;
      head += byte;
    }
    return head.starts_with("HTTP/1.1 101 ");
  }
  void compose()
  {
    static const char key[4] = {0x12, 0x34, 0x56, 0x78};
    for (unsigned i = 0; i < window; i++) {
      frames_ += {'\x82', char(0x80 | payload_bytes), key[0], key[1], key[2], key[3]};
      expected_ += {'\x82', char(payload_bytes)};
      for (unsigned j = 0; j < payload_bytes; j++) {
        expected_ += char(i + j);
        frames_ += char((i + j) ^ key[j % 4]);
      }
    }
  }
  bool put(const char *data, size_t size)
  {
    while (size > 0) {
      ssize_t sent = send(fd_, data, size, MSG_NOSIGNAL);
      if (sent <= 0)
        return false;
      data += sent, size -= size_t(sent);
    }
    return true;
  }
  bool take(char *data, size_t size)
  {
    return recv(fd_, data, size, MSG_WAITALL) == ssize_t(size);
  }

  int fd_;
  bool fine_;
  std::string frames_, expected_;
};

/* The child in which a client runs; each step is begun by a byte through a socket pair and
 * answered by one: 1 for a step that went well. */
class child
{
public:
  child()
  {
    if (socketpair(AF_UNIX, SOCK_STREAM, 0, ends_.data()) != 0)
      return;
    pid_ = fork();
    if (pid_ == 0) {
      close(ends_[0]);
      serve();
    }
    close(ends_[1]);
  }
  ~child()
  {
    close(ends_[0]);
    int status;
    waitpid(pid_, &status, 0);
  }
  child(const child &) = delete;

  bool connect(uint16_t port)
  {
    return send(ends_[0], &port, sizeof(port), 0) == sizeof(port);
  }
  bool echo(unsigned messages)
  {
    char answer = 0;
    return send(ends_[0], &messages, sizeof(messages), 0) == sizeof(messages) &&
           recv(ends_[0], &answer, 1, 0) == 1 && answer == 1;
  }

private:
  [[noreturn]] void serve()
  {
    uint16_t port;
    unsigned messages;
    if (recv(ends_[1], &port, sizeof(port), MSG_WAITALL) != sizeof(port))
      _exit(1);
    echo_client client(port);
    while (recv(ends_[1], &messages, sizeof(messages), MSG_WAITALL) == sizeof(messages)) {
      char answer = client.run(messages);
      send(ends_[1], &answer, 1, 0);
    }
    _exit(0);
  }

  std::array<int, 2> ends_;
  pid_t pid_;
};

/* Echoes against a listening server, which runs on a thread; returns what they allocated. */
unsigned long allocations_of_echoes(child &client, weir_server *server)
{
  EXPECT_TRUE(client.connect(weir_server_port(server)));
  std::thread serving([server] { EXPECT_EQ(weir_server_run(server), 0); });
  EXPECT_TRUE(client.echo(warm_up));
  unsigned long before = allocations;
  EXPECT_TRUE(client.echo(echoes));
  unsigned long during = allocations - before;
  weir_server_stop(server);
  serving.join();
  weir_counters counters = {};
  weir_server_counters(server, &counters);
  EXPECT_EQ(counters.messages_received, warm_up + echoes);
  return during;
}

void echo_in_c(weir_conn *conn, const weir_message *message, void *)
{
  weir_conn_send_message(conn, message);
}

TEST(Allocations, TheCountCounts)
{
  if (!counting)
    GTEST_SKIP() << "a sanitizer's malloc cannot be replaced";
  unsigned long before = allocations;
  void *volatile first = malloc(10);
  auto *volatile second = new int;
  free(first);
  delete second;
  EXPECT_EQ(allocations - before, 2u);
}

TEST(Allocations, NoneInC)
{
  if (!counting)
    GTEST_SKIP() << "a sanitizer's malloc cannot be replaced";
  child client;
  weir_server *server = nullptr;
  ASSERT_EQ(weir_server_new(&server, nullptr), 0);
  weir_route route = {};
  route.size = sizeof(route);
  route.options.size = sizeof(route.options);
  route.handlers.on_message = echo_in_c;
  ASSERT_EQ(weir_server_route(server, "/", &route, nullptr), 0);
  ASSERT_EQ(weir_server_listen(server, "127.0.0.1", 0), 0);
  EXPECT_EQ(allocations_of_echoes(client, server), 0u);
  weir_server_free(server);
}

struct user {
  unsigned long messages = 0;
};

TEST(Allocations, NoneInCpp)
{
  if (!counting)
    GTEST_SKIP() << "a sanitizer's malloc cannot be replaced";
  child client;
  unsigned long captured = 0;
  weir::server app;
  app.route<user>("/", {.message = [&](weir::conn<user> ws, weir::message m) {
                    captured++;
                    ws->messages++;
                    if (ws->messages % 2 == 0)
                      ws.send(m);
                    else
                      ws.send(m.bytes());
                  }});
  app.listen("127.0.0.1", 0);
  EXPECT_EQ(allocations_of_echoes(client, app.native()), 0u);
  EXPECT_EQ(captured, warm_up + echoes);
}

} // namespace
