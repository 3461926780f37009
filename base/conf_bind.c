/*
 * See conf.h: a tree of conf_parse meets a table of options. The walk descends
 * only into sections that the table knows, so its depth is the table's.
 */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/conf.h"
#include "base/num.h"

#define PROBLEMS_MAX   20
#define PATH_CAP       128
#define TEXT_SHOWN     48
#define ITEM_BYTES_MAX 4096

struct binder {
	struct arena *arena;
	const char *file;
	const struct conf_option *table;
	size_t n;
	char *out;
	struct buf *problems;
	size_t n_problems;
	struct err first;
};

static void problem(struct binder *b, const char *file, int line, int column,
    const char *fmt, ...) PRINTF_LIKE(5, 6);

static void problem(struct binder *b, const char *file, int line, int column,
    const char *fmt, ...)
{
	char text[sizeof b->first.text];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof text, fmt, ap);
	va_end(ap);
	if (b->n_problems++ == 0)
		err_set(&b->first, ERR_INVALID, "%s:%d:%d: %s", file, line,
		    column, text);
	if (b->problems && b->n_problems <= PROBLEMS_MAX)
		buf_printf(
		    b->problems, "%s:%d:%d: %s\n", file, line, column, text);
}

/* What came instead. Text options may be secrets: only their length is said. */
static void write_found(
    struct buf *b, const struct conf_option *o, const struct conf_node *n)
{
	char shown[TEXT_SHOWN];

	switch (n->kind) {
	case CONF_NULL:
		buf_str(b, "nothing");
		return;
	case CONF_LIST:
		buf_printf(b, "a list of %zu", n->n_children);
		return;
	case CONF_MAP:
		buf_printf(b, "a map of %zu", n->n_children);
		return;
	case CONF_SCALAR:
		break;
	}
	if (o->type == CONF_STRING || o->type == CONF_STRINGS ||
	    o->type == CONF_MAP_STR) {
		buf_printf(b, "text of %zu bytes", strlen(n->text));
		return;
	}
	str_printable(shown, sizeof shown, n->text, strlen(n->text));
	buf_printf(b, "\"%s\"%s", shown, n->quoted ? " in quotes" : "");
}

/* ---- values: each reader returns the node that is wrong, or NULL --------- */

static const struct conf_node *read_text(
    const struct conf_node *n, size_t lo, size_t hi, const char **out)
{
	if (n->kind != CONF_SCALAR || strlen(n->text) < lo ||
	    strlen(n->text) > hi)
		return n;
	*out = n->text;
	return NULL;
}

static const struct conf_node *read_bool(const struct conf_node *n, bool *out)
{
	if (n->kind != CONF_SCALAR || n->quoted)
		return n;
	*out = str_eq(n->text, "true");
	return *out || str_eq(n->text, "false") ? NULL : n;
}

static const struct conf_node *read_number(
    const struct conf_option *o, const struct conf_node *n, int64_t *out)
{
	struct err err;
	int64_t v;
	int rc;

	if (n->kind != CONF_SCALAR || n->quoted)
		return n;
	if (o->type == CONF_SECONDS)
		rc = num_seconds(n->text, &v, &err);
	else if (o->type == CONF_BYTES)
		rc = num_bytes(n->text, &v, &err);
	else
		rc = num_i64(n->text, &v, &err);
	if (rc != 0 || (conf_is_bounded(o) && (v < o->lo || v > o->hi)))
		return n;
	*out = v;
	return NULL;
}

static const struct conf_node *read_word(
    const struct conf_option *o, const struct conf_node *n, const char **out)
{
	struct slice rest = slice_of(o->words), word;

	if (n->kind != CONF_SCALAR)
		return n;
	while (slice_split(&rest, '|', &word)) {
		if (!slice_eq(word, n->text))
			continue;
		*out = n->text;
		return NULL;
	}
	return n;
}

static const struct conf_node *read_strings(struct binder *b,
    const struct conf_option *o, const struct conf_node *n,
    struct conf_strings *out)
{
	*out = (struct conf_strings){ 0 };
	if (n->kind == CONF_NULL)
		return NULL;
	if (n->kind != CONF_LIST || n->n_children > conf_limit(o))
		return n;
	out->items = arena_array(b->arena, n->n_children, sizeof *out->items);
	for (const struct conf_node *c = n->child; c; c = c->next) {
		if (read_text(c, 0, ITEM_BYTES_MAX, &out->items[out->n]))
			return c;
		out->n++;
	}
	return NULL;
}

