/* How much of a ClientHello there is (RFC 8446 sections 4 and 5.1). A session of OpenSSL's takes 8
 * KiB, and 50 more as soon as it has read anything: who never finishes its first message gets none.
 */
#include "io/tls_loop.h"

enum { HANDSHAKE = 22, CLIENT_HELLO = 1, RECORD_HEAD = 5, MESSAGE_HEAD = 4 };

/* The message that the records carry, as far as it has come. */
struct hello {
  unsigned char head[MESSAGE_HEAD];
  size_t have;
};

static void take(struct hello *hello, const unsigned char *data, size_t len)
{
  for (size_t i = 0; i < len && hello->have + i < MESSAGE_HEAD; i++)
    hello->head[hello->have + i] = data[i];
  hello->have += len;
}

static size_t size_of(const struct hello *hello)
{
  return MESSAGE_HEAD +
         ((size_t)hello->head[1] << 16 | (size_t)hello->head[2] << 8 | hello->head[3]);
}

enum weir__tls_hello weir__tls_hello_of(const unsigned char *data, size_t len)
{
  struct hello hello = {.have = 0};
  while (len >= RECORD_HEAD) {
    size_t record = (size_t)data[3] << 8 | data[4];
    size_t there = len - RECORD_HEAD < record ? len - RECORD_HEAD : record;
    if (data[0] != HANDSHAKE || record == 0 || record > WEIR__TLS_RECORD)
      return WEIR__TLS_HELLO_NONE;
    take(&hello, data + RECORD_HEAD, there);
    if (hello.have > 0 && hello.head[0] != CLIENT_HELLO)
      return WEIR__TLS_HELLO_NONE;
    if (hello.have >= MESSAGE_HEAD && size_of(&hello) > WEIR__TLS_HELLO)
      return WEIR__TLS_HELLO_LONG;
    if (hello.have >= MESSAGE_HEAD && hello.have >= size_of(&hello))
      return WEIR__TLS_HELLO_WHOLE;
    data += RECORD_HEAD + there;
    len -= RECORD_HEAD + there;
  }
  return WEIR__TLS_HELLO_MORE;
}
