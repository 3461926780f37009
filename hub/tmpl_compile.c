/*
 * The template compiler: cuts the files at {{...}}, follows the HTML to learn
 * where each value stands, matches sections, resolves parts and refuses what
 * could print something unescaped. Every refusal names file and line.
 */
#include "hub/tmpl_compile.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "hub/tmpl_html.h"

struct open_section {
	size_t node;
	struct html_state html;
};

struct compiler {
	struct tmpl *t;
	struct tmpl_set *set;
	const char *at, *end;
	struct html_state html;
	struct open_section open[TMPL_DEPTH_MAX];
	size_t n_open;
	struct err *err;
};

static unsigned line_of(const struct compiler *c)
{
	unsigned n = 1;

	for (const char *p = c->t->src->text; p < c->at; p++)
		n += *p == '\n';
	return n;
}

static const char *file_of(const struct tmpl *t)
{
	return t->src->file ? t->src->file : t->src->name;
}

static int fail(struct compiler *c, const char *what, struct slice name)
{
	return err_set(c->err, ERR_INVALID, "%s:%u: %s: {{%.*s}}",
	    file_of(c->t), line_of(c), what,
	    (int)(name.len < 60 ? name.len : 60), name.p);
}

static struct tmpl_node *add_node(
    struct compiler *c, enum tmpl_kind kind, struct slice text)
{
	struct tmpl *t = c->t;

	if (t->n_nodes == t->cap) {
		t->cap = t->cap ? t->cap * 2 : 32;
		t->nodes = xreallocarray(t->nodes, t->cap, sizeof *t->nodes);
	}
	struct tmpl_node *n = &t->nodes[t->n_nodes++];
	*n = (struct tmpl_node){ .kind = kind, .text = text };
	return n;
}

static bool is_name(struct slice s)
{
	static const char ok[] =
	    "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.-";

	for (size_t i = 0; i < s.len; i++)
		if (s.p[i] == '\0' || !strchr(ok, s.p[i]))
			return false;
	return s.len > 0;
}

static int add_value(struct compiler *c, enum tmpl_kind kind, struct slice name)
{
	const char *why_not;

	if (!html_value_ok(&c->html, &why_not))
		return fail(c, why_not, name);
	struct tmpl_node *n = add_node(c, kind, name);
	n->starts_link = html_starts_link(&c->html);
	html_after_value(&c->html);
	return 0;
}

static int open_section(
    struct compiler *c, enum tmpl_kind kind, struct slice name)
{
	if (c->n_open == TMPL_DEPTH_MAX)
		return fail(c, "too many sections within each other", name);
	c->open[c->n_open++] = (struct open_section){ c->t->n_nodes, c->html };
	add_node(c, kind, name);
	return 0;
}

/* It must leave the HTML where it found it, so that it may be left out. */
static int close_section(struct compiler *c, struct slice name)
{
	if (c->n_open == 0)
		return fail(c, "no section is open here", name);
	struct open_section *o = &c->open[--c->n_open];
	struct tmpl_node *n = &c->t->nodes[o->node];
	if (!slice_same(n->text, name))
		return fail(c, "another section is open here", name);
	if (!html_same(&o->html, &c->html))
		return fail(c,
		    "the section must end where it began: in text, "
		    "or in the same tag or attribute",
		    name);
	n->end = c->t->n_nodes;
	return 0;
}

static int add_part(struct compiler *c, struct slice name)
{
	const struct tmpl *part = tmpl_lookup(c->set, "part/", name);

	if (!part)
		return fail(c, "there is no such file in part/", name);
	if (c->html.where != HTML_TEXT)
		return fail(c, "a part may stand in text only", name);
	add_node(c, TMPL_PART, name)->part = part;
	return 0;
}

static int add_tag(struct compiler *c, struct slice tag)
{
	char sigil = tag.len ? tag.p[0] : '\0';

	if (sigil == '!')
		return 0;
	if (sigil && strchr("#^/>", sigil))
		tag = slice_make(tag.p + 1, tag.len - 1);
	else
		sigil = '\0';
	enum tmpl_kind kind = TMPL_VALUE;
	if (!sigil && slice_starts(tag, "url:")) {
		kind = TMPL_URL;
		tag = slice_make(tag.p + 4, tag.len - 4);
	}
	if (!is_name(tag))
		return fail(c, "this is no name", tag);
	switch (sigil) {
	case '#':
		return open_section(c, TMPL_EACH, tag);
	case '^':
		return open_section(c, TMPL_UNLESS, tag);
	case '/':
		return close_section(c, tag);
	case '>':
		return add_part(c, tag);
	}
	return add_value(c, kind, tag);
}

