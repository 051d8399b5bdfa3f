/* The floor: an edge-triggered epoll server that answers upgrades and then does the least that the
 * work needs: PORT MODE [shared]; a PORT with a slash is the path of a unix socket. An echo goes
 * back as it comes in: the bytes of one read are unmasked in place, each behind a header without a
 * key, and leave in one send; a long message is passed on before it has come whole. In mode all,
 * the frames that one read brought go to each client in one send; in mode loop each frame does.
 * With shared (zlib, no takeover) whole messages are deflated anew, in mode loop for each client.
 * There are no limits, no checks and no fragments' rules. */
#define _GNU_SOURCE /* accept4() */
#include "raw_deflate.h"
#include "raw_wire.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

enum mode { ECHO, ALL, OTHERS, LOOP, BYSTANDER };
enum { HEADER = 14, READ = 512 << 10, EVENTS = 256, CLOSE = 0x88, PING = 0x89, PONG = 0x8a };

struct client {
  int fd;
  bool upgraded, broadcasts;
  bool hung_up; /* the client sends no more: read to the end, not to a short read */
  bool ended;
  unsigned char header[HEADER]; /* an echo's, while it is cut short */
  unsigned char header_len;
  unsigned char key[4]; /* of the rest of a frame that is passed on, in its turn */
  uint64_t rest;
  unsigned char *in, *out; /* a broadcast's frame that is not whole; what waits to be sent */
  size_t in_len, out_len, out_done;
  size_t place; /* among all that broadcasts reach */
};

static enum mode mode;
static bool deflates, local; /* over a unix socket */
static int epoll;
static struct client **receivers;
static size_t receiver_count, receiver_capacity;
/* What is read, behind a header that was cut short. */
static unsigned char room[HEADER + READ];

static void keep(unsigned char **to, size_t *len, const unsigned char *bytes, size_t more)
{
  if (more == 0)
    return;
  *to = realloc(*to, *len + more);
  memcpy(*to + *len, bytes, more);
  *len += more;
}

/* A unix socket tells of room whenever its peer has read: asked for only while something waits. */
static void watch(struct client *c, int change)
{
  bool out = !local || c->out_len > 0;
  struct epoll_event event = {.events = EPOLLIN | EPOLLRDHUP | EPOLLET | (out ? EPOLLOUT : 0),
                              .data.ptr = c};
  epoll_ctl(epoll, change, c->fd, &event);
}

static void client_send(struct client *c, const unsigned char *bytes, size_t len)
{
  ssize_t sent = 0;
  if (c->out_len == 0 && len > 0)
    sent = send(c->fd, bytes, len, MSG_NOSIGNAL);
  bool waited = c->out_len > 0;
  if (sent < 0 && errno != EAGAIN)
    c->ended = true;
  else
    keep(&c->out, &c->out_len, bytes + (sent > 0 ? sent : 0), len - (size_t)(sent > 0 ? sent : 0));
  if (local && !waited && c->out_len > 0)
    watch(c, EPOLL_CTL_MOD);
}

static void flush(struct client *c)
{
  while (c->out_done < c->out_len) {
    ssize_t sent = send(c->fd, c->out + c->out_done, c->out_len - c->out_done, MSG_NOSIGNAL);
    if (sent < 0 && errno == EAGAIN)
      return;
    c->ended |= sent < 0;
    c->out_done = sent < 0 ? c->out_len : c->out_done + (size_t)sent;
  }
  free(c->out);
  c->out = NULL;
  c->out_len = c->out_done = 0;
  if (local)
    watch(c, EPOLL_CTL_MOD);
}

static void join(struct client *c)
{
  if (receiver_count == receiver_capacity) {
    receiver_capacity = receiver_capacity == 0 ? 64 : 2 * receiver_capacity;
    receivers = realloc(receivers, receiver_capacity * sizeof(struct client *));
  }
  c->place = receiver_count;
  receivers[receiver_count++] = c;
}

static void leave(struct client *c)
{
  if (c->upgraded && c->broadcasts) {
    receivers[c->place] = receivers[--receiver_count];
    receivers[c->place]->place = c->place;
  }
  close(c->fd);
  free(c->in);
  free(c->out);
  free(c);
}

static void to_all(const struct client *from, const unsigned char *bytes, size_t len)
{
  for (size_t i = 0; i < receiver_count; i++) {
    if (mode != OTHERS || receivers[i] != from)
      client_send(receivers[i], bytes, len);
  }
}

