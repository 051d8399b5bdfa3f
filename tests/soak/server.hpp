// The server of a soak, a process of its own, and what it tells of itself.
#ifndef WEIR_SOAK_SERVER_HPP
#define WEIR_SOAK_SERVER_HPP

#include "support/certificates.hpp"

#include <cstdint>
#include <string>
#include <sys/types.h>

namespace soak
{

// What it holds; bytes.
struct state {
  uint64_t open = 0; // WebSocket connections
  uint64_t descriptors = 0;
  uint64_t memory = 0;      // weir's counter memory_bytes
  uint64_t compression = 0; // weir's counter compression_bytes
  uint64_t heap = 0;        // that malloc has given out, OpenSSL's too
  uint64_t resident = 0;
  uint64_t accepted = 0, messages = 0, inflated = 0, twins = 0, dropped = 0, failed = 0;
};

// Numbers with blanks between them, as GET /state answers them, in the order of the fields.
std::string to_text(const state &s);
state state_of(const std::string &text);

// Serves, with TLS and compression that keeps its context, in a child process until SIGTERM:
// "/whole" without a limit of its queue, "/close" and "/drop" with a tight one, and GET "/state".
struct child {
  pid_t pid;
  uint16_t port;
};
child start(const support::localhost &files);

// Whether it ended well.
bool stop(const child &server);

} // namespace soak

#endif
