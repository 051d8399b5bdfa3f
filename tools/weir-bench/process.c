/* Reads /proc/PID, held open so that a number taken anew is not mistaken for the process; and its
 * CPU clock, which counts to the nanosecond and keeps what ended threads have used. Switches are
 * told by each thread for itself, so those of an ended one count up to the last look at it. */
#include "process.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

struct switches {
  uint64_t voluntary, involuntary;
};

struct thread {
  long id;
  struct switches first, last; /* when the span began, and when last looked at */
};

struct process {
  int folder;      /* /proc/PID */
  clockid_t clock; /* of its CPU time */
  struct thread *threads;
  size_t count, capacity;
  uint64_t begun_cpu_ns;
  struct server_use use;
  bool failed;
};

/* ---- /proc's text */

/* Reads a small file; false when it is not there. */
static bool slurp(int folder, const char *name, char *text, size_t size)
{
  int fd = openat(folder, name, O_RDONLY | O_CLOEXEC);
  if (fd < 0)
    return false;
  ssize_t got = read(fd, text, size - 1);
  close(fd);
  text[got > 0 ? got : 0] = '\0';
  return got > 0;
}

/* The number of the line that begins with the key; false when there is none. */
static bool field(const char *text, const char *key, uint64_t *value)
{
  size_t len = strlen(key);
  for (const char *line = text; line != NULL; line = strchr(line, '\n')) {
    line += *line == '\n';
    if (strncmp(line, key, len) == 0 && line[len] == ':') {
      *value = strtoull(line + len + 1, NULL, 10);
      return true;
    }
  }
  return false;
}

/* ---- threads */

static struct thread *find_thread(struct process *process, long id)
{
  for (size_t i = 0; i < process->count; i++) {
    if (process->threads[i].id == id)
      return &process->threads[i];
  }
  return NULL;
}

static struct thread *add_thread(struct process *process, long id)
{
  if (process->count == process->capacity) {
    size_t capacity = process->capacity * 2 + 16;
    struct thread *grown = realloc(process->threads, capacity * sizeof *grown);
    if (grown == NULL)
      return NULL;
    process->threads = grown;
    process->capacity = capacity;
  }
  struct thread *thread = &process->threads[process->count++];
  *thread = (struct thread){.id = id};
  return thread;
}

static void look_at(struct process *process, int tasks, const char *name)
{
  char path[280], text[4096];
  struct switches now;
  snprintf(path, sizeof path, "%s/status", name);
  if (!slurp(tasks, path, text, sizeof text) ||
      !field(text, "voluntary_ctxt_switches", &now.voluntary) ||
      !field(text, "nonvoluntary_ctxt_switches", &now.involuntary))
    return; /* it has just ended */
  long id = strtol(name, NULL, 10);
  struct thread *thread = find_thread(process, id);
  if (thread == NULL)
    thread = add_thread(process, id);
  if (thread == NULL)
    process->failed = true;
  else
    thread->last = now;
}

/* Looks at all threads; returns how many there are. */
static unsigned look(struct process *process)
{
  unsigned count = 0;
  int fd = openat(process->folder, "task", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  DIR *tasks = fd >= 0 ? fdopendir(fd) : NULL;
  if (tasks == NULL) {
    process->failed = true;
    if (fd >= 0)
      close(fd);
    return 0;
  }
  for (struct dirent *entry; (entry = readdir(tasks)) != NULL;) {
    if (entry->d_name[0] == '.')
      continue;
    look_at(process, fd, entry->d_name);
    count++;
  }
  closedir(tasks);
  return count;
}

/* ---- memory */

static void memory(struct process *process, uint64_t *now, uint64_t *peak)
{
  char text[4096];
  uint64_t rss_kb, peak_kb;
  if (!slurp(process->folder, "status", text, sizeof text) || !field(text, "VmRSS", &rss_kb) ||
      !field(text, "VmHWM", &peak_kb)) {
    process->failed = true;
    return;
  }
  *now = rss_kb * 1024;
  *peak = peak_kb * 1024;
}

/* ---- the interface */

static uint64_t clock_ns(clockid_t clock)
{
  struct timespec time;
  if (clock_gettime(clock, &time) != 0)
    return 0;
  return (uint64_t)time.tv_sec * 1000000000 + (uint64_t)time.tv_nsec;
}

uint64_t process_own_cpu_ns(void)
{
  return clock_ns(CLOCK_PROCESS_CPUTIME_ID);
}

uint64_t process_cpu_ns(const struct process *process)
{
  return clock_ns(process->clock);
}

struct process *process_new(pid_t pid)
{
  char path[32];
  struct process *process = calloc(1, sizeof *process);
  if (process == NULL)
    return NULL;
  snprintf(path, sizeof path, "/proc/%ld", (long)pid);
  process->folder = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  int error = process->folder < 0 ? errno : clock_getcpuclockid(pid, &process->clock);
  if (error != 0) {
    process_free(process);
    errno = error;
    return NULL;
  }
  return process;
}

void process_free(struct process *process)
{
  if (process == NULL)
    return;
  if (process->folder >= 0)
    close(process->folder);
  free(process->threads);
  free(process);
}

void process_before(struct process *process)
{
  memory(process, &process->use.rss_before_bytes, &process->use.rss_peak_bytes);
}

void process_begin(struct process *process)
{
  process->count = 0;
  process->use.voluntary_switches = process->use.involuntary_switches = 0;
  look(process);
  for (size_t i = 0; i < process->count; i++)
    process->threads[i].first = process->threads[i].last;
  process->begun_cpu_ns = process_cpu_ns(process);
}

void process_look(struct process *process)
{
  look(process);
}

void process_end(struct process *process)
{
  struct server_use *use = &process->use;
  uint64_t cpu_ns = process_cpu_ns(process);
  if (cpu_ns >= process->begun_cpu_ns && cpu_ns > 0)
    use->cpu_ns = cpu_ns - process->begun_cpu_ns;
  else
    process->failed = true;
  use->threads = look(process);
  for (size_t i = 0; i < process->count; i++) {
    const struct thread *thread = &process->threads[i];
    use->voluntary_switches += thread->last.voluntary - thread->first.voluntary;
    use->involuntary_switches += thread->last.involuntary - thread->first.involuntary;
  }
  memory(process, &use->rss_after_bytes, &use->rss_peak_bytes);
  use->known = !process->failed;
}

struct server_use process_use(const struct process *process)
{
  return process->use;
}
