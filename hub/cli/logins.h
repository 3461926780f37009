/*
 * Who can log in on this machine: said when `carrel up` is ready.
 */
#ifndef CARREL_HUB_CLI_LOGINS_H
#define CARREL_HUB_CLI_LOGINS_H

#include <stdbool.h>

/* Prints a few lines to stdout. all_accounts: reads the shadow file (root). */
void logins_explain(bool all_accounts);

#endif
