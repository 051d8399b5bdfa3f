/* Close codes and the payloads of Close frames (RFC 6455 sections 5.5.1 and 7.4). Pure. */
#ifndef WEIR_WIRE_CLOSE_H
#define WEIR_WIRE_CLOSE_H

#include <stdbool.h>
#include <stddef.h>

#ifdef __cplusplus
extern "C" {
#endif

enum {
  WEIR__CLOSE_NORMAL = 1000,
  WEIR__CLOSE_GOING_AWAY = 1001,
  WEIR__CLOSE_PROTOCOL_ERROR = 1002,
  WEIR__CLOSE_NO_STATUS = 1005,
  WEIR__CLOSE_ABNORMAL = 1006,
  WEIR__CLOSE_INVALID_PAYLOAD = 1007,
  WEIR__CLOSE_POLICY = 1008,
  WEIR__CLOSE_TOO_BIG = 1009,
  WEIR__CLOSE_INTERNAL_ERROR = 1011,

  WEIR__CLOSE_REASON_MAX = 123
};

/* Whether a code may stand in a Close frame: 1000-1003, 1007-1014, 3000-4999. */
bool weir__close_code_valid(int code);

/* Reads a Close frame's payload: *code (1005 when it is empty) and the reason within data. Returns
 * 0, or -1002 or -1007 with *why set to a sentence (static storage). */
int weir__close_parse(const unsigned char *data, size_t len, int *code, const char **reason,
                      size_t *reason_len, const char **why);

/* Writes a payload into out, of 2 + WEIR__CLOSE_REASON_MAX bytes, and returns its length; code 0
 * gives an empty one. A longer reason is cut in front of the character that does not fit. */
size_t weir__close_encode(unsigned char *out, int code, const char *reason, size_t reason_len);

#ifdef __cplusplus
}
#endif

#endif
