// A whole server on the fake kernel, its application, its clients, and what must hold of them:
//
//   - what a client sent comes to the handlers once, whole and in order;
//   - what the application sent comes to the client once, whole and in the order of the calls; a
//     broadcast goes to exactly those who belonged at the moment of the call;
//   - on_close comes once for each on_open, and nothing after it;
//   - the loop does not go to sleep on work that it was told of, does not spin, and nobody waits
//     for ever;
//   - at the end no descriptor and no block of memory is left.
#ifndef WEIR_SIM_WORLD_HPP
#define WEIR_SIM_WORLD_HPP

#include "client.hpp"

#include <set>
#include <weir/weir.h>

namespace sim
{

class world;

// The server's side of a connection, and the model of it.
struct session {
  world *home = nullptr;
  struct weir_conn *conn = nullptr; // NULL once closed
  weir_conn_id id = 0;
  client *peer = nullptr;
  std::deque<message> due; // sent, and not yet seen by the client
  std::set<char> topics;
  size_t taken = 0;      // how many of the client's messages have come
  message pieces{0, ""}; // of a message that comes in fragments
  message begun{0, ""};  // what is left of a message that is sent in fragments
  struct weir_timer *timer = nullptr;
  bool open = false, closed = false, paused = false;
  bool closing = false; // the application closed or aborted it
  bool failed = false;  // on_error came
  int close_code = 0;
  uint64_t closed_at = 0; // of the kernel's clock, ns
};

struct world_options {
  fault_rates faults;
  weir_options server = {};
  weir_route_options route = {};
  size_t max_files = 1024;
  size_t rcvbuf = 64 << 10, sndbuf = 64 << 10;
  bool local = false;          // it listens on a unix socket, and all its clients connect there
  bool proxied = false;        // its clients come through a proxy that says so
  bool secure = false;         // the server speaks TLS, and so do its clients unless they say not
  bool foreign = false;        // a foreign loop polls the loop's descriptor and steps it then alone
  bool mischief = false;       // the handlers that tell of connections act upon others
  bool lossy = false;          // queues may overflow, or memory run out: messages may be missing
  uint64_t patience_ms = 3000; // nothing happens for so long, though something should: stuck
};

// What the kernel is to do wrong, and how large its buffers are, by dice.
struct trouble {
  bool faults, drips, starved;
};

unsigned draw_rate(dice &roll, unsigned most); // 0 half of the time
world_options draw_options(dice &roll, trouble kinds);

class world
{
public:
  world(uint64_t seed, const world_options &how);
  ~world();
  world(const world &) = delete;
  world &operator=(const world &) = delete;

  // Makes the server; 0 or what failed.
  int set_up();

  client &add_client(client_manners manners);

  // A message that the application acts upon: its first two letters say what is to be done, the
  // rest is told apart by its sender and number. Returns what was sent.
  message command(client &from, char verb, char argument, int opcode, size_t size,
                  size_t fragments = 1);

  // Steps the server until the condition holds; gives up and complains when the world is stuck.
  void run_until(const std::function<bool()> &done);
  void run_for(uint64_t ms);

  // weir_server_stop, from anywhere.
  void stop();

  // weir_server_drain: from here on the server closes connections of its own accord; nobody may be
  // left at the deadline, when it stops.
  void drain(uint64_t deadline_ms);
  void notice_closing(); // into the model

  // Frees the server, and looks for what is left over.
  void tear_down();

  void fail(const std::string &what);
  std::string report() const; // the failures, and the trace
  session *session_of(const client &c);
  wish offered() const;    // of permessage-deflate, by the routes
  bool settled(client &c); // nothing that was sent is still on its way
  bool all_over();         // every client has ended, every connection is closed

  kernel k;
  world_options options;
  std::vector<std::string> failures;
  struct weir_loop *loop = nullptr;
  struct weir_server *server = nullptr;
  struct weir_counters counters = {}; // as they were at the end
  bool stopped = false;
  uint64_t drained_by = 0; // the deadline, of the kernel's clock, ns; 0: it does not drain
  std::deque<client> clients;
  std::deque<session> sessions;
  std::map<const client *, std::vector<message>> sent; // by each client
  uint64_t seed;

  // What a flavour adds: its routes; what it lets go of once the server is freed, before the loop
  // is; and which sockets the server may leave unread.
  std::function<int()> more_routes;
  std::function<void()> when_freed;
  std::function<bool(const tcp_socket &)> may_wait;

protected:
  void check_wakeups();

private:
  friend struct app;

  int serve();
  int listen();
  SSL_SESSION *any_session();
  void fill(message &m, size_t size);
  void fill_with_words(message &m, size_t size);
  void got(client &c, const message &m, bool squeezed);
  size_t threshold() const;
  void check_closed(session &s);
  void step();
  std::string who_waits() const;

  std::string said_; // what messages that are worth compressing take their words from
};

// The application; what the routes' handlers do, whose arg is the world. In app.cpp.
struct weir_route route_of(const world &w);
int add_routes(world &w);

} // namespace sim

#endif
