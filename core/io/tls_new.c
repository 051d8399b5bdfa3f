/* struct weir_tls: copies of what was asked for, and the generation that is current. */
#include "io/tls_context.h"

#include "base/sys.h"

#include <errno.h>
#include <pthread.h>
#include <string.h>

struct weir_tls {
  size_t refs;
  pthread_mutex_t reloading; /* one at a time: the last caller's files win */
  pthread_mutex_t lock;      /* of current */
  struct weir__tls_context *current;
  struct weir__tls_wish wish;
};

enum { IDENTITIES_MAX = 65536 };

static const struct weir__sys *const sys = &weir__sys_linux;
static const char *const default_alpn[] = {"http/1.1", NULL};

/* ---- options */

static int invalid(struct weir_tls_error *error, const char *sentence)
{
  return weir__tls_fail(error, -EINVAL, "%s", sentence);
}

static int check_alpn(const char *const *alpn, struct weir_tls_error *error)
{
  if (alpn[0] == NULL)
    return invalid(error, "alpn: no protocol in the list");
  for (size_t i = 0; alpn[i] != NULL; i++) {
    if (alpn[i][0] == '\0' || strlen(alpn[i]) > 255)
      return invalid(error, "alpn: a protocol's name has 1 to 255 bytes");
  }
  return 0;
}

static int check(const struct weir_tls_options *options, struct weir_tls_error *error)
{
  if (options->identity.certificate_file == NULL)
    return invalid(error, "identity: no certificate_file");
  if (options->more_count > 0 && options->more == NULL)
    return invalid(error, "more: NULL, but more_count is not 0");
  if (options->more_count > IDENTITIES_MAX)
    return invalid(error, "more_count: over 65,536");
  for (size_t i = 0; i < options->more_count; i++) {
    if (options->more[i].certificate_file == NULL)
      return invalid(error, "more: an identity without certificate_file");
  }
  if (options->client_certificates > WEIR_TLS_CLIENTS_OPTIONAL)
    return invalid(error, "client_certificates: no value of enum weir_tls_clients");
  if (options->client_certificates != 0 && options->client_ca_file == NULL)
    return invalid(error, "client_certificates: only with client_ca_file");
  if (options->min_version != 0 && options->min_version != 12 && options->min_version != 13)
    return invalid(error, "min_version: neither 12 nor 13");
  return check_alpn(options->alpn, error);
}

/* A copy of the caller's structure, of whatever version, with its defaults; valid or refused. */
static int resolve(struct weir_tls_options *out, const struct weir_tls_options *in,
                   struct weir_tls_error *error)
{
  if (in == NULL || in->size < sizeof in->size || in->size > sizeof *in)
    return invalid(error, "options: a size that no version has");
  memset(out, 0, sizeof *out);
  memcpy(out, in, in->size);
  out->size = sizeof *out;
  if (out->alpn == NULL)
    out->alpn = default_alpn;
  return check(out, error);
}

/* ---- copies: all in the one block, behind the structure */

static size_t size_of(const char *text)
{
  return text == NULL ? 0 : strlen(text) + 1;
}

static size_t identity_size(const struct weir_tls_identity *identity)
{
  return size_of(identity->certificate_file) + size_of(identity->key_file);
}

/* What the list takes on the wire: each name behind a byte with its length. */
static size_t alpn_size(const char *const *alpn)
{
  size_t size = 0;
  for (size_t i = 0; alpn[i] != NULL; i++)
    size += size_of(alpn[i]);
  return size;
}

static size_t copies_size(const struct weir_tls_options *options)
{
  size_t size = options->more_count * sizeof *options->more;
  for (size_t i = 0; i < options->more_count; i++)
    size += identity_size(&options->more[i]);
  return size + identity_size(&options->identity) + size_of(options->client_ca_file) +
         size_of(options->ciphers) + size_of(options->cipher_suites) + alpn_size(options->alpn);
}

