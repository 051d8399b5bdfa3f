// The fake kernel's addresses: ports, and unix sockets (unix(7)) with their files.
#include "fake_names.hpp"

#include "fake_kernel.hpp"

#include <algorithm>
#include <arpa/inet.h>
#include <cerrno>
#include <cstddef>
#include <cstring>
#include <netinet/in.h>
#include <sys/un.h>

namespace sim
{

void fill(struct weir__address *out, int domain, uint16_t port)
{
  std::memset(out, 0, sizeof *out);
  if (domain == AF_INET6) {
    auto *six = reinterpret_cast<sockaddr_in6 *>(&out->storage);
    six->sin6_family = AF_INET6;
    six->sin6_port = htons(port);
    inet_pton(AF_INET6, "::ffff:127.0.0.1", &six->sin6_addr);
    out->len = sizeof *six;
  } else {
    auto *four = reinterpret_cast<sockaddr_in *>(&out->storage);
    four->sin_family = AF_INET;
    four->sin_port = htons(port);
    four->sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    out->len = sizeof *four;
  }
}

void fill(struct weir__address *out, const std::string &name)
{
  std::memset(out, 0, sizeof *out);
  auto *address = reinterpret_cast<sockaddr_un *>(&out->storage);
  address->sun_family = AF_UNIX;
  name.copy(address->sun_path, name.size());
  out->len = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + name.size());
  if (name.starts_with("@"))
    address->sun_path[0] = 0;
  else if (!name.empty())
    ++out->len;
}

std::string name_of(const struct sockaddr *address, socklen_t len)
{
  auto *unix_address = reinterpret_cast<const sockaddr_un *>(address);
  std::string name(unix_address->sun_path, len - offsetof(sockaddr_un, sun_path));
  if (name.starts_with('\0'))
    name[0] = '@';
  else
    name = name.c_str();
  return name;
}

int kernel::getsockopt(int fd, int name, int *value)
{
  auto *listener = get<listener_file>(fd, "getsockopt");
  if (listener == nullptr)
    return -EBADF;
  if (fails())
    return -ENOBUFS;
  *value = name == SO_ACCEPTCONN ? listener->listening : name == SO_TYPE ? SOCK_STREAM : 0;
  return 0;
}

int kernel::bind_name(listener_file *listener, const std::string &name)
{
  auto same = [&](auto &f) {
    auto *other = as<listener_file>(f.get());
    return other != nullptr && other != listener && other->name == name;
  };
  bool is_abstract = name.starts_with("@");
  if (is_abstract ? std::any_of(files_.begin(), files_.end(), same) : nodes_.contains(name))
    return -EADDRINUSE;
  listener->name = name;
  if (!is_abstract) {
    listener->inode = next_inode_++;
    nodes_[name] = {listener->inode, S_IFSOCK | 0755};
  }
  return 0;
}

std::shared_ptr<tcp_socket> kernel::connect(const std::string &name)
{
  auto found = nodes_.find(name);
  if (name.starts_with("@"))
    return dial([&](const listener_file &l) { return l.name == name; });
  if (found == nodes_.end())
    return nullptr;
  return dial([&](const listener_file &l) { return l.inode == found->second.inode; });
}

int kernel::connect(int fd, const struct sockaddr *address, socklen_t len)
{
  auto *from = get<listener_file>(fd, "connect");
  if (from == nullptr)
    return -EBADF;
  if (fails())
    return -EAGAIN;
  std::string name = name_of(address, len);
  if (!name.starts_with("@") && !nodes_.contains(name))
    return -ENOENT;
  from->dialed = connect(name);
  return from->dialed != nullptr ? 0 : -ECONNREFUSED;
}

int kernel::duplicate(int fd)
{
  if (find(fd) == nullptr)
    return -EBADF;
  if (fails())
    return -EMFILE;
  int original = files_[static_cast<size_t>(fd)]->fd;
  int made = install(files_[static_cast<size_t>(fd)]);
  files_[static_cast<size_t>(fd)]->fd = original;
  return made;
}

int kernel::adopt(int fd)
{
  return find(fd) == nullptr ? -EBADF : fails() ? -ENOMEM : 0;
}

int kernel::lstat(const char *path, struct stat *out)
{
  auto found = nodes_.find(path);
  tick();
  if (found == nodes_.end())
    return -ENOENT;
  std::memset(out, 0, sizeof *out);
  out->st_dev = 1;
  out->st_ino = found->second.inode;
  out->st_mode = found->second.mode;
  return 0;
}

int kernel::chmod(const char *path, mode_t mode)
{
  auto found = nodes_.find(path);
  if (fails())
    return -EIO;
  if (found == nodes_.end())
    return -ENOENT;
  found->second.mode = (found->second.mode & S_IFMT) | mode;
  return 0;
}

int kernel::unlink(const char *path)
{
  tick();
  return nodes_.erase(path) == 1 ? 0 : -ENOENT;
}

} // namespace sim
