#include "modes.h"

#include "runs.h"

#include <string.h>

const struct mode modes[] = {
    {"closed", "echo, --in-flight messages at a time on each connection (the default)", "answers",
     MODE_IN_FLIGHT | MODE_PAYLOAD, run_closed},
    {"rate", "echo at --rate; latency from the time each message was to be sent", "answers",
     MODE_RATE | MODE_NEEDS_RATE | MODE_PAYLOAD, run_rate},
    {"ramp", "echo at rising rates, from --rate on, up to the highest within --bound", "answers",
     MODE_RATE | MODE_PAYLOAD | MODE_BOUND, run_ramp},
    {"broadcast", "one sends, all receive; at --rate, or --in-flight at a time", "deliveries",
     MODE_RATE | MODE_IN_FLIGHT | MODE_PAYLOAD | MODE_APART, run_broadcast},
    {"slow", "the same, while --slow percent do not read for --stall seconds", "deliveries",
     MODE_RATE | MODE_IN_FLIGHT | MODE_PAYLOAD | MODE_STALL, run_slow},
    {"bystander", "echo on --side-path while one sends to all at --rate", "answers",
     MODE_RATE | MODE_NEEDS_RATE | MODE_PAYLOAD | MODE_SIDE, run_bystander},
    {"storm", "connect, upgrade, close, again", "cycles", MODE_RATE, run_storm},
    {"churn", "echo on connections that live for --lifetime, made at --rate", "answers",
     MODE_RATE | MODE_IN_FLIGHT | MODE_PAYLOAD | MODE_LIFETIME, run_churn},
    {"idle", "connections that do nothing", "connections held", 0, run_idle},
    {NULL, NULL, NULL, 0, NULL},
};

const struct mode *mode_find(const char *name)
{
  for (const struct mode *mode = modes; mode->name != NULL; mode++)
    if (strcmp(mode->name, name) == 0)
      return mode;
  return NULL;
}
