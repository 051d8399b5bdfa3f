/* Unix sockets to listen on (unix(7)): at a path, where their file is made, guarded and removed, or
 * by a name of the abstract kind, which has no file. */
#ifndef WEIR_IO_UNIX_SOCKET_H
#define WEIR_IO_UNIX_SOCKET_H

#include "base/sys.h"

#include <stdbool.h>

#ifdef __cplusplus
extern "C" {
#endif

/* A socket's file; all zero: it has none. */
struct weir__socket_file {
  dev_t device;
  ino_t inode;
};

/* The address of a path, or of "@name". Returns 0, -EINVAL (it is empty) or -ENAMETOOLONG. */
int weir__unix_address(struct weir__address *out, const char *path);

/* Opens a socket, non-blocking and close-on-exec, bound and listening. Its file has the permissions
 * mode, 0 for 0666 less the umask, before anybody can connect; a file that a server left behind who
 * is gone is replaced. Returns the descriptor, -EADDRINUSE (something else stands there, or it is
 * served) or another -errno. */
int weir__unix_open(const struct weir__sys *sys, const struct weir__address *address, int backlog,
                    mode_t mode, struct weir__socket_file *file);

/* Removes a socket's file, while the socket is open, unless another one stands in its place. */
void weir__unix_unlink(const struct weir__sys *sys, const struct weir__address *address,
                       struct weir__socket_file *file);

#ifdef __cplusplus
}
#endif

#endif
