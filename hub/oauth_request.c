/*
 * See oauth.h: an authorization request, checked in the order of the contract:
 * what cannot be told to the client is shown to the person, everything else
 * goes back by redirect, then access, then what is granted.
 */
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/mac.h"
#include "base/num.h"
#include "hub/again.h"
#include "hub/model.h"
#include "hub/model_service.h"
#include "hub/oauth.h"
#include "hub/role_scopes.h"
#include "hub/server.h"
#include "hub/service.h"

#define STATE_MAX 8192

static int fatal(struct req *r, int status, const char *text)
{
	reply_page_error(r, status, "%s", text);
	return -1;
}

void oauth_request_refuse(struct req *r, const struct oauth_request *q,
    const char *error, const char *description)
{
	struct buf b;

	buf_init(&b, STATE_MAX * 4);
	url_pair_append(&b, "error", error);
	url_pair_append(&b, "error_description", description);
	if (q->state)
		url_pair_append(&b, "state", q->state);
	reply_redirect(r, 302,
	    arena_printf(&r->http->arena, "%s%c%s", q->redirect_uri,
		strchr(q->redirect_uri, '?') ? '&' : '?', buf_view(&b)));
	buf_fini(&b);
}

static int refuse(struct req *r, const struct oauth_request *q,
    const char *error, const char *description)
{
	oauth_request_refuse(r, q, error, description);
	return -1;
}

/* ---- what may not be told to the client --------------------------- */

static bool has_twice(const struct req *r)
{
	static const char *const names[] = { "client_id", "redirect_uri",
		"response_type", "state", "scope", "code_challenge",
		"code_challenge_method", "nonce", "prompt", "max_age",
		"response_mode", AGAIN_SINCE };

	for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
		if (url_pair_count(&r->query, names[i]) > 1)
			return true;
	return false;
}

static int find_client(struct req *r, struct oauth_request *q)
{
	const char *id = url_pair_get(&r->query, "client_id");
	const char *uri = url_pair_get(&r->query, "redirect_uri");
	struct err err = { 0 };

	if (has_twice(r))
		return fatal(
		    r, 400, "The request to log in names something twice.");
	int found = id ? oauth_client_find(
			     r->app->db, &r->http->arena, id, &q->client, &err)
		       : 0;
	if (found < 0) {
		reply_err(r, &err);
		return -1;
	}
	if (!found || !q->client.redirect_uri[0])
		return fatal(r, 400,
		    "The server or service that asks you to log in is not "
		    "known here. It may have been stopped: go to the home page "
		    "and open your server from there.");
	if (uri && strcmp(uri, q->client.redirect_uri) != 0)
		return fatal(r, 400,
		    "The address to return to is not the registered one.");
	q->redirect_uri = q->client.redirect_uri;
	return 0;
}

static int find_service(struct req *r, struct oauth_request *q)
{
	const struct service *s = service_by_id(r->app, q->client.service_id);

	if (!s)
		return fatal(
		    r, 500, "The service that asks you to log in has gone.");
	q->service = s->conf.name;
	q->never_asks = s->conf.no_confirm;
	q->ctx = (struct scope_context){
		.user = r->who.user_name,
		.service = s->conf.name,
	};
	return 0;
}

static int find_server(struct req *r, struct oauth_request *q)
{
	struct arena *a = &r->http->arena;
	struct server *s = server_by_id(r->app, q->client.server_id);

	if (!s)
		return fatal(r, 500,
		    "The notebook server that asks you to log in has gone.");
	q->owner = arena_strdup(a, server_user(s));
	q->server_name = arena_strdup(a, server_name(s));
	q->is_own = server_user_id(s) == r->who.user_id;
	q->ctx = (struct scope_context){
		.user = r->who.user_name,
		.server = arena_printf(a, "%s/%s", q->owner, q->server_name),
	};
	return 0;
}

/* Whose client it is: a service's, or a notebook server's. */
static int find_owner(struct req *r, struct oauth_request *q)
{
	return q->client.service_id ? find_service(r, q) : find_server(r, q);
}

/* ---- what is told to the client ----------------------------------- */

