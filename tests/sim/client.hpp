// A WebSocket client of the simulation: it speaks by a codec of its own, as plain as can be, and
// judges every byte that it gets. Its packets arrive in pieces and after delays by the dice.
#ifndef WEIR_SIM_CLIENT_HPP
#define WEIR_SIM_CLIENT_HPP

#include "fake_kernel.hpp"
#include "squeeze.hpp"
#include "veil.hpp"

namespace sim
{

struct message {
  int opcode; // 1 text, 2 binary; of what the server sends, with AS_IT_IS: not to be compressed
  std::string payload;
  bool operator==(const message &) const = default;
};

constexpr int AS_IT_IS = 0x10, RSV1 = 0x40; // beside an opcode

// Where the server listens.
constexpr uint16_t SERVER_PORT = 8080;
constexpr const char *SOCKET_PATH = "/run/weir.sock";

// Whom the proxy names, along with the client's port.
constexpr const char *CLIENT_ADDRESS = "192.0.2.1";

// How the network and the client behave.
struct client_manners {
  size_t max_packet = 4096;      // bytes that arrive at once, at most
  uint64_t packet_gap_ns = 1000; // between packets, at most
  size_t max_read = 65536;       // bytes that it reads at once, at most
  uint64_t read_gap_ns = 1000;   // until it reads, at most
  bool answers_pings = true;
  bool answers_close = true;
  bool closes_after_end = true; // closes its socket when the server ended its direction
  bool tries_again = true;      // connects again when it was dropped before a handshake
  offer asked = {};             // permessage-deflate
  veil_manners veil = {};       // TLS
  bool local = false;           // connects to the unix socket
  bool proxied = false;         // a header of the PROXY protocol goes in front of all
  wish offered = {};            // by the route
  uint64_t whims = 1;           // the seed of how it compresses and encrypts
};

class client
{
public:
  client(kernel &k, unsigned number, client_manners how);

  // Connects and asks for an upgrade on the path; with an empty path it only connects.
  void connect(const std::string &path);

  // What it sends, in order. A message of n fragments is sent in n frames; where compression was
  // agreed, most are compressed.
  void send(const message &m, size_t fragments = 1);
  void send_frame(bool fin, int opcode, std::string_view payload);
  void send_raw(std::string_view bytes);
  void send_urgent(char byte);
  void send_close(int code, std::string_view reason);
  void send_notify(); // close_notify, and no FIN
  void send_fin();    // shutdown(SHUT_WR), behind what is on its way
  void send_end();    // close(2), behind what is on its way
  void send_reset();  // at once
  void stall(bool on);
  void change_keys(); // of TLS 1.3

  bool idle() const
  {
    return out_.empty();
  }
  bool unfinished() const // half a frame has come
  {
    return upgraded_ && !in_.empty();
  }
  std::string describe() const;

  const unsigned number;
  uint16_t port = 0; // of the present connection
  client_manners manners;
  std::shared_ptr<tcp_socket> socket;

  // What was agreed on compression, and both directions of it; NULL: none was.
  terms agreed;
  std::unique_ptr<squeezer> squeeze;

  // What it saw.
  bool open = false, ended = false, was_reset = false;
  int status = 0;                       // of the response to its upgrade
  int close_sent = 0;                   // the code, 1005 for none; 0: no Close was sent
  int close_got = 0;                    // the same of the server's
  bool broke_off = false;               // it sent FIN or RST of its own accord
  bool cut_short = false;               // TLS: the server's FIN came without close_notify
  int offence = 0;                      // the close code that a broken rule must bring
  unsigned attempts = 0;                // to connect
  size_t pings = 0, pongs = 0;          // that came
  size_t expanded = 0;                  // compressed messages that came
  uint64_t pinged_at = 0, ended_at = 0; // of the kernel's clock, ns
  std::string plain;                    // the response, where it was no upgrade
  std::function<void()> on_open;
  std::function<void(const message &, bool squeezed)> on_message;
  std::function<void()> on_end;
  std::function<bool(std::string &in)> speaks; // HTTP, in the place of one response: takes what it
                                               // can off what came; whether that was an upgrade
  std::function<void(const std::string &)> complain;
  std::function<SSL_SESSION *()> older; // a session to resume, or NULL
  SSL_SESSION *session() const
  {
    return veil_ == nullptr ? nullptr : veil_->session();
  }

private:
  enum class cargo { data, urgent, fin, end };
  struct piece {
    cargo what;
    std::string bytes;
    size_t at = 0;
  };

  void traffic();
  void lift_veil(std::string_view bytes);
  void end_veil();
  void push_due();
  void push(cargo what, std::string_view bytes);
  void schedule_delivery();
  void schedule_reading();
  void deliver();
  bool deliver_piece(piece &p);
  void read();
  void finish(bool by_reset);
  void again();
  void feed(std::string_view bytes);
  bool take_response();
  bool take_upgrade();
  void opened();
  void take_extension(const std::string &head);
  bool take_frame();
  void take_data(unsigned first, std::string payload);
  void take_control(int opcode, const std::string &payload);
  void wrong(const std::string &what);

  kernel &kernel_;
  std::string path_;
  std::deque<piece> out_;
  bool delivering_ = false, reading_ = false, stalled_ = false, blocked_ = false;
  std::string in_;
  bool upgraded_ = false;
  message partial_{0, ""};
  bool partial_squeezed_ = false;
  dice whims_;
  std::unique_ptr<veil> veil_; // NULL: it speaks in the clear
};

// The codec: a masked frame. The opcode may have RSV1 beside it.
std::string encode_frame(bool fin, int opcode, uint32_t key, std::string_view payload);

} // namespace sim

#endif
