// Boost.Beast, asynchronous on one thread: PORT MODE. A stream allows one write at a time, so what
// is broadcast waits in a queue of each session, shared by all; an echo needs none.
#include <boost/asio/ip/tcp.hpp>
#include <boost/beast/core.hpp>
#include <boost/beast/websocket.hpp>

#include <cstdio>
#include <cstdlib>
#include <deque>
#include <memory>
#include <string>
#include <string_view>
#include <unordered_set>

namespace beast = boost::beast;
namespace http = beast::http;
namespace net = boost::asio;
namespace websocket = beast::websocket;
using net::ip::tcp;

namespace
{

enum class Mode { echo, all, others, loop, bystander };

struct Message {
  std::string bytes;
  bool text;
};

class Session;
Mode mode;
std::unordered_set<Session *> receivers;

class Session : public std::enable_shared_from_this<Session>
{
public:
  explicit Session(tcp::socket socket) : stream(std::move(socket)) {}
  ~Session()
  {
    receivers.erase(this);
  }

  void run()
  {
    http::async_read(stream.next_layer(), buffer, request,
                     [self = shared_from_this()](beast::error_code error, std::size_t) {
                       if (!error)
                         self->accept();
                     });
  }

  void send(std::shared_ptr<const Message> message)
  {
    queue.push_back(std::move(message));
    if (queue.size() == 1)
      write();
  }

private:
  void accept()
  {
    broadcasts = mode == Mode::bystander ? request.target() == "/all" : mode != Mode::echo;
    stream.read_message_max(64 << 20);
    stream.auto_fragment(false);
    stream.async_accept(request, [self = shared_from_this()](beast::error_code error) {
      if (error)
        return;
      if (self->broadcasts)
        receivers.insert(self.get());
      self->request = {};
      self->read();
    });
  }

  void read()
  {
    stream.async_read(buffer, [self = shared_from_this()](beast::error_code error, std::size_t) {
      if (error)
        receivers.erase(self.get());
      else if (self->broadcasts)
        self->broadcast();
      else
        self->echo();
    });
  }

  void echo()
  {
    stream.text(stream.got_text());
    stream.async_write(buffer.data(),
                       [self = shared_from_this()](beast::error_code error, std::size_t) {
                         if (error)
                           return;
                         self->buffer.clear();
                         self->read();
                       });
  }

  void broadcast()
  {
    auto message = std::make_shared<const Message>(
        Message{beast::buffers_to_string(buffer.data()), stream.got_text()});
    buffer.clear();
    for (Session *to : receivers) {
      if (mode == Mode::loop)
        to->send(std::make_shared<const Message>(*message));
      else if (mode != Mode::others || to != this)
        to->send(message);
    }
    read();
  }

  void write()
  {
    stream.text(queue.front()->text);
    stream.async_write(net::buffer(queue.front()->bytes),
                       [self = shared_from_this()](beast::error_code error, std::size_t) {
                         if (error)
                           return;
                         self->queue.pop_front();
                         if (!self->queue.empty())
                           self->write();
                       });
  }

  websocket::stream<tcp::socket> stream;
  beast::flat_buffer buffer;
  http::request<http::empty_body> request;
  std::deque<std::shared_ptr<const Message>> queue;
  bool broadcasts = false;
};

void accept_next(tcp::acceptor &acceptor)
{
  acceptor.async_accept([&acceptor](beast::error_code error, tcp::socket socket) {
    if (!error)
      std::make_shared<Session>(std::move(socket))->run();
    accept_next(acceptor);
  });
}

} // namespace

int main(int argc, char **argv)
{
  constexpr std::string_view names[] = {"echo", "all", "others", "loop", "bystander"};
  const std::string_view *chosen = std::find(std::begin(names), std::end(names), argv[argc - 1]);
  if (argc != 3 || chosen == std::end(names)) {
    std::fputs("usage: beast PORT MODE\n", stderr);
    return 2;
  }
  mode = static_cast<Mode>(chosen - names);
  net::io_context context{1};
  const tcp::endpoint endpoint{net::ip::address_v4::loopback(),
                               static_cast<unsigned short>(std::atoi(argv[1]))};
  tcp::acceptor acceptor{context, endpoint};
  accept_next(acceptor);
  std::puts("listening");
  std::fflush(stdout);
  context.run();
}
