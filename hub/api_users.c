/*
 * Listing users, and creating many at once (contract/hub.md 1.6).
 */
#include <stdlib.h>
#include <string.h>

#include "auth/rules.h"
#include "base/clock.h"
#include "base/log.h"
#include "db/user_list.h"
#include "hub/body.h"
#include "hub/handlers.h"
#include "hub/model.h"
#include "hub/paging.h"

/* ---- listing ------------------------------------------------------ */

static int bad_argument(struct req *r, const char *what, const char *value)
{
	char shown[64];

	str_printable(shown, sizeof shown, value, strlen(value));
	reply_error(r, 400, "Unrecognized %s: '%s'", what, shown);
	return -1;
}

/* Readiness is not in the database: *ready filters the page afterwards. */
static int read_state(struct req *r, struct user_query *q, bool *ready)
{
	const char *state = url_pair_get(&r->query, "state");

	*ready = false;
	q->state = USER_ANY;
	if (!state || !*state)
		return 0;
	if (!strcmp(state, "active"))
		q->state = USER_ACTIVE;
	else if (!strcmp(state, "inactive"))
		q->state = USER_INACTIVE;
	else if (!strcmp(state, "ready"))
		*ready = true;
	else
		return bad_argument(r, "state filter", state);
	if (*ready)
		q->state = USER_ACTIVE;
	return 0;
}

static int read_order(struct req *r, struct user_query *q)
{
	static const char *const names[USER_N_ORDERS] = {
		[USER_BY_ID] = "id",
		[USER_BY_NAME] = "name",
		[USER_BY_ACTIVITY] = "last_activity",
	};
	const char *sort = url_pair_get(&r->query, "sort");

	if (!sort || !*sort)
		sort = "id";
	q->descending = *sort == '-';
	for (size_t i = 0; i < USER_N_ORDERS; i++) {
		if (strcmp(names[i], sort + q->descending) != 0)
			continue;
		q->order = (enum user_order)i;
		return 0;
	}
	return bad_argument(r, "sort", sort);
}

/* Whom the scope lets be listed: everybody, or these people and groups. */
static void read_reach(struct req *r, struct user_query *q)
{
	json_t *names = json_array(), *groups = json_array();
	char *text;
	size_t len;

	q->only_some = true;
	for (size_t i = 0; i < r->who.scopes.n; i++) {
		const struct scope *s = &r->who.scopes.items[i];
		if (s->id != SCOPE_LIST_USERS)
			continue;
		if (s->filter == FILTER_NONE)
			q->only_some = false;
		else if (s->filter == FILTER_USER)
			json_array_append_new(names, json_string(s->value));
		else if (s->filter == FILTER_GROUP)
			json_array_append_new(groups, json_string(s->value));
	}
	text = json_text(names, &len);
	q->names = arena_strdup(&r->http->arena, text);
	free(text);
	text = json_text(groups, &len);
	q->groups = arena_strdup(&r->http->arena, text);
	free(text);
	json_decref(names);
	json_decref(groups);
}

static bool has_ready_server(struct app *app, int64_t user_id)
{
	struct server *s;
	size_t pos = 0;

	while ((s = server_next_of(app, user_id, &pos)) != NULL)
		if (server_is_ready(s))
			return true;
	return false;
}

static size_t keep_ready(struct app *app, struct user *users, size_t n)
{
	size_t kept = 0;

	for (size_t i = 0; i < n; i++)
		if (has_ready_server(app, users[i].id))
			users[kept++] = users[i];
	return kept;
}

/* Letters of either case, and no wildcards. */
static const char *name_part(struct req *r)
{
	const char *text = url_pair_get(&r->query, "name_filter");

	if (!text || !*text)
		return NULL;
	char *lower = arena_strdup(&r->http->arena, text);
	str_lower_ascii(lower);
	return lower;
}

void api_users_get(struct req *r)
{
	struct user_query q = { 0 };
	struct paging page;
	struct user *users;
	struct jsonw list;
	int64_t total;
	size_t n;
	bool ready;
	struct err err = { 0 };

	if (read_state(r, &q, &ready) != 0 || read_order(r, &q) != 0 ||
	    paging_read(r, &page) != 0)
		return;
	read_reach(r, &q);
	q.name_part = name_part(r);
	q.offset = page.offset;
	q.limit = page.limit;
	if (user_list(r->app->db, &r->http->arena, &q, &users, &n, &total,
		&err) != 0) {
		reply_err(r, &err);
		return;
	}
	if (ready)
		n = keep_ready(r->app, users, n);
	jsonw_init(&list);
	if (model_users(r, users, n, model_stopped(r), &list, &err) != 0)
		reply_err(r, &err);
	else
		paging_reply_written(r, &page, &list, total);
	jsonw_fini(&list);
}

