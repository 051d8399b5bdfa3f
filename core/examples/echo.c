/* An echo server: every message goes back to whom it came from. */
#include <weir/weir.h>

static void echo(struct weir_conn *conn, const struct weir_message *message, void *arg)
{
  (void)arg;
  weir_conn_send_message(conn, message);
}

int main(void)
{
  struct weir_server *app;
  struct weir_route route = {.size = sizeof(route), .handlers.on_message = echo};
  int error = weir_server_new(&app, NULL);
  if (error == 0 && (error = weir_server_route(app, "/", &route, NULL)) == 0 &&
      (error = weir_server_listen(app, NULL, 8080)) == 0)
    error = weir_server_run(app);
  weir_server_free(app);
  return error != 0;
}
