/* What weir-serve does with messages. */
#include "serve.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void report(struct weir_conn *conn, int error, const char *what, void *arg)
{
  const struct settings *settings = arg;
  (void)conn;
  if (!settings->quiet)
    fprintf(stderr, "error: %s (%s)\n", what, weir_strerror(error));
}

static int add(struct weir_server *server, const char *path, struct settings *settings,
               struct weir_handlers handlers)
{
  struct weir_route route = {
      .size = sizeof route, .handlers = handlers, .options = settings->route};
  route.options.size = sizeof route.options;
  route.handlers.on_error = report;
  return weir_server_route(server, path, &route, settings);
}

static void echo(struct weir_conn *conn, const struct weir_message *message, void *arg)
{
  (void)arg;
  weir_conn_send_message(conn, message);
}

static int echo_routes(struct weir_server *server, struct settings *settings)
{
  return add(server, "*", settings, (struct weir_handlers){.on_message = echo});
}

/* One frame, encoded once, for every receiver. */
static void broadcast(struct weir_conn *conn, const struct weir_message *message,
                      weir_conn_id except)
{
  struct weir_frame *frame;
  if (weir_frame_of_message(&frame, message) != 0)
    return;
  weir_server_broadcast(weir_conn_server(conn), frame, except);
  weir_frame_unref(frame);
}

static void to_all(struct weir_conn *conn, const struct weir_message *message, void *arg)
{
  (void)arg;
  broadcast(conn, message, 0);
}

static int all_routes(struct weir_server *server, struct settings *settings)
{
  return add(server, "*", settings, (struct weir_handlers){.on_message = to_all});
}

static void to_others(struct weir_conn *conn, const struct weir_message *message, void *arg)
{
  (void)arg;
  broadcast(conn, message, weir_conn_id_of(conn));
}

static int others_routes(struct weir_server *server, struct settings *settings)
{
  return add(server, "*", settings, (struct weir_handlers){.on_message = to_others});
}

static const char topic[] = "all";

static void subscribe(struct weir_conn *conn, void *arg)
{
  (void)arg;
  if (weir_conn_subscribe(conn, topic, sizeof topic - 1) != 0)
    weir_conn_close(conn, 1011, "out of memory");
}

static void to_subscribers(struct weir_conn *conn, const struct weir_message *message, void *arg)
{
  struct weir_frame *frame;
  (void)arg;
  if (weir_frame_of_message(&frame, message) != 0)
    return;
  weir_server_publish(weir_conn_server(conn), topic, sizeof topic - 1, frame, 0);
  weir_frame_unref(frame);
}

static int topic_routes(struct weir_server *server, struct settings *settings)
{
  int error = add(server, "/all", settings,
                  (struct weir_handlers){.on_open = subscribe, .on_message = to_subscribers});
  return error == 0 ? echo_routes(server, settings) : error;
}

static void welcome(struct weir_conn *conn, void *arg)
{
  static const char text[] = "Welcome to the websocket server";
  (void)arg;
  weir_conn_send(conn, WEIR_TEXT, text, sizeof text - 1);
}

static void answer(struct weir_conn *conn, const struct weir_message *message, void *arg)
{
  static const char prefix[] = "You sent -> ";
  (void)arg;
  if (message->opcode == WEIR_BINARY) {
    weir_conn_send_message(conn, message);
    return;
  }
  size_t len = sizeof prefix - 1 + message->len;
  char *text = malloc(len);
  if (text == NULL)
    return;
  memcpy(text, prefix, sizeof prefix - 1);
  memcpy(text + sizeof prefix - 1, message->data, message->len);
  weir_conn_send(conn, WEIR_TEXT, text, len);
  free(text);
}

/* The tutorial's server. */
static int chat_routes(struct weir_server *server, struct settings *settings)
{
  int error =
      add(server, "/", settings, (struct weir_handlers){.on_open = welcome, .on_message = answer});
  if (error == 0)
    error = add(server, "/all", settings,
                (struct weir_handlers){.on_open = welcome, .on_message = to_all});
  if (error == 0)
    error = add(server, "/others", settings,
                (struct weir_handlers){.on_open = welcome, .on_message = to_others});
  return error;
}

static int sink_routes(struct weir_server *server, struct settings *settings)
{
  return add(server, "*", settings, (struct weir_handlers){0});
}

/* Says "address port" of whom the server takes the client for. */
static void greet(struct weir_conn *conn, void *arg)
{
  struct weir_peer peer;
  char text[sizeof peer.address + sizeof " 65535"];
  (void)arg;
  if (weir_conn_peer(conn, &peer) != 0)
    return; /* it is gone */
  int len = snprintf(text, sizeof text, "%s %u", peer.address, peer.port);
  weir_conn_send(conn, WEIR_TEXT, text, (size_t)len);
}

static int peer_routes(struct weir_server *server, struct settings *settings)
{
  return add(server, "*", settings, (struct weir_handlers){.on_open = greet, .on_message = echo});
}

/* The tutorial's way: a send for each client, of a list that the application keeps. */
struct clients {
  struct weir_conn **list;
  size_t count, capacity;
};

static struct clients clients;

static void join(struct weir_conn *conn, void *arg)
{
  (void)arg;
  if (clients.count == clients.capacity) {
    size_t capacity = clients.capacity == 0 ? 64 : clients.capacity * 2;
    struct weir_conn **grown = realloc(clients.list, capacity * sizeof *grown);
    if (grown == NULL) {
      weir_conn_close(conn, 1011, "out of memory");
      return;
    }
    clients.list = grown;
    clients.capacity = capacity;
  }
  weir_conn_set_user(conn, (void *)(clients.count + 1));
  clients.list[clients.count++] = conn;
}

static void leave(struct weir_conn *conn, int code, struct weir_slice reason, void *arg)
{
  size_t place = (size_t)weir_conn_user(conn);
  (void)code;
  (void)reason;
  (void)arg;
  if (place == 0)
    return;
  clients.list[place - 1] = clients.list[--clients.count];
  weir_conn_set_user(clients.list[place - 1], (void *)place);
}

static void to_each(struct weir_conn *conn, const struct weir_message *message, void *arg)
{
  (void)conn;
  (void)arg;
  for (size_t i = 0; i < clients.count; i++)
    weir_conn_send(clients.list[i], (enum weir_opcode)message->opcode, message->data, message->len);
}

static int loop_routes(struct weir_server *server, struct settings *settings)
{
  if (settings->server.loops > 1) {
    fputs("weir-serve: mode loop keeps one list of clients: one loop only\n", stderr);
    exit(2);
  }
  return add(server, "*", settings,
             (struct weir_handlers){.on_open = join, .on_close = leave, .on_message = to_each});
}

const struct mode modes[] = {
    {"echo", "each goes back to its sender (the default)", echo_routes},
    {"all", "each goes to all, by one shared frame", all_routes},
    {"others", "the same, but to its sender", others_routes},
    {"topic", "of /all each goes to all subscribers, who came by /all; others echo", topic_routes},
    {"loop", "each goes to all, by a send for each client", loop_routes},
    {"chat", "the tutorial: /all and /others broadcast, other paths answer", chat_routes},
    {"sink", "nothing", sink_routes},
    {"peer", "each goes back, after a greeting with the client's address and port", peer_routes},
    {NULL, NULL, NULL},
};
