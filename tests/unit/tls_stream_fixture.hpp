// A TLS stream over a wire of the test's: a kernel that takes and gives as little as it likes, and
// a client in the same thread.
#ifndef WEIR_TESTS_TLS_STREAM_FIXTURE_HPP
#define WEIR_TESTS_TLS_STREAM_FIXTURE_HPP

#include "io/tls_loop.h"
#include "loop_fixture.hpp"
#include "support/certificates.hpp"
#include "support/tls_peer.hpp"

#include <algorithm>
#include <cerrno>
#include <cstddef>
#include <random>
#include <utility>

using support::tls_peer;
using support::tls_peer_options;

// What the kernel would do for the server's end of the connection.
struct wire {
  std::string in, out;    // what came and was not read; what was sent and not carried on
  size_t step = SIZE_MAX; // bytes that a call takes or gives at most
  size_t room = SIZE_MAX; // bytes that it takes in all
  bool in_ended = false;  // FIN follows what came
  bool out_ended = false; // FIN was sent
  int error = 0;          // -errno of all calls
  size_t sends = 0, sent = 0;

  ssize_t recv(void *data, size_t len)
  {
    if (error != 0)
      return error;
    len = std::min({len, step, in.size()});
    if (len == 0)
      return in_ended ? 0 : -EAGAIN;
    std::copy_n(in.data(), len, static_cast<char *>(data));
    in.erase(0, len);
    return static_cast<ssize_t>(len);
  }

  ssize_t send(const void *data, size_t len, int flags)
  {
    EXPECT_NE(flags & MSG_NOSIGNAL, 0);
    EXPECT_NE(flags & MSG_DONTWAIT, 0);
    EXPECT_FALSE(out_ended);
    sends++;
    if (error != 0)
      return error;
    len = std::min({len, step, room});
    if (len == 0)
      return -EAGAIN;
    room -= len;
    sent += len;
    out.append(static_cast<const char *>(data), len);
    return static_cast<ssize_t>(len);
  }
};

inline wire *net; // of the test that runs

class tls_stream : public loop_fixture
{
protected:
  // A stream as a connection has it, with its own end of the wire and its client.
  struct end {
    weir__tls tls{};
    weir__stream s{};
  };
  static_assert(offsetof(end, s) == sizeof(weir__tls));

  wire kernel;
  std::unique_ptr<support::localhost> ids = std::make_unique<support::localhost>();
  weir_tls *tls = nullptr;
  end server;
  std::unique_ptr<tls_peer> client;
  std::string heard; // plaintext that the server got
  ssize_t last = 0;  // what its last recv returned

  tls_stream()
  {
    net = &kernel;
    fake.sys.recv = [](const weir__sys *, int, void *data, size_t len, int) {
      return net->recv(data, len);
    };
    fake.sys.send = [](const weir__sys *, int, const void *data, size_t len, int flags) {
      return net->send(data, len, flags);
    };
    fake.sys.shutdown = [](const weir__sys *, int, int how) {
      EXPECT_EQ(how, SHUT_WR);
      net->out_ended = true;
      return 0;
    };
  }
  ~tls_stream() override
  {
    if (server.tls.loop != nullptr)
      end_of(server);
    weir_tls_free(tls);
  }

  void watch(end &e)
  {
    static const weir__source_ops ops = {[](weir__source *) {}, [](weir__source *) {},
                                         [](weir__source *) {}};
    e.s.source.ops = &ops;
    e.s.ops = &weir__stream_tls;
    int fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    ASSERT_EQ(weir__loop_watch(loop, &e.s.source, fd, EPOLLIN), 0);
    ASSERT_EQ(weir__tls_init(&e.s, loop, weir__tls_take(tls)), 0);
  }

  void make_tls(weir_tls_options with = {})
  {
    with.size = sizeof with;
    with.identity = {ids->certificate.c_str(), ids->key.c_str()};
    ASSERT_EQ(weir_tls_new(&tls, &with, nullptr), 0);
  }

  void begin(tls_peer_options options = {}, weir_tls_options with = {})
  {
    if (tls == nullptr)
      make_tls(with);
    client = std::make_unique<tls_peer>(options);
    watch(server);
  }

  void end_of(end &e)
  {
    e.s.ops->close(&e.s, loop);
    weir__tls_fini(&e.s);
    e.tls.loop = nullptr;
  }

  // Reads what is there, as a connection does after an event.
  ssize_t receive(end &e)
  {
    e.s.source.readable = 1;
    do {
      last = e.s.ops->recv(&e.s, &fake.sys, loop->receive, WEIR__RECEIVE_BYTES);
      if (last > 0)
        heard.append(reinterpret_cast<char *>(loop->receive), static_cast<size_t>(last));
    } while (last > 0 && e.s.source.readable);
    return last;
  }

  // Room on the wire: an event says so.
  void writable()
  {
    server.s.source.writable = 1;
    weir__tls_flush(&server.s, &fake.sys);
  }

  // Carries bytes both ways until none move any more.
  void carry()
  {
    bool moved = true;
    for (int rounds = 0; moved; rounds++) {
      ASSERT_LT(rounds, 100000) << "nobody reads";
      loop->turn++;
      client->handshake();
      kernel.in += client->take_output();
      moved = !kernel.in.empty() || !kernel.out.empty() ||
              (server.tls.ssl != nullptr && server.tls.out != nullptr && kernel.room > 0);
      if (!kernel.in.empty())
        receive(server);
      if (kernel.room > 0)
        writable();
      client->got(std::exchange(kernel.out, {}));
    }
  }

  ssize_t give(const std::string &text)
  {
    return server.s.ops->send(&server.s, &fake.sys, text.data(), text.size());
  }

  ssize_t give(std::vector<std::string> pieces)
  {
    std::vector<iovec> iov;
    for (std::string &piece : pieces)
      iov.push_back({piece.data(), piece.size()});
    return server.s.ops->send_pieces(&server.s, &fake.sys, iov.data(),
                                     static_cast<int>(iov.size()));
  }

  // Sends all of it, as a queue does; returns what the client read meanwhile.
  std::string give_all(const std::string &text)
  {
    std::string got;
    size_t done = 0;
    while (done < text.size()) {
      server.s.source.writable = 1;
      ssize_t n = give(text.substr(done));
      EXPECT_TRUE(n > 0 || n == -EAGAIN) << n;
      if (n < 0 && n != -EAGAIN)
        return got;
      done += n < 0 ? 0 : static_cast<size_t>(n);
      EXPECT_LE(weir__stream_committed(&server.s), text.size() - done);
      client->got(std::exchange(kernel.out, {}));
      got += client->read();
    }
    return got;
  }

  std::string reason() const
  {
    return weir__tls_reason(&server.s);
  }

  static std::string noise(size_t len)
  {
    std::mt19937 random(static_cast<unsigned>(len));
    std::string text(len, ' ');
    for (char &c : text)
      c = static_cast<char>(random());
    return text;
  }
};

#endif
