/* The echo server for wss:// on port 8443, with a certificate of localhost's in cert.pem. */
#include <weir/weir.hpp>

int main()
{
  weir::server app;
  app.route("/", {.message = [](weir::conn<> ws, weir::message m) { ws.send(m); }});
  app.listen(weir::tls({.identity = {"cert.pem", "key.pem"}}), 8443).run();
}
