#include "guest.hpp"

#include <sstream>
#include <stdexcept>

namespace soak
{

namespace
{
constexpr unsigned RSV1 = 0x40;

void need(bool good, const std::string &what)
{
  if (!good)
    throw std::runtime_error(what);
}

support::tls_peer_options resuming(SSL_SESSION *session)
{
  support::tls_peer_options options;
  options.session = session;
  return options;
}
} // namespace

std::string message(char verb, uint64_t number, size_t size)
{
  static const char *const words[] = {"weir ",         "river ",      "dam ",    "flow ",
                                      "\xEC\x95\x88 ", "gate ",       "sluice ", "current ",
                                      "bank ",         "0123456789 ", "level ",  "spill "};
  sim::dice roll(number);
  std::string all = verb + (" " + std::to_string(number)) + " " + std::to_string(size) + " ";
  size_t begins = all.size();
  while (verb == 'n' && all.size() < begins + size)
    all += static_cast<char>('!' + roll.below(90));
  while (all.size() < begins + size)
    all += words[roll.below(std::size(words))];
  return all;
}

bool is_message(const std::string &payload)
{
  char verb = 0;
  uint64_t number = 0;
  size_t size = 0;
  std::istringstream in(payload.substr(0, 60));
  in >> verb >> number >> size;
  return !in.fail() && payload == message(verb, number, size);
}

guest::guest(uint16_t port, const char *path, bool lossy, SSL_SESSION *resumed)
    : lossy_(lossy), peer_(port, "127.0.0.1", lossy ? 4096 : 0)
{
  peer_.secure(resuming(resumed));
  peer_.send(support::upgrade_request(
      path, "Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits\r\n"));
}

void guest::step()
{
  peer_.pump();
  need(!peer_.tls()->failed(), "TLS failed: " + peer_.tls()->error());
  if (!open_) {
    auto response = peer_.take_response(false);
    if (!response)
      return;
    need(response->status == 101, "no upgrade: " + response->head);
    need(response->field("Sec-WebSocket-Extensions").find("permessage-deflate") == 0,
         "compression is not agreed: " + response->head);
    open_ = true;
  }
  while (auto frame = peer_.take())
    take(*frame);
}

void guest::take(const support::frame &frame)
{
  if (frame.opcode() == support::ping)
    return peer_.send(support::masked(support::fin | support::pong, frame.payload));
  if (frame.opcode() == support::closing) {
    int code = frame.code();
    need(closing_ || code == 1008, "Close " + std::to_string(code) + " " + frame.reason());
    due_.clear();
    return;
  }
  need(frame.opcode() == support::text && frame.last(), "not a text message in one frame");
  std::string payload = frame.payload;
  if ((frame.first & RSV1) != 0) {
    auto inflated = inflater_.message(frame.payload);
    need(inflated.has_value(), "a compressed message cannot be inflated");
    payload = *inflated;
  }
  ++heard;
  need(is_message(payload), "a message came changed: " + payload.substr(0, 40));
  if (payload[0] == 'b')
    return;
  while (lossy_ && !due_.empty() && due_.front() != payload)
    due_.pop_front();
  need(!due_.empty() && due_.front() == payload,
       "an echo is missing or came out of order: " + payload.substr(0, 40));
  due_.pop_front();
}

std::string guest::frame_of(const std::string &text)
{
  return support::masked(support::fin | RSV1 | support::text, deflater_.message(text));
}

void guest::say(const std::string &text)
{
  peer_.send(frame_of(text));
  if (text[0] != 'b')
    due_.push_back(text);
}

void guest::say_half(const std::string &text)
{
  std::string frame = frame_of(text);
  peer_.send(frame.substr(0, frame.size() / 2));
}

void guest::close()
{
  closing_ = true;
  peer_.send(support::masked(support::fin | support::closing, support::close_payload(1000)));
}

} // namespace soak
