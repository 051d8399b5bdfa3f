/* Chunked bodies (RFC 9112 section 7.1): a byte state machine over a body in pieces of any size.
 * In: bytes of a stream behind a head; out: runs of the body, where it ends, or why it is refused.
 * Every verdict depends on the bytes up to one of them and on nothing else, so that a body may be
 * split anywhere. Must not know what an extension or a trailer means.
 *
 * A step takes a run of ordinary bytes and the byte behind it; data are skipped, not looked at. */
#include "wire/chunked.h"
#include "wire/text.h"

enum { DIGITS_MAX = 16 };

enum state {
  SIZE,
  SIZE_LF,
  NEXT_EXTENSION, /* blanks behind a size or a value: a semicolon must follow */
  EXTENSION,      /* behind a semicolon: blanks, or the name's first byte */
  NAME,
  NAME_BLANKS, /* an equals sign or a semicolon must follow */
  EQUALS,      /* behind an equals sign: blanks, a quote, or a token's first byte */
  VALUE,
  QUOTED,
  ESCAPED,
  QUOTED_END,
  DATA,
  DATA_CR,
  DATA_LF,
  TRAILER, /* a trailer field's first byte, or the CR that ends the body */
  TRAILER_NAME,
  TRAILER_VALUE,
  TRAILER_LF,
  END_LF
};

struct step {
  struct weir__chunked *body;
  const unsigned char *at;
  const unsigned char *end;
  const char *reason;
};

static int refuse(struct step *step, const char *reason)
{
  step->reason = reason;
  return -400;
}

/* The same for a byte that ends a run and must not; a bare LF has a reason of its own. */
static int refuse_byte(struct step *step, unsigned char byte, const char *reason)
{
  return refuse(step, byte == '\n' ? "A line feed stands without its carriage return" : reason);
}

static int refuse_extension(struct step *step, unsigned char byte)
{
  return refuse_byte(step, byte, "A chunk's extension is malformed");
}

static int go(struct step *step, enum state state)
{
  step->body->state = (uint8_t)state;
  return 0;
}

static bool is_blank(unsigned char byte)
{
  return byte == ' ' || byte == '\t';
}

/* Skips a run, and says whether a byte stands behind it. */
static bool skip(struct step *step, enum weir__text_class of)
{
  while (step->at < step->end && weir__text_in(*step->at, of))
    step->at++;
  return step->at < step->end;
}

static bool skip_blanks(struct step *step)
{
  while (step->at < step->end && is_blank(*step->at))
    step->at++;
  return step->at < step->end;
}

static int take_lf(struct step *step, enum state next)
{
  if (*step->at++ != '\n')
    return refuse(step, "A carriage return stands without its line feed");
  return go(step, next);
}

/* ---- a chunk's line */

/* The byte behind a whole size or value. */
static int end_item(struct step *step, unsigned char byte)
{
  if (byte == '\r')
    return go(step, SIZE_LF);
  if (byte == ';')
    return go(step, EXTENSION);
  if (is_blank(byte))
    return go(step, NEXT_EXTENSION);
  return refuse_extension(step, byte);
}

static int take_size(struct step *step)
{
  struct weir__chunked *body = step->body;
  for (; step->at < step->end && weir__text_in(*step->at, WEIR__TEXT_HEX); step->at++) {
    if (body->digits++ == DIGITS_MAX || body->left >> 59 != 0)
      return refuse(step, "A chunk's size is too large");
    body->left = body->left << 4 | ((*step->at & 0xF) + (*step->at >> 6) * 9);
  }
  if (step->at == step->end)
    return 0;
  unsigned char byte = *step->at++;
  if (body->digits == 0 || !(byte == '\r' || byte == ';' || is_blank(byte)))
    return refuse_byte(step, byte, "A chunk's size is not a hexadecimal number");
  return end_item(step, byte);
}

static int take_size_lf(struct step *step)
{
  step->body->digits = 0;
  return take_lf(step, step->body->left > 0 ? DATA : TRAILER);
}

static int take_next_extension(struct step *step)
{
  if (!skip_blanks(step))
    return 0;
  unsigned char byte = *step->at++;
  return byte == ';' ? go(step, EXTENSION) : refuse_extension(step, byte);
}

static int take_extension(struct step *step)
{
  if (!skip_blanks(step))
    return 0;
  unsigned char byte = *step->at++;
  return weir__text_in(byte, WEIR__TEXT_TOKEN) ? go(step, NAME) : refuse_extension(step, byte);
}

static int take_name(struct step *step)
{
  if (!skip(step, WEIR__TEXT_TOKEN))
    return 0;
  unsigned char byte = *step->at++;
  if (byte == '=')
    return go(step, EQUALS);
  return is_blank(byte) ? go(step, NAME_BLANKS) : end_item(step, byte);
}

static int take_name_blanks(struct step *step)
{
  if (!skip_blanks(step))
    return 0;
  unsigned char byte = *step->at++;
  if (byte == '=')
    return go(step, EQUALS);
  return byte == ';' ? go(step, EXTENSION) : refuse_extension(step, byte);
}

static int take_equals(struct step *step)
{
  if (!skip_blanks(step))
    return 0;
  unsigned char byte = *step->at++;
  if (byte == '"')
    return go(step, QUOTED);
  return weir__text_in(byte, WEIR__TEXT_TOKEN) ? go(step, VALUE) : refuse_extension(step, byte);
}

