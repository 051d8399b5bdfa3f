/* The command line of weir-bench. */
#ifndef WEIR_BENCH_ARGUMENTS_H
#define WEIR_BENCH_ARGUMENTS_H

#include "settings.h"

#include <stdio.h>

#ifdef __cplusplus
extern "C" {
#endif

enum asked { ASKED_RUN, ASKED_HELP, ASKED_VERSION, ASKED_WRONG };

/* Reads argv, whose first word is the program's name, into settings, which point into it. Looks at
 * nothing else. ASKED_WRONG: the sentence, cut to size, says what is wrong and what is right. */
enum asked arguments_read(struct settings *settings, int argc, char *const *argv, char *sentence,
                          size_t size);

/* What --help prints. */
void arguments_help(FILE *out);

#ifdef __cplusplus
}
#endif

#endif
