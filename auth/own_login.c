/*
 * See own_login.h. A login is one object from begin to its end; the kind knows
 * it by the attempt's id.
 */
#include "auth/own_login.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "auth/answers.h"
#include "auth/first_use.h"
#include "auth/native.h"
#include "auth/passwords.h"
#include "auth/rules.h"
#include "base/clock.h"
#include "base/list.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/str.h"
#include "db/password.h"

#define TEXT_LIMIT "Too many logins are under way. Try again in a few seconds."

struct own_login {
	struct authenticator base;
	struct loop *loop;
	const struct auth_sink *sink;
	struct db *db;
	const struct auth_rules *rules;
	struct passwords *passwords;
	struct own_policy policy;
	struct list attempts;
};

struct own_attempt {
	struct list link;
	struct own_login *owner;
	uint64_t id;
	char name[RULES_NAME_MAX + 1]; /* as the hub knows it */
	char *typed;
	struct passwords_job *job;
	struct defer later;
	enum auth_result res; /* what `later` tells */
	const char *text;     /* static, or in `why` */
	struct err why;
};

static struct own_login *own_of(struct authenticator *au)
{
	return (struct own_login *)(void *)au;
}

/* ---- one login ----------------------------------------------------------- */

static struct own_attempt *attempt_new(
    struct own_login *o, uint64_t id, const char *typed)
{
	struct own_attempt *at = xcalloc(1, sizeof *at);

	at->owner = o;
	at->id = id;
	at->typed = xstrdup(typed);
	at->text = "";
	list_add_tail(&o->attempts, &at->link);
	return at;
}

static void attempt_free(struct own_attempt *at)
{
	defer_cancel(&at->later);
	passwords_cancel(&at->job);
	list_del(&at->link);
	free(at->typed);
	free(at);
}

/* It is gone before the sink is called, which may do anything. */
static void tell(struct own_attempt *at, enum auth_result res, const char *text)
{
	const struct auth_sink *sink = at->owner->sink;
	const struct auth_identity identity = { .name = at->typed };
	uint64_t id = at->id;
	char *typed = at->typed;

	at->typed = NULL;
	attempt_free(at);
	sink->done(
	    id, res, res == AUTH_RES_OK ? &identity : NULL, text, sink->arg);
	free(typed);
}

static void on_later(void *arg)
{
	struct own_attempt *at = arg;
	const struct err why = at->why;

	tell(at, at->res, why.code != ERR_NONE ? why.text : at->text);
}

static void end_later(
    struct own_attempt *at, enum auth_result res, const char *text)
{
	at->res = res;
	at->text = text;
	defer_call(at->owner->loop, &at->later, on_later, at);
}

/* The person is told nothing of it. */
static void end_unavailable(struct own_attempt *at, const struct err *err)
{
	log_error(
	    NULL, "a password cannot be looked up", "why=\"%s\"", err->text);
	end_later(at, AUTH_RES_UNAVAILABLE, "");
}

/* ---- a password that is known, or none ----------------------------------- */

static void on_checked(const struct passwords_answer *ans, void *arg)
{
	struct own_attempt *at = arg;

	at->job = NULL;
	tell(at, ans->is_right ? AUTH_RES_OK : AUTH_RES_DENIED, "");
}

/* hash NULL: no, after the same time. */
static void check(
    struct own_attempt *at, const char *hash, const char *password)
{
	at->job = passwords_check(
	    at->owner->passwords, hash, password, on_checked, at);
	if (!at->job)
		end_later(at, AUTH_RES_LIMIT, TEXT_LIMIT);
}

/* ---- a first password ---------------------------------------------------- */

static int write_first(
    struct own_attempt *at, const char *hash, struct err *err)
{
	struct db *db = at->owner->db;
	int64_t now = clock_wall_us();
	struct user user = { 0 };
	struct arena a;
	int rc;

	arena_init(&a);
	rc = user_find(db, &a, at->name, &user, err);
	arena_fini(&a);
	if (rc == 0)
		rc = user_create(db, at->name, false, now, &user.id, err);
	if (rc < 0)
		return -1;
	return password_add(db, user.id, hash, now, err);
}

static int keep_first(struct own_attempt *at, const char *hash, struct err *err)
{
	struct db *db = at->owner->db;

	if (db_begin(db, err) < 0)
		return -1;
	if (write_first(at, hash, err) == 0)
		return db_commit(db, err);
	db_rollback(db);
	return -1;
}

static void on_made(const struct passwords_answer *ans, void *arg)
{
	struct own_attempt *at = arg;
	struct err err = { 0 };

	at->job = NULL;
	if (!ans->hash) {
		log_error(NULL, "no memory to hash a password", "bytes=32M");
		tell(at, AUTH_RES_UNAVAILABLE, "");
	} else if (keep_first(at, ans->hash, &err) == 0) {
		log_info(&(struct log_ctx){ .user = at->name },
		    "first password taken", "kind=%s", at->owner->policy.kind);
		tell(at, AUTH_RES_OK, "");
	} else if (err.code == ERR_EXISTS) {
		/* Somebody was faster. */
		tell(at, AUTH_RES_DENIED, "");
	} else {
		log_error(NULL, "a first password cannot be kept", "why=\"%s\"",
		    err.text);
		tell(at, AUTH_RES_UNAVAILABLE, "");
	}
}

