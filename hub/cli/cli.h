/*
 * The administrator's command `carrel`: one file per verb. A verb gets the
 * arguments after its name and returns the exit code: 0 done, 1 failed (the
 * reason went to stderr), 2 wrong use. The others are in verb.h.
 */
#ifndef CARREL_HUB_CLI_CLI_H
#define CARREL_HUB_CLI_CLI_H

#include "base/err.h"

int cli_up(int argc, char **argv);
int cli_stop(int argc, char **argv);

/* "carrel: <text>" on stderr; returns 1. */
int cli_fail(const struct err *err);
/* Says what is wrong and how to get help; returns 2. */
int cli_usage(const char *verb, const char *fmt, ...) PRINTF_LIKE(2, 3);

#endif
