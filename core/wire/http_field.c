/* The fields of a request head: looking them up, and reading the lists that some hold (RFC 9110
 * sections 5.1, 5.3, 5.6). In: a parsed head; out: slices of it. Must not know what any field
 * means. */
#include "wire/http.h"
#include "wire/text.h"

#include <string.h>

/* The index of the first field of a name at or behind from; field_count when there is none. */
static size_t find(const struct weir__http_head *head, struct weir_slice name, size_t from)
{
  while (from < head->field_count && !weir__text_equal_nocase(head->fields[from].name, name))
    from++;
  return from;
}

struct weir_slice weir__http_field(const struct weir__http_head *head, const char *name)
{
  size_t index = find(head, (struct weir_slice){name, strlen(name)}, 0);
  return index < head->field_count ? head->fields[index].value : (struct weir_slice){NULL, 0};
}

size_t weir__http_field_count(const struct weir__http_head *head, const char *name)
{
  struct weir_slice wanted = {name, strlen(name)};
  size_t count = 0;
  for (size_t i = find(head, wanted, 0); i < head->field_count; i = find(head, wanted, i + 1))
    count++;
  return count;
}

struct weir__http_list weir__http_list_begin(const struct weir__http_head *head, const char *name)
{
  return (struct weir__http_list){.head = head, .name = {name, strlen(name)}};
}

/* Takes what stands in front of the next comma, or all when there is none. */
static struct weir_slice take_element(struct weir_slice *rest)
{
  const char *comma = memchr(rest->data, ',', rest->len);
  size_t len = comma != NULL ? (size_t)(comma - rest->data) : rest->len;
  struct weir_slice element = {rest->data, len};
  size_t taken = comma != NULL ? len + 1 : len;
  *rest = (struct weir_slice){rest->data + taken, rest->len - taken};
  return weir__text_trim(element);
}

bool weir__http_list_next(struct weir__http_list *list, struct weir_slice *element)
{
  for (;;) {
    while (list->rest.len > 0) {
      *element = take_element(&list->rest);
      if (element->len > 0)
        return true;
    }
    list->next_field = find(list->head, list->name, list->next_field);
    if (list->next_field == list->head->field_count)
      return false;
    list->rest = list->head->fields[list->next_field++].value;
  }
}

bool weir__http_has_token(const struct weir__http_head *head, const char *name, const char *token)
{
  struct weir_slice wanted = {token, strlen(token)}, element;
  struct weir__http_list list = weir__http_list_begin(head, name);
  while (weir__http_list_next(&list, &element))
    if (weir__text_equal_nocase(element, wanted))
      return true;
  return false;
}

bool weir__http_is_token(struct weir_slice text)
{
  return weir__text_all(text, WEIR__TEXT_TOKEN);
}

bool weir__http_is_value(struct weir_slice text)
{
  return text.len == 0 || weir__text_all(text, WEIR__TEXT_VALUE);
}
