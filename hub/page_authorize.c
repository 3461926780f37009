/*
 * The administrators' page of accounts: who signed up and waits, passwords
 * that were forgotten, and second steps whose device was lost.
 */
#include "auth/rules.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/rand.h"
#include "db/password.h"
#include "db/signup.h"
#include "hub/audit.h"
#include "hub/handlers.h"
#include "hub/model.h"
#include "hub/own.h"

#define SHOWN_MAX      200
#define NEW_SECRET_LEN 16
#define TEXT_ADMIN                                                             \
	"That is an administrator's name: only an administrator of this hub "  \
	"may do this."

struct reset {
	struct own_wait wait;
	struct user user;
	char password[NEW_SECRET_LEN + 1];
};

/* ---- the page ------------------------------------------------------------ */

static json_t *one(struct req *r, const struct signup *s)
{
	struct user user;
	struct err err = { 0 };
	json_t *j = json_pack("{s:s, s:s*, s:o}", "name", s->name, "email",
	    s->email, "asked", model_time(s->asked_us));
	bool is_admin = rules_names_admin(r->app->rules, s->name);

	if (user_find(r->app->db, &r->http->arena, s->name, &user, &err) == 1) {
		json_object_set_new(j, "exists", json_true());
		is_admin = is_admin || user.admin;
	}
	if (s->has_account)
		json_object_set_new(j, "has_account", json_true());
	if (is_admin)
		json_object_set_new(j, "is_admin", json_true());
	return j;
}

/* `dropped` is whose was taken away just now; the page shows it there. */
static void add_second_step(struct req *r, json_t *data)
{
	const struct second_step *s = own_second_step_of(r->app->auth);
	json_t *dropped = json_object_get(data, "dropped"), *part;

	if (!s)
		return;
	part = json_object();
	if (dropped)
		json_object_set(part, "dropped", dropped);
	if (second_step_is_required(s))
		json_object_set_new(part, "required", json_true());
	json_object_set_new(data, "second_step", part);
}

static void show(struct req *r, int status, const char *problem, json_t *more)
{
	struct signup *list;
	size_t n;
	int64_t total;
	struct err err = { 0 };
	json_t *data = more ? more : json_object(), *waiting = json_array();

	json_object_set_new(data, "title", json_string("Accounts"));
	json_object_set_new(data, "waiting", waiting);
	if (signup_list(r->app->db, &r->http->arena, SHOWN_MAX, &list, &n,
		&total, &err) != 0) {
		json_decref(data);
		reply_err(r, &err);
		return;
	}
	for (size_t i = 0; i < n; i++)
		json_array_append_new(waiting, one(r, &list[i]));
	if (n == 0)
		json_object_set_new(data, "nobody", json_true());
	if ((size_t)total > n)
		json_object_set_new(
		    data, "n_more", json_integer(total - (int64_t)n));
	if (own_policy_of(r->app->auth)->takes_first)
		json_object_set_new(data, "first_use", json_true());
	add_second_step(r, data);
	if (problem)
		json_object_set_new(data, "problem", json_string(problem));
	reply_page(r, status, "authorize", data);
}

void page_authorize(struct req *r)
{
	if (own_page(r))
		show(r, 200, NULL, NULL);
}

static void refuse(struct req *r, const struct err *err)
{
	switch (err->code) {
	case ERR_NOT_FOUND:
		show(r, 404, err->text, NULL);
		return;
	case ERR_EXISTS:
		show(r, 409, err->text, NULL);
		return;
	case ERR_DENIED:
		show(r, 403, err->text, NULL);
		return;
	default:
		reply_err(r, err);
	}
}

static void told(struct req *r, const char *name, const char *deed)
{
	log_info(&(struct log_ctx){ .user = principal_name(&r->who) },
	    "user administration", "deed=%s name=%s", deed, name);
	audit_person(r, AUDIT_ACCOUNT, name, deed);
}

/* ---- sign-ups ------------------------------------------------------------ */

/* A user of that name who has no password is given this one. */
static int write_approval(
    struct req *r, const struct signup *s, struct err *err)
{
	struct db *db = r->app->db;
	int64_t now = clock_wall_us();
	struct user user = { 0 };
	int found = user_find(db, &r->http->arena, s->name, &user, err);

	if (found < 0)
		return -1;
	if (!own_may_touch(r, s->name, user.admin))
		return err_set(err, ERR_DENIED, TEXT_ADMIN);
	if (!found && user_create(db, s->name, false, now, &user.id, err) != 0)
		return -1;
	if (password_add(db, user.id, s->hash, now, err) != 0)
		return err->code == ERR_EXISTS
			   ? err_set(err, ERR_EXISTS,
				 "%s has a password already. Discard this "
				 "sign-up.",
				 s->name)
			   : -1;
	return signup_delete(db, s->name, err);
}

static int approve(struct req *r, const struct signup *s, struct err *err)
{
	struct db *db = r->app->db;

	if (db_begin(db, err) != 0)
		return -1;
	if (write_approval(r, s, err) == 0)
		return db_commit(db, err);
	db_rollback(db);
	return -1;
}

