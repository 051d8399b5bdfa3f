// Descriptors of the fake kernel: epoll, eventfd, timerfd, listeners. TCP is in fake_tcp.cpp.
#include "fake_file.hpp"

#include "fake_kernel.hpp"

#include <algorithm>
#include <cerrno>
#include <cstring>

namespace sim
{

namespace
{
uint32_t bit_if(bool condition, uint32_t bit)
{
  return condition ? bit : 0;
}
} // namespace

const char *name_of(sort s)
{
  static const char *const names[] = {"epoll", "eventfd", "timerfd", "reserve", "tcp", "listener"};
  return names[static_cast<size_t>(s)];
}

void file::wake(uint32_t key)
{
  for (watch *w : watches)
    if (key == 0 || (key & (w->events | EPOLLERR | EPOLLHUP)) != 0)
      w->owner->queue(w);
}

void byte_queue::push(std::string_view bytes)
{
  if (at_ > (64 << 10) && at_ > bytes_.size() / 2) {
    bytes_.erase(0, at_);
    at_ = 0;
  }
  bytes_.append(bytes);
}

size_t byte_queue::peek(void *out, size_t len, size_t skipped) const
{
  size_t n = std::min(len, size() - skipped);
  if (out != nullptr && n != 0)
    std::memcpy(out, bytes_.data() + at_ + skipped, n);
  return n;
}

size_t byte_queue::pop(void *out, size_t len)
{
  size_t n = peek(out, len);
  at_ += n;
  if (empty())
    clear();
  return n;
}

void byte_queue::clear()
{
  bytes_.clear();
  at_ = 0;
}

uint32_t epoll_file::poll()
{
  return bit_if(std::any_of(ready_.begin(), ready_.end(),
                            [](watch *w) { return (w->target->poll() & w->events) != 0; }),
                EPOLLIN);
}

int epoll_file::control(int op, int fd, file *target, const epoll_event *event)
{
  auto found = entries.find({fd, target});
  if (op == EPOLL_CTL_ADD) {
    if (found != entries.end())
      return -EEXIST;
    auto w = std::make_unique<watch>(watch{this, target, fd, event->events, event->data, false});
    target->watches.push_back(w.get());
    found = entries.emplace(key{fd, target}, std::move(w)).first;
  } else if (found == entries.end()) {
    return -ENOENT;
  } else if (op == EPOLL_CTL_DEL) {
    drop(found);
    return 0;
  } else {
    found->second->events = event->events;
    found->second->data = event->data;
  }
  if ((target->poll() & (event->events | EPOLLERR | EPOLLHUP)) != 0)
    queue(found->second.get());
  return 0;
}

void epoll_file::drop(std::map<key, std::unique_ptr<watch>>::iterator entry)
{
  watch *w = entry->second.get();
  std::erase(ready_, w);
  std::erase(w->target->watches, w);
  entries.erase(entry);
}

void epoll_file::forget(file *target)
{
  for (auto entry = entries.begin(); entry != entries.end();) {
    auto here = entry++;
    if (here->second->target == target)
      drop(here);
  }
}

void epoll_file::queue(watch *w)
{
  if (w->queued)
    return;
  w->queued = true;
  ready_.push_back(w);
  wake(EPOLLIN);
}

// Takes what is ready off the list; level-triggered watches go back to its end.
int epoll_file::collect(epoll_event *events, int max)
{
  int n = 0;
  std::vector<watch *> again;
  while (n < max && !ready_.empty()) {
    watch *w = ready_.front();
    ready_.pop_front();
    w->queued = false;
    uint32_t mask = w->target->poll() & (w->events | EPOLLERR | EPOLLHUP);
    if (mask == 0)
      continue;
    w->target->reported(mask);
    events[n].events = mask;
    events[n++].data = w->data;
    if ((w->events & EPOLLET) == 0)
      again.push_back(w);
  }
  for (watch *w : again) {
    w->queued = true;
    ready_.push_back(w);
  }
  return n;
}

uint32_t event_file::poll()
{
  return EPOLLOUT | bit_if(count != 0, EPOLLIN);
}

uint32_t timer_file::poll()
{
  return bit_if(ticks != 0, EPOLLIN);
}

uint32_t listener_file::poll()
{
  return listening ? bit_if(!pending.empty(), EPOLLIN) : EPOLLOUT | EPOLLHUP;
}

void listener_file::released()
{
  for (auto &socket : pending)
    socket->released();
  pending.clear();
  listening = false;
  if (dialed)
    dialed->peer_close();
}

} // namespace sim
