/* Errors: one negative int in three disjoint ranges.
 *
 *   -1 .. -399       -errno, from the kernel or from this library (errno(3))
 *   -400 .. -599     an HTTP status, from the opening handshake (RFC 9110 section 15)
 *   -1000 .. -4999   a WebSocket close code, from a frame that breaks RFC 6455 (section 7.4)
 *
 * No function prints, exits or aborts on an error. */
#ifndef WEIR_ERROR_H
#define WEIR_ERROR_H

#include <weir/attributes.h>

/* A sentence for any value that a weir function returned; never NULL, static storage. Values that
 * no function returns give "unknown error". */
WEIR_ANY_THREAD const char *weir_strerror(int error);

#endif