static void add_text(struct compiler *c, const char *end)
{
	struct slice s = slice_make(c->at, (size_t)(end - c->at));

	if (s.len == 0)
		return;
	html_feed(&c->html, s);
	add_node(c, TMPL_TEXT, s);
}

static int compile(struct tmpl_set *set, struct tmpl *t, struct err *err)
{
	struct compiler c = { .t = t,
		.set = set,
		.at = t->src->text,
		.end = t->src->text + t->src->len,
		.err = err };

	while (c.at < c.end) {
		size_t left = (size_t)(c.end - c.at);
		const char *tag = memmem(c.at, left, "{{", 2);
		add_text(&c, tag ? tag : c.end);
		if (!tag)
			break;
		c.at = tag + 2;
		left = (size_t)(c.end - c.at);
		const char *close = memmem(c.at, left, "}}", 2);
		if (!close)
			return fail(&c, "no }} after this", slice_of(""));
		if (add_tag(&c, slice_make(c.at, (size_t)(close - c.at))) != 0)
			return -1;
		c.at = close + 2;
	}
	if (c.n_open > 0)
		return fail(&c, "a section is still open at the end",
		    t->nodes[c.open[c.n_open - 1].node].text);
	if (c.html.where != HTML_TEXT)
		return fail(&c, "the file ends inside a tag", slice_of(""));
	return 0;
}

/* ---- depth, so that rendering needs no check ------------------------------
 */

/* Levels that rendering `t` needs; -1: over TMPL_DEPTH_MAX (or endless). */
static int height_of(const struct tmpl *t, int budget)
{
	int height = 0;
	size_t ends[TMPL_DEPTH_MAX];
	int n_ends = 0;

	if (budget < 0)
		return -1;
	for (size_t i = 0; i < t->n_nodes; i++) {
		const struct tmpl_node *n = &t->nodes[i];
		while (n_ends > 0 && i >= ends[n_ends - 1])
			n_ends--;
		int here = n_ends;
		if (n->kind == TMPL_EACH || n->kind == TMPL_UNLESS) {
			ends[n_ends++] = n->end;
			here = n_ends;
		} else if (n->kind == TMPL_PART) {
			int sub = height_of(n->part, budget - n_ends - 1);
			if (sub < 0)
				return -1;
			here = n_ends + 1 + sub;
		}
		height = here > height ? here : height;
	}
	return height <= budget ? height : -1;
}

static int check_heights(struct tmpl_set *set, struct err *err)
{
	for (size_t i = 0; i < set->n; i++) {
		const struct tmpl *t = &set->items[i];
		if (height_of(t, TMPL_DEPTH_MAX) < 0)
			return err_set(err, ERR_INVALID,
			    "%s: sections and parts are nested deeper than %d",
			    file_of(t), TMPL_DEPTH_MAX);
	}
	return 0;
}

/* ---- the set --------------------------------------------------------------
 */

const struct tmpl *tmpl_lookup(
    const struct tmpl_set *set, const char *prefix, struct slice name)
{
	size_t n_prefix = strlen(prefix);

	for (size_t i = 0; i < set->n; i++) {
		const char *have = set->items[i].src->name;
		size_t len = strlen(have);
		if (len == n_prefix + name.len + strlen(".html") &&
		    str_starts(have, prefix) && str_ends(have, ".html") &&
		    memcmp(have + n_prefix, name.p, name.len) == 0)
			return &set->items[i];
	}
	return NULL;
}

struct tmpl_set *tmpl_open(
    const struct tmpl_source *src, size_t n, struct err *err)
{
	struct tmpl_set *set = xcalloc(1, sizeof *set);

	set->items = xcalloc(n ? n : 1, sizeof *set->items);
	set->n = n;
	for (size_t i = 0; i < n; i++)
		set->items[i].src = &src[i];
	for (size_t i = 0; i < n; i++)
		if (compile(set, &set->items[i], err) != 0)
			goto fail;
	if (check_heights(set, err) != 0)
		goto fail;
	return set;
fail:
	tmpl_free(&set);
	return NULL;
}

void tmpl_free(struct tmpl_set **set)
{
	if (!*set)
		return;
	for (size_t i = 0; i < (*set)->n; i++)
		free((*set)->items[i].nodes);
	free((*set)->items);
	free(*set);
	*set = NULL;
}
