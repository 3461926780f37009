/*
 * Carrel's own part of the API, below /api/explain: what a login of a name
 * would come to, why a server did not start, which roles there are. Every
 * answer comes from the code that decides (docs/rest.md, `carrel explain`).
 */
#include <string.h>

#include "auth/rules.h"
#include "db/role.h"
#include "db/user.h"
#include "hub/handlers.h"
#include "hub/model.h"
#include "hub/server_failure.h"
#include "hub/server_wish.h"

#define GROUPS_MAX  256
#define EXPLAIN_MAX 65536

/* ---- a login ------------------------------------------------------- */

struct login_case {
	struct auth_identity id;
	const char *groups_from;
	bool known, is_admin;
};

static int groups_of_query(struct req *r, struct login_case *c)
{
	const char **groups =
	    arena_array(&r->http->arena, r->query.n + 1, sizeof *groups);

	for (size_t i = 0; i < r->query.n; i++)
		if (!strcmp(r->query.items[i].name, "group"))
			groups[c->id.n_groups++] = r->query.items[i].value;
	c->id.groups = groups;
	if (c->id.n_groups > 0)
		c->groups_from = "query";
	return c->id.n_groups <= GROUPS_MAX ? 0 : -1;
}

/* What the database knows of the person whom the rules call `name`. */
static int look_up(
    struct req *r, const char *name, struct login_case *c, struct err *err)
{
	struct user u;
	int found = user_find(r->app->db, &r->http->arena, name, &u, err);

	if (found != 1)
		return found;
	c->known = true;
	c->is_admin = u.admin;
	if (c->id.n_groups > 0)
		return 0;
	c->groups_from = "last login";
	return user_groups(r->app->db, &r->http->arena, u.id, &c->id.groups,
	    &c->id.n_groups, err);
}

/* "blocked_users: not listed" and so on, a rule a line. */
static json_t *rules_json(struct req *r, const struct login_case *c)
{
	json_t *list = json_array();
	struct slice rest, line, rule;
	struct buf text;

	buf_init(&text, EXPLAIN_MAX);
	rules_explain(r->app->rules, &c->id, &text);
	rest = slice_of(buf_view(&text));
	while (slice_split(&rest, '\n', &line)) {
		if (!slice_split(&line, ':', &rule))
			continue;
		line = slice_trim(line);
		json_array_append_new(
		    list, json_pack("{s:s%, s:s%}", "rule", rule.p, rule.len,
			      "said", line.p, line.len));
	}
	buf_fini(&text);
	return list;
}

static json_t *strings_json(const char *const *items, size_t n)
{
	json_t *list = json_array();

	for (size_t i = 0; i < n; i++)
		json_array_append_new(list, json_string(items[i]));
	return list;
}

static void reply_login(struct req *r, const struct login_case *c)
{
	static const char *const admin[] = {
		[RULES_ADMIN_KEEP] = "keep",
		[RULES_ADMIN_YES] = "yes",
		[RULES_ADMIN_NO] = "no",
	};
	struct rules_decision d;

	rules_decide(r->app->rules, &c->id, &d);
	reply_json(r, 200,
	    json_pack("{s:o, s:b, s:s, s:s, s:s, s:o, s:s, s:b, s:b, s:o}",
		"name", *d.name ? json_string(d.name) : json_null(), "allowed",
		(int)d.allowed, "reason", rules_reason_name(d.reason), "text",
		d.text, "admin", admin[d.admin], "groups",
		strings_json(c->id.groups, c->id.n_groups), "groups_from",
		c->groups_from, "known", (int)c->known, "is_admin",
		(int)c->is_admin, "rules", rules_json(r, c)));
}

void explain_user(struct req *r)
{
	struct login_case c = {
		.id.name = r->user_param,
		.groups_from = "none",
	};
	char name[RULES_NAME_MAX + 1];
	struct err err = { 0 };

	if (groups_of_query(r, &c) != 0) {
		reply_error(r, 400, "group: at most %d are taken", GROUPS_MAX);
		return;
	}
	/* A name that cannot be is what the rules shall say. */
	if (rules_normalise(r->app->rules, r->user_param, name, &err) == 0 &&
	    look_up(r, name, &c, &err) != 0) {
		reply_err(r, &err);
		return;
	}
	reply_login(r, &c);
}

/* ---- a server ------------------------------------------------------ */

