/* Dates as HTTP writes them (RFC 9110 section 5.6.7). Pure: seconds since 1970 to text and back, by
 * arithmetic of our own, for the C library's knows locales and time zones. */
#ifndef WEIR_WIRE_HTTP_DATE_H
#define WEIR_WIRE_HTTP_DATE_H

#include <weir/attributes.h>

#include <stdbool.h>

#ifdef __cplusplus
extern "C" {
#endif

enum { WEIR__HTTP_DATE_LEN = 29 };

/* Writes a date such as "Sun, 06 Nov 1994 08:49:37 GMT", and a NUL. What lies outside the years 1
 * to 9999 becomes the first or the last second in them. */
void weir__http_date_format(int64_t seconds, char out[WEIR__HTTP_DATE_LEN + 1]);

/* Reads a date in any of the three forms, or returns false and leaves *seconds alone. now, in
 * seconds since 1970, decides which century a year of two digits lies in. Whether the day of the
 * week is right is not asked. */
bool weir__http_date_parse(struct weir_slice text, int64_t now, int64_t *seconds);

#ifdef __cplusplus
}
#endif

#endif
