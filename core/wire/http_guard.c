/* The guard in front of llhttp (RFC 9112 sections 2.2, 3, 5): a byte state machine over a request
 * head in pieces of any size. In: bytes of a stream; out: where the head ends, or the status that
 * refuses it. Every verdict depends on the bytes up to one of them and on nothing else, so that a
 * head may be split anywhere. Must not know what the fields mean: that is http.c's.
 *
 * A step takes a run of ordinary bytes, 8 at a time where runs are long, and the byte behind it. */
#include "wire/http.h"
#include "wire/text.h"

#include <string.h>

enum { LEADING_MAX = 2 };

enum state {
  START, /* leading CRLFs, or the method's first byte */
  START_LF,
  METHOD,
  TARGET,
  VERSION,
  VERSION_LF,
  LINE, /* a field's first byte, or the CR that ends the head */
  NAME,
  VALUE,
  VALUE_LF,
  END_LF
};

struct step {
  struct weir__http_guard *guard;
  const struct weir__http_limits *limits;
  const unsigned char *at;
  const unsigned char *end;
  const char *reason;
};

static int refuse(struct step *step, int status, const char *reason)
{
  step->reason = reason;
  return status;
}

/* The same for a byte that ends a run and must not; a bare LF, the mistake of hand-written clients,
 * has a reason of its own. */
static int refuse_byte(struct step *step, unsigned char byte, const char *reason)
{
  return refuse(step, -400,
                byte == '\n' ? "A line feed stands without its carriage return" : reason);
}

static int go(struct step *step, enum state state)
{
  step->guard->state = (uint8_t)state;
  return 0;
}

static uint64_t repeat(unsigned char byte)
{
  return UINT64_C(0x0101010101010101) * byte;
}

/* Not 0 when any of the 8 bytes is less than limit, which is 1 to 128. */
static uint64_t any_less(uint64_t bytes, unsigned char limit)
{
  return (bytes - repeat(limit)) & ~bytes & repeat(0x80);
}

static uint64_t load(const unsigned char *at)
{
  uint64_t bytes;
  memcpy(&bytes, at, sizeof bytes);
  return bytes;
}

static void skip(struct step *step, enum weir__text_class of)
{
  while (step->at < step->end && weir__text_in(*step->at, of))
    step->at++;
}

/* As skip() for TEXT_VALUE; a tab, being rare, is left to the bytewise end. */
static void skip_value(struct step *step)
{
  for (; step->end - step->at >= 8; step->at += 8) {
    uint64_t bytes = load(step->at);
    if ((any_less(bytes, ' ') | any_less(bytes ^ repeat(0x7F), 1)) != 0)
      break;
  }
  skip(step, WEIR__TEXT_VALUE);
}

/* As skip() for TEXT_TARGET. */
static void skip_target(struct step *step)
{
  for (; step->end - step->at >= 8; step->at += 8) {
    uint64_t bytes = load(step->at);
    if ((any_less(bytes, '!') | any_less(bytes ^ repeat(0x7F), 1) | (bytes & repeat(0x80))) != 0)
      break;
  }
  skip(step, WEIR__TEXT_TARGET);
}

static int take_start(struct step *step)
{
  unsigned char byte = *step->at++;
  if (byte == '\r')
    return step->guard->leading == LEADING_MAX
               ? refuse(step, -400, "Too many empty lines stand before the request")
               : go(step, START_LF);
  if (!weir__text_in(byte, WEIR__TEXT_TOKEN))
    return refuse(step, -400, "The request does not begin with a method");
  return go(step, METHOD);
}

static int take_method(struct step *step)
{
  skip(step, WEIR__TEXT_TOKEN);
  if (step->at == step->end)
    return 0;
  if (*step->at++ != ' ')
    return refuse(step, -400, "The method is not followed by a single space");
  return go(step, TARGET);
}

