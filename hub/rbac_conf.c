/*
 * See rbac_conf.h. Source: contract/hub.md 7.4, 8.4.
 */
#include "hub/rbac_conf.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "auth/rules.h"
#include "auth/scope.h"
#include "base/json.h"
#include "db/group.h"
#include "hub/conf_json.h"
#include "hub/service_conf.h"

#define MEMBERS_MAX 65536
#define SCOPES_MAX  256

struct reader {
	struct arena *arena;
	const char *file;
	const struct conf_node *services;
	bool groups_come_with_logins;
	struct buf *problems;
	struct err *err;
};

static int wrong(const struct reader *r, const struct conf_node *at,
    const char *what, const char *why)
{
	struct err e = { 0 };

	(void)err_set(&e, ERR_INVALID, "%s:%d:%d: %s: %s", r->file, at->line,
	    at->column, what, why);
	if (r->problems)
		buf_printf(r->problems, "%s\n", e.text);
	return err_set(r->err, ERR_INVALID, "%s", e.text);
}

static int bind(const struct reader *r, const struct conf_node *map,
    const struct conf_option *table, size_t n, void *out)
{
	if (map->kind != CONF_MAP)
		return wrong(r, map, "auth.load_roles, auth.load_groups",
		    "an entry must be a map");
	return conf_bind(
	    r->arena, map, r->file, table, n, out, r->problems, r->err);
}

/* ---- names -------------------------------------------------------- */

/* ^[a-z][a-z0-9\-_~\.]{1,253}[a-z0-9]$ */
static bool is_role_name(const char *s)
{
	static const char ends[] = "abcdefghijklmnopqrstuvwxyz0123456789";
	size_t len = strlen(s);

	return len >= 3 && len <= 255 && *s >= 'a' && *s <= 'z' &&
	       strspn(s, "abcdefghijklmnopqrstuvwxyz0123456789-_~.") == len &&
	       strchr(ends, s[len - 1]);
}

static int check_users(const struct reader *r, const struct conf_node *at,
    const struct conf_strings *users)
{
	struct err why;

	for (size_t i = 0; i < users->n; i++) {
		char *lower = arena_strdup(r->arena, users->items[i]);
		str_lower_ascii(lower);
		users->items[i] = lower;
		if (rules_name_check(lower, &why) != 0)
			return wrong(r, at, "users", why.text);
	}
	return 0;
}

static int check_group_name(
    const struct reader *r, const struct conf_node *at, const char *name)
{
	size_t len = strlen(name);

	if (len > 0 && len <= GROUP_NAME_MAX && !str_has_control(name, len))
		return 0;
	return wrong(r, at, "groups",
	    "a group's name has 1 to 255 bytes and no control characters");
}

/* ---- roles -------------------------------------------------------- */

struct role_options {
	const char *name, *description;
	struct conf_strings scopes, users, groups, services;
};

#define ROLE_OPTION(member, kind, least, most, text)                           \
	{                                                                      \
		.path = #member, .type = kind,                                 \
		.offset = offsetof(struct role_options, member), .lo = least,  \
		.hi = most, .doc = text,                                       \
	}

static const struct conf_option role_table[] = {
	ROLE_OPTION(name, CONF_STRING, 3, 255, "The name."),
	ROLE_OPTION(description, CONF_STRING, 0, 1024, "What it is for."),
	ROLE_OPTION(scopes, CONF_STRINGS, 0, SCOPES_MAX, "What it permits."),
	ROLE_OPTION(users, CONF_STRINGS, 0, MEMBERS_MAX, "Who has it."),
	ROLE_OPTION(groups, CONF_STRINGS, 0, MEMBERS_MAX, "Whose members."),
	ROLE_OPTION(services, CONF_STRINGS, 0, MEMBERS_MAX, "Which services."),
};

static const char *json_of(const struct reader *r, const struct scope_set *set)
{
	json_t *list = scope_set_json(set);
	size_t len;
	char *text = json_text(list, &len);
	const char *out = arena_strdup(r->arena, text);

	free(text);
	json_decref(list);
	return out;
}

/* One of the program's own; false: it has none of that name. */
static bool find_default(const char *name, enum scope_role *out)
{
	for (int role = ROLE_USER; role <= ROLE_TOKEN; role++) {
		if (strcmp(role_name((enum scope_role)role), name) != 0)
			continue;
		*out = (enum scope_role)role;
		return true;
	}
	return false;
}

static int add_scopes(const struct reader *r, const struct conf_node *at,
    const struct conf_strings *scopes, struct scope_set *out)
{
	struct err why;

	for (size_t i = 0; i < scopes->n; i++)
		if (scope_set_add(out, scopes->items[i], &why) != 0)
			return wrong(r, at, "scopes", why.text);
	return 0;
}

static int read_scopes(const struct reader *r, const struct conf_node *map,
    const struct role_options *o, struct rbac_role *out)
{
	const struct conf_node *at = conf_child(map, "scopes");
	enum scope_role role;
	bool is_default = find_default(o->name, &role);
	struct scope_set set;

	scope_set_init(&set, r->arena);
	if (is_default && role == ROLE_ADMIN &&
	    (at || conf_child(map, "description")))
		return wrong(r, at ? at : conf_child(map, "description"),
		    "admin",
		    "the scopes and the description of this role are fixed");
	if (at || !is_default) {
		if (at && add_scopes(r, at, &o->scopes, &set) != 0)
			return -1;
	} else if (scope_set_add_role(&set, role, r->err) != 0) {
		return -1;
	}
	out->scopes = json_of(r, &set);
	return 0;
}

