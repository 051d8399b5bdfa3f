/* Headers, masks and upgrades, without the checks that a server for strangers needs. */
#define OPENSSL_API_COMPAT 0x10100000L /* SHA1() */
#include "raw_wire.h"

#include <openssl/evp.h>
#include <openssl/sha.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

bool raw_header_read(struct raw_header *header, const unsigned char *bytes, size_t len)
{
  if (len < 2)
    return false;
  unsigned length = bytes[1] & 0x7f;
  size_t extended = length < 126 ? 0 : length == 126 ? 2 : 8;
  header->bytes = bytes;
  header->len = 2 + extended + 4;
  if (len < header->len)
    return false;
  header->payload = extended == 0 ? length : 0;
  for (size_t i = 0; i < extended; i++)
    header->payload = header->payload << 8 | bytes[2 + i];
  return true;
}

typedef uint64_t vector __attribute__((vector_size(64)));

/* What is stored ends where the payload does: the next frame's header may stand there. */
__attribute__((target_clones("arch=skylake-avx512", "avx2", "default"))) static void
unmask(unsigned char *to, const unsigned char *from, size_t len, const unsigned char key[4])
{
  uint32_t four;
  memcpy(&four, key, sizeof four);
  uint64_t eight = (uint64_t)four << 32 | four;
  vector keys = {eight, eight, eight, eight, eight, eight, eight, eight}, block;
  uint64_t word;
  size_t i = 0;
  for (; len - i >= sizeof block; i += sizeof block) {
    memcpy(&block, from + i, sizeof block);
    block ^= keys;
    memcpy(to + i, &block, sizeof block);
  }
  for (; len - i >= sizeof word; i += sizeof word) {
    memcpy(&word, from + i, sizeof word);
    word ^= eight;
    memcpy(to + i, &word, sizeof word);
  }
  for (; i < len; i++)
    to[i] = from[i] ^ key[i & 3];
}

/* Apart, because a function with clones cannot be called from another file in clang 14. */
void raw_unmask(unsigned char *to, const unsigned char *from, size_t len,
                const unsigned char key[4])
{
  unmask(to, from, len, key);
}

void raw_turn_key(unsigned char key[4], size_t len)
{
  unsigned char turned[4];
  for (size_t i = 0; i < 4; i++)
    turned[i] = key[(len + i) & 3];
  memcpy(key, turned, 4);
}

bool raw_upgrade(char answer[RAW_ANSWER], const char *head, size_t len, bool deflates)
{
  static const char name[] = "\nSec-WebSocket-Key: ";
  static const char guid[] = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";
  enum { KEY = 24 };
  unsigned char text[KEY + sizeof guid], digest[SHA_DIGEST_LENGTH], accept[32];
  const char *key = NULL;
  for (const char *line = head; line != NULL && key == NULL;) {
    line = memchr(line + 1, '\n', len - (size_t)(line + 1 - head));
    size_t rest = line != NULL ? len - (size_t)(line - head) : 0;
    if (rest >= sizeof name + KEY && strncasecmp(line, name, sizeof name - 1) == 0)
      key = line + sizeof name - 1;
  }
  if (key == NULL)
    return false;
  memcpy(text, key, KEY);
  memcpy(text + KEY, guid, sizeof guid);
  SHA1(text, KEY + sizeof guid - 1, digest);
  EVP_EncodeBlock(accept, digest, sizeof digest);
  snprintf(answer, RAW_ANSWER,
           "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
           "Sec-WebSocket-Accept: %s\r\n%s\r\n",
           (char *)accept,
           deflates ? "Sec-WebSocket-Extensions: permessage-deflate; server_no_context_takeover; "
                      "client_no_context_takeover\r\n"
                    : "");
  return true;
}
