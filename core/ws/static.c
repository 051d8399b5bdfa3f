/* Files of a folder as responses (RFC 9110 sections 8, 13, 14). In: a request's path; out: a file's
 * bytes, as fast as the client takes them. The kernel sees to it that no path leaves the folder
 * (openat2(2)). Uses what any application may use: kept requests and streamed responses. */
#include "ws/conn.h"
#include "ws/request.h"

#include "wire/http_date.h"
#include "wire/http_range.h"
#include "wire/media_type.h"
#include "wire/text.h"
#include "wire/uri.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

enum {
  PATH_BYTES = 4096,
  PIECE_BYTES = 64 << 10,   /* read at a time; up to this a file is one response */
  QUEUED_BYTES = 256 << 10, /* of a larger one: what is read ahead of the client */
};

struct weir__folder {
  struct weir__folder *next;
  const struct weir__sys *sys;
  int fd;
  char cache[48]; /* the value of Cache-Control */
  char index[];   /* the index file's name */
};

/* A file that is being sent: the kept request's user. */
struct sending {
  const struct weir__sys *sys;
  int fd;
  uint64_t at, left;
};

/* What a request asks of a folder. */
struct file {
  int fd;
  struct stat stat;
  char etag[40], date[WEIR__HTTP_DATE_LEN + 1];
  struct weir__http_part part;
  char path[PATH_BYTES]; /* below the folder, decoded */
};

static bool is_head(const struct weir_request *r)
{
  return weir__text_equal(r->head->method, "HEAD");
}

/* Names that begin with a dot are nobody's business, but for those of RFC 8615. */
static bool is_hidden(const char *path)
{
  for (const char *at = path; at != NULL; at = strchr(at, '/')) {
    at += *at == '/';
    if (*at == '.' && strncmp(at, ".well-known", 11) != 0)
      return true;
  }
  return false;
}

/* The path below the folder. Returns 0 or a status. */
static int find_path(const struct weir__folder *folder, const struct weir_request *r, char *out)
{
  struct weir_slice rest = weir__uri_rest(r->route->pattern, r->head->path);
  size_t index = strlen(folder->index);
  if (rest.len + index >= PATH_BYTES)
    return 404;
  size_t len = weir__uri_decode(rest, false, out);
  if (memchr(out, '\0', len) != NULL)
    return 404;
  if (len == 0 || out[len - 1] == '/') {
    memcpy(out + len, folder->index, index);
    len += index;
  }
  out[len] = '\0';
  return out[0] == '/' || is_hidden(out) ? 404 : 0;
}

static int status_of(int error)
{
  switch (-error) {
  case EACCES:
  case EPERM:
    return 403;
  case EMFILE:
  case ENFILE:
  case ENOMEM:
    return 503;
  case ENOSYS:
    return 500;
  default:
    return 404;
  }
}

/* A folder's name without "/" at its end: links in its index would lead elsewhere. */
static int redirect(struct weir_request *r)
{
  const struct weir__http_head *head = r->head;
  char to[PATH_BYTES];
  const char *mark = head->query.data == NULL ? "" : "?";
  int len = snprintf(to, sizeof to, "%.*s/%s%.*s", (int)head->path.len, head->path.data, mark,
                     (int)head->query.len, head->query.data == NULL ? "" : head->query.data);
  bool elsewhere = head->path.len > 1 && head->path.data[1] == '/'; /* "//host/" is another's */
  if (len >= (int)sizeof to || elsewhere || weir_request_respond_header(r, "Location", to) != 0)
    return 404;
  return 301;
}

/* Opens what is asked for. Returns 0, with the descriptor the caller's, or a status. */
static int open_file(const struct weir__folder *folder, struct weir_request *r, struct file *f)
{
  const struct weir__sys *sys = folder->sys;
  int status = find_path(folder, r, f->path);
  if (status != 0)
    return status;
  f->fd = sys->open_beneath(sys, folder->fd, f->path);
  if (f->fd < 0)
    return status_of(f->fd);
  int error = sys->fstat(sys, f->fd, &f->stat);
  if (error == 0 && S_ISREG(f->stat.st_mode))
    return 0;
  sys->close(sys, f->fd);
  return error == 0 && S_ISDIR(f->stat.st_mode) ? redirect(r) : 404;
}