static const struct conf_node *read_pairs(struct binder *b,
    const struct conf_option *o, const struct conf_node *n,
    struct conf_pairs *out)
{
	*out = (struct conf_pairs){ 0 };
	if (n->kind == CONF_NULL)
		return NULL;
	if (n->kind != CONF_MAP || n->n_children > conf_limit(o))
		return n;
	out->items = arena_array(b->arena, n->n_children, sizeof *out->items);
	for (const struct conf_node *c = n->child; c; c = c->next) {
		struct conf_pair *pair = &out->items[out->n];

		pair->name = c->key;
		if (read_text(c, 0, ITEM_BYTES_MAX, &pair->value))
			return c;
		out->n++;
	}
	return NULL;
}

static const struct conf_node *read_value(
    struct binder *b, const struct conf_option *o, struct conf_node *n)
{
	void *slot = b->out + o->offset;

	switch (o->type) {
	case CONF_BOOL:
		return read_bool(n, slot);
	case CONF_INT:
	case CONF_SECONDS:
	case CONF_BYTES:
		return read_number(o, n, slot);
	case CONF_STRING:
		return read_text(n, (size_t)o->lo, conf_limit(o), slot);
	case CONF_WORD:
		return read_word(o, n, slot);
	case CONF_STRINGS:
		return read_strings(b, o, n, slot);
	case CONF_MAP_STR:
		return read_pairs(b, o, n, slot);
	case CONF_TREE:
		*(struct conf_node **)slot = n->kind == CONF_NULL ? NULL : n;
		return NULL;
	}
	return n;
}

static void bind_value(struct binder *b, const char *file,
    const struct conf_option *o, struct conf_node *n)
{
	const struct conf_node *wrong;
	struct buf text;

	if (n->kind == CONF_NULL && !o->fallback)
		return;
	wrong = read_value(b, o, n);
	if (!wrong)
		return;
	buf_init(&text, sizeof b->first.text);
	if (wrong == n) {
		conf_describe(&text, o);
	} else {
		buf_printf(
		    &text, "made of texts of at most %d bytes", ITEM_BYTES_MAX);
	}
	buf_str(&text, "; found ");
	write_found(&text, o, wrong);
	problem(b, file, wrong->line, wrong->column, "\"%s\" must be %s",
	    o->path, buf_view(&text));
	buf_fini(&text);
}

static void clear_value(struct binder *b, const struct conf_option *o)
{
	static const size_t sizes[] = {
		[CONF_BOOL] = sizeof(bool),
		[CONF_INT] = sizeof(int64_t),
		[CONF_SECONDS] = sizeof(int64_t),
		[CONF_BYTES] = sizeof(int64_t),
		[CONF_STRING] = sizeof(char *),
		[CONF_WORD] = sizeof(char *),
		[CONF_STRINGS] = sizeof(struct conf_strings),
		[CONF_MAP_STR] = sizeof(struct conf_pairs),
		[CONF_TREE] = sizeof(struct conf_node *),
	};

	memset(b->out + o->offset, 0, sizes[o->type]);
}

static void bind_default(struct binder *b, const struct conf_option *o)
{
	struct conf_node *n;
	struct err err;
	const char *file;

	clear_value(b, o);
	if (!o->fallback)
		return;
	if (o->type == CONF_STRING && !*o->fallback) {
		*(const char **)(void *)(b->out + o->offset) = "";
		return;
	}
	file = arena_printf(b->arena, "built-in default of %s", o->path);
	if (conf_parse(b->arena, o->fallback, strlen(o->fallback), file, &n,
		&err) != 0)
		problem(b, file, 1, 1, "%s", err.text);
	else
		bind_value(b, file, o, n);
}

/* ---- the walk ------------------------------------------------------------ */

static const struct conf_option *option_find(
    const struct binder *b, const char *path)
{
	for (size_t i = 0; i < b->n; i++) {
		if (strcmp(b->table[i].path, path) == 0)
			return &b->table[i];
	}
	return NULL;
}

