/* The attacker's side of the catalogue: a raw TCP socket, TLS over it or not, and a codec of its
 * own, so that no fault of the library can hide in code that both sides share. Nothing here knows
 * the library. */
#ifndef WEIR_CATALOGUE_CLIENT_HPP
#define WEIR_CATALOGUE_CLIENT_HPP

#include "support/tls_peer.hpp"

#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace catalogue
{

/* How long anything may take that must happen: only a failing test ever waits that long. */
#ifndef WEIR_CATALOGUE_PATIENCE_MS
#define WEIR_CATALOGUE_PATIENCE_MS 8000
#endif
inline constexpr std::chrono::milliseconds patience{WEIR_CATALOGUE_PATIENCE_MS};

/* What carries the bytes between clients and the server; local is a unix socket. */
enum class transport { tcp, tls12, tls13, local };

/* What a run of the catalogue is over: WEIR_CATALOGUE_TLS is the TLS version, 1.2 or 1.3, or not
 * set. */
transport chosen();

/* The first byte of a frame (RFC 6455 section 5.2). */
enum : unsigned {
  fin = 0x80,
  rsv1 = 0x40,
  rsv2 = 0x20,
  rsv3 = 0x10,
  continuation = 0x0,
  text = 0x1,
  binary = 0x2,
  close_frame = 0x8,
  ping = 0x9,
  pong = 0xA
};

/* How a frame is put on the wire, right or wrong. */
struct shape {
  unsigned first = fin | text;
  bool mask = true;
  int form = 0;                     /* bits of the length: 7, 16, 64; 0: the shortest that fits */
  std::optional<uint64_t> declared; /* the length that the header claims; the payload's if empty */
};

std::string encode(const shape &shape, std::string_view payload = {});

/* A correct client's frame. */
std::string masked(unsigned first, std::string_view payload = {});

/* A correct header alone, for a payload of so many bytes. */
std::string header_only(unsigned first, uint64_t declared);

/* A Close frame with a code, and a reason. */
std::string closing(int code, std::string_view reason = {});

/* A server's frame as it came. */
struct frame {
  unsigned first = 0;
  std::string payload;

  unsigned opcode() const
  {
    return first & 0x0F;
  }
  int close_code() const; /* 1005 when the payload is empty */
  std::string close_reason() const;
};

/* A request head that a test takes apart: each call returns a changed copy. */
struct request {
  std::string line = "GET / HTTP/1.1";
  std::vector<std::string> fields = {
      "Host: localhost", "Upgrade: websocket", "Connection: Upgrade",
      "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==", "Sec-WebSocket-Version: 13"};

  request with_line(std::string_view new_line) const;
  request with(std::string_view field) const;
  request without(std::string_view name) const;
  request replacing(std::string_view name, std::string_view field) const;
  std::string str() const;
};

struct response {
  int status = 0;
  std::vector<std::pair<std::string, std::string>> fields; /* names in lower case */
  std::string body;

  std::vector<std::string> values(std::string_view name) const;
  std::string value(std::string_view name) const; /* the first one, or nothing */
  bool has_token(std::string_view name, std::string_view token) const;
};

/* How a stream of bytes ended, seen from this side; cut is a FIN that no close_notify announced
 * (RFC 8446 section 6.1), where TLS had been set up. */
enum class ending { finished, reset, silence, cut };

class client
{
public:
  /* Connects to a port of the loopback; receive_buffer is SO_RCVBUF, 0 for the system's. The TLS
   * handshake goes ahead of what is sent first. */
  explicit client(uint16_t port, int receive_buffer = 0, transport over = chosen());
  client(client &&other) noexcept;
  client &operator=(client &&other) noexcept;
  ~client();

  /* Sends all of it, over TLS in records of its own. False when the server has reset the
   * connection, or takes nothing more. */
  bool send(std::string_view bytes);

  /* Past TLS, straight to and from the socket; and what send would give it. */
  bool send_raw(std::string_view bytes);
  std::string read_raw();

  /* Sends bytes and passes descriptors along, so many duplicates of one; on a unix socket. */
  bool pass(std::string_view bytes, int fd, size_t count = 1);
  std::string sealed(std::string_view bytes);

  /* Speaks TLS from here on, by options that a test chooses. */
  void begin_tls(transport over, support::tls_peer_options options = {});

  /* What a TLS handshake begins with, not sent; nothing on plain TCP. */
  std::string hello();

  /* The TLS handshake; true once it is done, and on plain TCP. */
  bool shake_hands();

  /* Sends a request and reads the 101; false, with a failure of the test, on any other answer. */
  bool upgrade(const request &head = {});
  const response &answer() const /* to it */
  {
    return answer_;
  }

  /* What comes next; empty, with a failure of the test, when it does not come whole. */
  std::optional<response> read_response(bool with_body = true);
  std::optional<frame> read_frame();

  /* Up to so many bytes of whatever comes, without interpreting it. */
  std::string read_some(size_t most, std::chrono::milliseconds timeout = patience);

  /* Reads on until the stream ends; discarded are the bytes that came until then. */
  ending wait_end(std::chrono::milliseconds timeout = patience);
  size_t discarded() const
  {
    return discarded_;
  }

  /* Whether something can be read within the time, or the stream's end. */
  bool readable(std::chrono::milliseconds timeout);

  /* What the kernel holds for this end, and whether it has seen the stream's end. */
  int available() const;
  bool ended() const;

  void half_close();    /* close_notify, FIN */
  void cut();           /* FIN alone */
  void reset();         /* RST */
  uint16_t port() const /* this end's, by which the server's records know it */
  {
    return port_;
  }
  int fd() const
  {
    return fd_;
  }
  bool is_local() const /* of a unix socket */
  {
    return local_;
  }
  support::tls_peer *tls() const /* NULL on plain TCP */
  {
    return tls_.get();
  }

private:
  bool flush_tls();
  bool take(std::string_view bytes);
  bool fill(std::chrono::steady_clock::time_point until);
  bool need(size_t bytes);

  int fd_ = -1;
  uint16_t port_ = 0;
  bool local_ = false;
  size_t discarded_ = 0;
  std::unique_ptr<support::tls_peer> tls_;
  bool secure_ = false; /* the TLS handshake is done */
  std::string input_;
  response answer_;
  ending end_ = ending::silence; /* finished or reset once the stream has ended */
};

} // namespace catalogue

#endif
