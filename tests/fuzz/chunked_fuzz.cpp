// Chunked bodies. However the bytes are cut, the verdict and the body are the same; and what is
// accepted ends, and is, what llhttp makes of it. llhttp knows no blanks, no backslashes and
// nothing behind a value in extensions, and reads a meaning into trailers: with such it may refuse,
// but not read otherwise; without them it must follow.
#include "wire/chunked.h"

#include <llhttp.h>

#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>
#include <vector>

namespace
{

using namespace std::string_literals;

void require(bool holds)
{
  if (!holds)
    abort();
}

struct verdict {
  int status = 0;
  size_t used = 0; // bytes, unless it is refused
  std::string body = {};
  std::string reason = {};
  bool operator==(const verdict &) const = default;
};

// Takes one piece, which lies in memory of its own size, so that a sanitizer sees a byte too far.
void feed(weir__chunked &state, const std::vector<char> &piece, verdict &v)
{
  size_t done = 0;
  while (done < piece.size() && v.status == 0) {
    size_t used = 0;
    weir_slice run = {};
    const char *reason = nullptr;
    v.status =
        weir__chunked_next(&state, piece.data() + done, piece.size() - done, &used, &run, &reason);
    done += used;
    require(done <= piece.size() && (v.status < 0) == (reason != nullptr));
    require(run.len == 0 || (v.status == 0 && run.len <= used));
    require(run.len == 0 || run.data + run.len == piece.data() + done);
    require(v.status != 0 || run.len > 0 || done == piece.size());
    v.body.append(run.data != nullptr ? run.data : "", run.len);
    if (v.status < 0)
      v.reason = reason;
  }
  v.used += done;
}

verdict ours(std::string_view bytes, size_t size)
{
  weir__chunked state = {};
  verdict v;
  for (size_t at = 0; at < bytes.size() && v.status == 0; at += size) {
    const std::string_view piece = bytes.substr(at, size);
    feed(state, {piece.begin(), piece.end()}, v);
  }
  if (v.status < 0)
    v.used = 0;
  require(v.status == 0 || v.status == 1 || v.status == -400);
  require(v.status != 1 || (state.left == 0 && state.digits == 0 && state.state == 0));
  return v;
}

// ---- llhttp

int on_body(llhttp_t *parser, const char *at, size_t len)
{
  static_cast<std::string *>(parser->data)->append(at, len);
  return HPE_OK;
}

int on_message_complete(llhttp_t *)
{
  return HPE_PAUSED;
}

verdict theirs(const std::string &bytes)
{
  const std::string head = "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n";
  const std::string whole = head + bytes;
  llhttp_settings_t settings = {};
  settings.on_body = on_body;
  settings.on_message_complete = on_message_complete;
  llhttp_t parser;
  llhttp_init(&parser, HTTP_REQUEST, &settings);
  verdict v;
  parser.data = &v.body;
  llhttp_errno_t error = llhttp_execute(&parser, whole.data(), whole.size());
  if (error == HPE_PAUSED)
    return {1, static_cast<size_t>(llhttp_get_error_pos(&parser) - whole.data()) - head.size(),
            v.body};
  return error == HPE_OK ? verdict{0, bytes.size(), v.body} : verdict{-400};
}

// ---- a body that ours accepts, without its extensions and trailers

struct plain {
  std::string bytes;
  bool strange = false; // holds what llhttp does not know in an extension, or a trailer
};

plain strip(std::string_view body)
{
  plain p;
  for (;;) {
    const std::string_view line = body.substr(0, body.find("\r\n"));
    const std::string digits(line.substr(0, line.find_first_of("; \t")));
    p.strange |= line.find_first_of(" \t\\") != line.npos;
    p.strange |= line.find(';', std::min(line.find('='), line.size())) != line.npos;
    const size_t size = std::strtoull(digits.c_str(), nullptr, 16);
    body.remove_prefix(line.size() + 2);
    p.bytes += digits + "\r\n";
    if (size == 0)
      break;
    p.bytes += body.substr(0, size + 2);
    body.remove_prefix(size + 2);
  }
  p.strange |= body != "\r\n";
  p.bytes += "\r\n";
  return p;
}

} // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
  const std::string bytes(data, data + size);
  const verdict whole = ours(bytes, size + 1);
  for (size_t piece : {1, 2, 3, 7, 16, 61})
    require(ours(bytes, piece) == whole);

  const verdict raw = theirs(bytes);
  if (whole.status < 0)
    return 0;
  if (raw.status >= 0)
    require(raw == whole);
  if (whole.status == 1) {
    const plain p = strip(std::string_view(bytes).substr(0, whole.used));
    require(raw.status == 1 || p.strange);
    require(theirs(p.bytes) == verdict{1, p.bytes.size(), whole.body});
  }
  return 0;
}
