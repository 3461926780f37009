/*
 * Groups of the hub: who is in them and what administrators noted
 * (contract/hub.md 1.11).
 */
#include <stdlib.h>
#include <string.h>

#include "auth/rules.h"
#include "base/log.h"
#include "db/group.h"
#include "db/role.h"
#include "hub/body.h"
#include "hub/handlers.h"
#include "hub/model.h"
#include "hub/paging.h"

#define PROPERTIES_MAX 65536

static const struct body_key users_key[] = { { "users", BODY_LIST }, { 0 } };

static void log_deed(struct req *r, const char *deed, const char *name)
{
	char shown[80];

	str_printable(shown, sizeof shown, name, strlen(name));
	log_info(&(struct log_ctx){ .user = principal_name(&r->who) },
	    "group administration", "deed=%s name=\"%s\"", deed, shown);
}

/* ---- models ------------------------------------------------------- */

struct page {
	const int64_t *ids;
	json_t **lists; /* names for each */
	size_t n, last;
};

/* Names come by group, usually that of the row before. */
static int take_name(int64_t id, const char *name, void *arg, struct err *err)
{
	struct page *p = arg;

	(void)err;
	for (size_t i = 0; i < p->n; i++) {
		size_t at = (p->last + i) % p->n;
		if (p->ids[at] != id)
			continue;
		p->last = at;
		json_array_append_new(p->lists[at], json_string(name));
		break;
	}
	return 0;
}

static bool may(struct req *r, enum scope_id id, const struct group *g)
{
	const struct scope_resource res = { .group = g->name };

	return principal_check(&r->who, r->app->db, id, &res) == SCOPE_GRANTED;
}

static json_t *properties_of(const struct group *g)
{
	json_t *j;
	struct err err;

	if (json_parse(g->properties, strlen(g->properties), &j, &err) != 0)
		return json_object();
	return j;
}

/* NULL: nothing of it may be seen. */
static json_t *build(
    struct req *r, const struct group *g, json_t *members, json_t *held)
{
	bool all = may(r, SCOPE_READ_GROUPS, g);
	bool roles = may(r, SCOPE_READ_ROLES_GROUPS, g);

	if (!all && !roles && !may(r, SCOPE_READ_GROUPS_NAME, g))
		return NULL;
	json_t *m = json_pack("{s:s, s:s}", "kind", "group", "name", g->name);
	if (all) {
		json_object_set(m, "users", members);
		json_object_set_new(m, "properties", properties_of(g));
	}
	if (roles)
		json_object_set(m, "roles", held);
	return m;
}

static json_t **empty_lists(struct req *r, size_t n)
{
	json_t **lists = arena_array(&r->http->arena, n, sizeof *lists);

	for (size_t i = 0; i < n; i++)
		lists[i] = json_array();
	return lists;
}

static int models(struct req *r, const struct group *groups, size_t n,
    json_t **list_out, struct err *err)
{
	struct db *db = r->app->db;
	int64_t *ids = arena_array(&r->http->arena, n, sizeof *ids);
	struct page members = { ids, empty_lists(r, n), n, 0 };
	struct page held = { ids, empty_lists(r, n), n, 0 };
	int rc;

	for (size_t i = 0; i < n; i++)
		ids[i] = groups[i].id;
	rc = group_each_member(db, ids, n, take_name, &members, err);
	if (rc == 0)
		rc = role_each_of_groups(db, ids, n, take_name, &held, err);
	*list_out = json_array();
	for (size_t i = 0; i < n; i++) {
		json_t *m = rc == 0 ? build(r, &groups[i], members.lists[i],
					  held.lists[i])
				    : NULL;
		if (m)
			json_array_append_new(*list_out, m);
		json_decref(members.lists[i]);
		json_decref(held.lists[i]);
	}
	if (rc != 0)
		json_decref(*list_out);
	return rc;
}

static void reply_group(struct req *r, int status, const struct group *g)
{
	json_t *list;
	struct err err = { 0 };

	if (models(r, g, 1, &list, &err) != 0) {
		reply_err(r, &err);
		return;
	}
	json_t *m = json_incref(json_array_get(list, 0));
	json_decref(list);
	reply_json(r, status, m ? m : json_object());
}

/* ---- which -------------------------------------------------------- */

