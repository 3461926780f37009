/*
 * Scopes as text and as sets: names, parsing, lists, roles. What they permit
 * stands in scope_check.c. See scope.h.
 */
#include "auth/scope.h"

#include <stdlib.h>
#include <string.h>

#include "auth/scope_priv.h"
#include "base/buf.h"
#include "base/str.h"

#define SUBS(...)                                                              \
	(const enum scope_id[])                                                \
	{                                                                      \
		__VA_ARGS__, SCOPE_N_IDS                                       \
	}
#define NONE SUBS(SCOPE_N_IDS)

static const struct scope_def defs[SCOPE_N_IDS] = {
#define SCOPE(id, text, subs, doc) [SCOPE_##id] = { text, subs, doc },
#include "auth/scopes.def"
#undef SCOPE
};

static const char *const filter_words[] = {
	[FILTER_USER] = "user",
	[FILTER_GROUP] = "group",
	[FILTER_SERVER] = "server",
	[FILTER_SERVICE] = "service",
};

#define ROLE_SCOPES(...)                                                       \
	(const struct scope[]){ __VA_ARGS__ },                                 \
	    sizeof((const struct scope[]){ __VA_ARGS__ }) /                    \
		sizeof(struct scope)
#define ALL(id)                                                                \
	{                                                                      \
		SCOPE_##id, FILTER_NONE, NULL                                  \
	}
#define OWN(id, filter)                                                        \
	{                                                                      \
		SCOPE_##id, FILTER_##filter, NULL                              \
	}

/* Source: contract/hub.md 7.4. */
static const struct role_def {
	const char *name, *doc;
	const struct scope *scopes;
	size_t n;
} roles[] = {
	[ROLE_USER] = { "user", "Standard user privileges",
	    ROLE_SCOPES(ALL(SELF)) },
	[ROLE_ADMIN] = { "admin", "Elevated privileges (can do anything)",
	    ROLE_SCOPES(ALL(ADMIN_UI), ALL(ADMIN_USERS), ALL(ADMIN_SERVERS),
		ALL(ADMIN_SERVICES), ALL(TOKENS), ALL(ADMIN_GROUPS),
		ALL(LIST_SERVICES), ALL(READ_SERVICES), ALL(READ_HUB),
		ALL(PROXY), ALL(SHUTDOWN), ALL(ACCESS_SERVICES),
		ALL(ACCESS_SERVERS), ALL(READ_ROLES), ALL(READ_METRICS),
		ALL(SHARES)) },
	[ROLE_SERVER] = { "server", "Post activity only",
	    ROLE_SCOPES(
		OWN(USERS_ACTIVITY, USER), OWN(ACCESS_SERVERS, SERVER)) },
	[ROLE_TOKEN] = { "token", "Token with same permissions as its owner",
	    ROLE_SCOPES(ALL(INHERIT)) },
};

static const struct scope_def *def_of(enum scope_id id)
{
	if (id < SCOPE_N_IDS)
		return &defs[id];
	return &scope_customs_used()->defs[id - SCOPE_CUSTOM_FIRST];
}

const char *scope_name(enum scope_id id)
{
	return def_of(id)->text;
}

const char *scope_doc(enum scope_id id)
{
	return def_of(id)->doc;
}

const enum scope_id *scope_subs(enum scope_id id)
{
	return def_of(id)->subs;
}

const char *role_name(enum scope_role role)
{
	return roles[role].name;
}

const char *role_doc(enum scope_role role)
{
	return roles[role].doc;
}

/* ---- parsing ---- */

static bool find_id(struct slice name, enum scope_id *out)
{
	for (size_t i = 0; i < scope_ids_end(); i++) {
		if (i == SCOPE_N_IDS)
			continue;
		if (slice_eq(name, scope_name((enum scope_id)i))) {
			*out = (enum scope_id)i;
			return true;
		}
	}
	return false;
}

static bool find_filter(struct slice word, enum scope_filter *out)
{
	for (size_t i = FILTER_USER; i <= FILTER_SERVICE; i++) {
		if (slice_eq(word, filter_words[i])) {
			*out = (enum scope_filter)i;
			return true;
		}
	}
	return false;
}

