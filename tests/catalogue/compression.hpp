/* permessage-deflate on the attacker's side (RFC 7692): offers, what came of them, and compressed
 * messages as frames. */
#ifndef WEIR_CATALOGUE_COMPRESSION_HPP
#define WEIR_CATALOGUE_COMPRESSION_HPP

#include "catalogue/harness.hpp"
#include "support/deflater.hpp"

#include <atomic>

namespace catalogue
{

/* A request that offers extensions. */
request offering(const std::string &extensions = "permessage-deflate");

/* A server whose clients offer and get compression, of one of enum weir_compression. */
setup compressing(size_t mode = WEIR_COMPRESSION_SHARED);

/* The parameters of the extension that a server's 101 agrees to. */
struct agreement {
  std::map<std::string, std::string> parameters;

  bool has(const std::string &name) const
  {
    return parameters.count(name) != 0;
  }
  int bits(const std::string &name) const; /* 15 where it does not stand */
};

/* Nothing when none was agreed; a failure of the test when it is anything but permessage-deflate,
 * once, each of its parameters known and once (sections 5.1, 7.1). */
std::optional<agreement> agreed(const response &answer);

/* A frame that begins a compressed message, of bytes that are deflated already. */
std::string deflated(unsigned first, std::string_view bytes);

/* A text or binary message, compressed by itself. */
std::string compressed(unsigned first, std::string_view payload);

/* Bytes deflated already as so many frames of one message, cut evenly. */
std::string in_fragments(unsigned opcode, std::string_view bytes, size_t count);

/* A client that keeps its windows as agreed. */
class speaker
{
public:
  explicit speaker(server &at, const request &head = offering());

  /* A message's bytes, deflated; and as a frame, not yet sent. */
  std::string bytes_of(std::string_view payload);
  std::string frame_of(std::string_view payload, unsigned first = fin | text);
  bool say(std::string_view payload, unsigned first = fin | text);

  /* The next message from the server, inflated where it is compressed; a failure of the test when
   * there is none or it is invalid. The frame as it came stays in heard. */
  std::string hear();

  /* Says it and hears it. */
  void expect_echo(std::string_view payload);

  client socket;
  agreement terms;
  frame heard; /* the last one, as it came */

private:
  std::unique_ptr<support::deflater> deflater_;
  std::unique_ptr<support::inflater> inflater_;
};

/* What a connection may be like: with and without takeover, whole messages and pieces. */
struct way {
  const char *name;
  size_t mode; /* enum weir_compression */
  bool piecewise;
};
inline constexpr way ways[] = {{"shared", WEIR_COMPRESSION_SHARED, false},
                               {"dedicated", WEIR_COMPRESSION_DEDICATED, false},
                               {"shared, in pieces", WEIR_COMPRESSION_SHARED, true},
                               {"dedicated, in pieces", WEIR_COMPRESSION_DEDICATED, true}};

/* A server of which is noted how many bytes the handler of pieces was given, and how much memory it
 * held at the last error. */
struct inflating {
  std::atomic<uint64_t> at_error{0}, bytes{0};
  weir_server *raw = nullptr;
  server at;

  explicit inflating(const way &how, size_t limit = 0);

private:
  setup with(const way &how, size_t limit);
};

/* Deflated bytes must fail the connection as one frame and as fragments, behind a message that
 * filled the window and alone. */
void expect_all_failed(server &at, std::string_view bytes, int code, unsigned opcode = text,
                       bool piecewise = false);

/* Text that compresses about as well as prose, of any length; another one for each seed. */
std::string prose(size_t bytes, unsigned seed = 0);

/* Bytes that do not compress. */
std::string noise(size_t bytes, unsigned seed = 1);

} // namespace catalogue

#endif
