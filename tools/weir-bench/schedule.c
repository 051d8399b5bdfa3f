#include "schedule.h"

struct schedule schedule_of(uint64_t start_ns, double rate, uint64_t members)
{
  return (struct schedule){start_ns, 1e9 / rate, members};
}

struct knee knee_begin(double rate)
{
  return (struct knee){.next = rate};
}

void knee_tell(struct knee *knee, bool held)
{
  const double close = 1.04;
  if (held)
    knee->good = knee->next;
  else
    knee->bad = knee->next;
  if (++knee->tries == KNEE_TRIES)
    knee->next = 0;
  else if (knee->bad == 0)
    knee->next = 2 * knee->good;
  else if (knee->good == 0)
    knee->next = knee->bad >= 2 ? knee->bad / 2 : 0;
  else
    knee->next = knee->bad > close * knee->good ? (knee->good + knee->bad) / 2 : 0;
}

bool knee_held(double intended, double achieved, double p99_us, double bound_us)
{
  return achieved >= 0.99 * intended && p99_us <= bound_us;
}
