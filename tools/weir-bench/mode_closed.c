/* Echo with so many messages in flight on each connection; and connections that do nothing. */
#include "runs.h"

int run_closed(struct load *load)
{
  static const struct role role = {.message = echo_message, .settle = true};
  static const struct plan plan = {.role = &role,
                                   .prepare = echo_prepare,
                                   .begin = echo_begin,
                                   .stop = echo_stop,
                                   .drained = echo_drained,
                                   .missing = echo_missing,
                                   .connecting = CONNECTING};
  return load_course(load, &plan);
}

int run_idle(struct load *load)
{
  static const struct role role = {0};
  static const struct plan plan = {.role = &role, .connecting = CONNECTING};
  int error = load_course(load, &plan);
  load->result->counts.operations = load->result->held;
  return error;
}
