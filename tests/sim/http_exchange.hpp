// A request of a simulated client: what it says, what the application is to do with it, and what
// came of that so far. What the client must be answered follows (http_client.cpp).
#ifndef WEIR_SIM_HTTP_EXCHANGE_HPP
#define WEIR_SIM_HTTP_EXCHANGE_HPP

#include "dice.hpp"

#include <cstddef>
#include <string>
#include <utility>
#include <vector>

struct weir_request;
struct weir_timer;

namespace sim
{

class http_client;

// Which troubles there may be.
struct http_flavour {
  const char *name;
  bool faults = false;    // the kernel's: short transfers, EAGAIN, EINTR, odd batches
  bool breaks = false;    // clients and the application break rules and connections
  bool starved = false;   // few descriptors, and accept fails
  bool slow = false;      // clients that stall, and streams with tight queues
  bool deadlines = false; // short ones, and clients and an application that miss them
  bool lossy = false;     // memory runs out
  bool secure = false;    // TLS
  bool drips = false;     // the kernel gives and takes a byte a call
};

enum class framing { none, counted, chunked };

// How the application answers.
enum class way {
  value,    // the handler returns the status
  inside,   // the handler calls weir_request_respond, or _accept
  timer,    // a timer does
  other,    // another request's handler does
  stream,   // weir_request_begin, _write, _end
  never,    // a deadline must
  nonsense, // the handler returns what is no status
  promise,  // the handler says that it answers later, and keeps no request
};

struct exchange {
  // What the client sends.
  unsigned client = 0, number = 0; // in each of the client's, from 0 on
  http_client *from = nullptr;
  std::string method = "GET", path = "/all", body;
  framing frames = framing::none;
  bool old = false;        // HTTP/1.0
  bool closes = false;     // no other request may follow
  bool expects = false;    // it sends the body after 100 (Continue)
  bool upgrade = false;    // to WebSocket
  bool hostless = false;   // it breaks a rule
  bool misspelt = false;   // its chunks break a rule
  std::string awaits;      // the value of Expect, where it is not what expects says
  int fate = 0;            // the status with which the library refuses it; 0: it does not
  bool asked_yet = false;  // though fate says otherwise: it is asked before its body is whole
  uint64_t dawdles_ms = 0; // amid its head or body
  size_t ends = 0;         // of the bytes that the client sends, the first behind it

  // What the application does.
  way how = way::value;
  bool keeps = false;       // it is kept though the handler returns the status
  bool awaits_body = false; // where the body comes in pieces: acts when it is whole
  bool accepts = true;      // of an upgrade
  bool again = false;       // answers twice
  int status = 200, returned = 0;
  std::string type, reply, extra; // no type: no body is set
  std::string protocol;           // of an upgrade
  bool announced = false;         // stream: of known length
  size_t withheld = 0;            // of that length
  size_t piece = 1;               // at most
  uint64_t pause_ms = 0;          // at most, between pieces
  uint64_t delay_ms = 0;

  // What came of it.
  unsigned asked = 0, gone = 0; // how often
  bool later = false;           // the handler said so, and the request was kept
  bool whole = false;           // the body came, as far as the application knows
  bool bare = false;            // no memory for what was set
  bool answered = false;        // to its end: the status is given, or the stream ended
  bool begun = false, drains = false;
  bool early = false; // answered before the body was whole
  bool lost = false;  // an upgrade: was found to be gone
  std::string got;    // of the body
  size_t written = 0; // of the reply
  uint64_t began_at = 0, asked_at = 0, whole_at = 0, answered_at = 0; // of the kernel's clock, ns
  weir_request *request = nullptr;                                    // kept
  unsigned refs = 0;
  weir_timer *timer = nullptr;
  bool continued = false; // 100 (Continue) came to the client
  bool done = false;      // the client has the whole response

  std::string id() const
  {
    return std::to_string(client) + "." + std::to_string(number);
  }
  std::string target() const
  {
    return path + "?n=" + std::to_string(number) + "&c=" + std::to_string(client);
  }
  bool has_body() const
  {
    return frames == framing::chunked || (frames == framing::counted && !body.empty());
  }
  bool in_pieces() const // the route takes bodies so
  {
    return path == "/bits" || path == "/narrow";
  }
  bool is_over() const
  {
    return answered || gone != 0 || lost;
  }
};

// A request by the dice, and what is done with it.
void draw(exchange &e, dice &roll, const http_flavour &f, uint64_t response_timeout_ms);

// One that asks for WebSocket.
void draw_upgrade(exchange &e, dice &roll, const http_flavour &f, uint64_t handshake_timeout_ms);

// Its bytes: of the head, and of the body with its framing, in one of many ways.
std::string head_of(const exchange &e, dice &roll);
std::string body_of(const exchange &e, dice &roll);

} // namespace sim

#endif
