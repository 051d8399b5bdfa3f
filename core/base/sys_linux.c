/* The real kernel behind the seam of sys.h: each function is one syscall, its errno negated. */
#define _GNU_SOURCE /* accept4 */
#include "base/sys.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/openat2.h>
#include <netdb.h>
#include <netinet/in.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

#define UNUSED __attribute__((unused))
#define SYS    UNUSED const struct weir__sys *sys

static int result(int returned)
{
  return returned < 0 ? -errno : returned;
}

/* IPv6's wildcard, which takes IPv4 too where the host has IPv6, then IPv4's. */
static int wildcards(uint16_t port, struct weir__address *out, size_t max)
{
  struct sockaddr_in6 six = {.sin6_family = AF_INET6, .sin6_port = htons(port)};
  struct sockaddr_in four = {.sin_family = AF_INET, .sin_port = htons(port)};
  if (max < 2)
    return -EINVAL;
  memset(out, 0, 2 * sizeof *out);
  memcpy(&out[0].storage, &six, sizeof six);
  out[0].len = sizeof six;
  memcpy(&out[1].storage, &four, sizeof four);
  out[1].len = sizeof four;
  return 2;
}

static void set_port(struct weir__address *address, uint16_t port)
{
  if (address->storage.ss_family == AF_INET6)
    ((struct sockaddr_in6 *)&address->storage)->sin6_port = htons(port);
  else
    ((struct sockaddr_in *)&address->storage)->sin_port = htons(port);
}

static int resolver_error(int code)
{
  switch (code) {
  case EAI_SYSTEM:
    return -errno;
  case EAI_MEMORY:
    return -ENOMEM;
  case EAI_AGAIN:
    return -EAGAIN;
  default:
    return -ENOENT;
  }
}

static int sys_resolve(SYS, const char *host, uint16_t port, struct weir__address *out, size_t max)
{
  struct addrinfo hints = {
      .ai_flags = AI_PASSIVE, .ai_socktype = SOCK_STREAM, .ai_protocol = IPPROTO_TCP};
  struct addrinfo *list;
  int count = 0;
  if (host == NULL)
    return wildcards(port, out, max);
  int code = getaddrinfo(host, NULL, &hints, &list);
  if (code != 0)
    return resolver_error(code);
  for (struct addrinfo *info = list; info != NULL && (size_t)count < max; info = info->ai_next) {
    if (info->ai_family != AF_INET && info->ai_family != AF_INET6)
      continue;
    memset(&out[count], 0, sizeof out[count]);
    memcpy(&out[count].storage, info->ai_addr, info->ai_addrlen);
    out[count].len = info->ai_addrlen;
    set_port(&out[count], port);
    count++;
  }
  freeaddrinfo(list);
  return count > 0 ? count : -ENOENT;
}

static int sys_socket(SYS, int domain, int type, int protocol)
{
  return result(socket(domain, type, protocol));
}

static int sys_setsockopt(SYS, int fd, int level, int name, const void *value, socklen_t len)
{
  return result(setsockopt(fd, level, name, value, len));
}

static int sys_getsockopt(SYS, int fd, int level, int name, int *value)
{
  socklen_t len = sizeof *value;
  *value = 0;
  return result(getsockopt(fd, level, name, value, &len));
}

static int sys_bind(SYS, int fd, const struct sockaddr *address, socklen_t len)
{
  return result(bind(fd, address, len));
}

static int sys_listen(SYS, int fd, int backlog)
{
  return result(listen(fd, backlog));
}

static int sys_connect(SYS, int fd, const struct sockaddr *address, socklen_t len)
{
  return result(connect(fd, address, len));
}

static int sys_getsockname(SYS, int fd, struct weir__address *out)
{
  out->len = sizeof out->storage;
  return result(getsockname(fd, (struct sockaddr *)&out->storage, &out->len));
}

static int sys_getpeername(SYS, int fd, struct weir__address *out)
{
  out->len = sizeof out->storage;
  return result(getpeername(fd, (struct sockaddr *)&out->storage, &out->len));
}

