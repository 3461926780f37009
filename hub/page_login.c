/*
 * The login page: the form, its steps, and what comes of it (contract/hub.md
 * 5.2). Wrong password and unknown name are told with one text. On success the
 * user and session rows are written in one transaction.
 */
#include <stdlib.h>
#include <string.h>

#include "auth/rules.h"
#include "auth/throttle.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "db/session.h"
#include "db/session_origin.h"
#include "db/user.h"
#include "hub/again.h"
#include "hub/attempt.h"
#include "hub/audit.h"
#include "hub/auth_state.h"
#include "hub/entry.h"
#include "hub/front.h"
#include "hub/gate.h"
#include "hub/handlers.h"
#include "hub/metrics.h"
#include "hub/own.h"
#include "hub/providers.h"
#include "hub/redirect.h"
#include "hub/refresh.h"
#include "hub/roster.h"
#include "hub/server.h"
#include "hub/visitors.h"
#include "hub/web.h"

#define USERNAME_MAX 255
#define PROMPT_MAX   1024

#define TEXT_DENIED  "Invalid username or password"
#define TEXT_EXPIRED "Login form invalid or expired. Try again."

/* ---- the form ----------------------------------------------------- */

/* After the login a client of our OAuth provider may be redirected to, which a
 * browser counts as a target of this form. */
static void allow_form_target(struct req *r, const char *next)
{
	if (next && str_starts(next, req_hub(r, "api/oauth2/authorize")))
		r->form_action = "'self' https: http:";
}

static json_t *form_data(struct req *r, const char *username)
{
	const char *next = redirect_req_next(r);

	allow_form_target(r, next);
	return json_pack("{s:s, s:s*, s:s*}", "title", "Log in", "next", next,
	    "username", username);
}

static void show_form(
    struct req *r, int status, const char *username, const char *problem)
{
	json_t *data = form_data(r, username);

	json_t *links =
	    providers_links(r->app->providers, r, redirect_req_next(r));

	if (r->app->auth_kind->has_form)
		json_object_set_new(data, "form", json_true());
	if (again_is_asked(r))
		json_object_set_new(data, "again", json_true());
	if (json_array_size(links) > 0)
		json_object_set_new(
		    data, "providers", json_pack("{s:O}", "links", links));
	json_decref(links);
	if (providers_has_courses(r->app->providers))
		json_object_set_new(data, "courses", json_true());
	if (str_eq(r->app->auth_kind->name, "pam"))
		json_object_set_new(data, "unix", json_true());
	own_login_links(r->app, data);
	if (visitors_are_taken(r->app))
		json_object_set_new(data, "visit",
		    json_pack("{s:b}", problem ? "is_again" : "is_now", 1));
	if (problem)
		json_object_set_new(data, "problem", json_string(problem));
	reply_page(r, status, "login", data);
}

void page_login(struct req *r)
{
	const char *next = redirect_req_next(r);

	if (r->who.kind == PRINCIPAL_USER && !again_is_asked(r))
		reply_redirect(r, 302, next ? next : redirect_default(r));
	else if (front_is_used(r->app))
		front_login(r);
	else if (providers_auto(r->app->providers))
		reply_redirect(r, 302,
		    providers_url(r, providers_auto(r->app->providers), next));
	else if (r->who.kind == PRINCIPAL_USER)
		show_form(r, 200, r->who.user_name, NULL);
	else
		show_form(r, 200, url_pair_get(&r->query, "username"), NULL);
}

void page_login_expired(struct req *r)
{
	show_form(r, 403, url_pair_get(&r->form, "username"), TEXT_EXPIRED);
}

/* Lines: the question is the last one; before it stands what was said. */
static const char *split_prompt(const char *text, json_t *said)
{
	struct slice rest = slice_of(text), line, last = rest;
	char shown[PROMPT_MAX];

	for (bool first = true; slice_split(&rest, '\n', &line);
	     first = false) {
		if (!first) {
			str_printable(shown, sizeof shown, last.p, last.len);
			json_array_append_new(said, json_string(shown));
		}
		last = line;
	}
	return last.p;
}

