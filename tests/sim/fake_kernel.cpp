#include "fake_kernel.hpp"

#include "fake_names.hpp"

#include <algorithm>
#include <arpa/inet.h>
#include <cerrno>
#include <cstdarg>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <netinet/in.h>

namespace sim
{

// The table's functions: each finds the kernel that its seam belongs to.
struct seam_functions {
  static kernel &of(const struct weir__sys *sys)
  {
    return *reinterpret_cast<const kernel::seam *>(sys)->self;
  }

  static void sockets(struct weir__sys &t)
  {
    t.resolve = [](const weir__sys *s, const char *host, uint16_t port, weir__address *out,
                   size_t max) { return of(s).resolve(host, port, out, max); };
    t.socket = [](const weir__sys *s, int domain, int type, int) {
      return of(s).socket(domain, type);
    };
    t.setsockopt = [](const weir__sys *s, int fd, int, int, const void *, socklen_t) {
      return of(s).find(fd) == nullptr ? -EBADF : 0;
    };
    t.getsockopt = [](const weir__sys *s, int fd, int, int name, int *value) {
      return of(s).getsockopt(fd, name, value);
    };
    t.bind = [](const weir__sys *s, int fd, const sockaddr *address, socklen_t len) {
      return of(s).bind(fd, address, len);
    };
    t.connect = [](const weir__sys *s, int fd, const sockaddr *address, socklen_t len) {
      return of(s).connect(fd, address, len);
    };
    t.listen = [](const weir__sys *s, int fd, int backlog) { return of(s).listen(fd, backlog); };
    t.getsockname = [](const weir__sys *s, int fd, weir__address *out) {
      return of(s).getsockname(fd, out);
    };
    t.getpeername = [](const weir__sys *s, int fd, weir__address *out) {
      return of(s).getpeername(fd, out);
    };
    t.accept4 = [](const weir__sys *s, int fd, int flags) { return of(s).accept4(fd, flags); };
    t.recvmsg = [](const weir__sys *s, int fd, msghdr *message, int flags) {
      return of(s).recvmsg(fd, message, flags);
    };
    t.recv = [](const weir__sys *s, int fd, void *data, size_t len, int flags) {
      return of(s).recv(fd, data, len, flags);
    };
    t.send = [](const weir__sys *s, int fd, const void *data, size_t len, int flags) {
      iovec piece{const_cast<void *>(data), len};
      msghdr message{};
      message.msg_iov = &piece;
      message.msg_iovlen = 1;
      return of(s).sendmsg(fd, &message, flags);
    };
    t.sendmsg = [](const weir__sys *s, int fd, const msghdr *message, int flags) {
      return of(s).sendmsg(fd, message, flags);
    };
    t.shutdown = [](const weir__sys *s, int fd, int how) { return of(s).shutdown(fd, how); };
    t.close = [](const weir__sys *s, int fd) { return of(s).close(fd); };
    t.open_reserve = [](const weir__sys *s) { return of(s).open_reserve(); };
  }

  static void names(struct weir__sys &t)
  {
    t.duplicate = [](const weir__sys *s, int fd) { return of(s).duplicate(fd); };
    t.adopt = [](const weir__sys *s, int fd) { return of(s).adopt(fd); };
    t.lstat = [](const weir__sys *s, const char *path, struct stat *out) {
      return of(s).lstat(path, out);
    };
    t.chmod = [](const weir__sys *s, const char *path, mode_t mode) {
      return of(s).chmod(path, mode);
    };
    t.unlink = [](const weir__sys *s, const char *path) { return of(s).unlink(path); };
  }

