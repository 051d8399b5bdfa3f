/* What goes to the server: messages are made again from their numbers whenever the socket takes
 * more, so that nothing unsent is kept, and all that may go leaves in one send. HOT. */
#include "deflated.h"
#include "worker.h"

#include "wire/mask.h"

#include <errno.h>
#include <string.h>

/* A frame of a message. */
struct frame {
  size_t begin, len; /* its part of the message */
  uint32_t key;
  uint8_t first; /* byte */
};

/* Differs from frame to frame, comes out the same when the frame is made again, and is never 0. */
static uint32_t frame_key(uint32_t index, uint64_t seq, uint32_t frame)
{
  uint64_t x = (seq << 20 ^ (uint64_t)index << 44 ^ frame) * UINT64_C(0x9E3779B97F4A7C15);
  x = (x ^ x >> 32) * UINT64_C(0xBF58476D1CE4E5B9);
  uint32_t key = (uint32_t)(x >> 32);
  return key != 0 ? key : 1;
}

static inline uint8_t first_byte(const struct load *load)
{
  return load->settings->kind == KIND_BINARY ? WEIR__BINARY : WEIR__TEXT;
}

/* The bytes that the connection sends as its seq'th message, where they were compressed. */
static const unsigned char *squeezed(const struct client *client, uint64_t seq, size_t *len)
{
  uint64_t number = payload_number(&client->worker->load->payload, client->index, seq);
  return squeezed_at(client->deflated->out, number, len);
}

static inline struct frame frame_at(const struct client *client, const struct load *load,
                                    const struct place *place)
{
  uint64_t frames = load->settings->fragments > 1 ? load->settings->fragments : 1;
  size_t size = load->payload.size;
  if (client->deflated != NULL)
    squeezed(client, place->seq, &size);
  struct frame frame = {.len = size};
  if (frames > 1) {
    frame.begin = size * place->frame / frames;
    frame.len = size * (place->frame + 1) / frames - frame.begin;
  }
  frame.key = frame_key(client->index, place->seq, place->frame);
  frame.first = place->frame == 0 ? first_byte(load) : WEIR__CONTINUATION;
  if (place->frame == 0 && client->deflated != NULL)
    frame.first |= WEIR__RSV1;
  if (place->frame + 1 >= frames)
    frame.first |= WEIR__FIN;
  return frame;
}

static inline void next_frame(const struct load *load, struct place *place)
{
  place->at = 0;
  if (++place->frame >= load->settings->fragments) {
    place->frame = 0;
    place->seq++;
  }
}

/* Writes bytes at to at + len of a message. */
static void copy(const struct client *client, uint64_t seq, size_t at, size_t len,
                 unsigned char *out)
{
  size_t size;
  if (client->deflated != NULL)
    memcpy(out, squeezed(client, seq, &size) + at, len);
  else
    payload_copy(&client->worker->load->payload, client->index, seq, at, len, out);
}

/* Writes what fits of the frame at place, and moves place on. Returns how much it was. */
static size_t fill_frame(const struct client *client, struct place *place, unsigned char *out,
                         size_t room)
{
  const struct load *load = client->worker->load;
  struct frame frame = frame_at(client, load, place);
  unsigned char header[WEIR__HEADER_MAX];
  size_t header_len = weir__header_encode_masked(header, frame.first, frame.len, frame.key);
  size_t put = 0;
  if (place->at < header_len) {
    put = header_len - place->at < room ? header_len - place->at : room;
    memcpy(out, header + place->at, put);
    place->at += put;
  }
  if (place->at >= header_len) {
    size_t at = place->at - header_len;
    size_t len = frame.len - at < room - put ? frame.len - at : room - put;
    copy(client, place->seq, frame.begin + at, len, out + put);
    weir__unmask(out + put, len, weir__mask_rotate(frame.key, at));
    put += len;
    place->at += len;
  }
  if (place->at == header_len + frame.len)
    next_frame(load, place);
  return put;
}

