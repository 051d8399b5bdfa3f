// permessage-deflate as a client of the simulation speaks it (RFC 7692): what it offers, what the
// server must answer, a sender with many ways of compressing, and a receiver that forgives nothing.
#ifndef WEIR_SIM_SQUEEZE_HPP
#define WEIR_SIM_SQUEEZE_HPP

#include "dice.hpp"
#include "support/deflater.hpp"

#include <memory>
#include <string>
#include <string_view>

namespace sim
{

// What a client asks for in Sec-WebSocket-Extensions.
struct offer {
  bool made = false;
  bool server_no_takeover = false, client_no_takeover = false;
  int server_bits = 0;       // 0: not named
  bool client_named = false; // client_max_window_bits, with client_bits or, when that is 0, bare
  int client_bits = 0;
  bool strange_first = false; // one that the server must decline stands before it
  bool quoted = false;        // values are quoted strings

  static offer of(dice &roll);
  std::string text() const; // the field's value
};

// What a route wants.
struct wish {
  bool offered = false; // the route compresses at all
  bool takeover = false;
  bool drops = false; // messages that were taken: none may refer to them
  int server_bits = 15, client_bits = 15;
  bool stingy = false; // its memory for contexts may run out: clients may be asked to keep none
};

// What was agreed.
struct terms {
  bool agreed = false;
  bool server_takeover = true, client_takeover = true;
  int server_bits = 15, client_bits = 15;
  bool operator==(const terms &) const = default;
};

// What must come of an offer.
terms expected_of(const offer &asked, const wish &wanted);

// Reads the server's answer, "" for none. Returns a complaint, or "".
std::string read_answer(const offer &asked, const std::string &answer, terms &out);

// Inflates whole messages. Refuses distances that reach behind the agreed window (zlib alone lets
// them pass within one call), a final block where the context is kept (many a peer reads nothing
// behind one), and what is left over behind a message.
class strict_inflater
{
public:
  explicit strict_inflater(const terms &agreed);
  ~strict_inflater();
  strict_inflater(const strict_inflater &) = delete;

  // Appends to out. Returns a complaint, or "".
  std::string message(std::string_view squeezed, std::string &out);

private:
  std::string run(std::string_view in, std::string &out);

  z_stream stream_ = {};
  const bool takeover_;
  const size_t room_;
};

// Both directions of one client.
class squeezer
{
public:
  squeezer(const terms &agreed, dice &roll);

  // A message's payload data, compressed in one of many ways.
  std::string squeeze(std::string_view payload);

  std::string expand(std::string_view squeezed, std::string &out)
  {
    return inflater_.message(squeezed, out);
  }

  const terms agreed;
  size_t squeezed = 0; // messages sent so

private:
  void begin_anew();
  std::string in_pieces(std::string_view payload);

  dice &roll_;
  std::unique_ptr<support::deflater> deflater_;
  strict_inflater inflater_;
};

} // namespace sim

#endif
