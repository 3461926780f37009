/*
 * Root's policy (spawner.yaml): what may run, for whom, within which bounds.
 * The hub names things that stand here; it never says a command, a uid or a
 * free environment.
 */
#ifndef CARREL_SPAWNER_POLICY_H
#define CARREL_SPAWNER_POLICY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/conf.h"
#include "base/err.h"

/* The kernel's overflow uid, "nobody" on Debian. */
#define POLICY_UID_NOBODY 65534

struct limits {
	int64_t memory_bytes; /* 0: none */
	int64_t cpu_millis;   /* thousandths of a processor; 0: none */
	int64_t pids;         /* 0: none */
};

struct profile {
	const char *name;
	const char *kind;
	struct conf_strings command;
	struct conf_pairs environment;
	struct conf_strings accept_environment;
	bool no_new_privs;
	int64_t memory, pids; /* as bound; read `limits` */
	const char *cpu;
	struct limits limits;
	int64_t stop_grace_s, keep_login_handle_s;
};

/*
 * A managed service of the hub: a program without a person. Its profile is
 * named "service:NAME", which no profile of the file can be called.
 */
struct policy_service {
	const char *name, *cwd, *user; /* user "": the default account */
	struct profile profile;
};

/* Services run as this account when nothing is said and the spawner is root. */
#define POLICY_SERVICE_ACCOUNT "carrel-services"
#define POLICY_SERVICE_PREFIX  "service:"

struct policy {
	const char *pam_service, *port_range;
	int64_t min_uid, max_servers, max_starts;
	int64_t start_timeout_s, listen_timeout_s;
	int64_t auth_max_attempts, auth_max_per_account;
	int64_t auth_module_timeout_s, auth_answer_timeout_s;
	bool auth_change_password, allow_fake;
	struct conf_strings create_account, remove_account;
	struct conf_strings extra_capabilities;
	struct conf_node *profiles, *services; /* as bound */

	uint16_t port_first, port_last; /* 0, 0: any */
	struct profile *profile;
	size_t n_profiles;
	struct policy_service *service;
	size_t n_services;
	struct arena arena;
};

/*
 * `file` is only for messages; text NULL: the defaults alone. is_root says who
 * the spawner is: the kind "simple" exists only where it is false. All
 * problems go to `problems`, a line each. *p is to be given to policy_fini in
 * any case.
 */
int policy_parse(struct policy *p, const char *text, size_t len,
    const char *file, bool is_root, struct buf *problems,
    struct err *err) MUST_CHECK;
void policy_fini(struct policy *p);

/* NULL when there is none of that name. */
const struct profile *policy_profile(const struct policy *p, const char *name);
/* A managed service; the same. */
const struct policy_service *policy_service(
    const struct policy *p, const char *name);
/* uid 0, nobody and what lies below min_uid are refused; text says which. */
int policy_check_uid(int64_t min_uid, const char *account, uid_t uid,
    struct err *err) MUST_CHECK;
/* The longest keep_login_handle of all profiles. */
int64_t policy_keep_login_s(const struct policy *p);
/* Does a profile let its programs gain privileges? */
bool policy_wants_new_privs(const struct policy *p);
/* Name characters of an account: what useradd and directories use. */
bool policy_account_name_ok(const char *name);
/*
 * Environment that the hub may set: JUPYTERHUB_*, JPY_API_TOKEN, MEM_LIMIT,
 * MEM_GUARANTEE, CPU_LIMIT, CPU_GUARANTEE; not JUPYTERHUB_SERVICE_URL, which
 * is ours to say.
 */
bool policy_env_name_ok(const char *name);

#endif