/* Sets what every answer about a file says, and judges the request's conditions. */
static int describe(const struct weir__folder *folder, struct weir_request *r, struct file *f)
{
  const struct timespec *changed = &f->stat.st_mtim;
  uint64_t ns = (uint64_t)changed->tv_sec * 1000000000u + (uint64_t)changed->tv_nsec;
  snprintf(f->etag, sizeof f->etag, "\"%" PRIx64 "-%" PRIx64 "\"", ns, (uint64_t)f->stat.st_size);
  weir__http_date_format(changed->tv_sec, f->date);
  if (weir_request_respond_header(r, "ETag", f->etag) != 0 ||
      weir_request_respond_header(r, "Last-Modified", f->date) != 0 ||
      weir_request_respond_header(r, "Cache-Control", folder->cache) != 0 ||
      weir_request_respond_header(r, "Accept-Ranges", "bytes") != 0)
    return 503;
  const struct weir__http_selected selected = {.etag = {f->etag, strlen(f->etag)},
                                               .mtime = changed->tv_sec,
                                               .size = (uint64_t)f->stat.st_size};
  f->part = (struct weir__http_part){0, selected.size - 1};
  return weir__http_range_judge(r->head, &selected, folder->sys->wall_s(folder->sys), &f->part);
}

static int set_type(struct weir_request *r, const struct file *f)
{
  return weir_request_respond_body(
      r, weir__media_type((struct weir_slice){f->path, strlen(f->path)}), NULL, 0);
}

/* Says which part of the file follows, or that there is none such. */
static int name_part(struct weir_request *r, const struct file *f, int status)
{
  char value[80];
  if (status == 206)
    snprintf(value, sizeof value, "bytes %" PRIu64 "-%" PRIu64 "/%" PRIu64, f->part.first,
             f->part.last, (uint64_t)f->stat.st_size);
  else
    snprintf(value, sizeof value, "bytes */%" PRIu64, (uint64_t)f->stat.st_size);
  return weir_request_respond_header(r, "Content-Range", value);
}

static void finish(struct sending *s)
{
  s->sys->close(s->sys, s->fd);
  s->sys->free(s->sys, s);
}

/* Reads and sends until the client takes no more, or all is sent. */
static void pump(struct weir_request *r, struct sending *s, struct weir__pool *pool)
{
  size_t size;
  char *piece = weir__pool_get(pool, PIECE_BYTES, &size);
  int error = piece == NULL ? -ENOMEM : 0;
  while (error == 0 && s->left > 0) {
    size_t want = s->left < PIECE_BYTES ? (size_t)s->left : PIECE_BYTES;
    ssize_t n = s->sys->pread(s->sys, s->fd, piece, want, s->at);
    error = n <= 0 ? -EIO : weir_request_write(r, piece, (size_t)n);
    if (error == 0) {
      s->at += (size_t)n;
      s->left -= (size_t)n;
    }
  }
  weir__pool_put(pool, piece, PIECE_BYTES);
  if (error == -ENOBUFS)
    return; /* on_drain follows */
  weir_request_set_user(r, NULL);
  finish(s);
  weir_request_end(r); /* of a file that has become shorter: cuts the connection */
  weir_request_unref(r);
}

static void on_drain(struct weir_request *r, void *arg)
{
  struct sending *s = weir_request_user(r);
  (void)arg;
  if (s != NULL)
    pump(r, s, &weir__conn_loop(r->conn)->pool);
}

static void on_gone(struct weir_request *r, void *arg)
{
  struct sending *s = weir_request_user(r);
  (void)arg;
  if (s == NULL)
    return;
  finish(s);
  weir_request_unref(r);
}

/* A file, or a part of one, in pieces. */
static int stream(const struct weir__folder *folder, struct weir_request *r, struct file *f,
                  int status, uint64_t len)
{
  const struct weir__sys *sys = folder->sys;
  struct sending *s = sys->alloc(sys, sizeof *s);
  struct weir_request *kept = s == NULL ? NULL : weir_request_keep(r);
  if (kept == NULL || weir_request_begin(kept, status, len) != 0) {
    weir_request_unref(kept);
    sys->free(sys, s);
    sys->close(sys, f->fd);
    return 503;
  }
  *s = (struct sending){sys, f->fd, f->part.first, len};
  weir_request_set_user(kept, s);
  if (is_head(r))
    s->left = 0;
  pump(kept, s, r->pool);
  return WEIR_LATER;
}

