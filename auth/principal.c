/*
 * Who makes a request: see principal.h.
 */
#include "auth/principal.h"

#include <string.h>

#include "base/log.h"
#include "base/str.h"
#include "db/group.h"
#include "db/oauth.h"
#include "db/role.h"
#include "db/server.h"
#include "db/service.h"
#include "db/share.h"
#include "db/token.h"
#include "db/user.h"

#define SHARES_MAX 200

/* ---- the Authorization header ---- */

static bool is_space(char c)
{
	return c == ' ' || (c >= '\t' && c <= '\r');
}

static size_t skip_spaces(const char *s)
{
	size_t n = 0;

	while (is_space(s[n]))
		n++;
	return n;
}

/* Source: contract/hub.md 2.1. */
bool principal_bearer(const char *header, struct slice *out)
{
	struct slice word = { header, 0 };
	size_t gap;

	while (header[word.len] != 0 && !is_space(header[word.len]))
		word.len++;
	if (!slice_ieq(word, "token") && !slice_ieq(word, "bearer"))
		return false;
	gap = skip_spaces(header + word.len);
	*out = slice_make(header + word.len + gap, 0);
	while (out->p[out->len] != 0 && !is_space(out->p[out->len]))
		out->len++;
	return gap > 0 && out->len > 0 &&
	       out->p[out->len + skip_spaces(out->p + out->len)] == 0;
}

/* ---- who ---- */

const char *principal_name(const struct principal *p)
{
	if (p->local_name)
		return p->local_name;
	return p->service_name ? p->service_name : p->user_name;
}

static int nobody(struct principal *out, int rc)
{
	memset(out, 0, sizeof *out);
	return rc;
}

struct held {
	struct scope_set raw;
	bool has_user_role; /* the configuration changed it */
};

static int take_role(
    const char *name, const char *scopes, void *arg, struct err *err)
{
	struct held *h = arg;

	if (strcmp(name, role_name(ROLE_USER)) == 0)
		h->has_user_role = true;
	return scope_set_add_stored(&h->raw, scopes, err);
}

static int role_scopes_of(
    struct db *db, const struct user *u, struct scope_set *out, struct err *err)
{
	const struct scope_context ctx = { .user = u->name };
	struct held h = { .has_user_role = false };

	scope_set_init(&h.raw, out->arena);
	if (role_each_held(db, u->id, take_role, &h, err) < 0)
		return err_wrap(err, "roles of %s", u->name);
	if (h.raw.n == 0 && !h.has_user_role)
		return scope_effective_user(u->name, u->admin, out, err);
	if ((!h.has_user_role &&
		scope_set_add_role(&h.raw, ROLE_USER, err) < 0) ||
	    (u->admin && scope_set_add_role(&h.raw, ROLE_ADMIN, err) < 0))
		return -1;
	return scope_expand(&h.raw, &ctx, out, err);
}

/* Scopes of a share hold for its server only. */
static int add_share(
    const struct share *s, struct scope_set *out, struct err *err)
{
	const struct scope_context none = { 0 };
	struct scope_set raw;

	scope_set_init(&raw, out->arena);
	if (scope_set_add_stored(&raw, s->scopes, err) < 0)
		return -1;
	for (size_t i = 0; i < raw.n; i++) {
		raw.items[i].filter = FILTER_SERVER;
		raw.items[i].value =
		    arena_printf(out->arena, "%s/%s", s->owner, s->server);
	}
	return scope_expand(&raw, &none, out, err);
}

/* Of those to whom very much is shared, the oldest shares hold: what others
 * give may not fill a set so that its owner cannot do anything any more. */
static int add_shares(
    struct db *db, const struct user *u, struct scope_set *out, struct err *err)
{
	const struct share_query q = {
		.which = SHARE_TO_USER, .id = u->id, .limit = SHARES_MAX
	};
	struct share *list;
	int64_t total;
	size_t n;

	if (share_list(db, out->arena, &q, &list, &n, &total, err) < 0)
		return -1;
	for (size_t i = 0; i < n && out->n < SCOPE_SET_MAX / 2; i++)
		if (add_share(&list[i], out, err) < 0)
			return -1;
	return 0;
}

int principal_scopes_of(
    struct db *db, const struct user *u, struct scope_set *out, struct err *err)
{
	if (role_scopes_of(db, u, out, err) < 0)
		return -1;
	if (add_shares(db, u, out, err) < 0)
		return err_wrap(err, "what is shared with %s", u->name);
	return 0;
}

/* What the roles of a service permit. It has no role by being one. */
static int service_scopes(struct db *db, const struct principal *p,
    struct scope_set *out, struct err *err)
{
	const struct scope_context ctx = { .service = p->service_name };
	struct held h = { .has_user_role = false };

