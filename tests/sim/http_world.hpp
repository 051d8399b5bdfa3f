// A world whose clients speak plain HTTP, some until they upgrade; and its application, which does
// with each request what the dice have laid down in its exchange, and holds the library to what
// core/include/weir/http.h promises of every call and callback.
#ifndef WEIR_SIM_HTTP_WORLD_HPP
#define WEIR_SIM_HTTP_WORLD_HPP

#include "http_client.hpp"
#include "world.hpp"

namespace sim
{

struct http_limits {
  uint64_t response_timeout_ms = 3000, body_timeout_ms = 30000, handshake_timeout_ms = 10000,
           keep_alive_ms = 5000;
  size_t max_queued_bytes = 1 << 20;
};

class http_world : public world
{
public:
  http_world(uint64_t seed, const world_options &how, const http_flavour &f,
             const http_limits &most);
  ~http_world();

  http_client &add_speaker(client_manners manners);
  exchange &add_exchange(http_client &from);

  // Every client has ended, and the server has no connection any more.
  bool nobody_left();

  // What must hold of all requests, at the end.
  void check_exchanges();

  uint64_t elapsed_ms(uint64_t since_ns) const
  {
    return (k.now() - since_ns) / NS_PER_MS;
  }

  const http_flavour &flavour;
  const http_limits limits;
  std::deque<exchange> exchanges;
  std::deque<http_client> speakers;
  struct appointment { // a timer's
    http_world *w;
    exchange *e;
  };
  std::deque<appointment> timed;
  std::deque<exchange *> waiting;          // to be answered by another's handler
  size_t inits = 0, finis = 0;             // of user memory
  std::map<std::string_view, size_t> seen; // what happened, and how often

private:
  friend struct http_app;

  int add_routes();   // in http_app.cpp,
  void release_all(); // as this is
  void check_answers();
  bool may_wait_unread(const tcp_socket &socket);
};

} // namespace sim

#endif
