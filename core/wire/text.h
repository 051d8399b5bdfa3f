/* Characters and comparisons that the grammars of HTTP and of URIs share (RFC 9110 section 5.6, RFC
 * 3986 section 2). Pure. Nothing here asks the locale: in a Turkish one, strcasecmp() finds that
 * "UPGRADE-INSECURE" and "upgrade-insecure" differ. */
#ifndef WEIR_WIRE_TEXT_H
#define WEIR_WIRE_TEXT_H

#include <weir/attributes.h>

#include <stdbool.h>

#ifdef __cplusplus
extern "C" {
#endif

enum weir__text_class {
  WEIR__TEXT_TOKEN = 1,  /* tchar, RFC 9110 section 5.6.2 */
  WEIR__TEXT_VALUE = 2,  /* of a field value, blanks too, RFC 9110 section 5.5 */
  WEIR__TEXT_TARGET = 4, /* visible ASCII: all that any form of a request target may hold */
  WEIR__TEXT_HOST = 8,   /* of a reg-name, "%" too, RFC 3986 section 3.2.2 */
  WEIR__TEXT_WORD = 16,  /* letters, digits and "_" */
  WEIR__TEXT_HEX = 32
};

extern const unsigned char weir__text_classes[256];

static inline bool weir__text_in(unsigned char byte, enum weir__text_class of)
{
  return (weir__text_classes[byte] & of) != 0;
}

/* Whether all bytes are of a class, and there is at least one. */
bool weir__text_all(struct weir_slice text, enum weir__text_class of);

/* The text without blanks (SP, HTAB) at either end. */
struct weir_slice weir__text_trim(struct weir_slice text);

/* Whether two texts are the same, byte by byte or but for the case of ASCII letters. */
bool weir__text_equal(struct weir_slice text, const char *other);
bool weir__text_same_letters(const char *text, const char *other, size_t len);

static inline bool weir__text_equal_nocase(struct weir_slice text, struct weir_slice other)
{
  return text.len == other.len && weir__text_same_letters(text.data, other.data, text.len);
}

#ifdef __cplusplus
}
#endif

#endif