static void take_first(struct own_attempt *at, const char *password)
{
	at->job =
	    passwords_make(at->owner->passwords, password, NULL, on_made, at);
	if (!at->job)
		end_later(at, AUTH_RES_LIMIT, TEXT_LIMIT);
}

static bool is_admin_password(const struct own_policy *p, const char *password)
{
	unsigned char digest[MAC_SHA256_LEN];
	bool is_equal;

	mac_sha256(password, strlen(password), digest);
	is_equal = mac_equal(
	    digest, sizeof digest, p->admin_password, sizeof p->admin_password);
	mem_wipe(digest, sizeof digest);
	return is_equal && p->has_admin_password;
}

/* May the first password that comes for this name be its person's? */
static bool is_permitted(
    const struct own_login *o, const char *name, bool is_user)
{
	const struct auth_identity id = { .name = name };
	struct rules_decision d;

	if (!o->policy.takes_first)
		return false;
	rules_decide(o->rules, &id, &d);
	return d.allowed && (is_user || o->policy.create_users ||
				d.reason == RULE_ALLOWED_USERS);
}

static void without_password(
    struct own_attempt *at, const struct user *user, const char *password)
{
	const struct own_login *o = at->owner;
	bool is_user = user->id > 0;

	if (user->admin || rules_names_admin(o->rules, at->name)) {
		if (is_admin_password(&o->policy, password))
			take_first(at, password);
		else
			check(at, NULL, password);
	} else if (!is_permitted(o, at->name, is_user)) {
		check(at, NULL, password);
	} else if (passwords_judge(password, at->name, o->policy.min_length,
		       &at->why) < 0) {
		end_later(at, AUTH_RES_EXPIRED, "");
	} else {
		take_first(at, password);
	}
}

/* ---- the plug ------------------------------------------------------------ */

static void begin_known(struct own_attempt *at, const char *password)
{
	struct own_login *o = at->owner;
	struct user user = { 0 };
	const char *hash = NULL;
	struct err err = { 0 };
	struct arena a;
	int rc;

	arena_init(&a);
	rc = user_find(o->db, &a, at->name, &user, &err);
	if (rc == 1)
		rc = password_find(o->db, &a, user.id, &hash, &err);
	if (rc < 0)
		end_unavailable(at, &err);
	else if (rc == 1)
		check(at, hash, password);
	else
		without_password(at, &user, password);
	arena_fini(&a);
}

void own_login_begin(
    struct authenticator *au, uint64_t attempt, const struct auth_form *form)
{
	struct own_login *o = own_of(au);
	const char *typed = form->username ? form->username : "";
	const char *password = form->password ? form->password : "";
	struct own_attempt *at = attempt_new(o, attempt, typed);

	/* Nobody's password is empty, or that long. */
	if (!*password || strlen(password) > PASSWORD_MAX)
		end_later(at, AUTH_RES_DENIED, "");
	else if (rules_normalise(o->rules, typed, at->name, NULL) < 0)
		check(at, NULL, password);
	else
		begin_known(at, password);
}

void own_login_cancel(struct authenticator *au, uint64_t attempt)
{
	list_for_each (it, &own_of(au)->attempts) {
		struct own_attempt *at =
		    LIST_ITEM(it, struct own_attempt, link);

		if (at->id == attempt)
			attempt_free(at);
	}
}

struct own_login *own_login_new(const struct authenticator_kind *kind,
    const struct auth_env *env, const struct own_policy *policy)
{
	struct own_login *o = xcalloc(1, sizeof *o);

	o->base.kind = kind;
	o->loop = env->loop;
	o->sink = env->sink;
	o->db = env->db;
	o->rules = env->rules;
	o->passwords = env->passwords;
	o->policy = *policy;
	list_init(&o->attempts);
	if (!policy->has_admin_password)
		log_warn(NULL,
		    "administrators without a password cannot log in",
		    "kind=%s hint=\"set auth.options.admin_password until they "
		    "have one of their own\"",
		    policy->kind);
	return o;
}

void own_login_close(struct authenticator **au)
{
	struct own_login *o = own_of(*au);

	*au = NULL;
	if (!o)
		return;
	list_for_each (it, &o->attempts)
		attempt_free(LIST_ITEM(it, struct own_attempt, link));
	mem_wipe(&o->policy, sizeof o->policy);
	free(o);
}

struct authenticator *own_login_plug(struct own_login *o)
{
	return &o->base;
}

/* ---- for the pages ------------------------------------------------------- */

const struct own_policy *own_policy_of(const struct authenticator *au)
{
	if (!au || (au->kind != &authenticator_native &&
		       au->kind != &authenticator_first_use))
		return NULL;
	return &((const struct own_login *)(const void *)au)->policy;
}

void own_policy_set_admin_password(struct own_policy *p, const char *text)
{
	p->has_admin_password = text != NULL;
	if (text)
		mac_sha256(text, strlen(text), p->admin_password);
}
