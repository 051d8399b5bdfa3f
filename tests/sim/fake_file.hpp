// What a descriptor of the fake kernel can stand for. The rules are Linux's: an event source wakes
// its watches with a set of bits, a watch that is interested stands on its epoll's ready list once,
// and what epoll_wait reports is the state at that moment (fs/eventpoll.c, tcp_poll).
#ifndef WEIR_SIM_FAKE_FILE_HPP
#define WEIR_SIM_FAKE_FILE_HPP

#include <cstddef>
#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <vector>

namespace sim
{

class kernel;
class epoll_file;
class file;

// A descriptor's entry in an epoll.
struct watch {
  epoll_file *owner;
  file *target;
  int fd;
  uint32_t events;
  epoll_data_t data;
  bool queued; // on the ready list
};

enum class sort { epoll, eventfd, timerfd, reserve, tcp, listener };

class file
{
public:
  file(kernel &k, sort s) : is(s), kernel_(k) {}
  virtual ~file() = default;
  file(const file &) = delete;
  file &operator=(const file &) = delete;

  // The bits that poll(2) would give, with its side effects.
  virtual uint32_t poll() = 0;

  // The descriptor was closed.
  virtual void released() {}

  // epoll_wait told the server these bits.
  virtual void reported(uint32_t) {}

  // Puts the watches that want one of these bits (0: all) on their ready lists: an edge.
  void wake(uint32_t key);

  const sort is;
  std::vector<watch *> watches;
  int fd = -1;

protected:
  kernel &kernel_;
};

// The file as what it is; NULL when it is something else.
template <class kind> kind *as(file *f)
{
  return f != nullptr && f->is == kind::KIND ? static_cast<kind *>(f) : nullptr;
}

const char *name_of(sort s);

// A queue of bytes.
class byte_queue
{
public:
  void push(std::string_view bytes);
  size_t peek(void *out, size_t len, size_t skipped = 0) const;
  size_t pop(void *out, size_t len);
  void clear();
  size_t size() const
  {
    return bytes_.size() - at_;
  }
  bool empty() const
  {
    return size() == 0;
  }

private:
  std::string bytes_;
  size_t at_ = 0;
};

class epoll_file final : public file
{
public:
  static constexpr sort KIND = sort::epoll;
  explicit epoll_file(kernel &k) : file(k, KIND) {}
  uint32_t poll() override;

  int control(int op, int fd, file *target, const epoll_event *event);
  void forget(file *target);
  void queue(watch *w);
  int collect(epoll_event *events, int max);

  // A descriptor's number may name another file by now.
  using key = std::pair<int, file *>;
  std::map<key, std::unique_ptr<watch>> entries;

private:
  void drop(std::map<key, std::unique_ptr<watch>>::iterator entry);
  std::deque<watch *> ready_;
};

class event_file final : public file
{
public:
  static constexpr sort KIND = sort::eventfd;
  explicit event_file(kernel &k) : file(k, KIND) {}
  uint32_t poll() override;
  uint64_t count = 0;
};

class timer_file final : public file
{
public:
  static constexpr sort KIND = sort::timerfd;
  explicit timer_file(kernel &k) : file(k, KIND) {}
  uint32_t poll() override;
  uint64_t setting = 0; // moves on with each timerfd_settime, so that an old expiry is known
  uint64_t ticks = 0;
};

class reserve_file final : public file
{
public:
  static constexpr sort KIND = sort::reserve;
  explicit reserve_file(kernel &k) : file(k, KIND) {}
  uint32_t poll() override
  {
    return 0;
  }
};

// One TCP connection, both ends and the network between, or one between unix sockets, which differs
// in that descriptors that are passed along cut a read short, which recvmsg tells. The server's
// end is the file; the client's end are the functions that begin with peer.
class tcp_socket final : public file, public std::enable_shared_from_this<tcp_socket>
{
public:
  static constexpr sort KIND = sort::tcp;
  tcp_socket(kernel &k, uint16_t port, bool local = false);

  // The server's end.
  uint32_t poll() override;
  void released() override;
  void reported(uint32_t mask) override;
  ssize_t recv(void *data, size_t len);
  bool was_cut() const // the last recv, by descriptors where it is local
  {
    return cut_;
  }
  ssize_t peek(void *data, size_t len); // MSG_PEEK
  ssize_t send(const struct msghdr &message);
  int shutdown(int how);

  // The client's end. peer_send returns how many bytes the window took.
  size_t peer_send(std::string_view bytes);
  void peer_urgent(char byte);
  void peer_fin();
  void peer_reset();
  void peer_close(); // close(2): a FIN, or a RST when bytes were left unread
  std::string peer_recv(size_t max);
  bool peer_sees_end() const
  {
    return tx_.empty() && fin_out_;
  }
  bool peer_was_reset() const
  {
    return reset_by_server_;
  }
  bool has_urgent() const
  {
    return urgent_;
  }
  size_t peer_pending() const
  {
    return tx_.size();
  }

  // Called when the server sent, ended, reset, or made room.
  std::function<void()> on_traffic;

  // The server was told of something to read and did not read until a short read, 0 or EAGAIN; of
  // room to send and did not fill it.
  bool owes_read() const;
  bool may_send() const;
  bool ended_by_server() const
  {
    return fin_out_ || dead_;
  }
  std::string describe() const;

  uint16_t port;
  const bool local;                            // unix(7)
  size_t rcvbuf = 64 << 10, sndbuf = 64 << 10; // bytes
  size_t read_by_server = 0;                   // bytes, so far

private:
  bool readable() const;
  bool writable() const;
  size_t until_mark() const;
  bool shorten(unsigned per_mille, size_t n);
  size_t shortened(size_t n);
  void owe(uint32_t key);
  void arrived(uint32_t key);
  ssize_t nothing_to_read();
  void die(int error);
  void answer_with_reset();
  void notify();

  byte_queue rx_, tx_;
  bool fin_in_ = false, fin_out_ = false;
  bool dead_ = false;            // state CLOSE: reset, or closed by both
  bool closed_ = false;          // the server closed its descriptor
  bool peer_gone_ = false;       // the client closed: what it is sent, it answers with a RST
  bool reset_by_server_ = false; // seen by the client
  int error_ = 0;
  bool nospace_ = false; // SOCK_NOSPACE: the sender waits for room
  bool urgent_ = false;
  size_t urgent_at_ = 0; // offset of the urgent byte in rx_

  bool in_told_ = false, exhaust_ = false, out_told_ = false, cut_ = false;
};

// socket(2): good for nothing but listening.
class listener_file final : public file
{
public:
  static constexpr sort KIND = sort::listener;
  explicit listener_file(kernel &k) : file(k, KIND) {}
  uint32_t poll() override;
  void released() override;

  int domain = AF_INET;
  uint16_t port = 0;
  std::string name;                   // of a unix socket, "@..." for one without a file
  ino_t inode = 0;                    // of its file
  std::shared_ptr<tcp_socket> dialed; // it does not listen: it has connected
  bool listening = false;
  size_t backlog = 0;
  std::deque<std::shared_ptr<tcp_socket>> pending;
};

} // namespace sim

#endif
