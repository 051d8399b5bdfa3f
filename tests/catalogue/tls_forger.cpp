#include "catalogue/tls_forger.hpp"

#include <gtest/gtest.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/ssl.h>

namespace catalogue
{

namespace
{

constexpr size_t hash_bytes = 32, key_bytes = 16, nonce_bytes = 12, tag_bytes = 16;

void append_number(std::string &out, uint64_t value, int bytes)
{
  for (int i = bytes - 1; i >= 0; i--)
    out += static_cast<char>(value >> 8 * i & 0xFF);
}

std::string from_hex(const std::string &text)
{
  std::string out;
  for (size_t i = 0; i + 1 < text.size(); i += 2)
    out += static_cast<char>(std::stoi(text.substr(i, 2), nullptr, 16));
  return out;
}

/* HKDF-Expand-Label without a context (section 7.1), of at most one hash. */
std::string expand(const std::string &secret, const std::string &label, size_t bytes)
{
  std::string info;
  append_number(info, bytes, 2);
  append_number(info, 6 + label.size(), 1);
  info += "tls13 " + label;
  info += '\0';
  info += '\1';
  std::string out(hash_bytes, '\0');
  HMAC(EVP_sha256(), secret.data(), static_cast<int>(secret.size()),
       reinterpret_cast<const unsigned char *>(info.data()), info.size(),
       reinterpret_cast<unsigned char *>(out.data()), nullptr);
  out.resize(bytes);
  return out;
}

const unsigned char *bytes_of(std::string_view text)
{
  return reinterpret_cast<const unsigned char *>(text.data());
}

std::string sealed(const std::string &key, const std::string &nonce, const std::string &header,
                   const std::string &inner)
{
  std::string out(inner.size() + tag_bytes, '\0');
  auto *at = reinterpret_cast<unsigned char *>(out.data());
  int len = 0;
  EVP_CIPHER_CTX *cipher = EVP_CIPHER_CTX_new();
  EVP_EncryptInit_ex(cipher, EVP_aes_128_gcm(), nullptr, bytes_of(key), bytes_of(nonce));
  EVP_EncryptUpdate(cipher, nullptr, &len, bytes_of(header), static_cast<int>(header.size()));
  EVP_EncryptUpdate(cipher, at, &len, bytes_of(inner), static_cast<int>(inner.size()));
  EVP_EncryptFinal_ex(cipher, at + len, &len);
  EVP_CIPHER_CTX_ctrl(cipher, EVP_CTRL_GCM_GET_TAG, tag_bytes, at + inner.size());
  EVP_CIPHER_CTX_free(cipher);
  return header + out;
}

} // namespace

std::string plain_record(unsigned type, std::string_view content, unsigned version)
{
  std::string out(1, static_cast<char>(type));
  append_number(out, version, 2);
  append_number(out, content.size(), 2);
  return out.append(content);
}

std::string handshake_message(unsigned type, std::string_view body,
                              std::optional<uint32_t> declared)
{
  std::string out(1, static_cast<char>(type));
  append_number(out, declared.value_or(static_cast<uint32_t>(body.size())), 3);
  return out.append(body);
}

forger::forger(server &at, int receive_buffer) : socket(at.port(), receive_buffer, transport::tcp)
{
  support::tls_peer_options options;
  options.cipher_suites = "TLS_AES_128_GCM_SHA256";
  socket.begin_tls(transport::tls13, options);
  SSL_CTX *context = SSL_get_SSL_CTX(socket.tls()->ssl());
  SSL_CTX_set_app_data(context, this);
  SSL_CTX_set_keylog_callback(context, note);
  EXPECT_TRUE(socket.upgrade());
  at.wait(socket, "on_open", [](const catalogue::record &r) { return r.opens == 1; });
  EXPECT_NE(logged_, "") << "no secret was logged";
  use(from_hex(logged_));
  sequence_ = 1; /* the request */
}

void forger::note(const ssl_st *ssl, const char *line)
{
  auto *self = static_cast<forger *>(SSL_CTX_get_app_data(SSL_get_SSL_CTX(ssl)));
  std::string_view text = line;
  if (text.substr(0, 24) == "CLIENT_TRAFFIC_SECRET_0 ")
    self->logged_ = text.substr(text.rfind(' ') + 1);
}

void forger::use(const std::string &secret)
{
  secret_ = secret;
  key_ = expand(secret, "key", key_bytes);
  nonce_ = expand(secret, "iv", nonce_bytes);
  sequence_ = 0;
}

std::string forger::record(unsigned type, std::string_view content, size_t padding)
{
  std::string inner(content), header(1, static_cast<char>(application_data)), nonce = nonce_;
  inner += static_cast<char>(type);
  inner.append(padding, '\0');
  append_number(header, 0x0303, 2);
  append_number(header, inner.size() + tag_bytes, 2);
  for (size_t i = 0; i < 8; i++)
    nonce[nonce_bytes - 1 - i] = static_cast<char>(nonce[nonce_bytes - 1 - i] ^ sequence_ >> 8 * i);
  sequence_++;
  return sealed(key_, nonce, header, inner);
}

std::string forger::key_update(bool requested)
{
  const std::string message = handshake_message(24, std::string(1, requested ? '\1' : '\0'));
  std::string out = record(handshake, message);
  use(expand(secret_, "traffic upd", hash_bytes));
  return out;
}

} // namespace catalogue
