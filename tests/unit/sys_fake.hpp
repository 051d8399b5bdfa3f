// The real kernel with a few strings attached: allocations are counted and may be made to fail, the
// clock may be a test's own. Seam for the tests of base/ and io/.
#ifndef WEIR_TESTS_SYS_FAKE_HPP
#define WEIR_TESTS_SYS_FAKE_HPP

#include "base/mem.h"

#include <atomic>
#include <cstdint>
#include <functional>

struct sys_fake {
  weir__sys sys = weir__sys_linux; // first: the functions below find the fake by it
  std::atomic<size_t> allocations{0};
  std::atomic<size_t> live{0}; // blocks not freed yet
  size_t fail_at = 0;          // the allocation that fails, counted from 1; 0: none
  uint64_t clock_ns = 0;       // 0: the real one

  // Instead of the kernel's, where set.
  std::function<int()> accept4;
  std::function<int(epoll_event *events, int64_t timeout_ns)> epoll_wait;

  sys_fake()
  {
    sys.alloc = [](const weir__sys *self, size_t size) -> void * {
      auto &fake = of(self);
      if (++fake.allocations == fake.fail_at)
        return nullptr;
      fake.live++;
      return weir__sys_linux.alloc(&weir__sys_linux, size);
    };
    sys.resize = [](const weir__sys *self, void *memory, size_t size) -> void * {
      auto &fake = of(self);
      if (++fake.allocations == fake.fail_at)
        return nullptr;
      return weir__sys_linux.resize(&weir__sys_linux, memory, size);
    };
    sys.free = [](const weir__sys *self, void *memory) {
      of(self).live -= memory != nullptr;
      weir__sys_linux.free(&weir__sys_linux, memory);
    };
    sys.map = [](const weir__sys *self, size_t size) -> void * {
      auto &fake = of(self);
      if (++fake.allocations == fake.fail_at)
        return nullptr;
      fake.live++;
      return weir__sys_linux.map(&weir__sys_linux, size);
    };
    sys.unmap = [](const weir__sys *self, void *memory, size_t size) {
      of(self).live--;
      weir__sys_linux.unmap(&weir__sys_linux, memory, size);
    };
    sys.now_ns = [](const weir__sys *self) {
      auto &fake = of(self);
      return fake.clock_ns != 0 ? fake.clock_ns : weir__sys_linux.now_ns(&weir__sys_linux);
    };
  }

  // The functions above are asked from now on.
  void intercept()
  {
    sys.accept4 = [](const weir__sys *self, int fd, int flags) {
      auto &fake = of(self);
      return fake.accept4 ? fake.accept4() : weir__sys_linux.accept4(&weir__sys_linux, fd, flags);
    };
    sys.epoll_wait = [](const weir__sys *self, int epfd, epoll_event *events, int max, int64_t ns) {
      auto &fake = of(self);
      return fake.epoll_wait ? fake.epoll_wait(events, ns)
                             : weir__sys_linux.epoll_wait(&weir__sys_linux, epfd, events, max, ns);
    };
  }

  static sys_fake &of(const weir__sys *self)
  {
    return *reinterpret_cast<sys_fake *>(const_cast<weir__sys *>(self));
  }
};

// Runs work with the first allocation failing, then the second, and so on, until none fails. work
// is given a fresh fake and returns whether it succeeded; when an allocation failed it must have
// failed and left nothing behind. Returns how many allocations failed.
inline size_t fail_every_allocation(const std::function<bool(sys_fake &)> &work,
                                    const std::function<void(size_t, const char *)> &complain)
{
  for (size_t nth = 1;; nth++) {
    sys_fake fake;
    fake.fail_at = nth;
    bool succeeded = work(fake);
    if (fake.live != 0)
      complain(nth, "leaves memory behind");
    if (fake.allocations < nth) {
      if (!succeeded)
        complain(nth, "fails although no allocation failed");
      return nth - 1;
    }
    if (succeeded)
      complain(nth, "succeeds although an allocation failed");
  }
}

#endif
