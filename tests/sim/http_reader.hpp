// Responses of HTTP/1.1 as a client of the simulation reads them (RFC 9112 sections 4 to 7): by a
// reader of its own that forgives nothing, be it legal or not, that the server never writes.
#ifndef WEIR_SIM_HTTP_READER_HPP
#define WEIR_SIM_HTTP_READER_HPP

#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace sim
{

struct http_head {
  int status = 0;
  std::vector<std::pair<std::string, std::string>> fields; // as they came

  size_t count(std::string_view name) const;
  std::string field(std::string_view name) const; // the first one; "" when there is none
};

class http_reader
{
public:
  enum class found { more, head, whole, wrong };

  // Takes what it can off what has come, up to and with a head's end, and then a response's. After
  // a head, the caller says whether there is no body for another reason than the status.
  found take(std::string &in);
  void no_body();

  // The connection ended: whether that is how the response in hand ends.
  bool end();

  // Whether a response has begun and not ended.
  bool amid() const
  {
    return state_ != state::head;
  }

  http_head head;
  std::string body;      // so far
  std::string complaint; // what is wrong

private:
  enum class state { head, none, counted, size, chunk, chunk_end, last, to_end };

  found wrong(const std::string &what);
  found take_head(std::string &in);
  bool take_line(std::string_view line);
  bool choose();
  found take_body(std::string &in);
  found step(std::string &in);
  found take_size(std::string &in);
  found take_data(std::string &in, state then);
  found take_crlf(std::string &in, state then);

  state state_ = state::head;
  size_t left_ = 0;
};

// The standard phrase of a status; "" when the simulation knows none (RFC 9110 section 15).
std::string_view phrase_of(int status);

// Whether a response has no body whatever the request (RFC 9110 section 6.4.1).
bool is_bodiless(int status);

} // namespace sim

#endif
