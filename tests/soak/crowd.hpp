// The clients of a soak: those who stay and echo, those who come and go in every way, and those who
// stop reading.
#ifndef WEIR_SOAK_CROWD_HPP
#define WEIR_SOAK_CROWD_HPP

#include "guest.hpp"

#include <chrono>
#include <map>
#include <vector>

namespace soak
{

using moment = std::chrono::steady_clock::time_point;
using span = std::chrono::milliseconds;

class crowd
{
public:
  crowd(uint16_t port, uint64_t seed) : port_(port), roll_(seed) {}
  ~crowd();
  crowd(const crowd &) = delete;

  // Lets all of them live for so long, and leave; some do so without a word. In a jam all of them
  // stop reading.
  void live(std::chrono::seconds time, bool jam = false);

  uint64_t guests = 0, heard = 0;       // so far: connections, and messages that they got
  std::map<std::string, uint64_t> ends; // how often each way of leaving was taken

private:
  enum class role { lively, passing, stuck };
  struct place {
    role is;
    moment next;                     // when it acts
    std::unique_ptr<guest> who = {}; // NULL: nobody yet
    unsigned left = 0;               // messages that it has still to send
    bool stalled = false, leaving = false;
  };

  void step(place &p, bool staying);
  void come(place &p);
  void act(place &p, bool staying);
  void talk(place &p);
  void stick(place &p);
  void leave(place &p);
  void vanish(place &p, const char *how);
  void keep_session(guest &g);
  void wait(const std::vector<place> &places);
  span up_to(uint64_t ms)
  {
    return span(roll_.below(ms));
  }

  const uint16_t port_;
  sim::dice roll_;
  uint64_t number_ = 0;
  moment now_;
  SSL_SESSION *session_ = nullptr; // of one who left
};

} // namespace soak

#endif
