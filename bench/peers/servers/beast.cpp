// Boost.Beast, asynchronous on one thread: PORT MODE CERT KEY DEFLATE. A stream allows one write at
// a time, so what is broadcast waits in a queue of each session, shared by all; an echo needs none.
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/ssl.hpp>
#include <boost/beast/core.hpp>
#include <boost/beast/websocket.hpp>
#include <boost/beast/websocket/ssl.hpp>

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

struct Receiver {
  virtual ~Receiver() = default;
  virtual void send(std::shared_ptr<const Message> message) = 0;
};

Mode mode;
websocket::permessage_deflate deflate;
std::unordered_set<Receiver *> receivers;

// Next: a socket, or TLS over one.
template <class Next>
class Session : public Receiver, public std::enable_shared_from_this<Session<Next>>
{
public:
  template <class... Arguments>
  explicit Session(Arguments &&...arguments) : stream(std::forward<Arguments>(arguments)...)
  {
  }
  ~Session() override
  {
    receivers.erase(this);
  }

  void run()
  {
    if constexpr (std::is_same_v<Next, tcp::socket>)
      request_it();
    else
      stream.next_layer().async_handshake(net::ssl::stream_base::server,
                                          [self = mine()](beast::error_code error) {
                                            if (!error)
                                              self->request_it();
                                          });
  }

  void send(std::shared_ptr<const Message> message) override
  {
    queue.push_back(std::move(message));
    if (queue.size() == 1)
      write();
  }

private:
  std::shared_ptr<Session> mine()
  {
    return this->shared_from_this();
  }

  void request_it()
  {
    http::async_read(stream.next_layer(), buffer, request,
                     [self = mine()](beast::error_code error, std::size_t) {
                       if (!error)
                         self->accept();
                     });
  }

  void accept()
  {
    broadcasts = mode == Mode::bystander ? request.target() == "/all" : mode != Mode::echo;
    stream.read_message_max(64 << 20);
    stream.auto_fragment(false);
    stream.set_option(deflate);
    stream.async_accept(request, [self = mine()](beast::error_code error) {
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
    stream.async_read(buffer, [self = mine()](beast::error_code error, std::size_t) {
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
    stream.async_write(buffer.data(), [self = mine()](beast::error_code error, std::size_t) {
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
    for (Receiver *to : receivers) {
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
                       [self = mine()](beast::error_code error, std::size_t) {
                         if (error)
                           return;
                         self->queue.pop_front();
                         if (!self->queue.empty())
                           self->write();
                       });
  }

  websocket::stream<Next> stream;
  beast::flat_buffer buffer;
  http::request<http::empty_body> request;
  std::deque<std::shared_ptr<const Message>> queue;
  bool broadcasts = false;
};

void accept_next(tcp::acceptor &acceptor, net::ssl::context *secure)
{
  acceptor.async_accept([&acceptor, secure](beast::error_code error, tcp::socket socket) {
    if (!error && secure != nullptr)
      std::make_shared<Session<net::ssl::stream<tcp::socket>>>(std::move(socket), *secure)->run();
    else if (!error)
      std::make_shared<Session<tcp::socket>>(std::move(socket))->run();
    accept_next(acceptor, secure);
  });
}

void configure(std::string_view how)
{
  deflate.server_enable = how != "off";
  deflate.compLevel = 1;
  deflate.server_no_context_takeover = how == "shared";
  deflate.client_no_context_takeover = how == "shared";
}

} // namespace

int main(int argc, char **argv)
{
  constexpr std::string_view names[] = {"echo", "all", "others", "loop", "bystander"};
  const std::string_view *chosen =
      std::find(std::begin(names), std::end(names), argv[argc > 2 ? 2 : 0]);
  if (argc != 6 || chosen == std::end(names)) {
    std::fputs("usage: beast PORT MODE CERT KEY DEFLATE\n", stderr);
    return 2;
  }
  configure(argv[5]);
  net::ssl::context secure{net::ssl::context::tls_server};
  const bool is_secure = std::string_view(argv[3]) != "-";
  if (is_secure) {
    secure.use_certificate_chain_file(argv[3]);
    secure.use_private_key_file(argv[4], net::ssl::context::pem);
  }
  mode = static_cast<Mode>(chosen - names);
  net::io_context context{1};
  const tcp::endpoint endpoint{net::ip::address_v4::loopback(),
                               static_cast<unsigned short>(std::atoi(argv[1]))};
  tcp::acceptor acceptor{context, endpoint};
  accept_next(acceptor, is_secure ? &secure : nullptr);
  std::puts("listening");
  std::fflush(stdout);
  context.run();
}
