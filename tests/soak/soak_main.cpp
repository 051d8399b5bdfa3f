// A soak: SECONDS of compressed TLS clients that come, talk, stall and go in every way, then
// nobody. What the server holds must be what it held before, when a jam of all clients, which is
// more than ever comes later, had filled the pools, and a short cycle of the same kind the rest:
//
//   - connections and contexts of compression: none; descriptors: as many;
//   - weir's memory and malloc's: within a slack for some more of the largest blocks that a loop's
//     pool keeps, which does not grow with the time (a leak of 100 bytes a connection is over it
//     after a minute); and when the server stops, its loop asserts that nothing is left;
//   - resident memory: within malloc's fragmentation, which a minute fills as well as an hour.
#include "crowd.hpp"
#include "server.hpp"

#include <cstdio>
#include <cstdlib>
#include <stdexcept>
#include <thread>

namespace
{

using std::chrono::seconds;
using std::chrono::steady_clock;

constexpr uint64_t MEMORY_SLACK = 512 << 10, HEAP_SLACK = 768 << 10, RESIDENT_SLACK = 6 << 20;

// What lingers does so for 5 s; what is idle is given back within 2.
constexpr seconds REST{8}, REST_AT_MOST{20};

soak::state ask(uint16_t port)
{
  support::peer peer(port);
  peer.secure({});
  peer.send("GET /state HTTP/1.1\r\nHost: localhost\r\n\r\n");
  std::optional<support::response> response;
  if (!peer.await([&] { return (response = peer.take_response()).has_value() || peer.ended(); }) ||
      !response)
    throw std::runtime_error("GET /state is not answered");
  return soak::state_of(response->body);
}

void print(const char *when, const soak::state &s)
{
  std::printf("%-7s memory %zu, compression %zu, heap %zu, resident %zu KiB, descriptors %zu, "
              "open %zu\n",
              when, s.memory, s.compression, s.heap, s.resident >> 10, s.descriptors, s.open);
  std::fflush(stdout);
}

bool has_returned(const soak::state &now, const soak::state &before)
{
  return now.open == 0 && now.compression == 0 && now.descriptors == before.descriptors &&
         now.memory <= before.memory + MEMORY_SLACK && now.heap <= before.heap + HEAP_SLACK &&
         now.resident <= before.resident + RESIDENT_SLACK;
}

bool run(uint16_t port, seconds time)
{
  soak::crowd crowd(port, 1);
  crowd.live(seconds(8), true);
  crowd.live(std::min(time, seconds(8)));
  std::this_thread::sleep_for(REST);
  soak::state before = ask(port), now;
  print("before:", before);
  crowd.live(time);
  auto latest = steady_clock::now() + REST_AT_MOST;
  do {
    std::this_thread::sleep_for(seconds(1));
    now = ask(port);
  } while (!has_returned(now, before) && steady_clock::now() < latest);
  print("after:", now);
  std::printf("%zu connections, %zu messages, %zu inflated, %zu twins, %zu dropped, %zu failed\n",
              now.accepted, now.messages, now.inflated, now.twins, now.dropped, now.failed);
  for (auto &[how, count] : crowd.ends)
    std::printf("  %zu %s\n", static_cast<size_t>(count), how.c_str());
  return has_returned(now, before);
}

} // namespace

int main(int argc, char **argv)
{
  seconds time(argc > 1 ? std::atoi(argv[1]) : 600);
  bool good = false;
  support::localhost files;
  soak::child server = soak::start(files);
  try {
    good = run(server.port, time);
    std::printf("%s\n", good ? "soak: all has returned" : "soak: NOT all has returned");
  } catch (const std::exception &failure) {
    std::printf("soak: %s\n", failure.what());
  }
  good &= soak::stop(server);
  return good ? 0 : 1;
}
