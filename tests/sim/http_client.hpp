// A client of the simulation that sends pipelines of requests and judges every byte of what it is
// answered: that each response is the one that is due by what its request said and by what the
// application did, in the order of the requests, and that the connection ends only where it may.
#ifndef WEIR_SIM_HTTP_CLIENT_HPP
#define WEIR_SIM_HTTP_CLIENT_HPP

#include "client.hpp"
#include "http_exchange.hpp"
#include "http_reader.hpp"

namespace sim
{

class http_world;

class http_client
{
public:
  http_client(http_world &w, client &c);

  // Sends a request behind those before it; the body of one that expects 100 (Continue) when that
  // comes, unless it is bold.
  void send(exchange &e, dice &roll, bool bold);

  // Bytes behind all that.
  void send_raw(std::string bytes);

  void stall(bool on);

  // Nothing is to be sent or to come any more.
  bool settled() const
  {
    return c.ended || (script_.empty() && c.idle() && due_.empty());
  }

  bool all_sent() const
  {
    return script_.empty();
  }

  // The longest time for which it did not read, the one now included, ms.
  uint64_t stalled_ms() const;

  // How many bytes the server may have to have read: up to the end of the last request that was
  // asked.
  size_t served_bytes() const;

  // Has it nothing yet of an answer that was given?
  const exchange *waits_for() const
  {
    bool waits = !due_.empty() && due_.front()->answered && !reader_.amid() && !c.ended;
    return waits ? due_.front() : nullptr;
  }

  bool over() const // the last response came
  {
    return over_;
  }

  client &c;
  std::vector<exchange *> all; // its requests
  uint64_t connected_at = 0;   // of the kernel's clock, ns

private:
  struct line { // of what is to be sent
    exchange *e;
    std::string bytes;
    bool when_continued;
    uint64_t pause_ms; // before
  };

  void add(exchange *e, std::string bytes, bool when_continued, uint64_t pause_ms);
  void pump();
  bool speak(std::string &in);
  bool got_head();
  void go_on();
  bool take_101();
  bool is_head(const exchange &e) const;
  void judge_head(const exchange &e);
  void judge_answer(const exchange &e);
  void judge_refusal(const exchange &e);
  bool may_refuse(const exchange &e, int status) const;
  bool refused_late(const exchange &e, int status) const;
  void judge_lines(const exchange &e, std::vector<std::pair<std::string, std::string>> due);
  void judge_date();
  void got_whole();
  bool is_sentence(const exchange &e) const;
  bool has_part_of(const exchange &e) const;
  std::string body_due(const exchange &e) const;
  void ended();
  bool may_end_amid(const exchange &e) const;
  bool missed_a_stream() const;
  bool may_end_between() const;
  bool excused() const;
  void wrong(const std::string &what);

  http_world &w_;
  std::deque<line> script_;
  std::deque<exchange *> due_;
  http_reader reader_;
  size_t sent_ = 0; // bytes, in the script too
  bool held_ = false, over_ = false;
  uint64_t stalled_at_ = 0, longest_ms_ = 0;
};

} // namespace sim

#endif
