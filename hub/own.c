/*
 * See own.h.
 */
#include "hub/own.h"

#include "auth/rules.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "db/signup.h"
#include "hub/gate.h"

const struct own_policy *own_page(struct req *r)
{
	const struct own_policy *p = own_policy_of(r->app->auth);

	if (!p)
		reply_page_error(r, 404,
		    "This hub keeps no passwords of its own: they are changed "
		    "where your account is.");
	return p;
}

void own_login_links(struct app *app, json_t *data)
{
	const struct own_policy *p = own_policy_of(app->auth);

	if (p && p->has_signup)
		json_object_set_new(data, "signup", json_true());
	if (p && p->takes_first)
		json_object_set_new(data, "first_use", json_true());
}

static void count_waiting(struct req *r, json_t *own)
{
	struct signup *list;
	size_t n;
	int64_t total = 0;
	struct err err = { 0 };

	if (signup_list(
		r->app->db, &r->http->arena, 0, &list, &n, &total, &err) != 0)
		log_error(
		    NULL, "sign-ups cannot be counted", "why=\"%s\"", err.text);
	else if (total > 0)
		json_object_set_new(own, "n_waiting", json_integer(total));
}

void own_home_links(struct req *r, json_t *data)
{
	const struct scope_resource all = { 0 };
	json_t *own;

	if (!own_policy_of(r->app->auth))
		return;
	own = json_object();
	if (own_second_step_of(r->app->auth))
		json_object_set_new(own, "second_step", json_true());
	if (principal_check(&r->who, r->app->db, SCOPE_ADMIN_USERS, &all) ==
	    SCOPE_GRANTED) {
		json_object_set_new(own, "decides", json_true());
		count_waiting(r, own);
	}
	json_object_set_new(data, "own", own);
}

/* ---- waiting for a hash -------------------------------------------------- */

static void on_gone(struct req *r)
{
	struct own_wait *w = r->state;

	passwords_cancel(&w->job);
}

int own_wait(struct own_wait *w, struct passwords_job *job)
{
	w->job = job;
	if (!job)
		return -1;
	w->r->state = w;
	w->r->on_gone = on_gone;
	return 0;
}

void own_wait_over(struct own_wait *w)
{
	w->job = NULL;
	w->r->state = NULL;
	w->r->on_gone = NULL;
}

/* ---- logged in anew ------------------------------------------------------ */

int own_session_renew(struct req *r, struct own_session *out, struct err *err)
{
	struct db *db = r->app->db;
	int64_t now = clock_wall_us();

	session_id_new(out->id);
	if (session_end_all(db, r->who.user_id, err) != 0)
		return -1;
	return session_create(db, r->who.user_id, out->id, now,
	    now + r->app->cfg.cookie_max_age_s * 1000000, out->secret, err);
}

void own_session_give(struct req *r, struct own_session *s)
{
	gate_set_login(r, s->secret, s->id);
	mem_wipe(s, sizeof *s);
}

/* ---- administrators ------------------------------------------------------ */

bool own_may_touch(const struct req *r, const char *name, bool is_admin)
{
	return r->who.admin ||
	       (!is_admin && !rules_names_admin(r->app->rules, name));
}
