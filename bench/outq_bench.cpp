// The queue of what one connection has to send, through a turn: entries go in, are handed out as
// pieces, and are taken off. A time is of a turn, whose entries the first argument
// gives; items_per_second is entries. No bytes reach a socket.
#include "io/outq.h"

#include <benchmark/benchmark.h>

#include <cstring>
#include <string>
#include <vector>

namespace
{

constexpr unsigned char HEADER[4] = {0x82, 126, 0x04, 0x00};
constexpr std::size_t SCRATCH = 64 << 10;

class queue
{
public:
  explicit queue(std::size_t length) : data(length, 'd'), room_(SCRATCH)
  {
    weir__pool_init(&pool, &mem_);
    weir__buf *buf = weir__buf_new(&weir__sys_linux, 0, length);
    std::memcpy(weir__buf_bytes(buf), data.data(), length);
    share = weir__share_new(&pool, buf);
    weir__buf_unref(buf);
  }

  ~queue()
  {
    weir__outq_clear(&q, &pool);
    weir__share_unref(&pool, share);
    weir__pool_fini(&pool);
  }

  void copy()
  {
    weir__outq_copy(&q, &pool, HEADER, data.size() < 126 ? 2 : 4, data.data(), data.size(),
                    WEIR__OUT_MESSAGE);
  }

  void refer()
  {
    weir__outq_push(&q, &pool, share, 0, data.size(), WEIR__OUT_MESSAGE);
  }

  // What the pieces say, of which a socket takes at most a part.
  void flush(std::size_t most = SIZE_MAX)
  {
    iovec pieces[64];
    std::size_t total;
    int count = weir__outq_pieces(&q, {room_.data(), room_.size()}, pieces, 64, SIZE_MAX, &total);
    benchmark::DoNotOptimize(count);
    benchmark::DoNotOptimize(pieces);
    weir__outq_consume(&q, &pool, total < most ? total : most);
  }

  // A connection gives its queue back when all is sent.
  void done()
  {
    weir__outq_clear(&q, &pool);
  }

  weir__pool pool;
  weir__outq q{};
  weir__share *share;
  std::string data;

private:
  weir__mem mem_ = {&weir__sys_linux, 0};
  std::vector<unsigned char> room_;
};

template <class Add> void turns(benchmark::State &state, Add add)
{
  queue queue(static_cast<std::size_t>(state.range(1)));
  for (auto _ : state) {
    for (std::int64_t i = 0; i < state.range(0); i++)
      add(queue, i);
    while (queue.q.bytes > 0)
      queue.flush();
    queue.done();
  }
  state.SetItemsProcessed(state.iterations() * state.range(0));
}

void copies(benchmark::State &state)
{
  turns(state, [](queue &queue, std::int64_t) { queue.copy(); });
}
BENCHMARK(copies)->ArgNames({"entries", "bytes"})->ArgsProduct({{1, 2, 16, 256}, {64, 1024}});

void references(benchmark::State &state)
{
  turns(state, [](queue &queue, std::int64_t) { queue.refer(); });
}
BENCHMARK(references)
    ->ArgNames({"entries", "bytes"})
    ->ArgsProduct({{1, 2, 16, 256}, {64, 1024, 16384}});

void by_turns(benchmark::State &state)
{
  turns(state, [](queue &queue, std::int64_t i) { i % 2 == 0 ? queue.copy() : queue.refer(); });
}
BENCHMARK(by_turns)->ArgNames({"entries", "bytes"})->Args({16, 64})->Args({16, 1024});

// A slow reader: the queue stays long, a socket takes a few entries' bytes at a time, and as many
// come behind. The argument is how long it stays; ideally it does not matter.
void slow_reader(benchmark::State &state)
{
  queue queue(1024);
  for (std::int64_t i = 0; i < state.range(0); i++)
    queue.refer();
  for (auto _ : state) {
    queue.flush(2500);
    while (queue.q.count < state.range(0))
      queue.refer();
  }
  state.SetBytesProcessed(state.iterations() * 2500);
}
BENCHMARK(slow_reader)->ArgName("entries")->Arg(16)->Arg(256)->Arg(4096);

// What a broadcast does for each receiver that cannot take more: append a reference.
void append(benchmark::State &state)
{
  queue queue(1024);
  for (auto _ : state) {
    for (std::int64_t i = 0; i < state.range(0); i++)
      queue.refer();
    queue.done();
  }
  state.SetItemsProcessed(state.iterations() * state.range(0));
}
BENCHMARK(append)->ArgName("entries")->Arg(1)->Arg(16)->Arg(4096);

} // namespace