  static void the_rest(struct weir__sys &t)
  {
    t.descriptor_limit = [](const weir__sys *s) { return of(s).max_files; };
    t.epoll_create1 = [](const weir__sys *s, int) { return of(s).epoll_create(); };
    t.epoll_ctl = [](const weir__sys *s, int epfd, int op, int fd, epoll_event *event) {
      return of(s).epoll_ctl(epfd, op, fd, event);
    };
    t.epoll_wait = [](const weir__sys *s, int epfd, epoll_event *events, int max,
                      int64_t timeout_ns) {
      return of(s).epoll_wait(epfd, events, max, timeout_ns);
    };
    t.eventfd = [](const weir__sys *s) { return of(s).eventfd(); };
    t.eventfd_add = [](const weir__sys *s, int fd) { return of(s).eventfd_add(fd); };
    t.timerfd = [](const weir__sys *s) { return of(s).timerfd(); };
    t.timerfd_set = [](const weir__sys *s, int fd, uint64_t at_ns) {
      return of(s).timerfd_set(fd, at_ns);
    };
    t.now_ns = [](const weir__sys *s) { return of(s).clock(); };
    t.wall_s = [](const weir__sys *s) {
      return static_cast<int64_t>(1700000000 + of(s).clock() / 1000000000);
    };
    t.random = [](const weir__sys *s, void *out, size_t len) { return of(s).random(out, len); };
    t.alloc = [](const weir__sys *s, size_t size) { return of(s).alloc(size); };
    t.resize = [](const weir__sys *s, void *memory, size_t size) {
      return of(s).resize(memory, size);
    };
    t.free = [](const weir__sys *s, void *memory) { of(s).release(memory); };
    t.map = [](const weir__sys *s, size_t size) { return of(s).alloc(size); };
    t.unmap = [](const weir__sys *s, void *memory, size_t) { of(s).release(memory); };
  }
};

kernel::kernel(uint64_t seed) : roll(seed)
{
  seam_functions::sockets(seam_.sys);
  seam_functions::names(seam_.sys);
  seam_functions::the_rest(seam_.sys);
  seam_.self = this;
  const char *lines = std::getenv("WEIR_SIM_TRACE");
  lines_.resize(std::max(1, lines != nullptr ? std::atoi(lines) : 80));
  files_.resize(3, std::make_shared<reserve_file>(*this)); // stdin, stdout, stderr
}

void kernel::note(const char *format, long a, long b, long c)
{
  line &l = lines_[noted_++ % lines_.size()];
  l.at = now_;
  l.format = format;
  l.a = a;
  l.b = b;
  l.c = c;
}

void kernel::note(const std::string &text)
{
  note(nullptr);
  lines_[(noted_ - 1) % lines_.size()].text = text;
}

std::string kernel::trace() const
{
  std::string all;
  char text[200];
  for (size_t i = noted_ > lines_.size() ? noted_ - lines_.size() : 0; i < noted_; ++i) {
    const line &l = lines_[i % lines_.size()];
    double ms = static_cast<double>(l.at) / static_cast<double>(NS_PER_MS);
    std::snprintf(text, sizeof text, "%12.6f ms  ", ms);
    all += text;
    if (l.format != nullptr)
      std::snprintf(text, sizeof text, l.format, l.a, l.b, l.c);
    all += (l.format != nullptr ? std::string(text) : l.text) + "\n";
  }
  return all;
}

void kernel::blame(const char *format, ...)
{
  char text[160];
  va_list arguments;
  va_start(arguments, format);
  std::vsnprintf(text, sizeof text, format, arguments);
  va_end(arguments);
  note("BLAME: " + std::string(text));
  blames.emplace_back(text);
}

bool kernel::planted(plant which)
{
  return bug == which && planted_at != 0 && --planted_at == 0;
}

// A call takes time, too.
void kernel::tick()
{
  now_ += 500;
}

uint64_t kernel::clock()
{
  tick();
  if (roll.chance(faults.slow_clock))
    now_ += roll.below(2 * NS_PER_MS);
  return now_;
}

// Whether this set-up call is the one that fails.
bool kernel::fails()
{
  tick();
  return ++calls == fail_call;
}

file *kernel::find(int fd)
{
  size_t at = static_cast<size_t>(fd);
  return fd >= 0 && at < files_.size() ? files_[at].get() : nullptr;
}

// The lowest free number, as the kernel gives it.
int kernel::install(std::shared_ptr<file> f)
{
  size_t at = 3;
  while (at < files_.size() && files_[at] != nullptr)
    ++at;
  if (at >= max_files)
    return -EMFILE;
  if (at == files_.size())
    files_.emplace_back();
  f->fd = static_cast<int>(at);
  files_[at] = std::move(f);
  return static_cast<int>(at);
}

size_t kernel::open_files() const
{
  size_t n = 0;
  for (size_t at = 3; at < files_.size(); ++at)
    n += files_[at] != nullptr;
  return n;
}

std::string kernel::describe_files() const
{
  std::string all;
  for (size_t at = 3; at < files_.size(); ++at)
    if (auto *socket = as<tcp_socket>(files_[at].get()))
      all += "  " + socket->describe() + "\n";
    else if (files_[at] != nullptr)
      all += "  fd " + std::to_string(at) + ": " + name_of(files_[at]->is) + "\n";
  return all;
}

int kernel::resolve(const char *host, uint16_t port, struct weir__address *out, size_t max)
{
  if (fails())
    return -ENOENT;
  if (max == 0)
    return 0;
  std::memset(&out[0], 0, sizeof out[0]);
  if (host == nullptr) {
    auto *six = reinterpret_cast<sockaddr_in6 *>(&out[0].storage);
    six->sin6_family = AF_INET6;
    six->sin6_port = htons(port);
    out[0].len = sizeof *six;
  } else {
    auto *four = reinterpret_cast<sockaddr_in *>(&out[0].storage);
    four->sin_family = AF_INET;
    four->sin_port = htons(port);
    four->sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    out[0].len = sizeof *four;
  }
  return 1;
}

int kernel::socket(int domain, int type)
{
  if (fails())
    return -ENFILE;
  if ((type & (SOCK_NONBLOCK | SOCK_CLOEXEC)) != (SOCK_NONBLOCK | SOCK_CLOEXEC))
    blame("socket(%d, %#x): not non-blocking and close-on-exec", domain,
          static_cast<unsigned>(type));
  auto listener = std::make_shared<listener_file>(*this);
  listener->domain = domain;
  return install(listener);
}

int kernel::bind(int fd, const struct sockaddr *address, socklen_t len)
{
  auto *listener = get<listener_file>(fd, "bind");
  if (listener == nullptr)
    return -EBADF;
  if (fails())
    return -EADDRINUSE;
  if (address->sa_family == AF_UNIX)
    return bind_name(listener, name_of(address, len));
  // The port stands in the same place for both families.
  uint16_t port = ntohs(reinterpret_cast<const sockaddr_in *>(address)->sin_port);
  for (auto &f : files_)
    if (auto *other = as<listener_file>(f.get()))
      if (other != listener && port != 0 && other->port == port && other->listening)
        return -EADDRINUSE;
  listener->port = port != 0 ? port : 8080;
  return 0;
}

int kernel::listen(int fd, int backlog)
{
  auto *listener = get<listener_file>(fd, "listen");
  if (listener == nullptr)
    return -EBADF;
  if (fails())
    return -EADDRINUSE;
  listener->listening = true;
  listener->backlog = static_cast<size_t>(backlog);
  return 0;
}

int kernel::getsockname(int fd, struct weir__address *out)
{
  auto *listener = get<listener_file>(fd, "getsockname");
  if (listener == nullptr)
    return -EBADF;
  if (fails())
    return -ENOBUFS;
  if (listener->domain == AF_UNIX)
    fill(out, listener->name);
  else
    fill(out, listener->domain, listener->port);
  return 0;
}

int kernel::getpeername(int fd, struct weir__address *out)
{
  auto *socket = get<tcp_socket>(fd, "getpeername");
  if (socket == nullptr)
    return -EBADF;
  if (socket->local)
    fill(out, "");
  else
    fill(out, AF_INET6, socket->port);
  return 0;
}

// A connection to the listener that is wanted.
std::shared_ptr<tcp_socket> kernel::dial(const std::function<bool(const listener_file &)> &wanted)
{
  for (auto &f : files_) {
    auto *listener = as<listener_file>(f.get());
    if (listener == nullptr || !listener->listening || !wanted(*listener))
      continue;
    if (listener->pending.size() > listener->backlog)
      return nullptr;
    bool local = listener->domain == AF_UNIX;
    auto socket = std::make_shared<tcp_socket>(*this, next_port_++, local);
    listener->pending.push_back(socket);
    listener->wake(EPOLLIN);
    return socket;
  }
  return nullptr;
}

std::shared_ptr<tcp_socket> kernel::connect(uint16_t port)
{
  return dial([port](const listener_file &l) { return l.domain != AF_UNIX && l.port == port; });
}

// An error that accept gives now, though a connection waits; the edge comes again later.
int kernel::accept_fault()
{
  static const int errors[] = {ECONNABORTED, EMFILE, ENFILE, ENOBUFS, EAGAIN};
  return roll.chance(faults.accept_error) ? errors[roll.below(std::size(errors))] : 0;
}

int kernel::accept4(int fd, int flags)
{
  tick();
  auto *listener = get<listener_file>(fd, "accept4");
  if (listener == nullptr || !listener->listening)
    return -EINVAL;
  if ((flags & (SOCK_NONBLOCK | SOCK_CLOEXEC)) != (SOCK_NONBLOCK | SOCK_CLOEXEC))
    blame("accept4 flags %#x: not non-blocking and close-on-exec", static_cast<unsigned>(flags));
  if (roll.chance(faults.interrupt))
    return -EINTR;
  if (listener->pending.empty())
    return -EAGAIN;
  if (int error = accept_fault(); error != 0) {
    note("accept4 -> error %ld", error);
    if (error == EAGAIN)
      after(roll.below(NS_PER_MS), [this, fd] {
        if (auto *f = as<listener_file>(files_[static_cast<size_t>(fd)].get()))
          f->wake(EPOLLIN);
      });
    return -error;
  }
  int got = install(listener->pending.front());
  note("accept4 -> %ld (client port %ld)", got, listener->pending.front()->port);
  if (got < 0)
    return got;
  listener->pending.pop_front();
  progress();
  return got;
}

// One piece, without room for descriptors: that some came, and cut the read short, is all that is
// told of them.
ssize_t kernel::recvmsg(int fd, msghdr *message, int flags)
{
  auto *socket = get<tcp_socket>(fd, "recvmsg");
  if (message->msg_iovlen != 1 || message->msg_control != nullptr)
    blame("recvmsg(%d): %zu pieces", fd, message->msg_iovlen);
  ssize_t n = recv(fd, message->msg_iov->iov_base, message->msg_iov->iov_len, flags);
  message->msg_flags = n > 0 && socket != nullptr && socket->was_cut() ? MSG_CTRUNC : 0;
  return n;
}

ssize_t kernel::recv(int fd, void *data, size_t len, int flags)
{
  tick();
  auto *socket = get<tcp_socket>(fd, "recv");
  if (socket == nullptr)
    return -EBADF;
  if ((flags & ~(MSG_DONTWAIT | MSG_PEEK)) != 0 || len == 0)
    blame("recv(%d, %zu, %#x)", fd, len, static_cast<unsigned>(flags));
  if (roll.chance(faults.interrupt))
    return -EINTR;
  ssize_t n = (flags & MSG_PEEK) != 0 ? socket->peek(data, len) : socket->recv(data, len);
  note("recv(%ld, %ld) -> %ld", fd, static_cast<long>(len), n);
  if (n != -EAGAIN)
    progress();
  return n;
}

ssize_t kernel::sendmsg(int fd, const struct msghdr *message, int flags)
{
  tick();
  auto *socket = get<tcp_socket>(fd, "sendmsg");
  if (socket == nullptr)
    return -EBADF;
  if ((flags & MSG_NOSIGNAL) == 0)
    blame("sendmsg(%d) without MSG_NOSIGNAL", fd);
  if (roll.chance(faults.interrupt))
    return -EINTR;
  ssize_t n = socket->send(*message);
  note("sendmsg(%ld, %ld pieces) -> %ld", fd, static_cast<long>(message->msg_iovlen), n);
  if (n != -EAGAIN)
    progress();
  return n;
}

int kernel::shutdown(int fd, int how)
{
  tick();
  auto *socket = get<tcp_socket>(fd, "shutdown");
  note("shutdown(%ld)", fd);
  return socket == nullptr ? -EBADF : socket->shutdown(how);
}

int kernel::close(int fd)
{
  tick();
  file *f = find(fd);
  if (f == nullptr || fd < 3) {
    blame("close(%d): no such descriptor", fd);
    return -EBADF;
  }
  note("close(%ld)", fd);
  std::shared_ptr<file> last = std::move(files_[static_cast<size_t>(fd)]);
  files_[static_cast<size_t>(fd)] = nullptr;
  progress();
  auto other = std::find(files_.begin(), files_.end(), last);
  if (other != files_.end()) { // a duplicate
    last->fd = static_cast<int>(other - files_.begin());
    return 0;
  }
  while (!f->watches.empty())
    f->watches.front()->owner->forget(f);
  last->released();
  last->fd = -1;
  return 0;
}

int kernel::open_reserve()
{
  return fails() ? -EMFILE : install(std::make_shared<reserve_file>(*this));
}

int kernel::random(void *out, size_t len)
{
  if (fails())
    return -ENOSYS;
  auto *bytes = static_cast<unsigned char *>(out);
  for (size_t i = 0; i < len; ++i)
    bytes[i] = static_cast<unsigned char>(roll.next());
  return 0;
}

// Memory is filled, so that reading what was not written, or was freed, shows.
void *kernel::alloc(size_t size)
{
  if (++allocs == fail_alloc || roll.chance(faults.no_memory))
    return nullptr;
  void *memory = std::aligned_alloc(16, (size + 15) & ~size_t{15});
  if (memory == nullptr)
    return nullptr;
  std::memset(memory, 0xA5, size);
  blocks_[memory] = size;
  heap_bytes_ += size;
  return memory;
}

// It always moves, so that whoever keeps the old address is found out.
void *kernel::resize(void *memory, size_t size)
{
  auto block = blocks_.find(memory);
  if (block == blocks_.end()) {
    blame("resize(%p): no such block", memory);
    return nullptr;
  }
  size_t kept = std::min(block->second, size);
  void *moved = alloc(size);
  if (moved == nullptr)
    return nullptr;
  std::memcpy(moved, memory, kept);
  release(memory);
  return moved;
}

void kernel::release(void *memory)
{
  if (memory == nullptr)
    return;
  auto block = blocks_.find(memory);
  if (block == blocks_.end()) {
    blame("free(%p): no such block", memory);
    return;
  }
  std::memset(memory, 0x5A, block->second);
  heap_bytes_ -= block->second;
  blocks_.erase(block);
  std::free(memory);
}

} // namespace sim
