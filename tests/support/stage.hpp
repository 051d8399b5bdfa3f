// A server on a loop that the test drives from its own thread, as a service with a loop of its own
// would: by poll(2) on weir_loop_fd and weir_loop_step(loop, 0), nothing else. Its clock can be put
// forward, so that no test waits for a timeout.
#ifndef WEIR_TESTS_STAGE_HPP
#define WEIR_TESTS_STAGE_HPP

#include "support/certificates.hpp"
#include "support/peer.hpp"

#include <weir/weir.h>

#include "base/sys.h"

#include <atomic>
#include <memory>
#include <vector>

namespace support
{

/* What a handler is called with, and what the test does then. */
struct hooks {
  std::function<int(weir_request *, void *)> upgrade;
  std::function<void(weir_conn *)> open;
  std::function<void(weir_conn *, const weir_message *)> message, fragment;
  std::function<void(weir_conn *, std::string_view)> ping, pong;
  std::function<void(weir_conn *)> drain;
  std::function<void(weir_conn *, size_t)> dropped;
  std::function<void(weir_conn *, int, std::string_view)> error, close;
  std::function<int(void *)> user_init;
  std::function<void(void *)> user_fini;
};

/* A route with the handlers that are set; hooks must outlive the server. */
weir_route route_of(const hooks &on, weir_route_options options = {}, size_t user_bytes = 0);

/* The same of a route of plain requests. */
struct page {
  std::function<int(weir_request *)> request;
  std::function<void(weir_request *, std::string_view, bool)> body;
  std::function<void(weir_request *)> drain, gone;
};

weir_http_route route_of(const page &on, weir_http_route options = {});

/* The kernel, but for its clock, which may be ahead; allocations are counted, and may fail. */
struct shifted_sys {
  weir__sys sys;
  mutable std::atomic<size_t> allocations = 0;
  size_t failing = 0; /* the number of the one that fails; 0: none */
  uint64_t ahead_ns = 0;
  uint64_t frozen_ns = 0;        /* the clock's time but for that; 0: it goes on by itself */
  mutable int timerfd = -1;      /* the one that was set last */
  mutable uint64_t timer_ns = 0; /* and to what */

  shifted_sys();
  void advance(uint64_t ns);
};

class stage
{
public:
  explicit stage(weir_options options = {});
  ~stage();
  stage(const stage &) = delete;

  /* Before start: the handlers of "/" and a route's. */
  hooks on;
  weir_route_options options = {};
  size_t user_bytes = 0;
  void route(const char *path, const hooks &handlers, weir_route_options of = {});
  void http(const char *method, const char *path, const page &handlers, weir_http_route of = {});

  /* Before start: the server speaks TLS as localhost, with these options beside its identity, and
   * so do clients. */
  void secure(weir_tls_options with = {});
  tls_peer_options client;
  const localhost &certificates() const
  {
    return *certificates_;
  }

  /* Before start: it will listen there, and not on 127.0.0.1 unless that is told too. */
  void listen(const weir_listen_options &where)
  {
    listens_.push_back(where);
  }
  weir_tls *tls() const /* of secure; NULL: plain */
  {
    return tls_;
  }

  /* Adds "/" with what stands above, listens and attaches. */
  void start();
  void end_server(); /* weir_server_free */

  weir_server *server() const
  {
    return server_;
  }
  weir_loop *loop() const
  {
    return loop_;
  }
  uint16_t port() const
  {
    return weir_server_port(server_);
  }
  weir_counters counters() const;
  size_t allocations() const /* so far, the loop's and the server's */
  {
    return sys_.allocations;
  }
  void fail_allocation(size_t nth) /* from now on, once; 0: none any more */
  {
    sys_.failing = nth == 0 ? 0 : sys_.allocations + nth;
  }

  /* A client of the server; open's has been upgraded on both sides. */
  peer &connect(int receive_buffer = 0);
  peer &connect(peer made); /* as it is */
  peer &open(std::string_view target = "/", std::string_view more = {}, int receive_buffer = 0);

  /* The connection that was opened last. */
  weir_conn *last() const
  {
    return last_;
  }

  /* Polls and steps, and moves the peers along, until it holds; false after all patience. */
  bool until(const std::function<bool()> &holds);

  /* The same until everything has come to rest: nothing moves any more. */
  void settle();

  /* From now on only what follows moves the clock. */
  void freeze()
  {
    sys_.frozen_ns = sys_.sys.now_ns(&sys_.sys);
  }

  /* Once: whatever is there already. */
  void turn_once()
  {
    turn(0);
  }

  /* Puts the clock forward, behind the loop's back; pass has the loop see it. */
  void advance(uint64_t ms)
  {
    sys_.advance(ms * 1000000);
  }
  void pass(uint64_t ms);

  /* What comes next for a peer; a frame of nothing, a response with status 0 when none does. */
  frame next(peer &of);
  response answer(peer &of, bool with_body = true);
  bool ends(peer &of); /* FIN or RST comes */

private:
  bool turn(int timeout_ms);

  shifted_sys sys_;
  weir_loop *loop_ = nullptr;
  weir_server *server_ = nullptr;
  std::unique_ptr<localhost> certificates_; /* NULL: plain */
  weir_tls *tls_ = nullptr;
  weir_conn *last_ = nullptr;
  std::function<void(weir_conn *)> opened_;
  int fd_ = -1;
  std::vector<weir_listen_options> listens_;
  std::vector<std::unique_ptr<peer>> peers_;
};

/* A frame that is given back at the end of the scope. */
struct held_frame {
  weir_frame *frame = nullptr;

  explicit held_frame(std::string_view payload, weir_opcode opcode = WEIR_TEXT);
  ~held_frame();
  held_frame(const held_frame &) = delete;
  operator weir_frame *() const
  {
    return frame;
  }
};

} // namespace support

#endif
