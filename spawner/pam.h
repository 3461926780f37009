/*
 * PAM: one login (in the child of an attempt), and one session (in a keeper).
 * Both block: neither is ever called in the spawner's loop. A handle is used
 * by the process that started it and by no other.
 */
#ifndef CARREL_SPAWNER_PAM_H
#define CARREL_SPAWNER_PAM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/err.h"
#include "spawner/client.h"

/* Texts of modules for the person, all together. */
#define PAM_TEXT_MAX   1024
#define PAM_GROUPS_MAX 512

/* Which stack of modules. */
struct pam_place {
	const char *service;
	const char *dir; /* NULL: the system's /etc/pam.d */
};

struct pam_login {
	struct pam_place place;
	const char *account, *rhost; /* rhost may be "" */
	int64_t min_uid;
	/* Single-account mode: nobody else can log in. NULL: everybody. */
	const char *only_account;
	/* What a refusal of ours waits, as pam_unix does after a wrong
	 * password. */
	int64_t refuse_delay_ms;
	/* Ask the person: lines, of which the last one is the question and
	 * those before it what modules said. 0 with the reply (cap bytes with
	 * NUL), -1 to give up. */
	int (*prompt)(
	    const char *text, bool echo, char *reply, size_t cap, void *arg);
	void *arg;
	/* A password that is due is changed as part of the login. */
	bool changes_passwords;
	/* After a success, keep the handle for a session. */
	bool keeps_handle;
};

struct pam_session;

struct pam_login_result {
	enum spawner_auth_code code;
	const char *account; /* as PAM ended it */
	const char *text;    /* lines for the person; "" if none */
	const char **groups;
	size_t n_groups;
	bool is_changed; /* a due password was, on the way in */
	/* keeps_handle and a success: for pam_session_open; else NULL. */
	struct pam_session *session;
};

/* Strings live in `a`. */
void pam_login_run(const struct pam_login *login, struct arena *a,
    struct pam_login_result *out);

/*
 * start (or the handle of a login: `kept`, which is taken; may be NULL),
 * acct_mgmt, the account's groups, setcred, open_session. Afterwards
 * the process has the limits, the umask and the supplementary groups that the
 * session gave it. ERR_DENIED: the account may not (expired and the like);
 * else PAM could not. The text has what the modules said.
 */
struct pam_session *pam_session_open(struct pam_session *kept,
    const struct pam_place *place, const char *account, gid_t gid,
    struct err *err);
/* Names and values that the modules set; owned by the session. */
char *const *pam_session_env(const struct pam_session *s);
/* close_session, setcred(DELETE), end. Safe on NULL. */
void pam_session_close(struct pam_session **s);

#endif
