/*
 * Where Carrel keeps its things on this machine, and whom it serves: all
 * accounts when root starts it, else the one account that does
 * (docs/architecture.md "places").
 */
#ifndef CARREL_HUB_CLI_SITE_H
#define CARREL_HUB_CLI_SITE_H

#include <limits.h>
#include <stdbool.h>
#include <sys/types.h>

#include "base/err.h"

struct site {
	bool all_accounts; /* started by root */
	char run_dir[PATH_MAX];
	char hub_state_dir[PATH_MAX];
	char proxy_state_dir[PATH_MAX];
	char token_file[PATH_MAX];
	char bin_dir[PATH_MAX];
	uid_t hub_uid, proxy_uid; /* only when all_accounts */
	gid_t hub_gid, proxy_gid;
};

#define SITE_HUB_ACCOUNT      "carrel"
#define SITE_PROXY_ACCOUNT    "carrel-proxy"
/* Managed services run as this one, where spawner.yaml names none. */
#define SITE_SERVICES_ACCOUNT "carrel-services"

/* Names only; nothing is made. NULL arguments: the defaults. */
int site_find(struct site *p, const char *run_dir, const char *state_dir,
    struct err *err) MUST_CHECK;
/*
 * As root: the two system accounts (said when they are made), directories with
 * their owners, the proxy's token, once. Else: directories and the token.
 */
int site_make(struct site *p, struct err *err) MUST_CHECK;
/* Servers whose keepers are there. */
int site_count_servers(const struct site *p);

#endif
