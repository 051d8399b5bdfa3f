/* libwebsockets, on its own poll loop where that is the faster: PORT MODE CERT KEY DEFLATE. A
 * message is written only when its connection is writeable, as the library wants it, so each
 * connection has a queue; what all receivers get is one counted message. */
#include <libwebsockets.h>

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum mode { ECHO, ALL, OTHERS, LOOP, BYSTANDER };

struct message {
  unsigned references;
  enum lws_write_protocol kind;
  size_t len, capacity;
  unsigned char *bytes; /* LWS_PRE bytes of room before it */
};

struct item {
  struct item *next;
  struct message *message;
};

/* The library zeroes it. */
struct client {
  struct lws *wsi;
  struct client *next, **place; /* of all clients */
  struct message *incoming;
  struct item *first, **end;
  bool broadcasts;
};

static enum mode mode;
static struct client *clients;

static struct message *message_new(size_t capacity, bool binary)
{
  struct message *m = calloc(1, sizeof *m);
  m->references = 1;
  m->kind = binary ? LWS_WRITE_BINARY : LWS_WRITE_TEXT;
  m->capacity = capacity;
  m->bytes = (unsigned char *)malloc(LWS_PRE + capacity) + LWS_PRE;
  return m;
}

static void message_unref(struct message *m)
{
  if (m == NULL || --m->references > 0)
    return;
  free(m->bytes - LWS_PRE);
  free(m);
}

static void message_append(struct message *m, const void *bytes, size_t len)
{
  if (m->capacity - m->len < len) {
    m->capacity = 2 * (m->len + len);
    m->bytes = (unsigned char *)realloc(m->bytes - LWS_PRE, LWS_PRE + m->capacity) + LWS_PRE;
  }
  memcpy(m->bytes + m->len, bytes, len);
  m->len += len;
}

/* Takes a reference of its own. */
static void queue(struct client *c, struct message *m)
{
  struct item *item = malloc(sizeof *item);
  *item = (struct item){.message = m};
  m->references++;
  *c->end = item;
  c->end = &item->next;
  lws_callback_on_writable(c->wsi);
}

static void take(struct client *c, struct message *m)
{
  if (!c->broadcasts) {
    queue(c, m);
    return;
  }
  for (struct client *to = clients; to != NULL; to = to->next) {
    if (!to->broadcasts || (mode == OTHERS && to == c))
      continue;
    if (mode == LOOP) {
      struct message *copy = message_new(m->len, m->kind == LWS_WRITE_BINARY);
      message_append(copy, m->bytes, m->len);
      queue(to, copy);
      message_unref(copy);
    } else {
      queue(to, m);
    }
  }
}

static void receive(struct client *c, const void *bytes, size_t len)
{
  size_t rest = lws_remaining_packet_payload(c->wsi);
  if (c->incoming == NULL)
    c->incoming = message_new(len + rest, lws_frame_is_binary(c->wsi) != 0);
  message_append(c->incoming, bytes, len);
  if (rest > 0 || !lws_is_final_fragment(c->wsi))
    return;
  struct message *whole = c->incoming;
  c->incoming = NULL;
  take(c, whole);
  message_unref(whole);
}

static void drop_first(struct client *c)
{
  struct item *item = c->first;
  c->first = item->next;
  if (c->first == NULL)
    c->end = &c->first;
  message_unref(item->message);
  free(item);
}

/* One message for each writeable callback. */
static int write_first(struct client *c)
{
  if (c->first == NULL)
    return 0;
  struct message *m = c->first->message;
  if (lws_write(c->wsi, m->bytes, m->len, m->kind) < (int)m->len)
    return -1;
  drop_first(c);
  if (c->first != NULL)
    lws_callback_on_writable(c->wsi);
  return 0;
}

static void begin(struct client *c, struct lws *wsi)
{
  char path[64] = "";
  lws_hdr_copy(wsi, path, sizeof path, WSI_TOKEN_GET_URI);
  *c = (struct client){.wsi = wsi, .next = clients, .place = &clients, .end = &c->first};
  c->broadcasts = mode == BYSTANDER ? strcmp(path, "/all") == 0 : mode != ECHO;
  if (clients != NULL)
    clients->place = &c->next;
  clients = c;
}

static void end(struct client *c)
{
  *c->place = c->next;
  if (c->next != NULL)
    c->next->place = c->place;
  while (c->first != NULL)
    drop_first(c);
  message_unref(c->incoming);
}

static int on_event(struct lws *wsi, enum lws_callback_reasons reason, void *user, void *in,
                    size_t len)
{
  switch (reason) {
  case LWS_CALLBACK_ESTABLISHED:
    begin(user, wsi);
    return 0;
  case LWS_CALLBACK_RECEIVE:
    receive(user, in, len);
    return 0;
  case LWS_CALLBACK_SERVER_WRITEABLE:
    return write_first(user);
  case LWS_CALLBACK_CLOSED:
    end(user);
    return 0;
  default:
    return lws_callback_http_dummy(wsi, reason, user, in, len);
  }
}

/* What the library answers to an offer. */
static const struct lws_extension *extensions(const char *deflate)
{
  static const struct lws_extension shared[] = {
      {"permessage-deflate", lws_extension_callback_pm_deflate,
       "permessage-deflate; server_no_context_takeover; client_no_context_takeover"},
      {NULL, NULL, NULL}};
  static const struct lws_extension takeover[] = {
      {"permessage-deflate", lws_extension_callback_pm_deflate, "permessage-deflate"},
      {NULL, NULL, NULL}};
  if (strcmp(deflate, "off") == 0)
    return NULL;
  return strcmp(deflate, "shared") == 0 ? shared : takeover;
}

static void secure(struct lws_context_creation_info *info, const char *cert, const char *key)
{
  if (strcmp(cert, "-") == 0)
    return;
  info->options |= LWS_SERVER_OPTION_DO_SSL_GLOBAL_INIT;
  info->ssl_cert_filepath = cert;
  info->ssl_private_key_filepath = key;
}

int main(int argc, char **argv)
{
  static const char *const names[] = {"echo", "all", "others", "loop", "bystander"};
  static const struct lws_protocols protocols[] = {
      {"weir", on_event, sizeof(struct client), 0, 0, NULL, 0}, {NULL, NULL, 0, 0, 0, NULL, 0}};
  int chosen = 0;
  while (argc == 6 && chosen < 5 && strcmp(argv[2], names[chosen]) != 0)
    chosen++;
  if (argc != 6 || chosen == 5) {
    fputs("usage: lws PORT MODE CERT KEY DEFLATE\n", stderr);
    return 2;
  }
  mode = (enum mode)chosen;
  lws_set_log_level(LLL_ERR, NULL);
  struct lws_context_creation_info info = {.port = atoi(argv[1]), .iface = "127.0.0.1"};
  info.protocols = protocols;
  info.options = LWS_SERVER_OPTION_DISABLE_IPV6;
  /* Of 100 or 1,000 connections its poll loop takes less CPU; of 10,000 it cannot keep up. */
  if (mode == BYSTANDER)
    info.options |= LWS_SERVER_OPTION_LIBEV;
  secure(&info, argv[3], argv[4]);
  info.extensions = extensions(argv[5]);
  info.pt_serv_buf_size = 64 << 10;
  struct lws_context *context = lws_create_context(&info);
  if (context == NULL)
    return 1;
  puts("listening");
  fflush(stdout);
  while (lws_service(context, 0) >= 0) {
  }
  lws_context_destroy(context);
  return 0;
}