/* A server is named by "user/name"; the default one by "user/". */
static bool value_fits(enum scope_filter filter, struct slice value)
{
	const char *slash = memchr(value.p, '/', value.len);

	if (value.len == 0)
		return false;
	return filter != FILTER_SERVER || (slash != NULL && slash != value.p);
}

/* What stands after '!': "user", "user=alice". */
static bool parse_filter(struct arena *a, struct slice text, struct scope *out)
{
	const char *eq = memchr(text.p, '=', text.len);
	struct slice word = text, value;

	if (eq != NULL)
		word.len = (size_t)(eq - text.p);
	if (!find_filter(word, &out->filter))
		return false;
	if (eq == NULL)
		return out->filter != FILTER_GROUP;
	value = slice_make(eq + 1, text.len - word.len - 1);
	if (!value_fits(out->filter, value))
		return false;
	out->value = arena_strndup(a, value.p, value.len);
	return true;
}

static bool is_meta(enum scope_id id)
{
	return id == SCOPE_SELF || id == SCOPE_INHERIT || id == SCOPE_NO_SCOPE;
}

static int refuse(
    const char *what, const char *text, size_t len, struct err *err)
{
	char shown[80];

	str_printable(shown, sizeof shown, text, len);
	return err_set(err, ERR_INVALID, "%s: %s", what, shown);
}

static int parse(struct arena *a, const char *text, size_t len,
    struct scope *out, struct err *err)
{
	const char *bang = memchr(text, '!', len);
	size_t name_len = bang != NULL ? (size_t)(bang - text) : len;

	memset(out, 0, sizeof *out);
	if (len > SCOPE_LEN_MAX || str_has_control(text, len) ||
	    !utf8_valid(text, len))
		return refuse("not a scope", text, len, err);
	if (!find_id(slice_make(text, name_len), &out->id))
		return refuse("unknown scope", text, len, err);
	if (bang == NULL)
		return 0;
	if (is_meta(out->id) ||
	    !parse_filter(a, slice_make(bang + 1, len - name_len - 1), out))
		return refuse("unknown filter in scope", text, len, err);
	return 0;
}

int scope_parse(
    struct arena *a, const char *text, struct scope *out, struct err *err)
{
	return parse(a, text, strnlen(text, SCOPE_LEN_MAX + 1), out, err);
}

/* ---- sets ---- */

void scope_set_init(struct scope_set *s, struct arena *a)
{
	memset(s, 0, sizeof *s);
	s->arena = a;
}

int scope_set_push(struct scope_set *s, struct scope item, struct err *err)
{
	if (s->n == SCOPE_SET_MAX)
		return err_set(
		    err, ERR_LIMIT, "more than %d scopes", SCOPE_SET_MAX);
	if (s->n == s->cap) {
		size_t cap = s->cap == 0 ? 16 : 2 * s->cap;
		struct scope *items = arena_array(s->arena, cap, sizeof *items);

		if (s->n > 0)
			memcpy(items, s->items, s->n * sizeof *items);
		s->items = items;
		s->cap = cap;
	}
	s->items[s->n++] = item;
	return 0;
}

bool scope_same(const struct scope *a, const struct scope *b)
{
	return a->id == b->id && a->filter == b->filter &&
	       str_eq(a->value, b->value);
}

static int add_once(struct scope_set *s, struct scope item, struct err *err)
{
	for (size_t i = 0; i < s->n; i++)
		if (scope_same(&s->items[i], &item))
			return 0;
	return scope_set_push(s, item, err);
}

static int add_slice(struct scope_set *s, struct slice text, struct err *err)
{
	struct scope item;

	if (parse(s->arena, text.p, text.len, &item, err) < 0)
		return -1;
	return add_once(s, item, err);
}

int scope_set_add(struct scope_set *s, const char *text, struct err *err)
{
	return add_slice(
	    s, slice_make(text, strnlen(text, SCOPE_LEN_MAX + 1)), err);
}

int scope_set_add_words(struct scope_set *s, const char *text, struct err *err)
{
	struct slice rest = slice_of(text), word;

	while (slice_split(&rest, ' ', &word)) {
		if (word.len == 0)
			continue;
		if (add_slice(s, word, err) < 0)
			return -1;
	}
	return 0;
}