/* A name that can be stored and logged. -1: answered. */
static int check_name(struct req *r, const char *name)
{
	if (*name && strlen(name) <= GROUP_NAME_MAX &&
	    !str_has_control(name, strlen(name)))
		return 0;
	reply_error(r, 400,
	    "A group's name has 1 to %d bytes and no control characters",
	    GROUP_NAME_MAX);
	return -1;
}

/* The people of a list, each of whom exists; NULL: answered. */
static int64_t *find_users(struct req *r, const json_t *list)
{
	int64_t *ids =
	    arena_array(&r->http->arena, json_array_size(list), sizeof *ids);
	struct err err = { 0 };
	const json_t *item;
	size_t i;

	if (body_strings(r, "users", list) != 0)
		return NULL;
	json_array_foreach (list, i, item) {
		const char *raw = json_string_value(item);
		char name[RULES_NAME_MAX + 1], shown[80];
		struct user u;
		int found = 0;
		if (rules_normalise(r->app->rules, raw, name, &err) == 0)
			found = user_find(
			    r->app->db, &r->http->arena, name, &u, &err);
		if (found < 0) {
			reply_err(r, &err);
			return NULL;
		}
		if (!found) {
			str_printable(shown, sizeof shown, raw, strlen(raw));
			reply_error(r, 400, "No such user: %s", shown);
			return NULL;
		}
		ids[i] = u.id;
	}
	return ids;
}

/* ---- listing, reading --------------------------------------------- */

/* The groups that list:groups is held for; NULL: all. */
static const char *reach(struct req *r)
{
	const char *text = NULL;
	json_t *names = json_array();
	size_t len;

	for (size_t i = 0; i < r->who.scopes.n; i++) {
		const struct scope *s = &r->who.scopes.items[i];
		if (s->id != SCOPE_LIST_GROUPS)
			continue;
		if (s->filter == FILTER_NONE) {
			json_decref(names);
			return NULL;
		}
		if (s->filter == FILTER_GROUP)
			json_array_append_new(names, json_string(s->value));
	}
	char *own = json_text(names, &len);
	text = arena_strdup(&r->http->arena, own);
	free(own);
	json_decref(names);
	return text;
}

void api_groups_get(struct req *r)
{
	struct group_query q = { .names = reach(r) };
	struct paging page;
	struct group *groups;
	json_t *list;
	int64_t total = 0;
	size_t n;
	struct err err = { 0 };

	if (paging_read(r, &page) != 0)
		return;
	q.only_some = q.names != NULL;
	q.offset = page.offset;
	q.limit = page.limit;
	if (group_list(r->app->db, &r->http->arena, &q, &groups, &n, &total,
		&err) != 0 ||
	    models(r, groups, n, &list, &err) != 0)
		reply_err(r, &err);
	else
		paging_reply(r, &page, list, total);
}

void api_group_get(struct req *r)
{
	struct group g;

	if (req_group(r, &g) == 0)
		reply_group(r, 200, &g);
}

/* ---- members ------------------------------------------------------ */

typedef int member_fn(
    struct db *db, int64_t id, int64_t user_id, struct err *err);

static int each_user(struct req *r, member_fn *fn, int64_t id,
    const int64_t *ids, size_t n, struct err *err)
{
	for (size_t i = 0; i < n; i++)
		if (fn(r->app->db, id, ids[i], err) != 0)
			return -1;
	return 0;
}

static int all_or_none(struct req *r, member_fn *fn, int64_t id,
    const int64_t *ids, size_t n, struct err *err)
{
	if (db_begin(r->app->db, err) != 0)
		return -1;
	if (each_user(r, fn, id, ids, n, err) == 0)
		return db_commit(r->app->db, err);
	db_rollback(r->app->db);
	return -1;
}

static void change_members(struct req *r, member_fn *fn, const char *deed)
{
	struct group g;
	json_t *body;
	struct err err = { 0 };

	if (req_group(r, &g) != 0)
		return;
	int has = body_object(r, "group", users_key, &body);
	if (has < 0)
		return;
	const json_t *users = has ? json_object_get(body, "users") : NULL;
	if (!users) {
		reply_error(r, 400, "Must specify users to %s", deed);
		return;
	}
	int64_t *ids = find_users(r, users);
	if (!ids)
		return;
	if (all_or_none(r, fn, g.id, ids, json_array_size(users), &err) != 0) {
		reply_err(r, &err);
		return;
	}
	log_deed(r, deed, g.name);
	reply_group(r, 200, &g);
}

