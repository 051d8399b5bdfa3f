/* What the C++ layer adds to a message: the dispatch of on_message through a route's table, as the
 * core does it, to a handler in C and to a lambda with a capture. Both are reached by one indirect
 * call. Compare medians of
 * --benchmark_enable_random_interleaving=true --benchmark_repetitions=20. */
#include <weir/weir.hpp>

#include <benchmark/benchmark.h>

namespace
{

/* What both handlers know: the C one by its arg, the C++ one by its capture. */
struct known {
  unsigned long *bytes;
};

void on_message(weir_conn *, const weir_message *message, void *arg)
{
  *static_cast<known *>(arg)->bytes += message->len;
}

/* What the core keeps of a route. */
struct table {
  weir_handlers handlers = {};
  void *arg = nullptr;
};

void dispatch(benchmark::State &state, table route)
{
  weir_message message = {"text", 4, WEIR_TEXT, 1, 1, nullptr};
  benchmark::DoNotOptimize(route);
  for (auto _ : state) {
    benchmark::ClobberMemory(); // the table is read anew for each message, as from a connection
    route.handlers.on_message(nullptr, &message, route.arg);
  }
}

void dispatch_c(benchmark::State &state)
{
  unsigned long bytes = 0;
  known arg = {&bytes};
  table route = {{}, &arg};
  route.handlers.on_message = on_message;
  dispatch(state, route);
  benchmark::DoNotOptimize(bytes);
}

void dispatch_cpp(benchmark::State &state)
{
  unsigned long bytes = 0;
  weir::detail::logger log;
  weir::route<> given = {
      .message = [&bytes](weir::conn<>, weir::message m) { bytes += m.bytes().size(); }};
  table route = {weir::detail::handlers_of(given), nullptr};
  auto owned = weir::detail::take_state(given, &log);
  route.arg = owned.get();
  dispatch(state, route);
  benchmark::DoNotOptimize(bytes);
}

} // namespace

BENCHMARK(dispatch_c);
BENCHMARK(dispatch_cpp);
