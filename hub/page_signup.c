/*
 * Signing up for an account of the hub's own. A name that means something here
 * already is never had without an administrator's word: one that a user of the
 * hub has, an administrator's, and one that is a Unix account's, because the
 * notebook servers of that name would run as that account.
 */
#include <string.h>

#include "auth/account_name.h"
#include "auth/rules.h"
#include "auth/throttle.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "db/password.h"
#include "db/signup.h"
#include "hub/audit.h"
#include "hub/handlers.h"
#include "hub/own.h"

#define TEXT_TAKEN "That name is not available. Choose another."

struct joining {
	struct own_wait wait;
	const struct own_policy *policy;
	const char *name;  /* normal */
	const char *email; /* NULL: none */
};

/* ---- the page ------------------------------------------------------------ */

static void show(struct req *r, int status, const char *problem)
{
	const char *name = url_pair_get(&r->form, "username");
	const char *email = url_pair_get(&r->form, "email");
	json_t *data = json_pack("{s:s, s:b, s:s*, s:s*, s:s*}", "title",
	    "Sign up", "asks", 1, "problem", problem, "username", name, "email",
	    email);

	if (!data)
		data = json_pack("{s:s, s:b, s:s*}", "title", "Sign up", "asks",
		    1, "problem", problem);
	reply_page(r, status, "signup", data);
}

static const struct own_policy *signup_policy(struct req *r)
{
	const struct own_policy *p = own_page(r);

	if (p && !p->has_signup) {
		reply_page_error(r, 404,
		    "Nobody can sign up at this hub. Ask its administrator for "
		    "an account.");
		return NULL;
	}
	return p;
}

void page_signup(struct req *r)
{
	if (!signup_policy(r))
		return;
	if (r->who.kind == PRINCIPAL_USER)
		reply_redirect(r, 302, req_hub(r, "home"));
	else
		show(r, 200, NULL);
}

static void show_done(struct req *r, bool waits)
{
	reply_page(r, 200, "signup",
	    json_pack("{s:s, s:b}", "title", "Sign up",
		waits ? "waits" : "is_open", 1));
}

/* ---- who may ------------------------------------------------------------- */

/* 1: the name means something here, 0: it does not; -1. ERR_EXISTS: nobody else
 * can have it. */
static int look_up(struct req *r, const char *name, struct err *err)
{
	struct arena *a = &r->http->arena;
	struct user user = { 0 };
	struct signup other;
	const char *hash;
	int found = user_find(r->app->db, a, name, &user, err);
	int rc = found;

	if (found == 1)
		rc = password_find(r->app->db, a, user.id, &hash, err);
	if (rc == 0)
		rc = signup_find(r->app->db, a, name, &other, err);
	if (rc == 1)
		return err_set(err, ERR_EXISTS, TEXT_TAKEN);
	if (rc < 0)
		return -1;
	return found || rules_names_admin(r->app->rules, name);
}

static int write_account(struct joining *j, const char *hash, struct err *err)
{
	struct db *db = j->wait.r->app->db;
	int64_t now = clock_wall_us(), id;

	if (db_begin(db, err) != 0)
		return -1;
	if (user_create(db, j->name, false, now, &id, err) == 0 &&
	    password_add(db, id, hash, now, err) == 0)
		return db_commit(db, err);
	db_rollback(db);
	return -1;
}

static int write_signup(struct joining *j, const struct passwords_answer *ans,
    bool waits, struct err *err)
{
	const struct signup s = {
		.name = j->name,
		.hash = ans->hash,
		.email = j->email,
		.has_account = ans->has_account,
		.asked_us = clock_wall_us(),
	};

	if (!waits)
		return write_account(j, ans->hash, err);
	return signup_add(j->wait.r->app->db, &s, j->policy->max_waiting, err);
}

static void refuse(struct req *r, const struct err *err)
{
	switch (err->code) {
	case ERR_EXISTS:
		show(r, 409, TEXT_TAKEN);
		return;
	case ERR_LIMIT:
		log_warn(
		    NULL, "a sign-up was refused", "why=\"%s\"", err->text);
		show(r, 503,
		    "Too many people wait for an administrator. Try again "
		    "later, or tell the administrator.");
		return;
	default:
		reply_err(r, err);
	}
}

