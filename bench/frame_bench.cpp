// Counted frames: made and freed once a broadcast, referenced once a loop by the atomic count, and
// by a loop's own share once a receiver. The argument is the payload's bytes.
#include "io/outq.h"
#include "ws/frame.h"

#include <weir/frame.h>

#include <benchmark/benchmark.h>

#include <string>

namespace
{

void with_lengths(benchmark::internal::Benchmark *benchmark)
{
  benchmark->Arg(64)->Arg(1 << 10)->Arg(16 << 10)->Arg(1 << 20);
}

void make_and_free(benchmark::State &state)
{
  const std::string data(static_cast<std::size_t>(state.range(0)), 'd');
  for (auto _ : state) {
    weir_frame *frame;
    weir_frame_new(&frame, WEIR_TEXT, data.data(), data.size());
    benchmark::DoNotOptimize(frame);
    weir_frame_unref(frame);
  }
  state.SetBytesProcessed(state.iterations() * state.range(0));
}
BENCHMARK(make_and_free)->Apply(with_lengths);

// A message that spans reads: assembled in a frame that grows by doubling, then sealed.
void assemble(benchmark::State &state)
{
  constexpr std::size_t FIRST = 4096;
  const auto length = static_cast<std::size_t>(state.range(0));
  for (auto _ : state) {
    weir_frame *frame = weir__frame_open(&weir__sys_linux, FIRST);
    for (std::size_t room = FIRST; room < length; room *= 2) {
      frame->buf.end = WEIR__FRAME_ROOM + room;
      frame =
          reinterpret_cast<weir_frame *>(weir__buf_grow(&frame->buf, WEIR__FRAME_ROOM + 2 * room));
    }
    frame->buf.end = WEIR__FRAME_ROOM + length;
    weir__frame_seal(frame, WEIR_BINARY);
    benchmark::DoNotOptimize(frame);
    weir_frame_unref(frame);
  }
  state.SetBytesProcessed(state.iterations() * state.range(0));
}
BENCHMARK(assemble)->Arg(4 << 10)->Arg(64 << 10)->Arg(1 << 20);

void reference(benchmark::State &state)
{
  weir_frame *frame;
  weir_frame_new(&frame, WEIR_TEXT, "text", 4);
  for (auto _ : state) {
    benchmark::DoNotOptimize(weir_frame_ref(frame));
    weir_frame_unref(frame);
  }
  weir_frame_unref(frame);
}
BENCHMARK(reference);

void share(benchmark::State &state)
{
  weir__mem mem = {&weir__sys_linux, 0};
  weir__pool pool;
  weir_frame *frame;
  weir__pool_init(&pool, &mem);
  weir_frame_new(&frame, WEIR_TEXT, "text", 4);
  for (auto _ : state) {
    weir__share *made = weir__share_new(&pool, &frame->buf);
    benchmark::DoNotOptimize(made);
    weir__share_unref(&pool, made);
  }
  weir_frame_unref(frame);
  weir__pool_fini(&pool);
}
BENCHMARK(share);

} // namespace
