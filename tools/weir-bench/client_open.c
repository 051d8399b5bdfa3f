/* From a socket to a connection that is ready for messages. */
#include "deflated.h"
#include "tls.h"
#include "worker.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { HEAD_MAX = 8192 };

/* Takes a source address of 127.0.0.0/8 by turns: each has ports of its own. */
static int bind_source(const struct client *client, int fd)
{
  const int on = 1;
  unsigned addresses = client->worker->load->settings->addresses;
  if (addresses < 2 || client->worker->load->address.ss_family != AF_INET)
    return 0;
  struct sockaddr_in source = {
      .sin_family = AF_INET,
      .sin_addr.s_addr = htonl(INADDR_LOOPBACK + client->index % addresses),
  };
  setsockopt(fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &on, sizeof on);
  return bind(fd, (struct sockaddr *)&source, sizeof source) == 0 ? 0 : -errno;
}

static bool is_local(const struct client *client)
{
  return client->worker->load->address.ss_family == AF_UNIX;
}

/* Returns the descriptor of a socket that connects, or -errno. */
static int open_socket(const struct client *client)
{
  const struct load *load = client->worker->load;
  const int on = 1;
  int fd = socket(load->address.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (fd < 0)
    return -errno;
  if (!is_local(client))
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  int error = bind_source(client, fd);
  if (error == 0 && connect(fd, (const struct sockaddr *)&load->address, load->address_len) < 0 &&
      errno != EINPROGRESS)
    error = -errno;
  if (error == 0)
    return fd;
  close(fd);
  return error;
}

static void forget_past(struct client *client)
{
  struct place start = {0};
  client->stalled = client->excused = client->close_came = client->spoiled = client->passed = false;
  client->retiring = client->gates = false;
  client->place = start;
  client->allowed = client->first = client->next = client->tallied = 0;
  client->got = 0;
  client->control_in_len = client->control_len = 0;
  memset(&client->parser, 0, sizeof client->parser);
}

/* Hands the socket to the loop; fd below 0 is -errno: why there is none. */
static void watch(struct client *client, int fd)
{
  struct worker *worker = client->worker;
  if (fd < 0) {
    client_fail(client, "connect: %s", strerror(-fd));
    return;
  }
  bool secure = worker->load->tls != NULL;
  client->stream.ops = secure ? &tls_stream : &weir__stream_tcp;
  client->stream.source.ops = secure ? &tls_client_ops : &client_ops;
  int error = weir__loop_watch(worker->loop, &client->stream.source, fd,
                               EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLPRI);
  if (error < 0) {
    close(fd);
    client->stream.source.fd = -1;
    client_fail(client, "watch: %s", strerror(-error));
    return;
  }
  client->stream.source.writable = 0; /* until the connection stands */
  client->stream.source.exhaust = is_local(client);
}

void client_connect(struct client *client)
{
  struct worker *worker = client->worker;
  forget_past(client);
  client->state = CLIENT_CONNECTING;
  worker->connecting++;
  client->since_ns = clock_ns();
  client->stream.source.fd = -1;
  worker_wait(worker, client);
}

bool client_knock(struct client *client)
{
  struct worker *worker = client->worker;
  int fd = open_socket(client);
  if (fd == -EAGAIN && is_local(client))
    return false;
  weir__list_remove(&client->link);
  weir__list_push_back(&worker->opening, &client->link);
  client->since_ns = clock_ns();
  watch(client, fd);
  return true;
}

static bool send_request(struct client *client)
{
  struct worker *worker = client->worker;
  const struct settings *settings = worker->load->settings;
  const char *path = client->role->side ? settings->side_path : settings->path;
  uint32_t random[4];
  for (int i = 0; i < 4; i++)
    random[i] = worker_random(worker);
  weir__client_key((unsigned char *)random, client->key);
  size_t len =
      weir__client_request((char *)worker->out, OUT_BYTES, worker->load->host, path, client->key,
                           settings->compress ? offer_fields(settings->no_takeover) : "");
  ssize_t n = client->stream.ops->send(&client->stream, &weir__sys_linux, worker->out, len);
  if (n == (ssize_t)len) {
    worker->counts.bytes_sent += (uint64_t)n;
    return true;
  }
  client_fail(client, "the request could not be sent: %s",
              n < 0 ? strerror((int)-n) : "the socket took a part only");
  return false;
}

/* The socket has connected. */
static bool connected(struct client *client)
{
  int error = 0;
  socklen_t len = sizeof error;
  if (!client->stream.source.writable && !client->stream.source.exhaust)
    return false;
  getsockopt(client->stream.source.fd, SOL_SOCKET, SO_ERROR, &error, &len);
  if (error != 0) {
    client_fail(client, "connect: %s", strerror(error));
    return false;
  }
  return true;
}

bool client_begin(struct client *client)
{
  enum tls_step step = TLS_DONE;
  if (client->state == CLIENT_CONNECTING) {
    if (!connected(client))
      return false;
    client->state = CLIENT_SECURING;
    if (client->worker->load->tls != NULL)
      step = tls_begin(client);
  } else {
    step = tls_handshake(client);
  }
  if (step != TLS_DONE)
    return false;
  client->state = CLIENT_UPGRADING;
  return send_request(client);
}

/* What has come of the head so far, joined; NULL: too much. */
static const char *join_head(struct client *client, const char *data, size_t len)
{
  if (client->head == NULL && weir__client_head_length(data, len) > 0)
    return data;
  if (client->head_len + len > HEAD_MAX)
    return NULL;
  if (client->head == NULL && (client->head = malloc(HEAD_MAX)) == NULL)
    return NULL;
  memcpy(client->head + client->head_len, data, len);
  return client->head;
}

static void opened(struct client *client)
{
  struct worker *worker = client->worker;
  weir__list_remove(&client->link);
  worker->connecting--;
  worker->open++;
  client->state = CLIENT_OPEN;
  if (!client->counted)
    worker->finished++;
  client->counted = true;
  if (client->role->opened)
    client->role->opened(client);
  worker_make(worker);
}

void client_settled(struct client *client)
{
  if (client->state == CLIENT_SETTLING)
    opened(client);
}

/* Begins what the server has agreed to. False: the client is gone. */
static bool take_offer(struct client *client, const struct weir__http_head *head)
{
  struct offer offer;
  char text[80];
  const char *wrong = offer_read(&offer, head, client->worker->load->settings->no_takeover);
  if (wrong == NULL && !deflated_open(client, &offer))
    wrong = "out of memory";
  if (wrong != NULL) {
    client_fail(client, "%s", wrong);
    return false;
  }
  load_agreed_compression(client->worker->load, offer_text(&offer, text, sizeof text));
  return true;
}

static bool judge_head(struct client *client, const char *data, size_t len)
{
  const char *reason;
  struct weir__http_head head;
  bool compress = client->worker->load->settings->compress;
  int status = compress ? weir__client_check_offer(&head, data, len, client->key, &reason)
                        : weir__client_check(data, len, client->key, &reason);
  if (status == 101)
    return !compress || take_offer(client, &head);
  if (status > 0)
    client_fail(client, "%s with status %d", reason, status);
  else
    client_fail(client, "%s", reason);
  return false;
}

bool client_upgrade(struct client *client, const char *data, size_t len, size_t *used)
{
  size_t before = client->head_len;
  size_t room = len < HEAD_MAX - before ? len : HEAD_MAX - before;
  const char *head = join_head(client, data, room);
  size_t head_len = head ? weir__client_head_length(head, before + room) : 0;
  *used = room;
  if (head == NULL || (head_len == 0 && before + room == HEAD_MAX)) {
    client_fail(client, "The response to the upgrade is longer than %d bytes", HEAD_MAX);
    return false;
  }
  if (head_len == 0) {
    client->head_len += room;
    return true;
  }
  if (!judge_head(client, head, head_len))
    return false;
  *used = head_len - before;
  free(client->head);
  client->head = NULL;
  client->head_len = 0;
  client->worker->counts.opened++;
  client->worker->counts.resumed += tls_is_resumed(client);
  if (!client->role->settle) {
    opened(client);
    return true;
  }
  client->state = CLIENT_SETTLING;
  client_control(client, WEIR__PING, "settle", 6);
  return true;
}