	scope_set_init(&h.raw, out->arena);
	if (role_each_held_service(db, p->service_id, take_role, &h, err) < 0)
		return err_wrap(err, "roles of service %s", p->service_name);
	if (p->admin && scope_set_add_role(&h.raw, ROLE_ADMIN, err) < 0)
		return -1;
	return scope_expand(&h.raw, &ctx, out, err);
}

/* 1 the service is there; 0 gone. */
static int read_service(struct db *db, struct arena *a, int64_t id,
    struct principal *out, struct err *err)
{
	struct service_row s;
	int rc = service_row_get(db, a, id, &s, err);

	if (rc != 1)
		return rc;
	out->service_id = s.id;
	out->service_name = s.name;
	out->user_name = "";
	out->admin = s.admin;
	out->ctx.service = s.name;
	scope_set_init(&out->scopes, a);
	return 1;
}

/* 1 the owner is there; 0 gone. */
static int read_owner(struct db *db, struct arena *a, int64_t id,
    struct principal *out, struct err *err)
{
	struct user u;
	int rc = user_get(db, a, id, &u, err);

	if (rc != 1)
		return rc;
	out->user_id = u.id;
	out->user_name = u.name;
	out->admin = u.admin;
	out->user_activity_us = u.last_activity_us;
	out->ctx.user = u.name;
	scope_set_init(&out->scopes, a);
	return 1;
}

int principal_owner_scopes(struct db *db, const struct principal *p,
    struct scope_set *out, struct err *err)
{
	const struct user u = {
		.id = p->user_id, .name = p->user_name, .admin = p->admin
	};

	if (p->service_id != 0)
		return service_scopes(db, p, out, err);
	return principal_scopes_of(db, &u, out, err);
}

static int by_session(struct db *db, struct arena *a, const char *secret,
    int64_t now_us, struct principal *out, struct err *err)
{
	int rc = session_find(db, secret, now_us, &out->session, err);

	if (rc != 1)
		return rc;
	rc = read_owner(db, a, out->session.user_id, out, err);
	if (rc != 1)
		return rc;
	out->kind = PRINCIPAL_USER;
	out->session_id = arena_strdup(a, out->session.public_id);
	return principal_owner_scopes(db, out, &out->scopes, err) < 0 ? -1 : 1;
}

int principal_by_session(struct db *db, struct arena *a, const char *secret,
    int64_t now_us, struct principal *out, struct err *err)
{
	int rc;

	memset(out, 0, sizeof *out);
	rc = by_session(db, a, secret, now_us, out, err);
	return rc == 1 ? 1 : nobody(out, rc);
}

/* ---- tokens ---- */

/* "alice/" of a row id; NULL when there is no such server. */
static int server_path_of(struct db *db, struct arena *a, int64_t id,
    const char **out, struct err *err)
{
	struct server_row row;
	int rc;

	if (id == 0)
		return 0;
	rc = server_row_get(db, a, id, &row, err);
	if (rc == 1)
		*out = arena_printf(a, "%s/%s", row.user_name, row.name);
	return rc;
}

/* The name of a row id; NULL when there is no such service. */
static int service_name_of(struct db *db, struct arena *a, int64_t id,
    const char **out, struct err *err)
{
	struct service_row row;
	int rc = service_row_get(db, a, id, &row, err);

	if (rc == 1)
		*out = row.name;
	return rc;
}

/* What !server and !service mean: whose token it is, or whose OAuth client it
 * came through. */
static int read_context(struct db *db, struct arena *a, const struct token *t,
    struct principal *out, struct err *err)
{
	struct oauth_client client;
	int64_t server_id = t->server_id;
	int rc;

	if (server_id == 0 && strcmp(t->client_id, "jupyterhub") != 0) {
		rc = oauth_client_find(db, a, t->client_id, &client, err);
		if (rc < 0)
			return -1;
		server_id = rc == 1 ? client.server_id : 0;
		if (rc == 1 && client.service_id != 0)
			return service_name_of(
			    db, a, client.service_id, &out->ctx.service, err);
	}
	return server_path_of(db, a, server_id, &out->ctx.server, err);
}

static int token_scopes(struct db *db, struct arena *a, const struct token *t,
    struct principal *out, struct err *err)
{
	struct scope_set raw, owner;

	scope_set_init(&raw, a);
	scope_set_init(&owner, a);
	if (scope_set_add_stored(&raw, t->scopes, err) < 0)
		return err_wrap(err, "token a%lld", (long long)t->id);
	if (principal_owner_scopes(db, out, &owner, err) < 0)
		return -1;
	return scope_effective_token(&raw, &out->ctx, &owner,
	    principal_is_member, db, &out->scopes, err);
}

