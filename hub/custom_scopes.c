/*
 * See custom_scopes.h. Source: contract/hub.md 7.1, 11.1.
 */
#include "hub/custom_scopes.h"

#include <stddef.h>

struct scope_options {
	const char *description;
	struct conf_strings subscopes;
};

static const struct conf_option table[] = {
	{
	    .path = "description",
	    .type = CONF_STRING,
	    .offset = offsetof(struct scope_options, description),
	    .hi = 1024,
	    .doc = "What it permits, as people are told.",
	},
	{
	    .path = "subscopes",
	    .type = CONF_STRINGS,
	    .offset = offsetof(struct scope_options, subscopes),
	    .hi = SCOPE_CUSTOM_MAX,
	    .doc = "Others that it includes.",
	},
};

struct reader {
	struct arena *arena;
	const char *file;
	struct buf *problems;
	struct err *err;
};

static int wrong(
    const struct reader *r, const struct conf_node *at, const char *why)
{
	struct err e = { 0 };

	(void)err_set(&e, ERR_INVALID, "%s:%d:%d: auth.custom_scopes%s%s: %s",
	    r->file, at->line, at->column, at->key ? "." : "",
	    at->key ? at->key : "", why);
	if (r->problems)
		buf_printf(r->problems, "%s\n", e.text);
	return err_set(r->err, ERR_INVALID, "%s", e.text);
}

static int read_one(
    const struct reader *r, const struct conf_node *n, struct scope_custom *out)
{
	struct scope_options o = { 0 };

	if (n->kind != CONF_MAP)
		return wrong(
		    r, n, "must be a map with description and subscopes");
	if (conf_bind(r->arena, n, r->file, table, sizeof table / sizeof *table,
		&o, r->problems, r->err) != 0)
		return -1;
	*out = (struct scope_custom){
		.name = n->key,
		.doc = o.description,
		.subs = o.subscopes.items,
		.n_subs = o.subscopes.n,
	};
	return 0;
}

static const struct conf_node *nth(const struct conf_node *map, size_t i)
{
	const struct conf_node *n = map->child;

	while (i-- > 0 && n->next)
		n = n->next;
	return n;
}

int custom_scopes_read(struct arena *a, const struct conf_node *map,
    const char *file, struct scope_customs **out, struct buf *problems,
    struct err *err)
{
	const struct reader r = { a, file, problems, err };
	struct scope_custom *list;
	struct err why;
	size_t n = 0, at;

	*out = NULL;
	if (!map)
		return 0;
	if (map->kind != CONF_MAP)
		return wrong(&r, map, "must be a map of names to scopes");
	list = arena_array(a, map->n_children, sizeof *list);
	for (const struct conf_node *c = map->child; c; c = c->next)
		if (read_one(&r, c, &list[n++]) != 0)
			return -1;
	if (scope_customs_new(a, list, n, out, &at, &why) != 0)
		return wrong(&r, n ? nth(map, at) : map, why.text);
	return 0;
}