static int take_value(struct step *step)
{
  return skip(step, WEIR__TEXT_TOKEN) ? end_item(step, *step->at++) : 0;
}

static int take_quoted(struct step *step)
{
  unsigned char byte = *step->at++;
  if (byte == '"')
    return go(step, QUOTED_END);
  if (byte == '\\')
    return go(step, ESCAPED);
  return weir__text_in(byte, WEIR__TEXT_VALUE) ? 0 : refuse_extension(step, byte);
}

static int take_escaped(struct step *step)
{
  unsigned char byte = *step->at++;
  return weir__text_in(byte, WEIR__TEXT_VALUE) ? go(step, QUOTED) : refuse_extension(step, byte);
}

/* ---- its data */

static struct weir_slice take_data(struct step *step)
{
  size_t room = (size_t)(step->end - step->at);
  size_t len = step->body->left < room ? (size_t)step->body->left : room;
  struct weir_slice piece = {(const char *)step->at, len};
  step->at += len;
  step->body->left -= len;
  if (step->body->left == 0)
    go(step, DATA_CR);
  return piece;
}

static int take_data_cr(struct step *step)
{
  if (*step->at++ != '\r')
    return refuse(step, "A chunk does not end where its size says");
  return go(step, DATA_LF);
}

/* ---- what stands behind the last chunk */

static int take_trailer(struct step *step)
{
  unsigned char byte = *step->at++;
  if (byte == '\r')
    return go(step, END_LF);
  if (is_blank(byte))
    return refuse(step, "A trailer field is folded over several lines");
  if (byte == ':')
    return refuse(step, "A trailer field has no name");
  if (!weir__text_in(byte, WEIR__TEXT_TOKEN))
    return refuse_byte(step, byte, "A trailer field's name holds a byte that it must not");
  return go(step, TRAILER_NAME);
}

static int take_trailer_name(struct step *step)
{
  if (!skip(step, WEIR__TEXT_TOKEN))
    return 0;
  unsigned char byte = *step->at++;
  if (is_blank(byte))
    return refuse(step, "A blank stands before a trailer field's colon");
  if (byte != ':')
    return refuse_byte(step, byte, "A trailer field's name holds a byte that it must not");
  return go(step, TRAILER_VALUE);
}

static int take_trailer_value(struct step *step)
{
  if (!skip(step, WEIR__TEXT_VALUE))
    return 0;
  unsigned char byte = *step->at++;
  if (byte != '\r')
    return refuse_byte(step, byte, "A trailer field's value holds a byte that it must not");
  return go(step, TRAILER_LF);
}

/* ---- the machine */

static int take_quoted_end(struct step *step)
{
  return end_item(step, *step->at++);
}

static int take_data_lf(struct step *step)
{
  return take_lf(step, SIZE);
}

static int take_trailer_lf(struct step *step)
{
  return take_lf(step, TRAILER);
}

static int take_end_lf(struct step *step)
{
  int error = take_lf(step, SIZE);
  return error != 0 ? error : 1;
}

/* Each goes on by at least one byte, of which there must be one, and returns as
 * weir__chunked_next() does. Data are no business of theirs. */
static int (*const TAKES[])(struct step *) = {
    [SIZE] = take_size,
    [SIZE_LF] = take_size_lf,
    [NEXT_EXTENSION] = take_next_extension,
    [EXTENSION] = take_extension,
    [NAME] = take_name,
    [NAME_BLANKS] = take_name_blanks,
    [EQUALS] = take_equals,
    [VALUE] = take_value,
    [QUOTED] = take_quoted,
    [ESCAPED] = take_escaped,
    [QUOTED_END] = take_quoted_end,
    [DATA_CR] = take_data_cr,
    [DATA_LF] = take_data_lf,
    [TRAILER] = take_trailer,
    [TRAILER_NAME] = take_trailer_name,
    [TRAILER_VALUE] = take_trailer_value,
    [TRAILER_LF] = take_trailer_lf,
    [END_LF] = take_end_lf,
};

int weir__chunked_next(struct weir__chunked *state, const char *data, size_t len, size_t *used,
                       struct weir_slice *piece, const char **reason)
{
  const unsigned char *begin = (const unsigned char *)data;
  struct step step = {state, begin, begin + len, NULL};
  int verdict = 0;
  *piece = (struct weir_slice){NULL, 0};
  while (verdict == 0 && step.at < step.end && state->state != DATA)
    verdict = TAKES[state->state](&step);
  if (verdict == 0 && step.at < step.end)
    *piece = take_data(&step);
  *used = (size_t)(step.at - begin);
  if (verdict < 0)
    *reason = step.reason;
  return verdict;
}

size_t weir__chunked_header(char out[WEIR__CHUNKED_HEADER_MAX], size_t len)
{
  size_t digits = 1, end;
  while (digits < DIGITS_MAX && len >> 4 * digits != 0)
    digits++;
  for (end = digits; end > 0; len >>= 4)
    out[--end] = "0123456789abcdef"[len & 0xF];
  out[digits] = '\r';
  out[digits + 1] = '\n';
  return digits + 2;
}
