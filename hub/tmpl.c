/*
 * Rendering of compiled templates: the stack of contexts, sections, and the
 * escaping of each value for the place that the compiler saw it in.
 */
#include "hub/tmpl.h"

#include <assert.h>
#include <inttypes.h>
#include <string.h>

#include "hub/tmpl_compile.h"

struct render {
	const struct tmpl_set *set;
	struct buf *out;
	const json_t *stack[2 + TMPL_DEPTH_MAX * 2];
	size_t depth;
};

/* ---- looking up --------------------------------------------------- */

static const json_t *member(const json_t *obj, struct slice key)
{
	if (!json_is_object(obj))
		return NULL;
	return json_object_getn(obj, key.p, key.len);
}

/* The first part is searched from the innermost context outwards. */
static const json_t *lookup(const struct render *r, struct slice name)
{
	if (slice_eq(name, "."))
		return r->stack[r->depth - 1];
	struct slice part;
	if (!slice_split(&name, '.', &part))
		return NULL;
	const json_t *found = NULL;
	for (size_t i = r->depth; i > 0 && !found; i--)
		found = member(r->stack[i - 1], part);
	while (found && slice_split(&name, '.', &part))
		found = member(found, part);
	return found;
}

static bool is_truthy(const json_t *v)
{
	if (!v || json_is_null(v) || json_is_false(v))
		return false;
	if (json_is_string(v))
		return json_string_length(v) > 0;
	if (json_is_array(v))
		return json_array_size(v) > 0;
	if (json_is_integer(v))
		return json_integer_value(v) != 0;
	return true;
}

/* ---- printing ----------------------------------------------------- */

static void print_html(struct buf *out, const char *s, size_t len)
{
	for (size_t i = 0; i < len; i++) {
		switch (s[i]) {
		case '&':
			buf_str(out, "&amp;");
			break;
		case '<':
			buf_str(out, "&lt;");
			break;
		case '>':
			buf_str(out, "&gt;");
			break;
		case '"':
			buf_str(out, "&quot;");
			break;
		case '\'':
			buf_str(out, "&#39;");
			break;
		default:
			buf_char(out, s[i]);
		}
	}
}

/* Unreserved bytes stay (RFC 3986 2.3). */
static void print_url(struct buf *out, const char *s, size_t len)
{
	static const char keep[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
				   "abcdefghijklmnopqrstuvwxyz0123456789-_.~";

	for (size_t i = 0; i < len; i++) {
		if (s[i] != '\0' && strchr(keep, s[i]))
			buf_char(out, s[i]);
		else
			buf_printf(out, "%%%02X", (unsigned char)s[i]);
	}
}

/* May this value begin a link? Local, or plain http(s); no "//host". */
static bool is_safe_link(const char *s)
{
	if (s[0] == '/')
		return s[1] != '/' && s[1] != '\\';
	return s[0] == '\0' || s[0] == '?' || s[0] == '#' ||
	       str_starts(s, "https://") || str_starts(s, "http://");
}

static void print_string(
    struct render *r, const struct tmpl_node *n, const char *s, size_t len)
{
	if (n->kind == TMPL_URL)
		print_url(r->out, s, len);
	else if (n->starts_link && !is_safe_link(s))
		buf_char(r->out, '#');
	else
		print_html(r->out, s, len);
}

static void print_value(struct render *r, const struct tmpl_node *n)
{
	const json_t *v = lookup(r, n->text);

	if (json_is_string(v))
		print_string(r, n, json_string_value(v), json_string_length(v));
	else if (json_is_integer(v))
		buf_printf(
		    r->out, "%" JSON_INTEGER_FORMAT, json_integer_value(v));
	else if (json_is_true(v))
		buf_str(r->out, "true");
}

/* ---- nodes -------------------------------------------------------- */

static void render_range(
    struct render *r, const struct tmpl *t, size_t from, size_t to);

static void push(struct render *r, const json_t *ctx)
{
	assert(r->depth < sizeof r->stack / sizeof r->stack[0]);
	r->stack[r->depth++] = ctx;
}

static void render_section(struct render *r, const struct tmpl *t, size_t at)
{
	const struct tmpl_node *n = &t->nodes[at];
	const json_t *v = lookup(r, n->text);
	bool holds = is_truthy(v);

	if (n->kind == TMPL_UNLESS) {
		if (!holds)
			render_range(r, t, at + 1, n->end);
		return;
	}
	if (!holds)
		return;
	if (!json_is_array(v)) {
		push(r, v);
		render_range(r, t, at + 1, n->end);
		r->depth--;
		return;
	}
	for (size_t i = 0; i < json_array_size(v); i++) {
		push(r, json_array_get(v, i));
		render_range(r, t, at + 1, n->end);
		r->depth--;
	}
}

/* Recursion is bounded: the compiler refuses nesting over TMPL_DEPTH_MAX. */
static void render_range(
    struct render *r, const struct tmpl *t, size_t from, size_t to)
{
	for (size_t i = from; i < to && !r->out->overflow; i++) {
		const struct tmpl_node *n = &t->nodes[i];
		switch (n->kind) {
		case TMPL_TEXT:
			buf_slice(r->out, n->text);
			break;
		case TMPL_VALUE:
		case TMPL_URL:
			print_value(r, n);
			break;
		case TMPL_EACH:
		case TMPL_UNLESS:
			render_section(r, t, i);
			i = n->end - 1;
			break;
		case TMPL_PART:
			render_range(r, n->part, 0, n->part->n_nodes);
			break;
		}
	}
}

int tmpl_render(const struct tmpl_set *set, const char *page,
    const json_t *data, const json_t *common, struct buf *out, struct err *err)
{
	struct render r = { .set = set, .out = out };
	const struct tmpl *t = tmpl_lookup(set, "page/", slice_of(page));

	if (!t)
		return err_set(
		    err, ERR_NOT_FOUND, "no template page/%s.html", page);
	if (common)
		push(&r, common);
	push(&r, data);
	render_range(&r, t, 0, t->n_nodes);
	if (out->overflow)
		return err_set(err, ERR_LIMIT,
		    "page %s is longer than %zu bytes", page, out->max);
	return 0;
}
