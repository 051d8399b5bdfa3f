// Request heads. However the bytes are cut, the guard's verdict is the same; what passes it and is
// parsed lies within its bytes, and holds none that the guard is there to refuse; and no judge
// behind the parser reads beyond.
#include "wire/handshake.h"
#include "wire/uri.h"

#include <cstdint>
#include <cstdlib>
#include <string_view>
#include <vector>

namespace
{

constexpr weir__http_limits LIMITS = {4096, 100, 1024};

void require(bool holds)
{
  if (!holds)
    abort();
}

struct verdict {
  int status = 0;
  size_t used = 0;
  std::string_view reason;
  bool operator==(const verdict &) const = default;
};

verdict guard(const uint8_t *data, size_t size, size_t piece)
{
  struct weir__http_guard state = {};
  verdict v;
  for (size_t done = 0; done < size && v.status == 0; done += v.used) {
    size_t len = size - done < piece ? size - done : piece;
    std::vector<char> copy(data + done, data + done + len); // a read beyond it is seen
    const char *reason = nullptr;
    v.status = weir__http_guard(&state, &LIMITS, copy.data(), len, &v.used, &reason);
    require(v.status != 0 || v.used == len);
    require((v.status < 0) == (reason != nullptr));
    if (v.status < 0)
      return {v.status, 0, reason};
  }
  return {v.status, state.bytes, {}};
}

void require_within(weir_slice slice, const std::vector<char> &bytes)
{
  require(slice.data != nullptr || slice.len == 0);
  if (slice.data != nullptr)
    require(slice.data >= bytes.data() && slice.data + slice.len <= bytes.data() + bytes.size());
}

void require_sound(const weir__http_head &head, const std::vector<char> &bytes)
{
  require(head.major == 1 && head.minor <= 1);
  for (weir_slice slice : {head.method, head.target, head.path, head.query})
    require_within(slice, bytes);
  require(weir__http_is_token(head.method));
  require(head.path.len > 0 && head.path.data[0] == '/');
  require(head.field_count <= LIMITS.max_header_fields);
  for (size_t i = 0; i < head.field_count; i++) {
    require_within(head.fields[i].name, bytes);
    require_within(head.fields[i].value, bytes);
    require(weir__http_is_token(head.fields[i].name));
    require(weir__http_is_value(head.fields[i].value));
    require(head.fields[i].value.data != nullptr);
  }
}

void judge(const weir__http_head &head)
{
  static const char *const names[] = {"chat", "https://example.org", nullptr};
  const char *reason = "";
  weir__handshake_origin(&head, names, true, &reason);
  weir__handshake_protocol(&head, names);
  if (weir__handshake_check(&head, &reason) == 0) {
    weir_slice key = weir__http_field(&head, "sec-websocket-key");
    char accept[WEIR__ACCEPT_KEY_LEN];
    weir__handshake_accept(key, accept);
    require(weir__handshake_asked(&head) && !head.has_body && key.len == 24);
  }
  std::vector<char> decoded(head.target.len);
  require(weir__uri_decode(head.path, false, decoded.data()) <= head.path.len);
  weir__uri_match("/a/:b/*", head.path);
  weir__uri_query(head.query, "a");
}

} // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
  if (size == 0)
    return 0;
  const verdict whole = guard(data, size, size);
  for (size_t piece : {1, 2, 3, 7, 16, 61})
    require(guard(data, size, piece) == whole);

  // the head alone when there is one; whatever there is otherwise, for the parser must stand it
  std::vector<char> bytes(data, data + (whole.status == 1 ? whole.used : size));
  weir__http_head head;
  const char *reason = nullptr;
  int status = weir__http_parse(&head, bytes.data(), bytes.size(), &reason);
  require(status == 0 || (status <= -400 && status >= -599 && reason != nullptr));
  if (whole.status == 1 && status == 0) {
    require_sound(head, bytes);
    judge(head);
  }
  return 0;
}
