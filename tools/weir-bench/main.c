/* weir-bench: a load generator for WebSocket servers. */
#include <weir/version.h>

#include <stdio.h>

int main(void)
{
  printf("weir-bench %s\n", weir_version());
  return 0;
}
