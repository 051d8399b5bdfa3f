/* The catalogue's stage: a server run through the public C API by a loop on a thread of its own, a
 * record of every handler call, and a well-behaved bystander that must notice nothing of an attack.
 */
#ifndef WEIR_CATALOGUE_HARNESS_HPP
#define WEIR_CATALOGUE_HARNESS_HPP

#include "catalogue/client.hpp"

#include <weir/weir.h>

#include <condition_variable>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <thread>

namespace catalogue
{

/* What the handlers saw of one connection. */
struct record {
  weir_conn_id id = 0;
  int opens = 0;
  std::vector<std::string> messages, pings, pongs;
  int drains = 0;
  size_t dropped = 0;
  std::vector<int> errors;
  std::vector<std::string> whats;
  std::vector<int> closes;
  std::string reason;
};

/* Handlers of a test; each runs after the record was made. */
struct hooks {
  std::function<int(weir_request *)> upgrade;
  std::function<void(weir_conn *)> open;
  std::function<void(weir_conn *, const weir_message *)> message; /* without it: an echo */
  std::function<void(weir_conn *, const weir_message *)> fragment;
  std::function<void(weir_conn *, weir_slice)> ping, pong;
  std::function<void(weir_conn *)> drain;
  std::function<void(weir_conn *, int, const char *)> error;
  std::function<void(weir_conn *, int, weir_slice)> close;
  std::function<int()> user_init;
  std::function<void()> user_fini;
};

/* What a test sets up: the options of the server and of "/", the route under attack, and what its
 * clients ask for and speak over. */
struct setup {
  weir_options options = {};
  weir_route_options route = {};
  hooks on = {};
  request head = {};
  transport over = chosen();
  weir_http_route page = {}; /* of "POST /page", where it has on_request; arg is page_arg */
  void *page_arg = nullptr;
};

class server
{
public:
  explicit server(setup setup = {});
  ~server();
  server(const server &) = delete;

  uint16_t port() const
  {
    return port_;
  }
  weir_server *get() const
  {
    return server_;
  }
  weir_loop *loop() const
  {
    return loop_;
  }

  transport over() const
  {
    return over_;
  }

  /* A connection, not yet used; and one to "/", open on both sides. */
  client connect(int receive_buffer = 0) const
  {
    return client(port_, receive_buffer, over_);
  }
  client open(const request &head, int receive_buffer = 0);
  client open()
  {
    return open(head_);
  }

  /* Sends bytes one by one, each of them once the server has received the one before, over TLS in
   * a record of its own; or bytes as they are on the wire, past TLS. */
  bool drip(client &to, std::string_view bytes);
  bool drip_raw(client &to, std::string_view bytes);

  /* Runs a function on the loop's thread, and returns when it has. */
  void on_loop(const std::function<void()> &fn);

  /* The connection of a client: NULL once it is closed. On the loop's thread. */
  weir_conn *find(const client &of) const;

  /* A copy of what is known of a client's connection. */
  record seen(const client &of) const;

  /* Waits until it holds of the client's record; false, with a failure of the test, if never. */
  bool wait(const client &of, const char *what, const std::function<bool(const record &)> &holds);
  bool wait_closed(const client &of);

  /* Polls until it holds; false, with a failure of the test, if never. */
  bool poll(const char *what, const std::function<bool()> &holds) const;

  /* The bystander says something and gets it back, as ever. */
  void expect_undisturbed();
  void dismiss_bystander() /* for a test that stops the server */
  {
    bystander_.reset();
  }

  weir_counters counters() const;
  std::chrono::nanoseconds cpu_time(); /* of the loop's thread */

private:
  friend struct thunks;

  bool drip_by(const client &to, std::string_view bytes,
               const std::function<bool(std::string_view)> &send) const;
  void listen(const setup &setup);
  void listen_on_transport();
  void serve();
  void tell(const std::function<void()> &change);
  void await(const std::function<bool()> &holds);
  void judge() const;
  record &of(weir_conn *conn); /* with the lock held */

  hooks on_;
  request head_;
  transport over_;
  weir_server *server_ = nullptr;
  weir_loop *loop_ = nullptr;
  uint16_t port_ = 0;
  uint16_t arriving_ = 0; /* the loop's thread alone: whose request is decided, by a unix socket */
  bool done_ = false;     /* the loop's thread alone */
  bool serving_ = false;  /* with the lock held */
  mutable std::mutex lock_;
  std::condition_variable changed_;
  std::map<weir_conn_id, record> records_;
  std::map<uint16_t, weir_conn_id> ids_; /* by the client's port, the newest */
  std::vector<std::string> wrong_;       /* handler calls that may not be */
  size_t live_ = 0;
  std::thread thread_;
  std::unique_ptr<client> bystander_;
  unsigned said_ = 0;
};

/* The server's descriptor of a client's connection; -1 when there is none. */
int descriptor_of(const client &peer);

/* How an attack is put on the wire. */
enum class delivery {
  whole,  /* one send */
  bytes,  /* one byte a send, each read by the server before the next one */
  trailed /* one send, with much more behind it, and the answer is not read before all was sent */
};
inline constexpr delivery deliveries[] = {delivery::whole, delivery::bytes, delivery::trailed};
const char *name(delivery how);

/* Puts an attack on the wire. */
void deliver(server &at, client &from, std::string_view attack, delivery how);

/* A request must be refused with a status: the whole answer is right, its body's sentence holds one
 * of the words (separated by "|"), the stream ends in order and nothing was opened; by any
 * delivery. Returns the answer to the last one. Once a test has failed, this and the next two do no
 * more. */
response expect_refused(server &at, const std::string &request, int status,
                        const std::string &words);

/* Bytes behind a correct handshake must fail the connection with a code, in every respect, by any
 * delivery; before goes ahead of each attack and is sound. */
void expect_failed(server &at, const std::string &attack, int code, const std::string &before = {});

/* The rest of it, for an attack that has been delivered: frames up to the Close frame are passed
 * over. */
void expect_failure(server &at, client &from, int code);

/* The client ends the closing handshake with this code, and all is in order. */
void expect_close(server &at, client &from, int code);

/* Sends a message and expects it back. */
void expect_echo(client &from, std::string_view message);

} // namespace catalogue

#endif
