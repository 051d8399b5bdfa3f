// TLS as the simulation has it: the client's side between a client's bytes and its socket, the
// certificates of the process, and randomness by the dice. OpenSSL asks for its random bytes here,
// so that a seed gives the same keys, tickets and lengths again; the server's key is RSA, and its
// certificate is made anew until its signature has one length, so that no length depends on the
// time of day. Ciphertext still does, in the ages of tickets and the dates of certificates: a
// story's decisions never do.
#ifndef WEIR_SIM_VEIL_HPP
#define WEIR_SIM_VEIL_HPP

#include "dice.hpp"
#include "support/tls_peer.hpp"

#include <memory>
#include <string>
#include <string_view>

struct weir_tls;

namespace sim
{

// How a client encrypts.
struct veil_manners {
  bool on = false;
  bool older = false;  // TLS 1.2
  bool trusts = false; // verifies the server's certificate
};

class veil
{
public:
  veil(const veil_manners &how, SSL_SESSION *resumed, dice &whims);

  // Plaintext, once the handshake is done; in records of any size.
  void write(std::string_view plaintext);

  // Ciphertext came; the plaintext in it.
  std::string got(std::string_view ciphertext);

  // Ciphertext that is due to the server.
  std::string due();

  void end() // close_notify
  {
    peer_.shutdown();
  }
  void change_keys();

  bool ended() const
  {
    return peer_.closed();
  }
  const std::string &error() const
  {
    return peer_.error();
  }
  SSL_SESSION *session() const
  {
    return peer_.session();
  }

private:
  void encrypt();

  dice &whims_;
  support::tls_peer peer_;
  std::string waiting_;
};

// From now on OpenSSL's random bytes come from this seed.
void seed_tls(uint64_t seed);

// What a server needs for TLS; NULL: the reason is in *why. The caller frees it.
struct weir_tls *server_tls(std::string *why);

} // namespace sim

#endif
