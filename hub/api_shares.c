/*
 * Shares over REST: who may use a server that is not theirs (contract/hub.md
 * 1.12). What was given is looked up at each request, so that an end is an end
 * at once.
 */
#include <string.h>

#include "auth/rules.h"
#include "base/log.h"
#include "db/group.h"
#include "hub/body.h"
#include "hub/handlers.h"
#include "hub/model.h"
#include "hub/paging.h"
#include "hub/share.h"

/* ---- listings ----------------------------------------------------- */

/* The envelope whether it was asked for or not: shares are younger than it. */
static void reply_list(struct req *r, enum share_list which, int64_t id)
{
	struct share_query q = { .which = which, .id = id };
	struct paging page;
	struct share *shares;
	int64_t total = 0;
	size_t n;
	struct err err = { 0 };

	if (paging_read_always(r, &page) != 0)
		return;
	q.offset = page.offset;
	q.limit = page.limit;
	if (share_list(r->app->db, &r->http->arena, &q, &shares, &n, &total,
		&err) != 0) {
		reply_err(r, &err);
		return;
	}
	json_t *list = json_array();
	for (size_t i = 0; i < n; i++)
		json_array_append_new(list, share_model(r, &shares[i]));
	paging_reply(r, &page, list, total);
}

void api_shares_of_owner(struct req *r)
{
	struct user u;

	if (req_user(r, &u) == 0)
		reply_list(r, SHARE_OF_OWNER, u.id);
}

void api_shares_of_server(struct req *r)
{
	struct shared_server s;

	if (shared_server_find(r, r->user_param, r->server_param, &s) == 0)
		reply_list(r, SHARE_OF_SERVER, s.id);
}

void api_user_shared_list(struct req *r)
{
	struct user u;

	if (req_user(r, &u) == 0)
		reply_list(r, SHARE_TO_USER, u.id);
}

void api_group_shared_list(struct req *r)
{
	struct group g;

	if (req_group(r, &g) == 0)
		reply_list(r, SHARE_TO_GROUP, g.id);
}

/* ---- one, as the one with whom it is shared ------------------------ */

/* /users/:user/shared/:owner/:server: 1 with *out, 0 none, -1 answered. */
static int find_shared(struct req *r, struct share_with with, struct share *out)
{
	struct arena *a = &r->http->arena;
	struct server_row row;
	struct user owner;
	struct err err = { 0 };
	int found = user_find(r->app->db, a, r->params[1], &owner, &err);

	if (found == 1)
		found = server_row_find(
		    r->app->db, a, owner.id, r->params[2], &row, &err);
	if (found == 1)
		found = share_find(r->app->db, a, row.id, with, out, &err);
	if (found < 0)
		reply_err(r, &err);
	return found;
}

typedef void share_fn(struct req *r, const struct share *s);

static void with_shared(struct req *r, const char *kind, const char *name,
    struct share_with with, share_fn *then)
{
	char shown[160];
	struct share s;
	int found = find_shared(r, with, &s);

	if (found == 1) {
		then(r, &s);
	} else if (found == 0) {
		const char *full = arena_printf(&r->http->arena,
		    "%s %s on %s/%s", kind, name, r->params[1], r->params[2]);
		str_printable(shown, sizeof shown, full, strlen(full));
		reply_error(r, 404, "No such share for %s", shown);
	}
}

static void show(struct req *r, const struct share *s)
{
	reply_json(r, 200, share_model(r, s));
}

static void leave(struct req *r, const struct share *s)
{
	struct err err = { 0 };

	if (share_delete(r->app->db, s->id, &err) != 0) {
		reply_err(r, &err);
		return;
	}
	log_info(&(struct log_ctx){ .user = s->owner, .server = s->server },
	    "share left", "by=%s", principal_name(&r->who));
	reply_empty(r, 204);
}

