#include "http_client.hpp"

#include "http_world.hpp"

#include <algorithm>
#include <ctime>

namespace sim
{

namespace
{

constexpr uint64_t NS_PER_S = 1000 * NS_PER_MS;
constexpr const char *ACCEPT = "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="; // RFC 6455 section 1.3
constexpr const char *SENTENCE = "text/plain; charset=utf-8";

// The kernel's wall clock.
time_t wall(uint64_t ns)
{
  return static_cast<time_t>(1700000000 + ns / NS_PER_S);
}

} // namespace

http_client::http_client(http_world &w, client &its_client) : c(its_client), w_(w)
{
  c.speaks = [this](std::string &in) { return speak(in); };
  c.on_end = [this] { ended(); };
}

void http_client::wrong(const std::string &what)
{
  w_.fail("client " + std::to_string(c.number) + ": " + what);
}

void http_client::add(exchange *e, std::string bytes, bool when_continued, uint64_t pause_ms)
{
  sent_ += bytes.size();
  script_.push_back({e, std::move(bytes), when_continued, pause_ms});
}

void http_client::send(exchange &e, dice &roll, bool bold)
{
  all.push_back(&e);
  due_.push_back(&e);
  std::string head = head_of(e, roll), body = body_of(e, roll);
  if (e.expects && !bold) {
    add(&e, head, false, 0);
    add(&e, body, true, e.dawdles_ms);
  } else if (e.dawdles_ms > 0) {
    head += body;
    size_t cut = 1 + roll.below(head.size() - 1);
    add(&e, head.substr(0, cut), false, 0);
    add(&e, head.substr(cut), false, e.dawdles_ms);
  } else {
    add(&e, head + body, false, 0);
  }
  e.ends = sent_;
  pump();
}

void http_client::send_raw(std::string bytes)
{
  add(nullptr, std::move(bytes), false, 0);
  pump();
}

// Sends as far as nothing has to be waited for.
void http_client::pump()
{
  while (!script_.empty() && !held_ && !over_ && !c.ended) {
    line &l = script_.front();
    if (l.when_continued && !l.e->continued)
      return;
    if (l.pause_ms > 0) {
      held_ = true;
      w_.k.after(std::exchange(l.pause_ms, 0) * NS_PER_MS, [this] {
        held_ = false;
        pump();
      });
      return;
    }
    if (l.e != nullptr && l.e->began_at == 0)
      l.e->began_at = w_.k.now();
    c.send_raw(l.bytes);
    script_.pop_front();
  }
}

void http_client::stall(bool on)
{
  c.stall(on);
  longest_ms_ = stalled_ms();
  stalled_at_ = on ? w_.k.now() : 0;
}

uint64_t http_client::stalled_ms() const
{
  return std::max(longest_ms_, stalled_at_ == 0 ? 0 : w_.elapsed_ms(stalled_at_));
}

size_t http_client::served_bytes() const
{
  size_t end = 0;
  for (const exchange *e : all)
    if (e->asked != 0)
      end = e->ends;
  return end;
}

// ---- responses

bool http_client::speak(std::string &in)
{
  while (w_.failures.empty() && (reader_.amid() || !in.empty())) {
    if (over_ && w_.options.lossy) { // who had no memory for a head did not see that it was HEAD
      in.clear();
      return false;
    }
    if (over_ || due_.empty()) {
      wrong("bytes that nobody asked for: " + in.substr(0, 200));
      break;
    }
    http_reader::found what = reader_.take(in);
    if (what == http_reader::found::more)
      return false;
    if (what == http_reader::found::wrong)
      wrong("the response to " + due_.front()->id() + ": " + reader_.complaint);
    else if (what == http_reader::found::whole)
      got_whole();
    else if (got_head())
      return true;
  }
  return false;
}

// A head came; whether it is an upgrade.
bool http_client::got_head()
{
  exchange &e = *due_.front();
  w_.k.note("client %ld gets %ld to its request %ld", c.number, reader_.head.status, e.number);
  if (reader_.head.status == 100) {
    go_on();
    return false;
  }
  if (reader_.head.status == 101)
    return take_101();
  if (is_head(e))
    reader_.no_body();
  if (w_.options.lossy && e.upgrade && reader_.head.status == 503)
    e.bare = true; // though it was accepted
  judge_head(e);
  return false;
}

void http_client::go_on()
{
  exchange &e = *due_.front();
  if (!e.expects || e.continued || !reader_.head.fields.empty())
    wrong("100 (Continue) to " + e.id() + ", which awaits none");
  e.continued = true;
  ++w_.seen["continued"];
}

bool http_client::take_101()
{
  exchange &e = *due_.front();
  if (e.fate != 101 && !(e.upgrade && e.accepts && e.answered))
    wrong(e.id() + " was upgraded, though nobody accepted it");
  std::vector<std::pair<std::string, std::string>> due = {
      {"Upgrade", "websocket"}, {"Connection", "Upgrade"}, {"Sec-WebSocket-Accept", ACCEPT}};
  if (e.fate != 101)
    due.emplace_back("X-Exchange", e.id());
  if (e.fate != 101 && !e.extra.empty())
    due.emplace_back("X-Extra", e.extra);
  if (!e.protocol.empty())
    due.emplace_back("Sec-WebSocket-Protocol", e.protocol);
  if (!e.bare)
    judge_lines(e, due);
  e.done = true;
  due_.pop_front();
  ++w_.seen["upgraded"];
  return true;
}

// Whether the response consists of a head; one to half a head of a request does not know better.
bool http_client::is_head(const exchange &e) const
{
  return e.method == "HEAD" && reader_.head.status != 408;
}

void http_client::judge_head(const exchange &e)
{
  if (e.bare)
    return;
  judge_date();
  if (reader_.head.count("X-Exchange") != 0)
    judge_answer(e);
  else
    judge_refusal(e);
}

// The application's answer.
void http_client::judge_answer(const exchange &e)
{
  const http_head &h = reader_.head;
  if ((!e.answered && !e.begun) || h.status != e.status)
    wrong(std::to_string(h.status) + " to " + e.id() + " is not what the application answered");
  std::vector<std::pair<std::string, std::string>> due = {{"X-Exchange", e.id()}};
  if (!e.extra.empty())
    due.emplace_back("X-Extra", e.extra);
  if (!e.type.empty() || e.upgrade)
    due.emplace_back("Content-Type", e.type.empty() ? SENTENCE : e.type);
  bool unknown = e.begun && !e.announced, bodiless = is_bodiless(e.status);
  if (unknown && !e.old && !bodiless)
    due.emplace_back("Transfer-Encoding", "chunked");
  else if (!bodiless && !(unknown && e.old))
    due.emplace_back("Content-Length", e.upgrade && e.type.empty()
                                           ? h.field("Content-Length")
                                           : std::to_string(e.reply.size()));
  bool ends = h.field("Connection") == "close";
  bool must = e.closes || e.upgrade || (unknown && e.old && !bodiless && e.method != "HEAD");
  if (ends != must && !(ends && e.early) && !(ends && w_.options.lossy))
    wrong(std::string(ends ? "the connection ends" : "the connection goes on") + " after " +
          e.id());
  if (ends || e.old)
    due.emplace_back("Connection", ends ? "close" : "keep-alive");
  judge_lines(e, due);
}

// The library's.
void http_client::judge_refusal(const exchange &e)
{
  const http_head &h = reader_.head;
  if (!may_refuse(e, h.status))
    return wrong(std::to_string(h.status) + " to " + e.id() + " out of the blue");
  ++w_.seen[phrase_of(h.status)];
  std::vector<std::pair<std::string, std::string>> due = {
      {"Content-Type", SENTENCE}, {"Content-Length", h.field("Content-Length")}};
  due.emplace_back("Connection", h.status == 426 ? "close, Upgrade" : "close");
  if (h.status == 426) {
    due.emplace_back("Upgrade", "websocket");
    due.emplace_back("Sec-WebSocket-Version", "13");
  }
  if (h.status == 503)
    due.emplace_back("Retry-After", "5");
  if (h.status == 405)
    due.emplace_back("Allow", e.path == "/whole"                      ? "GET"
                              : h.field("Allow") == "POST, GET, HEAD" ? "POST, GET, HEAD"
                                                                      : "GET, HEAD, POST");
  judge_lines(e, due);
}

bool http_client::may_refuse(const exchange &e, int status) const
{
  if (w_.options.lossy && (status == 503 || status == 500))
    return true;
  if (status == e.fate && (e.asked == 0 || e.asked_yet))
    return true;
  if (e.asked != 0 && e.how == way::nonsense) {
    bool says = e.returned <= -400 && e.returned >= -599;
    return status == (says ? -e.returned : 500);
  }
  if (e.asked != 0 && e.how == way::promise)
    return status == 500;
  return refused_late(e, status);
}

// By a deadline.
bool http_client::refused_late(const exchange &e, int status) const
{
  const http_limits &most = w_.limits;
  if (status == 408)
    return !(e.asked != 0 && e.whole) &&
           w_.elapsed_ms(e.began_at) + 20 >=
               std::min(most.body_timeout_ms, most.handshake_timeout_ms);
  if (status != 503 || e.answered || e.begun || e.asked == 0)
    return false;
  return e.upgrade ? w_.elapsed_ms(connected_at) >= most.handshake_timeout_ms : e.gone == 1;
}

void http_client::judge_lines(const exchange &e,
                              std::vector<std::pair<std::string, std::string>> due)
{
  std::vector<std::pair<std::string, std::string>> got;
  for (const auto &f : reader_.head.fields)
    if (f.first != "Date")
      got.push_back(f);
  std::sort(got.begin(), got.end());
  std::sort(due.begin(), due.end());
  if (got == due)
    return;
  std::string text = "other fields than are due to " + e.id() + ":\n";
  for (auto &[name, value] : got)
    text += "  got " + name + ": " + value.substr(0, 60) + "\n";
  for (auto &[name, value] : due)
    text += "  due " + name + ": " + value.substr(0, 60) + "\n";
  wrong(text);
}

// The second in which the response was made, or the one before (RFC 9110 section 6.6.1).
void http_client::judge_date()
{
  std::string date = reader_.head.field("Date");
  struct tm parts = {};
  const char *end = strptime(date.c_str(), "%a, %d %b %Y %H:%M:%S GMT", &parts);
  time_t said = timegm(&parts);
  uint64_t since = due_.front()->began_at == 0 ? connected_at : due_.front()->began_at;
  if (reader_.head.count("Date") != 1 || date.size() != 29 || end == nullptr || *end != '\0' ||
      said + 2 < wall(since) || said > wall(w_.k.now()))
    wrong("a Date that is none: " + date);
}

// What the client must have of the application's answer, or of a part of that.
std::string http_client::body_due(const exchange &e) const
{
  if (e.method == "HEAD" || is_bodiless(e.status))
    return "";
  return e.begun ? e.reply.substr(0, e.written) : e.type.empty() ? "" : e.reply;
}

// Whether the response says in a sentence why the request is refused.
bool http_client::is_sentence(const exchange &e) const
{
  return reader_.head.count("X-Exchange") == 0 || (e.upgrade && e.type.empty());
}

// A response is whole.
void http_client::got_whole()
{
  exchange &e = *due_.front();
  const http_head &h = reader_.head;
  if (h.status == 100)
    return pump();
  bool a_sentence = reader_.body.size() > 1 && reader_.body.back() == '\n';
  if (!e.bare && (is_sentence(e) ? a_sentence == is_head(e) : reader_.body != body_due(e)))
    wrong("another body than is due to " + e.id() + ": " + std::to_string(reader_.body.size()) +
          " bytes, " + reader_.body.substr(0, 40));
  e.done = true;
  due_.pop_front();
  over_ = h.field("Connection").starts_with("close");
  if (!over_ && !script_.empty() && script_.front().e == &e && e.expects)
    wrong("the connection goes on, though the body of " + e.id() + " was not asked for");
  if (over_)
    script_.clear();
}

// ---- the end

void http_client::ended()
{
  script_.clear();
  bool amid = reader_.amid();
  if (amid && reader_.end() && !c.was_reset && !c.cut_short && due_.front()->answered) {
    ++w_.seen["unframed"];
    return got_whole();
  }
  if (c.open || over_)
    return;
  if (amid && !has_part_of(*due_.front()))
    wrong("other bytes than are due to " + due_.front()->id());
  if (excused())
    return;
  ++w_.seen[amid ? "cut" : due_.empty() ? "idle" : "dropped"];
  if (amid ? !may_end_amid(*due_.front()) : !may_end_between())
    wrong("the connection ended " +
          (due_.empty() ? std::string("between requests")
                        : (amid ? "amid the response to " : "before the response to ") +
                              due_.front()->id()));
}

// Whether what has come of a response is a part of the one that is due.
bool http_client::has_part_of(const exchange &e) const
{
  return e.bare || is_sentence(e) || body_due(e).starts_with(reader_.body);
}

bool http_client::excused() const
{
  bool unseen = all.empty() || all[0]->asked == 0;
  return c.broke_off || w_.stopped || w_.options.lossy || (w_.flavour.starved && unseen);
}

// A response that has begun can only be cut.
bool http_client::may_end_amid(const exchange &e) const
{
  if (missed_a_stream())
    return true;
  return e.begun && ((e.answered && e.withheld > 0) || e.fate != 0 ||
                     (!e.whole && w_.elapsed_ms(e.asked_at) + 20 >= w_.limits.body_timeout_ms));
}

// It did not read for as long as a response that is being streamed may stand still; what is before
// that goes with it.
bool http_client::missed_a_stream() const
{
  return stalled_ms() >= w_.limits.response_timeout_ms &&
         std::any_of(due_.begin(), due_.end(), [](const exchange *e) { return e->begun; });
}

// An idle connection ends after a while; a request may be on its way then.
bool http_client::may_end_between() const
{
  const exchange *next = due_.empty() ? nullptr : due_.front();
  if (missed_a_stream())
    return true;
  if (next != nullptr && next->begun)
    return may_end_amid(*next);
  uint64_t since = connected_at, timeout_ms = w_.limits.handshake_timeout_ms;
  for (const exchange *e : all)
    if (e->done) {
      since = e->answered_at;
      timeout_ms = w_.limits.keep_alive_ms;
    }
  return (next == nullptr || next->asked == 0) && w_.elapsed_ms(since) + 20 >= timeout_ms;
}

} // namespace sim
