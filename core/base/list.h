/* Intrusive circular doubly linked lists. A link that is on no list points to nothing. */
#ifndef WEIR_BASE_LIST_H
#define WEIR_BASE_LIST_H

#include <stdbool.h>
#include <stddef.h>

struct weir__link {
  struct weir__link *next, *prev;
};

/* The structure of a type whose member is the link (or any member) at pointer. */
#define WEIR__CONTAINER(pointer, type, member) \
  ((type *)(void *)((char *)(pointer)-offsetof(type, member)))

/* An empty list. */
static inline void weir__list_init(struct weir__link *head)
{
  head->next = head;
  head->prev = head;
}

static inline bool weir__list_empty(const struct weir__link *head)
{
  return head->next == head;
}

static inline bool weir__link_on_list(const struct weir__link *link)
{
  return link->next != NULL;
}

static inline void weir__list_push_back(struct weir__link *head, struct weir__link *link)
{
  link->prev = head->prev;
  link->next = head;
  head->prev->next = link;
  head->prev = link;
}

static inline void weir__list_push_front(struct weir__link *head, struct weir__link *link)
{
  weir__list_push_back(head->next, link);
}

/* Takes a link off its list; nothing happens when it is on none. */
static inline void weir__list_remove(struct weir__link *link)
{
  if (link->next == NULL)
    return;
  link->prev->next = link->next;
  link->next->prev = link->prev;
  link->next = NULL;
  link->prev = NULL;
}

/* Moves all links of from to the end of to. */
static inline void weir__list_splice(struct weir__link *to, struct weir__link *from)
{
  if (weir__list_empty(from))
    return;
  from->next->prev = to->prev;
  to->prev->next = from->next;
  from->prev->next = to;
  to->prev = from->prev;
  weir__list_init(from);
}

#endif
