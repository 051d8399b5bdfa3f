/* The client's side of the opening handshake (RFC 6455 sections 4.1 and 4.2.2). In: what to ask
 * for, and a response head. Out: the request, and whether the answer fits it. Must not know how the
 * bytes travel. */
#include "wire/client_handshake.h"

#include "wire/handshake.h"
#include "wire/http.h"
#include "wire/text.h"

#include <openssl/evp.h>
#include <stdio.h>
#include <string.h>

void weir__client_key(const unsigned char random[16], char out[WEIR__CLIENT_KEY_LEN])
{
  unsigned char text[WEIR__CLIENT_KEY_LEN + 1]; /* EVP_EncodeBlock() adds a NUL */
  EVP_EncodeBlock(text, random, 16);
  memcpy(out, text, WEIR__CLIENT_KEY_LEN);
}

size_t weir__client_request(char *out, size_t size, const char *host, const char *path,
                            const char key[WEIR__CLIENT_KEY_LEN], const char *extra)
{
  int len = snprintf(out, size,
                     "GET %s HTTP/1.1\r\n"
                     "Host: %s\r\n"
                     "Upgrade: websocket\r\n"
                     "Connection: Upgrade\r\n"
                     "Sec-WebSocket-Key: %.*s\r\n"
                     "Sec-WebSocket-Version: 13\r\n"
                     "%s\r\n",
                     path, host, WEIR__CLIENT_KEY_LEN, key, extra);
  return len < 0 || (size_t)len >= size ? 0 : (size_t)len;
}

size_t weir__client_head_length(const char *data, size_t len)
{
  const char *end = data + len, *at = data;
  while ((at = memchr(at, '\n', (size_t)(end - at))) != NULL) {
    at++;
    if (end - at >= 2 && at[0] == '\r' && at[1] == '\n')
      return (size_t)(at + 2 - data);
  }
  return 0;
}

static const char *fault(const struct weir__http_head *head, const char *key)
{
  char accept[WEIR__ACCEPT_KEY_LEN];
  struct weir_slice answer = weir__text_trim(weir__http_field(head, "sec-websocket-accept"));
  if (head->major != 1 || head->minor != 1)
    return "The 101 is not of HTTP/1.1";
  if (!weir__http_has_token(head, "upgrade", "websocket"))
    return "The 101 does not name websocket in Upgrade";
  if (!weir__http_has_token(head, "connection", "upgrade"))
    return "The 101 does not name Upgrade in Connection";
  if (weir__http_field_count(head, "sec-websocket-accept") != 1)
    return "The 101 does not hold one Sec-WebSocket-Accept";
  weir__handshake_accept((struct weir_slice){key, WEIR__CLIENT_KEY_LEN}, accept);
  if (answer.len != sizeof accept || memcmp(answer.data, accept, sizeof accept) != 0)
    return "The 101's Sec-WebSocket-Accept is not the answer to our key";
  if (weir__http_field_count(head, "sec-websocket-protocol") > 0)
    return "The 101 names a subprotocol that was not asked for";
  return NULL;
}

int weir__client_check_offer(struct weir__http_head *head, const char *data, size_t len,
                             const char key[WEIR__CLIENT_KEY_LEN], const char **reason)
{
  int status = weir__http_parse_response(head, data, len, reason);
  if (status < 0)
    return status;
  *reason = status == 101 ? fault(head, key) : "The upgrade was refused";
  return status == 101 && *reason != NULL ? -1 : status;
}

int weir__client_check(const char *data, size_t len, const char key[WEIR__CLIENT_KEY_LEN],
                       const char **reason)
{
  struct weir__http_head head;
  int status = weir__client_check_offer(&head, data, len, key, reason);
  if (status != 101 || weir__http_field_count(&head, "sec-websocket-extensions") == 0)
    return status;
  *reason = "The 101 names an extension that was not asked for";
  return -1;
}
