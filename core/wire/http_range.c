/* Conditional requests and ranges (RFC 9110 sections 8.8, 13, 14). In: a parsed head, and an
 * entity-tag, a time and a size; out: the status that they deserve, and a part of the bytes. Must
 * not know where the bytes lie, nor what the answer's fields are. */
#include "wire/http_range.h"
#include "wire/text.h"

#include <string.h>

/* ---- entity-tags */

struct etag {
  struct weir_slice opaque; /* with its quotes */
  bool weak;
};

static void drop(struct weir_slice *text, size_t len)
{
  *text = (struct weir_slice){text->data + len, text->len - len};
}

static bool is_etagc(unsigned char byte)
{
  return byte > ' ' && byte != '"' && byte != 0x7F;
}

/* Takes an entity-tag from the front, or returns false. A comma in it is a byte as any other. */
static bool take_etag(struct weir_slice *text, struct etag *etag)
{
  etag->weak = text->len >= 2 && memcmp(text->data, "W/", 2) == 0;
  if (etag->weak)
    drop(text, 2);
  if (text->len == 0 || *text->data != '"')
    return false;
  size_t len = 1;
  while (len < text->len && is_etagc((unsigned char)text->data[len]))
    len++;
  if (len == text->len || text->data[len] != '"')
    return false;
  etag->opaque = (struct weir_slice){text->data, len + 1};
  drop(text, len + 1);
  return true;
}

/* A whole text as an entity-tag. */
static bool read_etag(struct weir_slice text, struct etag *etag)
{
  return take_etag(&text, etag) && text.len == 0;
}

static bool same_etag(const struct etag *one, const struct etag *other, bool strong)
{
  return !(strong && (one->weak || other->weak)) && one->opaque.len == other->opaque.len &&
         memcmp(one->opaque.data, other->opaque.data, one->opaque.len) == 0;
}

static void drop_blanks(struct weir_slice *text)
{
  while (text->len > 0 && (*text->data == ' ' || *text->data == '\t'))
    drop(text, 1);
}

/* Reads a line of a list, and sets *found when the tag is in it; false when it is malformed. */
static bool read_line(struct weir_slice line, const struct etag *wanted, bool strong, bool *found)
{
  struct etag etag;
  for (drop_blanks(&line); line.len > 0; drop_blanks(&line)) {
    if (*line.data != ',') { /* empty elements are skipped */
      if (!take_etag(&line, &etag))
        return false;
      *found |= wanted != NULL && same_etag(&etag, wanted, strong);
      drop_blanks(&line);
      if (line.len == 0)
        break;
      if (*line.data != ',')
        return false;
    }
    drop(&line, 1);
  }
  return true;
}

bool weir__http_etag_listed(const struct weir__http_head *head, const char *name,
                            struct weir_slice etag, bool strong)
{
  const struct weir_slice field = {name, strlen(name)};
  struct etag wanted;
  bool known = read_etag(etag, &wanted), found = false;
  if (weir__http_field_count(head, name) == 1 &&
      weir__text_equal(weir__http_field(head, name), "*"))
    return true;
  for (size_t i = 0; i < head->field_count; i++)
    if (weir__text_equal_nocase(head->fields[i].name, field) &&
        !read_line(head->fields[i].value, known ? &wanted : NULL, strong, &found))
      return false;
  return found;
}

/* ---- preconditions */

static bool has(const struct weir__http_head *head, const char *name)
{
  return weir__http_field_count(head, name) > 0;
}

/* A field that holds a date and stands once; another is to be ignored. */
static bool read_date(const struct weir__http_head *head, const char *name, int64_t now,
                      int64_t *date)
{
  return weir__http_field_count(head, name) == 1 &&
         weir__http_date_parse(weir__http_field(head, name), now, date);
}

/* Whether the client asks for the representation only if it is another one by now. */
static bool is_unmatched(const struct weir__http_head *head,
                         const struct weir__http_selected *selected, int64_t now)
{
  int64_t date;
  if (has(head, "if-match"))
    return !weir__http_etag_listed(head, "if-match", selected->etag, true);
  return read_date(head, "if-unmodified-since", now, &date) && selected->mtime > date;
}

/* Whether the client has the representation. */
static bool is_unmodified(const struct weir__http_head *head,
                          const struct weir__http_selected *selected, int64_t now)
{
  int64_t date;
  if (has(head, "if-none-match"))
    return weir__http_etag_listed(head, "if-none-match", selected->etag, false);
  return read_date(head, "if-modified-since", now, &date) && selected->mtime <= date;
}

/* Whether If-Range lets a part be sent; without one, nothing stands against it. */
static bool allows_part(const struct weir__http_head *head,
                        const struct weir__http_selected *selected, int64_t now)
{
  struct etag given, current;
  int64_t date;
  if (!has(head, "if-range"))
    return true;
  if (weir__http_field_count(head, "if-range") == 1 &&
      read_etag(weir__http_field(head, "if-range"), &given))
    return read_etag(selected->etag, &current) && same_etag(&given, &current, true);
  return read_date(head, "if-range", now, &date) && date == selected->mtime && date < now;
}

/* ---- ranges */

/* Takes a number from the front, which may have none; one too large becomes the largest. */
static bool take_number(struct weir_slice *text, uint64_t *number)
{
  const char *begin = text->data;
  *number = 0;
  for (; text->len > 0 && *text->data >= '0' && *text->data <= '9'; drop(text, 1)) {
    unsigned digit = (unsigned)(*text->data - '0');
    if (__builtin_mul_overflow(*number, 10, number) ||
        __builtin_add_overflow(*number, digit, number))
      *number = UINT64_MAX;
  }
  return text->data != begin;
}

/* The last bytes of the representation; of an empty one there are none to send a part of. */
static int cut_suffix(uint64_t len, uint64_t size, struct weir__http_part *part)
{
  if (len == 0)
    return 416;
  if (size == 0)
    return 200;
  *part = (struct weir__http_part){len < size ? size - len : 0, size - 1};
  return 206;
}

/* Reads what stands behind "bytes=". */
static int read_range(struct weir_slice text, uint64_t size, struct weir__http_part *part)
{
  uint64_t first, last;
  bool has_first = take_number(&text, &first);
  if (text.len == 0 || *text.data != '-')
    return 200;
  drop(&text, 1);
  bool has_last = take_number(&text, &last);
  if (text.len > 0 || !(has_first || has_last) || (has_first && has_last && last < first))
    return 200; /* several, or none that can be */
  if (!has_first)
    return cut_suffix(last, size, part);
  if (first >= size)
    return 416;
  *part = (struct weir__http_part){first, has_last && last < size ? last : size - 1};
  return 206;
}

/* The status that Range makes of 200. */
static int judge_range(const struct weir__http_head *head, uint64_t size,
                       struct weir__http_part *part)
{
  static const struct weir_slice unit = {"bytes=", 6};
  if (weir__http_field_count(head, "range") != 1)
    return 200;
  struct weir_slice text = weir__http_field(head, "range");
  if (text.len < unit.len || !weir__text_same_letters(text.data, unit.data, unit.len))
    return 200;
  drop(&text, unit.len);
  return read_range(text, size, part);
}

int weir__http_range_judge(const struct weir__http_head *head,
                           const struct weir__http_selected *selected, int64_t now,
                           struct weir__http_part *part)
{
  if (is_unmatched(head, selected, now))
    return 412;
  if (is_unmodified(head, selected, now))
    return 304;
  if (!weir__text_equal(head->method, "GET") || !allows_part(head, selected, now))
    return 200;
  return judge_range(head, selected->size, part);
}
