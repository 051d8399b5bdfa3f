/* A request while a callback has it, or kept beyond that, and the response that is made to it. */
#ifndef WEIR_WS_REQUEST_H
#define WEIR_WS_REQUEST_H

#include <weir/http.h>

#include "base/builder.h"
#include "io/loop.h"
#include "wire/http.h"

#ifdef __cplusplus
extern "C" {
#endif

struct weir_conn;
struct weir__kept;
struct weir__route;
struct weir__shard;

enum { WEIR__RESPONSE_FIELDS_MAX = 8 << 10 };

struct weir_request {
  struct weir_conn *conn; /* of a kept one NULL once it can be answered no more */
  const struct weir__http_head *head;
  struct weir_slice raw;           /* the head's bytes, in which its slices lie */
  const struct weir__route *route; /* of a kept one good while it can be answered */
  struct weir__pool *pool;
  struct weir__kept *kept;       /* it is a kept one's part, or there is a kept copy; else NULL */
  size_t move_to;                /* the index of a loop, and 1; 0: it stays */
  uint16_t listener;             /* the index of the one that it came by */
  const char *protocol;          /* selected; NULL: none */
  struct weir__builder selected; /* by the hook: what protocol points to, with its NUL */
  struct weir__builder fields;   /* whole lines */
  struct weir__builder type, body;
  void *decoded; /* blocks of decoded text, linked through their first word */
};

/* Where the answer to a kept request stands. It moves forward by whoever answers, and to GONE by
 * the loop, which wins or loses by one atomic exchange. */
enum weir__kept_state {
  WEIR__KEPT_OPEN = 0, /* nothing was said yet */
  WEIR__KEPT_ANSWERED, /* status says how; the loop is to send it */
  WEIR__KEPT_BEGUN,    /* a response is being streamed */
  WEIR__KEPT_ENDED,    /* all of it was given */
  WEIR__KEPT_GONE,     /* the peer is gone, or a deadline passed */
};

enum { WEIR__STATUS_ACCEPT = 101 };

/* A kept request. What its text needs comes from a pool of its own, so that any thread may add to
 * it. */
struct weir__kept {
  struct weir_request request; /* the first: one is the other */
  uint32_t refs;               /* atomic */
  uint32_t state;              /* atomic, enum weir__kept_state */
  uint32_t drain_due;          /* atomic: on_drain is due once nothing is queued */
  int status;                  /* ANSWERED: an HTTP status; WEIR__STATUS_ACCEPT accepts */
  struct weir__mem mem;
  struct weir__pool pool;
  struct weir__shard *shard;    /* good while it can be answered */
  size_t loop;                  /* that one's index */
  struct weir__post post, end;  /* hand over an answer, and the end of a streamed one */
  struct weir__builder arrived; /* the request's body, so far */
  const char *pattern;          /* a copy of the route's, which may be gone before this is */
  struct weir_peer peer;
  int peer_error; /* 0: peer is known */
  void *user;

  /* a streamed response */
  uint64_t announced; /* WEIR__UNANNOUNCED: nothing was */
  uint64_t left;      /* of that; the application's until it said that the response ends */
  size_t in_flight;   /* atomic: bytes on their way to the loop */
  size_t pieces;      /* atomic: and what carries them, the end too */
  size_t queued;      /* atomic: bytes of the connection's queue */
  bool chunked;       /* it is sent in chunks */
  bool bodiless;      /* its pieces are counted and not sent: HEAD, 204, 304 */
  bool taken;         /* the application kept it */
  bool asked;         /* and said that it answers later */
  bool whole;         /* all of a streamed response is queued */
  bool moving;        /* it goes to another loop */
  bool fresh;         /* it came from one: its handler is to be called again */
  bool headed;        /* its response's head is queued, or has left */
  bool last;          /* the connection ends with its response */
};

#define WEIR__UNANNOUNCED UINT64_MAX

/* The kept one that a request is the part of; NULL: it is lent. */
static inline struct weir__kept *weir__request_own(const struct weir_request *r)
{
  struct weir__kept *kept = r->kept;
  return kept != NULL && &kept->request == r ? kept : NULL;
}

/* The request whose response is meant: the kept copy, where there is one. */
static inline struct weir_request *weir__request_at(struct weir_request *r)
{
  return r->kept == NULL ? r : &r->kept->request;
}

/* A kept copy with one reference; NULL when there is no memory. */
struct weir__kept *weir__request_copy(struct weir_request *request);

/* Takes it off its connection; whether it was still to be answered: then that can be done no more.
 */
bool weir__kept_detach(struct weir__kept *kept);

/* The loop says how it is answered, before anybody else does. */
bool weir__kept_claim(struct weir__kept *kept);

/* Why it cannot be answered: -EALREADY, -ESTALE or, because it can, 0. */
int weir__kept_why_not(const struct weir__kept *kept);

/* Where it stands. */
static inline enum weir__kept_state weir__kept_state(const struct weir__kept *kept)
{
  return (enum weir__kept_state)__atomic_load_n(&kept->state, __ATOMIC_SEQ_CST);
}

/* Gives back all that a lent request holds. */
void weir__request_drop(struct weir_request *request);

#ifdef __cplusplus
}
#endif

#endif
