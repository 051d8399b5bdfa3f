// Addresses as the fake kernel gives and takes them.
#ifndef WEIR_SIM_FAKE_NAMES_HPP
#define WEIR_SIM_FAKE_NAMES_HPP

#include "base/sys.h"

#include <string>

namespace sim
{

void fill(struct weir__address *out, int domain, uint16_t port);

// A unix socket's, by its path or "@name"; "" for one without a name.
void fill(struct weir__address *out, const std::string &name);
std::string name_of(const struct sockaddr *address, socklen_t len);

} // namespace sim

#endif
