/*
 * See roster.h.
 */
#include "hub/roster.h"

#include <stdlib.h>
#include <string.h>

#include "auth/roster_file.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/map.h"
#include "base/mem.h"
#include "db/group.h"
#include "db/roster.h"
#include "hub/app.h"
#include "hub/review.h"

#define LISTS_MAX 64

struct listed {
	const char *file, *group;
	bool create;
	struct roster_names names;
	struct map *people; /* by name */
};

struct roster {
	struct arena arena;
	struct listed lists[LISTS_MAX];
	size_t n;
};

static const struct conf_option table[] = {
	{
	    .path = "file",
	    .type = CONF_STRING,
	    .offset = offsetof(struct listed, file),
	    .lo = 1,
	    .hi = 4095,
	    .doc = "The CSV file.",
	},
	{
	    .path = "group",
	    .type = CONF_STRING,
	    .offset = offsetof(struct listed, group),
	    .lo = 1,
	    .hi = GROUP_NAME_MAX,
	    .doc = "The group of those in it.",
	},
	{
	    .path = "create",
	    .type = CONF_BOOL,
	    .offset = offsetof(struct listed, create),
	    .fallback = "false",
	    .doc = "Make users of who is none yet.",
	},
};

/* ---- reading ------------------------------------------------------------- */

static int read_entry(struct roster *ro, const struct conf_node *n,
    const char *file, struct err *err)
{
	struct listed *l = &ro->lists[ro->n];

	if (n->kind != CONF_MAP)
		return err_set(err, ERR_INVALID,
		    "%s:%d:%d: auth.roster: an entry is a map with file and "
		    "group",
		    file, n->line, n->column);
	if (conf_bind(&ro->arena, n, file, table,
		sizeof table / sizeof table[0], l, NULL, err) < 0)
		return err_wrap(err, "auth.roster");
	if (!l->file || !l->group)
		return err_set(err, ERR_INVALID,
		    "%s:%d:%d: auth.roster: an entry needs file and group",
		    file, n->line, n->column);
	for (size_t i = 0; i < ro->n; i++) {
		if (str_eq(ro->lists[i].group, l->group))
			return err_set(err, ERR_INVALID,
			    "%s:%d:%d: auth.roster: two files for the group "
			    "\"%s\": each would take out whom the other names",
			    file, n->line, n->column, l->group);
	}
	ro->n++;
	return 0;
}

static int read_entries(struct roster *ro, const struct conf_node *list,
    const char *file, struct err *err)
{
	if (list && (list->kind != CONF_LIST || list->n_children > LISTS_MAX))
		return err_set(err, ERR_INVALID,
		    "%s:%d:%d: auth.roster: a list of at most %d maps with "
		    "file and group",
		    file, list->line, list->column, LISTS_MAX);
	for (const struct conf_node *n = list ? list->child : NULL; n;
	     n = n->next) {
		if (read_entry(ro, n, file, err) < 0)
			return -1;
	}
	return 0;
}

static int read_people(
    struct roster *ro, const struct auth_rules *rules, struct err *err)
{
	for (size_t i = 0; i < ro->n; i++) {
		struct listed *l = &ro->lists[i];

		if (roster_file_read(
			&ro->arena, l->file, rules, &l->names, err) < 0)
			return -1;
		l->people = map_new();
		for (size_t k = 0; k < l->names.n; k++)
			map_put(l->people, slice_of(l->names.items[k]), l);
	}
	return 0;
}

void roster_free(struct roster **r)
{
	struct roster *ro = *r;

	*r = NULL;
	if (!ro)
		return;
	for (size_t i = 0; i < ro->n; i++) {
		if (ro->lists[i].people)
			map_free(&ro->lists[i].people);
	}
	arena_fini(&ro->arena);
	free(ro);
}

static struct roster *roster_read(const struct config *cfg,
    const struct auth_rules *rules, const char *file, struct err *err)
{
	struct roster *ro = xcalloc(1, sizeof *ro);

	arena_init(&ro->arena);
	if (read_entries(ro, cfg->roster, file, err) == 0 &&
	    read_people(ro, rules, err) == 0)
		return ro;
	roster_free(&ro);
	return NULL;
}

int roster_check(const struct config *cfg, const struct auth_rules *rules,
    const char *file, struct err *err)
{
	struct roster *ro = roster_read(cfg, rules, file, err);

	if (!ro)
		return -1;
	roster_free(&ro);
	return 0;
}

/* ---- into the database --------------------------------------------------- */

/* Who was struck off and is logged in, of all lists. */
struct leavers {
	struct arena *a;
	const char *const *names[LISTS_MAX];
	size_t n[LISTS_MAX];
};

