#include "http_exchange.hpp"

#include <algorithm>
#include <cstdio>

namespace sim
{

namespace
{

constexpr size_t SMALL_BYTES = 1000; // what the small routes take; see http_app.cpp

std::string words(size_t size, dice &roll)
{
  std::string all;
  uint64_t noise = 0;
  for (size_t i = 0; i < size; ++i) {
    noise = i % 8 == 0 ? roll.next() : noise >> 8;
    all += static_cast<char>('a' + (noise & 15));
  }
  return all;
}

size_t size_of_body(dice &roll, const http_flavour &f)
{
  if (f.drips)
    return roll.below(roll.chance(100) ? 2000 : 100);
  switch (roll.below(16)) {
  case 0:
    return 0;
  case 1:
    return roll.between(1, 16);
  case 2:
  case 3:
    return roll.below(20000);
  case 4:
    return roll.below(roll.chance(300) ? 200000 : 90000);
  default:
    return roll.below(400);
  }
}

void draw_body(exchange &e, dice &roll, const http_flavour &f)
{
  if (e.method == "GET" || e.method == "HEAD")
    return;
  e.frames = e.old || roll.chance(500) ? framing::counted : framing::chunked;
  e.body = words(size_of_body(roll, f), roll);
  if (e.body.empty() && roll.chance(300))
    e.frames = framing::none;
  e.expects = e.has_body() && !e.old && roll.chance(200);
}

// It is refused by the library, whatever the application would say.
void doom(exchange &e, dice &roll)
{
  switch (roll.below(8)) {
  case 0:
    e.path = "/none";
    e.fate = 404;
    return;
  case 1:
    e.method = "PUT";
    e.path = "/all";
    e.fate = 405;
    return;
  case 2:
    e.path = "/whole"; // which speaks WebSocket alone
    e.fate = e.method == "GET" || e.method == "HEAD" ? 426 : 405;
    return;
  case 3:
    e.hostless = !e.old;
    e.fate = e.old ? 0 : 400;
    return;
  case 4:
    e.awaits = "something";
    e.expects = false;
    e.fate = e.old ? 0 : 417;
    return;
  case 5:
    e.method = "POST";
    e.path = roll.chance(500) ? "/all" : "/bits";
    e.body = words(roll.between(1, 3000), roll);
    e.frames = framing::chunked;
    e.old = false;
    e.misspelt = true;
    e.fate = 400;
    e.asked_yet = e.in_pieces();
    return;
  default:
    e.method = "POST";
    e.path = roll.chance(500) ? "/small" : "/narrow";
    e.body = words(SMALL_BYTES + roll.between(1, 3000), roll);
    e.frames = e.old || roll.chance(500) ? framing::counted : framing::chunked;
    e.fate = 413;
    e.asked_yet = e.in_pieces() && e.frames == framing::chunked;
  }
}

void draw_reply(exchange &e, dice &roll, const http_flavour &f)
{
  static const int statuses[] = {200, 200, 200, 200, 200, 200, 201, 204, 304, 404, 410, 500, 503};
  e.status = statuses[roll.below(std::size(statuses))];
  if (roll.chance(800)) {
    e.type = roll.chance(500) ? "text/html; charset=utf-8" : "application/octet-stream";
    e.reply = words(size_of_body(roll, f), roll);
  }
  if (roll.chance(200))
    e.extra = words(1 + roll.below(roll.chance(200) ? 5000 : 200), roll);
}

void draw_stream(exchange &e, dice &roll, const http_flavour &f)
{
  size_t size = size_of_body(roll, f);
  if (f.slow && roll.chance(300))
    size += roll.below(300000);
  e.reply = words(size, roll);
  e.announced = roll.chance(500);
  if (f.breaks && e.announced && size > 0 && roll.chance(80))
    e.withheld = roll.between(1, size);
  e.piece = roll.between(1 + size / 60, 1 + size);
  e.pause_ms = roll.chance(700) ? 0 : roll.below(roll.chance(200) ? 60 : 5);
}

void draw_delay(exchange &e, dice &roll, const http_flavour &f, uint64_t timeout_ms)
{
  e.delay_ms = roll.below(roll.chance(200) ? 80 : 8);
  if (f.deadlines && roll.chance(150))
    e.delay_ms = roll.between(timeout_ms / 2, timeout_ms * 2);
}

void draw_way(exchange &e, dice &roll, const http_flavour &f)
{
  static const way usual[] = {way::value, way::value, way::value,  way::inside, way::timer,
                              way::timer, way::other, way::stream, way::stream};
  e.how = usual[roll.below(std::size(usual))];
  if (roll.chance(f.deadlines ? 80 : 8))
    e.how = way::never;
  if (f.breaks && roll.chance(20))
    e.how = roll.chance(500) ? way::nonsense : way::promise;
  e.keeps = roll.chance(200);
  e.again = roll.chance(300);
}

// What a client is slow with.
void dawdle(exchange &e, dice &roll, const http_flavour &f)
{
  if (f.deadlines && roll.chance(60))
    e.dawdles_ms = roll.between(10, 1500);
}

std::string chunked(const std::string &body, dice &roll)
{
  std::string all;
  char size[32];
  for (size_t at = 0; at < body.size();) {
    size_t n = std::min(body.size() - at, 1 + roll.below(roll.chance(500) ? 40 : 20000));
    const char *format = roll.chance(700) ? "%zx" : roll.chance(500) ? "%zX" : "000%zx";
    std::snprintf(size, sizeof size, format, n);
    all += size;
    all += roll.chance(100) ? ";a=\"b\"\r\n" : "\r\n";
    all.append(body, at, n);
    all += "\r\n";
    at += n;
  }
  return all + (roll.chance(100) ? "0\r\nX-Trailer: 1\r\n\r\n" : "0\r\n\r\n");
}

// The same, but for one of its line ends.
std::string misspell(std::string text, dice &roll)
{
  size_t at = 0;
  for (size_t n = 1 + roll.below(4); n > 0; --n)
    if (size_t next = text.find("\r\n", at + 1); next != std::string::npos)
      at = next;
  text[at] = 'x';
  text[at + 1] = '\n';
  return text;
}

} // namespace

void draw(exchange &e, dice &roll, const http_flavour &f, uint64_t response_timeout_ms)
{
  static const char *const paths[] = {"/all", "/all", "/all", "/bits", "/bits", "/chat"};
  e.path = paths[roll.below(std::size(paths))];
  e.method = roll.chance(150) ? "HEAD" : e.path == "/chat" || roll.chance(450) ? "GET" : "POST";
  if (e.path == "/bits" && e.method == "POST" && roll.chance(300))
    e.method = "PUT";
  e.old = roll.chance(100);
  e.closes = e.old ? roll.chance(500) : roll.chance(30);
  draw_body(e, roll, f);
  draw_way(e, roll, f);
  draw_reply(e, roll, f);
  draw_delay(e, roll, f, response_timeout_ms);
  if (e.how == way::stream)
    draw_stream(e, roll, f);
  if (e.how == way::nonsense) {
    static const int values[] = {1000, 199, 600, 100, -300, -399, -600, -404, -503, -1};
    e.returned = values[roll.below(std::size(values))];
  }
  if (f.breaks && roll.chance(50))
    doom(e, roll);
  if (e.in_pieces() && e.has_body() && e.how < way::timer && roll.chance(700))
    e.how = way::timer;
  e.awaits_body = e.in_pieces() && roll.chance(800);
  e.whole = !e.has_body();
  dawdle(e, roll, f);
}

void draw_upgrade(exchange &e, dice &roll, const http_flavour &f, uint64_t handshake_timeout_ms)
{
  e.upgrade = true;
  e.path = roll.chance(850) ? "/chat" : roll.chance(500) ? "/whole" : "/closed";
  e.fate = e.path == "/whole" ? 101 : e.path == "/closed" ? 403 : 0;
  e.whole = true;
  draw_way(e, roll, f);
  draw_delay(e, roll, f, handshake_timeout_ms);
  if (e.how == way::stream)
    e.how = way::timer;
  e.accepts = roll.chance(700);
  e.status = e.accepts ? 101 : roll.chance(500) ? 403 : 503;
  e.returned = e.how == way::nonsense ? (roll.chance(500) ? 7 : -399) : e.accepts ? 0 : -e.status;
  if (e.fate == 0 && roll.chance(400))
    e.protocol = roll.chance(500) ? "chat" : "news";
  if (roll.chance(300)) {
    e.type = "text/plain";
    e.reply = words(roll.between(1, 300), roll);
  }
  dawdle(e, roll, f);
}

std::string head_of(const exchange &e, dice &roll)
{
  std::string head = e.number > 0 && roll.chance(50) ? "\r\n" : "";
  head += e.method + " " + e.target() + (e.old ? " HTTP/1.0\r\n" : " HTTP/1.1\r\n");
  if (!e.hostless && !(e.old && roll.chance(500)))
    head += "Host: sim\r\n";
  head += "X-Exchange: " + e.id() + "\r\n";
  if (e.closes && !e.old)
    head += "Connection: close\r\n";
  if (!e.closes && e.old)
    head += "Connection: keep-alive\r\n";
  if (e.frames == framing::counted)
    head += "Content-Length: " + std::to_string(e.body.size()) + "\r\n";
  if (e.frames == framing::chunked)
    head += "Transfer-Encoding: chunked\r\n";
  if (e.expects && e.awaits.empty())
    head += "Expect: 100-continue\r\n";
  if (!e.awaits.empty())
    head += "Expect: " + e.awaits + "\r\n";
  if (e.upgrade)
    head += "Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
            "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n";
  if (!e.protocol.empty())
    head += "Sec-WebSocket-Protocol: chat, news\r\n";
  if (roll.chance(100))
    head += "X-Pad: " + words(roll.between(1, 3000), roll) + "\r\n";
  return head + "\r\n";
}

std::string body_of(const exchange &e, dice &roll)
{
  if (e.frames == framing::none)
    return "";
  if (e.frames == framing::counted)
    return e.body;
  std::string bytes = chunked(e.body, roll);
  return e.misspelt ? misspell(bytes, roll) : bytes;
}

} // namespace sim
