#include "http_world.hpp"

namespace sim
{

namespace
{
constexpr size_t AHEAD_BYTES = 64 << 10;
}

http_world::http_world(uint64_t its_seed, const world_options &how, const http_flavour &f,
                       const http_limits &most)
    : world(its_seed, how), flavour(f), limits(most)
{
  options.server.handshake_timeout_ms = most.handshake_timeout_ms;
  options.server.keep_alive_ms = most.keep_alive_ms;
  more_routes = [this] { return add_routes(); };
  when_freed = [this] { release_all(); };
  may_wait = [this](const tcp_socket &socket) { return may_wait_unread(socket); };
  k.would_block = [this] {
    check_wakeups();
    check_answers();
  };
}

http_world::~http_world()
{
  if (loop != nullptr)
    tear_down();
}

http_client &http_world::add_speaker(client_manners manners)
{
  manners.tries_again = false;
  return speakers.emplace_back(*this, add_client(manners));
}

exchange &http_world::add_exchange(http_client &from)
{
  exchange &e = exchanges.emplace_back();
  e.from = &from;
  e.client = from.c.number;
  e.number = static_cast<unsigned>(from.all.size());
  return e;
}

bool http_world::nobody_left()
{
  bool left = !all_over();
  k.each_socket([&](tcp_socket &) { left = true; });
  return !left;
}

// Past a bound, what a client sends ahead of an answer stays where it is.
bool http_world::may_wait_unread(const tcp_socket &socket)
{
  for (const http_client &s : speakers)
    if (s.c.socket.get() == &socket && !s.c.open) {
      bool enough = socket.read_by_server >= s.served_bytes() + AHEAD_BYTES;
      seen["held back"] += enough && socket.owes_read();
      return enough || s.c.manners.veil.on;
    }
  return false;
}

// The loop is about to sleep: is there an answer, or a part of one, that could be sent?
void http_world::check_answers()
{
  auto may_send = [](const exchange &e) {
    const tcp_socket &socket = *e.from->c.socket;
    return socket.fd >= 0 && !socket.ended_by_server() && socket.may_send();
  };
  for (const exchange &e : exchanges)
    if (e.begun && !e.is_over() && e.request != nullptr && weir_request_buffered(e.request) != 0 &&
        may_send(e))
      fail("a wake-up was lost: the loop sleeps on what is queued of " + e.id());
  for (const http_client &s : speakers)
    if (const exchange *e = s.waits_for();
        e != nullptr && may_send(*e) && s.c.socket->peer_pending() == 0 && !s.c.broke_off)
      fail("a wake-up was lost: the loop sleeps on the answer to " + e->id());
}

void http_world::check_exchanges()
{
  for (const exchange &e : exchanges) {
    if (e.later && !e.upgrade && (e.gone != 0) == e.answered)
      fail(e.id() +
           (e.answered ? " was answered and is gone" : " was kept, and nothing came of it"));
    if (e.request != nullptr)
      fail(e.id() + " still is kept");
  }
  if (inits != finis)
    fail(std::to_string(inits) + " of user_init, " + std::to_string(finis) + " of user_fini");
}

} // namespace sim