static void show_prompt(struct req *r, const struct attempt_prompt *p)
{
	char text[PROMPT_MAX];
	json_t *data = form_data(r, p->username);
	json_t *said = json_array();
	const char *question = split_prompt(p->text, said);

	str_printable(text, sizeof text, question, strlen(question));
	json_object_set_new(data, "step",
	    json_pack("{s:s, s:s, s:b, s:o}", "attempt", p->attempt, "text",
		text, "echo", p->echo, "said", said));
	reply_page(r, 200, "login", data);
}

/* ---- a form comes ------------------------------------------------- */

const char *page_login_throttle_name(struct req *r, const char *username)
{
	char name[RULES_NAME_MAX + 1];
	struct err err;

	if (rules_normalise(r->app->rules, username, name, &err) != 0)
		return username;
	return arena_strdup(&r->http->arena, name);
}

static const char *trimmed(struct req *r, const char *s)
{
	struct slice t = slice_trim(slice_of(s));

	return arena_strndup(&r->http->arena, t.p, t.len);
}

int64_t page_login_wait_s(struct req *r, const char *username)
{
	return throttle_wait_s(
	    r->app->throttle, page_login_throttle_name(r, username), r->client);
}

static void must_wait(struct req *r, const char *username)
{
	int64_t wait_s = page_login_wait_s(r, username);
	char text[160];

	if (wait_s < 1)
		wait_s = 1;
	throttle_text(wait_s, text, sizeof text);
	http_set(r->http, "Retry-After",
	    arena_printf(&r->http->arena, "%lld", (long long)wait_s));
	show_form(r, 429, username, text);
}

static void first_step(struct req *r)
{
	static const struct attempt_ops ops = { .prompt = show_prompt,
		.ended = page_login_ended,
		.must_wait = must_wait };
	const char *typed = url_pair_get(&r->form, "username");
	const char *password = url_pair_get(&r->form, "password");
	struct err err = { 0 };

	if (!typed || !password || !*trimmed(r, typed)) {
		show_form(
		    r, 403, typed, "Please enter your name and password.");
		return;
	}
	const char *username = trimmed(r, typed);
	if (strlen(username) > USERNAME_MAX) {
		show_form(r, 403, NULL, TEXT_DENIED);
		return;
	}
	if (page_login_wait_s(r, username) > 0)
		must_wait(r, username);
	else if (attempt_begin(r, username, password, &ops, &err) != 0)
		show_form(r, 503, username, err.text);
}

static void next_step(struct req *r, const char *attempt)
{
	const char *answer = url_pair_get(&r->form, "answer");
	struct err err = { 0 };

	if (attempt_answer(r, attempt, answer ? answer : "", &err) != 0)
		show_form(r, 403, NULL, err.text);
}

void page_login_post(struct req *r)
{
	const char *attempt = url_pair_get(&r->form, "attempt");

	if (visitors_are_taken(r->app))
		visitor_login(r);
	else if (attempt)
		next_step(r, attempt);
	else
		first_step(r);
}

/* ---- it ends ------------------------------------------------------ */

/* Who comes in, and their new session. */
struct visitor {
	struct user user;
	char secret[SESSION_SECRET_LEN + 1];
	char session_id[SESSION_ID_LEN + 1];
};

/* A browser that was logged in as somebody else is so no longer; nor is one
 * that knew the password before it was changed. */
static int write_session(struct req *r, const struct auth_identity *id,
    struct visitor *v, struct err *err)
{
	struct db *db = r->app->db;
	int64_t now = clock_wall_us();

	if (r->who.kind == PRINCIPAL_USER &&
	    session_end(db, &r->who.session, err) != 0)
		return -1;
	if (id->has_new_secret && session_end_all(db, v->user.id, err) != 0)
		return -1;
	if (user_touch(db, v->user.id, now, err) != 0)
		return -1;
	session_id_new(v->session_id);
	if (session_create(db, v->user.id, v->session_id, now,
		now + r->app->cfg.cookie_max_age_s * 1000000, v->secret,
		err) != 0)
		return -1;
	return id->origin ? session_origin_put(db, v->secret, id->origin, err)
			  : 0;
}

