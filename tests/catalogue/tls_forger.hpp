/* Records of TLS 1.3 put together by hand, under the keys of a client's session: what no TLS
 * library would send (RFC 8446 sections 5.2, 5.3, 7.3). */
#ifndef WEIR_CATALOGUE_TLS_FORGER_HPP
#define WEIR_CATALOGUE_TLS_FORGER_HPP

#include "catalogue/harness.hpp"

namespace catalogue
{

/* What a record holds (section 5.1). */
enum : unsigned { change_cipher_spec = 20, alert = 21, handshake = 22, application_data = 23 };

/* A record as it stands on the wire, not encrypted. */
std::string plain_record(unsigned type, std::string_view content, unsigned version = 0x0303);

/* A handshake message; declared is the length that it claims, the body's if empty. */
std::string handshake_message(unsigned type, std::string_view body,
                              std::optional<uint32_t> declared = {});

/* An open connection to "/" whose client sends forged records from then on. */
class forger
{
public:
  explicit forger(server &at, int receive_buffer = 0);
  forger(const forger &) = delete;

  /* The next record, encrypted: its content, its type, and so many zeros (section 5.4). */
  std::string record(unsigned type, std::string_view content, size_t padding = 0);

  /* KeyUpdate, and the keys that follow (section 4.6.3). */
  std::string key_update(bool requested);

  client socket;

private:
  static void note(const ssl_st *ssl, const char *line);
  void use(const std::string &secret);

  std::string logged_, secret_, key_, nonce_;
  uint64_t sequence_ = 0;
};

} // namespace catalogue

#endif
