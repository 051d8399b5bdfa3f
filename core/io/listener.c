/* Listening sockets: their options, accepting, and what to do when descriptors run out. */
#include "io/listener.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <string.h>

static int set_option(const struct weir__sys *sys, int fd, int level, int name, int value)
{
  return sys->setsockopt(sys, fd, level, name, &value, sizeof value);
}

static bool is_wildcard6(const struct weir__address *address)
{
  const struct sockaddr_in6 *six = (const struct sockaddr_in6 *)&address->storage;
  return address->storage.ss_family == AF_INET6 && IN6_IS_ADDR_UNSPECIFIED(&six->sin6_addr);
}

/* What accepted sockets inherit. */
static int set_inherited(const struct weir__sys *sys, int fd)
{
  int error = set_option(sys, fd, IPPROTO_TCP, TCP_NODELAY, 1);
  if (error == 0)
    error = set_option(sys, fd, IPPROTO_TCP, TCP_NOTSENT_LOWAT, WEIR__NOTSENT_LOWAT);
  return error;
}

static int set_options(const struct weir__sys *sys, int fd, const struct weir__address *address)
{
  int error = set_option(sys, fd, SOL_SOCKET, SO_REUSEADDR, 1);
  if (error == 0 && is_wildcard6(address))
    error = set_option(sys, fd, IPPROTO_IPV6, IPV6_V6ONLY, 0);
  return error == 0 ? set_inherited(sys, fd) : error;
}

/* A socket with its options, bound. */
static int open_bound(const struct weir__sys *sys, const struct weir__address *address, bool shared)
{
  int type = SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC;
  int fd = sys->socket(sys, address->storage.ss_family, type, 0);
  if (fd < 0)
    return fd;
  int error = set_options(sys, fd, address);
  if (error == 0 && shared)
    error = set_option(sys, fd, SOL_SOCKET, SO_REUSEPORT, 1);
  if (error == 0)
    error = sys->bind(sys, fd, (const struct sockaddr *)&address->storage, address->len);
  if (error == 0)
    return fd;
  sys->close(sys, fd);
  return error;
}

int weir__listener_open(const struct weir__sys *sys, const struct weir__address *address,
                        int backlog, bool shared, bool joining)
{
  if (shared && !joining) {
    int probe = open_bound(sys, address, false);
    if (probe < 0)
      return probe;
    sys->close(sys, probe);
  }
  int fd = open_bound(sys, address, shared);
  if (fd < 0)
    return fd;
  int error = sys->listen(sys, fd, backlog);
  if (error == 0)
    return fd;
  sys->close(sys, fd);
  return error;
}

/* Whether a descriptor is a socket that listens for streams. */
static int check_listening(const struct weir__sys *sys, int fd)
{
  int listening, type;
  int error = sys->getsockopt(sys, fd, SOL_SOCKET, SO_ACCEPTCONN, &listening);
  if (error == 0)
    error = sys->getsockopt(sys, fd, SOL_SOCKET, SO_TYPE, &type);
  if (error != 0)
    return error;
  if (!listening)
    return -ENOTSOCK;
  return type == SOCK_STREAM ? 0 : -EINVAL;
}

int weir__listener_adopt(const struct weir__sys *sys, int fd, struct weir__address *address)
{
  int error = check_listening(sys, fd);
  if (error == 0)
    error = sys->getsockname(sys, fd, address);
  if (error != 0)
    return error;
  sa_family_t family = address->storage.ss_family;
  if (family == AF_INET || family == AF_INET6)
    error = set_inherited(sys, fd);
  else if (family != AF_UNIX)
    error = -EAFNOSUPPORT;
  return error == 0 ? sys->adopt(sys, fd) : error;
}

static void take_reserve(struct weir__listener *listener)
{
  const struct weir__sys *sys = listener->loop->mem.sys;
  int fd = listener->reserve < 0 ? sys->open_reserve(sys) : listener->reserve;
  listener->reserve = fd < 0 ? -1 : fd;
}

static void release_reserve(struct weir__listener *listener)
{
  const struct weir__sys *sys = listener->loop->mem.sys;
  if (listener->reserve >= 0)
    sys->close(sys, listener->reserve);
  listener->reserve = -1;
}

static int accept_one(struct weir__listener *listener)
{
  const struct weir__sys *sys = listener->loop->mem.sys;
  return sys->accept4(sys, listener->source.fd, SOCK_NONBLOCK | SOCK_CLOEXEC);
}

static void rest(struct weir__listener *listener)
{
  listener->resting = true;
  __atomic_store_n(&listener->paused, listener->paused + 1, __ATOMIC_RELAXED);
  weir_timer_start(listener->pause, WEIR__ACCEPT_PAUSE_MS, 0);
}