static void take_token(const struct token *t, struct principal *out)
{
	out->kind = PRINCIPAL_TOKEN;
	out->token_id = t->id;
	out->token_note = t->note;
	out->token_used_us = t->used_us;
	out->client_id = t->client_id;
	out->session_id = t->session_id;
	out->server_id = t->server_id;
}

static int of_token(struct db *db, struct arena *a, const struct token *t,
    struct principal *out, struct err *err)
{
	int rc = t->service_id != 0
		     ? read_service(db, a, t->service_id, out, err)
		     : read_owner(db, a, t->user_id, out, err);

	if (rc != 1)
		return rc;
	take_token(t, out);
	if (read_context(db, a, t, out, err) < 0 ||
	    token_scopes(db, a, t, out, err) < 0)
		return -1;
	return 1;
}

int principal_of_token(struct db *db, struct arena *a, const struct token *t,
    struct principal *out, struct err *err)
{
	int rc;

	memset(out, 0, sizeof *out);
	rc = of_token(db, a, t, out, err);
	return rc == 1 ? 1 : nobody(out, rc);
}

int principal_by_token(struct db *db, struct arena *a, const char *plain,
    int64_t now_us, struct principal *out, struct err *err)
{
	struct token t;
	int rc;

	memset(out, 0, sizeof *out);
	rc = token_find(db, a, plain, now_us, &t, err);
	return rc == 1 ? principal_of_token(db, a, &t, out, err) : rc;
}

/* ---- without a credential ---- */

static int finish(
    struct db *db, struct principal *out, int found, struct err *err)
{
	if (found == 1 &&
	    principal_owner_scopes(db, out, &out->scopes, err) < 0)
		found = -1;
	return found == 1 ? 1 : nobody(out, found);
}

int principal_of_user(struct db *db, struct arena *a, int64_t id,
    struct principal *out, struct err *err)
{
	memset(out, 0, sizeof *out);
	out->kind = PRINCIPAL_USER;
	return finish(db, out, read_owner(db, a, id, out, err), err);
}

int principal_of_service(struct db *db, struct arena *a, int64_t id,
    struct principal *out, struct err *err)
{
	memset(out, 0, sizeof *out);
	out->kind = PRINCIPAL_TOKEN;
	return finish(db, out, read_service(db, a, id, out, err), err);
}

/* ---- the administrator of the machine ---- */

int principal_local(struct arena *a, const char *account, struct principal *out,
    struct err *err)
{
	const struct scope_context ctx = { 0 };
	struct scope_set raw;

	*out = (struct principal){
		.kind = PRINCIPAL_LOCAL,
		.user_name = "",
		.local_name = arena_strdup(a, account),
		.admin = true,
	};
	scope_set_init(&raw, a);
	scope_set_init(&out->scopes, a);
	if (scope_set_add_role(&raw, ROLE_ADMIN, err) < 0 ||
	    scope_expand(&raw, &ctx, &out->scopes, err) < 0)
		return nobody(out, -1);
	return 0;
}

/* ---- use ---- */

static bool is_stale(int64_t stored_us, const struct principal_use *use)
{
	return use->now_us - stored_us >= use->step_us;
}

static int touch_credential(struct db *db, struct principal *p,
    const struct principal_use *use, struct err *err)
{
	if (p->kind == PRINCIPAL_USER && is_stale(p->session.used_us, use)) {
		p->session.used_us = use->now_us;
		return session_touch(db, &p->session, use->now_us, err);
	}
	if (p->kind == PRINCIPAL_TOKEN && is_stale(p->token_used_us, use)) {
		p->token_used_us = use->now_us;
		return token_touch(db, p->token_id, use->now_us, err);
	}
	return 0;
}

int principal_touch(struct db *db, struct principal *p,
    const struct principal_use *use, struct err *err)
{
	if (p->kind == PRINCIPAL_NONE || p->kind == PRINCIPAL_LOCAL)
		return 0;
	if (touch_credential(db, p, use, err) < 0)
		return -1;
	/* Servers call by themselves: that is not their owner's doing. */
	if (!use->is_owners || p->server_id != 0 || p->service_id != 0 ||
	    !is_stale(p->user_activity_us, use))
		return 0;
	p->user_activity_us = use->now_us;
	return user_touch(db, p->user_id, use->now_us, err);
}

bool principal_is_member(const char *user, const char *group, void *arg)
{
	struct err err = { 0 };
	int rc = group_has(arg, user, group, &err);

	if (rc < 0)
		log_error(NULL, "group not checked", "%s", err.text);
	return rc == 1;
}

enum scope_verdict principal_check(const struct principal *p, struct db *db,
    enum scope_id id, const struct scope_resource *res)
{
	return scope_check(&p->scopes, id, res, principal_is_member, db);
}