static bool is_section(const struct binder *b, const char *path)
{
	for (size_t i = 0; i < b->n; i++) {
		if (conf_path_below(b->table[i].path, path))
			return true;
	}
	return false;
}

/* A name known in this section that is spelled almost like `key`, if any. */
static void nearest_name(const struct binder *b, const char *section,
    const char *key, char *out, size_t cap)
{
	size_t best = strlen(key) / 3 + 1;

	if (best > 3)
		best = 3;
	best++;
	for (size_t i = 0; i < b->n; i++) {
		const char *below = conf_path_below(b->table[i].path, section);
		char name[PATH_CAP];
		size_t distance;

		if (!below || str_copy_slice(name, sizeof name,
				  slice_make(below, strcspn(below, "."))) != 0)
			continue;
		distance = str_distance(key, name, best);
		if (distance < best && str_copy(out, cap, name) == 0)
			best = distance;
	}
}

/* An option elsewhere that ends in this very name, if any. */
static void same_name(
    const struct binder *b, const char *key, char *out, size_t cap)
{
	for (size_t i = 0; i < b->n; i++) {
		const char *path = b->table[i].path;
		const char *dot = strrchr(path, '.');

		if (strcmp(path, key) != 0 && (!dot || strcmp(dot + 1, key)))
			continue;
		if (str_copy(out, cap, path) == 0)
			return;
	}
}

static void unknown_key(
    struct binder *b, const struct conf_node *n, const char *section)
{
	char shown[TEXT_SHOWN], near[PATH_CAP];

	str_printable(shown, sizeof shown, n->key, strlen(n->key));
	*near = '\0';
	/* Only for those that are shown: a file may have very many. */
	if (b->n_problems < PROBLEMS_MAX)
		nearest_name(b, section, n->key, near, sizeof near);
	if (!*near && b->n_problems < PROBLEMS_MAX)
		same_name(b, n->key, near, sizeof near);
	problem(b, b->file, n->key_line, n->key_column,
	    "unknown key \"%s\"%s%s%s%s%s%s", shown, *section ? " in \"" : "",
	    section, *section ? "\"" : "", *near ? "; did you mean \"" : "",
	    near, *near ? "\"?" : "");
}

static void bind_section(
    struct binder *b, const struct conf_node *map, const char *section);

static void bind_child(
    struct binder *b, struct conf_node *n, const char *section)
{
	const struct conf_option *o;
	char path[PATH_CAP];

	if (strchr(n->key, '.') ||
	    str_format(path, sizeof path, "%s%s%s", section,
		*section ? "." : "", n->key) != 0) {
		unknown_key(b, n, section);
		return;
	}
	o = option_find(b, path);
	if (o)
		bind_value(b, b->file, o, n);
	else if (!is_section(b, path))
		unknown_key(b, n, section);
	else if (n->kind == CONF_MAP)
		bind_section(b, n, path);
	else if (n->kind != CONF_NULL)
		problem(b, b->file, n->line, n->column,
		    "\"%s\" must be a section: its options stand below it, "
		    "indented",
		    path);
}

static void bind_section(
    struct binder *b, const struct conf_node *map, const char *section)
{
	for (struct conf_node *n = map->child; n; n = n->next)
		bind_child(b, n, section);
}

int conf_bind(struct arena *a, const struct conf_node *tree, const char *file,
    const struct conf_option *table, size_t n, void *out, struct buf *problems,
    struct err *err)
{
	struct binder b = {
		.arena = a,
		.file = file,
		.table = table,
		.n = n,
		.out = out,
		.problems = problems,
	};

	for (size_t i = 0; i < n; i++)
		bind_default(&b, &table[i]);
	if (tree && tree->kind == CONF_MAP)
		bind_section(&b, tree, "");
	else if (tree && tree->kind != CONF_NULL)
		problem(&b, file, tree->line, tree->column,
		    "the file must be made of options: key: value");
	if (b.n_problems == 0)
		return 0;
	if (problems && b.n_problems > PROBLEMS_MAX)
		buf_printf(problems, "%s: %zu more problems\n", file,
		    b.n_problems - PROBLEMS_MAX);
	if (b.n_problems == 1)
		return err_set(err, ERR_INVALID, "%s", b.first.text);
	return err_set(err, ERR_INVALID, "%s (%zu problems in all)",
	    b.first.text, b.n_problems);
}