static bool is_pkce_text(const char *s)
{
	static const char ok[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
				 "abcdefghijklmnopqrstuvwxyz0123456789-._~";
	size_t len = strlen(s);

	return len >= PKCE_MIN && len <= PKCE_MAX && strspn(s, ok) == len;
}

static int read_pkce(struct req *r, struct oauth_request *q)
{
	const char *method = url_pair_get(&r->query, "code_challenge_method");

	q->challenge = url_pair_get(&r->query, "code_challenge");
	q->challenge_method = method ? method : "plain";
	if (!q->challenge)
		return method || r->app->cfg.oauth_require_pkce
			   ? refuse(r, q, "invalid_request",
				 "code_challenge is missing")
			   : 0;
	if (strcmp(q->challenge_method, "S256") != 0 &&
	    strcmp(q->challenge_method, "plain") != 0)
		return refuse(r, q, "invalid_request",
		    "code_challenge_method must be S256 or plain");
	if (!is_pkce_text(q->challenge))
		return refuse(
		    r, q, "invalid_request", "code_challenge is malformed");
	return 0;
}

/* What OpenID Connect adds; without "openid" these words mean nothing. */
static int read_openid(struct req *r, struct oauth_request *q)
{
	const char *mode = url_pair_get(&r->query, "response_mode");

	if (!openid_is_asked(url_pair_get(&r->query, "scope")))
		return 0;
	if (!r->app->openid)
		return refuse(r, q, "invalid_scope",
		    "this hub is no OpenID provider: hub.public_url is not "
		    "set");
	if (url_pair_get(&r->query, "request"))
		return refuse(r, q, "request_not_supported",
		    "parameters belong into the address itself");
	if (url_pair_get(&r->query, "request_uri"))
		return refuse(r, q, "request_uri_not_supported",
		    "parameters belong into the address itself");
	if (mode && strcmp(mode, "query") != 0)
		return refuse(
		    r, q, "invalid_request", "response_mode must be query");
	q->nonce = url_pair_get(&r->query, "nonce");
	if (q->nonce && !*q->nonce)
		q->nonce = NULL;
	if (q->nonce && strlen(q->nonce) > OPENID_NONCE_MAX)
		return refuse(r, q, "invalid_request", "nonce is too long");
	return 0;
}

static bool has_prompt(const struct req *r, const char *word)
{
	const char *text = url_pair_get(&r->query, "prompt");
	struct slice rest = slice_of(text ? text : ""), one;

	while (slice_split(&rest, ' ', &one))
		if (slice_eq(one, word))
			return true;
	return false;
}

bool oauth_request_is_silent(const struct req *r)
{
	return openid_is_asked(url_pair_get(&r->query, "scope")) &&
	       has_prompt(r, "none");
}

/* Is this login the one that the client wants, or has there been another since
 * it asked? */
static bool is_fresh(const struct req *r, int64_t max_age_s)
{
	int64_t age_s = (clock_wall_us() - r->who.session.created_us) / 1000000;

	if (again_is_done(r))
		return true;
	return !has_prompt(r, "login") && !has_prompt(r, "select_account") &&
	       max_age_s > 0 && age_s <= max_age_s;
}

/* Off to the login page, which leads back here. -1. */
static int ask_again(struct req *r, struct oauth_request *q)
{
	const char *url = again_is_possible(r->app) ? again_url(r) : NULL;

	if (!url)
		return refuse(r, q, "login_required",
		    "this hub cannot ask the person again who they are");
	reply_redirect(r, 302, url);
	return -1;
}

static int check_login(struct req *r, struct oauth_request *q)
{
	const char *text = url_pair_get(&r->query, "max_age");
	const char *prompt = url_pair_get(&r->query, "prompt");
	int64_t age = INT64_MAX;
	struct err err;

	if (!openid_is_asked(url_pair_get(&r->query, "scope")))
		return r->who.kind != PRINCIPAL_NONE
			   ? 0
			   : refuse(
				 r, q, "login_required", "nobody is logged in");
	if (text && num_range(text, 0, INT32_MAX, &age, &err) != 0)
		return refuse(
		    r, q, "invalid_request", "max_age must be a number");
	if (has_prompt(r, "none") && strcmp(prompt, "none") != 0)
		return refuse(r, q, "invalid_request",
		    "prompt: none cannot stand beside another");
	if (r->who.kind == PRINCIPAL_NONE)
		return refuse(r, q, "login_required", "nobody is logged in");
	if (is_fresh(r, age))
		return 0;
	if (oauth_request_is_silent(r))
		return refuse(
		    r, q, "login_required", "the login is older than max_age");
	return ask_again(r, q);
}

static int read_core(struct req *r, struct oauth_request *q)
{
	const char *type = url_pair_get(&r->query, "response_type");

	q->state = url_pair_get(&r->query, "state");
	if (q->state && strlen(q->state) > STATE_MAX)
		return fatal(
		    r, 400, "The request to log in has too long a state.");
	if (!type)
		return refuse(
		    r, q, "invalid_request", "response_type is missing");
	if (strcmp(type, "code") != 0)
		return refuse(r, q, "unsupported_response_type",
		    "response_type must be code");
	if (read_openid(r, q) != 0 || read_pkce(r, q) != 0)
		return -1;
	return check_login(r, q);
}

/* ---- scopes ------------------------------------------------------- */

/* What every client gets: who it is, and that they may use it. */
static int add_base(struct req *r, const struct oauth_request *q,
    struct scope_set *set, struct err *err)
{
	struct arena *a = &r->http->arena;
	const char *access =
	    q->service
		? arena_printf(a, "access:services!service=%s", q->service)
		: arena_printf(a, "access:servers!server=%s", q->ctx.server);

	if (scope_set_add(set, "read:users:name!user", err) != 0 ||
	    scope_set_add(set, "read:users:groups!user", err) != 0)
		return -1;
	return scope_set_add(set, access, err);
}

/* A scope, or else the name of a role. */
static int add_word(
    struct req *r, struct scope_set *set, const char *word, struct err *err)
{
	struct err why = { 0 };

	if (scope_set_add(set, word, err) == 0)
		return 0;
	int found = role_scopes_add(r->app->db, word, set, &why);
	if (found < 0)
		return err_set(err, why.code, "%s", why.text);
	return found ? 0 : -1;
}

/* `identify` is what old clients ask for; it is always granted. */
static int add_words(
    struct req *r, struct oauth_request *q, const char *words, struct err *err)
{
	struct slice rest = slice_of(words), word;
	bool is_openid = openid_is_asked(words);
	char text[SCOPE_LEN_MAX + 1];

	while (slice_split(&rest, ' ', &word)) {
		if (word.len == 0 || slice_eq(word, "identify") ||
		    (is_openid && openid_take_word(word, &q->openid)))
			continue;
		if (str_copy_slice(text, sizeof text, word) != 0)
			return err_set(err, ERR_INVALID, "a scope is too long");
		if (add_word(r, &q->wanted, text, err) != 0)
			return -1;
	}
	return 0;
}

/* The page named permissions of the hub; what OpenID is told stands in the
 * address, and was shown too. */
static int add_form(struct req *r, struct oauth_request *q, struct err *err)
{
	const char *words = url_pair_get(&r->query, "scope");
	struct slice rest = slice_of(words ? words : ""), word;

	if (openid_is_asked(words))
		while (slice_split(&rest, ' ', &word))
			(void)openid_take_word(word, &q->openid);
	for (size_t i = 0; i < r->form.n; i++)
		if (!strcmp(r->form.items[i].name, "scopes") &&
		    scope_set_add(&q->wanted, r->form.items[i].value, err) != 0)
			return -1;
	return 0;
}

static int read_wanted(
    struct req *r, bool is_confirm, struct oauth_request *q, struct err *err)
{
	const char *words = url_pair_get(&r->query, "scope");

	scope_set_init(&q->wanted, &r->http->arena);
	if (is_confirm)
		return add_form(r, q, err);
	if (words && *words)
		return add_words(r, q, words, err);
	if (scope_set_add_json_text(
		&q->wanted, q->client.allowed_scopes, err) != 0)
		return -1;
	return add_base(r, q, &q->wanted, err);
}

static bool has_inherit(const struct scope_set *raw)
{
	for (size_t i = 0; i < raw->n; i++)
		if (raw->items[i].id == SCOPE_INHERIT)
			return true;
	return false;
}

/* Is all that was wanted within what the client may ask for? 1/0/-1 */
static int check_allowed(struct req *r, struct oauth_request *q,
    struct scope_set *wanted, struct err *err)
{
	struct scope_set raw, allowed;

	scope_set_init(&raw, &r->http->arena);
	scope_set_init(&allowed, &r->http->arena);
	if (scope_set_add_json_text(&raw, q->client.allowed_scopes, err) != 0 ||
	    add_base(r, q, &raw, err) != 0 ||
	    scope_expand(&raw, &q->ctx, &allowed, err) != 0)
		return -1;
	q->inherits = has_inherit(&q->wanted);
	if (has_inherit(&raw))
		return 1;
	return !q->inherits && scope_covers(&allowed, wanted,
				   principal_is_member, r->app->db, NULL);
}

/* The wanted ones that the person holds, and always the base. */
static int grant(struct req *r, struct oauth_request *q,
    const struct scope_set *wanted, struct err *err)
{
	struct scope_set held, base_raw, base;

	scope_set_init(&held, &r->http->arena);
	scope_set_init(&base_raw, &r->http->arena);
	scope_set_init(&base, &r->http->arena);
	scope_set_init(&q->granted, &r->http->arena);
	if (scope_intersect(wanted, &r->who.scopes, principal_is_member,
		r->app->db, &held, err) != 0 ||
	    add_base(r, q, &base_raw, err) != 0 ||
	    scope_expand(&base_raw, &q->ctx, &base, err) != 0 ||
	    scope_set_join(&q->granted, &held, err) != 0)
		return -1;
	return scope_set_join(&q->granted, &base, err);
}

static int read_scopes(struct req *r, bool is_confirm, struct oauth_request *q)
{
	struct scope_set wanted;
	struct err err = { 0 };

	scope_set_init(&wanted, &r->http->arena);
	if (read_wanted(r, is_confirm, q, &err) != 0 ||
	    scope_expand(&q->wanted, &q->ctx, &wanted, &err) != 0)
		return refuse(r, q, "invalid_scope", err.text);
	int ok = check_allowed(r, q, &wanted, &err);
	if (ok == 0)
		return refuse(r, q, "invalid_scope",
		    "the client may not ask for these scopes");
	if (ok < 0 || grant(r, q, &wanted, &err) != 0) {
		reply_err(r, &err);
		return -1;
	}
	return 0;
}

/* ---- all together ------------------------------------------------- */

static bool may_access(struct req *r, const struct oauth_request *q)
{
	if (q->service)
		return req_may_service(r, SCOPE_ACCESS_SERVICES, q->service);
	return req_may(r, SCOPE_ACCESS_SERVERS, q->owner, q->server_name);
}

int oauth_request_read(
    struct req *r, bool is_confirm, struct oauth_request *out)
{
	*out = (struct oauth_request){ 0 };
	if (find_client(r, out) != 0 || read_core(r, out) != 0 ||
	    find_owner(r, out) != 0)
		return -1;
	if (!may_access(r, out)) {
		reply_page_error(r, 403,
		    "You do not have permission to access %s",
		    out->client.description);
		return -1;
	}
	return read_scopes(r, is_confirm, out);
}

int oauth_request_wants_consent(
    struct req *r, const struct oauth_request *q, struct err *err)
{
	struct scope_set raw, before;
	struct openid_wish told;
	const char *json;

	if (q->openid.asked && has_prompt(r, "consent"))
		return 1;
	if (q->is_own || q->never_asks)
		return 0;
	int any = oauth_client_scopes_granted(r->app->db, &r->http->arena,
	    q->client.id, r->who.user_id, &json, err);
	if (any <= 0 || q->inherits)
		return any < 0 ? -1 : 1;
	openid_wish_read(json, &told);
	if (!openid_wish_covers(&told, &q->openid))
		return 1;
	scope_set_init(&raw, &r->http->arena);
	scope_set_init(&before, &r->http->arena);
	if (scope_set_add_stored(&raw, json, err) != 0 ||
	    scope_expand(&raw, &q->ctx, &before, err) != 0)
		return -1;
	return !scope_covers(
	    &before, &q->granted, principal_is_member, r->app->db, NULL);
}

const char *oauth_request_scopes(struct req *r, const struct oauth_request *q)
{
	json_t *list = scope_set_json(&q->granted);

	if (q->inherits)
		json_array_append_new(list, json_string("inherit"));
	openid_wish_store(&q->openid, list);
	char *text = json_text(list, NULL);
	const char *out = arena_strdup(&r->http->arena, text);
	free(text);
	json_decref(list);
	return out;
}

bool oauth_pkce_ok(
    const char *challenge, const char *method, const char *verifier)
{
	unsigned char digest[MAC_SHA256_LEN];
	char text[64];

	if (!is_pkce_text(verifier))
		return false;
	if (strcmp(method, "S256") != 0)
		return mac_equal_str(challenge, verifier);
	mac_sha256(verifier, strlen(verifier), digest);
	return b64url_encode(digest, sizeof digest, text, sizeof text) == 0 &&
	       mac_equal_str(challenge, text);
}
