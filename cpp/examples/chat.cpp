/* The tutorial's server: "/all" tells everybody, "/others" everybody else, any other path answers.
 * GET / serves a page to try it from. Usage: chat [PORT], by default 8080, 0 for any. */
#include <csignal>
#include <cstdio>
#include <cstdlib>

#include <weir/weir.hpp>

#include "examples/page.h"

/* The handlers that all paths share, with the path's own for messages. */
template <class Handler> static weir::route<> greeting(Handler on_message)
{
  return {
      .open =
          [](weir::conn<> ws) {
            std::puts("A new client connected!");
            ws.send("Welcome to the websocket server");
          },
      .message = std::move(on_message),
      .error = [](weir::conn<>, std::error_code e) { std::puts(e.message().c_str()); },
      .close =
          [](weir::conn<>, int code, std::string_view reason) {
            std::printf("Client disconnected (%d) %s\n", code, std::string(reason).c_str());
          },
      .options = {.max_message_bytes = 16 << 20, .max_queued_bytes = 16 << 20}, // a large photo
  };
}

int main(int argc, char **argv)
try {
  std::setvbuf(stdout, nullptr, _IOLBF, 0);
  static weir::server app;
  app.route("*", greeting([](weir::conn<> ws, weir::message m) {
              if (m.is_text())
                ws.send("You sent -> " + std::string(m.text()));
              else
                ws.send(m);
            }));
  app.route("/all", greeting([](weir::conn<>, weir::message m) { app.broadcast(m); }));
  app.route("/others", greeting([](weir::conn<> ws, weir::message m) {
              app.broadcast(m, {.except = ws.id()});
            }));
  app.get("/", [](weir::request &) {
    return weir::response{.type = "text/html; charset=utf-8", .body = {page_html, page_html_end}};
  });

  app.listen(argc > 1 ? std::atoi(argv[1]) : 8080);
  std::printf("listening on http://localhost:%d/\n", app.port());
  for (int number : {SIGINT, SIGTERM})
    std::signal(number, [](int) { app.stop(); });
  app.run();
} catch (const std::exception &e) {
  std::fprintf(stderr, "chat: %s\n", e.what());
  return EXIT_FAILURE;
}