/* Writes whole messages of one frame, as many as may go and surely fit: what most sends are. */
static size_t fill_whole(const struct client *client, struct place *place, unsigned char *out,
                         size_t room)
{
  const struct load *load = client->worker->load;
  const struct payload *payload = &load->payload;
  uint8_t first = first_byte(load);
  size_t size = payload->size, put = 0;
  if (load->settings->fragments > 1 || place->at > 0 || !payload->whole)
    return 0;
  while (place->seq < client->allowed && room - put >= WEIR__HEADER_MAX + size) {
    uint32_t key = frame_key(client->index, place->seq, 0);
    put += weir__header_encode_masked(out + put, first | WEIR__FIN, size, key);
    memcpy(out + put, payload_window(payload, client->index, place->seq), size);
    weir__unmask(out + put, size, key);
    put += size;
    place->seq++;
  }
  return put;
}

/* Moves the client's place on by what was sent of a larger fill. */
static void advance(struct client *client, size_t sent)
{
  const struct load *load = client->worker->load;
  while (sent > 0) {
    struct frame frame = frame_at(client, load, &client->place);
    size_t left = weir__header_size(frame.len) + 4 + frame.len - client->place.at;
    if (sent < left) {
      client->place.at += sent;
      return;
    }
    sent -= left;
    next_frame(load, &client->place);
  }
}

bool client_is_amid(const struct client *client)
{
  return client->place.at > 0 || client->place.frame > 0;
}

void client_cut(struct client *client)
{
  uint64_t begun = client->place.seq + client_is_amid(client);
  if (client->allowed > begun)
    client->allowed = begun;
}

/* Notes when messages begin that the next send holds; threads of a broadcast's receivers read it.
 */
static void stamp(struct client *client, const struct place *after)
{
  uint64_t now_ns = clock_ns();
  uint64_t end = after->seq + (after->at > 0 || after->frame > 0);
  for (uint64_t seq = client->place.seq + client_is_amid(client); seq < end; seq++)
    __atomic_store_n(&client->stamps[seq & client->worker->stamp_mask], now_ns, __ATOMIC_RELAXED);
}

/* Hands bytes to the socket. Returns how many it took; -1 when the connection is gone. */
static ssize_t push(struct client *client, unsigned char *data, size_t len)
{
  ssize_t n = client->stream.ops->send(&client->stream, &weir__sys_linux, data, len);
  if (n == -EAGAIN)
    return 0;
  if (n < 0) {
    client_hung_up(client, (int)n);
    return -1;
  }
  client->worker->counts.bytes_sent += (uint64_t)n;
  return n;
}

/* Sends one fill: what may go of the messages, or the frame in hand alone. */
static bool push_messages(struct client *client, bool frame_only)
{
  struct worker *worker = client->worker;
  struct place place = client->place;
  size_t len = frame_only ? 0 : fill_whole(client, &place, worker->out, OUT_BYTES);
  while (len == 0 || (!frame_only && place.seq < client->allowed && len < OUT_BYTES))
    len += fill_frame(client, &place, worker->out + len, OUT_BYTES - len);
  if (client->stamps != NULL)
    stamp(client, &place);
  uint64_t before = client->place.seq;
  ssize_t n = push(client, worker->out, len);
  if (n < 0)
    return false;
  if ((size_t)n == len)
    client->place = place;
  else
    advance(client, (size_t)n);
  worker->counts.messages_sent += client->place.seq - before;
  return true;
}

/* Control frames go between frames. */
static bool push_control(struct client *client)
{
  if (client->place.at > 0 && !push_messages(client, true))
    return false;
  if (client->place.at > 0)
    return true;
  ssize_t n = push(client, client->control, client->control_len);
  if (n < 0)
    return false;
  client->control_len -= (uint8_t)n;
  memmove(client->control, client->control + n, client->control_len);
  return true;
}

bool client_flush(struct client *client)
{
  while (client->control_len > 0 && client->stream.source.writable)
    if (!push_control(client))
      return false;
  if (client->state != CLIENT_OPEN)
    return true;
  while (client->place.seq < client->allowed && client->control_len == 0 &&
         client->stream.source.writable)
    if (!push_messages(client, false))
      return false;
  return true;
}

void client_control(struct client *client, uint8_t opcode, const void *data, size_t len)
{
  unsigned char *out = client->control + client->control_len;
  uint32_t key = worker_random(client->worker);
  if (client->control_len + WEIR__HEADER_MIN + len > sizeof client->control)
    return;
  size_t size = weir__header_encode_masked(out, WEIR__FIN | opcode, len, key);
  memcpy(out + size, data, len);
  weir__unmask(out + size, len, key);
  client->control_len += (uint8_t)(size + len);
}