static void as_user(struct req *r, share_fn *then)
{
	struct user u;

	if (req_user(r, &u) == 0)
		with_shared(r, "user", u.name,
		    (struct share_with){ .user_id = u.id }, then);
}

static void as_group(struct req *r, share_fn *then)
{
	struct group g;

	if (req_group(r, &g) == 0)
		with_shared(r, "group", g.name,
		    (struct share_with){ .group_id = g.id }, then);
}

void api_user_shared_get(struct req *r)
{
	as_user(r, show);
}

void api_user_shared_delete(struct req *r)
{
	as_user(r, leave);
}

void api_group_shared_get(struct req *r)
{
	as_group(r, show);
}

void api_group_shared_delete(struct req *r)
{
	as_group(r, leave);
}

/* ---- with whom ---------------------------------------------------- */

struct wish {
	const char *user, *group; /* one of them */
	const json_t *scopes;     /* NULL: those that the verb means then */
};

/* -1: the request was answered. */
static int read_wish(struct req *r, struct wish *out)
{
	static const struct body_key keys[] = {
		{ "user", BODY_MAYBE_STR },
		{ "group", BODY_MAYBE_STR },
		{ "scopes", BODY_MAYBE_LIST },
		{ 0 },
	};
	json_t *body;
	int has = body_object(r, "share", keys, &body);

	if (has < 0)
		return -1;
	if (!has)
		body = NULL;
	out->user = json_string_value(json_object_get(body, "user"));
	out->group = json_string_value(json_object_get(body, "group"));
	out->scopes = json_object_get(body, "scopes");
	if (body_strings(r, "scopes", out->scopes) != 0)
		return -1;
	bool has_user = out->user && *out->user;
	bool has_group = out->group && *out->group;
	if (has_user != has_group)
		return 0;
	reply_error(r, 400,
	    has_user ? "Expected exactly one of `user` or `group`, not both."
		     : "Specify exactly one of `user` or `group`");
	return -1;
}

/* The person or group of a wish. 1/0/-1 */
static int find_target(struct req *r, const struct wish *w,
    struct share_with *out, struct err *err)
{
	struct arena *a = &r->http->arena;
	char name[RULES_NAME_MAX + 1];
	struct user u = { 0 };
	struct group g = { 0 };
	struct err why;
	int found;

	if (w->group && *w->group)
		found = group_find(r->app->db, a, w->group, &g, err);
	else if (rules_normalise(r->app->rules, w->user, name, &why) != 0)
		found = 0;
	else
		found = user_find(r->app->db, a, name, &u, err);
	*out = (struct share_with){ .user_id = u.id, .group_id = g.id };
	return found;
}

/* Names are no secret to be found out by trying. -1: answered. */
static int may_name(struct req *r, const struct wish *w)
{
	const struct scope_resource res = { .group = w->group };
	char name[RULES_NAME_MAX + 1] = "";
	struct err err;

	if (w->group && *w->group) {
		if (principal_check(&r->who, r->app->db, SCOPE_READ_GROUPS_NAME,
			&res) == SCOPE_GRANTED)
			return 0;
		reply_error(r, 403,
		    "Need scope 'read:groups:name' to share with groups by "
		    "name");
		return -1;
	}
	if (rules_normalise(r->app->rules, w->user, name, &err) != 0)
		name[0] = '\0';
	if (req_may(r, SCOPE_READ_USERS_NAME, name, NULL))
		return 0;
	reply_error(
	    r, 403, "Need scope 'read:users:name' to share with users by name");
	return -1;
}

/* ---- giving ------------------------------------------------------- */

static int resolve_target(
    struct req *r, const struct wish *w, struct share_with *out)
{
	const char *name = w->group && *w->group ? w->group : w->user;
	char shown[80];
	struct err err = { 0 };
	int found;

