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
#define TEXT_WRONG_CODE                                                        \
	"That code was wrong, or was used before. Log in again with the next " \
	"one that your app shows."
#define TEXT_NO_FIT                                                            \
	"These codes do not fit the key. Look whether your device's clock is " \
	"right, and log in again."
#define TEXT_CHANGED    "Your password was changed meanwhile. Log in again."
#define PROMPT_CODE     "Code of your authenticator app:"
/* First codes that may be wrong before the key is shown anew. */
#define FIRST_CODES_MAX 5
#define CODE_MAX        64 /* bytes of an answer */

struct own_login {
	struct authenticator base;
	struct loop *loop;
	const struct auth_sink *sink;
	struct db *db;
	const struct auth_rules *rules;
	struct passwords *passwords;
	struct own_policy policy;
	struct second_step *second; /* NULL: off */
	struct list attempts;
};

enum own_stage {
	OWN_PASSWORD,
	OWN_CODE,       /* the person is asked for a code */
	OWN_FIRST_CODE, /* they were offered a key, and are asked for one */
};

struct own_attempt {
	struct list link;
	struct own_login *owner;
	uint64_t id;
	char name[RULES_NAME_MAX + 1]; /* as the hub knows it */
	char *typed;
	int64_t user_id;      /* 0: no user yet */
	char *hash;           /* that the password was right for */
	enum own_stage stage; /* what the next answer is */
	char answer[CODE_MAX + 1];
	unsigned n_wrong;    /* first codes */
	bool has_new_secret; /* they set up their second step just now */
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
	free(at->hash);
	free(at->typed);
	free(at);
}

/* It is gone before the sink is called, which may do anything. */
static void tell(struct own_attempt *at, enum auth_result res, const char *text)
{
	const struct auth_sink *sink = at->owner->sink;
	const struct auth_identity identity = { .name = at->typed,
		.has_new_secret = at->has_new_secret };
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
	log_error(NULL, "a password or second step cannot be looked up",
	    "why=\"%s\"", err->text);
	end_later(at, AUTH_RES_UNAVAILABLE, "");
}

/* ---- the second step ----------------------------------------------------- */

/* The sink may end the attempt: nothing of it is touched after. */
static void ask(
    struct own_attempt *at, enum own_stage stage, const char *prompt)
{
	const struct auth_sink *sink = at->owner->sink;

	at->stage = stage;
	sink->prompt(at->id, prompt, true, sink->arg);
}

static void offer(struct own_attempt *at)
{
	struct second_step_offer key;
	struct err err = { 0 };
	struct arena a;

	arena_init(&a);
	if (second_step_offer(
		at->owner->second, &a, at->user_id, at->name, &key, &err) == 0)
		ask(at, OWN_FIRST_CODE,
		    arena_printf(&a,
			"This hub wants a second step at each login: a code of "
			"an authenticator app on your phone or computer.\n"
			"Put this key into the app: %s\n"
			"Or open this address with it: %s\n"
			"The code that it shows now:",
			key.key, key.uri));
	else
		end_unavailable(at, &err);
	arena_fini(&a);
}

/* The password was right. */
static void after_password(struct own_attempt *at)
{
	const struct second_step *second = at->owner->second;
	struct err err = { 0 };
	int has = second ? second_step_has(second, at->user_id, &err) : 0;

	if (has < 0)
		end_unavailable(at, &err);
	else if (has > 0)
		ask(at, OWN_CODE, PROMPT_CODE);
	else if (second && second_step_is_required(second))
		offer(at);
	else
		tell(at, AUTH_RES_OK, "");
}

/* Minutes may have gone by since the password was right. */
static void after_code(struct own_attempt *at)
{
	const char *hash = NULL;
	struct err err = { 0 };
	struct arena a;
	int rc;

	arena_init(&a);
	rc = password_find(at->owner->db, &a, at->user_id, &hash, &err);
	if (rc < 0)
		end_unavailable(at, &err);
	else if (rc == 1 && str_eq(hash, at->hash))
		end_later(at, AUTH_RES_OK, "");
	else
		end_later(at, AUTH_RES_EXPIRED, TEXT_CHANGED);
	arena_fini(&a);
}

static void first_code_was_wrong(struct own_attempt *at)
{
	if (++at->n_wrong < FIRST_CODES_MAX)
		ask(at, OWN_FIRST_CODE,
		    "That code does not fit the key. Wait for the next one.\n"
		    "The code that the app shows now:");
	else
		end_later(at, AUTH_RES_EXPIRED, TEXT_NO_FIT);
}

static void on_answer(void *arg)
{
	struct own_attempt *at = arg;
	const struct second_step *second = at->owner->second;
	bool is_first = at->stage == OWN_FIRST_CODE;
	struct err err = { 0 };
	int rc =
	    is_first
		? second_step_confirm(second, at->user_id, at->answer, &err)
		: second_step_check(second, at->user_id, at->answer, &err);

	at->has_new_secret = is_first && rc == 1;
	if (rc == 1)
		after_code(at);
	else if (rc == 0 && is_first)
		first_code_was_wrong(at);
	else if (rc == 0)
		end_later(at, AUTH_RES_DENIED, TEXT_WRONG_CODE);
	else if (err.code == ERR_NOT_FOUND)
		end_later(at, AUTH_RES_EXPIRED, TEXT_CHANGED);
	else
		end_unavailable(at, &err);
}

void own_login_reply(
    struct authenticator *au, uint64_t attempt, const char *text)
{
	list_for_each (it, &own_of(au)->attempts) {
		struct own_attempt *at =
		    LIST_ITEM(it, struct own_attempt, link);

		if (at->id != attempt || at->stage == OWN_PASSWORD)
			continue;
		/* What is longer is no code. */
		if (str_copy(at->answer, sizeof at->answer, text) < 0)
			at->answer[0] = '\0';
		defer_call(at->owner->loop, &at->later, on_answer, at);
	}
}

/* ---- a password that is known, or none ----------------------------------- */

static void on_checked(const struct passwords_answer *ans, void *arg)
{
	struct own_attempt *at = arg;

	at->job = NULL;
	if (ans->is_right)
		after_password(at);
	else
		tell(at, AUTH_RES_DENIED, "");
}

/* hash NULL: no, after the same time. */
static void check(
    struct own_attempt *at, const char *hash, const char *password)
{
	at->hash = hash ? xstrdup(hash) : NULL;
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
	at->user_id = user.id;
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
		at->hash = xstrdup(ans->hash);
		after_password(at);
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
	at->user_id = user.id;
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
    const struct auth_env *env, const struct own_policy *policy,
    struct err *err)
{
	struct second_step *second = NULL;
	struct own_login *o;

	/* Without a database the options are only checked. */
	if (policy->second_step != SECOND_STEP_OFF && env->db) {
		second = second_step_open(policy->second_step, env, err);
		if (!second)
			return NULL;
	}
	o = xcalloc(1, sizeof *o);
	o->second = second;
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
	second_step_close(&o->second);
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

const struct second_step *own_second_step_of(const struct authenticator *au)
{
	return own_policy_of(au)
		   ? ((const struct own_login *)(const void *)au)->second
		   : NULL;
}

void own_policy_set_admin_password(struct own_policy *p, const char *text)
{
	p->has_admin_password = text != NULL;
	if (text)
		mac_sha256(text, strlen(text), p->admin_password);
}
