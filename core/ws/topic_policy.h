/* What a message is queued under: the policy of its topic, where that has one, or its connection's.
 * Topics get policies by the prefixes of their names. */
#ifndef WEIR_WS_TOPIC_POLICY_H
#define WEIR_WS_TOPIC_POLICY_H

#include "ws/topic.h"

#ifdef __cplusplus
extern "C" {
#endif

struct weir_server;

struct weir__terms {
  uint8_t policy; /* enum weir_queue_policy */
  uint32_t key;   /* of what it is the latest; 0: of nothing */
};

/* What is published to topics with a prefix has a policy of its own. */
struct weir__topic_rule {
  uint8_t policy; /* enum weir_queue_policy */
  uint8_t len;
  char prefix[WEIR__TOPIC_MAX];
};

/* The terms of a message published to a topic, on a connection. */
struct weir__terms weir__topic_terms(const struct weir_server *server, struct weir__topic *topic,
                                     const struct weir_conn *c);

/* Frees the server's rules. */
void weir__server_free_topic_rules(struct weir_server *server);

#ifdef __cplusplus
}
#endif

#endif
