// A WebSocket client of the simulation: it speaks by a codec of its own, as plain as can be, and
// judges every byte that it gets. Its packets arrive in pieces and after delays by the dice.
#ifndef WEIR_SIM_CLIENT_HPP
#define WEIR_SIM_CLIENT_HPP

#include "fake_kernel.hpp"

namespace sim
{

struct message {
  int opcode; // 1 text, 2 binary
  std::string payload;
  bool operator==(const message &) const = default;
};

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
};

class client
{
public:
  client(kernel &k, unsigned number, uint16_t server_port, client_manners how);

  // Connects and asks for an upgrade on the path; with an empty path it only connects.
  void connect(const std::string &path);

  // What it sends, in order. A message of n fragments is sent in n frames.
  void send(const message &m, size_t fragments = 1);
  void send_frame(bool fin, int opcode, std::string_view payload);
  void send_raw(std::string_view bytes);
  void send_urgent(char byte);
  void send_close(int code, std::string_view reason);
  void send_fin();   // shutdown(SHUT_WR), behind what is on its way
  void send_end();   // close(2), behind what is on its way
  void send_reset(); // at once
  void stall(bool on);

  bool idle() const
  {
    return out_.empty();
  }
  std::string describe() const;

  const unsigned number;
  uint16_t port = 0; // of the present connection
  client_manners manners;
  std::shared_ptr<tcp_socket> socket;

  // What it saw.
  bool open = false, ended = false, was_reset = false;
  int status = 0;                       // of the response to its upgrade
  int close_sent = 0;                   // the code, 1005 for none; 0: no Close was sent
  int close_got = 0;                    // the same of the server's
  bool broke_off = false;               // it sent FIN or RST of its own accord
  int offence = 0;                      // the close code that a broken rule must bring
  unsigned attempts = 0;                // to connect
  size_t pings = 0, pongs = 0;          // that came
  uint64_t pinged_at = 0, ended_at = 0; // of the kernel's clock, ns
  std::string plain;                    // the response, where it was no upgrade
  std::function<void()> on_open;
  std::function<void(const message &)> on_message;
  std::function<void()> on_end;
  std::function<void(const std::string &)> complain;

private:
  enum class cargo { data, urgent, fin, end };
  struct piece {
    cargo what;
    std::string bytes;
    size_t at = 0;
  };

  void traffic();
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
  bool take_frame();
  void take_data(bool fin, int opcode, std::string payload);
  void take_control(int opcode, const std::string &payload);
  void wrong(const std::string &what);

  kernel &kernel_;
  const uint16_t server_port_;
  std::string path_;
  std::deque<piece> out_;
  bool delivering_ = false, reading_ = false, stalled_ = false, blocked_ = false;
  std::string in_;
  bool upgraded_ = false;
  message partial_{0, ""};
};

// The codec: a masked frame.
std::string encode_frame(bool fin, int opcode, uint32_t key, std::string_view payload);

} // namespace sim

#endif
