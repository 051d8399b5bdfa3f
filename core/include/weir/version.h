/* The library's version. */
#ifndef WEIR_VERSION_H
#define WEIR_VERSION_H

#include <weir/attributes.h>

#define WEIR_VERSION "0.1.0"

/* The version of the linked library, as "MAJOR.MINOR.PATCH"; static storage. */
WEIR_ANY_THREAD const char *weir_version(void);

#endif
