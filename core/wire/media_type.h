/* The media types of files on the web, by the extensions of their names. Pure: a path to the text
 * of Content-Type (RFC 9110 section 8.3). */
#ifndef WEIR_WIRE_MEDIA_TYPE_H
#define WEIR_WIRE_MEDIA_TYPE_H

#include <weir/attributes.h>

#ifdef __cplusplus
extern "C" {
#endif

enum { WEIR__MEDIA_EXTENSION_MAX = 11, WEIR__MEDIA_TYPES = 61 };

/* The table, sorted by extension, each in lower case. */
struct weir__media_entry {
  char extension[WEIR__MEDIA_EXTENSION_MAX + 1];
  const char *type;
};
extern const struct weir__media_entry weir__media_entries[WEIR__MEDIA_TYPES];

/* The type (static storage) by what stands behind the last dot of the path's last segment, in any
 * case; of a text, with "; charset=utf-8". "application/octet-stream" for what is not known, and
 * for names without a dot or with none but their first byte. */
const char *weir__media_type(struct weir_slice path);

#ifdef __cplusplus
}
#endif

#endif
