/*
 * See ldap.h. A login is one object from begin to its end. While a thread works
 * on it the object belongs to that thread, and a login that is cancelled (or
 * whose kind is closed) is let go: its job ends by itself and is told to
 * nobody.
 */
#include "auth/ldap.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "auth/answers.h"
#include "auth/directory.h"
#include "base/list.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/offload.h"
#include "base/str.h"

#define SHOWN_MAX  64
#define TEXT_LIMIT "Too many logins are under way. Try again in a few seconds."

struct ldap {
	struct authenticator base;
	struct loop *loop;
	struct offload *offload;
	const struct auth_sink *sink;
	struct directory_config *cfg;
	size_t first_server; /* that answered last */
	struct list logins;
};

struct ldap_login {
	struct list link;
	struct ldap *owner; /* NULL: let go */
	uint64_t id;
	bool is_working; /* a thread has it, or will */
	struct defer ending;
	/* The thread's, while one works: */
	struct directory_config *cfg;
	char *username, *password;
	size_t first_server;
	struct arena arena;
	struct directory_answer answer;
	atomic_bool is_cancelled;
};

static struct ldap *ldap_of(struct authenticator *au)
{
	return (struct ldap *)(void *)au;
}

/* ---- one login ----------------------------------------------------------- */

static struct ldap_login *login_new(
    struct ldap *l, uint64_t id, const struct auth_form *form)
{
	struct ldap_login *at = xcalloc(1, sizeof *at);

	at->owner = l;
	at->id = id;
	at->cfg = directory_config_ref(l->cfg);
	/* Before the directory sees it, which does not tell case apart. */
	at->username = xstrdup(form->username ? form->username : "");
	str_lower_ascii(at->username);
	at->password = xstrdup(form->password ? form->password : "");
	at->first_server = l->first_server;
	arena_init(&at->arena);
	atomic_init(&at->is_cancelled, false);
	list_add_tail(&l->logins, &at->link);
	return at;
}

static void login_free(struct ldap_login *at)
{
	defer_cancel(&at->ending);
	list_del(&at->link);
	mem_wipe(at->password, strlen(at->password));
	free(at->password);
	free(at->username);
	arena_fini(&at->arena);
	directory_config_unref(&at->cfg);
	free(at);
}

/* Nobody wants to hear of it any more. */
static void let_go(struct ldap_login *at)
{
	if (!at->is_working) {
		login_free(at);
		return;
	}
	at->owner = NULL;
	list_del(&at->link);
	atomic_store(&at->is_cancelled, true);
}

/* ---- its end ------------------------------------------------------------- */

static void log_why(const struct ldap_login *at)
{
	const struct directory_answer *a = &at->answer;
	char shown[SHOWN_MAX + 1];

	/* What made it impossible is logged where it is shown. */
	if (a->why.code == ERR_NONE || a->res == AUTH_RES_UNAVAILABLE)
		return;
	str_printable(shown, sizeof shown, at->username, strlen(at->username));
	log_warn(NULL, "the directory had something to say",
	    "name=\"%s\" why=\"%s\"", shown, a->why.text);
}

/* The login goes after the sink, which may do anything, the kind's close
 * included. */
static void tell(struct ldap_login *at)
{
	const struct directory_answer *a = &at->answer;
	const struct auth_sink *sink = at->owner->sink;
	const struct auth_identity identity = {
		.name = a->name,
		.groups = a->groups,
		.n_groups = a->n_groups,
	};

	log_why(at);
	at->owner = NULL;
	list_del(&at->link);
	/* What made it impossible is for the hub's log, not for the person. */
	if (a->res == AUTH_RES_OK)
		sink->done(at->id, a->res, &identity, "", sink->arg);
	else
		sink->done(at->id, a->res, NULL,
		    a->text ? a->text : a->why.text, sink->arg);
	login_free(at);
}

static void on_worked(void *arg)
{
	struct ldap_login *at = arg;

	at->is_working = false;
	if (!at->owner) {
		login_free(at);
		return;
	}
	if (at->answer.res != AUTH_RES_UNAVAILABLE)
		at->owner->first_server = at->answer.server;
	tell(at);
}

static void work(void *arg)
{
	struct ldap_login *at = arg;
	const struct directory_question q = {
		.username = at->username,
		.password = at->password,
		.first_server = at->first_server,
		.is_cancelled = &at->is_cancelled,
	};

	directory_ask(at->cfg, &q, &at->arena, &at->answer);
	mem_wipe(at->password, strlen(at->password));
}

static void on_ending(void *arg)
{
	tell(arg);
}

static void end_later(
    struct ldap_login *at, enum auth_result res, const char *text)
{
	at->answer.res = res;
	if (*text)
		(void)err_set(&at->answer.why, ERR_LIMIT, "%s", text);
	defer_call(at->owner->loop, &at->ending, on_ending, at);
}

/* ---- the plug ------------------------------------------------------------ */

static void ldap_begin(
    struct authenticator *au, uint64_t attempt, const struct auth_form *form)
{
	struct ldap *l = ldap_of(au);
	struct ldap_login *at = login_new(l, attempt, form);

	/* A directory may take an empty password for nobody's successful
	 * login: it is never asked with one. */
	if (!*at->password || !directory_config_takes(l->cfg, at->username)) {
		end_later(at, AUTH_RES_DENIED, "");
		return;
	}
	if (offload_submit(l->offload, work, on_worked, at, NULL) < 0)
		end_later(at, AUTH_RES_LIMIT, TEXT_LIMIT);
	else
		at->is_working = true;
}

static void ldap_cancel(struct authenticator *au, uint64_t attempt)
{
	list_for_each (it, &ldap_of(au)->logins) {
		struct ldap_login *at = LIST_ITEM(it, struct ldap_login, link);

		if (at->id == attempt)
			let_go(at);
	}
}

static struct authenticator *ldap_open(
    const struct auth_env *env, struct err *err)
{
	struct directory_config *cfg;
	struct ldap *l;

	assert(env->offload);
	cfg = directory_config_read(env, err);
	if (!cfg)
		return NULL;
	l = xcalloc(1, sizeof *l);
	l->base.kind = &authenticator_ldap;
	l->loop = env->loop;
	l->offload = env->offload;
	l->sink = env->sink;
	l->cfg = cfg;
	list_init(&l->logins);
	return &l->base;
}

static void ldap_close(struct authenticator **au)
{
	struct ldap *l = ldap_of(*au);

	*au = NULL;
	if (!l)
		return;
	list_for_each (it, &l->logins)
		let_go(LIST_ITEM(it, struct ldap_login, link));
	directory_config_unref(&l->cfg);
	free(l);
}

const struct authenticator_kind authenticator_ldap = {
	.name = "ldap",
	.has_form = true,
	.open = ldap_open,
	.begin = ldap_begin,
	.reply = answers_no_reply,
	.cancel = ldap_cancel,
	.close = ldap_close,
};
