/*
 * Custom scopes: see scope_custom.h. Names are
 * ^custom:[a-z0-9][a-z0-9_\-\*:]+[a-z0-9_\*]$ (contract/hub.md 7.1).
 */
#include "auth/scope_custom.h"

#include <string.h>

#include "auth/scope_priv.h"
#include "base/str.h"

#define PREFIX  "custom:"
#define LETTERS "abcdefghijklmnopqrstuvwxyz0123456789"

static const struct scope_customs *in_use;

const struct scope_customs *scope_customs_used(void)
{
	return in_use;
}

const struct scope_customs *scope_customs_use(const struct scope_customs *c)
{
	const struct scope_customs *before = in_use;

	in_use = c;
	return before;
}

size_t scope_ids_end(void)
{
	return in_use ? SCOPE_CUSTOM_FIRST + in_use->n : SCOPE_N_IDS;
}

static bool is_name(const char *s)
{
	size_t len;

	if (!str_starts(s, PREFIX))
		return false;
	s += sizeof PREFIX - 1;
	len = strlen(s);
	return len >= 3 && len + sizeof PREFIX <= SCOPE_LEN_MAX &&
	       strspn(s, LETTERS "_-*:") == len && strchr(LETTERS, s[0]) &&
	       strchr(LETTERS "_*", s[len - 1]);
}

static bool find(const struct scope_custom *list, size_t n, const char *name,
    enum scope_id *out)
{
	for (size_t i = 0; i < n; i++) {
		if (strcmp(list[i].name, name) != 0)
			continue;
		*out = (enum scope_id)(SCOPE_CUSTOM_FIRST + i);
		return true;
	}
	return false;
}

static int add_subs(struct arena *a, const struct scope_custom *list, size_t n,
    const struct scope_custom *c, struct scope_def *out, struct err *err)
{
	enum scope_id *subs = arena_array(a, c->n_subs + 1, sizeof *subs);

	for (size_t i = 0; i < c->n_subs; i++)
		if (!find(list, n, c->subs[i], &subs[i]))
			return err_set(err, ERR_INVALID,
			    "the subscope %.64s is not defined here",
			    c->subs[i]);
	subs[c->n_subs] = SCOPE_N_IDS;
	out->subs = subs;
	return 0;
}

static int add_one(struct arena *a, const struct scope_custom *list, size_t n,
    size_t i, struct scope_def *out, struct err *err)
{
	enum scope_id before;

	if (!is_name(list[i].name))
		return err_set(err, ERR_INVALID,
		    "a scope's name is custom: and 3 or more of a-z, 0-9 and "
		    "_-*:, with a letter or number in front and none of -: at "
		    "the end");
	if (find(list, i, list[i].name, &before))
		return err_set(err, ERR_INVALID, "this scope is defined twice");
	if (!list[i].doc || !*list[i].doc)
		return err_set(err, ERR_INVALID,
		    "a scope needs a description: people read it when they are "
		    "asked");
	out->text = arena_strdup(a, list[i].name);
	out->doc = arena_strdup(a, list[i].doc);
	return add_subs(a, list, n, &list[i], out, err);
}

int scope_customs_new(struct arena *a, const struct scope_custom *list,
    size_t n, struct scope_customs **out, size_t *wrong_out, struct err *err)
{
	struct scope_customs *c = arena_alloc(a, sizeof *c);

	*wrong_out = 0;
	if (n > SCOPE_CUSTOM_MAX)
		return err_set(err, ERR_LIMIT,
		    "more than %d scopes of one's "
		    "own",
		    SCOPE_CUSTOM_MAX);
	c->defs = arena_array(a, n, sizeof *c->defs);
	c->n = n;
	for (size_t i = 0; i < n; i++) {
		*wrong_out = i;
		if (add_one(a, list, n, i, &c->defs[i], err) != 0)
			return -1;
	}
	*out = c;
	return 0;
}
