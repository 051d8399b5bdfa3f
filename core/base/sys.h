/* THE seam: every syscall, clock, random byte and allocation of a loop goes through one table of
 * functions, so that a test can be the kernel. Each returns what the syscall returns, or -errno;
 * EINTR is returned, not retried. */
#ifndef WEIR_BASE_SYS_H
#define WEIR_BASE_SYS_H

#include <stddef.h>
#include <stdint.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/types.h>

#ifdef __cplusplus
extern "C" {
#endif

/* An address to bind. */
struct weir__address {
  struct sockaddr_storage storage;
  socklen_t len;
};

/* A fake embeds this structure as its first member. */
struct weir__sys {
  /* sockets */
  int (*resolve)(const struct weir__sys *sys, const char *host, uint16_t port,
                 struct weir__address *out, size_t max); /* getaddrinfo(3), passive; the count */
  int (*socket)(const struct weir__sys *sys, int domain, int type, int protocol);
  int (*setsockopt)(const struct weir__sys *sys, int fd, int level, int name, const void *value,
                    socklen_t len);
  int (*getsockopt)(const struct weir__sys *sys, int fd, int level, int name, int *value);
  int (*bind)(const struct weir__sys *sys, int fd, const struct sockaddr *address, socklen_t len);
  int (*listen)(const struct weir__sys *sys, int fd, int backlog);
  int (*connect)(const struct weir__sys *sys, int fd, const struct sockaddr *address,
                 socklen_t len);
  int (*getsockname)(const struct weir__sys *sys, int fd, struct weir__address *out);
  int (*getpeername)(const struct weir__sys *sys, int fd, struct weir__address *out);
  int (*accept4)(const struct weir__sys *sys, int fd, int flags);
  ssize_t (*recv)(const struct weir__sys *sys, int fd, void *data, size_t len, int flags);
  ssize_t (*recvmsg)(const struct weir__sys *sys, int fd, struct msghdr *message, int flags);
  ssize_t (*send)(const struct weir__sys *sys, int fd, const void *data, size_t len, int flags);
  ssize_t (*sendmsg)(const struct weir__sys *sys, int fd, const struct msghdr *message, int flags);
  int (*shutdown)(const struct weir__sys *sys, int fd, int how);
  int (*close)(const struct weir__sys *sys, int fd);
  int (*open_reserve)(const struct weir__sys *sys); /* a descriptor that is good for nothing else */
  size_t (*descriptor_limit)(const struct weir__sys *sys); /* RLIMIT_NOFILE; SIZE_MAX: none */
  int (*duplicate)(const struct weir__sys *sys, int fd);   /* close-on-exec */
  int (*adopt)(const struct weir__sys *sys, int fd); /* makes it non-blocking and close-on-exec */

  /* the files of unix sockets */
  int (*lstat)(const struct weir__sys *sys, const char *path, struct stat *out);
  int (*chmod)(const struct weir__sys *sys, const char *path, mode_t mode);
  int (*unlink)(const struct weir__sys *sys, const char *path);

  /* files */
  int (*open_folder)(const struct weir__sys *sys, const char *path);
  int (*open_beneath)(const struct weir__sys *sys, int folder,
                      const char *path); /* to read; -EXDEV for what lies outside */
  int (*fstat)(const struct weir__sys *sys, int fd, struct stat *out);
  ssize_t (*pread)(const struct weir__sys *sys, int fd, void *data, size_t len, uint64_t offset);

  /* events */
  int (*epoll_create1)(const struct weir__sys *sys, int flags);
  int (*epoll_ctl)(const struct weir__sys *sys, int epfd, int op, int fd,
                   struct epoll_event *event);
  int (*epoll_wait)(const struct weir__sys *sys, int epfd, struct epoll_event *events, int max,
                    int64_t timeout_ns);                   /* -1: for ever */
  int (*eventfd)(const struct weir__sys *sys);             /* non-blocking, close-on-exec */
  int (*eventfd_add)(const struct weir__sys *sys, int fd); /* an edge; async-signal-safe */
  int (*timerfd)(const struct weir__sys *sys);             /* CLOCK_MONOTONIC */
  int (*timerfd_set)(const struct weir__sys *sys, int fd, uint64_t at_ns); /* absolute; 0 disarms */

  /* time, random, memory */
  uint64_t (*now_ns)(const struct weir__sys *sys); /* CLOCK_MONOTONIC */
  int64_t (*wall_s)(const struct weir__sys *sys);  /* CLOCK_REALTIME, seconds */
  int (*random)(const struct weir__sys *sys, void *out, size_t len);
  void *(*alloc)(const struct weir__sys *sys,
                 size_t size); /* aligned to 16; NULL when there is none */
  void *(*resize)(const struct weir__sys *sys, void *memory,
                  size_t size); /* its bytes kept, perhaps elsewhere; NULL: it is as it was */
  void (*free)(const struct weir__sys *sys, void *memory);
  void *(*map)(const struct weir__sys *sys,
               size_t size); /* pages that go back to the system at once; NULL: there are none */
  void (*unmap)(const struct weir__sys *sys, void *memory, size_t size);
};

/* The real kernel. */
extern const struct weir__sys weir__sys_linux;

/* A number that tells the calling thread from all others that live. */
uintptr_t weir__sys_thread(void);

#ifdef __cplusplus
}
#endif

#endif
