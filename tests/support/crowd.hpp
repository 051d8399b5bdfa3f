// Thousands of clients in a process of their own, so that both ends have room for descriptors. To
// be made before the test has threads.
#ifndef WEIR_TESTS_CROWD_HPP
#define WEIR_TESTS_CROWD_HPP

#include <cstddef>
#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <sys/types.h>
#include <vector>

namespace support
{

/* Raises the soft limit of descriptors to the hard one; whether so many are allowed then. */
bool allow_descriptors(size_t count);

class crowd
{
public:
  /* One client, blocking. */
  class member
  {
  public:
    explicit member(int fd) : fd_(fd) {}
    void send(std::string_view payload) const;
    std::string receive(); /* a frame's payload; "" when the stream ends */
    bool read_to(size_t bytes);

  private:
    friend class crowd;
    int fd_;
    std::string input_;
  };

  /* Forks; the child opens a WebSocket connection after the other, calls act and exits. */
  using deeds = std::function<void(std::vector<member> &)>;
  crowd(uint16_t port, size_t size, const deeds &act);
  crowd(const std::string &path, size_t size, const deeds &act); /* to a unix socket */
  ~crowd();
  crowd(const crowd &) = delete;

  /* Waits for the child's end: whether all connections opened and act returned. */
  bool succeeded();

private:
  crowd(const std::function<int()> &connect, size_t size, const deeds &act);

  pid_t child_;
};

} // namespace support

#endif
