#include "http_reader.hpp"

#include <algorithm>
#include <charconv>
#include <cstdint>

namespace sim
{

namespace
{

constexpr std::string_view END = "\r\n\r\n";

bool is_token(std::string_view text)
{
  return !text.empty() && std::all_of(text.begin(), text.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-';
  });
}

// Visible characters, with blanks between them alone.
bool is_value(std::string_view text)
{
  if (text.empty() || text.front() == ' ' || text.back() == ' ')
    return false;
  return std::all_of(text.begin(), text.end(), [](char c) { return c >= ' ' && c < '\x7F'; });
}

// A whole number as it is written shortest, in small digits.
bool read_number(std::string_view text, int base, size_t &out)
{
  if (text.empty() || (text.size() > 1 && text[0] == '0'))
    return false;
  if (std::any_of(text.begin(), text.end(), [](char c) { return c >= 'A' && c <= 'F'; }))
    return false;
  auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), out, base);
  return error == std::errc() && end == text.data() + text.size();
}

} // namespace

std::string_view phrase_of(int status)
{
  static const std::pair<int, std::string_view> all[] = {
      {100, "Continue"},
      {101, "Switching Protocols"},
      {200, "OK"},
      {201, "Created"},
      {204, "No Content"},
      {304, "Not Modified"},
      {400, "Bad Request"},
      {403, "Forbidden"},
      {404, "Not Found"},
      {405, "Method Not Allowed"},
      {408, "Request Timeout"},
      {410, "Gone"},
      {413, "Content Too Large"},
      {417, "Expectation Failed"},
      {426, "Upgrade Required"},
      {500, "Internal Server Error"},
      {503, "Service Unavailable"},
  };
  for (auto &[number, phrase] : all)
    if (number == status)
      return phrase;
  return "";
}

bool is_bodiless(int status)
{
  return status < 200 || status == 204 || status == 304;
}

size_t http_head::count(std::string_view name) const
{
  return static_cast<size_t>(std::count_if(fields.begin(), fields.end(),
                                           [name](const auto &f) { return f.first == name; }));
}

std::string http_head::field(std::string_view name) const
{
  for (auto &[its_name, value] : fields)
    if (its_name == name)
      return value;
  return "";
}

http_reader::found http_reader::wrong(const std::string &what)
{
  complaint = what;
  return found::wrong;
}

http_reader::found http_reader::take(std::string &in)
{
  return state_ == state::head ? take_head(in) : take_body(in);
}

void http_reader::no_body()
{
  state_ = state::none;
}

bool http_reader::end()
{
  bool ends = state_ == state::to_end;
  if (ends)
    state_ = state::head;
  return ends;
}

http_reader::found http_reader::take_head(std::string &in)
{
  size_t end = in.find(END);
  if (end == std::string::npos)
    return in.size() > 16384 ? wrong("a head without an end") : found::more;
  std::string text = in.substr(0, end + 2);
  in.erase(0, end + END.size());
  head = {};
  body.clear();
  size_t at = text.find("\r\n");
  std::string_view first = std::string_view(text).substr(0, at);
  size_t status = 0;
  if (!first.starts_with("HTTP/1.1 ") || first.size() < 13 || first[12] != ' ' ||
      !read_number(first.substr(9, 3), 10, status))
    return wrong("a status line that is none: " + text);
  head.status = static_cast<int>(status);
  if (phrase_of(head.status) != first.substr(13) || first.size() == 13)
    return wrong("another phrase than the status has: " + text);
  for (at += 2; at < text.size();) {
    size_t line_end = text.find("\r\n", at);
    if (!take_line(std::string_view(text).substr(at, line_end - at)))
      return wrong("a field that is none: " + text);
    at = line_end + 2;
  }
  return choose() ? found::head : wrong("no body, or two of them: " + text);
}

bool http_reader::take_line(std::string_view line)
{
  size_t colon = line.find(": ");
  if (colon == std::string_view::npos)
    return false;
  std::string_view name = line.substr(0, colon), value = line.substr(colon + 2);
  head.fields.emplace_back(name, value);
  return is_token(name) && is_value(value);
}

// How the body ends; whether the head says so in one way.
bool http_reader::choose()
{
  size_t lengths = head.count("Content-Length"), codings = head.count("Transfer-Encoding");
  if (is_bodiless(head.status)) {
    state_ = state::none;
    return lengths + codings == 0;
  }
  state_ = lengths == 1 ? state::counted : codings == 1 ? state::size : state::to_end;
  if (lengths == 1 && !read_number(head.field("Content-Length"), 10, left_))
    return false;
  if (codings == 1 && head.field("Transfer-Encoding") != "chunked")
    return false;
  return lengths + codings < 2;
}

// Goes on from one part of the body to the next for as long as there is something to take.
http_reader::found http_reader::take_body(std::string &in)
{
  for (;;) {
    state before = state_;
    found what = step(in);
    if (what != found::more || state_ == before)
      return what;
  }
}

http_reader::found http_reader::step(std::string &in)
{
  switch (state_) {
  case state::counted:
    return take_data(in, state::none);
  case state::none:
    state_ = state::head;
    return found::whole;
  case state::size:
    return take_size(in);
  case state::chunk:
    return take_data(in, state::chunk_end);
  case state::chunk_end:
    return take_crlf(in, state::size);
  case state::last:
    return take_crlf(in, state::none);
  default:
    body += in;
    in.clear();
    return found::more;
  }
}

http_reader::found http_reader::take_size(std::string &in)
{
  size_t end = in.find("\r\n");
  if (end == std::string::npos)
    return in.size() > 16 ? wrong("a chunk's size without an end") : found::more;
  if (!read_number(std::string_view(in).substr(0, end), 16, left_))
    return wrong("a chunk's size that is none: " + in.substr(0, end));
  in.erase(0, end + 2);
  state_ = left_ == 0 ? state::last : state::chunk;
  return found::more;
}

// Of a length that is known.
http_reader::found http_reader::take_data(std::string &in, state then)
{
  size_t n = std::min(in.size(), left_);
  body.append(in, 0, n);
  in.erase(0, n);
  left_ -= n;
  if (left_ == 0)
    state_ = then;
  return found::more;
}

http_reader::found http_reader::take_crlf(std::string &in, state then)
{
  if (in.size() < 2)
    return found::more;
  if (!in.starts_with("\r\n"))
    return wrong("no line end where one must be");
  in.erase(0, 2);
  state_ = then;
  return found::more;
}

} // namespace sim
