/* Samples in, lines out, as Prometheus' exposition format 0.0.4 has them. Must not know what is
 * counted. */
#include "wire/exposition.h"

#include <stdio.h>
#include <string.h>

enum { US_PER_S = 1000 * 1000, NUMBER_BYTES = 32 /* of seconds too */ };

static void put(struct weir__exposition *out, const char *text, size_t len)
{
  if (out->len < out->size) {
    size_t room = out->size - out->len;
    memcpy(out->data + out->len, text, len < room ? len : room);
  }
  out->len += len;
}

static void put_text(struct weir__exposition *out, const char *text)
{
  put(out, text, strlen(text));
}

/* Backslashes and line feeds are escaped; quotes where the text stands in quotes. */
static void put_escaped(struct weir__exposition *out, const char *text, const char *special)
{
  for (; *text != '\0'; text++) {
    if (*text == '\n')
      put(out, "\\n", 2);
    else if (strchr(special, *text) != NULL)
      put(out, (const char[]){'\\', *text}, 2);
    else
      put(out, text, 1);
  }
}

static void write_number(char text[NUMBER_BYTES], uint64_t value)
{
  snprintf(text, NUMBER_BYTES, "%llu", (unsigned long long)value);
}

static void put_sample(struct weir__exposition *out, const char *suffix,
                       const struct weir__label *labels, size_t count, const char *value)
{
  put_text(out, out->name);
  put_text(out, suffix);
  for (size_t i = 0; i < count; i++) {
    put_text(out, i == 0 ? "{" : ",");
    put_text(out, labels[i].name);
    put_text(out, "=\"");
    put_escaped(out, labels[i].value, "\\\"");
    put_text(out, "\"");
  }
  put_text(out, count > 0 ? "} " : " ");
  put_text(out, value);
  put_text(out, "\n");
}

void weir__exposition_family(struct weir__exposition *out, const char *name, const char *type,
                             const char *help)
{
  out->name = name;
  put_text(out, "# HELP ");
  put_text(out, name);
  put_text(out, " ");
  put_escaped(out, help, "\\");
  put_text(out, "\n# TYPE ");
  put_text(out, name);
  put_text(out, " ");
  put_text(out, type);
  put_text(out, "\n");
}

void weir__exposition_sample(struct weir__exposition *out, const struct weir__label *labels,
                             size_t count, uint64_t value)
{
  char text[NUMBER_BYTES];
  write_number(text, value);
  put_sample(out, "", labels, count, text);
}

/* Seconds with no more digits than they need. No locale has a say in it. */
static void write_seconds(char text[NUMBER_BYTES], uint64_t us)
{
  int len = snprintf(text, NUMBER_BYTES, "%llu.%06u", (unsigned long long)(us / US_PER_S),
                     (unsigned)(us % US_PER_S));
  while (text[len - 1] == '0')
    len--;
  if (text[len - 1] == '.')
    len--;
  text[len] = '\0';
}

void weir__exposition_histogram(struct weir__exposition *out, const uint64_t *bounds_us, size_t n,
                                const uint64_t *counts, uint64_t sum_us)
{
  char bound[NUMBER_BYTES], value[NUMBER_BYTES];
  const struct weir__label le = {"le", bound};
  uint64_t so_far = 0;
  for (size_t i = 0; i <= n; i++) {
    so_far += counts[i];
    if (i < n)
      write_seconds(bound, bounds_us[i]);
    else
      memcpy(bound, "+Inf", sizeof "+Inf");
    write_number(value, so_far);
    put_sample(out, "_bucket", &le, 1, value);
  }
  write_seconds(value, sum_us);
  put_sample(out, "_sum", NULL, 0, value);
  write_number(value, so_far);
  put_sample(out, "_count", NULL, 0, value);
}