static int take_target(struct step *step)
{
  const unsigned char *begin = step->at;
  skip_target(step);
  step->guard->uri_bytes += (uint32_t)(step->at - begin);
  if (step->guard->uri_bytes > step->limits->max_uri_bytes)
    return refuse(step, -414, "The request target is too long");
  if (step->at == step->end)
    return 0;
  unsigned char byte = *step->at++;
  if (step->guard->uri_bytes == 0)
    return refuse(step, -400, "The request target is missing");
  if (byte == '\r')
    return refuse(step, -505, "HTTP/0.9 is not supported");
  if (byte != ' ')
    return refuse(step, -400, "The request target holds a byte that it must not");
  return go(step, VERSION);
}

static int take_version(struct step *step)
{
  skip(step, WEIR__TEXT_TARGET);
  if (step->at == step->end)
    return 0;
  unsigned char byte = *step->at++;
  if (byte != '\r')
    return refuse_byte(step, byte, "The request line does not end with its version");
  return go(step, VERSION_LF);
}

static int take_line(struct step *step)
{
  unsigned char byte = *step->at++;
  if (byte == '\r')
    return go(step, END_LF);
  if (byte == ' ' || byte == '\t')
    return refuse(step, -400, "A header field is folded over several lines");
  if (byte == ':')
    return refuse(step, -400, "A header field has no name");
  if (!weir__text_in(byte, WEIR__TEXT_TOKEN))
    return refuse_byte(step, byte, "A header field's name holds a byte that it must not");
  if (++step->guard->fields > step->limits->max_header_fields)
    return refuse(step, -431, "The request has too many header fields");
  return go(step, NAME);
}

static int take_name(struct step *step)
{
  skip(step, WEIR__TEXT_TOKEN);
  if (step->at == step->end)
    return 0;
  unsigned char byte = *step->at++;
  if (byte == ' ' || byte == '\t')
    return refuse(step, -400, "A blank stands before a header field's colon");
  if (byte != ':')
    return refuse(step, -400, "A header field's name holds a byte that it must not");
  return go(step, VALUE);
}

static int take_value(struct step *step)
{
  skip_value(step);
  if (step->at == step->end)
    return 0;
  unsigned char byte = *step->at++;
  if (byte != '\r')
    return refuse_byte(step, byte, "A header field's value holds a byte that it must not");
  return go(step, VALUE_LF);
}

static int take_lf(struct step *step, enum state next)
{
  if (*step->at++ != '\n')
    return refuse(step, -400, "A carriage return stands without its line feed");
  return go(step, next);
}

/* Goes on by at least one byte, of which there must be one. Returns as weir__http_guard() does. */
static int take(struct step *step)
{
  switch ((enum state)step->guard->state) {
  case START:
    return take_start(step);
  case START_LF:
    step->guard->leading++;
    return take_lf(step, START);
  case METHOD:
    return take_method(step);
  case TARGET:
    return take_target(step);
  case VERSION:
    return take_version(step);
  case LINE:
    return take_line(step);
  case NAME:
    return take_name(step);
  case VALUE:
    return take_value(step);
  case VERSION_LF:
  case VALUE_LF:
    return take_lf(step, LINE);
  case END_LF:
    break;
  }
  int error = take_lf(step, START);
  return error != 0 ? error : 1;
}

int weir__http_guard(struct weir__http_guard *guard, const struct weir__http_limits *limits,
                     const char *data, size_t len, size_t *used, const char **reason)
{
  size_t room = limits->max_header_bytes - guard->bytes;
  const unsigned char *begin = (const unsigned char *)data;
  struct step step = {guard, limits, begin, begin + (len < room ? len : room), NULL};
  int verdict = 0;
  while (verdict == 0 && step.at < step.end)
    verdict = take(&step);
  *used = (size_t)(step.at - begin);
  guard->bytes += *used;
  if (verdict == 0 && guard->bytes == limits->max_header_bytes)
    verdict = refuse(&step, -431, "The request's header is too large");
  if (verdict < 0)
    *reason = step.reason;
  return verdict;
}
