/* An echo server: every message goes back to whom it came from. */
#include <weir/weir.hpp>

int main()
{
  weir::server app;
  app.route("/", {.message = [](weir::conn<> ws, weir::message m) { ws.send(m); }});
  app.listen(8080).run();
}