static void keep(const char **text, char **room)
{
  size_t size = size_of(*text);
  if (size == 0)
    return;
  *text = memcpy(*room, *text, size);
  *room += size;
}

static void keep_identity(struct weir_tls_identity *identity, char **room)
{
  keep(&identity->certificate_file, room);
  keep(&identity->key_file, room);
}

static void keep_alpn(struct weir__tls_wish *wish, char *room)
{
  const char *const *alpn = wish->options.alpn;
  wish->alpn = (unsigned char *)room;
  for (size_t i = 0; alpn[i] != NULL; i++) {
    size_t len = strlen(alpn[i]);
    *room++ = (char)len;
    memcpy(room, alpn[i], len);
    room += len;
  }
  wish->alpn_len = (unsigned int)(room - (char *)wish->alpn);
  wish->options.alpn = NULL;
}

/* Turns what the options lend into copies in the room behind. */
static void keep_all(struct weir__tls_wish *wish, void *behind)
{
  struct weir_tls_options *options = &wish->options;
  struct weir_tls_identity *more = behind;
  char *room = (char *)(more + options->more_count);
  for (size_t i = 0; i < options->more_count; i++) {
    more[i] = options->more[i];
    keep_identity(&more[i], &room);
  }
  options->more = more;
  keep_identity(&options->identity, &room);
  keep(&options->client_ca_file, &room);
  keep(&options->ciphers, &room);
  keep(&options->cipher_suites, &room);
  keep_alpn(wish, room);
}

/* ---- the object */

int weir_tls_new(struct weir_tls **tls, const struct weir_tls_options *options,
                 struct weir_tls_error *error)
{
  struct weir_tls_options resolved;
  if (tls == NULL)
    return invalid(error, "tls: NULL");
  *tls = NULL;
  int code = resolve(&resolved, options, error);
  if (code != 0)
    return code;
  struct weir_tls *made = sys->alloc(sys, sizeof *made + copies_size(&resolved));
  if (made == NULL)
    return weir__tls_fail(error, -ENOMEM, "out of memory");
  *made = (struct weir_tls){.refs = 1, .wish.options = resolved};
  pthread_mutex_init(&made->reloading, NULL);
  pthread_mutex_init(&made->lock, NULL);
  keep_all(&made->wish, made + 1);
  code = weir__tls_context_new(&made->current, &made->wish, true, error);
  if (code != 0)
    weir_tls_free(made);
  else
    *tls = made;
  return code;
}

int weir_tls_reload(struct weir_tls *tls, struct weir_tls_error *error)
{
  struct weir__tls_context *fresh, *old = NULL;
  if (tls == NULL)
    return invalid(error, "tls: NULL");
  pthread_mutex_lock(&tls->reloading);
  int code = weir__tls_context_new(&fresh, &tls->wish, false, error);
  if (code == 0) {
    pthread_mutex_lock(&tls->lock);
    old = tls->current;
    tls->current = fresh;
    pthread_mutex_unlock(&tls->lock);
  }
  pthread_mutex_unlock(&tls->reloading);
  weir__tls_context_unref(old);
  return code;
}

struct weir_tls *weir__tls_ref(struct weir_tls *tls)
{
  __atomic_fetch_add(&tls->refs, 1, __ATOMIC_RELAXED);
  return tls;
}

void weir_tls_free(struct weir_tls *tls)
{
  if (tls == NULL || __atomic_fetch_sub(&tls->refs, 1, __ATOMIC_ACQ_REL) != 1)
    return;
  weir__tls_context_unref(tls->current);
  pthread_mutex_destroy(&tls->reloading);
  pthread_mutex_destroy(&tls->lock);
  OPENSSL_cleanse(tls->wish.ticket_keys, sizeof tls->wish.ticket_keys);
  sys->free(sys, tls);
}

struct weir__tls_context *weir__tls_take(struct weir_tls *tls)
{
  pthread_mutex_lock(&tls->lock);
  struct weir__tls_context *current = weir__tls_context_ref(tls->current);
  pthread_mutex_unlock(&tls->lock);
  return current;
}
