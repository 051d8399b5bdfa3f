/* The opening handshake's rules (RFC 6455 sections 4.2.1, 4.2.2, 10.2). In: a parsed request head;
 * out: the status that refuses it, or the answer to its key and the subprotocol that both sides
 * know. Must not know of routes, nor of how a response is written. */
#define OPENSSL_API_COMPAT 0x10100000L /* SHA1_*: a sixth of the cost of what replaces them */

#include "wire/handshake.h"
#include "wire/text.h"

#include <openssl/evp.h>
#include <openssl/sha.h>
#include <string.h>

enum { KEY_LEN = 24 }; /* base64 of 16 bytes */

static int refuse(const char **reason, int status, const char *sentence)
{
  *reason = sentence;
  return status;
}

bool weir__handshake_asked(const struct weir__http_head *head)
{
  return weir__http_has_token(head, "upgrade", "websocket");
}

static int check_request(const struct weir__http_head *head, const char **reason)
{
  if (!weir__text_equal(head->method, "GET"))
    return refuse(reason, -405, "The method of a WebSocket handshake is not GET");
  if (head->minor == 0)
    return refuse(reason, -400, "HTTP/1.0 cannot upgrade to WebSocket");
  if (head->has_body)
    return refuse(reason, -400, "A WebSocket handshake has no body");
  return 0;
}

static int check_upgrade(const struct weir__http_head *head, const char **reason)
{
  if (!weir__handshake_asked(head))
    return refuse(reason, -400, "Upgrade does not name websocket");
  if (!weir__http_has_token(head, "connection", "upgrade"))
    return refuse(reason, -400, "Connection does not name upgrade");
  return 0;
}

static int check_version(const struct weir__http_head *head, const char **reason)
{
  size_t count = weir__http_field_count(head, "sec-websocket-version");
  if (count == 0)
    return refuse(reason, -426, "Sec-WebSocket-Version is missing");
  if (count > 1)
    return refuse(reason, -400, "Sec-WebSocket-Version stands more than once");
  if (!weir__text_equal(weir__http_field(head, "sec-websocket-version"), "13"))
    return refuse(reason, -426, "Sec-WebSocket-Version is not 13");
  return 0;
}

/* Whether a key is base64 of 16 bytes, as an encoder writes it: the four bits that the last digit
 * has over are zero, and there is all of the padding. OpenSSL's decoder asks for neither. */
static bool is_key(struct weir_slice key)
{
  enum { DIGITS = KEY_LEN - 2 };
  if (key.len != KEY_LEN || memcmp(key.data + DIGITS, "==", 2) != 0)
    return false;
  for (size_t i = 0; i < DIGITS; i++) {
    unsigned char c = (unsigned char)key.data[i];
    if (c == '_' || (!weir__text_in(c, WEIR__TEXT_WORD) && c != '+' && c != '/'))
      return false;
  }
  return memchr("AQgw", key.data[DIGITS - 1], 4) != NULL;
}

static int check_key(const struct weir__http_head *head, const char **reason)
{
  size_t count = weir__http_field_count(head, "sec-websocket-key");
  if (count == 0)
    return refuse(reason, -400, "Sec-WebSocket-Key is missing");
  if (count > 1)
    return refuse(reason, -400, "Sec-WebSocket-Key stands more than once");
  if (!is_key(weir__http_field(head, "sec-websocket-key")))
    return refuse(reason, -400, "Sec-WebSocket-Key is not base64 of 16 bytes");
  return 0;
}

static bool holds(const struct weir_slice *list, size_t count, struct weir_slice name)
{
  for (size_t i = 0; i < count; i++)
    if (list[i].len == name.len && memcmp(list[i].data, name.data, name.len) == 0)
      return true;
  return false;
}

static int check_protocols(const struct weir__http_head *head, const char **reason)
{
  struct weir_slice seen[WEIR__HANDSHAKE_PROTOCOLS], name;
  struct weir__http_list list = weir__http_list_begin(head, "sec-websocket-protocol");
  size_t count = 0;
  while (weir__http_list_next(&list, &name)) {
    if (!weir__http_is_token(name))
      return refuse(reason, -400, "Sec-WebSocket-Protocol holds what is not a token");
    if (holds(seen, count, name))
      return refuse(reason, -400, "Sec-WebSocket-Protocol names a subprotocol twice");
    if (count == WEIR__HANDSHAKE_PROTOCOLS)
      return refuse(reason, -400, "Sec-WebSocket-Protocol names too many subprotocols");
    seen[count++] = name;
  }
  if (count == 0 && weir__http_field_count(head, "sec-websocket-protocol") > 0)
    return refuse(reason, -400, "Sec-WebSocket-Protocol is empty");
  return 0;
}

int weir__handshake_check(const struct weir__http_head *head, const char **reason)
{
  static int (*const checks[])(const struct weir__http_head *, const char **) = {
      check_request, check_upgrade, check_version, check_key, check_protocols};
  int error = 0;
  for (size_t i = 0; error == 0 && i < sizeof checks / sizeof checks[0]; i++)
    error = checks[i](head, reason);
  return error;
}

void weir__handshake_accept(struct weir_slice key, char out[WEIR__ACCEPT_KEY_LEN])
{
  static const char guid[] = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";
  unsigned char digest[SHA_DIGEST_LENGTH];
  unsigned char text[WEIR__ACCEPT_KEY_LEN + 1]; /* EVP_EncodeBlock() adds a NUL */
  SHA_CTX sha;
  SHA1_Init(&sha);
  SHA1_Update(&sha, key.data, key.len);
  SHA1_Update(&sha, guid, sizeof guid - 1);
  SHA1_Final(digest, &sha);
  EVP_EncodeBlock(text, digest, sizeof digest);
  memcpy(out, text, WEIR__ACCEPT_KEY_LEN);
}

int weir__handshake_origin(const struct weir__http_head *head, const char *const *origins,
                           bool required, const char **reason)
{
  size_t count = weir__http_field_count(head, "origin");
  if (count > 1)
    return refuse(reason, -403, "Origin stands more than once");
  if (count == 0)
    return required ? refuse(reason, -403, "Origin is missing") : 0;
  if (origins == NULL)
    return 0;
  struct weir_slice origin = weir__http_field(head, "origin");
  for (; *origins != NULL; origins++)
    if (weir__text_equal(origin, *origins))
      return 0;
  return refuse(reason, -403, "Origin is not allowed");
}

const char *weir__handshake_protocol(const struct weir__http_head *head,
                                     const char *const *supported)
{
  struct weir__http_list list = weir__http_list_begin(head, "sec-websocket-protocol");
  struct weir_slice name;
  while (supported != NULL && weir__http_list_next(&list, &name))
    for (size_t i = 0; supported[i] != NULL; i++)
      if (weir__text_equal(name, supported[i]))
        return supported[i];
  return NULL;
}

bool weir__handshake_offers(const struct weir__http_head *head, const char *protocol)
{
  const char *const one[] = {protocol, NULL};
  return weir__handshake_protocol(head, one) != NULL;
}