static int read_role(
    const struct reader *r, const struct conf_node *map, struct rbac_role *out)
{
	struct role_options o = { 0 };

	if (bind(r, map, role_table, sizeof role_table / sizeof *role_table,
		&o) != 0)
		return -1;
	if (!o.name || !is_role_name(o.name))
		return wrong(r, map, "name",
		    "a role's name has 3 to 255 of a-z, 0-9 and -_~., begins "
		    "with a letter and ends with a letter or a number");
	out->name = o.name;
	out->description = o.description ? o.description : "";
	out->users = o.users;
	out->groups = o.groups;
	out->services = o.services;
	out->has_users = conf_child(map, "users") != NULL;
	if (check_users(r, map, &o.users) != 0)
		return -1;
	for (size_t i = 0; i < o.groups.n; i++)
		if (check_group_name(r, map, o.groups.items[i]) != 0)
			return -1;
	for (size_t i = 0; i < o.services.n; i++)
		if (!service_conf_names(r->services, o.services.items[i]))
			return wrong(r, map, o.services.items[i],
			    "there is no such service in \"services\"");
	return read_scopes(r, map, &o, out);
}

static int read_roles(
    const struct reader *r, const struct conf_node *list, struct rbac *out)
{
	if (!list)
		return 0;
	if (list->kind != CONF_LIST)
		return wrong(
		    r, list, "auth.load_roles", "must be a list of maps");
	out->roles =
	    arena_array(r->arena, list->n_children, sizeof *out->roles);
	for (const struct conf_node *n = list->child; n; n = n->next) {
		struct rbac_role *role = &out->roles[out->n_roles];
		if (read_role(r, n, role) != 0)
			return -1;
		for (size_t i = 0; i < out->n_roles; i++)
			if (!strcmp(out->roles[i].name, role->name))
				return wrong(r, n, role->name,
				    "this role stands here twice");
		out->n_roles++;
	}
	return 0;
}

/* ---- groups ------------------------------------------------------- */

static int read_properties(
    const struct reader *r, const struct conf_node *n, struct rbac_group *out)
{
	if (!n)
		return 0;
	if (n->kind != CONF_MAP)
		return wrong(r, n, "properties", "must be a map");
	out->properties = conf_json_text(r->arena, n);
	return 0;
}

struct group_options {
	struct conf_strings users;
	struct conf_node *properties;
};

static const struct conf_option group_table[] = {
	{
	    .path = "users",
	    .type = CONF_STRINGS,
	    .offset = offsetof(struct group_options, users),
	    .hi = MEMBERS_MAX,
	    .doc = "Who is in it.",
	},
	{
	    .path = "properties",
	    .type = CONF_TREE,
	    .offset = offsetof(struct group_options, properties),
	    .doc = "Notes.",
	},
};

/* The older form: just the names. */
static int read_members(const struct reader *r, const struct conf_node *list,
    struct conf_strings *out)
{
	out->items =
	    arena_array(r->arena, list->n_children, sizeof *out->items);
	for (const struct conf_node *n = list->child; n; n = n->next) {
		if (n->kind != CONF_SCALAR)
			return wrong(
			    r, n, list->key, "must be a list of names");
		out->items[out->n++] = n->text;
	}
	return 0;
}

static int read_group(
    const struct reader *r, const struct conf_node *n, struct rbac_group *out)
{
	struct group_options o = { 0 };

	out->name = n->key;
	if (check_group_name(r, n, n->key) != 0)
		return -1;
	if (n->kind == CONF_LIST) {
		if (read_members(r, n, &o.users) != 0)
			return -1;
	} else if (n->kind != CONF_NULL &&
		   bind(r, n, group_table,
		       sizeof group_table / sizeof *group_table, &o) != 0) {
		return -1;
	}
	out->users = o.users;
	if (r->groups_come_with_logins && o.users.n > 0)
		return wrong(r, n, n->key,
		    "with auth.manage_groups people are in the groups that "
		    "their login tells, and would leave this one at the next: "
		    "take its users out");
	if (check_users(r, n, &o.users) != 0)
		return -1;
	return read_properties(r, o.properties, out);
}

static int read_groups(
    const struct reader *r, const struct conf_node *map, struct rbac *out)
{
	if (!map)
		return 0;
	if (map->kind != CONF_MAP)
		return wrong(r, map, "auth.load_groups",
		    "must be a map of names to users");
	out->groups =
	    arena_array(r->arena, map->n_children, sizeof *out->groups);
	for (const struct conf_node *n = map->child; n; n = n->next)
		if (read_group(r, n, &out->groups[out->n_groups++]) != 0)
			return -1;
	return 0;
}

int rbac_read(struct arena *a, const struct config *cfg, const char *file,
    struct rbac *out, struct buf *problems, struct err *err)
{
	const struct reader r = {
		.arena = a,
		.file = file,
		.services = cfg->services,
		.groups_come_with_logins = cfg->manage_groups,
		.problems = problems,
		.err = err,
	};

	memset(out, 0, sizeof *out);
	if (read_roles(&r, cfg->load_roles, out) != 0)
		return -1;
	return read_groups(&r, cfg->load_groups, out);
}
