#include "deflated.h"

#include "worker.h"

#include <stdlib.h>
#include <string.h>

enum {
  ROOM = 64 << 10,
  SLACK = 64 << 10, /* by which a compressed message may be longer than twice its payload */
  HELD_LEAST = 4096,
  AT_BORDER = 128 /* of data_type: all blocks that were begun have ended */
};

/* ---- beginning and end */

static struct inflater *inflater_new(size_t count)
{
  struct inflater *inflater = calloc(1, sizeof *inflater);
  if (inflater == NULL)
    return NULL;
  inflater->count = count;
  inflater->room = malloc(ROOM);
  inflater->known = calloc(count, sizeof *inflater->known);
  if (inflater->room != NULL && inflater->known != NULL &&
      inflateInit2(&inflater->stream, -MAX_WBITS) == Z_OK)
    return inflater;
  inflater_free(inflater);
  return NULL;
}

void inflater_free(struct inflater *inflater)
{
  if (inflater == NULL)
    return;
  for (size_t i = 0; inflater->known != NULL && i < inflater->count; i++)
    free(inflater->known[i].bytes);
  free(inflater->known);
  free(inflater->room);
  inflateEnd(&inflater->stream);
  free(inflater);
}

/* All threads share the messages for a window: who needs them first compresses them. */
static const struct squeezed *messages(struct load *load, uint8_t client_bits)
{
  uint8_t bits = squeezed_bits(&load->payload, client_bits);
  pthread_mutex_lock(&load->lock);
  if (load->squeezed[bits] == NULL)
    load->squeezed[bits] = squeezed_new(&load->payload, bits);
  const struct squeezed *found = load->squeezed[bits];
  pthread_mutex_unlock(&load->lock);
  return found;
}

bool deflated_open(struct client *client, const struct offer *offer)
{
  struct worker *worker = client->worker;
  struct deflated *deflated = calloc(1, sizeof *deflated);
  if (deflated == NULL)
    return false;
  client->deflated = deflated;
  deflated->bits = offer->server_bits;
  deflated->out = messages(worker->load, offer->client_bits);
  if (worker->inflater == NULL)
    worker->inflater = inflater_new((size_t)worker->load->payload.mask + 1);
  if (deflated->out == NULL || worker->inflater == NULL)
    return false;
  if (offer->server_takeover && inflateInit2(&deflated->own, -offer->server_bits) != Z_OK)
    return false;
  deflated->takeover = offer->server_takeover;
  client->parser.rsv1 = true;
  return true;
}

void deflated_close(struct client *client)
{
  struct deflated *deflated = client->deflated;
  if (deflated == NULL)
    return;
  client->deflated = NULL;
  if (deflated->takeover)
    inflateEnd(&deflated->own);
  free(deflated->held);
  free(deflated);
}

/* ---- a message that comes in parts */

static void hold(struct deflated *deflated, const struct weir__event *event, size_t most)
{
  size_t need = deflated->held_len + event->len;
  if (need > most)
    deflated->flooded = true;
  if (need > deflated->held_room && !deflated->flooded) {
    size_t room = need < HELD_LEAST ? HELD_LEAST : 2 * need;
    unsigned char *grown = realloc(deflated->held, room);
    deflated->flooded = grown == NULL;
    deflated->held = grown != NULL ? grown : deflated->held;
    deflated->held_room = grown != NULL ? room : deflated->held_room;
  }
  if (deflated->flooded)
    return;
  memcpy(deflated->held + deflated->held_len, event->data, event->len);
  deflated->held_len = need;
}

/* ---- inflating */

/* Where the pieces of a message go. */
struct sink {
  struct client *client; /* NULL: nowhere */
  struct weir__event piece;
};

static void give(struct sink *sink, size_t len)
{
  sink->piece.len = len;
  if (sink->client != NULL)
    client_judge(sink->client, &sink->piece);
  sink->piece.first = false;
}

/* Inflates bytes of a message. Behind a final block the next begins anew (RFC 7692 section
 * 7.2.3.4). Returns NULL, or what is wrong. */