/* A short one at once. */
static int whole(const struct weir__folder *folder, struct weir_request *r, struct file *f,
                 int status, size_t len)
{
  const struct weir__sys *sys = folder->sys;
  const char *type = weir__media_type((struct weir_slice){f->path, strlen(f->path)});
  size_t size;
  char *bytes = weir__pool_get(r->pool, len + 1, &size);
  ssize_t n = bytes == NULL ? -ENOMEM : sys->pread(sys, f->fd, bytes, len, f->part.first);
  if (n != (ssize_t)len || weir_request_respond_body(r, type, bytes, len) != 0)
    status = 503;
  weir__pool_put(r->pool, bytes, len + 1);
  sys->close(sys, f->fd);
  return status;
}

static int answer(struct weir_request *r, void *arg)
{
  const struct weir__folder *folder = arg;
  const struct weir__sys *sys = folder->sys;
  struct file f;
  int status = open_file(folder, r, &f);
  if (status != 0)
    return status;
  status = describe(folder, r, &f);
  bool has_part = status == 200 || status == 206;
  if (((status == 206 || status == 416) && name_part(r, &f, status) != 0) ||
      (has_part && set_type(r, &f) != 0)) {
    status = 503;
    has_part = false;
  }
  uint64_t len = status == 206 ? f.part.last - f.part.first + 1 : (uint64_t)f.stat.st_size;
  if (has_part && len <= PIECE_BYTES)
    return whole(folder, r, &f, status, (size_t)len);
  if (has_part)
    return stream(folder, r, &f, status, len);
  sys->close(sys, f.fd);
  return status;
}

static struct weir__folder *make_folder(const struct weir__sys *sys, const char *path,
                                        const struct weir_static_options *options, int *error)
{
  const char *index = options->index == NULL ? "index.html" : options->index;
  struct weir__folder *folder = sys->alloc(sys, sizeof *folder + strlen(index) + 1);
  *error = -ENOMEM;
  if (folder == NULL)
    return NULL;
  memset(folder, 0, sizeof *folder);
  folder->sys = sys;
  memcpy(folder->index, index, strlen(index) + 1);
  if (options->max_age_s == 0)
    snprintf(folder->cache, sizeof folder->cache, "no-cache");
  else
    snprintf(folder->cache, sizeof folder->cache, "max-age=%zu", options->max_age_s);
  folder->fd = sys->open_folder(sys, path);
  *error = folder->fd < 0 ? folder->fd : 0;
  return folder;
}

static void free_folder(struct weir__folder *folder)
{
  const struct weir__sys *sys;
  if (folder == NULL)
    return;
  sys = folder->sys;
  if (folder->fd >= 0)
    sys->close(sys, folder->fd);
  sys->free(sys, folder);
}

void weir__server_free_folders(struct weir_server *server)
{
  while (server->folders != NULL) {
    struct weir__folder *folder = server->folders;
    server->folders = folder->next;
    free_folder(folder);
  }
}

int weir_server_static(struct weir_server *server, const char *path, const char *folder,
                       const struct weir_static_options *options)
{
  struct weir_static_options given = {.size = sizeof given};
  int error;
  if (folder == NULL || path == NULL || *path == '\0' || path[strlen(path) - 1] != '*')
    return -EINVAL;
  if (options != NULL && (options->size < sizeof(size_t) || options->size > sizeof given))
    return -EINVAL;
  if (options != NULL)
    memcpy(&given, options, options->size);
  struct weir__folder *made = make_folder(server->sys, folder, &given, &error);
  const struct weir_http_route route = {.size = sizeof route,
                                        .on_request = answer,
                                        .on_drain = on_drain,
                                        .on_gone = on_gone,
                                        .max_queued_bytes = QUEUED_BYTES,
                                        .listener = given.listener};
  if (error == 0)
    error = weir_server_http(server, "GET", path, &route, made);
  if (error != 0) {
    free_folder(made);
    return error;
  }
  made->next = server->folders;
  server->folders = made;
  return 0;
}