/* Lines of the server's own may say more than its state. */
static bool may_see_lines(struct req *r, const char *user, const char *name)
{
	return req_may(r, SCOPE_SERVERS, user, name) ||
	       req_may(r, SCOPE_ADMIN_SERVER_STATE, user, name);
}

/* NULL: err. */
static json_t *failure_json(
    struct req *r, int64_t id, bool with_lines, struct err *err)
{
	json_t *told;
	int found = server_failure_of(r->app, id, &told, err);

	if (found < 0)
		return NULL;
	if (!found)
		return json_null();
	if (!with_lines) {
		json_object_set_new(told, "log", json_null());
		json_object_set_new(told, "steps", json_array());
	}
	return told;
}

static json_t *server_json(
    struct req *r, const char *user, const char *name, json_t *failure)
{
	const struct server *s = server_by_name(r->app, user, name);
	bool with_lines = may_see_lines(r, user, name);
	const char *pending = s ? server_pending(s) : NULL;

	return json_pack("{s:s, s:s, s:s, s:b, s:o, s:o, s:o, s:o}", "user",
	    user, "name", name, "state",
	    s ? server_state_name(server_state(s)) : "at rest", "ready",
	    s && server_is_ready(s), "pending",
	    pending ? json_string(pending) : json_null(), "started",
	    model_time(s ? server_started_us(s) : 0), "failure", failure,
	    "steps", s && with_lines ? server_steps_json(s) : json_array());
}

void explain_server(struct req *r)
{
	const char *name = req_server_name(r);
	struct server_row row = { .name = "" };
	struct user user;
	struct err err = { 0 };
	json_t *failure;

	if (req_user(r, &user) != 0)
		return;
	int found = server_row_find(
	    r->app->db, &r->http->arena, user.id, name, &row, &err);
	if (found == 0 && *name) {
		server_reply_unknown(r, &user);
		return;
	}
	failure = found < 0 ? NULL
			    : failure_json(r, row.id,
				  may_see_lines(r, user.name, name), &err);
	if (failure)
		reply_json(r, 200, server_json(r, user.name, name, failure));
	else
		reply_err(r, &err);
}

/* ---- roles --------------------------------------------------------- */

struct roles {
	struct arena *arena;
	json_t *list;
	bool has[ROLE_TOKEN + 1]; /* the configuration changed it */
};

static int add_configured(
    const struct role_use *use, void *arg, struct err *err)
{
	struct roles *all = arg;
	struct scope_set set;

	scope_set_init(&set, all->arena);
	if (scope_set_add_stored(&set, use->role.scopes, err) != 0)
		return -1;
	for (int i = 0; i <= ROLE_TOKEN; i++)
		if (!strcmp(use->role.name, role_name((enum scope_role)i)))
			all->has[i] = true;
	json_array_append_new(all->list,
	    json_pack("{s:s, s:s, s:o, s:b, s:I, s:I, s:I}", "name",
		use->role.name, "description", use->role.description, "scopes",
		scope_set_json(&set), "is_configured", 1, "users",
		(json_int_t)use->n_users, "groups", (json_int_t)use->n_groups,
		"services", (json_int_t)use->n_services));
	return 0;
}

/* Those that the program brings; who has them is worked out at each use. */
static int add_builtin(struct roles *all, enum scope_role role, struct err *err)
{
	struct scope_set set;

	scope_set_init(&set, all->arena);
	if (scope_set_add_role(&set, role, err) != 0)
		return -1;
	json_array_append_new(
	    all->list, json_pack("{s:s, s:s, s:o, s:b, s:n, s:n, s:n}", "name",
			   role_name(role), "description", role_doc(role),
			   "scopes", scope_set_json(&set), "is_configured", 0,
			   "users", "groups", "services"));
	return 0;
}

static int build_roles(struct req *r, struct roles *all, struct err *err)
{
	if (role_each(r->app->db, all->arena, add_configured, all, err) != 0)
		return -1;
	for (int i = 0; i <= ROLE_TOKEN; i++)
		if (!all->has[i] &&
		    add_builtin(all, (enum scope_role)i, err) != 0)
			return -1;
	return 0;
}

void explain_roles(struct req *r)
{
	struct roles all = { .arena = &r->http->arena, .list = json_array() };
	struct err err = { 0 };

	if (build_roles(r, &all, &err) == 0) {
		reply_json(r, 200, all.list);
		return;
	}
	json_decref(all.list);
	reply_err(r, &err);
}