/* ---- creating many ------------------------------------------------ */

/* Normal names, each once, in the order of the request; NULL: answered. */
static const char **normal_names(
    struct req *r, const json_t *list, size_t *n_out)
{
	struct arena *a = &r->http->arena;
	const char **names =
	    arena_array(a, json_array_size(list), sizeof *names);
	json_t *seen = json_object();
	const char *bad = "";
	size_t i, n = 0, n_bad = 0;
	const json_t *item;
	struct err err;

	json_array_foreach (list, i, item) {
		char name[RULES_NAME_MAX + 1], shown[80];
		const char *raw = json_string_value(item);
		if (rules_normalise(r->app->rules, raw, name, &err) != 0) {
			str_printable(shown, sizeof shown, raw, strlen(raw));
			if (n_bad++ < 20)
				bad = arena_printf(
				    a, "%s%s%s", bad, *bad ? ", " : "", shown);
		} else if (!json_object_get(seen, name)) {
			json_object_set_new(seen, name, json_true());
			names[n++] = arena_strdup(a, name);
		}
	}
	json_decref(seen);
	*n_out = n;
	if (n_bad == 0)
		return names;
	reply_error(r, 400, "Invalid username%s: %s%s", n_bad > 1 ? "s" : "",
	    bad, n_bad > 20 ? ", ..." : "");
	return NULL;
}

static int create_missing(struct req *r, const char *const *names, size_t n,
    bool admin, struct user *made, size_t *n_made, struct err *err)
{
	struct db *db = r->app->db;
	int64_t now = clock_wall_us(), id;
	struct user old;

	for (size_t i = 0; i < n; i++) {
		int found = user_find(db, &r->http->arena, names[i], &old, err);
		if (found < 0)
			return -1;
		if (found)
			continue;
		if (user_create(db, names[i], admin, now, &id, err) != 0)
			return -1;
		made[(*n_made)++] = (struct user){ .id = id,
			.name = names[i],
			.admin = admin,
			.created_us = now };
	}
	return 0;
}

static int create_all(struct req *r, const char *const *names, size_t n,
    bool admin, struct user *made, size_t *n_made, struct err *err)
{
	*n_made = 0;
	if (db_begin(r->app->db, err) != 0)
		return -1;
	if (create_missing(r, names, n, admin, made, n_made, err) == 0)
		return db_commit(r->app->db, err);
	db_rollback(r->app->db);
	return -1;
}

static void create_users(
    struct req *r, const char *const *names, size_t n, bool admin)
{
	struct user *made = arena_array(&r->http->arena, n, sizeof *made);
	size_t n_made;
	struct jsonw list;
	struct err err = { 0 };

	if (create_all(r, names, n, admin, made, &n_made, &err) != 0) {
		reply_err(r, &err);
		return;
	}
	if (n_made == 0) {
		reply_error(r, 409, "All %zu users already exist", n);
		return;
	}
	log_info(&(struct log_ctx){ .user = principal_name(&r->who) },
	    "users created", "n=%zu admin=%d", n_made, admin);
	jsonw_init(&list);
	if (model_users(r, made, n_made, MODEL_ACTIVE_ONLY, &list, &err) != 0)
		reply_err(r, &err);
	else
		reply_jsonw(r, 201, &list);
	jsonw_fini(&list);
}

void api_users_post(struct req *r)
{
	static const struct body_key keys[] = {
		{ "usernames", BODY_LIST },
		{ "admin", BODY_BOOL },
		{ 0 },
	};
	json_t *body;
	size_t n;
	int has = body_object(r, "users", keys, &body);

	if (has < 0)
		return;
	const json_t *list = has ? json_object_get(body, "usernames") : NULL;
	if (json_array_size(list) == 0) {
		reply_error(r, 400, "Must specify at least one user to create");
		return;
	}
	bool admin = json_is_true(json_object_get(body, "admin"));
	if (admin && !r->who.admin) {
		reply_error(r, 403, "Only admins can grant admin permissions");
		return;
	}
	if (body_strings(r, "usernames", list) != 0)
		return;
	const char **names = normal_names(r, list, &n);
	if (names)
		create_users(r, names, n, admin);
}
