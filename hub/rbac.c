/*
 * See rbac.h.
 */
#include "hub/rbac.h"

#include <stdlib.h>
#include <string.h>

#include "auth/rules.h"
#include "auth/scope.h"
#include "base/clock.h"
#include "base/json.h"
#include "base/log.h"
#include "db/group.h"
#include "db/role.h"
#include "db/service.h"
#include "db/user.h"
#include "hub/rbac_conf.h"

struct loading {
	struct db *db;
	const struct auth_rules *rules;
	struct arena *arena;
	const struct config *cfg;
	struct rbac rbac;
};

static int user_id(
    struct loading *l, const char *name, int64_t *out, struct err *err)
{
	struct user u;
	int found = user_find(l->db, l->arena, name, &u, err);

	if (found < 0)
		return -1;
	*out = u.id;
	if (found)
		return 0;
	return user_create(l->db, name, false, clock_wall_us(), out, err);
}

static int group_id(
    struct loading *l, const char *name, int64_t *out, struct err *err)
{
	struct group g;
	int found = group_find(l->db, l->arena, name, &g, err);

	if (found < 0)
		return -1;
	*out = g.id;
	return found ? 0 : group_create(l->db, name, out, err);
}

/* ---- people ------------------------------------------------------- */

struct listing {
	struct loading *l;
	int64_t now_us;
	struct err *err;
};

static int put_listed(const char *name, bool is_admin, void *arg)
{
	struct listing *x = arg;

	return user_create_missing(x->l->db, name, is_admin, x->now_us, x->err);
}

/* Scripts and groups can name them before their first login. */
static int load_people(struct loading *l, struct err *err)
{
	struct listing x = { l, clock_wall_us(), err };

	return rules_each_listed(l->rules, put_listed, &x);
}

/* ---- groups ------------------------------------------------------- */

static int load_group(
    struct loading *l, const struct rbac_group *g, struct err *err)
{
	int64_t id, member;

	if (group_id(l, g->name, &id, err) != 0)
		return -1;
	if (g->properties &&
	    group_set_properties(l->db, id, g->properties, err) != 0)
		return -1;
	for (size_t i = 0; i < g->users.n; i++)
		if (user_id(l, g->users.items[i], &member, err) != 0 ||
		    group_add(l->db, id, member, err) != 0)
			return err_wrap(err, "group %s", g->name);
	return 0;
}

/* ---- roles -------------------------------------------------------- */

static bool contains(const struct conf_strings *list, const char *name)
{
	for (size_t i = 0; i < list->n; i++)
		if (!strcmp(list->items[i], name))
			return true;
	return false;
}

static int take_away_admin(
    struct loading *l, const struct rbac_role *role, struct err *err)
{
	const char *const *admins;
	size_t n;

	if (user_admins(l->db, l->arena, &admins, &n, err) != 0)
		return -1;
	for (size_t i = 0; i < n; i++) {
		int64_t id;
		if (contains(&role->users, admins[i]) ||
		    contains(&l->cfg->rules.admin_users, admins[i]))
			continue;
		if (user_id(l, admins[i], &id, err) != 0 ||
		    user_set_admin(l->db, id, false, err) != 0)
			return -1;
		log_info(NULL, "no administrator any more",
		    "user=%s why=auth.load_roles", admins[i]);
	}
	return 0;
}

/* Who is an administrator is a fact about the user, which this role follows:
 * its users are theirs only when they are named. */
static int load_admins(
    struct loading *l, const struct rbac_role *role, struct err *err)
{
	if (!role->has_users)
		return 0;
	for (size_t i = 0; i < role->users.n; i++) {
		int64_t id;
		if (user_id(l, role->users.items[i], &id, err) != 0 ||
		    user_set_admin(l->db, id, true, err) != 0)
			return -1;
	}
	return take_away_admin(l, role, err);
}

