#include "support/peer.hpp"

#include <algorithm>
#include <arpa/inet.h>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdexcept>
#include <strings.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>
#include <utility>

namespace support
{

namespace
{

void append_number(std::string &out, uint64_t value, int bytes)
{
  for (int i = bytes - 1; i >= 0; i--)
    out += static_cast<char>(value >> (8 * i) & 0xFF);
}

uint64_t number_at(std::string_view bytes, size_t at, size_t count)
{
  uint64_t value = 0;
  for (size_t i = 0; i < count; i++)
    value = value << 8 | static_cast<unsigned char>(bytes[at + i]);
  return value;
}

int connect_to(const char *address, uint16_t port, int receive_buffer)
{
  sockaddr_in four = {};
  sockaddr_in6 six = {};
  bool is_six = std::strchr(address, ':') != nullptr;
  four.sin_family = AF_INET;
  four.sin_port = six.sin6_port = htons(port);
  six.sin6_family = AF_INET6;
  inet_pton(AF_INET, address, &four.sin_addr);
  inet_pton(AF_INET6, address, &six.sin6_addr);
  int fd = socket(is_six ? AF_INET6 : AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (receive_buffer > 0)
    setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &receive_buffer, sizeof receive_buffer);
  int one = 1;
  setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
  int result = is_six ? connect(fd, reinterpret_cast<sockaddr *>(&six), sizeof six)
                      : connect(fd, reinterpret_cast<sockaddr *>(&four), sizeof four);
  if (result != 0)
    throw std::runtime_error(std::string("connect: ") + std::strerror(errno));
  return fd;
}

int connect_to(const std::string &path)
{
  sockaddr_un address = {};
  address.sun_family = AF_UNIX;
  path.copy(address.sun_path, sizeof address.sun_path - 1);
  size_t len = offsetof(sockaddr_un, sun_path) + path.size() + 1;
  if (path.starts_with("@")) {
    address.sun_path[0] = 0;
    len--;
  }
  int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (connect(fd, reinterpret_cast<sockaddr *>(&address), static_cast<socklen_t>(len)) != 0) {
    close(fd);
    throw std::runtime_error(std::string("connect: ") + std::strerror(errno));
  }
  return fd;
}

} // namespace

int frame::code() const
{
  return payload.size() < 2 ? 1005 : static_cast<int>(number_at(payload, 0, 2));
}

std::string frame::reason() const
{
  return payload.size() < 2 ? "" : payload.substr(2);
}

std::string response::field(const std::string &name) const
{
  for (size_t at = head.find("\r\n"); at != std::string::npos; at = head.find("\r\n", at + 2)) {
    size_t begin = at + 2, end = begin + name.size();
    if (end < head.size() && head[end] == ':' &&
        strncasecmp(head.data() + begin, name.data(), name.size()) == 0)
      return head.substr(end + 2, head.find("\r\n", end) - end - 2);
  }
  return "";
}

std::string masked(unsigned first, std::string_view payload)
{
  static const unsigned char key[4] = {0x12, 0xA5, 0x5A, 0xF0};
  std::string out(1, static_cast<char>(first));
  if (payload.size() < 126) {
    append_number(out, 0x80 | payload.size(), 1);
  } else if (payload.size() < 65536) {
    append_number(out, 0x80 | 126, 1);
    append_number(out, payload.size(), 2);
  } else {
    append_number(out, 0x80 | 127, 1);
    append_number(out, payload.size(), 8);
  }
  out.append(reinterpret_cast<const char *>(key), sizeof key);
  for (size_t i = 0; i < payload.size(); i++)
    out += static_cast<char>(payload[i] ^ key[i % 4]);
  return out;
}

std::string close_payload(int code, std::string_view reason)
{
  std::string out;
  append_number(out, static_cast<uint64_t>(code), 2);
  return out.append(reason);
}

std::string upgrade_request(std::string_view target, std::string_view more)
{
  return "GET " + std::string(target) +
         " HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
         "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n" +
         std::string(more) + "\r\n";
}

peer::peer(uint16_t port, const char *address, int receive_buffer)
    : fd_(connect_to(address, port, receive_buffer))
{
}

peer::peer(const std::string &path) : fd_(connect_to(path)) {}

peer::peer(peer &&other) noexcept
    : fd_(std::exchange(other.fd_, -1)), ended_(other.ended_), reset_(other.reset_),
      stalled_(other.stalled_), finish_(other.finish_), input_(std::move(other.input_)),
      output_(std::move(other.output_)), tls_(std::move(other.tls_)),
      plain_(std::move(other.plain_))
{
}

peer::~peer()
{
  if (fd_ >= 0)
    close(fd_);
}

void peer::secure(const tls_peer_options &options)
{
  tls_ = std::make_unique<tls_peer>(options);
  write_some();
}

/* What TLS has to send, with what could be encrypted by now. */
void peer::encrypt()
{
  if (tls_ == nullptr)
    return;
  if (tls_->handshake() && !plain_.empty() && tls_->write(plain_))
    plain_.clear();
  output_ += tls_->take_output();
}

void peer::send(std::string_view bytes)
{
  (tls_ == nullptr ? output_ : plain_) += bytes;
  write_some();
}

void peer::send_raw(std::string_view bytes)
{
  encrypt();
  output_ += bytes;
  write_some();
}

void peer::pass(int fd, std::string_view bytes)
{
  alignas(cmsghdr) char control[CMSG_SPACE(sizeof fd)] = {};
  iovec piece = {const_cast<char *>(bytes.data()), bytes.size()};
  msghdr message = {};
  message.msg_iov = &piece;
  message.msg_iovlen = 1;
  message.msg_control = control;
  message.msg_controllen = sizeof control;
  cmsghdr *head = CMSG_FIRSTHDR(&message);
  head->cmsg_level = SOL_SOCKET;
  head->cmsg_type = SCM_RIGHTS;
  head->cmsg_len = CMSG_LEN(sizeof fd);
  std::memcpy(CMSG_DATA(head), &fd, sizeof fd);
  if (sendmsg(fd_, &message, MSG_NOSIGNAL) != static_cast<ssize_t>(bytes.size()))
    throw std::runtime_error(std::string("sendmsg: ") + std::strerror(errno));
}

void peer::half_close()
{
  finish_ = true;
  write_some();
}

void peer::reset()
{
  linger now = {1, 0};
  setsockopt(fd_, SOL_SOCKET, SO_LINGER, &now, sizeof now);
  close(std::exchange(fd_, -1));
  ended_ = reset_ = true;
}

bool peer::write_some()
{
  if (fd_ < 0)
    return false;
  encrypt();
  size_t sent = 0;
  while (sent < output_.size()) {
    ssize_t n =
        ::send(fd_, output_.data() + sent, output_.size() - sent, MSG_DONTWAIT | MSG_NOSIGNAL);
    if (n < 0 && errno != EAGAIN)
      sent = output_.size(); /* the server is gone, as reading tells */
    if (n < 0)
      break;
    sent += static_cast<size_t>(n);
  }
  output_.erase(0, sent);
  if (finish_ && output_.empty() && plain_.empty()) {
    finish_ = false;
    shutdown(fd_, SHUT_WR);
  }
  return sent > 0;
}

bool peer::read_some()
{
  static thread_local char buffer[64 << 10];
  if (fd_ < 0 || stalled_ || ended_)
    return false;
  ssize_t n = recv(fd_, buffer, sizeof buffer, MSG_DONTWAIT);
  if (n < 0 && errno == EAGAIN)
    return false;
  if (n > 0 && tls_ == nullptr) {
    input_.append(buffer, static_cast<size_t>(n));
  } else if (n > 0) {
    tls_->got({buffer, static_cast<size_t>(n)});
    input_ += tls_->read();
  }
  ended_ = n <= 0;
  reset_ = n < 0;
  return true;
}

bool peer::pump()
{
  bool wrote = write_some();
  return read_some() || wrote;
}

short peer::interest() const
{
  int events = stalled_ || ended_ ? 0 : POLLIN;
  return static_cast<short>(output_.empty() ? events : events | POLLOUT);
}

uint16_t peer::port() const
{
  sockaddr_in6 address = {}; /* the port stands in the same place in sockaddr_in */
  socklen_t len = sizeof address;
  getsockname(fd_, reinterpret_cast<sockaddr *>(&address), &len);
  return ntohs(address.sin6_port);
}

std::optional<frame> peer::take()
{
  if (input_.size() < 2)
    return {};
  size_t head = 2;
  uint64_t len = number_at(input_, 1, 1);
  if (len >= 126) {
    size_t bytes = len == 126 ? 2 : 8;
    if (input_.size() < head + bytes)
      return {};
    len = number_at(input_, head, bytes);
    head += bytes;
  }
  if (input_.size() - head < len)
    return {};
  frame out = {static_cast<unsigned char>(input_[0]), input_.substr(head, len)};
  input_.erase(0, head + len);
  return out;
}

namespace
{

/* Undoes chunks without extensions and trailers. Returns the bytes that they take, 0 when they have
 * not come to their end. */
size_t unchunk(std::string_view in, std::string &out)
{
  size_t at = 0;
  for (;;) {
    size_t line = in.find("\r\n", at);
    if (line == std::string::npos)
      return 0;
    size_t len = std::strtoull(std::string(in.substr(at, line - at)).c_str(), nullptr, 16);
    at = line + 2;
    if (in.size() < at + len + 2)
      return 0;
    out.append(in.substr(at, len));
    if (in.substr(at + len, 2) != "\r\n")
      throw std::runtime_error("a chunk does not end where its size says");
    at += len + 2;
    if (len == 0)
      return at;
  }
}

} // namespace

std::optional<response> peer::take_response(bool with_body)
{
  size_t end = input_.find("\r\n\r\n");
  if (end == std::string::npos)
    return {};
  response out;
  out.head = input_.substr(0, end + 2);
  out.status = std::atoi(out.head.c_str() + std::min<size_t>(9, out.head.size()));
  if (with_body && out.field("Transfer-Encoding") == "chunked") {
    size_t taken = unchunk(std::string_view(input_).substr(end + 4), out.body);
    if (taken == 0)
      return {};
    input_.erase(0, end + 4 + taken);
    return out;
  }
  size_t len = with_body ? std::strtoull(out.field("Content-Length").c_str(), nullptr, 10) : 0;
  if (input_.size() - end - 4 < len)
    return {};
  out.body = input_.substr(end + 4, len);
  input_.erase(0, end + 4 + len);
  return out;
}

bool peer::await(const std::function<bool()> &holds)
{
  auto until = std::chrono::steady_clock::now() + patience;
  while (!holds()) {
    auto left =
        std::chrono::ceil<std::chrono::milliseconds>(until - std::chrono::steady_clock::now());
    pollfd poller = {fd_, interest(), 0};
    if (left.count() <= 0)
      return false;
    if (!pump())
      poll(&poller, 1, static_cast<int>(std::min<int64_t>(left.count(), 100)));
  }
  return true;
}

frame peer::await_frame()
{
  std::optional<frame> got;
  await([&] { return (got = take()).has_value() || ended_; });
  return got ? *got : frame{};
}

} // namespace support
