/*
 * See conf.h: libyaml's events become a tree. Nothing here recurses; the open
 * lists and maps stand in an explicit stack of CONF_DEPTH_MAX frames.
 */
#include <assert.h>
#include <string.h>
#include <yaml.h>

#include "base/conf.h"
#include "base/map.h"
#include "base/str.h"

#define CONF_DEPTH_MAX 32
#define CONF_FILE_MAX  (1024 * 1024)
#define TEXT_SHOWN     48

/* An open list or map. */
struct frame {
	struct conf_node *node;
	struct conf_node **tail; /* where the next child goes */
	struct map *keys;        /* maps: key -> struct conf_node */
	const char *key;         /* maps: a key that waits for its value */
	int key_line, key_column;
};

struct builder {
	struct arena *arena;
	const char *file;
	yaml_parser_t parser;
	struct frame stack[CONF_DEPTH_MAX];
	size_t depth;
	struct conf_node *root;
	bool is_done;
};

static int refuse(const struct builder *b, const yaml_mark_t *at,
    const char *text, struct err *err)
{
	return err_set(err, ERR_INVALID, "%s:%zu:%zu: %s", b->file,
	    at->line + 1, at->column + 1, text);
}

static struct frame *top(struct builder *b)
{
	return b->depth > 0 ? &b->stack[b->depth - 1] : NULL;
}

static bool awaits_key(struct builder *b)
{
	struct frame *f = top(b);

	return f && f->node->kind == CONF_MAP && !f->key;
}

/* ---- nodes --------------------------------------------------------------- */

static int key_add(struct builder *b, struct conf_node *n, struct err *err)
{
	struct frame *f = top(b);
	struct conf_node *first;
	char shown[TEXT_SHOWN];

	n->key = f->key;
	n->key_line = f->key_line;
	n->key_column = f->key_column;
	f->key = NULL;
	first = map_put(f->keys, slice_of(n->key), n);
	if (!first)
		return 0;
	str_printable(shown, sizeof shown, n->key, strlen(n->key));
	return err_set(err, ERR_INVALID,
	    "%s:%d:%d: \"%s\" is given twice; the first one is at line %d, "
	    "column %d",
	    b->file, n->key_line, n->key_column, shown, first->key_line,
	    first->key_column);
}

/* Put a new node where the document stands now. */
static int node_add(struct builder *b, enum conf_kind kind,
    const yaml_mark_t *at, struct conf_node **out, struct err *err)
{
	struct conf_node *n = arena_alloc(b->arena, sizeof *n);
	struct frame *f = top(b);

	n->kind = kind;
	n->line = (int)at->line + 1;
	n->column = (int)at->column + 1;
	*out = n;
	if (!f) {
		b->root = n;
		return 0;
	}
	if (f->key && key_add(b, n, err) != 0)
		return -1;
	*f->tail = n;
	f->tail = &n->next;
	f->node->n_children++;
	return 0;
}

static bool is_null_word(const char *s)
{
	return !*s || str_eq(s, "~") || str_eq(s, "null") ||
	       str_eq(s, "Null") || str_eq(s, "NULL");
}

static int on_key(struct builder *b, const yaml_event_t *e, struct err *err)
{
	struct frame *f = top(b);
	const char *text = (const char *)e->data.scalar.value;

	if (memchr(text, 0, e->data.scalar.length))
		return refuse(b, &e->start_mark, "a key contains a NUL", err);
	f->key = arena_strndup(b->arena, text, e->data.scalar.length);
	f->key_line = (int)e->start_mark.line + 1;
	f->key_column = (int)e->start_mark.column + 1;
	return 0;
}

static int on_scalar(struct builder *b, const yaml_event_t *e, struct err *err)
{
	const char *text = (const char *)e->data.scalar.value;
	bool is_plain = e->data.scalar.style == YAML_PLAIN_SCALAR_STYLE;
	struct conf_node *n;

	if (awaits_key(b))
		return on_key(b, e, err);
	if (memchr(text, 0, e->data.scalar.length))
		return refuse(b, &e->start_mark, "a value contains a NUL", err);
	if (is_plain && is_null_word(text))
		return node_add(b, CONF_NULL, &e->start_mark, &n, err);
	if (node_add(b, CONF_SCALAR, &e->start_mark, &n, err) != 0)
		return -1;
	n->text = arena_strndup(b->arena, text, e->data.scalar.length);
	n->quoted = !is_plain;
	return 0;
}

static int on_open(struct builder *b, enum conf_kind kind,
    const yaml_event_t *e, struct err *err)
{
	struct conf_node *n;
	struct frame *f;

	if (awaits_key(b))
		return refuse(b, &e->start_mark,
		    "a key must be a word, not a list or a map", err);
	if (b->depth == CONF_DEPTH_MAX)
		return refuse(b, &e->start_mark,
		    "lists and maps are nested deeper than 32 levels", err);
	if (node_add(b, kind, &e->start_mark, &n, err) != 0)
		return -1;
	f = &b->stack[b->depth++];
	*f = (struct frame){
		.node = n,
		.tail = &n->child,
		.keys = kind == CONF_MAP ? map_new() : NULL,
	};
	return 0;
}

static void on_close(struct builder *b)
{
	map_free(&b->stack[--b->depth].keys);
}

