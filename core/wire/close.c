/* Close frames (RFC 6455 sections 5.5.1 and 7.4).
 *
 * In: the unmasked payload of a Close frame; or a code and a reason. Out: code and reason, or the
 * rule that the payload breaks; or the payload. Knows nothing of the closing handshake. */
#include "wire/close.h"

#include "wire/utf8.h"

#include <string.h>

bool weir__close_code_valid(int code)
{
  return (code >= 1000 && code <= 1003) || (code >= 1007 && code <= 1014) ||
         (code >= 3000 && code <= 4999);
}

int weir__close_parse(const unsigned char *data, size_t len, int *code, const char **reason,
                      size_t *reason_len, const char **why)
{
  struct weir__utf8 utf8 = {0, 0, 0};

  *code = WEIR__CLOSE_NO_STATUS;
  *reason = (const char *)data;
  *reason_len = 0;
  if (len == 0)
    return 0;
  if (len == 1) {
    *why = "close payload is 1 byte";
    return -WEIR__CLOSE_PROTOCOL_ERROR;
  }
  *code = data[0] << 8 | data[1];
  *reason += 2;
  *reason_len = len - 2;
  if (!weir__close_code_valid(*code)) {
    *why = "close code is not allowed";
    return -WEIR__CLOSE_PROTOCOL_ERROR;
  }
  if (weir__utf8_validate(&utf8, data + 2, len - 2) != len - 2 || !weir__utf8_complete(&utf8)) {
    *why = "close reason is not UTF-8";
    return -WEIR__CLOSE_INVALID_PAYLOAD;
  }
  return 0;
}

/* The length of a reason, cut to what fits: never between the bytes of a character. */
static size_t fitting(const char *reason, size_t len)
{
  if (len <= WEIR__CLOSE_REASON_MAX)
    return len;
  len = WEIR__CLOSE_REASON_MAX;
  while (len > 0 && ((unsigned char)reason[len] & 0xC0) == 0x80)
    len--;
  return len;
}

size_t weir__close_encode(unsigned char *out, int code, const char *reason, size_t reason_len)
{
  size_t len;

  if (code == 0)
    return 0;
  len = fitting(reason, reason_len);
  out[0] = (unsigned char)(code >> 8);
  out[1] = (unsigned char)code;
  if (len > 0)
    memcpy(out + 2, reason, len);
  return 2 + len;
}
