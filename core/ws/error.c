/* Sentences for errors, and the ranges that keep the three kinds apart. */
#define _GNU_SOURCE /* strerrordesc_np(3) */

#include <weir/error.h>

#include "wire/close.h"
#include "wire/http.h"

#include <errno.h>
#include <string.h>

enum { ERRNO_MAX = 399, STATUS_MIN = 400, STATUS_MAX = 599, CODE_MIN = 1000, CODE_MAX = 4999 };

_Static_assert(EHWPOISON <= ERRNO_MAX, "errno stays under the HTTP statuses");
_Static_assert(ERRNO_MAX < STATUS_MIN && STATUS_MAX < CODE_MIN, "the three ranges are disjoint");

static const char *of_close_code(int code)
{
  static const char *const sentences[] = {
      [WEIR__CLOSE_NORMAL - CODE_MIN] = "closed normally",
      [WEIR__CLOSE_GOING_AWAY - CODE_MIN] = "the endpoint is going away",
      [WEIR__CLOSE_PROTOCOL_ERROR - CODE_MIN] = "WebSocket protocol error",
      [1003 - CODE_MIN] = "data of a kind that is not accepted",
      [WEIR__CLOSE_NO_STATUS - CODE_MIN] = "closed without a code",
      [WEIR__CLOSE_ABNORMAL - CODE_MIN] = "the connection was lost",
      [WEIR__CLOSE_INVALID_PAYLOAD - CODE_MIN] = "text is not UTF-8",
      [WEIR__CLOSE_POLICY - CODE_MIN] = "a policy was violated",
      [WEIR__CLOSE_TOO_BIG - CODE_MIN] = "the message is too big",
      [1010 - CODE_MIN] = "an extension is missing",
      [WEIR__CLOSE_INTERNAL_ERROR - CODE_MIN] = "internal error",
      [1012 - CODE_MIN] = "the service restarts",
      [1013 - CODE_MIN] = "try again later",
      [1014 - CODE_MIN] = "bad gateway",
  };
  size_t index = (size_t)(code - CODE_MIN);
  if (index < sizeof sentences / sizeof sentences[0] && sentences[index] != NULL)
    return sentences[index];
  return code >= 3000 ? "closed with a code of the application" : "unknown close code";
}

const char *weir_strerror(int error)
{
  if (error == 0)
    return "success";
  if (error < 0 && error >= -ERRNO_MAX) {
    const char *sentence = strerrordesc_np(-error);
    return sentence != NULL ? sentence : "unknown error";
  }
  if (error <= -STATUS_MIN && error >= -STATUS_MAX)
    return weir__http_phrase(-error);
  if (error <= -CODE_MIN && error >= -CODE_MAX)
    return of_close_code(-error);
  return "unknown error";
}
