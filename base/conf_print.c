/*
 * See conf.h: the words for what an option wants, the sample file and the
 * manual.
 */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/conf.h"
#include "base/mem.h"

#define LINE_WIDTH       78
#define STRING_BYTES_MAX 4096
#define ITEMS_MAX        1024

size_t conf_limit(const struct conf_option *o)
{
	if (o->hi > 0)
		return (size_t)o->hi;
	return o->type == CONF_STRING ? STRING_BYTES_MAX : ITEMS_MAX;
}

bool conf_is_bounded(const struct conf_option *o)
{
	return o->lo != 0 || o->hi != 0;
}

const char *conf_path_below(const char *path, const char *section)
{
	size_t len = strlen(section);

	if (len == 0)
		return path;
	if (strncmp(path, section, len) != 0 || path[len] != '.')
		return NULL;
	return path + len + 1;
}

struct unit {
	int64_t size;
	const char *name;
};

static const struct unit time_units[] = {
	{ 86400, "d" },
	{ 3600, "h" },
	{ 60, "m" },
	{ 1, "s" },
};
static const struct unit byte_units[] = {
	{ (int64_t)1 << 40, "T" },
	{ (int64_t)1 << 30, "G" },
	{ (int64_t)1 << 20, "M" },
	{ (int64_t)1 << 10, "K" },
	{ 1, "" },
};

/* The value in the largest unit that divides it: 7200 -> 2h. */
static void write_amount(
    struct buf *b, int64_t value, const struct unit *units, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		if (i + 1 < n && (value == 0 || value % units[i].size != 0))
			continue;
		buf_printf(
		    b, "%" PRId64 "%s", value / units[i].size, units[i].name);
		return;
	}
}

static void write_bound(
    struct buf *b, const struct conf_option *o, int64_t value)
{
	if (o->type == CONF_SECONDS)
		write_amount(b, value, time_units,
		    sizeof time_units / sizeof *time_units);
	else if (o->type == CONF_BYTES)
		write_amount(b, value, byte_units,
		    sizeof byte_units / sizeof *byte_units);
	else
		buf_printf(b, "%" PRId64, value);
}

static void write_range(struct buf *b, const struct conf_option *o)
{
	if (!conf_is_bounded(o))
		return;
	if (o->hi == INT64_MAX) {
		buf_str(b, " of at least ");
		write_bound(b, o, o->lo);
		return;
	}
	buf_str(b, " from ");
	write_bound(b, o, o->lo);
	buf_str(b, " to ");
	write_bound(b, o, o->hi);
}

static void write_words(struct buf *b, const char *words)
{
	struct slice rest = slice_of(words), word;
	const char *lead = "one of ";

	while (slice_split(&rest, '|', &word)) {
		buf_str(b, lead);
		buf_slice(b, word);
		lead = ", ";
	}
}

void conf_describe(struct buf *b, const struct conf_option *o)
{
	switch (o->type) {
	case CONF_BOOL:
		buf_str(b, "true or false");
		return;
	case CONF_INT:
		buf_str(b, "a whole number");
		write_range(b, o);
		return;
	case CONF_SECONDS:
		buf_str(b, "a duration like 30s, 5m, 2h or 14d");
		write_range(b, o);
		return;
	case CONF_BYTES:
		buf_str(b, "a size like 64K, 512M or 2G");
		write_range(b, o);
		return;
	case CONF_STRING:
		if (o->lo > 0)
			buf_printf(b, "text of %" PRId64 " to %zu bytes", o->lo,
			    conf_limit(o));
		else
			buf_printf(
			    b, "text of at most %zu bytes", conf_limit(o));
		return;
	case CONF_WORD:
		write_words(b, o->words);
		return;
	case CONF_STRINGS:
		buf_printf(
		    b, "a list of at most %zu texts: [a, b]", conf_limit(o));
		return;
	case CONF_MAP_STR:
		buf_printf(
		    b, "a map of at most %zu texts: {a: b}", conf_limit(o));
		return;
	case CONF_TREE:
		buf_str(b, "a section of its own");
		return;
	}
}

/* ---- wrapped text -------------------------------------------------------- */

static void write_indent(struct buf *b, size_t depth)
{
	for (size_t i = 0; i < depth; i++)
		buf_str(b, "  ");
}

/* As comment lines of at most LINE_WIDTH columns. */
static void write_comment(struct buf *b, size_t depth, const char *text)
{
	size_t column = 0, len;

	for (; *text; text += len) {
		text += strspn(text, " \n");
		len = strcspn(text, " \n");
		if (len == 0)
			break;
		if (column > 0 && column + 1 + len > LINE_WIDTH) {
			buf_char(b, '\n');
			column = 0;
		}
		if (column == 0) {
			write_indent(b, depth);
			buf_char(b, '#');
			column = 2 * depth + 1;
		}
		buf_printf(b, " %.*s", (int)len, text);
		column += 1 + len;
	}
	if (column > 0)
		buf_char(b, '\n');
}

