// A naive WebSocket client for tests: a socket that never blocks, moved along by whoever drives the
// server in the same thread, or by its own await(). It has a codec of its own and knows nothing of
// the library. It may speak TLS: then all but the socket's own business goes through it.
#ifndef WEIR_TESTS_PEER_HPP
#define WEIR_TESTS_PEER_HPP

#include "support/tls_peer.hpp"

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

namespace support
{

/* How long anything may take that must happen: only a failing test waits that long. */
inline constexpr std::chrono::seconds patience{20};

/* The first byte of a frame (RFC 6455 section 5.2). */
enum : unsigned {
  continuation = 0,
  text = 1,
  binary = 2,
  closing = 8,
  ping = 9,
  pong = 10,
  fin = 0x80,
  nothing = 0x100 /* no frame at all */
};

/* A frame as the server sent it. */
struct frame {
  unsigned first = nothing;
  std::string payload;

  unsigned opcode() const
  {
    return first & 0x0F;
  }
  bool last() const
  {
    return (first & fin) != 0;
  }
  int code() const; /* of a Close frame; 1005 when it has none */
  std::string reason() const;
};

/* A response as it came; fields are the lines of the head. */
struct response {
  int status = 0;
  std::string head, body;

  std::string field(const std::string &name) const; /* "" when it is absent */
};

/* A client's frame, masked. */
std::string masked(unsigned first, std::string_view payload);

/* A Close frame's payload. */
std::string close_payload(int code, std::string_view reason = {});

/* The request that asks for an upgrade; more are whole header lines. */
std::string upgrade_request(std::string_view target = "/", std::string_view more = {});

class peer
{
public:
  /* Connects to a port of an address; receive_buffer is SO_RCVBUF, 0 for the system's. */
  explicit peer(uint16_t port, const char *address = "127.0.0.1", int receive_buffer = 0);
  explicit peer(const std::string &path); /* to a unix socket, or "@name" */
  peer(peer &&other) noexcept;
  peer &operator=(peer &&) = delete;
  ~peer();

  /* Before anything is sent: what is sent and comes from now on is TLS's. */
  void secure(const tls_peer_options &options);
  tls_peer *tls() const /* NULL: it is plain */
  {
    return tls_.get();
  }

  /* Queues bytes, and sends what the socket takes. */
  void send(std::string_view bytes);
  void say(std::string_view payload, unsigned first = fin | text)
  {
    send(masked(first, payload));
  }
  void send_raw(std::string_view bytes);     /* past TLS */
  void pass(int fd, std::string_view bytes); /* a descriptor along with bytes, to a unix socket, at
                                                once */
  void half_close(); /* FIN, behind what is queued; nothing may be queued after it. TLS does not
                        say that it ends: that is tls()->shutdown() */
  void reset();      /* RST: the end of this object's use */

  /* What has come: the next whole thing, or nothing yet. */
  std::optional<frame> take();
  std::optional<response> take_response(bool with_body = true);
  const std::string &input() const
  {
    return input_;
  }
  bool ended() const /* FIN or RST came; what came before it is in input */
  {
    return ended_;
  }
  bool was_reset() const
  {
    return reset_;
  }

  /* A stalled peer reads nothing. */
  void stall(bool on)
  {
    stalled_ = on;
  }

  /* Moves bytes both ways, without waiting; whether any moved. */
  bool pump();
  short interest() const; /* what poll(2) should wait for */
  int fd() const
  {
    return fd_;
  }
  uint16_t port() const; /* this end's */

  /* For a peer with a thread of its own: pumps until it holds; false after all patience. */
  bool await(const std::function<bool()> &holds);
  frame await_frame(); /* first is nothing: none came */

private:
  bool read_some();
  bool write_some();
  void encrypt();

  int fd_ = -1;
  bool ended_ = false, reset_ = false, stalled_ = false, finish_ = false;
  std::string input_, output_;
  std::unique_ptr<tls_peer> tls_;
  std::string plain_; /* waits for the handshake */
};

} // namespace support

#endif
