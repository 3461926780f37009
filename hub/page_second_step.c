/*
 * One's own second step (auth/second_step.h): turning it on wants the password
 * and a first code, turning it off the password and a code. Both end the
 * person's logins everywhere; the browser that asked gets a new one.
 */
#include <string.h>

#include "auth/throttle.h"
#include "base/log.h"
#include "db/password.h"
#include "hub/audit.h"
#include "hub/handlers.h"
#include "hub/own.h"

#define TITLE      "Your second step"
#define TEXT_WRONG "Your present password is another one."

struct turn {
	struct own_wait wait;
	bool is_off;
	const char *code; /* turning it off; in the form */
	struct own_session session;
};

/* NULL: there are none here, and 404 was answered. */
static const struct second_step *own(struct req *r)
{
	const struct second_step *s = own_second_step_of(r->app->auth);

	if (!s)
		reply_page_error(
		    r, 404, "This hub has no second steps of its own.");
	return s;
}

/* `state`: what the page shows, with `more` in it (taken, may be NULL). */
static void show_state(struct req *r, int status, const char *state,
    const char *problem, json_t *more)
{
	json_t *data = json_pack("{s:s, s:s*, s:s, s:o}", "title", TITLE,
	    "problem", problem, "name", r->who.user_name, state,
	    more ? more : json_true());

	if (second_step_is_required(own_second_step_of(r->app->auth)))
		json_object_set_new(data, "required", json_true());
	reply_page(r, status, "second_step", data);
}

static void show(struct req *r, int status, const char *problem)
{
	struct err err = { 0 };
	int has = second_step_has(
	    own_second_step_of(r->app->auth), r->who.user_id, &err);

	if (has < 0)
		reply_err(r, &err);
	else
		show_state(r, status, has ? "on" : "off", problem, NULL);
}

void page_second_step(struct req *r)
{
	if (own(r))
		show(r, 200, NULL);
}

/* ---- how it ends --------------------------------------------------------- */

static int write_turn(struct turn *t, struct err *err)
{
	struct req *r = t->wait.r;
	const struct second_step *s = own_second_step_of(r->app->auth);
	int rc;

	if (t->is_off)
		rc = second_step_forget(s, r->who.user_id, err);
	else
		rc = second_step_confirm(s, r->who.user_id, t->code, err);
	if (rc == 1 && own_session_renew(r, &t->session, err) != 0)
		return -1;
	return rc;
}

/* 1, 0 (nothing was written), -1. */
static int write_all(struct turn *t, struct err *err)
{
	struct db *db = t->wait.r->app->db;
	int rc;

	if (db_begin(db, err) != 0)
		return -1;
	rc = write_turn(t, err);
	if (rc == 1)
		return db_commit(db, err) != 0 ? -1 : 1;
	db_rollback(db);
	return rc;
}

static void turned(struct turn *t)
{
	struct req *r = t->wait.r;
	const char *what = t->is_off ? "off" : "on";

	log_info(&(struct log_ctx){ .user = r->who.user_name },
	    "second step turned", "to=%s from=%s", what, r->client);
	audit_person(r, AUDIT_SECOND_STEP, r->who.user_name, what);
	own_session_give(r, &t->session);
	reply_redirect(r, 303, req_hub(r, "second-step"));
}

static void confirm(struct req *r)
{
	struct turn *t = arena_alloc(&r->http->arena, sizeof *t);
	struct err err = { 0 };
	int rc;

	*t = (struct turn){ .wait.r = r,
		.code = url_pair_get(&r->form, "code") };
	rc = t->code ? write_all(t, &err) : 0;
	if (rc == 1)
		turned(t);
	else if (rc == 0)
		show_state(r, 403, "offer",
		    "That code does not fit the key. Type the next one that "
		    "the app shows, and look whether your device's clock is "
		    "right.",
		    NULL);
	else if (err.code == ERR_NOT_FOUND)
		show(r, 409, "That key is over. Begin again.");
	else
		reply_err(r, &err);
}

/* ---- the password comes first -------------------------------------------- */

static void offer(struct req *r)
{
	struct second_step_offer key;
	struct err err = { 0 };

	if (second_step_offer(own_second_step_of(r->app->auth), &r->http->arena,
		r->who.user_id, r->who.user_name, &key, &err) == 0)
		show_state(r, 200, "offer", NULL,
		    json_pack("{s:{s:s, s:s}}", "fresh", "key", key.key, "uri",
			key.uri));
	else if (err.code == ERR_EXISTS)
		show(r, 409, "You have a second step already.");
	else
		reply_err(r, &err);
}

static void refuse(struct req *r, const char *problem)
{
	throttle_failed(r->app->throttle, r->who.user_name, r->client);
	show(r, 403, problem);
}

static void turn_off(struct turn *t)
{
	struct req *r = t->wait.r;
	struct err err = { 0 };
	int rc = second_step_check(
	    own_second_step_of(r->app->auth), r->who.user_id, t->code, &err);

	if (rc == 0) {
		refuse(r, "That code was wrong, or was used before.");
		return;
	}
	if (rc == 1)
		rc = write_all(t, &err);
	if (rc == 1)
		turned(t);
	else if (rc == 0 || err.code == ERR_NOT_FOUND)
		show(r, 409, "You have no second step.");
	else
		reply_err(r, &err);
}

static void on_checked(const struct passwords_answer *ans, void *arg)
{
	struct turn *t = arg;
	struct req *r = t->wait.r;

	own_wait_over(&t->wait);
	if (!ans->is_right) {
		refuse(r, TEXT_WRONG);
		return;
	}
	if (t->is_off) {
		turn_off(t);
		return;
	}
	throttle_succeeded(r->app->throttle, r->who.user_name, r->client);
	offer(r);
}

static void begin(struct req *r, bool is_off)
{
	struct turn *t = arena_alloc(&r->http->arena, sizeof *t);
	const char *password = url_pair_get(&r->form, "password");
	const char *code = url_pair_get(&r->form, "code"), *hash = NULL;
	char text[160];
	struct err err = { 0 };
	int64_t wait_s =
	    throttle_wait_s(r->app->throttle, r->who.user_name, r->client);

	*t = (struct turn){
		.wait.r = r, .is_off = is_off, .code = code ? code : ""
	};
	if (wait_s > 0) {
		throttle_text(wait_s, text, sizeof text);
		show(r, 429, text);
	} else if (password_find(r->app->db, &r->http->arena, r->who.user_id,
		       &hash, &err) < 0) {
		reply_err(r, &err);
	} else if (!password || strlen(password) > PASSWORD_MAX) {
		show(r, 403, TEXT_WRONG);
	} else if (own_wait(&t->wait, passwords_check(r->app->passwords, hash,
					  password, on_checked, t)) != 0) {
		show(r, 503, OWN_TEXT_BUSY);
	}
}

/* ---- a form comes -------------------------------------------------------- */

void page_second_step_post(struct req *r)
{
	const char *deed = url_pair_get(&r->form, "deed");

	if (!own(r))
		return;
	if (str_eq(deed, "begin"))
		begin(r, false);
	else if (str_eq(deed, "confirm"))
		confirm(r);
	else if (str_eq(deed, "off"))
		begin(r, true);
	else
		reply_page_error(r, 400, "The form says nothing to do.");
}
