#include "catalogue/local.hpp"

#include "catalogue/client.hpp"

#include <atomic>
#include <cerrno>
#include <cstddef>
#include <cstdlib>
#include <cstring>
#include <poll.h>
#include <stdexcept>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>
#include <vector>

namespace catalogue
{

uint16_t next_local()
{
  static std::atomic<uint16_t> last{0};
  return ++last;
}

std::string local_name(uint16_t number)
{
  return "@weir-catalogue-" + std::to_string(getpid()) + "-" + std::to_string(number);
}

namespace
{

socklen_t fill(sockaddr_un &address, uint16_t number)
{
  std::string name = local_name(number);
  address = {};
  address.sun_family = AF_UNIX;
  name.copy(address.sun_path, name.size());
  address.sun_path[0] = 0;
  return static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + name.size());
}

} // namespace

void connect_local(int fd, uint16_t own, uint16_t server)
{
  sockaddr_un address;
  socklen_t length = fill(address, own);
  if (bind(fd, reinterpret_cast<sockaddr *>(&address), length) != 0)
    throw std::runtime_error("bind");
  length = fill(address, server);
  if (connect(fd, reinterpret_cast<sockaddr *>(&address), length) != 0)
    throw std::runtime_error("connect");
}

uint16_t local_peer(int fd)
{
  sockaddr_un address = {};
  socklen_t length = sizeof address;
  if (getpeername(fd, reinterpret_cast<sockaddr *>(&address), &length) != 0 ||
      address.sun_family != AF_UNIX || length <= offsetof(sockaddr_un, sun_path) + 1)
    return 0;
  std::string name(address.sun_path + 1, length - offsetof(sockaddr_un, sun_path) - 1);
  return static_cast<uint16_t>(std::strtoul(name.c_str() + name.rfind('-') + 1, nullptr, 10));
}

bool client::pass(std::string_view bytes, int fd, size_t count)
{
  std::vector<int> passed(count, fd);
  std::vector<char> control(CMSG_SPACE(count * sizeof fd));
  iovec piece = {const_cast<char *>(bytes.data()), bytes.size()};
  msghdr message = {};
  message.msg_iov = &piece;
  message.msg_iovlen = 1;
  message.msg_control = control.data();
  message.msg_controllen = control.size();
  cmsghdr *head = CMSG_FIRSTHDR(&message);
  head->cmsg_level = SOL_SOCKET;
  head->cmsg_type = SCM_RIGHTS;
  head->cmsg_len = CMSG_LEN(count * sizeof fd);
  std::memcpy(CMSG_DATA(head), passed.data(), count * sizeof fd);
  ssize_t sent;
  pollfd wait = {fd_, POLLOUT, 0};
  do
    sent = sendmsg(fd_, &message, MSG_NOSIGNAL);
  while (sent < 0 && errno == EAGAIN && poll(&wait, 1, static_cast<int>(patience.count())) == 1);
  return sent == static_cast<ssize_t>(bytes.size());
}

} // namespace catalogue
