#include "catalogue/client.hpp"

#include "catalogue/local.hpp"

#include <algorithm>
#include <arpa/inet.h>
#include <cctype>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdexcept>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

namespace catalogue
{

using std::chrono::milliseconds;
using std::chrono::steady_clock;

namespace
{

void append_length(std::string &out, uint64_t length, int bytes)
{
  for (int i = bytes - 1; i >= 0; i--)
    out += static_cast<char>(length >> (8 * i) & 0xFF);
}

std::string lower(std::string_view text)
{
  std::string out(text);
  for (char &c : out)
    c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  return out;
}

std::string trimmed(std::string_view text)
{
  size_t begin = text.find_first_not_of(" \t");
  if (begin == std::string_view::npos)
    return {};
  return std::string(text.substr(begin, text.find_last_not_of(" \t") - begin + 1));
}

bool named(std::string_view field, std::string_view name)
{
  return lower(field.substr(0, field.find(':'))) == lower(name);
}

int milliseconds_until(steady_clock::time_point until)
{
  auto left = std::chrono::ceil<milliseconds>(until - steady_clock::now()).count();
  return static_cast<int>(std::max<long>(left, 0));
}

const char *how(ending end)
{
  return end == ending::reset      ? "the connection was reset"
         : end == ending::finished ? "the stream ended"
         : end == ending::cut      ? "the stream ended without close_notify"
                                   : "the server is silent";
}

response parse_head(std::string_view head)
{
  response out;
  size_t line_end = head.find("\r\n");
  EXPECT_EQ(head.substr(0, 9), "HTTP/1.1 ") << head;
  out.status = std::atoi(std::string(head.substr(std::min<size_t>(9, head.size()))).c_str());
  while (line_end + 2 < head.size()) {
    size_t begin = line_end + 2;
    line_end = head.find("\r\n", begin);
    std::string_view line = head.substr(begin, line_end - begin);
    size_t colon = line.find(':');
    if (colon == std::string_view::npos)
      break;
    out.fields.emplace_back(lower(line.substr(0, colon)), trimmed(line.substr(colon + 1)));
  }
  return out;
}

} // namespace

std::string encode(const shape &shape, std::string_view payload)
{
  static constexpr char key[4] = {'\x9d', '\x21', '\x5b', '\xe7'};
  uint64_t length = shape.declared.value_or(payload.size());
  int form = shape.form != 0 ? shape.form : length < 126 ? 7 : length <= 0xFFFF ? 16 : 64;
  unsigned second = form == 7 ? static_cast<unsigned>(length) : form == 16 ? 126 : 127;
  std::string out;
  out += static_cast<char>(shape.first);
  out += static_cast<char>(second | (shape.mask ? 0x80u : 0u));
  append_length(out, length, form == 7 ? 0 : form / 8);
  if (shape.mask)
    out.append(key, sizeof key);
  for (size_t i = 0; i < payload.size(); i++)
    out += static_cast<char>(payload[i] ^ (shape.mask ? key[i % 4] : 0));
  return out;
}

std::string masked(unsigned first, std::string_view payload)
{
  shape plain;
  plain.first = first;
  return encode(plain, payload);
}

std::string header_only(unsigned first, uint64_t declared)
{
  shape claim;
  claim.first = first;
  claim.declared = declared;
  return encode(claim);
}

std::string closing(int code, std::string_view reason)
{
  std::string payload = {static_cast<char>(code >> 8), static_cast<char>(code & 0xFF)};
  payload += reason;
  return masked(fin | close_frame, payload);
}

int frame::close_code() const
{
  if (payload.empty())
    return 1005;
  if (payload.size() < 2)
    return -1;
  return static_cast<unsigned char>(payload[0]) << 8 | static_cast<unsigned char>(payload[1]);
}

std::string frame::close_reason() const
{
  return payload.size() < 2 ? std::string() : payload.substr(2);
}

request request::with_line(std::string_view new_line) const
{
  request out = *this;
  out.line = new_line;
  return out;
}

request request::with(std::string_view field) const
{
  request out = *this;
  out.fields.emplace_back(field);
  return out;
}

request request::without(std::string_view name) const
{
  request out = *this;
  std::erase_if(out.fields, [&](const std::string &field) { return named(field, name); });
  return out;
}

request request::replacing(std::string_view name, std::string_view field) const
{
  return without(name).with(field);
}

std::string request::str() const
{
  std::string out = line + "\r\n";
  for (const std::string &field : fields)
    out += field + "\r\n";
  return out + "\r\n";
}

std::vector<std::string> response::values(std::string_view name) const
{
  std::vector<std::string> out;
  for (const auto &[field, value] : fields)
    if (field == lower(name))
      out.push_back(value);
  return out;
}

std::string response::value(std::string_view name) const
{
  std::vector<std::string> all = values(name);
  return all.empty() ? std::string() : all.front();
}

bool response::has_token(std::string_view name, std::string_view token) const
{
  for (const std::string &value : values(name)) {
    for (size_t begin = 0; begin <= value.size();) {
      size_t end = std::min(value.find(',', begin), value.size());
      if (lower(trimmed(value.substr(begin, end - begin))) == lower(token))
        return true;
      begin = end + 1;
    }
  }
  return false;
}

transport chosen()
{
  const char *version = std::getenv("WEIR_CATALOGUE_TLS");
  if (version == nullptr || *version == '\0')
    return transport::tcp;
  return std::string_view(version) == "1.2" ? transport::tls12 : transport::tls13;
}

client::client(uint16_t port, int receive_buffer, transport over) : local_(over == transport::local)
{
  int family = local_ ? AF_UNIX : AF_INET;
  fd_ = socket(family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (fd_ < 0)
    throw std::runtime_error("socket");
  if (local_) {
    port_ = next_local();
    connect_local(fd_, port_, port);
    return;
  }
  int on = 1;
  setsockopt(fd_, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  if (receive_buffer > 0)
    setsockopt(fd_, SOL_SOCKET, SO_RCVBUF, &receive_buffer, sizeof receive_buffer);
  sockaddr_in address = {};
  address.sin_family = AF_INET;
  address.sin_port = htons(port);
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  int error = connect(fd_, reinterpret_cast<sockaddr *>(&address), sizeof address);
  pollfd wait = {fd_, POLLOUT, 0};
  if ((error != 0 && errno != EINPROGRESS) || poll(&wait, 1, patience.count()) != 1)
    throw std::runtime_error("connect");
  socklen_t length = sizeof address;
  getsockname(fd_, reinterpret_cast<sockaddr *>(&address), &length);
  port_ = ntohs(address.sin_port);
  if (over != transport::tcp)
    begin_tls(over);
}

void client::begin_tls(transport over, support::tls_peer_options options)
{
  int version = over == transport::tls12 ? TLS1_2_VERSION : TLS1_3_VERSION;
  options.min_version = options.max_version = version;
  tls_ = std::make_unique<support::tls_peer>(options);
}

client::client(client &&other) noexcept
    : fd_(std::exchange(other.fd_, -1)), port_(other.port_), local_(other.local_),
      discarded_(other.discarded_), tls_(std::move(other.tls_)), secure_(other.secure_),
      input_(std::move(other.input_)), answer_(std::move(other.answer_)), end_(other.end_)
{
}

client &client::operator=(client &&other) noexcept
{
  std::swap(fd_, other.fd_);
  std::swap(port_, other.port_);
  std::swap(local_, other.local_);
  std::swap(discarded_, other.discarded_);
  std::swap(tls_, other.tls_);
  std::swap(secure_, other.secure_);
  std::swap(input_, other.input_);
  std::swap(answer_, other.answer_);
  std::swap(end_, other.end_);
  return *this;
}

client::~client()
{
  if (fd_ >= 0)
    close(fd_);
}

bool client::send_raw(std::string_view bytes)
{
  auto until = steady_clock::now() + patience;
  while (!bytes.empty()) {
    ssize_t sent = ::send(fd_, bytes.data(), bytes.size(), MSG_NOSIGNAL);
    if (sent > 0) {
      bytes.remove_prefix(static_cast<size_t>(sent));
      continue;
    }
    if (errno != EAGAIN && errno != EINTR)
      return false;
    pollfd wait = {fd_, POLLOUT, 0};
    if (poll(&wait, 1, milliseconds_until(until)) == 0)
      return false;
  }
  return true;
}

std::string client::read_raw()
{
  char buffer[65536];
  pollfd wait = {fd_, POLLIN, 0};
  poll(&wait, 1, patience.count());
  ssize_t got = recv(fd_, buffer, sizeof buffer, 0);
  return std::string(buffer, static_cast<size_t>(std::max<ssize_t>(got, 0)));
}

bool client::flush_tls()
{
  std::string out = tls_->take_output();
  return out.empty() || send_raw(out);
}

std::string client::hello()
{
  if (!tls_)
    return {};
  tls_->handshake();
  return tls_->take_output();
}

bool client::shake_hands()
{
  if (!tls_ || secure_)
    return true;
  auto until = steady_clock::now() + patience;
  while (!tls_->handshake())
    if (!flush_tls() || tls_->failed() || !fill(until))
      return false;
  secure_ = true;
  input_ += tls_->read();
  return flush_tls();
}

std::string client::sealed(std::string_view bytes)
{
  if (!tls_)
    return std::string(bytes);
  tls_->write(bytes);
  return tls_->take_output();
}

bool client::send(std::string_view bytes)
{
  if (!tls_)
    return send_raw(bytes);
  bool sent = bytes.empty() || shake_hands();
  for (constexpr size_t most = 256 << 10; sent && !bytes.empty();) {
    sent = send_raw(sealed(bytes.substr(0, most)));
    bytes.remove_prefix(std::min(bytes.size(), most));
  }
  return sent;
}

/* Takes what came off the socket; whether there was anything for the reader in it. */
bool client::take(std::string_view bytes)
{
  if (!tls_) {
    input_ += bytes;
    return true;
  }
  tls_->got(bytes);
  if (!secure_)
    return true;
  size_t before = input_.size();
  input_ += tls_->read();
  flush_tls();
  return input_.size() > before;
}

/* Reads what is there, waiting for the first byte; false at the end of the stream or of the time.
 */
bool client::fill(steady_clock::time_point until)
{
  static thread_local char buffer[256 << 10];
  for (;;) {
    ssize_t got = end_ != ending::silence ? 0 : recv(fd_, buffer, sizeof buffer, 0);
    if (got > 0) {
      if (take({buffer, static_cast<size_t>(got)}))
        return true;
      continue;
    }
    if (end_ != ending::silence)
      return false;
    if (got == 0 || (errno != EAGAIN && errno != EINTR)) {
      bool announced = !secure_ || tls_->closed();
      end_ = got != 0 ? ending::reset : announced ? ending::finished : ending::cut;
      return false;
    }
    pollfd wait = {fd_, POLLIN, 0};
    if (poll(&wait, 1, milliseconds_until(until)) == 0)
      return false;
  }
}

bool client::need(size_t bytes)
{
  auto until = steady_clock::now() + patience;
  while (input_.size() < bytes)
    if (!fill(until))
      return false;
  return true;
}

bool client::upgrade(const request &head)
{
  const request &known = local_ ? head.with("X-Port: " + std::to_string(port_)) : head;
  if (!send(known.str())) {
    ADD_FAILURE() << "the request could not be sent";
    return false;
  }
  std::optional<response> answer = read_response(false);
  if (!answer)
    return false;
  answer_ = *answer;
  EXPECT_EQ(answer->status, 101) << input_;
  EXPECT_EQ(answer->value("Sec-WebSocket-Accept"), "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
  EXPECT_TRUE(answer->has_token("Connection", "Upgrade"));
  EXPECT_TRUE(answer->has_token("Upgrade", "websocket"));
  return answer->status == 101;
}

std::optional<response> client::read_response(bool with_body)
{
  size_t end = std::string::npos;
  auto until = steady_clock::now() + patience;
  while ((end = input_.find("\r\n\r\n")) == std::string::npos) {
    if (!fill(until)) {
      ADD_FAILURE() << "no whole response: " << how(end_) << " behind \"" << input_ << "\"";
      return std::nullopt;
    }
  }
  response out = parse_head(std::string_view(input_).substr(0, end + 4));
  input_.erase(0, end + 4);
  if (!with_body || out.status == 101)
    return out;
  size_t length = std::strtoul(out.value("Content-Length").c_str(), nullptr, 10);
  if (!need(length)) {
    ADD_FAILURE() << "the body is cut: " << input_.size() << " of " << length << " bytes";
    return std::nullopt;
  }
  out.body = input_.substr(0, length);
  input_.erase(0, length);
  return out;
}

std::optional<frame> client::read_frame()
{
  size_t header = 2;
  uint64_t length = 0;
  bool whole = need(header);
  if (whole) {
    unsigned second = static_cast<unsigned char>(input_[1]);
    EXPECT_EQ(second & 0x80u, 0u) << "a server's frame is masked";
    size_t extended = second == 126 ? 2 : second == 127 ? 8 : 0;
    header += extended;
    length = second;
    if ((whole = need(header)) && extended > 0) {
      length = 0;
      for (size_t i = 0; i < extended; i++)
        length = length << 8 | static_cast<unsigned char>(input_[2 + i]);
    }
    whole = whole && need(header + length);
  }
  if (!whole) {
    ADD_FAILURE() << "no whole frame: " << how(end_) << ", " << input_.size() << " bytes are left";
    return std::nullopt;
  }
  frame out;
  out.first = static_cast<unsigned char>(input_[0]);
  out.payload = input_.substr(header, length);
  input_.erase(0, header + length);
  return out;
}

std::string client::read_some(size_t most, milliseconds timeout)
{
  if (input_.empty())
    fill(steady_clock::now() + timeout);
  std::string out = input_.substr(0, most);
  input_.erase(0, most);
  return out;
}

ending client::wait_end(milliseconds timeout)
{
  auto until = steady_clock::now() + timeout;
  do {
    discarded_ += input_.size();
    input_.clear();
  } while (fill(until));
  return end_;
}

bool client::readable(milliseconds timeout)
{
  if (tls_)
    return !input_.empty() || fill(steady_clock::now() + timeout) || end_ != ending::silence;
  pollfd wait = {fd_, POLLIN, 0};
  return poll(&wait, 1, static_cast<int>(timeout.count())) == 1;
}

int client::available() const
{
  int bytes = 0;
  ioctl(fd_, FIONREAD, &bytes);
  return bytes;
}

bool client::ended() const
{
  pollfd now = {fd_, POLLRDHUP, 0};
  return poll(&now, 1, 0) == 1;
}

void client::half_close()
{
  if (secure_) {
    tls_->shutdown();
    flush_tls();
  }
  cut();
}

void client::cut()
{
  shutdown(fd_, SHUT_WR);
}

void client::reset()
{
  linger at_once = {1, 0};
  setsockopt(fd_, SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
  close(fd_);
  fd_ = -1;
}

} // namespace catalogue
