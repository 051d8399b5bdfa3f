// The fake kernel's time and events: the agenda, epoll_wait, eventfd and timerfd.
#include "fake_kernel.hpp"

#include <algorithm>
#include <cerrno>

namespace sim
{

void kernel::at(uint64_t ns, std::function<void()> what)
{
  agenda_.emplace(std::max(ns, now_), std::move(what));
}

void kernel::after(uint64_t ns, std::function<void()> what)
{
  at(now_ + ns, std::move(what));
}

// The next thing on the agenda, if it is due by then; the clock moves to it.
bool kernel::run_next(uint64_t until)
{
  if (agenda_.empty() || agenda_.begin()->first > until)
    return false;
  now_ = std::max(now_, agenda_.begin()->first);
  auto what = std::move(agenda_.begin()->second);
  agenda_.erase(agenda_.begin());
  what();
  return true;
}

int kernel::epoll_create()
{
  return fails() ? -EMFILE : install(std::make_shared<epoll_file>(*this));
}

int kernel::epoll_ctl(int epfd, int op, int fd, struct epoll_event *event)
{
  auto *epoll = get<epoll_file>(epfd, "epoll_ctl");
  file *target = find(fd);
  if (epoll == nullptr || target == nullptr)
    return -EBADF;
  if (op == EPOLL_CTL_ADD && fails())
    return -ENOMEM;
  return epoll->control(op, fd, target, event);
}

// Puts a watch on the ready list for which nothing happened.
void kernel::disturb(epoll_file *epoll)
{
  if (!roll.chance(faults.spurious) || epoll->entries.empty())
    return;
  auto entry = epoll->entries.begin();
  std::advance(entry, static_cast<long>(roll.below(epoll->entries.size())));
  epoll->queue(entry->second.get());
}

// Another order, and an event that stands twice.
int kernel::distort(struct epoll_event *events, int n, int max)
{
  if (n > 1 && roll.chance(faults.shuffle))
    for (int i = n - 1; i > 0; --i)
      std::swap(events[i], events[roll.below(static_cast<uint64_t>(i) + 1)]);
  if (n > 0 && n < max && roll.chance(faults.duplicate)) {
    events[n] = events[roll.below(static_cast<uint64_t>(n))];
    ++n;
  }
  return n;
}

// Lets the world act until the epoll has something to tell, a signal comes or the time is over.
int kernel::settle(epoll_file *epoll, struct epoll_event *events, int max, uint64_t until)
{
  int n = epoll->collect(events, max);
  if (n != 0 || until <= now_)
    return n;
  if (would_block)
    would_block();
  do {
    if (signal && signal())
      return -EINTR;
    if (!run_next(until))
      break;
    n = epoll->collect(events, max);
  } while (n == 0);
  if (n == 0 && until != UINT64_MAX)
    now_ = std::max(now_, until);
  return n;
}

void kernel::sleep_on(int epfd, uint64_t ns)
{
  uint64_t until = now_ + ns, began = now_;
  auto *epoll = get<epoll_file>(epfd, "poll");
  while (run_next(now_)) {
  }
  if (epoll == nullptr || epoll->poll() != 0)
    return;
  if (would_block)
    would_block();
  while (epoll->poll() == 0 && !(signal && signal()))
    if (!run_next(until)) {
      now_ = std::max(now_, until);
      break;
    }
  if (now_ - began >= NS_PER_MS)
    idle_waits_ = 0;
}

int kernel::epoll_wait(int epfd, struct epoll_event *events, int max, int64_t timeout_ns)
{
  tick();
  auto *epoll = get<epoll_file>(epfd, "epoll_wait");
  if (epoll == nullptr || max <= 0)
    return -EBADF;
  if (++idle_waits_ == spin_limit)
    blame("the loop spins: %u waits without progress", spin_limit);
  while (run_next(now_)) {
  }
  disturb(epoll);
  if (timeout_ns != 0 && roll.chance(faults.interrupt))
    return -EINTR;
  uint64_t until = UINT64_MAX, began = now_;
  if (timeout_ns >= 0)
    until = now_ + static_cast<uint64_t>(timeout_ns);
  int n = settle(epoll, events, max, until);
  if (n == 0 && timeout_ns < 0) {
    note("epoll_wait(-1): nothing will ever happen");
    return -EINTR;
  }
  if (now_ - began >= NS_PER_MS)
    idle_waits_ = 0;
  for (int i = 0; i < n; ++i)
    note("epoll_wait(%ld) -> events %#lx for %#lx", timeout_ns, events[i].events,
         static_cast<long>(events[i].data.u64));
  return distort(events, n, max);
}

int kernel::eventfd()
{
  return fails() ? -EMFILE : install(std::make_shared<event_file>(*this));
}

int kernel::eventfd_add(int fd)
{
  tick();
  auto *f = get<event_file>(fd, "eventfd_add");
  if (f == nullptr)
    return -EBADF;
  ++f->count;
  f->wake(EPOLLIN);
  return 0;
}

int kernel::timerfd()
{
  return fails() ? -EMFILE : install(std::make_shared<timer_file>(*this));
}

int kernel::timerfd_set(int fd, uint64_t at_ns)
{
  tick();
  auto *f = get<timer_file>(fd, "timerfd_set");
  if (f == nullptr)
    return -EBADF;
  f->ticks = 0;
  uint64_t setting = ++f->setting;
  if (at_ns != 0)
    at(at_ns, [this, fd, setting] {
      auto *timer = as<timer_file>(files_[static_cast<size_t>(fd)].get());
      if (timer == nullptr || timer->setting != setting)
        return;
      ++timer->ticks;
      timer->wake(EPOLLIN);
    });
  return 0;
}

} // namespace sim
