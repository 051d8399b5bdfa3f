// Conditional requests. Input: a size's bytes, then the values of the six fields, a line each; an
// empty line is no field. Whatever they hold, the status is one that may be, a part lies within the
// representation and is what a plain reader finds; what is listed strongly is listed weakly; a date
// that is read is written and read as the same.
#include "wire/http_range.h"

#include <array>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <string>
#include <string_view>
#include <vector>

namespace
{

constexpr int64_t NOW = 1790000000;
constexpr std::array NAMES = {"Range",         "If-Range",          "If-Match",
                              "If-None-Match", "If-Modified-Since", "If-Unmodified-Since"};
const std::string ETAG = "\"a,b\"";

void require(bool holds)
{
  if (!holds)
    abort();
}

weir_slice slice(std::string_view text)
{
  return {text.data(), text.size()};
}

// A request, each value in memory of its own size, so that a sanitizer sees a byte too far.
struct request {
  std::vector<std::vector<char>> copies;
  weir__http_head head = {};

  explicit request(std::string_view text)
  {
    head.method = slice("GET");
    for (const char *name : NAMES) {
      const std::string_view line = text.substr(0, text.find('\n'));
      text.remove_prefix(line.size() < text.size() ? line.size() + 1 : text.size());
      if (line.empty())
        continue;
      copies.emplace_back(line.begin(), line.end());
      head.fields[head.field_count++] = {slice(name), {copies.back().data(), line.size()}};
    }
  }
};

// The number that begins a text, at most the largest, in arithmetic that cannot overflow.
uint64_t number(std::string_view digits)
{
  unsigned __int128 n = 0;
  for (char c : digits)
    n = n > UINT64_MAX ? n : n * 10 + (c - '0');
  return n > UINT64_MAX ? UINT64_MAX : static_cast<uint64_t>(n);
}

void require_asked(std::string_view range, uint64_t size, const weir__http_part &part)
{
  range.remove_prefix(strlen("bytes="));
  const std::string_view first = range.substr(0, range.find('-'));
  const std::string_view last = range.substr(first.size() + 1);
  require(part.first <= part.last && part.last < size);
  require(range.find_first_not_of("0123456789-") == range.npos);
  if (first.empty()) {
    require(part.last == size - 1);
    require(part.last - part.first + 1 == (number(last) < size ? number(last) : size));
  } else {
    require(part.first == number(first));
    require(part.last == (last.empty() || number(last) >= size ? size - 1 : number(last)));
  }
}

void check_date(weir_slice text)
{
  int64_t seconds = 0, again = 0;
  char out[WEIR__HTTP_DATE_LEN + 1];
  if (!weir__http_date_parse(text, NOW, &seconds))
    return;
  weir__http_date_format(seconds, out);
  require(weir__http_date_parse(slice(out), NOW, &again));
  require(again == seconds || out == std::string_view("Fri, 31 Dec 9999 23:59:59 GMT"));
}

} // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
  weir__http_selected selected = {slice(ETAG), 784111777, 0};
  if (size < sizeof selected.size)
    return 0;
  memcpy(&selected.size, data, sizeof selected.size);
  request r(
      {reinterpret_cast<const char *>(data) + sizeof selected.size, size - sizeof selected.size});
  weir__http_part part = {1, 0};
  const int status = weir__http_range_judge(&r.head, &selected, NOW, &part);
  require(status == 200 || status == 206 || status == 304 || status == 412 || status == 416);
  const weir_slice range = weir__http_field(&r.head, "range");
  if (status == 206)
    require_asked({range.data, range.len}, selected.size, part);
  for (size_t i = 0; i < r.head.field_count; i++)
    check_date(r.head.fields[i].value);
  for (const char *name : NAMES)
    if (weir__http_etag_listed(&r.head, name, selected.etag, true))
      require(weir__http_etag_listed(&r.head, name, selected.etag, false));

  r.head.method = slice("HEAD");
  const int of_head = weir__http_range_judge(&r.head, &selected, NOW, &part);
  require(of_head == (status == 206 || status == 416 ? 200 : status));
  return 0;
}
