// Headers of the PROXY protocol. However long the piece that has come is, the verdict is the same
// as soon as there is one; a header is whole at its last byte; what it tells is sound, and lies
// within its bytes.
#include "wire/proxy.h"

#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <string>
#include <string_view>
#include <vector>

namespace
{

constexpr size_t EVERY = 300, STRIDE = 61; // each length of a short header, some of a long one

void require(bool holds)
{
  if (!holds)
    abort();
}

struct verdict {
  int status = 0;
  size_t used = 0;
  std::string_view reason;
  std::string told;
  bool operator==(const verdict &) const = default;
};

void require_sound(const weir__ip &ip, bool local)
{
  static const unsigned char zeros[16] = {};
  require(local == (ip.family == WEIR__IP_UNKNOWN));
  if (ip.family == WEIR__IP_UNKNOWN || ip.family == WEIR__IP_UNIX)
    require(ip.port == 0 && memcmp(ip.bytes, zeros, 16) == 0);
  else
    require(ip.family == WEIR__IP_V4 ? memcmp(ip.bytes + 4, zeros, 12) == 0
                                     : ip.family == WEIR__IP_V6);
}

std::string text(const weir__ip &ip)
{
  char out[WEIR__IP_TEXT];
  return std::string(out, weir__ip_format(&ip, out)) + ":" + std::to_string(ip.port);
}

std::string told(const weir__proxy &proxy, const std::vector<unsigned char> &bytes, size_t used)
{
  const weir_slice authority = proxy.authority;
  const char *start = reinterpret_cast<const char *>(bytes.data());
  require_sound(proxy.source, proxy.local);
  require_sound(proxy.destination, proxy.local);
  require(proxy.source.family != WEIR__IP_UNIX || proxy.destination.family == WEIR__IP_UNIX);
  require(authority.data != nullptr || authority.len == 0);
  if (authority.data != nullptr)
    require(!proxy.local && authority.data >= start &&
            authority.data + authority.len <= start + used);
  require(!proxy.certificate_verified || (!proxy.local && proxy.tls != 0));
  return text(proxy.source) + text(proxy.destination) +
         std::string(authority.data == nullptr ? "" : authority.data, authority.len) +
         std::to_string(proxy.tls) + std::to_string(proxy.certificate_verified);
}

verdict parse(const uint8_t *data, size_t size)
{
  std::vector<unsigned char> copy(data, data + size); // a read beyond it is seen
  weir__proxy proxy;
  size_t used = 0;
  const char *reason = nullptr;
  int status = weir__proxy_parse(copy.data(), size, &proxy, &used, &reason);
  require(status == 1 || status == 0 || status == -400);
  require((status < 0) == (reason != nullptr));
  if (status == 1) {
    require(used > 0 && used <= size && used <= WEIR__PROXY_MAX);
    return {1, used, {}, told(proxy, copy, used)};
  }
  return {status, 0, status < 0 ? reason : std::string_view(), {}};
}

} // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
  size = std::min<size_t>(size, WEIR__PROXY_MAX + 16);
  const verdict whole = parse(data, size);
  require(size < WEIR__PROXY_MAX || whole.status != 0);
  verdict last;
  for (size_t len = 0; len < size; len += len < EVERY ? 1 : STRIDE) {
    verdict now = parse(data, len);
    require(last.status == 0 ? now.status == 0 || now == whole : now == last);
    last = now;
  }
  require(last.status == 0 || last == whole);
  if (whole.status == 1) {
    require(parse(data, whole.used) == whole);
    require(parse(data, whole.used - 1).status == 0);
  }
  return 0;
}