/* Somebody may have come meanwhile: what was looked up is looked up again. */
static void on_made(const struct passwords_answer *ans, void *arg)
{
	struct joining *j = arg;
	struct req *r = j->wait.r;
	struct err err = { 0 };
	int known;

	own_wait_over(&j->wait);
	if (!ans->hash) {
		show(r, 503, OWN_TEXT_BUSY);
		return;
	}
	known = look_up(r, j->name, &err);
	bool waits = known != 0 || ans->has_account || !j->policy->open_signup;
	if (known < 0 || write_signup(j, ans, waits, &err) != 0) {
		refuse(r, &err);
		return;
	}
	log_info(&(struct log_ctx){ .user = j->name }, "signed up",
	    "from=%s waits=%d", r->client, waits);
	audit_person(r, AUDIT_SIGNUP, j->name, waits ? "waits" : "account");
	show_done(r, waits);
}

/* ---- a form comes -------------------------------------------------------- */

static int read_name(struct req *r, struct joining *j, struct err *err)
{
	const char *typed = url_pair_get(&r->form, "username");
	struct slice t = slice_trim(slice_of(typed ? typed : ""));
	struct rules_decision d;
	const struct auth_identity id = {
		.name = arena_strndup(&r->http->arena, t.p, t.len),
	};
	char normal[RULES_NAME_MAX + 1];

	if (rules_normalise(r->app->rules, id.name, normal, err) != 0)
		return -1;
	rules_decide(r->app->rules, &id, &d);
	if (!d.allowed &&
	    (d.reason == RULE_USERNAME_REGEX || d.reason == RULE_BLOCKED_USERS))
		return err_set(err, ERR_EXISTS, TEXT_TAKEN);
	j->name = arena_strdup(&r->http->arena, normal);
	return 0;
}

static int read_email(struct req *r, struct joining *j, struct err *err)
{
	const char *typed = url_pair_get(&r->form, "email");
	struct slice t = slice_trim(slice_of(typed ? typed : ""));

	if (t.len == 0)
		return 0;
	if (t.len > SIGNUP_EMAIL_MAX || !utf8_valid(t.p, t.len) ||
	    str_has_control(t.p, t.len) || !memchr(t.p, '@', t.len))
		return err_set(
		    err, ERR_INVALID, "That is not an e-mail address.");
	j->email = arena_strndup(&r->http->arena, t.p, t.len);
	return 0;
}

static int read_form(struct req *r, struct joining *j, struct err *err)
{
	const char *password = url_pair_get(&r->form, "password");
	const char *again = url_pair_get(&r->form, "again");

	if (read_name(r, j, err) != 0 || read_email(r, j, err) != 0)
		return -1;
	if (!password || !again || !str_eq(password, again))
		return err_set(
		    err, ERR_INVALID, "The two passwords are not the same.");
	return passwords_judge(password, j->name, j->policy->min_length, err);
}

/* The account that servers of this name would run as. */
static const char *account_of(struct req *r, const char *name)
{
	char account[ACCOUNT_NAME_MAX + 1];

	if (!str_eq(r->app->cfg.account_names, "escaped"))
		return name;
	account_name_escape(name, account);
	return arena_strdup(&r->http->arena, account);
}

static void begin(struct req *r, struct joining *j)
{
	const char *password = url_pair_get(&r->form, "password");
	/* Strangers fill a table of ours: a class has room, a flood has not. */
	int64_t wait_s =
	    throttle_newcomer_wait_s(r->app->throttle, "signup", r->client);

	if (wait_s > 0) {
		show(r, 429,
		    arena_printf(&r->http->arena,
			"Many people signed up from your address just now. Try "
			"again in %lld seconds.",
			(long long)wait_s));
		return;
	}
	throttle_newcomer(r->app->throttle, "signup", r->client);
	if (own_wait(&j->wait, passwords_make(r->app->passwords, password,
				   account_of(r, j->name), on_made, j)) != 0)
		show(r, 503, OWN_TEXT_BUSY);
}

void page_signup_post(struct req *r)
{
	struct joining *j = arena_alloc(&r->http->arena, sizeof *j);
	struct err err = { 0 };

	j->wait.r = r;
	j->policy = signup_policy(r);
	if (!j->policy)
		return;
	if (read_form(r, j, &err) != 0)
		show(r, err.code == ERR_EXISTS ? 409 : 400, err.text);
	else if (look_up(r, j->name, &err) < 0)
		refuse(r, &err);
	else
		begin(r, j);
}