void api_group_users_post(struct req *r)
{
	change_members(r, group_add, "add");
}

void api_group_users_delete(struct req *r)
{
	change_members(r, group_remove, "delete");
}

/* ---- creating ----------------------------------------------------- */

static int create_each(struct req *r, struct group *groups, size_t n,
    const int64_t *ids, size_t n_ids, struct err *err)
{
	for (size_t i = 0; i < n; i++) {
		if (group_create(
			r->app->db, groups[i].name, &groups[i].id, err) != 0 ||
		    each_user(r, group_add, groups[i].id, ids, n_ids, err) != 0)
			return -1;
	}
	return 0;
}

/* All of them or none; -1: the request was answered. */
static int create(
    struct req *r, struct group *groups, size_t n, const json_t *users)
{
	int64_t *ids = find_users(r, users);
	struct err err = { 0 };

	if (!ids)
		return -1;
	if (db_begin(r->app->db, &err) != 0) {
		reply_err(r, &err);
		return -1;
	}
	if (create_each(r, groups, n, ids, json_array_size(users), &err) == 0 &&
	    db_commit(r->app->db, &err) == 0) {
		log_deed(r, "create", groups[0].name);
		return 0;
	}
	db_rollback(r->app->db);
	reply_err(r, &err);
	return -1;
}

void api_group_post(struct req *r)
{
	struct group g = { .name = r->group_param, .properties = "{}" };
	json_t *body;

	if (body_object(r, "group", users_key, &body) < 0 ||
	    check_name(r, g.name) != 0)
		return;
	if (create(r, &g, 1, json_object_get(body, "users")) == 0)
		reply_group(r, 201, &g);
}

/* -1: answered. */
static int read_names(struct req *r, const json_t *list, struct group *out)
{
	const json_t *item;
	size_t i;

	if (body_strings(r, "groups", list) != 0)
		return -1;
	json_array_foreach (list, i, item) {
		out[i] = (struct group){ .name = json_string_value(item),
			.properties = "{}" };
		if (check_name(r, out[i].name) != 0)
			return -1;
	}
	return 0;
}

void api_groups_post(struct req *r)
{
	static const struct body_key keys[] = {
		{ "groups", BODY_LIST },
		{ "users", BODY_LIST },
		{ 0 },
	};
	json_t *body, *list;
	struct err err = { 0 };
	int has = body_object(r, "groups", keys, &body);

	if (has < 0)
		return;
	const json_t *names = has ? json_object_get(body, "groups") : NULL;
	size_t n = json_array_size(names);
	if (n == 0) {
		reply_error(
		    r, 400, "Must specify at least one group to create");
		return;
	}
	struct group *groups = arena_array(&r->http->arena, n, sizeof *groups);
	if (read_names(r, names, groups) != 0 ||
	    create(r, groups, n, json_object_get(body, "users")) != 0)
		return;
	if (models(r, groups, n, &list, &err) != 0)
		reply_err(r, &err);
	else
		reply_json(r, 201, list);
}

/* ---- deleting, properties ----------------------------------------- */

void api_group_delete(struct req *r)
{
	struct group g;
	struct err err = { 0 };

	if (req_group(r, &g) != 0)
		return;
	if (group_delete(r->app->db, g.id, &err) != 0) {
		reply_err(r, &err);
		return;
	}
	log_deed(r, "delete", g.name);
	reply_empty(r, 204);
}

void api_group_properties_put(struct req *r)
{
	struct group g;
	json_t *body;
	size_t len;
	struct err err = { 0 };

	if (req_group(r, &g) != 0)
		return;
	int has = req_json(r, &body);
	if (has < 0)
		return;
	if (!has || !json_is_object(body)) {
		reply_error(r, 400, "Must specify properties");
		return;
	}
	char *text = json_text(body, &len);
	g.properties = arena_strdup(&r->http->arena, text);
	free(text);
	if (len > PROPERTIES_MAX)
		reply_error(r, 400,
		    "properties have %zu bytes; at most %d "
		    "are kept",
		    len, PROPERTIES_MAX);
	else if (group_set_properties(r->app->db, g.id, g.properties, &err) !=
		 0)
		reply_err(r, &err);
	else
		reply_group(r, 200, &g);
}
