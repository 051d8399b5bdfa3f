/* An account's life. */
#include "base/account.h"

struct weir__account *weir__account_new(const struct weir__sys *sys)
{
  struct weir__account *account = sys->alloc(sys, sizeof *account);
  if (account != NULL)
    *account = (struct weir__account){.sys = sys, .refs = 1};
  return account;
}

struct weir__account *weir__account_ref(struct weir__account *account)
{
  __atomic_fetch_add(&account->refs, 1, __ATOMIC_RELAXED);
  return account;
}

void weir__account_unref(struct weir__account *account)
{
  if (account != NULL && __atomic_fetch_sub(&account->refs, 1, __ATOMIC_ACQ_REL) == 1)
    account->sys->free(account->sys, account);
}