static int not_a_list(struct err *err)
{
	return err_set(err, ERR_INVALID, "scopes must be a list of strings");
}

int scope_set_add_json(struct scope_set *s, const json_t *list, struct err *err)
{
	size_t i;
	json_t *item;

	if (!json_is_array(list))
		return not_a_list(err);
	json_array_foreach (list, i, item) {
		if (!json_is_string(item))
			return not_a_list(err);
		if (add_slice(s,
			slice_make(
			    json_string_value(item), json_string_length(item)),
			err) < 0)
			return -1;
	}
	return 0;
}

int scope_set_add_json_text(
    struct scope_set *s, const char *text, struct err *err)
{
	json_t *list = NULL;
	int rc;

	if (json_parse(text, strlen(text), &list, err) < 0)
		return -1;
	rc = scope_set_add_json(s, list, err);
	json_decref(list);
	return rc;
}

int scope_set_add_stored(struct scope_set *s, const char *text, struct err *err)
{
	json_t *list = NULL, *item;
	struct err why = { 0 };
	size_t i;
	int rc = 0;

	if (json_parse(text, strlen(text), &list, err) < 0)
		return -1;
	json_array_foreach (list, i, item) {
		const char *word = json_string_value(item);

		if (word != NULL && scope_set_add(s, word, &why) < 0 &&
		    why.code == ERR_LIMIT)
			rc = err_set(err, why.code, "%s", why.text);
	}
	json_decref(list);
	return rc;
}

int scope_set_add_role(
    struct scope_set *s, enum scope_role role, struct err *err)
{
	const struct role_def *def = &roles[role];

	for (size_t i = 0; i < def->n; i++)
		if (add_once(s, def->scopes[i], err) < 0)
			return -1;
	return 0;
}

int scope_set_join(
    struct scope_set *s, const struct scope_set *b, struct err *err)
{
	/* A set has each scope once already. */
	if (s->n == 0 && b->n > 0) {
		s->items =
		    arena_memdup(s->arena, b->items, b->n * sizeof *b->items);
		s->n = s->cap = b->n;
		return 0;
	}
	for (size_t i = 0; i < b->n; i++)
		if (add_once(s, b->items[i], err) < 0)
			return -1;
	return 0;
}

/* ---- as text ---- */

const char *scope_text(struct arena *a, const struct scope *s)
{
	const char *parts[5] = { scope_name(s->id) };
	size_t n = 1;

	if (s->filter == FILTER_NONE)
		return parts[0];
	parts[n++] = "!";
	parts[n++] = filter_words[s->filter];
	if (s->value != NULL) {
		parts[n++] = "=";
		parts[n++] = s->value;
	}
	return arena_join(a, parts, n);
}

static int by_bytes(const void *a, const void *b)
{
	return strcmp(*(const char *const *)a, *(const char *const *)b);
}

void scope_set_list(const struct scope_set *s, struct arena *a,
    const char *const **out, size_t *n_out)
{
	const char **list = arena_array(a, s->n + 1, sizeof *list);

	for (size_t i = 0; i < s->n; i++)
		list[i] = scope_text(a, &s->items[i]);
	if (s->n > 1)
		qsort(list, s->n, sizeof *list, by_bytes);
	*out = list;
	*n_out = s->n;
}

json_t *scope_set_json(const struct scope_set *s)
{
	json_t *list = json_array();
	const char *const *texts;
	struct arena a;
	size_t n;

	arena_init(&a);
	scope_set_list(s, &a, &texts, &n);
	for (size_t i = 0; i < n; i++)
		json_array_append_new(list, json_string(texts[i]));
	arena_fini(&a);
	return list;
}

const char *scope_set_words(const struct scope_set *s, struct arena *a)
{
	const char *const *texts;
	const char *out;
	struct buf b;
	size_t n;

	buf_init(&b, SCOPE_SET_MAX * (SCOPE_LEN_MAX + 64));
	scope_set_list(s, a, &texts, &n);
	for (size_t i = 0; i < n; i++) {
		if (i > 0)
			buf_char(&b, ' ');
		buf_str(&b, texts[i]);
	}
	out = arena_strdup(a, buf_view(&b));
	buf_fini(&b);
	return out;
}
