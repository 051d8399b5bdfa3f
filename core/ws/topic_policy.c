/* Policies that topics have of their own, by the prefixes of their names: few, made before anybody
 * listens, and looked up once in the life of each topic of a loop. */
#include "ws/topic_policy.h"

#include "ws/server.h"

#include <errno.h>
#include <string.h>

static bool begins_with(const char *name, size_t len, const struct weir__topic_rule *rule)
{
  return len >= rule->len && memcmp(name, rule->prefix, rule->len) == 0;
}

static const struct weir__topic_rule *rule_for(const struct weir_server *server, const char *name,
                                               size_t len)
{
  const struct weir__topic_rule *best = NULL;
  for (size_t i = 0; i < server->topic_rule_count; i++) {
    const struct weir__topic_rule *rule = &server->topic_rules[i];
    if (begins_with(name, len, rule) && (best == NULL || rule->len > best->len))
      best = rule;
  }
  return best;
}

static bool has_rule(const struct weir_server *server, const char *prefix, size_t len)
{
  const struct weir__topic_rule *rule = rule_for(server, prefix, len);
  return rule != NULL && rule->len == len;
}

int weir_server_topic_policy(struct weir_server *server, const char *prefix, size_t len,
                             enum weir_queue_policy policy)
{
  const struct weir__sys *sys = server->sys;
  size_t count = server->topic_rule_count;
  if (prefix == NULL || len == 0 || len > WEIR__TOPIC_MAX ||
      (unsigned)policy > WEIR_QUEUE_KEEP_LATEST)
    return -EINVAL;
  if (server->endpoint_count > 0)
    return -EBUSY;
  if (has_rule(server, prefix, len))
    return -EEXIST;
  struct weir__topic_rule *grown = sys->alloc(sys, (count + 1) * sizeof *grown);
  if (grown == NULL)
    return -ENOMEM;
  if (count > 0)
    memcpy(grown, server->topic_rules, count * sizeof *grown);
  grown[count].policy = (uint8_t)policy;
  grown[count].len = (uint8_t)len;
  memcpy(grown[count].prefix, prefix, len);
  sys->free(sys, server->topic_rules);
  server->topic_rules = grown;
  server->topic_rule_count = count + 1;
  return 0;
}

void weir__server_free_topic_rules(struct weir_server *server)
{
  server->sys->free(server->sys, server->topic_rules);
}

/* The rules do not change while there are topics. */
void weir__topic_look_up(const struct weir_server *server, struct weir__topic *topic)
{
  if (topic->policy != WEIR__TOPIC_UNKNOWN)
    return;
  const struct weir__topic_rule *rule = rule_for(server, topic->name, topic->name_len);
  topic->policy = rule == NULL ? WEIR__TOPIC_NO_POLICY : rule->policy;
}
