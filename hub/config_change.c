/*
 * A configuration that was read again, against the one in force: what is
 * different, and what of it is taken over. See config.h.
 */
#include <inttypes.h>
#include <string.h>

#include "base/str.h"
#include "hub/config.h"

/* Longer lists are told by their length. */
#define SHOWN_ITEMS 8

/* ---- is it the same? ----------------------------------------------------- */

static bool same_strings(
    const struct conf_strings *a, const struct conf_strings *b)
{
	bool same = a->n == b->n;

	for (size_t i = 0; same && i < a->n; i++)
		same = str_eq(a->items[i], b->items[i]);
	return same;
}

static bool same_pairs(const struct conf_pairs *a, const struct conf_pairs *b)
{
	bool same = a->n == b->n;

	for (size_t i = 0; same && i < a->n; i++)
		same = str_eq(a->items[i].name, b->items[i].name) &&
		       str_eq(a->items[i].value, b->items[i].value);
	return same;
}

static bool same_tree(const struct conf_node *a, const struct conf_node *b);

static bool same_children(const struct conf_node *a, const struct conf_node *b)
{
	const struct conf_node *x = a->child, *y = b->child;

	while (x && y && str_eq(x->key, y->key) && same_tree(x, y)) {
		x = x->next;
		y = y->next;
	}
	return !x && !y;
}

/* Depth is bounded by conf_parse (32). */
static bool same_tree(const struct conf_node *a, const struct conf_node *b)
{
	if (!a || !b)
		return a == b;
	return a->kind == b->kind && str_eq(a->text, b->text) &&
	       a->quoted == b->quoted && same_children(a, b);
}

static size_t size_of(enum conf_type type)
{
	static const size_t sizes[] = {
#define KIND(kind) [CONF_##kind] = sizeof(CONFIG_C_##kind)
		KIND(BOOL),
		KIND(INT),
		KIND(SECONDS),
		KIND(BYTES),
		KIND(STRING),
		KIND(WORD),
		KIND(STRINGS),
		KIND(MAP_STR),
		KIND(TREE),
#undef KIND
	};

	return sizes[type];
}

static bool same_value(
    const struct conf_option *o, const void *a, const void *b)
{
	switch (o->type) {
	case CONF_BOOL:
	case CONF_INT:
	case CONF_SECONDS:
	case CONF_BYTES:
		return memcmp(a, b, size_of(o->type)) == 0;
	case CONF_STRING:
	case CONF_WORD:
		return str_eq(*(const char *const *)a, *(const char *const *)b);
	case CONF_STRINGS:
		return same_strings(a, b);
	case CONF_MAP_STR:
		return same_pairs(a, b);
	case CONF_TREE:
		return same_tree(*(const struct conf_node *const *)a,
		    *(const struct conf_node *const *)b);
	}
	return false;
}

void config_apply(struct config *now, const struct config *fresh,
    struct buf *applied, struct buf *waiting)
{
	size_t n;
	const struct conf_option *table = config_options(&n);

	for (size_t i = 0; i < n; i++) {
		const struct conf_option *o = &table[i];
		char *to = (char *)now + o->offset;
		const char *from = (const char *)fresh + o->offset;
		struct buf *list = o->restart ? waiting : applied;

		if (same_value(o, to, from))
			continue;
		buf_printf(list, "%s%s", list->len > 0 ? " " : "", o->path);
		if (!o->restart)
			memcpy(to, from, size_of(o->type));
	}
}

/* ---- as text ------------------------------------------------------------- */

static void write_list(struct buf *b, const struct conf_strings *list)
{
	if (list->n > SHOWN_ITEMS) {
		buf_printf(b, "(%zu entries)", list->n);
		return;
	}
	buf_char(b, '[');
	for (size_t i = 0; i < list->n; i++)
		buf_printf(b, "%s%s", i ? ", " : "", list->items[i]);
	buf_char(b, ']');
}

/* A section with options of its own may hold secrets: it is not shown. */
static void write_value(
    struct buf *b, const struct conf_option *o, const void *at)
{
	const char *text;

	switch (o->type) {
	case CONF_BOOL:
		buf_str(b, *(const bool *)at ? "true" : "false");
		break;
	case CONF_INT:
	case CONF_BYTES:
		buf_printf(b, "%" PRId64, *(const int64_t *)at);
		break;
	case CONF_SECONDS:
		buf_printf(b, "%" PRId64 "s", *(const int64_t *)at);
		break;
	case CONF_STRING:
	case CONF_WORD:
		text = *(const char *const *)at;
		buf_str(b, text ? text : "");
		break;
	case CONF_STRINGS:
		write_list(b, at);
		break;
	case CONF_MAP_STR:
		buf_printf(
		    b, "(%zu entries)", ((const struct conf_pairs *)at)->n);
		break;
	case CONF_TREE:
		buf_str(b, *(const struct conf_node *const *)at ? "(a section)"
								: "(nothing)");
		break;
	}
}

void config_changes(const struct config *now, const struct config *fresh,
    config_change_fn *fn, void *arg)
{
	size_t n;
	const struct conf_option *table = config_options(&n);

	for (size_t i = 0; i < n; i++) {
		const struct conf_option *o = &table[i];
		const char *from = (const char *)now + o->offset;
		const char *to = (const char *)fresh + o->offset;
		struct buf a, b;

		if (same_value(o, from, to))
			continue;
		buf_init(&a, 4096);
		buf_init(&b, 4096);
		write_value(&a, o, from);
		write_value(&b, o, to);
		fn(o, buf_view(&a), buf_view(&b), arg);
		buf_fini(&a);
		buf_fini(&b);
	}
}
