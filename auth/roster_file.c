/*
 * See roster_file.h. libcsv is given one line at a time, so that an error knows
 * its line; a quoted field may go on in the next one.
 */
#include "auth/roster_file.h"

#include <csv.h>
#include <stdlib.h>
#include <string.h>

#include "base/fd.h"
#include "base/map.h"

#define FIELD_MAX 1024
#define BOM       "\xef\xbb\xbf"

struct reading {
	struct arena *arena;
	const char *path;
	const struct auth_rules *rules;
	struct roster_names *out;
	struct err *err;
	struct map *seen;
	size_t line;
	bool is_first; /* row */
	bool has_failed;
	size_t column;   /* of the name */
	size_t at;       /* the present one */
	bool has_fields; /* the row is not empty */
	char name[FIELD_MAX + 1];
	bool has_header; /* the row is one */
};

static void fail(struct reading *r, const char *why)
{
	if (r->has_failed)
		return;
	r->has_failed = true;
	(void)err_set(r->err, ERR_INVALID, "%s:%zu: %s", r->path, r->line, why);
}

static bool is_name_header(struct slice field)
{
	static const char *const words[] = { "name", "username", "user name",
		"user", "login" };

	for (size_t i = 0; i < sizeof words / sizeof words[0]; i++) {
		if (slice_ieq(field, words[i]))
			return true;
	}
	return false;
}

static void on_field(void *p, size_t len, void *arg)
{
	struct reading *r = arg;
	struct slice field = slice_trim(slice_make(p ? p : "", p ? len : 0));

	r->has_fields = r->has_fields || field.len > 0;
	if (r->is_first && !r->has_header && is_name_header(field)) {
		r->has_header = true;
		r->column = r->at;
	}
	if (r->at == r->column &&
	    str_copy_slice(r->name, sizeof r->name, field) < 0)
		fail(r, "the name is too long");
	r->at++;
}

static void add(struct reading *r)
{
	char normal[RULES_NAME_MAX + 1];
	struct err why = { 0 };
	char *name;

	if (rules_normalise(r->rules, r->name, normal, &why) < 0) {
		fail(r, why.text);
		return;
	}
	if (map_get(r->seen, slice_of(normal)))
		return;
	if (r->out->n == ROSTER_PEOPLE_MAX) {
		fail(r, "more people than a list may have");
		return;
	}
	name = arena_strdup(r->arena, normal);
	map_put(r->seen, slice_of(name), name);
	r->out->items[r->out->n++] = name;
}

static void on_row(int end, void *arg)
{
	struct reading *r = arg;

	(void)end;
	if (!r->has_failed && r->has_fields && !r->has_header)
		add(r);
	r->is_first = r->is_first && !r->has_fields;
	r->has_header = r->has_fields = false;
	r->at = 0;
	r->name[0] = '\0';
}

static int parse_line(struct csv_parser *p, struct reading *r, struct slice s)
{
	r->line++;
	if (csv_parse(p, s.p, s.len, on_field, on_row, r) != s.len ||
	    csv_parse(p, "\n", 1, on_field, on_row, r) != 1)
		fail(r, "the quotes are not those of a CSV file");
	return r->has_failed ? -1 : 0;
}

static int parse_all(struct csv_parser *p, struct reading *r, struct slice text)
{
	struct slice line;

	if (slice_starts(text, BOM))
		text = slice_make(text.p + 3, text.len - 3);
	if (text.len > 0 && !utf8_valid(text.p, text.len)) {
		r->line = 1;
		fail(r, "the file is not UTF-8");
	}
	while (!r->has_failed && slice_split(&text, '\n', &line)) {
		bool has_comma = memchr(line.p, ',', line.len) != NULL;

		if (r->line == 0 && !has_comma && memchr(line.p, ';', line.len))
			csv_set_delim(p, ';');
		if (parse_line(p, r, line) < 0)
			return -1;
	}
	if (!r->has_failed && csv_fini(p, on_field, on_row, r) != 0)
		fail(r, "a quoted field has no end");
	return r->has_failed ? -1 : 0;
}

/* Rows are not more than lines. */
static size_t n_lines(struct slice text)
{
	size_t n = 1;

	for (size_t i = 0; i < text.len; i++)
		n += text.p[i] == '\n';
	return n;
}

int roster_file_parse(struct arena *a, const char *path, struct slice text,
    const struct auth_rules *rules, struct roster_names *out, struct err *err)
{
	struct reading r = {
		.arena = a,
		.path = path,
		.rules = rules,
		.out = out,
		.err = err,
		.is_first = true,
	};
	struct csv_parser p;
	int rc;

	if (csv_init(&p, CSV_STRICT | CSV_STRICT_FINI) != 0)
		return err_set(err, ERR_INTERNAL, "libcsv does not begin");
	*out = (struct roster_names){ 0 };
	out->items = arena_array(a, n_lines(text), sizeof *out->items);
	r.seen = map_new();
	rc = parse_all(&p, &r, text);
	map_free(&r.seen);
	csv_free(&p);
	return rc;
}

int roster_file_read(struct arena *a, const char *path,
    const struct auth_rules *rules, struct roster_names *out, struct err *err)
{
	char *text = NULL;
	size_t len = 0;
	int rc;

	if (file_read_all(path, ROSTER_BYTES_MAX, &text, &len, err) < 0)
		return err_wrap(err, "auth.roster");
	rc = roster_file_parse(a, path, slice_make(text, len), rules, out, err);
	free(text);
	return rc < 0 ? err_wrap(err, "auth.roster") : 0;
}