/* Turns a frame's header, of which all is there, into the server's own at to. */
static size_t answer_header(struct client *c, unsigned char *to, const struct raw_header *header)
{
  size_t len = header->len - 4;
  unsigned char first = header->bytes[0], length = header->bytes[1] & 0x7f;
  memcpy(c->key, header->bytes + len, 4);
  memmove(to + 2, header->bytes + 2, len - 2);
  to[0] = first == PING ? PONG : first;
  to[1] = length;
  c->rest = header->payload;
  c->ended |= first == CLOSE;
  return len;
}

/* Moves as much of the frame's payload as there is; returns how much that was. */
static size_t pass_payload(struct client *c, unsigned char *to, const unsigned char *from,
                           size_t len)
{
  size_t part = c->rest < len ? (size_t)c->rest : len;
  raw_unmask(to, from, part, c->key);
  c->rest -= part;
  if (c->rest > 0)
    raw_turn_key(c->key, part);
  return part;
}

static void echo(struct client *c, unsigned char *from, size_t len)
{
  unsigned char *end = from + len, *start = from, *to = from;
  for (;;) {
    size_t part = pass_payload(c, to, from, (size_t)(end - from));
    from += part;
    to += part;
    struct raw_header header;
    if (c->rest > 0 || !raw_header_read(&header, from, (size_t)(end - from)))
      break;
    from += header.len;
    to += answer_header(c, to, &header);
  }
  c->header_len = (unsigned char)(end - from);
  memcpy(c->header, from, c->header_len);
  client_send(c, start, (size_t)(to - start));
}

/* Answers a message, which was unmasked. */
static void answer_packed(struct client *c, unsigned char first, const unsigned char *payload,
                          size_t len)
{
  const unsigned char *packed, *text = payload;
  bool each = mode == LOOP && c->broadcasts;
  if ((first & RAW_COMPRESSED) != 0)
    text = raw_inflate(payload, len, &len);
  first &= (unsigned char)~RAW_COMPRESSED;
  for (size_t i = 0, size; each && i < receiver_count; i++) {
    packed = raw_deflate(first, text, len, &size);
    client_send(receivers[i], packed, size);
  }
  if (each)
    return;
  packed = raw_deflate(first, text, len, &len);
  if (c->broadcasts)
    to_all(c, packed, len);
  else
    client_send(c, packed, len);
}

/* Answers whole frames, with messages that are compressed; keeps the rest. */
static void exchange_packed(struct client *c, unsigned char *from, size_t len)
{
  unsigned char *end = from + len;
  struct raw_header header;
  while (raw_header_read(&header, from, (size_t)(end - from)) &&
         header.payload <= (size_t)(end - from) - header.len) {
    unsigned char first = header.bytes[0], *frame = from + 4;
    size_t begun = answer_header(c, frame, &header), payload = (size_t)header.payload;
    pass_payload(c, frame + begun, from + header.len, payload);
    if ((first & 8) != 0)
      client_send(c, frame, begun + payload);
    else
      answer_packed(c, first, frame + begun, payload);
    from += header.len + payload;
  }
  keep(&c->in, &c->in_len, from, (size_t)(end - from));
}

/* Broadcasts the whole frames; keeps the rest, and room for the whole of its frame. */
static void broadcast(struct client *c, unsigned char *from, size_t len)
{
  unsigned char *end = from + len, *start = from, *to = from;
  struct raw_header header;
  while (raw_header_read(&header, from, (size_t)(end - from)) &&
         header.payload <= (size_t)(end - from) - header.len) {
    from += header.len;
    bool control = (header.bytes[0] & 8) != 0;
    unsigned char *frame = to;
    to += answer_header(c, to, &header);
    size_t part = pass_payload(c, to, from, (size_t)(end - from));
    from += part;
    to += part;
    if (control) {
      client_send(c, frame, (size_t)(to - frame));
      to = frame;
    } else if (mode == LOOP) {
      to_all(c, frame, (size_t)(to - frame));
      to = frame;
    }
  }
  if (to > start)
    to_all(c, start, (size_t)(to - start));
  keep(&c->in, &c->in_len, from, (size_t)(end - from));
}

