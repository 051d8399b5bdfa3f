/* What a message is queued under: the policy of its topic, where that has one, or its connection's.
 * Topics get policies by the prefixes of their names. */
#ifndef WEIR_WS_TOPIC_POLICY_H
#define WEIR_WS_TOPIC_POLICY_H

#include "ws/topic.h"

#ifdef __cplusplus
extern "C" {
#endif

struct weir_server;

/* What is published to topics with a prefix has a policy of its own. */
struct weir__topic_rule {
  uint8_t policy; /* enum weir_queue_policy */
  uint8_t len;
  char prefix[WEIR__TOPIC_MAX];
};

/* Finds the topic's policy among the server's rules, once in its life. */
void weir__topic_look_up(const struct weir_server *server, struct weir__topic *topic);

/* The policy of a message that is published to a topic, which was looked up, or to none (NULL), on
 * a connection whose own this is. */
static inline unsigned weir__topic_policy(const struct weir__topic *topic, unsigned own)
{
  return topic == NULL || topic->policy == WEIR__TOPIC_NO_POLICY ? own : topic->policy;
}

/* Frees the server's rules. */
void weir__server_free_topic_rules(struct weir_server *server);

#ifdef __cplusplus
}
#endif

#endif