static int sys_accept4(SYS, int fd, int flags)
{
  return result(accept4(fd, NULL, NULL, flags));
}

static ssize_t sys_recv(SYS, int fd, void *data, size_t len, int flags)
{
  ssize_t n = recv(fd, data, len, flags);
  return n < 0 ? -errno : n;
}

static ssize_t sys_recvmsg(SYS, int fd, struct msghdr *message, int flags)
{
  ssize_t n = recvmsg(fd, message, flags);
  return n < 0 ? -errno : n;
}

static ssize_t sys_send(SYS, int fd, const void *data, size_t len, int flags)
{
  ssize_t n = send(fd, data, len, flags);
  return n < 0 ? -errno : n;
}

static ssize_t sys_sendmsg(SYS, int fd, const struct msghdr *message, int flags)
{
  ssize_t n = sendmsg(fd, message, flags);
  return n < 0 ? -errno : n;
}

static int sys_shutdown(SYS, int fd, int how)
{
  return result(shutdown(fd, how));
}

static int sys_close(SYS, int fd)
{
  return result(close(fd));
}

static int sys_open_reserve(SYS)
{
  return result(open("/dev/null", O_RDONLY | O_CLOEXEC));
}

static size_t sys_descriptor_limit(SYS)
{
  struct rlimit limit;
  if (getrlimit(RLIMIT_NOFILE, &limit) != 0 || limit.rlim_cur == RLIM_INFINITY)
    return SIZE_MAX;
  return (size_t)limit.rlim_cur;
}

static int sys_open_folder(SYS, const char *path)
{
  return result(open(path, O_PATH | O_DIRECTORY | O_CLOEXEC));
}

static int sys_open_beneath(SYS, int folder, const char *path)
{
  const struct open_how how = {.flags = O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY,
                               .resolve = RESOLVE_BENEATH | RESOLVE_NO_MAGICLINKS};
  return result((int)syscall(SYS_openat2, folder, path, &how, sizeof how));
}

static int sys_fstat(SYS, int fd, struct stat *out)
{
  return result(fstat(fd, out));
}

static ssize_t sys_pread(SYS, int fd, void *data, size_t len, uint64_t offset)
{
  ssize_t n = pread(fd, data, len, (off_t)offset);
  return n < 0 ? -errno : n;
}

static int sys_duplicate(SYS, int fd)
{
  return result(fcntl(fd, F_DUPFD_CLOEXEC, 0));
}

static int sys_adopt(SYS, int fd)
{
  int flags = fcntl(fd, F_GETFL);
  if (flags < 0 || fcntl(fd, F_SETFL, flags | O_NONBLOCK) < 0)
    return -errno;
  return result(fcntl(fd, F_SETFD, FD_CLOEXEC));
}

static int sys_lstat(SYS, const char *path, struct stat *out)
{
  return result(lstat(path, out));
}

static int sys_chmod(SYS, const char *path, mode_t mode)
{
  return result(chmod(path, mode));
}

static int sys_unlink(SYS, const char *path)
{
  return result(unlink(path));
}

static int sys_epoll_create1(SYS, int flags)
{
  return result(epoll_create1(flags));
}

static int sys_epoll_ctl(SYS, int epfd, int op, int fd, struct epoll_event *event)
{
  return result(epoll_ctl(epfd, op, fd, event));
}

/* Whole milliseconds, rounded up so that nothing is woken too early. */
static int to_ms(int64_t ns)
{
  int64_t ms = (ns - 1) / 1000000 + 1;
  return ms > INT_MAX ? INT_MAX : (int)ms;
}

static __attribute__((noinline)) int wait_exactly(int epfd, struct epoll_event *events, int max,
                                                  int64_t timeout_ns)
{
  struct timespec timeout = {timeout_ns / 1000000000, timeout_ns % 1000000000};
  int count = result(epoll_pwait2(epfd, events, max, &timeout, NULL));
  if (count != -ENOSYS) /* kernels before 5.11 */
    return count;
  return result(epoll_wait(epfd, events, max, to_ms(timeout_ns)));
}

