/*
 * Who may come in and who is an administrator: the one place that decides, for
 * every kind of authenticator alike. Order: the name is made normal once, then
 * deny rules, then allow rules; without a rule that admits, nobody comes in.
 *
 * Lists name people as Carrel knows them: lower case, after username_map.
 */
#ifndef CARREL_AUTH_RULES_H
#define CARREL_AUTH_RULES_H

#include <stdbool.h>
#include <stddef.h>

#include "auth/authenticator.h"
#include "base/buf.h"
#include "base/conf.h"
#include "base/err.h"

#define RULES_NAME_MAX 64 /* bytes */

/* Part of the hub's configuration; the hub's config.def fills it. */
struct auth_rules_config {
	bool allow_all, allow_existing_users;
	struct conf_strings allowed_users;
	struct conf_strings allowed_groups;
	struct conf_strings blocked_users;
	struct conf_strings admin_users;
	struct conf_strings admin_groups;
	struct conf_pairs username_map;
	const char *username_regex; /* POSIX extended, whole name; NULL: any */
};

struct auth_rules;

/* Checks and compiles; cfg must live as long. ERR_INVALID names the option. */
struct auth_rules *rules_open(
    const struct auth_rules_config *cfg, struct err *err);
void rules_close(struct auth_rules **r);
/*
 * Who is a user of the hub already, under a normal name, for
 * allow_existing_users: 1/0; -1 is taken for 0. Without it nobody is.
 */
typedef int rules_known_fn(const char *name, void *arg);
void rules_set_known(struct auth_rules *r, rules_known_fn *fn, void *arg);
/* No rule lets anybody in: worth a loud warning at start. */
bool rules_admit_nobody(const struct auth_rules *r);

/*
 * "Alice" -> "alice" -> username_map; ERR_INVALID says which rule of names it
 * breaks. The result is what database and URLs know.
 */
int rules_normalise(const struct auth_rules *r, const char *raw,
    char out[RULES_NAME_MAX + 1], struct err *err) MUST_CHECK;
/* Is this normal name in admin_users? */
bool rules_names_admin(const struct auth_rules *r, const char *name);
/*
 * Each normal name that admin_users and allowed_users list and that a login
 * could have: not of blocked_users, and fitting username_regex. Ends when fn
 * answers otherwise than 0, with that answer.
 */
typedef int rules_listed_fn(const char *name, bool is_admin, void *arg);
int rules_each_listed(
    const struct auth_rules *r, rules_listed_fn *fn, void *arg) MUST_CHECK;
/* Just the grammar of a normal name. */
int rules_name_check(const char *name, struct err *err) MUST_CHECK;

enum rules_reason {
	RULE_BAD_NAME,       /* breaks the rules of names */
	RULE_USERNAME_REGEX, /* does not match */
	RULE_BLOCKED_USERS,
	RULE_ADMIN_USERS, /* administrators may come in */
	RULE_ADMIN_GROUPS,
	RULE_ALLOWED_USERS,
	RULE_ALLOWED_GROUPS,
	RULE_EXISTING_USERS,
	RULE_ALLOW_ALL,
	RULE_NONE, /* nothing admits: closed */
};

enum rules_admin {
	RULES_ADMIN_KEEP, /* as the database says */
	RULES_ADMIN_YES,
	RULES_ADMIN_NO,
};

struct rules_decision {
	bool allowed;
	enum rules_reason reason; /* the rule that decided */
	const char *detail;       /* the group that matched; NULL: none */
	enum rules_admin admin;
	char name[RULES_NAME_MAX + 1]; /* "" with RULE_BAD_NAME */
	char text[200]; /* for logs and `explain`; never shown to strangers */
};

/* `id` is what the authenticator said; strings of out that are pointers live as
 * long as r. */
void rules_decide(const struct auth_rules *r, const struct auth_identity *id,
    struct rules_decision *out);
/* The same of somebody whom the hub knows as id->name: it is normal already. */
void rules_decide_known(const struct auth_rules *r,
    const struct auth_identity *id, struct rules_decision *out);
/* Is this normal name in blocked_users? */
bool rules_names_blocked(const struct auth_rules *r, const char *name);
/* cfg->blocked_users is another list now. -1: the old one stays in force. */
int rules_block_anew(struct auth_rules *r, struct err *err) MUST_CHECK;
/* The name of the option that decided: "allowed_groups"; "no rule". */
const char *rules_reason_name(enum rules_reason reason);
/* One line per rule: matched or not, and the outcome. */
void rules_explain(const struct auth_rules *r, const struct auth_identity *id,
    struct buf *out);

#endif
