/*
 * See token_login.h. The same authenticator, throttle and rules as at the login
 * page; there is no session, and nobody is made known who was not.
 */
#include "hub/token_login.h"

#include <string.h>

#include "auth/rules.h"
#include "auth/throttle.h"
#include "base/log.h"
#include "hub/attempt.h"
#include "hub/audit.h"

#define FIELD_MAX 1024

static void refuse(struct req *r)
{
	reply_error(r, 403, "Missing or invalid credentials.");
}

/* The person is there and is who asks. 1/0/-1 */
static int enter(struct req *r, const char *name, struct err *err)
{
	struct principal *p = &r->who;
	struct user u;
	int found = user_find(r->app->db, &r->http->arena, name, &u, err);

	if (found != 1)
		return found;
	*p = (struct principal){ .user_id = u.id,
		.user_name = u.name,
		.admin = u.admin,
		.user_activity_us = u.last_activity_us,
		.ctx.user = u.name };
	scope_set_init(&p->scopes, &r->http->arena);
	if (principal_scopes_of(r->app->db, &u, &p->scopes, err) != 0)
		return -1;
	p->kind = PRINCIPAL_USER;
	return 1;
}

static void succeeded(
    struct req *r, const char *username, const struct auth_identity *id)
{
	struct rules_decision d;
	struct err err = { 0 };
	int found = 0;

	throttle_succeeded(
	    r->app->throttle, page_login_throttle_name(r, username), r->client);
	rules_decide(r->app->rules, id, &d);
	if (d.allowed)
		found = enter(r, d.name, &err);
	else
		audit_login(r, AUDIT_LOGIN_REFUSED, d.name, d.text);
	if (found < 0) {
		reply_err(r, &err);
	} else if (found == 0) {
		refuse(r);
	} else {
		log_info(&(struct log_ctx){ .user = d.name },
		    "logged in for a token", "from=%s", r->client);
		audit_login(
		    r, AUDIT_LOGIN, d.name, rules_reason_name(d.reason));
		r->then(r);
	}
}

static void ended(struct req *r, const char *username, enum auth_result res,
    const struct auth_identity *id, const char *text)
{
	(void)text;
	if (res == AUTH_RES_OK) {
		succeeded(r, username, id);
		return;
	}
	if (res == AUTH_RES_DENIED)
		page_login_note_failure(r, username);
	refuse(r);
}

/* A member of `auth`; NULL: none, or none that a login could take. */
static const char *field(const json_t *auth, const char *name)
{
	const char *text = json_string_value(json_object_get(auth, name));

	return text && *text && strlen(text) <= FIELD_MAX ? text : NULL;
}

void token_login(struct req *r, route_fn *then)
{
	static const struct attempt_ops ops = { .ended = ended };
	json_t *body;
	struct err err = { 0 };
	int has = req_json(r, &body);

	if (has < 0)
		return;
	const json_t *auth = has ? json_object_get(body, "auth") : NULL;
	const char *username = field(auth, "username");
	const char *password = field(auth, "password");
	if (!username || !password || !r->app->auth_kind->has_form) {
		refuse(r);
		return;
	}
	r->then = then;
	int64_t wait_s = throttle_wait_s(
	    r->app->throttle, page_login_throttle_name(r, username), r->client);
	if (wait_s > 0) {
		http_set(r->http, "Retry-After",
		    arena_printf(&r->http->arena, "%lld", (long long)wait_s));
		reply_error(r, 429,
		    "Too many failed logins. Try again in %lld seconds.",
		    (long long)wait_s);
	} else if (attempt_begin(r, username, password, &ops, &err) != 0) {
		reply_error(r, 503, "%s", err.text);
	}
}