static int write_one(struct app *app, const struct listed *l,
    struct leavers *out, size_t i, struct err *err)
{
	const struct roster_list list = {
		.group = l->group,
		.names = l->names.items,
		.n = l->names.n,
		.create = l->create,
	};
	struct roster_changes c;

	if (roster_leavers(app->db, out->a, &list, clock_wall_us(),
		&out->names[i], &out->n[i], err) < 0 ||
	    roster_write(app->db, &list, clock_wall_us(), &c, err) < 0)
		return err_wrap(err, "auth.roster: group %s", l->group);
	log_info(NULL, "roster read",
	    "file=%.255s group=%.255s people=%zu created=%lld joined=%lld "
	    "left=%lld",
	    l->file, l->group, l->names.n, (long long)c.n_created,
	    (long long)c.n_joined, (long long)c.n_left);
	return 0;
}

/* They are looked at when all lists are written: one may have joined another.
 */
static int write_lists(struct app *app, struct arena *a, struct err *err)
{
	const struct roster *ro = app->roster;
	struct leavers left = { .a = a };

	for (size_t i = 0; i < ro->n; i++) {
		if (write_one(app, &ro->lists[i], &left, i, err) < 0)
			return -1;
	}
	for (size_t i = 0; i < ro->n; i++) {
		if (review_people(app, left.names[i], left.n[i], err) < 0)
			return -1;
	}
	return 0;
}

static int write_all(struct app *app, struct err *err)
{
	struct arena a;
	int rc;

	if (db_begin(app->db, err) < 0)
		return -1;
	arena_init(&a);
	rc = write_lists(app, &a, err);
	arena_fini(&a);
	if (rc == 0)
		return db_commit(app->db, err);
	db_rollback(app->db);
	return -1;
}

int roster_load(struct app *app, struct err *err)
{
	struct roster *old = app->roster;
	struct roster *fresh =
	    roster_read(&app->cfg, app->rules, app->places.config_file, err);

	if (!fresh)
		return -1;
	app->roster = fresh;
	if (write_all(app, err) < 0) {
		app->roster = old;
		roster_free(&fresh);
		return -1;
	}
	roster_free(&old);
	return 0;
}

/* ---- logins -------------------------------------------------------------- */

/* The next list at or after *pos that names them. */
static const struct listed *next_of(
    const struct roster *ro, const char *name, size_t *pos)
{
	while (ro && *pos < ro->n) {
		const struct listed *l = &ro->lists[(*pos)++];

		if (map_get(l->people, slice_of(name)))
			return l;
	}
	return NULL;
}

/* `name` is a normal one. */
static const struct auth_identity *with_groups(const struct app *app,
    struct arena *a, const struct auth_identity *id, const char *name)
{
	struct auth_identity *more;
	const struct listed *l;
	const char **groups;
	size_t pos = 0;

	more = arena_memdup(a, id, sizeof *id);
	groups = arena_array(a, id->n_groups + app->roster->n, sizeof *groups);
	if (id->n_groups > 0)
		memcpy(groups, id->groups, id->n_groups * sizeof *groups);
	while ((l = next_of(app->roster, name, &pos)) != NULL)
		groups[more->n_groups++] = arena_strdup(a, l->group);
	more->groups = groups;
	return more;
}

const struct auth_identity *roster_identity(
    const struct app *app, struct arena *a, const struct auth_identity *id)
{
	char name[RULES_NAME_MAX + 1];

	if (!app->roster || app->roster->n == 0 || !id->name ||
	    rules_normalise(app->rules, id->name, name, NULL) < 0)
		return id;
	return with_groups(app, a, id, name);
}

const struct auth_identity *roster_identity_known(
    const struct app *app, struct arena *a, const struct auth_identity *id)
{
	if (!app->roster || app->roster->n == 0)
		return id;
	return with_groups(app, a, id, id->name);
}

bool roster_has_group(const struct app *app, const char *group)
{
	const struct roster *ro = app->roster;

	for (size_t i = 0; ro && i < ro->n; i++) {
		if (str_eq(ro->lists[i].group, group))
			return true;
	}
	return false;
}

int roster_enter(
    struct app *app, int64_t user_id, const char *name, struct err *err)
{
	const struct listed *l;
	size_t pos = 0;

	while ((l = next_of(app->roster, name, &pos)) != NULL) {
		struct group g;
		struct arena a;
		int rc;

		arena_init(&a);
		rc = group_find(app->db, &a, l->group, &g, err);
		if (rc == 1)
			rc = group_add(app->db, g.id, user_id, err);
		arena_fini(&a);
		if (rc < 0)
			return -1;
	}
	return 0;
}
