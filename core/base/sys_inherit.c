/* Descriptors that a service manager hands to a process that it starts (sd_listen_fds(3)): from 3
 * on, as many as LISTEN_FDS says, if LISTEN_PID is this process. */
#include <weir/server.h>

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

enum { FIRST = 3, MOST = 1 << 16 };

/* A decimal number of the environment; -1 where there is none. */
static long number_of(const char *name)
{
  const char *text = getenv(name);
  char *end;
  if (text == NULL || text[0] < '0' || text[0] > '9')
    return -1;
  errno = 0;
  long value = strtol(text, &end, 10);
  return errno == 0 && *end == '\0' ? value : -1;
}

int weir_listen_fds(int *first)
{
  long count = number_of("LISTEN_FDS");
  if (first == NULL)
    return -EINVAL;
  *first = FIRST;
  if (count <= 0 || count > MOST || number_of("LISTEN_PID") != (long)getpid())
    return 0;
  for (int fd = FIRST; fd < FIRST + count; fd++) {
    if (fcntl(fd, F_SETFD, FD_CLOEXEC) < 0)
      return -errno;
  }
  return (int)count;
}
