#include "support/crowd.hpp"

#include "support/peer.hpp"

#include <arpa/inet.h>
#include <csignal>
#include <netinet/in.h>
#include <stdexcept>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

namespace support
{

bool allow_descriptors(size_t count)
{
  rlimit limit;
  getrlimit(RLIMIT_NOFILE, &limit);
  limit.rlim_cur = limit.rlim_max;
  return setrlimit(RLIMIT_NOFILE, &limit) == 0 && limit.rlim_cur >= count;
}

bool crowd::member::read_to(size_t bytes)
{
  char buffer[16 << 10];
  while (input_.size() < bytes) {
    ssize_t n = recv(fd_, buffer, sizeof buffer, 0);
    if (n <= 0)
      return false;
    input_.append(buffer, static_cast<size_t>(n));
  }
  return true;
}

void crowd::member::send(std::string_view payload) const
{
  std::string bytes = masked(fin | text, payload);
  if (::send(fd_, bytes.data(), bytes.size(), MSG_NOSIGNAL) < 0)
    throw std::runtime_error("send");
}

/* Frames of up to 65,535 bytes. */
std::string crowd::member::receive()
{
  if (!read_to(2))
    return "";
  size_t head = 2, len = static_cast<unsigned char>(input_[1]);
  if (len == 126) {
    if (!read_to(4))
      return "";
    head = 4;
    len = static_cast<unsigned char>(input_[2]) * 256u + static_cast<unsigned char>(input_[3]);
  }
  if (!read_to(head + len))
    return "";
  std::string payload = input_.substr(head, len);
  input_.erase(0, head + len);
  return payload;
}

namespace
{

int connect_to(uint16_t port)
{
  sockaddr_in address = {};
  address.sin_family = AF_INET;
  address.sin_port = htons(port);
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  int fd = socket(AF_INET, SOCK_STREAM, 0);
  if (fd < 0 || connect(fd, reinterpret_cast<sockaddr *>(&address), sizeof address) != 0)
    throw std::runtime_error("connect");
  return fd;
}

int connect_to(const std::string &path)
{
  sockaddr_un address = {};
  address.sun_family = AF_UNIX;
  path.copy(address.sun_path, sizeof address.sun_path - 1);
  int fd = socket(AF_UNIX, SOCK_STREAM, 0);
  if (fd < 0 || connect(fd, reinterpret_cast<sockaddr *>(&address), sizeof address) != 0)
    throw std::runtime_error("connect");
  return fd;
}

} // namespace

crowd::crowd(uint16_t port, size_t size, const deeds &act)
    : crowd([port] { return connect_to(port); }, size, act)
{
}

crowd::crowd(const std::string &path, size_t size, const deeds &act)
    : crowd([&path] { return connect_to(path); }, size, act)
{
}

crowd::crowd(const std::function<int()> &connect, size_t size, const deeds &act) : child_(fork())
{
  if (child_ != 0)
    return;
  int status = 1;
  try {
    const std::string request = upgrade_request();
    std::vector<member> members;
    members.reserve(size);
    for (size_t i = 0; i < size; i++) {
      member &made = members.emplace_back(connect());
      if (::send(made.fd_, request.data(), request.size(), MSG_NOSIGNAL) < 0)
        throw std::runtime_error("send");
      size_t end;
      while ((end = made.input_.find("\r\n\r\n")) == std::string::npos) {
        if (!made.read_to(made.input_.size() + 1))
          throw std::runtime_error("the upgrade was refused");
      }
      made.input_.erase(0, end + 4);
    }
    act(members);
    status = 0;
  } catch (const std::exception &) {
  }
  _exit(status);
}

bool crowd::succeeded()
{
  int status = 1;
  if (child_ > 0)
    waitpid(child_, &status, 0);
  child_ = -1;
  return status == 0;
}

crowd::~crowd()
{
  if (child_ > 0) {
    kill(child_, SIGKILL);
    succeeded();
  }
}

} // namespace support
