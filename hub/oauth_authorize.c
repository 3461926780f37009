/*
 * The browser's side of the OAuth provider: a client asks who this person is;
 * the owner of a server is let in at once, somebody else who has access is
 * asked, and nobody else gets through (contract/hub.md 3.2, 3.3).
 */
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "hub/audit.h"
#include "hub/handlers.h"
#include "hub/oauth.h"
#include "hub/redirect.h"

/* ---- the code ----------------------------------------------------- */

static int make_code(struct req *r, const struct oauth_request *q,
    char code[OAUTH_CODE_LEN + 1], struct err *err)
{
	const struct oauth_code c = {
		.client_id = q->client.id,
		.user_id = r->who.user_id,
		.redirect_uri = q->redirect_uri,
		.session_id = r->who.session.public_id,
		.scopes = oauth_request_scopes(r, q),
		.challenge = q->challenge,
		.challenge_method = q->challenge ? q->challenge_method : NULL,
		.nonce = q->nonce,
		.login_us = r->who.session.created_us,
		.expires_us =
		    clock_wall_us() + (int64_t)OAUTH_CODE_LIFE_S * 1000000,
	};

	return oauth_code_create(r->app->db, &c, code, err);
}

static void send_code(struct req *r, const struct oauth_request *q)
{
	char code[OAUTH_CODE_LEN + 1];
	struct err err = { 0 };
	struct buf b;

	if (make_code(r, q, code, &err) != 0) {
		reply_err(r, &err);
		return;
	}
	buf_init(&b, 65536);
	url_pair_append(&b, "code", code);
	if (q->state)
		url_pair_append(&b, "state", q->state);
	reply_redirect(r, 302,
	    arena_printf(&r->http->arena, "%s%c%s", q->redirect_uri,
		strchr(q->redirect_uri, '?') ? '&' : '?', buf_view(&b)));
	buf_fini(&b);
	if (q->owner && !q->is_own)
		audit_server(r, AUDIT_SERVER_ENTER, q->owner, q->server_name);
	log_info(&(struct log_ctx){ .user = principal_name(&r->who) }, "let in",
	    "client=%s", q->client.id);
}

/* ---- the question ------------------------------------------------- */

/* Where the browser will go, as the person may recognise it. */
static const char *host_of(struct req *r, const struct oauth_request *q)
{
	struct url u;
	struct err err;

	if (q->redirect_uri[0] == '/' ||
	    url_parse(&r->http->arena, q->redirect_uri, &u, &err) != 0)
		return q->redirect_uri;
	return url_origin(&r->http->arena, &u);
}

static const char *doc_of(struct req *r, const char *text)
{
	struct scope s;
	struct err err;

	if (scope_parse(&r->http->arena, text, &s, &err) != 0)
		return text;
	return scope_doc(s.id);
}

/* What OpenID tells, beside who it is, which the page says anyway. */
static void add_openid(const struct openid_wish *w, json_t *list)
{
	if (w->email)
		json_array_append_new(
		    list, json_pack("{s:s, s:s}", "name", "email", "doc",
			      "Read your e-mail address."));
	if (w->groups)
		json_array_append_new(
		    list, json_pack("{s:s, s:s}", "name", "groups", "doc",
			      "Read which groups you are in."));
}

static json_t *grants(struct req *r, const struct oauth_request *q)
{
	json_t *list = json_array();
	const char *const *names;
	size_t n;

	if (q->inherits) {
		json_array_append_new(
		    list, json_pack("{s:s, s:s}", "scope", "inherit", "doc",
			      doc_of(r, "inherit")));
		return list;
	}
	scope_set_list(&q->granted, &r->http->arena, &names, &n);
	for (size_t i = 0; i < n; i++)
		json_array_append_new(
		    list, json_pack("{s:s, s:s}", "scope", names[i], "doc",
			      doc_of(r, names[i])));
	return list;
}

/* The form leads to the client in the end, which browsers count as its target.
 */
static void ask(struct req *r, const struct oauth_request *q)
{
	const char *host = host_of(r, q);

	if (host[0] != '/')
		r->form_action =
		    arena_printf(&r->http->arena, "'self' %s", host);
	json_t *told = json_array();
	add_openid(&q->openid, told);
	reply_page(r, 200, "oauth",
	    json_pack("{s:s, s:s, s:s, s:s, s:o, s:o}", "title", "Permission",
		"client", q->client.description, "who", r->who.user_name,
		"redirect_host", host, "grants", grants(r, q), "told", told));
}

void oauth_authorize(struct req *r)
{
	struct oauth_request q;
	struct err err = { 0 };
	bool is_silent = oauth_request_is_silent(r);

	if (r->who.kind == PRINCIPAL_NONE && !is_silent) {
		reply_redirect(r, 302, redirect_login(r));
		return;
	}
	if (oauth_request_read(r, false, &q) != 0)
		return;
	int asks = oauth_request_wants_consent(r, &q, &err);
	if (asks < 0)
		reply_err(r, &err);
	else if (asks && is_silent)
		oauth_request_refuse(
		    r, &q, "consent_required", "the person has not agreed yet");
	else if (asks)
		ask(r, &q);
	else
		send_code(r, &q);
}

void oauth_confirm(struct req *r)
{
	struct oauth_request q;

	if (oauth_request_read(r, true, &q) == 0)
		send_code(r, &q);
}