static int load_users(struct loading *l, int64_t id,
    const struct rbac_role *role, struct err *err)
{
	if (!strcmp(role->name, role_name(ROLE_ADMIN)))
		return load_admins(l, role, err);
	if (role_clear_users(l->db, id, err) != 0)
		return -1;
	for (size_t i = 0; i < role->users.n; i++) {
		int64_t member;
		if (user_id(l, role->users.items[i], &member, err) != 0 ||
		    role_add_user(l->db, id, member, err) != 0)
			return -1;
	}
	return 0;
}

static int load_groups_of(struct loading *l, int64_t id,
    const struct rbac_role *role, struct err *err)
{
	if (role_clear_groups(l->db, id, err) != 0)
		return -1;
	for (size_t i = 0; i < role->groups.n; i++) {
		int64_t member;
		if (group_id(l, role->groups.items[i], &member, err) != 0 ||
		    role_add_group(l->db, id, member, err) != 0)
			return -1;
	}
	return 0;
}

static int load_services_of(struct loading *l, int64_t id,
    const struct rbac_role *role, struct err *err)
{
	bool is_admin = !strcmp(role->name, role_name(ROLE_ADMIN));
	struct service_row s;

	if (role_clear_services(l->db, id, err) != 0)
		return -1;
	for (size_t i = 0; i < role->services.n; i++) {
		const char *name = role->services.items[i];
		int found = service_row_find(l->db, l->arena, name, &s, err);
		if (found == 0)
			return err_set(err, ERR_NOT_FOUND,
			    "there is no service %.64s", name);
		if (found < 0 || role_add_service(l->db, id, s.id, err) != 0 ||
		    (is_admin &&
			service_row_set_admin(l->db, s.id, true, err) != 0))
			return -1;
	}
	return 0;
}

static int load_role(
    struct loading *l, const struct rbac_role *role, struct err *err)
{
	const struct role row = { .name = role->name,
		.description = role->description,
		.scopes = role->scopes };
	int64_t id;

	if (role_put(l->db, &row, &id, err) != 0 ||
	    load_users(l, id, role, err) != 0 ||
	    load_groups_of(l, id, role, err) != 0 ||
	    load_services_of(l, id, role, err) != 0)
		return err_wrap(err, "role %s", role->name);
	return 0;
}

static int delete_stale(struct loading *l, struct err *err)
{
	json_t *names = json_array();
	size_t len;
	char *text;
	int rc;

	for (size_t i = 0; i < l->rbac.n_roles; i++)
		json_array_append_new(
		    names, json_string(l->rbac.roles[i].name));
	text = json_text(names, &len);
	rc = role_delete_others(l->db, text, err);
	free(text);
	json_decref(names);
	return rc;
}

/* ---- all ---------------------------------------------------------- */

static int load(struct loading *l, struct err *err)
{
	if (delete_stale(l, err) != 0 || load_people(l, err) != 0)
		return -1;
	for (size_t i = 0; i < l->rbac.n_groups; i++)
		if (load_group(l, &l->rbac.groups[i], err) != 0)
			return -1;
	for (size_t i = 0; i < l->rbac.n_roles; i++)
		if (load_role(l, &l->rbac.roles[i], err) != 0)
			return -1;
	return 0;
}

static int load_at_once(struct loading *l, struct err *err)
{
	if (db_begin(l->db, err) != 0)
		return -1;
	if (load(l, err) == 0)
		return db_commit(l->db, err);
	db_rollback(l->db);
	return -1;
}

int rbac_load(struct app *app, struct err *err)
{
	const char *file = app->places.config_file;
	struct loading l = {
		.db = app->db, .rules = app->rules, .cfg = &app->cfg
	};
	struct arena a;
	int rc;

	arena_init(&a);
	l.arena = &a;
	rc = rbac_read(
	    &a, &app->cfg, file ? file : "carrel.yaml", &l.rbac, NULL, err);
	if (rc == 0)
		rc = load_at_once(&l, err);
	arena_fini(&a);
	return rc == 0 ? 0 : err_wrap(err, "roles and groups");
}