/* Refuses the first in line, who would else wait without an answer, and lets the rest wait. */
static void pause_accepting(struct weir__listener *listener)
{
  const struct weir__sys *sys = listener->loop->mem.sys;
  if (listener->reserve >= 0) {
    release_reserve(listener);
    int refused = accept_one(listener);
    if (refused >= 0)
      sys->close(sys, refused);
    take_reserve(listener);
  }
  rest(listener);
}

static void pause_ended(struct weir_timer *timer, void *arg)
{
  struct weir__listener *listener = arg;
  (void)timer;
  take_reserve(listener);
  listener->resting = false;
  weir__loop_again(listener->loop, &listener->source);
}

/* Whether an error of accept4 concerns one connection only, so that the next may be tried at once
 * (accept(2)). */
static bool is_passing(int error)
{
  switch (-error) {
  case EINTR:
  case ECONNABORTED:
  case EPERM:
  case ENETDOWN:
  case EPROTO:
  case ENOPROTOOPT:
  case EHOSTDOWN:
  case ENONET:
  case EHOSTUNREACH:
  case EOPNOTSUPP:
  case ENETUNREACH:
    return true;
  default:
    return false;
  }
}

static void listener_ready(struct weir__source *source)
{
  (void)source;
}

/* Accepts; how many of the budget it tried, fewer when none waits any more. The callee may stop the
 * listener. */
static int accept_some(struct weir__listener *listener, int budget)
{
  for (int i = 0; i < budget; i++) {
    int fd = accept_one(listener);
    if (fd == -EAGAIN)
      return i;
    if (fd < 0 && is_passing(fd))
      continue;
    if (fd < 0) {
      pause_accepting(listener);
      return i;
    }
    listener->accepted(listener, fd);
    if (listener->source.fd < 0)
      return i;
  }
  return budget;
}

static uint32_t events_of(const struct weir__listener *listener)
{
  return listener->shared ? EPOLLIN | EPOLLEXCLUSIVE : EPOLLIN;
}

/* The kernel wakes the first in line who sleeps: without this the same loop nearly each time. What
 * still waits is an event again. */
static void step_back(struct weir__listener *listener)
{
  int error = weir__loop_rewatch(listener->loop, &listener->source, events_of(listener));
  listener->unwatched = error != 0;
  if (error != 0)
    rest(listener);
}

static void listener_work(struct weir__source *source)
{
  struct weir__listener *listener = WEIR__CONTAINER(source, struct weir__listener, source);
  int budget = listener->shared ? WEIR__ACCEPT_SHARED : WEIR__ACCEPT_BUDGET;
  if (listener->resting)
    return;
  int tried = accept_some(listener, budget);
  if (source->fd < 0 || listener->resting)
    return;
  if (listener->shared && (tried > 0 || listener->unwatched))
    step_back(listener);
  else if (tried == budget)
    weir__loop_again(listener->loop, source);
}

/* Its memory is its owner's, and nothing is buried. */
static const struct weir__source_ops listener_ops = {
    .ready = listener_ready,
    .work = listener_work,
};

int weir__listener_start(struct weir__listener *listener, struct weir_loop *loop, int fd)
{
  listener->source.ops = &listener_ops;
  listener->source.fd = -1;
  listener->loop = loop;
  listener->resting = false;
  listener->unwatched = false;
  listener->reserve = -1;
  listener->paused = 0;
  int error = weir_timer_new(&listener->pause, loop, pause_ended, listener);
  if (error < 0)
    return error;
  take_reserve(listener);
  error = weir__loop_watch(loop, &listener->source, fd, events_of(listener));
  if (error == 0)
    return 0;
  release_reserve(listener);
  weir_timer_free(listener->pause);
  return error;
}

void weir__listener_stop(struct weir__listener *listener)
{
  const struct weir__sys *sys = listener->loop->mem.sys;
  int fd = listener->source.fd;
  if (fd < 0)
    return;
  weir_timer_free(listener->pause);
  listener->pause = NULL;
  release_reserve(listener);
  if (listener->shared) /* closing ends the watch only with the socket's last descriptor */
    sys->epoll_ctl(sys, listener->loop->epfd, EPOLL_CTL_DEL, fd, NULL);
  weir__loop_forget(listener->loop, &listener->source);
  weir__loop_close(listener->loop, &listener->source);
}

void weir__listener_finish(struct weir__listener *listener)
{
  if (listener->source.fd >= 0 && !listener->resting)
    accept_some(listener, WEIR__ACCEPT_LAST);
  weir__listener_stop(listener);
}
