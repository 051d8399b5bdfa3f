// Stories: what happens to a world by its seed. A flavour says which troubles there may be.
#ifndef WEIR_SIM_STORY_HPP
#define WEIR_SIM_STORY_HPP

#include "world.hpp"

namespace sim
{

struct flavour {
  const char *name;
  bool faults = false;    // the kernel's: short transfers, EAGAIN, EINTR, odd batches
  bool breaks = false;    // clients and handlers break connections off
  bool starved = false;   // few descriptors, and accept fails
  bool overflows = false; // queues have tight limits, and receivers stall
  bool deflates = false;  // routes compress, and most clients offer it
  bool secure = false;    // TLS
  bool drips = false;     // the kernel gives and takes a byte a call
  bool proxied = false;   // by a proxy that tells who its clients are
  bool local = false;     // by a unix socket, whose short reads say nothing
  bool crowds = false;    // more clients than the server takes
  bool drains = false;    // the server does so amid the story
};

// Tells the story of a seed from beginning to end; what went wrong is in the world that is handed
// to the judge.
void tell(uint64_t seed, const flavour &f, plant bug,
          const std::function<void(const world &)> &judge);

// How many seeds, and the first one: by the environment, or those given.
struct seeds {
  uint64_t first, count;
};
seeds seeds_to_run(uint64_t count);

} // namespace sim

#endif