static int sys_epoll_wait(SYS, int epfd, struct epoll_event *events, int max, int64_t timeout_ns)
{
  int64_t ms = timeout_ns < 0 ? -1 : timeout_ns / 1000000;
  if (__builtin_expect(timeout_ns >= 0 && (ms * 1000000 != timeout_ns || ms > INT_MAX), 0))
    return wait_exactly(epfd, events, max, timeout_ns);
  return result(epoll_wait(epfd, events, max, (int)ms));
}

static int sys_eventfd(SYS)
{
  return result(eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC));
}

/* Called by signal handlers too: errno is the interrupted code's. */
static int sys_eventfd_add(SYS, int fd)
{
  int saved = errno;
  uint64_t one = 1;
  int error = write(fd, &one, sizeof one) < 0 ? -errno : 0;
  errno = saved;
  return error;
}

static int sys_timerfd(SYS)
{
  return result(timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC));
}

static int sys_timerfd_set(SYS, int fd, uint64_t at_ns)
{
  struct itimerspec at = {.it_value = {.tv_sec = (time_t)(at_ns / 1000000000u),
                                       .tv_nsec = (long)(at_ns % 1000000000u)}};
  return result(timerfd_settime(fd, TFD_TIMER_ABSTIME, &at, NULL));
}

static uint64_t sys_now_ns(SYS)
{
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

static int64_t sys_wall_s(SYS)
{
  struct timespec now;
  clock_gettime(CLOCK_REALTIME_COARSE, &now);
  return now.tv_sec;
}

static int sys_random(SYS, void *out, size_t len)
{
  unsigned char *at = out;
  while (len > 0) {
    ssize_t n = getrandom(at, len, 0);
    if (n < 0 && errno == EINTR)
      continue;
    if (n < 0)
      return -errno;
    at += n;
    len -= (size_t)n;
  }
  return 0;
}

static void *sys_alloc(SYS, size_t size)
{
  return malloc(size);
}

/* Of large blocks the C library moves the pages, not their bytes. */
static void *sys_resize(SYS, void *memory, size_t size)
{
  return realloc(memory, size);
}

static void sys_free(SYS, void *memory)
{
  free(memory);
}

static void *sys_map(SYS, size_t size)
{
  void *memory = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  return memory == MAP_FAILED ? NULL : memory;
}

static void sys_unmap(SYS, void *memory, size_t size)
{
  munmap(memory, size);
}

uintptr_t weir__sys_thread(void)
{
  return (uintptr_t)pthread_self();
}

const struct weir__sys weir__sys_linux = {
    .resolve = sys_resolve,
    .socket = sys_socket,
    .setsockopt = sys_setsockopt,
    .getsockopt = sys_getsockopt,
    .bind = sys_bind,
    .listen = sys_listen,
    .connect = sys_connect,
    .getsockname = sys_getsockname,
    .getpeername = sys_getpeername,
    .accept4 = sys_accept4,
    .recv = sys_recv,
    .recvmsg = sys_recvmsg,
    .send = sys_send,
    .sendmsg = sys_sendmsg,
    .shutdown = sys_shutdown,
    .close = sys_close,
    .open_reserve = sys_open_reserve,
    .descriptor_limit = sys_descriptor_limit,
    .open_folder = sys_open_folder,
    .open_beneath = sys_open_beneath,
    .fstat = sys_fstat,
    .pread = sys_pread,
    .duplicate = sys_duplicate,
    .adopt = sys_adopt,
    .lstat = sys_lstat,
    .chmod = sys_chmod,
    .unlink = sys_unlink,
    .epoll_create1 = sys_epoll_create1,
    .epoll_ctl = sys_epoll_ctl,
    .epoll_wait = sys_epoll_wait,
    .eventfd = sys_eventfd,
    .eventfd_add = sys_eventfd_add,
    .timerfd = sys_timerfd,
    .timerfd_set = sys_timerfd_set,
    .now_ns = sys_now_ns,
    .wall_s = sys_wall_s,
    .random = sys_random,
    .alloc = sys_alloc,
    .resize = sys_resize,
    .free = sys_free,
    .map = sys_map,
    .unmap = sys_unmap,
};
