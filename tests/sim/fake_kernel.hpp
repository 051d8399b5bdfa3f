// A kernel for one server and any number of clients, in one thread, on a clock of its own: the seam
// of core/base/sys.h, edge-triggered epoll as Linux has it, and faults by the dice. A call never
// blocks: epoll_wait lets the rest of the world act, and moves the clock to the next thing that
// happens.
#ifndef WEIR_SIM_FAKE_KERNEL_HPP
#define WEIR_SIM_FAKE_KERNEL_HPP

#include "base/sys.h"
#include "dice.hpp"
#include "fake_file.hpp"

#include <unordered_map>

namespace sim
{

constexpr uint64_t NS_PER_MS = 1000000;

// How often each fault comes, per 1,000 calls.
struct fault_rates {
  unsigned short_read = 0, again_read = 0;
  unsigned short_send = 0, again_send = 0;
  unsigned late_reset = 0;   // what is sent to a peer that closed is answered after a while
  unsigned interrupt = 0;    // EINTR, of any call that may give it
  unsigned shuffle = 0;      // a batch of events in another order
  unsigned duplicate = 0;    // an event twice in its batch: stale after the first was handled
  unsigned spurious = 0;     // a watch on the ready list for no reason
  unsigned slow_clock = 0;   // a look at the clock comes up to 2 ms late
  bool drip = false;         // recv gives a byte, send takes one: each is a short transfer
  unsigned accept_error = 0; // ECONNABORTED, EMFILE, ENFILE, ENOBUFS, EAGAIN
  unsigned no_memory = 0;    // an allocation fails
};

// A bug of the kernel's, to prove that the detectors see what a lost wake-up does. The first three
// happen once; the fourth is a server that stops reading before it has reason to.
enum class plant { none, lost_in_edge, lost_out_edge, silent_short_send, silent_short_read };

class kernel
{
public:
  explicit kernel(uint64_t seed);
  kernel(const kernel &) = delete;
  kernel &operator=(const kernel &) = delete;

  const struct weir__sys *sys() const
  {
    return &seam_.sys;
  }

  // The client's side of the world.
  std::shared_ptr<tcp_socket> connect(uint16_t port); // NULL: refused, or the backlog is full
  std::shared_ptr<tcp_socket> connect(const std::string &name); // of a unix socket
  uint16_t port_behind(int fd) // a client's; of a unix socket too, where the server sees none
  {
    auto *socket = as<tcp_socket>(find(fd));
    return socket == nullptr ? 0 : socket->port;
  }
  void at(uint64_t ns, std::function<void()> what);
  void after(uint64_t ns, std::function<void()> what);

  // poll(2) on an epoll by a foreign loop: the world acts until it is readable.
  void sleep_on(int epfd, uint64_t ns);

  uint64_t now() const
  {
    return now_;
  }
  uint64_t now_ms() const
  {
    return now_ / NS_PER_MS;
  }

  // Something came of a call: the loop is not spinning, and the world is not stuck.
  void progress()
  {
    idle_waits_ = 0;
    ++progressed_;
  }
  uint64_t progressed() const
  {
    return progressed_;
  }

  // Writes a line of the trace, which keeps the last ones (WEIR_SIM_TRACE=n: so many); the format
  // stays where it is and takes %ld only: it is worked out when somebody reads it.
  void note(const char *format, long a = 0, long b = 0, long c = 0);
  void note(const std::string &text);
  std::string trace() const;

  // A call that no correct program makes.
  void blame(const char *format, ...) __attribute__((format(printf, 2, 3)));

  // What is open and allocated now.
  size_t open_files() const;
  std::string describe_files() const;
  size_t socket_files() const
  {
    return nodes_.size();
  }
  size_t blocks() const
  {
    return blocks_.size();
  }
  size_t heap_bytes() const
  {
    return heap_bytes_;
  }

  // Whether the planted bug strikes now: at the planted_at-th time it is asked for.
  bool planted(plant which);

  template <class visit> void each_socket(visit &&visitor)
  {
    for (auto &f : files_)
      if (auto *socket = as<tcp_socket>(f.get()))
        visitor(*socket);
  }

