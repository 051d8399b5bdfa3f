/* Whether a server's connections need what extra.h adds to them. */
#include "ws/extra.h"

size_t weir__server_extra_bytes(const struct weir_server *server)
{
  bool wanted =
      server->options.max_connections_per_address != WEIR_OFF || server->trusted_count > 0;
  for (size_t i = 0; i < server->route_count; i++)
    wanted |= server->routes[i]->metered || server->routes[i]->options.max_lifetime_ms != WEIR_OFF;
  return wanted ? WEIR__EXTRA_BYTES : 0;
}