	if (may_name(r, w) != 0)
		return -1;
	found = find_target(r, w, out, &err);
	if (found == 1)
		return 0;
	str_printable(shown, sizeof shown, name, strlen(name));
	if (found < 0)
		reply_err(r, &err);
	else
		reply_error(r, 400, "No such %s: %s",
		    name == w->group ? "group" : "user", shown);
	return -1;
}

static void reply_share(
    struct req *r, const struct shared_server *s, struct share_with with)
{
	struct share share;
	struct err err = { 0 };
	int found =
	    share_find(r->app->db, &r->http->arena, s->id, with, &share, &err);

	if (found < 0)
		reply_err(r, &err);
	else
		reply_json(
		    r, 200, found ? share_model(r, &share) : json_object());
}

static void log_change(
    struct req *r, const struct shared_server *s, const char *deed)
{
	log_info(&(struct log_ctx){ .user = s->owner.name, .server = s->name },
	    "shares of a server changed", "deed=%s by=%s", deed,
	    principal_name(&r->who));
}

void api_shares_post(struct req *r)
{
	struct shared_server s;
	struct share_with with;
	struct scope_set scopes;
	struct wish w;
	struct err err = { 0 };

	if (shared_server_find(r, r->user_param, r->server_param, &s) != 0 ||
	    read_wish(r, &w) != 0 ||
	    share_scopes_read(r, w.scopes, &s, &scopes) != 0 ||
	    share_scopes_check(r, &s, &scopes) != 0 ||
	    resolve_target(r, &w, &with) != 0 || shared_server_make(r, &s) != 0)
		return;
	if (share_extend(r, s.id, with, &scopes, &err) != 0) {
		reply_err(r, &err);
		return;
	}
	log_change(r, &s, "give");
	reply_share(r, &s, with);
}

/* ---- taking ------------------------------------------------------- */

/* What is left; all of it goes when nothing was named. */
static int take(struct req *r, const struct shared_server *s,
    struct share_with with, const struct scope_set *scopes, struct err *err)
{
	struct scope_set have, left;
	struct share old;
	int found =
	    share_find(r->app->db, &r->http->arena, s->id, with, &old, err);

	if (found <= 0)
		return found;
	scope_set_init(&left, &r->http->arena);
	if (share_scopes_parse(r, old.scopes, &have, err) != 0)
		return -1;
	for (size_t i = 0; scopes && i < have.n; i++)
		if (!scope_holds(scopes, have.items[i].id, FILTER_NONE) &&
		    scope_set_add(&left,
			scope_text(&r->http->arena, &have.items[i]), err) != 0)
			return -1;
	if (left.n == 0)
		return share_delete(r->app->db, old.id, err);
	return share_put(r->app->db, s->id, with, share_scopes_text(r, &left),
	    old.created_us, err);
}

void api_shares_patch(struct req *r)
{
	struct shared_server s;
	struct share_with with;
	struct scope_set scopes;
	struct wish w;
	struct err err = { 0 };
	int found;

	if (shared_server_find(r, r->user_param, r->server_param, &s) != 0 ||
	    read_wish(r, &w) != 0 ||
	    share_scopes_read(r, w.scopes, &s, &scopes) != 0)
		return;
	bool all = json_array_size(w.scopes) == 0;
	found = find_target(r, &w, &with, &err);
	if (found < 0 ||
	    (found && take(r, &s, with, all ? NULL : &scopes, &err) < 0)) {
		reply_err(r, &err);
	} else if (found) {
		log_change(r, &s, "take");
		reply_share(r, &s, with);
	} else {
		reply_json(r, 200, json_object());
	}
}

void api_shares_delete(struct req *r)
{
	struct shared_server s;
	struct err err = { 0 };

	if (shared_server_find(r, r->user_param, r->server_param, &s) != 0)
		return;
	if (share_delete_server(r->app->db, s.id, &err) != 0) {
		reply_err(r, &err);
		return;
	}
	log_change(r, &s, "take all");
	reply_empty(r, 204);
}
