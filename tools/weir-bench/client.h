/* A connection of the load: made, upgraded, sending messages that it can make again at any byte,
 * so that none is kept, and checking what comes. Files: client_open.c, client_in.c, client_out.c,
 * client_close.c. */
#ifndef WEIR_BENCH_CLIENT_H
#define WEIR_BENCH_CLIENT_H

#include "wire/client_handshake.h"
#include "wire/client_parser.h"

#include "base/list.h"
#include "io/stream.h"

#ifdef __cplusplus
extern "C" {
#endif

struct deflated;
struct role;
struct tls;
struct worker;

enum client_state {
  CLIENT_NONE,
  CLIENT_CONNECTING,
  CLIENT_SECURING, /* in the TLS handshake */
  CLIENT_UPGRADING,
  CLIENT_SETTLING, /* a ping is on its way */
  CLIENT_OPEN,
  CLIENT_CLOSING /* our Close is queued or sent */
};

/* A byte of what a client sends: of a frame of a message, its header first. */
struct place {
  uint64_t seq;
  uint64_t at;
  uint32_t frame;
};

struct client {
  struct weir__stream stream;
  struct worker *worker;
  const struct role *role;
  struct weir__link link; /* of the worker's lists */
  uint64_t since_ns;      /* when it began what it is at */
  uint64_t began_ns;      /* when it was to connect */
  uint32_t index;         /* over all threads: names what it sends */
  uint32_t from;          /* whose messages it receives */
  uint8_t state;          /* enum client_state */
  bool stalled;           /* does not read */
  bool excused;           /* the server may close it */
  bool close_came;        /* a Close frame */
  bool retiring;          /* is closed as soon as all that it sent was answered */
  bool gates;             /* a broadcast waits for it */
  bool counted;           /* among the worker's finished */
  bool spoiled;           /* the message that is coming is not right */
  bool passed;            /* and is none that is due: nothing of it counts */

  struct place place; /* the next byte to send */
  uint64_t allowed;   /* messages that may be sent: those below this number */
  uint64_t first;     /* of an open loop: the message that round 0 sent */
  uint64_t next;      /* the message that is due to come */
  size_t got;         /* bytes of it that came */
  uint64_t tallied;   /* of a broadcast: messages below this number count as received */
  uint64_t *stamps;   /* when messages were sent, by number modulo the worker's mask; or NULL */

  struct weir__client_parser parser;
  unsigned char control_in[WEIR__CONTROL_MAX];
  unsigned char control[160]; /* control frames to send */
  uint8_t control_in_len, control_len;
  char key[WEIR__CLIENT_KEY_LEN];
  struct tls *tls;           /* NULL: a plain connection */
  struct deflated *deflated; /* NULL: nothing is compressed */
  char *head;                /* a response head that came in parts; NULL: none */
  size_t head_len;
};

extern const struct weir__source_ops client_ops;

/* Makes the connection anew. What fails is counted and noted. */
void client_connect(struct client *client);

/* Connects one of those that wait. False: it still waits, as a unix socket's backlog is full, and
 * the kernel will not tell when it is not. */
bool client_knock(struct client *client);

/* Goes on while the connection is not ready for the request: when the socket has connected, and
 * when TLS stands, which is when it sends the request. False: it has to wait, or has failed and is
 * gone. */
bool client_begin(struct client *client);

/* Takes what came as an answer to the request; *used of it. False: the client is gone. */
bool client_upgrade(struct client *client, const char *data, size_t len, size_t *used);

/* The pong for the settling ping came. */
void client_settled(struct client *client);

/* Takes frames. False: the client is gone. */
bool client_frames(struct client *client, unsigned char *data, size_t len);

/* The parts of that: a message came whole and is the one due; a piece of a message, which is
 * compared; the message that is coming is wrong, by a sentence's end. */
void client_due(struct client *client);
void client_judge(struct client *client, const struct weir__event *event);
void client_spoil(struct client *client, const char *why);

/* Sends what may be sent. False: the client is gone. */
bool client_flush(struct client *client);

/* Queues a control frame; one that finds no room is left out. */
void client_control(struct client *client, uint8_t opcode, const void *data, size_t len);

/* Whether a message is partly sent. */
bool client_is_amid(const struct client *client);

/* Sends no message that has not been begun. */
void client_cut(struct client *client);

/* Begins the closing handshake. */
void client_close(struct client *client);

/* Ends the connection: as it should be, or as a failure with a sentence. */
void client_end(struct client *client, bool clean);
void client_fail(struct client *client, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* Frees what a connection has of its own. */
void client_free(struct client *client);

/* The server's end of the stream came (error 0), or an error. */
void client_hung_up(struct client *client, int error);

/* Reads and sends again after a stall. */
void client_resume(struct client *client);

#ifdef __cplusplus
}
#endif

#endif
