/* Takes a URL apart, from left to right. */
#include "url.h"

#include <stdlib.h>
#include <string.h>

static const char *scheme(struct settings *settings, const char **rest, bool *local)
{
  static const struct {
    const char *text;
    bool secure, local;
  } known[] = {{"ws://", false, false},
               {"wss://", true, false},
               {"ws+unix:", false, true},
               {"wss+unix:", true, true}};
  for (size_t i = 0; i < sizeof known / sizeof known[0]; i++) {
    size_t len = strlen(known[i].text);
    if (strncmp(*rest, known[i].text, len) != 0)
      continue;
    settings->secure = known[i].secure;
    *local = known[i].local;
    *rest += len;
    return NULL;
  }
  return "a URL begins with ws:// or wss://, or with ws+unix: or wss+unix:";
}

/* Keeps the first len bytes of the text; whether they fit. */
static bool keep(char *to, size_t size, const char *text, size_t len)
{
  if (len >= size)
    return false;
  memcpy(to, text, len);
  to[len] = '\0';
  return true;
}

/* A name or an IPv4 address up to the port; or an IPv6 address in brackets, kept without them. */
static const char *host(struct settings *settings, const char **rest)
{
  const char *text = *rest;
  size_t len = strcspn(text, ":");
  if (text[0] == '[') {
    text++;
    len = strcspn(text, "]");
    if (text[len] == '\0')
      return "the bracket of its address is not closed: [::1]";
  } else if (strchr(text + len, ':') != strrchr(text, ':')) {
    return "an IPv6 address stands in brackets: ws://[::1]:8080/";
  }
  if (len == 0)
    return "it names no host: ws://127.0.0.1:8080/";
  if (!keep(settings->host, sizeof settings->host, text, len))
    return "its host is too long";
  *rest = text + len + (text != *rest);
  return NULL;
}

static const char *port(struct settings *settings, const char *rest)
{
  settings->port = settings->secure ? 443 : 80;
  if (rest[0] == '\0')
    return NULL;
  size_t len = strspn(rest + 1, "0123456789");
  long value = len <= 5 ? strtol(rest + 1, NULL, 10) : 0;
  if (rest[0] != ':' || rest[1 + len] != '\0' || value < 1 || value > 65535)
    return "its port is no number from 1 to 65535";
  settings->port = (uint16_t)value;
  return NULL;
}

static const char *path(struct settings *settings, const char *text)
{
  char *to = settings->path;
  size_t size = sizeof settings->path;
  if (text[0] != '/') {
    *to++ = '/';
    size--;
  }
  return keep(to, size, text, strlen(text)) ? NULL : "its path is too long";
}

static const char *characters(const char *url)
{
  for (const unsigned char *c = (const unsigned char *)url; *c != '\0'; c++) {
    if (*c <= ' ' || *c >= 0x7F)
      return "a blank, a control character or a letter beyond ASCII is written as %20";
    if (*c == '#')
      return "a WebSocket URL has no fragment (#)";
  }
  return NULL;
}

/* The host and the port, which end where the path or the query begins. */
static const char *authority(struct settings *settings, const char *text, size_t len)
{
  char copy[sizeof settings->host + 16];
  const char *rest = copy;
  if (memchr(text, '@', len) != NULL)
    return "it names a user, which is not sent";
  if (!keep(copy, sizeof copy, text, len))
    return "its host is too long";
  const char *wrong = host(settings, &rest);
  return wrong != NULL ? wrong : port(settings, rest);
}

/* How much of the text is the socket: what follows its last ":/" is the request's path. A query may
 * hold others. */
static size_t socket_length(const char *text)
{
  size_t len = strcspn(text, "?");
  for (size_t at = len; at > 1; at--) {
    if (text[at - 2] == ':' && text[at - 1] == '/')
      return at - 2;
  }
  return len;
}

/* Whether a text of that length is an absolute path, or a name behind @. */
static bool is_socket(const char *text, size_t len)
{
  return len > 1 && (text[0] == '@' || (text[0] == '/' && text[1] != '/'));
}

/* The socket and the path. Slashes of an authority that is empty may stand in front. */
static const char *local_place(struct settings *settings, const char *text)
{
  if (strncmp(text, "///", 3) == 0)
    text += 2;
  size_t len = socket_length(text);
  if (!is_socket(text, len))
    return "it names no socket: ws+unix:/run/app.sock:/path, or @name for an abstract one";
  if (!keep(settings->socket, sizeof settings->socket, text, len))
    return "its socket's name is too long: 107 bytes are the most";
  strcpy(settings->host, "localhost");
  text += len;
  return path(settings, text + (text[0] == ':'));
}

static const char *remote_place(struct settings *settings, const char *text)
{
  size_t len = strcspn(text, "/?");
  const char *wrong = authority(settings, text, len);
  return wrong != NULL ? wrong : path(settings, text + len);
}

const char *url_read(struct settings *settings, const char *url)
{
  bool local = false;
  const char *rest = url, *wrong = scheme(settings, &rest, &local);
  if (wrong == NULL)
    wrong = characters(url);
  if (wrong != NULL)
    return wrong;
  settings->url = url;
  return local ? local_place(settings, rest) : remote_place(settings, rest);
}
