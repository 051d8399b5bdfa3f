#include "world.hpp"

#include "io/loop.h"
#include "ws/conn.h"

#include <algorithm>
#include <cerrno>
#include <utility>

namespace sim
{

unsigned draw_rate(dice &roll, unsigned most)
{
  return roll.chance(500) ? static_cast<unsigned>(roll.below(most)) : 0;
}

static fault_rates draw_faults(dice &roll, trouble kinds)
{
  fault_rates r;
  if (kinds.faults) {
    r.short_read = draw_rate(roll, 500);
    r.again_read = draw_rate(roll, 200);
    r.short_send = draw_rate(roll, 400);
    r.again_send = draw_rate(roll, 200);
    r.interrupt = draw_rate(roll, 200);
    r.shuffle = draw_rate(roll, 500);
    r.duplicate = draw_rate(roll, 300);
    r.spurious = draw_rate(roll, 200);
    r.late_reset = draw_rate(roll, 1000);
  }
  r.drip = kinds.drips;
  if (kinds.starved)
    r.accept_error = draw_rate(roll, 300);
  return r;
}

world_options draw_options(dice &roll, trouble kinds)
{
  world_options o;
  o.faults = draw_faults(roll, kinds);
  o.sndbuf = roll.chance(400) ? roll.between(64, 5000) : roll.between(5000, 300000);
  o.rcvbuf = roll.chance(300) ? roll.between(64, 5000) : roll.between(5000, 300000);
  o.route.max_queued_bytes = o.route.max_queued_messages = WEIR_OFF;
  if (kinds.drips) // a large message may take minutes
    o.route.message_timeout_ms = WEIR_OFF;
  return o;
}

world::world(uint64_t its_seed, const world_options &how)
    : k(its_seed), options(how), seed(its_seed)
{
  k.faults = how.faults;
  k.max_files = how.max_files;
  k.rcvbuf = how.rcvbuf;
  k.sndbuf = how.sndbuf;
  if (how.secure)
    seed_tls(its_seed);
  k.would_block = [this] { check_wakeups(); };
}

world::~world()
{
  if (loop != nullptr)
    tear_down();
}

int world::set_up()
{
  int error = weir__loop_new(&loop, k.sys());
  if (error == 0)
    error = serve();
  if (error != 0)
    tear_down();
  return error;
}

int world::serve()
{
  struct weir_options o = options.server;
  static const char *const proxies[] = {"127.0.0.0/8", "unix", nullptr};
  o.size = sizeof o;
  o.trusted_proxies = options.proxied ? proxies : nullptr;
  int error = weir__server_new(&server, &o, k.sys());
  if (error == 0)
    error = add_routes(*this);
  if (error == 0 && more_routes)
    error = more_routes();
  if (error == 0)
    error = listen();
  if (error == 0)
    error = weir_server_attach(server, loop);
  return error;
}

int world::listen()
{
  std::string why;
  struct weir_listen_options where = {};
  where.size = sizeof where;
  where.path = options.local ? SOCKET_PATH : nullptr;
  where.host = options.local ? nullptr : "127.0.0.1";
  where.port = options.local ? 0 : SERVER_PORT;
  where.proxy_protocol = options.proxied;
  where.tls = options.secure ? server_tls(&why) : nullptr;
  if (options.secure && where.tls == nullptr)
    fail("TLS: " + why);
  int error = weir_server_listen_on(server, &where);
  weir_tls_free(where.tls);
  return error;
}

// One that a server gave to a client, to be resumed by another.
SSL_SESSION *world::any_session()
{
  std::vector<SSL_SESSION *> all = {nullptr};
  for (const client &c : clients)
    if (SSL_SESSION *session = c.session())
      all.push_back(session);
  return all[k.roll.below(all.size())];
}

wish world::offered() const
{
  const weir_route_options &r = options.route;
  wish w;
  w.offered = r.compression != WEIR_COMPRESSION_OFF;
  w.takeover = r.compression == WEIR_COMPRESSION_DEDICATED;
  w.drops = r.queue_policy >= WEIR_QUEUE_DROP_OLDEST;
  w.server_bits = r.server_window_bits == 0 ? 15 : static_cast<int>(r.server_window_bits);
  w.client_bits = r.client_window_bits == 0 ? 15 : static_cast<int>(r.client_window_bits);
  w.stingy = options.server.max_compression_bytes != 0 || k.fail_alloc != 0;
  return w;
}

client &world::add_client(client_manners manners)
{
  manners.offered = offered();
  manners.local = options.local;
  manners.proxied = options.proxied;
  client &c = clients.emplace_back(k, static_cast<unsigned>(clients.size()), manners);
  c.older = [this] { return any_session(); };
  c.complain = [this](const std::string &what) { fail(what); };
  c.on_message = [this, &c](const message &m, bool squeezed) { got(c, m, squeezed); };
  return c;
}

// Letters for a text, any bytes for a binary.
void world::fill(message &m, size_t size)
{
  uint64_t noise = 0;
  for (size_t i = 0; m.payload.size() < size; ++i) {
    noise = i % 8 == 0 ? k.roll.next() : noise >> 8;
    m.payload += static_cast<char>(m.opcode == 1 ? 'a' + (noise & 15) : noise);
  }
}

// Takes again what was said before, at many distances, with a little that is new. A text's pieces
// begin and end between characters.
void world::fill_with_words(message &m, size_t size)
{
  auto inside = [this](size_t at) { return at < said_.size() && (said_[at] & 0xC0) == 0x80; };
  while (m.payload.size() < size) {
    size_t room = size - m.payload.size();
    size_t at = said_.empty() ? 0 : k.roll.below(said_.size());
    size_t end = std::min(said_.size(), at + k.roll.below(std::min<size_t>(room, 400) + 1));
    while (inside(at))
      ++at;
    while (end > at && inside(end))
      --end;
    if (end > at && k.roll.chance(900)) {
      m.payload.append(said_, at, end - at);
      continue;
    }
    std::string word;
    for (size_t n = 1 + k.roll.below(20); n > 0 && word.size() < room; --n)
      if (room - word.size() >= 3 && k.roll.chance(50))
        word += "\xEC\x95\x88"; // a Korean syllable
      else
        word += static_cast<char>('a' + k.roll.below(26));
    m.payload += word;
    said_ += word;
  }
  if (said_.size() < 200000)
    said_.append(m.payload, 0, m.opcode == 1 ? m.payload.size() : 0);
}

message world::command(client &from, char verb, char argument, int opcode, size_t size,
                       size_t fragments)
{
  std::vector<message> &all = sent[&from];
  message m{opcode, {verb, argument}};
  m.payload += " " + std::to_string(from.number) + "." + std::to_string(all.size()) + " ";
  if (options.route.compression != WEIR_COMPRESSION_OFF && k.roll.chance(850))
    fill_with_words(m, size);
  else
    fill(m, size);
  all.push_back(m);
  k.note("client %ld sends message %ld of %ld bytes", from.number,
         static_cast<long>(all.size()) - 1, static_cast<long>(m.payload.size()));
  from.send(m, fragments);
  return m;
}

session *world::session_of(const client &c)
{
  for (auto s = sessions.rbegin(); s != sessions.rend(); ++s)
    if (s->peer == &c)
      return &*s;
  return nullptr;
}

void world::fail(const std::string &what)
{
  if (failures.size() < 20)
    failures.push_back(what);
  k.note("FAILED: " + what);
}

std::string world::report() const
{
  std::string all = "seed " + std::to_string(seed) +
                    " failed; WEIR_SIM_SEED=" + std::to_string(seed) + " runs it again\n";
  for (const std::string &f : failures)
    all += "  " + f + "\n";
  return all + "the last events:\n" + k.trace();
}

// A client got a whole message: it must be the next that is due to it.
void world::got(client &c, const message &m, bool squeezed)
{
  auto same = [&m](const message &due) {
    return (due.opcode & ~AS_IT_IS) == m.opcode && due.payload == m.payload;
  };
  session *s = session_of(c);
  if (s == nullptr)
    return fail("client " + std::to_string(c.number) + " got a message before on_open");
  auto later = std::find_if(s->due.begin(), s->due.end(), same);
  if (options.route.queue_policy == WEIR_QUEUE_KEEP_LATEST && later != s->due.end())
    std::rotate(s->due.begin(), later, later + 1); // it took the place of an earlier one
  while (options.lossy && !s->due.empty() && !same(s->due.front()))
    s->due.pop_front();
  if (s->due.empty() || !same(s->due.front()))
    return fail("client " + std::to_string(c.number) +
                " got what was not due: " + m.payload.substr(0, 40));
  if (squeezed && (s->due.front().opcode & AS_IT_IS) != 0)
    fail("client " + std::to_string(c.number) + " got compressed what was to be sent as it is");
  if (squeezed && m.payload.size() < threshold())
    fail("client " + std::to_string(c.number) + " got compressed what is under the threshold");
  s->due.pop_front();
}

size_t world::threshold() const
{
  size_t t = options.route.compression_threshold;
  return t == 0 ? 1024 : t;
}

bool world::settled(client &c)
{
  session *s = session_of(c);
  if (c.ended)
    return true;
  if (!c.idle() || s == nullptr || !(s->closed || s->taken == sent[&c].size()))
    return false;
  if (!options.lossy)
    return s->due.empty();
  return c.socket->peer_pending() == 0 && (s->closed || weir_conn_buffered(s->conn).bytes == 0);
}

bool world::all_over()
{
  for (client &c : clients)
    if (!c.ended)
      return false;
  for (session &s : sessions)
    if (!s.closed)
      return false;
  return true;
}

// The end of a session against what its client did.
void world::check_closed(session &s)
{
  if (s.peer == nullptr || s.closing || options.lossy || server == nullptr || stopped)
    return;
  int expected = s.peer->offence != 0      ? s.peer->offence
                 : s.peer->close_sent != 0 ? s.peer->close_sent
                                           : 1006;
  bool cut = s.peer->broke_off && s.close_code == 1006;
  if (s.close_code != expected && !cut && s.close_code != 1001)
    fail("on_close(" + std::to_string(s.close_code) + ") where " + std::to_string(expected) +
         " was due");
}

// The loop is about to sleep: is there anything that it was told of and left?
void world::check_wakeups()
{
  notice_closing();
  k.each_socket([&](tcp_socket &socket) {
    session *s = nullptr;
    for (session &candidate : sessions)
      if (candidate.peer != nullptr && candidate.peer->socket.get() == &socket)
        s = &candidate;
    bool leaving =
        socket.ended_by_server() || (s != nullptr && (s->paused || s->closing || s->closed));
    if (leaving || (may_wait && may_wait(socket)))
      return;
    if (socket.owes_read())
      fail("a wake-up was lost: the loop sleeps on unread bytes: " + socket.describe());
    if (s != nullptr && s->begun.payload.empty() && weir_conn_buffered(s->conn).bytes != 0 &&
        socket.may_send())
      fail("a wake-up was lost: the loop sleeps on unsent bytes: " + socket.describe());
  });
}

std::string world::who_waits() const
{
  std::string all;
  for (const client &c : clients)
    if (!c.ended)
      all += "  " + c.describe() + "\n";
  for (const session &s : sessions)
    if (!s.closed)
      all += "  session of client " +
             (s.peer == nullptr ? std::string("?") : std::to_string(s.peer->number)) + ": " +
             std::to_string(s.taken) + " messages taken, " + std::to_string(s.due.size()) + " due" +
             (s.paused ? ", paused" : "") + (s.closing ? ", closing" : "") + "\n";
  return all + k.describe_files();
}

void world::step()
{
  uint64_t timeout_ms = options.patience_ms / 4;
  if (options.foreign)
    k.sleep_on(weir_loop_fd(loop), timeout_ms * NS_PER_MS);
  int result = weir_loop_step(loop, options.foreign ? 0 : static_cast<int>(timeout_ms));
  if (result < 0)
    fail("weir_loop_step returned " + std::string(weir_strerror(result)));
  for (const std::string &b : k.blames)
    fail(b);
  k.blames.clear();
}

void world::run_until(const std::function<bool()> &done)
{
  uint64_t progressed = k.progressed(), since = k.now_ms();
  k.signal = done;
  while (failures.empty() && !done()) {
    step();
    uint64_t now = k.now_ms();
    if (k.progressed() != progressed) {
      progressed = k.progressed();
      since = now;
    } else if (now - since > options.patience_ms) {
      return fail("stuck, a wake-up was lost: nothing has happened for " +
                  std::to_string(now - since) + " ms\n" + who_waits());
    }
  }
}

void world::run_for(uint64_t ms)
{
  uint64_t end = k.now() + ms * NS_PER_MS;
  k.at(end, [] {});
  k.signal = [this, end] { return k.now() >= end; };
  while (failures.empty() && k.now() < end)
    step();
}

void world::stop()
{
  k.note("weir_server_stop");
  stopped = true;
  for (client &c : clients)
    c.manners.tries_again = false;
  weir_server_stop(server);
}

void world::drain(uint64_t deadline_ms)
{
  if (stopped || drained_by != 0)
    return;
  k.note("weir_server_drain(%ld)", static_cast<long>(deadline_ms));
  drained_by = k.now() + deadline_ms * NS_PER_MS;
  k.at(drained_by, [this] { stopped = true; });
  for (client &c : clients)
    c.manners.tries_again = false;
  if (int error = weir_server_drain(server, deadline_ms); error != 0)
    fail("weir_server_drain returned " + std::string(weir_strerror(error)));
}

// What the server has sent a Close frame without being told gets nothing any more.
void world::notice_closing()
{
  for (session &s : sessions)
    if (drained_by != 0 && s.conn != nullptr && s.conn->state != WEIR__CONN_OPEN)
      s.closing = true;
}

void world::tear_down()
{
  if (server != nullptr)
    weir_server_counters(server, &counters);
  weir_server_free(std::exchange(server, nullptr));
  for (session &s : sessions)
    if (!s.closed)
      fail("on_close did not come");
  if (when_freed)
    when_freed();
  weir_loop_free(loop);
  loop = nullptr;
  for (client &c : clients)
    if (c.socket != nullptr)
      c.socket->on_traffic = nullptr;
  if (k.open_files() != 0)
    fail("descriptors are left open:\n" + k.describe_files());
  if (k.socket_files() != 0)
    fail("the unix socket's file is left");
  if (k.blocks() != 0)
    fail(std::to_string(k.blocks()) + " blocks of " + std::to_string(k.heap_bytes()) +
         " bytes are left");
}

} // namespace sim
