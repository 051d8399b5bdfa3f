/* Takes a URL apart, from left to right. */
#include "url.h"

#include <stdlib.h>
#include <string.h>

static const char *scheme(struct settings *settings, const char **rest)
{
  settings->secure = strncmp(*rest, "wss://", 6) == 0;
  if (!settings->secure && strncmp(*rest, "ws://", 5) != 0)
    return "a URL begins with ws:// or wss://";
  *rest += settings->secure ? 6 : 5;
  return NULL;
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

const char *url_read(struct settings *settings, const char *url)
{
  const char *rest = url, *wrong = scheme(settings, &rest);
  if (wrong == NULL)
    wrong = characters(url);
  if (wrong != NULL)
    return wrong;
  size_t len = strcspn(rest, "/?");
  wrong = authority(settings, rest, len);
  if (wrong == NULL)
    wrong = path(settings, rest + len);
  settings->url = url;
  return wrong;
}