static int write_entry(
    struct req *r, const struct entry *e, struct visitor *v, struct err *err)
{
	if (db_begin(r->app->db, err) != 0)
		return -1;
	if (entry_write(r->app, &r->http->arena, e, &v->user, err) == 0 &&
	    write_session(r, e->id, v, err) == 0 &&
	    db_commit(r->app->db, err) == 0)
		return 0;
	db_rollback(r->app->db);
	return -1;
}

static void measure(const struct req *r, enum metric what, const char *status)
{
	metrics_took(r->app, what, clock_mono_us() - r->began_us, status, NULL);
}

static void measure_failure(const struct req *r)
{
	measure(r, METRIC_LOGIN, "LoginStatus.failure");
}

/* The answer leaves when the rows are on disk (reply.c). */
static void let_in(struct req *r, const struct auth_identity *id,
    const struct rules_decision *d, struct visitor *v)
{
	const char *next = redirect_req_next(r);

	log_info(&(struct log_ctx){ .user = d->name }, "logged in",
	    "from=%s rule=%s", r->client, rules_reason_name(d->reason));
	audit_login(r, AUDIT_LOGIN, d->name, rules_reason_name(d->reason));
	measure(r, METRIC_LOGIN, "LoginStatus.success");
	if (id->has_new_secret)
		audit_login_ended(r->app, d->name,
		    "the password or second step was changed at "
		    "a login");
	refresh_forget(r->app->refresh, v->user.id);
	gate_set_login(r, v->secret, v->session_id);
	mem_wipe(v->secret, sizeof v->secret);
	r->who = (struct principal){ .kind = PRINCIPAL_NONE,
		.user_name = arena_strdup(&r->http->arena, d->name) };
	r->gate = GATE_PUBLIC;
	reply_redirect(r, 302, next ? next : redirect_default(r));
}

static void refuse_name(
    struct req *r, const char *username, const char *name, const char *text)
{
	log_warn(&(struct log_ctx){ .user = name }, "not let in",
	    "from=%s why=\"the name is another account's\"", r->client);
	audit_login(r, AUDIT_LOGIN_REFUSED, name, text);
	show_form(r, 403, username, text);
}

static void succeeded(
    struct req *r, const char *username, const struct auth_identity *said)
{
	const struct auth_identity *id =
	    roster_identity(r->app, &r->http->arena, said);
	struct rules_decision d;
	const struct entry e = {
		.id = id,
		.decision = &d,
		.via = r->login_via ? r->login_via : "",
	};
	struct visitor v = { 0 };
	struct err err = { 0 };

	rules_decide(r->app->rules, id, &d);
	throttle_succeeded(
	    r->app->throttle, page_login_throttle_name(r, username), r->client);
	if (!d.allowed) {
		measure_failure(r);
		log_warn(&(struct log_ctx){ .user = d.name }, "not let in",
		    "from=%s why=\"%s\"", r->client, d.text);
		audit_login(r, AUDIT_LOGIN_REFUSED, d.name, d.text);
		show_form(r, 403, username,
		    "We know who you are, but you may not use this hub. Ask "
		    "its administrator to let you in.");
		return;
	}
	if (write_entry(r, &e, &v, &err) == 0) {
		let_in(r, id, &d, &v);
		return;
	}
	measure_failure(r);
	if (err.code == ERR_DENIED)
		refuse_name(r, username, d.name, err.text);
	else
		reply_err(r, &err);
}

/* What was typed as a name may be a password: only a name that we know is
 * told. */
static void audit_failure(struct req *r, const char *username)
{
	const char *name = page_login_throttle_name(r, username);
	struct user user;
	struct err err;

	if (user_find(r->app->db, &r->http->arena, name, &user, &err) != 1)
		name = NULL;
	audit_login(r, AUDIT_LOGIN_FAILED, name, NULL);
}

