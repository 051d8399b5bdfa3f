/* The tutorial's server: "/all" tells everybody, "/others" everybody else, any other path answers.
 * GET / serves a page to try it from. Usage: chat [PORT], by default 8080, 0 for any. */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <weir/weir.h>

#include "examples/page.h"

static struct weir_server *app;

static void greet(struct weir_conn *conn, void *arg)
{
  static const char welcome[] = "Welcome to the websocket server";
  (void)arg;
  puts("A new client connected!");
  weir_conn_send(conn, WEIR_TEXT, welcome, sizeof(welcome) - 1);
}

static void print_error(struct weir_conn *conn, int error, const char *what, void *arg)
{
  (void)conn, (void)error, (void)arg;
  puts(what);
}

static void print_close(struct weir_conn *conn, int code, struct weir_slice reason, void *arg)
{
  (void)conn, (void)arg;
  printf("Client disconnected (%d) %.*s\n", code, (int)reason.len, reason.len ? reason.data : "");
}

/* Text goes back as one message of two fragments, so that nothing is put together here. */
static void answer(struct weir_conn *conn, const struct weir_message *message, void *arg)
{
  static const char intro[] = "You sent -> ";
  (void)arg;
  if (message->opcode == WEIR_BINARY) {
    weir_conn_send_message(conn, message);
  } else if (weir_conn_send_begin(conn, WEIR_TEXT, intro, sizeof(intro) - 1) == 0) {
    weir_conn_send_end(conn, message->data, message->len);
  }
}

static void broadcast(const struct weir_message *message, weir_conn_id except)
{
  struct weir_frame *frame;
  if (weir_frame_of_message(&frame, message) == 0)
    weir_server_broadcast(app, frame, except);
  weir_frame_unref(frame);
}

static void tell_all(struct weir_conn *conn, const struct weir_message *message, void *arg)
{
  (void)conn, (void)arg;
  broadcast(message, 0);
}

static void tell_others(struct weir_conn *conn, const struct weir_message *message, void *arg)
{
  (void)arg;
  broadcast(message, weir_conn_id_of(conn));
}

static int serve_page(struct weir_request *request, void *arg)
{
  (void)arg;
  int error = weir_request_respond_body(request, "text/html; charset=utf-8", page_html,
                                        (size_t)(page_html_end - page_html));
  return error < 0 ? 500 : 200;
}

static int add_route(const char *path,
                     void (*on_message)(struct weir_conn *, const struct weir_message *, void *))
{
  struct weir_route route = {.size = sizeof(route),
                             .handlers = {.on_open = greet,
                                          .on_message = on_message,
                                          .on_error = print_error,
                                          .on_close = print_close},
                             .options = {.size = sizeof(route.options),
                                         .max_message_bytes = 16 << 20, /* a large photo */
                                         .max_queued_bytes = 16 << 20}};
  return weir_server_route(app, path, &route, NULL);
}

static void stop(int number)
{
  (void)number;
  weir_server_stop(app);
}

static int serve(uint16_t port)
{
  int error = weir_server_new(&app, NULL);
  if (error < 0 || (error = add_route("*", answer)) < 0 ||
      (error = add_route("/all", tell_all)) < 0 ||
      (error = add_route("/others", tell_others)) < 0 ||
      (error = weir_server_get(app, "/", serve_page, NULL)) < 0 ||
      (error = weir_server_listen(app, NULL, port)) < 0)
    return error;
  printf("listening on http://localhost:%d/\n", weir_server_port(app));
  signal(SIGINT, stop);
  signal(SIGTERM, stop);
  return weir_server_run(app);
}

int main(int argc, char **argv)
{
  setvbuf(stdout, NULL, _IOLBF, 0);
  int error = serve((uint16_t)(argc > 1 ? atoi(argv[1]) : 8080));
  if (error < 0)
    fprintf(stderr, "chat: %s\n", weir_strerror(error));
  weir_server_free(app);
  return error < 0;
}