static void write_sentence(struct buf *b, const struct conf_option *o)
{
	struct buf form;

	buf_init(&form, 4096);
	conf_describe(&form, o);
	if (form.len > 0 && form.data[0] >= 'a' && form.data[0] <= 'z')
		form.data[0] = (char)(form.data[0] - 'a' + 'A');
	buf_slice(b, slice_make(buf_view(&form), form.len));
	buf_char(b, '.');
	if (o->restart)
		buf_str(b, " A change needs a restart.");
	buf_fini(&form);
}

/* ---- the sample file ----------------------------------------------------- */

struct sampler {
	struct buf *b;
	const struct conf_option *table;
	size_t n;
	const struct conf_pair *set;
	size_t n_set;
};

static const char *default_text(const struct conf_option *o)
{
	if (!o->fallback)
		return "null";
	return *o->fallback ? o->fallback : "\"\"";
}

static const char *value_set(const struct sampler *s, const char *path)
{
	for (size_t i = 0; i < s->n_set; i++) {
		if (str_eq(s->set[i].name, path))
			return s->set[i].value;
	}
	return NULL;
}

static void write_option(struct sampler *s, const struct conf_option *o,
    const char *name, size_t depth)
{
	const char *value = value_set(s, o->path);
	struct buf text;

	buf_init(&text, 64 * 1024);
	buf_printf(&text, "%s ", o->doc ? o->doc : "");
	write_sentence(&text, o);
	write_comment(s->b, depth, buf_view(&text));
	buf_fini(&text);
	write_indent(s->b, depth);
	buf_printf(s->b, "%s%s: %s\n\n", value ? "" : "#", name,
	    value ? value : default_text(o));
}

/* Did an option before number i already lie in this section? */
static bool is_written(const struct sampler *s, size_t i, const char *section)
{
	while (i-- > 0) {
		if (conf_path_below(s->table[i].path, section))
			return true;
	}
	return false;
}

/* All of a section, in the order of the table. As deep as the table's paths. */
static void write_section(struct sampler *s, const char *section, size_t depth)
{
	for (size_t i = 0; i < s->n; i++) {
		const struct conf_option *o = &s->table[i];
		const char *name = conf_path_below(o->path, section);
		const char *dot = name ? strchr(name, '.') : NULL;
		char *inner;

		if (!name)
			continue;
		if (!dot) {
			write_option(s, o, name, depth);
			continue;
		}
		inner = xstrndup(o->path, (size_t)(dot - o->path));
		if (!is_written(s, i, inner)) {
			write_indent(s->b, depth);
			buf_printf(s->b, "%.*s:\n", (int)(dot - name), name);
			write_section(s, inner, depth + 1);
		}
		free(inner);
	}
}

void conf_write_sample_set(struct buf *b, const struct conf_option *table,
    size_t n, const struct conf_pair *set, size_t n_set)
{
	struct sampler s = {
		.b = b,
		.table = table,
		.n = n,
		.set = set,
		.n_set = n_set,
	};

	write_comment(b, 0,
	    "Lines that begin with \"# \" explain; a line like \"#key: value\" "
	    "is an option with its default. To set it, take away the # and "
	    "change the value.");
	buf_char(b, '\n');
	write_section(&s, "", 0);
}

void conf_write_sample(struct buf *b, const struct conf_option *table, size_t n)
{
	conf_write_sample_set(b, table, n, NULL, 0);
}

/* ---- the manual ---------------------------------------------------------- */

/* In a Markdown table: no bar and no line end. */
static void write_cell(struct buf *b, const char *text)
{
	for (; *text; text++) {
		if (*text == '|')
			buf_str(b, "\\|");
		else
			buf_char(b, *text == '\n' ? ' ' : *text);
	}
}

static void write_row(struct buf *b, const struct conf_option *o)
{
	struct buf form;

	buf_init(&form, 4096);
	write_sentence(&form, o);
	buf_printf(b, "| `%s` | ", o->path);
	if (o->fallback) {
		buf_char(b, '`');
		write_cell(b, default_text(o));
		buf_char(b, '`');
	} else {
		buf_str(b, "not set");
	}
	buf_str(b, " | ");
	write_cell(b, o->doc ? o->doc : "");
	buf_char(b, ' ');
	write_cell(b, buf_view(&form));
	buf_str(b, " |\n");
	buf_fini(&form);
}

static struct slice first_part(const struct conf_option *o)
{
	const char *dot = strchr(o->path, '.');

	return slice_make(o->path, dot ? (size_t)(dot - o->path) : 0);
}

static bool is_first_of(
    const struct conf_option *table, size_t i, struct slice section)
{
	for (size_t j = 0; j < i; j++) {
		if (slice_same(first_part(&table[j]), section))
			return false;
	}
	return true;
}

void conf_write_manual(struct buf *b, const struct conf_option *table, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		struct slice section = first_part(&table[i]);

		if (!is_first_of(table, i, section))
			continue;
		buf_str(b, "## ");
		if (section.len > 0)
			buf_slice(b, section);
		else
			buf_str(b, "Top level");
		buf_str(
		    b, "\n\n| option | default | meaning |\n|---|---|---|\n");
		for (size_t j = i; j < n; j++) {
			if (slice_same(first_part(&table[j]), section))
				write_row(b, &table[j]);
		}
		buf_char(b, '\n');
	}
}