static void decide(struct req *r, const char *name, bool yes)
{
	struct signup s;
	struct err err = { 0 };
	int rc = signup_find(r->app->db, &r->http->arena, name, &s, &err);

	if (rc == 0)
		rc = err_set(&err, ERR_NOT_FOUND,
		    "Nobody waits under that name any more.");
	else if (rc == 1)
		rc = yes ? approve(r, &s, &err)
			 : signup_delete(r->app->db, name, &err);
	if (rc != 0) {
		refuse(r, &err);
		return;
	}
	told(r, s.name, yes ? "approve" : "discard");
	reply_redirect(r, 303, req_hub(r, "authorize"));
}

/* ---- a password that was forgotten --------------------------------------- */

static void show_new(struct reset *s)
{
	json_t *more = json_pack("{s:{s:s, s:s}}", "fresh", "name",
	    s->user.name, "password", s->password);

	show(s->wait.r, 200, NULL, more);
	mem_wipe(s->password, sizeof s->password);
}

static void on_made(const struct passwords_answer *ans, void *arg)
{
	struct reset *s = arg;
	struct req *r = s->wait.r;
	struct err err = { 0 };

	own_wait_over(&s->wait);
	if (!ans->hash) {
		show(r, 503, OWN_TEXT_BUSY, NULL);
	} else if (password_change(r->app->db, s->user.id, ans->hash,
		       clock_wall_us(), &err) != 0) {
		reply_err(r, &err);
	} else {
		told(r, s->user.name, "reset-password");
		show_new(s);
	}
}

static void make_new(struct reset *s)
{
	struct req *r = s->wait.r;

	rand_alnum(s->password, NEW_SECRET_LEN);
	if (own_wait(&s->wait, passwords_make(r->app->passwords, s->password,
				   NULL, on_made, s)) != 0)
		show(r, 503, OWN_TEXT_BUSY, NULL);
}

static void forget(struct reset *s)
{
	struct req *r = s->wait.r;
	struct err err = { 0 };

	if (password_forget(r->app->db, s->user.id, &err) != 0) {
		reply_err(r, &err);
		return;
	}
	told(r, s->user.name, "forget-password");
	show(r, 200, NULL, json_pack("{s:s}", "forgotten", s->user.name));
}

static int find_person(
    struct req *r, const char *typed, struct user *out, struct err *err)
{
	char normal[RULES_NAME_MAX + 1];
	int rc;

	if (rules_normalise(r->app->rules, typed, normal, NULL) != 0)
		rc = 0;
	else
		rc = user_find(r->app->db, &r->http->arena, normal, out, err);
	if (rc == 0)
		return err_set(err, ERR_NOT_FOUND,
		    "Nobody of that name is a user of this hub.");
	if (rc == 1 && !own_may_touch(r, out->name, out->admin))
		return err_set(err, ERR_DENIED, TEXT_ADMIN);
	return rc < 0 ? -1 : 0;
}

static void reset(struct req *r, const char *typed)
{
	struct reset *s = arena_alloc(&r->http->arena, sizeof *s);
	struct err err = { 0 };

	s->wait.r = r;
	if (find_person(r, typed, &s->user, &err) != 0)
		refuse(r, &err);
	else if (own_policy_of(r->app->auth)->takes_first)
		forget(s);
	else
		make_new(s);
}

/* ---- a device that was lost ---------------------------------------------- */

static void drop_second_step(struct req *r, const char *typed)
{
	const struct second_step *s = own_second_step_of(r->app->auth);
	struct user user;
	struct err err = { 0 };
	int rc = s ? find_person(r, typed, &user, &err)
		   : err_set(&err, ERR_NOT_FOUND,
			 "This hub has no second steps of its own.");

	if (rc == 0)
		rc = second_step_forget(s, user.id, &err);
	if (rc == 0)
		rc = err_set(
		    &err, ERR_NOT_FOUND, "%s has no second step.", user.name);
	if (rc < 0) {
		refuse(r, &err);
		return;
	}
	told(r, user.name, "drop-second-step");
	show(r, 200, NULL, json_pack("{s:s}", "dropped", user.name));
}

/* ---- a form comes -------------------------------------------------------- */

void page_authorize_post(struct req *r)
{
	const char *name = url_pair_get(&r->form, "name");
	const char *deed = url_pair_get(&r->form, "deed");

	if (!own_page(r))
		return;
	if (!name || !*name)
		show(r, 400, "Whose? Please give a name.", NULL);
	else if (str_eq(deed, "approve"))
		decide(r, name, true);
	else if (str_eq(deed, "discard"))
		decide(r, name, false);
	else if (str_eq(deed, "reset"))
		reset(r, name);
	else if (str_eq(deed, "drop-second-step"))
		drop_second_step(r, name);
	else
		reply_page_error(r, 400, "The form says nothing to do.");
}
