#include "client.hpp"

#include <algorithm>

namespace sim
{

namespace
{
// The example of RFC 6455 section 1.3.
constexpr const char *KEY = "dGhlIHNhbXBsZSBub25jZQ==";
constexpr const char *ACCEPT = "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=";

uint64_t big_endian(std::string_view bytes)
{
  uint64_t n = 0;
  for (char c : bytes)
    n = n << 8 | static_cast<unsigned char>(c);
  return n;
}
} // namespace

std::string encode_frame(bool fin, int opcode, uint32_t key, std::string_view payload)
{
  std::string frame;
  frame += static_cast<char>((fin ? 0x80 : 0) | opcode);
  size_t n = payload.size();
  size_t width = n < 126 ? 0 : n < 65536 ? 2 : 8;
  frame += static_cast<char>(0x80 | (width == 0 ? n : width == 2 ? 126 : 127));
  for (size_t i = width; i-- > 0;)
    frame += static_cast<char>(n >> (8 * i));
  char mask[4];
  for (int i = 0; i < 4; ++i)
    frame += mask[i] = static_cast<char>(key >> (8 * i));
  for (size_t i = 0; i < n; ++i)
    frame += static_cast<char>(payload[i] ^ mask[i % 4]);
  return frame;
}

namespace
{
// Of either version (haproxy's proxy-protocol.txt, sections 2.1 and 2.2).
std::string proxy_header(uint16_t port, bool binary)
{
  if (!binary)
    return std::string("PROXY TCP4 ") + CLIENT_ADDRESS + " 192.0.2.9 " + std::to_string(port) +
           " 443\r\n";
  std::string out("\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x0C\xC0\0\2\1\xC0\0\2\x09", 24);
  out += static_cast<char>(port >> 8);
  out += static_cast<char>(port);
  return out.append("\1\xBB", 2);
}
} // namespace

client::client(kernel &k, unsigned its_number, client_manners how)
    : number(its_number), manners(how), kernel_(k), whims_(how.whims)
{
}

void client::connect(const std::string &path)
{
  path_ = path;
  ++attempts;
  socket = manners.local ? kernel_.connect(std::string(SOCKET_PATH)) : kernel_.connect(SERVER_PORT);
  if (socket == nullptr)
    return again();
  port = socket->port;
  kernel_.note("client %ld connects from port %ld", number, port);
  socket->on_traffic = [this] { traffic(); };
  out_.clear();
  in_.clear();
  veil_ = nullptr;
  if (manners.proxied)
    push(cargo::data, proxy_header(port, whims_.chance(500)));
  if (manners.veil.on)
    veil_ = std::make_unique<veil>(manners.veil, older ? older() : nullptr, whims_);
  push_due();
  if (!path.empty())
    send_raw("GET " + path +
             " HTTP/1.1\r\nHost: sim\r\nUpgrade: websocket\r\n"
             "Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: " +
             KEY +
             (manners.asked.made ? "\r\nSec-WebSocket-Extensions: " + manners.asked.text() : "") +
             "\r\n\r\n");
}

// Connects again after a while, as what dropped it is the server's shortage.
void client::again()
{
  if (attempts > 200)
    wrong("gave up connecting");
  if (manners.tries_again && attempts <= 200)
    kernel_.after((20 + kernel_.roll.below(60)) * NS_PER_MS, [this] { connect(path_); });
  else
    ended = true;
}

void client::send(const message &m, size_t fragments)
{
  bool squeezed = squeeze != nullptr && whims_.chance(750);
  std::string payload = squeezed ? squeeze->squeeze(m.payload) : m.payload;
  int opcode = m.opcode | (squeezed ? RSV1 : 0);
  size_t at = 0;
  for (size_t i = 0; i + 1 < fragments; ++i) {
    size_t n = kernel_.roll.below(payload.size() - at + 1);
    send_frame(false, i == 0 ? opcode : 0, std::string_view(payload).substr(at, n));
    at += n;
  }
  send_frame(true, fragments > 1 ? 0 : opcode, std::string_view(payload).substr(at));
}

void client::send_frame(bool fin, int opcode, std::string_view payload)
{
  send_raw(encode_frame(fin, opcode, static_cast<uint32_t>(kernel_.roll.next()), payload));
}

void client::send_close(int code, std::string_view reason)
{
  if (close_sent != 0)
    return;
  close_sent = code;
  std::string payload;
  if (code != 1005) {
    payload += static_cast<char>(code >> 8);
    payload += static_cast<char>(code);
    payload += reason;
  }
  send_frame(true, 8, payload);
}

void client::send_raw(std::string_view bytes)
{
  if (veil_ == nullptr)
    return push(cargo::data, bytes);
  veil_->write(bytes);
  push_due();
}

void client::push_due()
{
  std::string due = veil_ == nullptr ? "" : veil_->due();
  if (!due.empty())
    push(cargo::data, due);
}

void client::change_keys()
{
  if (veil_ != nullptr)
    veil_->change_keys();
  push_due();
}

// close_notify, which goes before the end of the direction with all who are polite.
void client::end_veil()
{
  if (veil_ != nullptr && whims_.chance(600))
    veil_->end();
  push_due();
}

// What the server sent under TLS.
void client::lift_veil(std::string_view bytes)
{
  std::string plaintext = veil_->got(bytes);
  push_due();
  if (!veil_->error().empty() && !broke_off)
    wrong("TLS: " + veil_->error());
  feed(plaintext);
}

void client::send_urgent(char byte)
{
  push(cargo::urgent, std::string_view(&byte, 1));
}

void client::send_notify()
{
  broke_off = true;
  veil_->end();
  push_due();
}

void client::send_fin()
{
  broke_off = true;
  end_veil();
  push(cargo::fin, "");
}

void client::send_end()
{
  broke_off = true;
  end_veil();
  push(cargo::end, "");
}

void client::send_reset()
{
  broke_off = true;
  out_.clear();
  kernel_.note("client %ld resets", number);
  if (socket != nullptr && !ended)
    socket->peer_reset();
  finish(false);
}

void client::stall(bool on)
{
  stalled_ = on;
  schedule_reading();
}

void client::push(cargo what, std::string_view bytes)
{
  if (ended)
    return;
  if (what == cargo::data && !out_.empty() && out_.back().what == cargo::data)
    out_.back().bytes += bytes;
  else
    out_.push_back({what, std::string(bytes)});
  schedule_delivery();
}

// The server did something.
void client::traffic()
{
  if (blocked_) {
    blocked_ = false;
    schedule_delivery();
  }
  if (socket->peer_pending() != 0 || socket->peer_sees_end() || socket->peer_was_reset())
    schedule_reading();
}

void client::schedule_delivery()
{
  if (delivering_ || blocked_ || out_.empty() || ended || socket == nullptr)
    return;
  delivering_ = true;
  kernel_.after(kernel_.roll.between(0, manners.packet_gap_ns), [this] {
    delivering_ = false;
    deliver();
    schedule_delivery();
  });
}

// One packet arrives; often what stands behind it arrives at the same time.
void client::deliver()
{
  do {
    if (out_.empty() || ended || socket == nullptr || !deliver_piece(out_.front()))
      return;
    if (!ended)
      out_.pop_front();
  } while (kernel_.roll.chance(600));
}

// Whether the piece is done.
bool client::deliver_piece(piece &p)
{
  switch (p.what) {
  case cargo::data: {
    size_t want = std::min(p.bytes.size() - p.at, 1 + kernel_.roll.below(manners.max_packet));
    size_t n = socket->peer_send(std::string_view(p.bytes).substr(p.at, want));
    p.at += n;
    blocked_ = n == 0;
    if (n != 0)
      kernel_.progress();
    return p.at == p.bytes.size();
  }
  case cargo::urgent:
    if (!socket->has_urgent()) // a second one would turn the first into ordinary data
      socket->peer_urgent(p.bytes[0]);
    return true;
  case cargo::fin:
    kernel_.note("client %ld sends FIN", number);
    socket->peer_fin();
    return true;
  case cargo::end:
    kernel_.note("client %ld closes", number);
    socket->peer_close();
    finish(false);
    return true;
  }
  return true;
}

void client::schedule_reading()
{
  if (reading_ || stalled_ || ended || socket == nullptr)
    return;
  reading_ = true;
  kernel_.after(kernel_.roll.between(0, manners.read_gap_ns), [this] {
    reading_ = false;
    if (!stalled_ && !ended && socket != nullptr)
      read();
  });
}

void client::read()
{
  if (socket->peer_was_reset())
    return finish(true);
  std::string bytes = socket->peer_recv(1 + kernel_.roll.below(manners.max_read));
  if (!bytes.empty()) {
    kernel_.progress();
    veil_ != nullptr ? lift_veil(bytes) : feed(bytes);
  }
  if (ended)
    return;
  if (socket->peer_pending() != 0)
    return schedule_reading();
  if (!socket->peer_sees_end())
    return;
  kernel_.note("client %ld sees the end", number);
  cut_short = veil_ != nullptr && !veil_->ended();
  if (manners.closes_after_end)
    socket->peer_close();
  finish(false);
}

void client::finish(bool by_reset)
{
  if (ended)
    return;
  if (by_reset)
    kernel_.note("client %ld was reset", number);
  bool full = status == 503 || status == 429, refused = in_.empty() || full;
  bool dropped = !upgraded_ && plain.empty() && refused && !broke_off && !path_.empty();
  if (dropped && manners.tries_again) {
    status = 0;
    in_.clear();
    socket->on_traffic = nullptr;
    socket = nullptr;
    port = 0;
    blocked_ = false;
    out_.clear();
    return again();
  }
  ended = true;
  ended_at = kernel_.now();
  was_reset = by_reset;
  plain += upgraded_ ? "" : in_;
  out_.clear();
  kernel_.progress();
  if (on_end)
    on_end();
}

void client::feed(std::string_view bytes)
{
  in_ += bytes;
  if (!upgraded_ && !(speaks ? take_upgrade() : take_response()))
    return;
  while (take_frame()) {
  }
}

// Whether the response is complete and an upgrade.
bool client::take_response()
{
  size_t end = in_.find("\r\n\r\n");
  if (end == std::string::npos)
    return false;
  std::string head = in_.substr(0, end + 2);
  status = head.starts_with("HTTP/1.1 ") ? std::atoi(head.c_str() + 9) : -1;
  if (status != 101)
    return false;
  in_.erase(0, end + 4);
  upgraded_ = true;
  if (head.find(std::string("Sec-WebSocket-Accept: ") + ACCEPT + "\r\n") == std::string::npos)
    wrong("the 101 has no or a wrong Sec-WebSocket-Accept: " + head);
  take_extension(head);
  opened();
  return true;
}

bool client::take_upgrade()
{
  upgraded_ = speaks(in_);
  if (upgraded_)
    opened();
  return upgraded_;
}

void client::opened()
{
  open = true;
  kernel_.note("client %ld is open", number);
  if (on_open)
    on_open();
}

void client::take_extension(const std::string &head)
{
  static const std::string FIELD = "\r\nSec-WebSocket-Extensions: ";
  size_t at = head.find(FIELD);
  std::string answer;
  if (at != std::string::npos)
    answer = head.substr(at + FIELD.size(), head.find("\r\n", at + 2) - at - FIELD.size());
  std::string complaint = read_answer(manners.asked, answer, agreed);
  terms due = expected_of(manners.asked, manners.offered);
  if (manners.offered.stingy && due.client_takeover)
    due.client_takeover = agreed.client_takeover;
  if (complaint.empty() && agreed != due)
    complaint = "other terms than are due";
  if (!complaint.empty())
    wrong("offered " + manners.asked.text() + ", got " + answer + ": " + complaint);
  if (agreed.agreed)
    squeeze = std::make_unique<squeezer>(agreed, whims_);
}

// Takes one frame off what has come; whether there was one.
bool client::take_frame()
{
  if (in_.size() < 2 || ended)
    return false;
  unsigned first = static_cast<unsigned char>(in_[0]), second = static_cast<unsigned char>(in_[1]);
  size_t width = second == 126 ? 2 : second == 127 ? 8 : 0;
  if (in_.size() < 2 + width)
    return false;
  uint64_t len = width == 0 ? second : big_endian(std::string_view(in_).substr(2, width));
  unsigned claimed = squeeze != nullptr && (first & 15) - 1 < 2 ? RSV1 : 0;
  if ((first & 0x70 & ~claimed) != 0 || (second & 0x80) != 0)
    wrong("a frame with reserved bits or masked");
  if ((width == 2 && len < 126) || (width == 8 && len < 65536))
    wrong("a length that is not in its minimal form");
  if (in_.size() < 2 + width + len)
    return false;
  std::string payload = in_.substr(2 + width, len);
  in_.erase(0, 2 + width + len);
  if (close_got != 0)
    wrong("a frame behind the Close frame");
  int opcode = static_cast<int>(first & 15);
  if (opcode >= 8)
    take_control(opcode, payload);
  else
    take_data(first, std::move(payload));
  return true;
}

void client::take_data(unsigned first, std::string payload)
{
  int opcode = static_cast<int>(first & 15);
  if ((opcode == 0) != (partial_.opcode != 0) || opcode > 2)
    wrong("opcode " + std::to_string(opcode) + " out of place");
  if (opcode != 0) {
    partial_ = {opcode, ""};
    partial_squeezed_ = (first & RSV1) != 0;
  }
  partial_.payload += payload;
  if ((first & 0x80) == 0)
    return;
  message whole = std::move(partial_);
  partial_ = {0, ""};
  if (partial_squeezed_) {
    ++expanded;
    std::string squeezed = std::move(whole.payload);
    whole.payload.clear();
    std::string complaint = squeeze->expand(squeezed, whole.payload);
    if (!complaint.empty())
      return wrong("a compressed message: " + complaint);
  }
  if (on_message)
    on_message(whole, partial_squeezed_);
}

void client::take_control(int opcode, const std::string &payload)
{
  if (payload.size() > 125)
    wrong("a control frame over 125 bytes");
  if (opcode == 9) {
    ++pings;
    pinged_at = kernel_.now();
    if (manners.answers_pings && close_sent == 0)
      send_frame(true, 10, payload);
  } else if (opcode == 10) {
    ++pongs;
  } else if (opcode == 8) {
    close_got = payload.empty() ? 1005 : static_cast<int>(big_endian(payload.substr(0, 2)));
    kernel_.note("client %ld gets Close %ld", number, close_got);
    if (payload.size() == 1)
      wrong("a Close frame of one byte");
    if (manners.answers_close)
      send_close(close_got, "");
  } else {
    wrong("opcode " + std::to_string(opcode));
  }
}

void client::wrong(const std::string &what)
{
  if (complain)
    complain("client " + std::to_string(number) + ": " + what);
}

std::string client::describe() const
{
  return "client " + std::to_string(number) + " (port " + std::to_string(port) + "): " +
         (ended  ? "ended"
          : open ? "open"
                 : "connecting") +
         (stalled_ ? ", stalled" : "") + (blocked_ ? ", waits for the server's window" : "") +
         (out_.empty() ? "" : ", has more to send") +
         (close_sent != 0 ? ", sent Close " + std::to_string(close_sent) : "") +
         (close_got != 0 ? ", got Close " + std::to_string(close_got) : "");
}

} // namespace sim