  dice roll;
  fault_rates faults;
  plant bug = plant::none;
  unsigned planted_at = 1;
  size_t max_files = 1024;
  size_t rcvbuf = 64 << 10, sndbuf = 64 << 10; // of sockets accepted from now on
  uint64_t fail_alloc = 0;                     // the number of the allocation that fails; 0: none
  uint64_t fail_call = 0;                      // the number of the set-up call that fails; 0: none
  uint64_t allocs = 0, calls = 0;
  unsigned spin_limit = 1000;        // waits without progress
  std::vector<std::string> blames;   // what blame was told
  std::function<bool()> signal;      // whether a signal ends the sleep now
  std::function<void()> would_block; // epoll_wait is about to sleep

private:
  friend struct seam_functions;
  struct seam {
    struct weir__sys sys; // first: weir gets a pointer to it
    kernel *self;
  };

  // The calls, as in core/base/sys.h.
  int resolve(const char *host, uint16_t port, struct weir__address *out, size_t max);
  int socket(int domain, int type);
  int getsockopt(int fd, int name, int *value);
  int bind(int fd, const struct sockaddr *address, socklen_t len);
  int bind_name(listener_file *listener, const std::string &name);
  int listen(int fd, int backlog);
  int connect(int fd, const struct sockaddr *address, socklen_t len);
  int getsockname(int fd, struct weir__address *out);
  int getpeername(int fd, struct weir__address *out);
  int accept4(int fd, int flags);
  ssize_t recv(int fd, void *data, size_t len, int flags);
  ssize_t recvmsg(int fd, msghdr *message, int flags);
  ssize_t sendmsg(int fd, const struct msghdr *message, int flags);
  int shutdown(int fd, int how);
  int close(int fd);
  int open_reserve();
  int duplicate(int fd);
  int adopt(int fd);
  int lstat(const char *path, struct stat *out);
  int chmod(const char *path, mode_t mode);
  int unlink(const char *path);
  int epoll_create();
  int epoll_ctl(int epfd, int op, int fd, struct epoll_event *event);
  int epoll_wait(int epfd, struct epoll_event *events, int max, int64_t timeout_ns);
  int eventfd();
  int eventfd_add(int fd);
  int timerfd();
  int timerfd_set(int fd, uint64_t at_ns);
  int random(void *out, size_t len);
  void *alloc(size_t size);
  void *resize(void *memory, size_t size);
  void release(void *memory);

  void tick();
  uint64_t clock();
  bool fails();
  file *find(int fd);
  template <class kind> kind *get(int fd, const char *call);
  int install(std::shared_ptr<file> f);
  std::shared_ptr<tcp_socket> dial(const std::function<bool(const listener_file &)> &wanted);
  int accept_fault();
  bool run_next(uint64_t until);
  int settle(epoll_file *epoll, struct epoll_event *events, int max, uint64_t until);
  void disturb(epoll_file *epoll);
  int distort(struct epoll_event *events, int n, int max);

  seam seam_;
  uint64_t now_ = 1000 * NS_PER_MS;
  std::multimap<uint64_t, std::function<void()>> agenda_;
  std::vector<std::shared_ptr<file>> files_;
  std::unordered_map<void *, size_t> blocks_;
  size_t heap_bytes_ = 0;
  uint64_t idle_waits_ = 0, progressed_ = 0;
  uint16_t next_port_ = 20000;

  // The files of unix sockets, by path.
  struct node {
    ino_t inode;
    mode_t mode;
  };
  std::map<std::string, node> nodes_;
  ino_t next_inode_ = 1;

  struct line {
    uint64_t at;
    const char *format; // NULL: the text
    long a, b, c;
    std::string text;
  };
  std::vector<line> lines_;
  size_t noted_ = 0;
};

template <class kind> kind *kernel::get(int fd, const char *call)
{
  file *f = find(fd);
  kind *wanted = as<kind>(f);
  if (wanted == nullptr)
    blame("%s(%d): %s", call, fd, f == nullptr ? "no such descriptor" : name_of(f->is));
  return wanted;
}

} // namespace sim

#endif
