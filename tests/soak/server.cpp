#include "server.hpp"

#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <malloc.h>
#include <sstream>
#include <stdexcept>
#include <sys/wait.h>
#include <unistd.h>
#include <weir/weir.h>

namespace soak
{

namespace
{

struct weir_server *running;

void check(int error, const char *what)
{
  if (error == 0)
    return;
  std::fprintf(stderr, "soak: %s: %s\n", what, weir_strerror(error));
  std::_Exit(2);
}

uint64_t descriptors()
{
  auto all = std::filesystem::directory_iterator("/proc/self/fd");
  return static_cast<uint64_t>(std::distance(begin(all), end(all)));
}

uint64_t resident()
{
  unsigned long total = 0, pages = 0;
  FILE *file = std::fopen("/proc/self/statm", "r");
  if (file == nullptr || std::fscanf(file, "%lu %lu", &total, &pages) != 2)
    pages = 0;
  if (file != nullptr)
    std::fclose(file);
  return pages * static_cast<uint64_t>(sysconf(_SC_PAGESIZE));
}

int answer_state(struct weir_request *request, void *)
{
  struct weir_counters c;
  weir_server_counters(running, &c);
  struct mallinfo2 heap = mallinfo2();
  state s{.open = c.opened - c.closed,
          .descriptors = descriptors(),
          .memory = c.memory_bytes,
          .compression = c.compression_bytes,
          .heap = heap.uordblks + heap.hblkhd,
          .resident = resident(),
          .accepted = c.accepted,
          .messages = c.messages_received,
          .inflated = c.messages_inflated,
          .twins = c.twins_compressed,
          .dropped = c.dropped,
          .failed = c.failed};
  std::string text = to_text(s);
  return weir_request_respond_body(request, "text/plain", text.data(), text.size());
}

// To all, to the sender by copy, or to the sender as it came.
void on_message(struct weir_conn *conn, const struct weir_message *m, void *)
{
  const char *data = static_cast<const char *>(m->data);
  char verb = m->len == 0 ? 'e' : data[0];
  auto opcode = static_cast<enum weir_opcode>(m->opcode);
  if (verb == 'b') {
    struct weir_frame *frame;
    if (weir_frame_new(&frame, opcode, data, m->len) != 0)
      return;
    weir_server_broadcast(running, frame, 0);
    weir_frame_unref(frame);
  } else if (verb == 'c') {
    weir_conn_send(conn, opcode, data, m->len);
  } else {
    weir_conn_send_message(conn, m);
  }
}

void add_route(const char *path, size_t queued, size_t policy)
{
  struct weir_route route = {};
  route.size = sizeof route;
  route.options.size = sizeof route.options;
  route.options.compression = WEIR_COMPRESSION_DEDICATED;
  route.options.compression_threshold = 200;
  route.options.ping_interval_ms = 3000;
  route.options.pong_timeout_ms = 3000;
  route.options.max_queued_bytes = queued;
  route.options.max_queued_messages = WEIR_OFF;
  route.options.queue_policy = policy;
  route.handlers.on_message = on_message;
  check(weir_server_route(running, path, &route, nullptr), "route");
}

[[noreturn]] void serve(const support::localhost &files, int tell)
{
  struct weir_tls_options wanted = {};
  struct weir_tls_error error;
  struct weir_tls *tls;
  wanted.size = sizeof wanted;
  wanted.identity = {files.certificate.c_str(), files.key.c_str()};
  check(weir_tls_new(&tls, &wanted, &error), "certificates");
  check(weir_server_new(&running, nullptr), "server");
  add_route("/whole", WEIR_OFF, WEIR_QUEUE_CLOSE);
  add_route("/close", 64 << 10, WEIR_QUEUE_CLOSE);
  add_route("/drop", 64 << 10, WEIR_QUEUE_DROP_NEWEST);
  check(weir_server_get(running, "/state", answer_state, nullptr), "state");
  check(weir_server_listen_tls(running, tls, "127.0.0.1", 0), "listen");
  weir_tls_free(tls);
  std::signal(SIGTERM, [](int) { weir_server_stop(running); });
  uint16_t port = weir_server_port(running);
  if (write(tell, &port, sizeof port) != sizeof port)
    std::_Exit(2);
  close(tell);
  check(weir_server_run(running), "run");
  weir_server_free(running);
  std::_Exit(0);
}

} // namespace

std::string to_text(const state &s)
{
  std::ostringstream out;
  out << s.open << ' ' << s.descriptors << ' ' << s.memory << ' ' << s.compression << ' ' << s.heap
      << ' ' << s.resident << ' ' << s.accepted << ' ' << s.messages << ' ' << s.inflated << ' '
      << s.twins << ' ' << s.dropped << ' ' << s.failed;
  return out.str();
}

state state_of(const std::string &text)
{
  state s;
  std::istringstream in(text);
  in >> s.open >> s.descriptors >> s.memory >> s.compression >> s.heap >> s.resident >>
      s.accepted >> s.messages >> s.inflated >> s.twins >> s.dropped >> s.failed;
  if (in.fail())
    throw std::runtime_error("GET /state: " + text);
  return s;
}

child start(const support::localhost &files)
{
  int ends[2];
  uint16_t port = 0;
  if (pipe(ends) != 0)
    throw std::runtime_error("pipe");
  pid_t pid = fork();
  if (pid == 0) {
    close(ends[0]);
    serve(files, ends[1]);
  }
  close(ends[1]);
  bool told = pid > 0 && read(ends[0], &port, sizeof port) == sizeof port;
  close(ends[0]);
  if (!told)
    throw std::runtime_error("the server did not start");
  return {pid, port};
}

bool stop(const child &server)
{
  int status = 0;
  kill(server.pid, SIGTERM);
  return waitpid(server.pid, &status, 0) == server.pid && WIFEXITED(status) &&
         WEXITSTATUS(status) == 0;
}

} // namespace soak