/* ---- events -------------------------------------------------------------- */

static int check_plain(const struct builder *b, const yaml_event_t *e,
    const yaml_char_t *anchor, const yaml_char_t *tag, struct err *err)
{
	if (anchor)
		return refuse(b, &e->start_mark,
		    "anchors (&name) are not allowed here; put the text in "
		    "quotes if the & belongs to it",
		    err);
	if (tag)
		return refuse(b, &e->start_mark,
		    "tags (!name) are not allowed here; put the text in "
		    "quotes if the ! belongs to it",
		    err);
	return 0;
}

static int on_document(
    struct builder *b, const yaml_event_t *e, struct err *err)
{
	if (e->data.document_start.version_directive ||
	    e->data.document_start.tag_directives.start !=
		e->data.document_start.tag_directives.end)
		return refuse(b, &e->start_mark,
		    "directives (%YAML, %TAG) are not allowed", err);
	if (b->root)
		return refuse(b, &e->start_mark,
		    "a second document begins; one file is one document", err);
	return 0;
}

static int on_event(struct builder *b, const yaml_event_t *e, struct err *err)
{
	switch (e->type) {
	case YAML_DOCUMENT_START_EVENT:
		return on_document(b, e, err);
	case YAML_SCALAR_EVENT:
		if (check_plain(b, e, e->data.scalar.anchor, e->data.scalar.tag,
			err) != 0)
			return -1;
		return on_scalar(b, e, err);
	case YAML_SEQUENCE_START_EVENT:
		if (check_plain(b, e, e->data.sequence_start.anchor,
			e->data.sequence_start.tag, err) != 0)
			return -1;
		return on_open(b, CONF_LIST, e, err);
	case YAML_MAPPING_START_EVENT:
		if (check_plain(b, e, e->data.mapping_start.anchor,
			e->data.mapping_start.tag, err) != 0)
			return -1;
		return on_open(b, CONF_MAP, e, err);
	case YAML_SEQUENCE_END_EVENT:
	case YAML_MAPPING_END_EVENT:
		on_close(b);
		return 0;
	case YAML_ALIAS_EVENT:
		return refuse(b, &e->start_mark,
		    "aliases (*name) are not allowed here; put the text in "
		    "quotes if the * belongs to it",
		    err);
	case YAML_STREAM_END_EVENT:
		b->is_done = true;
		return 0;
	case YAML_NO_EVENT:
	case YAML_STREAM_START_EVENT:
	case YAML_DOCUMENT_END_EVENT:
		break;
	}
	return 0;
}

/* libyaml's words, which quote nothing of the file. */
static int not_yaml(const struct builder *b, struct err *err)
{
	const yaml_parser_t *p = &b->parser;
	const char *problem = p->problem ? p->problem : "it cannot be read";
	const char *hint = "";

	if (str_starts(problem, "found character that cannot start"))
		hint = " (a tab does not indent: use spaces; a value that "
		       "begins with @ ` or % needs quotes)";
	return err_set(err, ERR_INVALID,
	    "%s:%zu:%zu: not well-formed YAML: %s%s%s%s", b->file,
	    p->problem_mark.line + 1, p->problem_mark.column + 1,
	    p->context ? p->context : "", p->context ? ": " : "", problem,
	    hint);
}

static int build(struct builder *b, struct err *err)
{
	while (!b->is_done) {
		yaml_event_t event;
		int rc;

		if (!yaml_parser_parse(&b->parser, &event))
			return not_yaml(b, err);
		rc = on_event(b, &event, err);
		yaml_event_delete(&event);
		if (rc != 0)
			return -1;
	}
	if (!b->root) {
		b->root = arena_alloc(b->arena, sizeof *b->root);
		*b->root = (struct conf_node){
			.kind = CONF_NULL,
			.line = 1,
			.column = 1,
		};
	}
	return 0;
}

int conf_parse(struct arena *a, const char *text, size_t len, const char *file,
    struct conf_node **out, struct err *err)
{
	struct builder b = { .arena = a, .file = file };
	int rc, is_ready;

	*out = NULL;
	if (len > CONF_FILE_MAX)
		return err_set(err, ERR_LIMIT,
		    "%s: the file has %zu bytes; at most %d are read", file,
		    len, CONF_FILE_MAX);
	if (!utf8_valid(text, len))
		return err_set(err, ERR_INVALID,
		    "%s: the file is not UTF-8 text; save it as UTF-8", file);
	is_ready = yaml_parser_initialize(&b.parser);
	assert(is_ready);
	yaml_parser_set_encoding(&b.parser, YAML_UTF8_ENCODING);
	yaml_parser_set_input_string(
	    &b.parser, (const unsigned char *)(len > 0 ? text : ""), len);
	rc = build(&b, err);
	while (b.depth > 0)
		on_close(&b);
	yaml_parser_delete(&b.parser);
	if (rc == 0)
		*out = b.root;
	return rc;
}

struct conf_node *conf_child(const struct conf_node *map, const char *key)
{
	if (!map || map->kind != CONF_MAP)
		return NULL;
	for (struct conf_node *n = map->child; n; n = n->next) {
		if (strcmp(n->key, key) == 0)
			return n;
	}
	return NULL;
}
