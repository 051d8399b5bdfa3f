/* Reads lists of CPUs, and pins threads to what they name. */
#define _GNU_SOURCE /* sched_setaffinity */
#include "cpus.h"

#include <errno.h>
#include <sched.h>
#include <stdbool.h>
#include <stdlib.h>

/* Takes a decimal CPU off the text; -1 when there is none that a set can hold. */
static int number(const char **text)
{
  char *end;
  if (**text < '0' || **text > '9')
    return -1;
  long value = strtol(*text, &end, 10);
  *text = end;
  return value < CPU_SETSIZE ? (int)value : -1;
}

/* Takes one CPU or a range "first-last". */
static bool range(const char **text, int *first, int *last)
{
  *first = *last = number(text);
  if (**text == '-') {
    (*text)++;
    *last = number(text);
  }
  return *first >= 0 && *last >= *first;
}

/* Counts the list's CPUs, and keeps in *found the one at an index, when there is one. */
static int walk(const char *list, unsigned index, int *found)
{
  cpu_set_t seen;
  CPU_ZERO(&seen);
  for (const char *text = list;; text++) {
    int first, last;
    if (!range(&text, &first, &last))
      return -EINVAL;
    for (int cpu = first; cpu <= last; cpu++) {
      if (CPU_ISSET(cpu, &seen))
        return -EINVAL;
      if ((unsigned)CPU_COUNT(&seen) == index)
        *found = cpu;
      CPU_SET(cpu, &seen);
    }
    if (*text == '\0')
      return CPU_COUNT(&seen);
    if (*text != ',')
      return -EINVAL;
  }
}

int cpus_count(const char *list)
{
  int ignored;
  return walk(list, 0, &ignored);
}

int cpus_at(const char *list, unsigned index)
{
  int found = -EINVAL, count = cpus_count(list);
  if (count > 0)
    walk(list, index % (unsigned)count, &found);
  return found;
}

int cpus_pin(const char *list, unsigned index)
{
  int cpu = cpus_at(list, index);
  cpu_set_t set;
  if (cpu < 0)
    return cpu;
  CPU_ZERO(&set);
  CPU_SET(cpu, &set);
  return sched_setaffinity(0, sizeof set, &set) == 0 ? 0 : -errno;
}
