// One TCP connection of the fake kernel: the rules of net/ipv4/tcp.c as far as a server sees them.
#include "fake_file.hpp"
#include "fake_kernel.hpp"

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <sys/uio.h>
#include <utility>

namespace sim
{

namespace
{
constexpr uint32_t DATA_KEY = EPOLLIN | EPOLLPRI | EPOLLRDNORM | EPOLLRDBAND;
constexpr uint32_t SPACE_KEY = EPOLLOUT | EPOLLWRNORM | EPOLLWRBAND;
constexpr uint32_t READING = EPOLLIN | EPOLLRDHUP | EPOLLHUP | EPOLLERR | EPOLLPRI;
constexpr uint32_t ENDING = EPOLLRDHUP | EPOLLHUP | EPOLLERR | EPOLLPRI;
} // namespace

tcp_socket::tcp_socket(kernel &k, uint16_t client_port, bool is_local)
    : file(k, KIND), port(client_port), local(is_local), rcvbuf(k.rcvbuf), sndbuf(k.sndbuf)
{
}

// The urgent byte itself is not to be read.
bool tcp_socket::readable() const
{
  return rx_.size() > (urgent_ && urgent_at_ == 0 ? 1 : 0);
}

// sk_stream_is_writeable: a third of the buffer is free.
bool tcp_socket::writable() const
{
  return tx_.size() < sndbuf && tx_.size() * 3 <= sndbuf * 2;
}

// How much one recv may take: it stops at the urgent mark.
size_t tcp_socket::until_mark() const
{
  return urgent_ ? urgent_at_ : rx_.size();
}

uint32_t tcp_socket::poll()
{
  uint32_t mask = 0;
  if (dead_ || (fin_in_ && fin_out_))
    mask |= EPOLLHUP;
  if (dead_ || fin_in_)
    mask |= EPOLLIN | EPOLLRDNORM | EPOLLRDHUP;
  if (readable())
    mask |= EPOLLIN | EPOLLRDNORM;
  if (dead_ || fin_out_ || writable())
    mask |= EPOLLOUT | EPOLLWRNORM;
  else
    nospace_ = true;
  if (urgent_)
    mask |= EPOLLPRI;
  if (error_ != 0)
    mask |= EPOLLERR;
  return mask;
}

void tcp_socket::reported(uint32_t mask)
{
  in_told_ |= (mask & READING) != 0;
  exhaust_ |= (mask & ENDING) != 0;
  out_told_ |= (mask & (EPOLLOUT | EPOLLHUP | EPOLLERR)) != 0;
}

bool tcp_socket::owes_read() const
{
  return !dead_ && in_told_ && (readable() || fin_in_);
}

bool tcp_socket::may_send() const
{
  return !dead_ && out_told_ && writable();
}

std::string tcp_socket::describe() const
{
  char text[200];
  std::snprintf(text, sizeof text,
                "fd %d (client port %u): %zu to read%s%s, %zu to deliver%s%s%s%s%s%s", fd, port,
                rx_.size(), in_told_ ? " (the server was told)" : "", fin_in_ ? " then FIN" : "",
                tx_.size(), fin_out_ ? " then FIN" : "", writable() ? ", room to send" : "",
                out_told_ ? " (the server was told)" : "", nospace_ ? ", waits for room" : "",
                urgent_ ? ", urgent" : "", dead_ ? ", dead" : "");
  return text;
}

// An edge that comes later than the state it tells of.
void tcp_socket::owe(uint32_t key)
{
  uint64_t latest = kernel_.faults.drip ? 2000 : 3 * NS_PER_MS;
  kernel_.after(kernel_.roll.below(latest), [self = weak_from_this(), key] {
    if (auto socket = self.lock())
      socket->wake(key);
  });
}

bool tcp_socket::shorten(unsigned per_mille, size_t n)
{
  return n > 1 && (kernel_.faults.drip || kernel_.roll.chance(per_mille));
}

// To what a short transfer is cut.
size_t tcp_socket::shortened(size_t n)
{
  return kernel_.faults.drip ? 1 : 1 + kernel_.roll.below(n - 1);
}

ssize_t tcp_socket::nothing_to_read()
{
  if (fin_in_) {
    in_told_ = false;
    return 0;
  }
  if (error_ != 0)
    return -std::exchange(error_, 0);
  if (dead_)
    return 0;
  in_told_ = false;
  return -EAGAIN;
}

// Passes the urgent byte as a read does, but does not take it.
ssize_t tcp_socket::peek(void *data, size_t len)
{
  size_t passed = urgent_ && urgent_at_ == 0 && !rx_.empty() ? 1 : 0;
  size_t there = passed != 0 ? rx_.size() - passed : until_mark();
  if (there == 0)
    return nothing_to_read();
  return static_cast<ssize_t>(rx_.peek(data, std::min(len, there), passed));
}

ssize_t tcp_socket::recv(void *data, size_t len)
{
  if (urgent_ && urgent_at_ == 0 && !rx_.empty()) {
    rx_.pop(nullptr, 1);
    urgent_ = false;
  }
  size_t n = std::min(len, until_mark());
  if (n == 0)
    return nothing_to_read();
  if (!dead_ && kernel_.roll.chance(kernel_.faults.again_read)) {
    in_told_ = false;
    owe(DATA_KEY);
    return -EAGAIN;
  }
  bool silent =
      n > 1 && kernel_.bug == plant::silent_short_read && kernel_.planted(plant::silent_short_read);
  bool cut = silent || shorten(kernel_.faults.short_read, n);
  cut_ = cut;
  if (cut)
    n = shortened(kernel_.roll.chance(500) ? 2 : n);
  rx_.pop(data, n);
  read_by_server += n;
  urgent_at_ -= urgent_ ? n : 0;
  if (n < len && !exhaust_ && !silent && !(local && cut)) {
    in_told_ = false;
    if (cut)
      owe(DATA_KEY);
  }
  notify();
  return static_cast<ssize_t>(n);
}

ssize_t tcp_socket::send(const struct msghdr &message)
{
  if (error_ != 0)
    return -std::exchange(error_, 0);
  if (dead_ || fin_out_)
    return -EPIPE;
  std::string all;
  for (size_t i = 0; i < message.msg_iovlen; ++i)
    all.append(static_cast<const char *>(message.msg_iov[i].iov_base), message.msg_iov[i].iov_len);
  size_t room = tx_.size() < sndbuf ? sndbuf - tx_.size() : 0;
  if (room == 0 || kernel_.roll.chance(kernel_.faults.again_send)) {
    if (room != 0)
      owe(SPACE_KEY);
    nospace_ = true;
    out_told_ = false;
    return -EAGAIN;
  }
  size_t n = std::min(room, all.size());
  bool silent = n > 1 && kernel_.planted(plant::silent_short_send);
  bool cut = silent || shorten(kernel_.faults.short_send, n);
  if (cut)
    n = shortened(n);
  if (n < all.size() && !silent) {
    nospace_ = true;
    out_told_ = false;
    if (cut)
      owe(SPACE_KEY);
  }
  if (peer_gone_)
    answer_with_reset();
  else
    tx_.push(std::string_view(all).substr(0, n));
  notify();
  return static_cast<ssize_t>(n);
}

void tcp_socket::answer_with_reset()
{
  if (!kernel_.roll.chance(kernel_.faults.late_reset))
    return peer_reset();
  kernel_.after(kernel_.roll.below(NS_PER_MS), [self = weak_from_this()] {
    if (auto socket = self.lock())
      socket->peer_reset();
  });
}

int tcp_socket::shutdown(int how)
{
  if (how != SHUT_WR)
    kernel_.blame("shutdown(%d) on fd %d: only SHUT_WR is expected", how, fd);
  if (dead_ || (fin_in_ && fin_out_))
    return -ENOTCONN;
  fin_out_ = true;
  wake(0);
  notify();
  return 0;
}

// close(2). Unread input makes it a reset, and what was on its way to the client is lost.
void tcp_socket::released()
{
  closed_ = true;
  if (dead_)
    return;
  if (rx_.empty()) {
    fin_out_ = true;
  } else {
    tx_.clear();
    reset_by_server_ = true;
  }
  notify();
}

void tcp_socket::notify()
{
  if (on_traffic)
    on_traffic();
}

// An edge towards the server, unless it is the one that the planted bug loses.
void tcp_socket::arrived(uint32_t key)
{
  bool effective = std::any_of(watches.begin(), watches.end(), [](watch *w) { return !w->queued; });
  plant which = key == SPACE_KEY ? plant::lost_out_edge : plant::lost_in_edge;
  if (effective && kernel_.planted(which))
    return;
  wake(key);
}

size_t tcp_socket::peer_send(std::string_view bytes)
{
  if (dead_ || closed_) {
    tx_.clear();
    reset_by_server_ = true;
    notify();
    return bytes.size();
  }
  size_t n = std::min(bytes.size(), rcvbuf > rx_.size() ? rcvbuf - rx_.size() : 0);
  if (n == 0)
    return 0;
  rx_.push(bytes.substr(0, n));
  arrived(DATA_KEY);
  return n;
}

void tcp_socket::peer_urgent(char byte)
{
  if (dead_ || closed_ || fin_in_)
    return;
  if (urgent_) // an older urgent byte becomes ordinary data
    urgent_ = false;
  urgent_at_ = rx_.size();
  rx_.push(std::string_view(&byte, 1));
  urgent_ = true;
  wake(DATA_KEY);
}

void tcp_socket::peer_fin()
{
  if (dead_ || closed_ || fin_in_)
    return;
  fin_in_ = true;
  wake(0);
  wake(DATA_KEY);
}

void tcp_socket::peer_reset()
{
  if (dead_ || closed_ || (fin_in_ && fin_out_))
    return;
  error_ = fin_in_ ? EPIPE : ECONNRESET;
  dead_ = true;
  tx_.clear();
  wake(0);
  wake(EPOLLERR);
}

void tcp_socket::peer_close()
{
  peer_gone_ = true;
  if (tx_.empty())
    peer_fin();
  else
    peer_reset();
}

std::string tcp_socket::peer_recv(size_t max)
{
  std::string bytes(std::min(max, tx_.size()), '\0');
  tx_.pop(bytes.data(), bytes.size());
  if (!bytes.empty() && nospace_ && writable() && !dead_) {
    nospace_ = false;
    arrived(SPACE_KEY);
  }
  return bytes;
}

} // namespace sim
