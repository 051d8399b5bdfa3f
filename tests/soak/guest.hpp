// A client of a soak: it speaks TLS and compresses, and whatever comes to it tells how it must be.
#ifndef WEIR_SOAK_GUEST_HPP
#define WEIR_SOAK_GUEST_HPP

#include "sim/dice.hpp"
#include "support/deflater.hpp"
#include "support/peer.hpp"
#include "support/tls_peer.hpp"

#include <deque>
#include <memory>

namespace soak
{

// A message whose bytes follow from its first words: a verb (b: to all; c, e, n: an echo, n of
// noise), a number and a size.
std::string message(char verb, uint64_t number, size_t size);
bool is_message(const std::string &payload);

// All failures of a soak are thrown.
class guest
{
public:
  // Where messages to it may be dropped, its echoes may be missing, and its window is small.
  guest(uint16_t port, const char *path, bool lossy, SSL_SESSION *resumed);

  // Moves bytes, and judges what came.
  void step();

  void say(const std::string &text);
  void say_half(const std::string &text); // of its frame
  void close();                           // the closing handshake
  bool open() const
  {
    return open_;
  }
  bool quiet() const // all that it waits for has come
  {
    return due_.empty();
  }
  bool over() const // the server has ended
  {
    return peer_.ended();
  }
  support::peer &peer()
  {
    return peer_;
  }
  uint64_t heard = 0; // messages

private:
  std::string frame_of(const std::string &text);
  void take(const support::frame &frame);

  const bool lossy_;
  support::peer peer_;
  support::deflater deflater_;
  support::inflater inflater_;
  bool open_ = false, closing_ = false;
  std::deque<std::string> due_; // echoes
};

} // namespace soak

#endif