static const char *expand(struct sink *sink, z_stream *stream, const unsigned char *data,
                          size_t len)
{
  stream->next_in = (unsigned char *)data;
  stream->avail_in = (uInt)len;
  do {
    stream->next_out = sink->piece.data;
    stream->avail_out = ROOM;
    int came = inflate(stream, Z_SYNC_FLUSH);
    if (came != Z_OK && came != Z_BUF_ERROR && came != Z_STREAM_END)
      return stream->msg != NULL ? stream->msg : "zlib refuses it";
    if (stream->avail_out < ROOM)
      give(sink, ROOM - stream->avail_out);
    if (came == Z_STREAM_END)
      inflateReset(stream);
  } while (stream->avail_in > 0 || stream->avail_out == 0);
  return NULL;
}

/* The same of a whole message, with its end. */
static const char *expand_all(struct sink *sink, z_stream *stream, const unsigned char *data,
                              size_t len)
{
  static const unsigned char tail[] = {0x00, 0x00, 0xFF, 0xFF};
  const char *wrong = expand(sink, stream, data, len);
  if (wrong == NULL)
    wrong = expand(sink, stream, tail, sizeof tail);
  if (wrong == NULL && (stream->data_type & AT_BORDER) == 0)
    wrong = "it ends inside a block";
  return wrong;
}

static const char *inflate_message(struct client *client, struct sink *sink,
                                   const unsigned char *data, size_t len)
{
  struct deflated *deflated = client->deflated;
  z_stream *stream = deflated->takeover ? &deflated->own : &client->worker->inflater->stream;
  if (!deflated->takeover)
    inflateReset2(stream, -deflated->bits);
  const char *wrong = expand_all(sink, stream, data, len);
  if (wrong != NULL)
    inflateReset(stream);
  return wrong;
}

/* ---- judging */

static struct known *known_of(const struct client *client)
{
  const struct payload *payload = &client->worker->load->payload;
  return &client->worker->inflater->known[payload_number(payload, client->from, client->next)];
}

static void learn(struct known *known, const unsigned char *data, size_t len)
{
  unsigned char *bytes = realloc(known->bytes, len > 0 ? len : 1);
  if (bytes == NULL)
    return;
  memcpy(bytes, data, len);
  *known = (struct known){bytes, len};
}

static void judge(struct client *client, const unsigned char *data, size_t len)
{
  struct deflated *deflated = client->deflated;
  struct counts *counts = &client->worker->counts;
  struct known *known = deflated->takeover ? NULL : known_of(client);
  if (known != NULL && known->bytes != NULL && known->len == len && !deflated->flooded &&
      memcmp(known->bytes, data, len) == 0) {
    client_due(client);
    return;
  }
  uint64_t due = client->next, errors = counts->wrong + counts->lost;
  struct sink sink = {client, {.data = client->worker->inflater->room, .first = true}};
  const char *wrong =
      deflated->flooded ? "it does not come to its end" : inflate_message(client, &sink, data, len);
  if (wrong != NULL)
    client_spoil(client, wrong);
  sink.piece.last = true;
  give(&sink, 0);
  if (known != NULL && client->next == due + 1 && counts->wrong + counts->lost == errors)
    learn(known, data, len);
}

void deflated_take(struct client *client, const struct weir__event *event)
{
  struct deflated *deflated = client->deflated;
  const unsigned char *data = event->data;
  size_t len = event->len, most = 2 * client->worker->load->payload.size + SLACK;
  if (event->first) {
    deflated->held_len = 0;
    deflated->flooded = false;
  }
  if (!event->first || !event->last) {
    hold(deflated, event, most);
    data = deflated->held;
    len = deflated->held_len;
  } else if (len > most) {
    deflated->flooded = true;
  }
  if (!event->last)
    return;
  client->worker->counts.compressed++;
  if (client->state == CLIENT_OPEN && client->role->message != NULL) {
    judge(client, data, len);
  } else if (deflated->takeover && !deflated->flooded) {
    struct sink nowhere = {NULL, {.data = client->worker->inflater->room}};
    inflate_message(client, &nowhere, data, len);
  }
}
