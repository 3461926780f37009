/*
 * Changing one's password. It ends the person's logins everywhere; the browser
 * that asked gets a new one.
 */
#include <string.h>

#include "auth/throttle.h"
#include "base/clock.h"
#include "base/log.h"
#include "db/password.h"
#include "hub/audit.h"
#include "hub/handlers.h"
#include "hub/own.h"

struct change {
	struct own_wait wait;
	const char *password; /* the new one, in the form */
	struct own_session session;
};

static void show(struct req *r, int status, const char *problem)
{
	reply_page(r, status, "password",
	    json_pack("{s:s, s:s*, s:s}", "title", "Change your password",
		"problem", problem, "name", r->who.user_name));
}

void page_password(struct req *r)
{
	if (!own_page(r))
		return;
	if (url_pair_get(&r->query, "done"))
		reply_page(r, 200, "password",
		    json_pack("{s:s, s:b}", "title", "Change your password",
			"done", 1));
	else
		show(r, 200, NULL);
}

/* ---- the new one --------------------------------------------------------- */

static int write_all(struct change *c, const char *hash, struct err *err)
{
	struct req *r = c->wait.r;
	struct db *db = r->app->db;

	if (db_begin(db, err) != 0)
		return -1;
	if (password_change(db, r->who.user_id, hash, clock_wall_us(), err) ==
		0 &&
	    own_session_renew(r, &c->session, err) == 0)
		return db_commit(db, err);
	db_rollback(db);
	return -1;
}

static void on_made(const struct passwords_answer *ans, void *arg)
{
	struct change *c = arg;
	struct req *r = c->wait.r;
	struct err err = { 0 };

	own_wait_over(&c->wait);
	if (!ans->hash) {
		show(r, 503, OWN_TEXT_BUSY);
		return;
	}
	if (write_all(c, ans->hash, &err) != 0) {
		reply_err(r, &err);
		return;
	}
	log_info(&(struct log_ctx){ .user = r->who.user_name },
	    "password changed", "from=%s", r->client);
	audit_person(r, AUDIT_PASSWORD, r->who.user_name, NULL);
	own_session_give(r, &c->session);
	reply_redirect(r, 303, req_hub(r, "change-password?done=1"));
}

/* ---- the old one --------------------------------------------------------- */

static void on_checked(const struct passwords_answer *ans, void *arg)
{
	struct change *c = arg;
	struct req *r = c->wait.r;

	own_wait_over(&c->wait);
	if (!ans->is_right) {
		throttle_failed(r->app->throttle, r->who.user_name, r->client);
		show(r, 403, "Your present password is another one.");
		return;
	}
	throttle_succeeded(r->app->throttle, r->who.user_name, r->client);
	if (own_wait(&c->wait, passwords_make(r->app->passwords, c->password,
				   NULL, on_made, c)) != 0)
		show(r, 503, OWN_TEXT_BUSY);
}

/* -1: answered. */
static int read_form(
    struct req *r, struct change *c, const struct own_policy *policy)
{
	const char *again = url_pair_get(&r->form, "again");
	struct err err = { 0 };

	c->password = url_pair_get(&r->form, "password");
	if (!c->password || !again || !str_eq(c->password, again))
		(void)err_set(
		    &err, ERR_INVALID, "The two passwords are not the same.");
	else if (passwords_judge(c->password, r->who.user_name,
		     policy->min_length, &err) == 0)
		return 0;
	show(r, 400, err.text);
	return -1;
}

static void begin(struct req *r, struct change *c)
{
	const char *old = url_pair_get(&r->form, "old");
	const char *hash = NULL;
	char text[160];
	struct err err = { 0 };
	int64_t wait_s =
	    throttle_wait_s(r->app->throttle, r->who.user_name, r->client);

	if (wait_s > 0) {
		throttle_text(wait_s, text, sizeof text);
		show(r, 429, text);
	} else if (password_find(r->app->db, &r->http->arena, r->who.user_id,
		       &hash, &err) < 0) {
		reply_err(r, &err);
	} else if (!old || strlen(old) > PASSWORD_MAX) {
		show(r, 403, "Your present password is another one.");
	} else if (own_wait(&c->wait, passwords_check(r->app->passwords, hash,
					  old, on_checked, c)) != 0) {
		show(r, 503, OWN_TEXT_BUSY);
	}
}

void page_password_post(struct req *r)
{
	struct change *c = arena_alloc(&r->http->arena, sizeof *c);
	const struct own_policy *policy = own_page(r);

	c->wait.r = r;
	if (policy && read_form(r, c, policy) == 0)
		begin(r, c);
}
