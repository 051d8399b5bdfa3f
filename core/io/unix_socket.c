/* Unix sockets to listen on: how they are bound, and what becomes of their files. */
#include "io/unix_socket.h"

#include <errno.h>
#include <stddef.h>
#include <string.h>
#include <sys/un.h>

static const struct sockaddr *sockaddr_of(const struct weir__address *address)
{
  return (const struct sockaddr *)&address->storage;
}

static const char *path_of(const struct weir__address *address)
{
  return ((const struct sockaddr_un *)&address->storage)->sun_path;
}

/* The abstract kind begins with NUL. */
static bool has_file(const struct weir__address *address)
{
  return path_of(address)[0] != '\0';
}

int weir__unix_address(struct weir__address *out, const char *path)
{
  struct sockaddr_un address = {.sun_family = AF_UNIX};
  size_t len = strlen(path);
  bool is_abstract = path[0] == '@';
  if (len == (is_abstract ? 1 : 0))
    return -EINVAL;
  if (len >= sizeof address.sun_path)
    return -ENAMETOOLONG;
  memcpy(address.sun_path, path, len);
  if (is_abstract)
    address.sun_path[0] = '\0';
  memset(out, 0, sizeof *out);
  memcpy(&out->storage, &address, sizeof address);
  out->len = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + len + (is_abstract ? 0 : 1));
  return 0;
}

static int new_socket(const struct weir__sys *sys)
{
  return sys->socket(sys, AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
}

/* Whether nobody listens any more at a file that was a server's. */
static bool is_stale(const struct weir__sys *sys, const struct weir__address *address)
{
  struct stat file;
  if (!has_file(address) || sys->lstat(sys, path_of(address), &file) != 0 ||
      !S_ISSOCK(file.st_mode))
    return false;
  int fd = new_socket(sys);
  if (fd < 0)
    return false;
  int error = sys->connect(sys, fd, sockaddr_of(address), address->len);
  sys->close(sys, fd);
  return error == -ECONNREFUSED;
}

/* Binds, in the place of a stale file if there is one. */
static int bind_to(const struct weir__sys *sys, int fd, const struct weir__address *address)
{
  int error = sys->bind(sys, fd, sockaddr_of(address), address->len);
  if (error != -EADDRINUSE || !is_stale(sys, address))
    return error;
  error = sys->unlink(sys, path_of(address));
  if (error != 0 && error != -ENOENT)
    return error;
  return sys->bind(sys, fd, sockaddr_of(address), address->len);
}

/* Notes which file it is, and sets its permissions: to execute a socket means nothing, but bind(2)
 * gives that permission too. */
static int settle_file(const struct weir__sys *sys, const struct weir__address *address,
                       mode_t mode, struct weir__socket_file *file)
{
  struct stat now;
  int error = sys->lstat(sys, path_of(address), &now);
  if (error != 0)
    return error;
  *file = (struct weir__socket_file){.device = now.st_dev, .inode = now.st_ino};
  return sys->chmod(sys, path_of(address), mode != 0 ? mode : now.st_mode & 0666);
}

int weir__unix_open(const struct weir__sys *sys, const struct weir__address *address, int backlog,
                    mode_t mode, struct weir__socket_file *file)
{
  *file = (struct weir__socket_file){0};
  int fd = new_socket(sys);
  if (fd < 0)
    return fd;
  int error = bind_to(sys, fd, address);
  if (error == 0 && has_file(address))
    error = settle_file(sys, address, mode, file);
  if (error == 0)
    error = sys->listen(sys, fd, backlog);
  if (error == 0)
    return fd;
  weir__unix_unlink(sys, address, file);
  sys->close(sys, fd);
  return error;
}

/* As long as its socket is open, its inode is nobody else's. */
void weir__unix_unlink(const struct weir__sys *sys, const struct weir__address *address,
                       struct weir__socket_file *file)
{
  struct stat now;
  if (file->inode == 0)
    return;
  if (sys->lstat(sys, path_of(address), &now) == 0 && now.st_dev == file->device &&
      now.st_ino == file->inode)
    sys->unlink(sys, path_of(address));
  *file = (struct weir__socket_file){0};
}
