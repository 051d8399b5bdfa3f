/* JSON as services send it: an object with a head and records, whose keys repeat and whose values
 * differ; filled up with a text to the byte. */
#include "payload.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

/* What is still to be written; all that is written fits. */
struct writer {
  unsigned char *out;
  size_t left;
  uint64_t *state;
};

enum {
  RECORD_MAX = 240,
  HEAD_MAX = 160,
  NOTE_MIN = 16 /* ],"note":"..."} */
};

static const char *const words[] = {
    "order",   "shipped", "pending", "Berlin",  "London", "market",   "update",  "price",
    "account", "session", "payment", "invoice", "Tokyo",  "customer", "limit",   "partial",
    "cancel",  "refund",  "delayed", "express", "Madrid", "priority", "archive", "review"};

static const char *word(struct writer *writer)
{
  return words[payload_random(writer->state, sizeof words / sizeof words[0])];
}

__attribute__((format(printf, 2, 3))) static void put(struct writer *writer, const char *format,
                                                      ...)
{
  char text[RECORD_MAX + 1];
  va_list arguments;
  va_start(arguments, format);
  size_t len = (size_t)vsnprintf(text, sizeof text, format, arguments);
  va_end(arguments);
  memcpy(writer->out, text, len);
  writer->out += len;
  writer->left -= len;
}

static void put_record(struct writer *writer, bool first)
{
  uint64_t *state = writer->state;
  put(writer,
      "%s{\"id\":%u,\"symbol\":\"%.3s%u\",\"status\":\"%s\",\"price\":%u.%02u,\"quantity\":%u,"
      "\"user\":{\"id\":\"%08x\",\"city\":\"%s\"},\"tags\":[\"%s\",\"%s\"],\"active\":%s}",
      first ? "" : ",", payload_random(state, 1000000), word(writer), payload_random(state, 100),
      word(writer), payload_random(state, 5000), payload_random(state, 100),
      payload_random(state, 1000), payload_random(state, UINT32_MAX), word(writer), word(writer),
      word(writer), payload_random(state, 2) != 0 ? "true" : "false");
}

/* A text of just so many bytes. */
static void put_text(struct writer *writer, size_t len)
{
  while (len > 0) {
    const char *text = word(writer);
    size_t some = strlen(text) < len ? strlen(text) : len;
    put(writer, "%.*s", (int)some, text);
    len -= some;
    if (len > 0) {
      put(writer, " ");
      len--;
    }
  }
}

/* What short texts begin with. */
static const char *unique(char text[16], uint64_t *state)
{
  snprintf(text, 16, "%08x ", payload_random(state, UINT32_MAX));
  return text;
}

void payload_write_json(unsigned char *out, size_t size, uint64_t *state)
{
  struct writer writer = {out, size, state};
  char text[16];
  if (size < HEAD_MAX + NOTE_MIN) {
    put(&writer, "\"");
    put(&writer, "%.*s", (int)(size - 2), unique(text, state));
    put_text(&writer, writer.left - 1);
    put(&writer, "\"");
    return;
  }
  put(&writer,
      "{\"type\":\"%s\",\"sequence\":%u,\"time\":\"2026-%02u-%02uT%02u:%02u:%02u.%03uZ\","
      "\"records\":[",
      word(&writer), payload_random(state, 1u << 31), 1 + payload_random(state, 12),
      1 + payload_random(state, 28), payload_random(state, 24), payload_random(state, 60),
      payload_random(state, 60), payload_random(state, 1000));
  for (bool first = true; writer.left >= RECORD_MAX + NOTE_MIN; first = false)
    put_record(&writer, first);
  put(&writer, "],\"note\":\"");
  put_text(&writer, writer.left - 2);
  put(&writer, "\"}");
}