void page_login_note_failure(struct req *r, const char *username)
{
	char shown[RULES_NAME_MAX + 1];

	str_printable(shown, sizeof shown, username, strlen(username));
	log_warn(
	    NULL, "login refused", "name=\"%s\" from=%s", shown, r->client);
	audit_failure(r, username);
	throttle_failed(
	    r->app->throttle, page_login_throttle_name(r, username), r->client);
}

/* A text of its own: the password was right, which the person saw. */
static void denied(struct req *r, const char *username, const char *said)
{
	page_login_note_failure(r, username);
	show_form(r, 403, username, said ? said : TEXT_DENIED);
}

void page_login_ended(struct req *r, const char *username, enum auth_result res,
    const struct auth_identity *id, const char *text)
{
	const char *said = *text ? text : NULL;

	if (res != AUTH_RES_OK)
		measure_failure(r);
	switch (res) {
	case AUTH_RES_OK:
		succeeded(r, username, id);
		return;
	case AUTH_RES_DENIED:
		denied(r, username, said);
		return;
	case AUTH_RES_EXPIRED:
		show_form(r, 403, username,
		    said ? said
			 : "Your account or password has expired. Ask the "
			   "administrator of this machine.");
		return;
	case AUTH_RES_TIMEOUT:
		show_form(r, 503, username,
		    "The login took too long. Please try again.");
		return;
	case AUTH_RES_LIMIT:
		show_form(r, 503, username,
		    "Too many people are logging in right now. Try again in a "
		    "few seconds.");
		return;
	case AUTH_RES_UNAVAILABLE:
		break;
	}
	log_error(NULL, "login not possible", "why=\"%s\"", said ? said : "");
	show_form(r, 503, username,
	    "Logging in is not possible at the moment. Please try again, and "
	    "tell the administrator if it stays so.");
}

void page_login_denied(struct req *r, const char *text)
{
	const char *via = r->login_via ? r->login_via : "a provider";

	audit_login(r, AUDIT_LOGIN_FAILED, NULL,
	    arena_printf(&r->http->arena, "%s: %s", via, text));
	page_login_problem(r, 403, text);
}

/* What could not be asked, or what came back from nowhere. */
void page_login_problem(struct req *r, int status, const char *text)
{
	measure_failure(r);
	show_form(r, status, NULL, text);
}

/* ---- leaving ------------------------------------------------------ */

/* At the provider that they came by. */
static const char *logout_there(struct req *r)
{
	struct arena *a = &r->http->arena;
	struct login_state row;
	const char *url = NULL;
	struct err err = { 0 };
	json_t *state;

	if (login_state_find(r->app->db, a, r->who.user_id, &row, &err) != 1 ||
	    !*row.via)
		return NULL;
	state = auth_state_unseal(r->app, r->who.user_id, &row);
	url = providers_logout_url(r->app->providers, row.via, a, state);
	json_decref(state);
	return url;
}

void page_logout(struct req *r)
{
	const char *there = NULL;
	struct err err = { 0 };

	if (r->who.kind == PRINCIPAL_USER) {
		there = logout_there(r);
		if (session_end(r->app->db, &r->who.session, &err) != 0) {
			reply_err(r, &err);
			return;
		}
		log_info(&(struct log_ctx){ .user = principal_name(&r->who) },
		    "logged out", "from=%s", r->client);
		audit_login(r, AUDIT_LOGOUT, r->who.user_name, NULL);
		if (r->app->cfg.shutdown_on_logout)
			servers_stop_of(r->app, r->who.user_id);
	}
	measure(r, METRIC_LOGOUT, NULL);
	gate_clear_login(r);
	r->who = (struct principal){ 0 };
	r->gate = GATE_PUBLIC;
	if (there)
		reply_redirect(r, 302, there);
	else if (*r->app->cfg.logout_redirect_url)
		reply_redirect(r, 302, r->app->cfg.logout_redirect_url);
	else if (r->app->auth_kind->has_form &&
		 !providers_auto(r->app->providers))
		reply_redirect(r, 302, req_hub(r, "login"));
	else
		reply_page(r, 200, "logout",
		    json_pack("{s:s}", "title", "Logged out"));
}