static void upgrade(struct client *c, const char *head, size_t len)
{
  char answer[RAW_ANSWER];
  if (len < 4 || memcmp(head + len - 4, "\r\n\r\n", 4) != 0) {
    keep(&c->in, &c->in_len, (const unsigned char *)head, len);
    return;
  }
  c->ended = !raw_upgrade(answer, head, len, deflates);
  if (c->ended)
    return;
  c->broadcasts = mode == BYSTANDER ? strncmp(head, "GET /all ", 9) == 0 : mode != ECHO;
  c->upgraded = true;
  if (c->broadcasts)
    join(c);
  client_send(c, (const unsigned char *)answer, strlen(answer));
}

static void take(struct client *c, unsigned char *bytes, size_t len)
{
  if (c->in_len == 0 && c->upgraded && !c->broadcasts && !deflates) {
    echo(c, bytes, len);
    return;
  }
  unsigned char *kept = NULL;
  if (c->in_len > 0) {
    kept = c->in;
    size_t all = c->in_len;
    c->in = NULL;
    c->in_len = 0;
    keep(&kept, &all, bytes, len);
    bytes = kept;
    len = all;
  }
  if (!c->upgraded)
    upgrade(c, (const char *)bytes, len);
  else if (deflates)
    exchange_packed(c, bytes, len);
  else
    broadcast(c, bytes, len);
  free(kept);
}

/* Reads until there is no more, or what came before could not all be sent back. */
static void read_all(struct client *c)
{
  while (!c->ended && (c->out_len == 0 || c->broadcasts)) {
    size_t before = c->header_len;
    memcpy(room, c->header, before);
    ssize_t got = recv(c->fd, room + before, READ, 0);
    if (got <= 0) {
      c->ended |= got == 0 || errno != EAGAIN;
      return;
    }
    c->header_len = 0;
    take(c, room, before + (size_t)got);
    if (got < READ && !c->hung_up)
      return;
  }
}

static void accept_all(int listener)
{
  int fd, on = 1;
  while ((fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC)) >= 0) {
    struct client *c = calloc(1, sizeof *c);
    c->fd = fd;
    if (!local)
      setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    watch(c, EPOLL_CTL_ADD);
  }
}

static void serve(int listener)
{
  struct epoll_event events[EVENTS];
  for (;;) {
    int count = epoll_wait(epoll, events, EVENTS, -1);
    for (int i = 0; i < count; i++) {
      struct client *c = events[i].data.ptr;
      if (c == NULL) {
        accept_all(listener);
        continue;
      }
      c->hung_up |= (events[i].events & (EPOLLRDHUP | EPOLLHUP | EPOLLERR)) != 0;
      if (c->out_len > 0)
        flush(c);
      read_all(c);
      if (c->ended && c->out_len == 0)
        leave(c);
    }
  }
}

/* Returns the listener, or -1 with errno. */
static int listen_at(const char *port)
{
  int on = 1;
  struct sockaddr_in tcp = {.sin_family = AF_INET, .sin_port = htons((uint16_t)atoi(port))};
  struct sockaddr_un path = {.sun_family = AF_UNIX};
  tcp.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  strncpy(path.sun_path, port, sizeof path.sun_path - 1);
  local = strchr(port, '/') != NULL;
  int fd = socket(local ? AF_UNIX : AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  int bound = local ? bind(fd, (struct sockaddr *)&path, sizeof path)
                    : bind(fd, (struct sockaddr *)&tcp, sizeof tcp);
  return bound == 0 && listen(fd, 4096) == 0 ? fd : -1;
}

int main(int argc, char **argv)
{
  static const char *const names[] = {"echo", "all", "others", "loop", "bystander"};
  int chosen = 0;
  while (argc >= 3 && chosen < 5 && strcmp(argv[2], names[chosen]) != 0)
    chosen++;
  if (argc < 3 || chosen == 5) {
    fputs("usage: raw PORT MODE [shared]\n", stderr);
    return 2;
  }
  deflates = argc > 3 && strcmp(argv[3], "shared") == 0;
  if (deflates)
    raw_deflate_begin();
  mode = (enum mode)chosen;
  int listener = listen_at(argv[1]);
  if (listener < 0) {
    perror("raw");
    return 1;
  }
  epoll = epoll_create1(EPOLL_CLOEXEC);
  struct epoll_event event = {.events = EPOLLIN};
  epoll_ctl(epoll, EPOLL_CTL_ADD, listener, &event);
  puts("listening");
  fflush(stdout);
  serve(listener);
}
