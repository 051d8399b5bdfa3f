// What one opening handshake costs before the kernel: a browser's upgrade request, guarded, parsed,
// judged and answered; and the parts of it.
#include "wire/handshake.h"

#include <benchmark/benchmark.h>

#include <string_view>

namespace
{

constexpr std::string_view REQUEST =
    "GET /chat/room?name=somebody HTTP/1.1\r\n"
    "Host: example.org:8080\r\n"
    "Connection: Upgrade\r\n"
    "Pragma: no-cache\r\n"
    "Cache-Control: no-cache\r\n"
    "User-Agent: Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) "
    "Chrome/138.0.0.0 Safari/537.36\r\n"
    "Upgrade: websocket\r\n"
    "Origin: https://example.org\r\n"
    "Sec-WebSocket-Version: 13\r\n"
    "Accept-Encoding: gzip, deflate, br, zstd\r\n"
    "Accept-Language: en-GB,en;q=0.9,de;q=0.8\r\n"
    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
    "Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits\r\n"
    "\r\n";

constexpr weir__http_limits LIMITS = {16384, 64, 8192};

int guard(size_t *used)
{
  struct weir__http_guard state = {};
  const char *reason;
  return weir__http_guard(&state, &LIMITS, REQUEST.data(), REQUEST.size(), used, &reason);
}

int parse(weir__http_head *head)
{
  const char *reason;
  return weir__http_parse(head, REQUEST.data(), REQUEST.size(), &reason);
}

void finish(benchmark::State &state)
{
  state.SetBytesProcessed((int64_t)(state.iterations() * REQUEST.size()));
}

void Guard(benchmark::State &state)
{
  for (auto _ : state) {
    size_t used;
    benchmark::DoNotOptimize(guard(&used));
  }
  finish(state);
}
BENCHMARK(Guard);

void Parse(benchmark::State &state)
{
  weir__http_head head;
  for (auto _ : state)
    benchmark::DoNotOptimize(parse(&head));
  finish(state);
}
BENCHMARK(Parse);

void Check(benchmark::State &state)
{
  weir__http_head head;
  const char *reason;
  parse(&head);
  for (auto _ : state)
    benchmark::DoNotOptimize(weir__handshake_check(&head, &reason));
}
BENCHMARK(Check);

void Accept(benchmark::State &state)
{
  char accept[WEIR__ACCEPT_KEY_LEN];
  for (auto _ : state) {
    weir__handshake_accept({"dGhlIHNhbXBsZSBub25jZQ==", 24}, accept);
    benchmark::DoNotOptimize(accept);
  }
}
BENCHMARK(Accept);

void Handshake(benchmark::State &state)
{
  weir__http_head head;
  char accept[WEIR__ACCEPT_KEY_LEN];
  const char *reason;
  for (auto _ : state) {
    size_t used;
    if (guard(&used) != 1 || used != REQUEST.size() || parse(&head) != 0 ||
        weir__handshake_check(&head, &reason) != 0) {
      state.SkipWithError("the request was refused");
      break;
    }
    weir__handshake_accept(weir__http_field(&head, "sec-websocket-key"), accept);
    benchmark::DoNotOptimize(accept);
  }
  finish(state);
}
BENCHMARK(Handshake);

} // namespace
