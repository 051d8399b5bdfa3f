// Stories of plain HTTP: clients that send pipelines of requests, some of which end in an upgrade.
#ifndef WEIR_SIM_HTTP_STORY_HPP
#define WEIR_SIM_HTTP_STORY_HPP

#include "http_world.hpp"

namespace sim
{

// Tells the story of a seed from beginning to end; what went wrong is in the world that is handed
// to the judge. fail_alloc: the number of the allocation that fails; 0: none.
void tell_http(uint64_t seed, const http_flavour &f, uint64_t fail_alloc,
               const std::function<void(const http_world &)> &judge);

} // namespace sim

#endif
