/*
 * Configuration files: YAML (libyaml events) into a tree with positions, and
 * tables of options that bind the tree to a struct. An option is declared once,
 * in a .def file; struct, parser, checks, defaults, sample file and manual all
 * come from there.
 *
 * Refused: aliases, anchors, tags, directives, several documents, duplicate
 * keys, invalid UTF-8, files over 1 MiB, depth over 32.
 */
#ifndef CARREL_BASE_CONF_H
#define CARREL_BASE_CONF_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/err.h"

enum conf_kind { CONF_NULL, CONF_SCALAR, CONF_LIST, CONF_MAP };

struct conf_node {
	enum conf_kind kind;
	int line, column; /* from 1 */
	const char *text; /* CONF_SCALAR: the value as written */
	bool quoted;      /* CONF_SCALAR: "true" in quotes is a string */
	const char *key;  /* name in the map above; NULL in lists */
	int key_line, key_column;
	struct conf_node *child, *next; /* first child; next sibling */
	size_t n_children;
};

/*
 * `file` is only for messages: "carrel.yaml:3:5: ...". Nodes live in `a`. The
 * root is of any kind; CONF_NULL when the file is empty. Nothing, ~ and null
 * are CONF_NULL.
 */
int conf_parse(struct arena *a, const char *text, size_t len, const char *file,
    struct conf_node **out, struct err *err) MUST_CHECK;
struct conf_node *conf_child(const struct conf_node *map, const char *key);

enum conf_type {
	CONF_BOOL,    /* bool */
	CONF_INT,     /* int64_t, lo..hi (both 0: any) */
	CONF_SECONDS, /* int64_t seconds: 30, 5m, 2h, 14d; lo..hi */
	CONF_BYTES,   /* int64_t: 512M, 2G; lo..hi */
	CONF_STRING,  /* const char *, lo..hi bytes (hi 0: 4096) */
	CONF_WORD,    /* const char *, one of the '|'-separated words */
	CONF_STRINGS, /* struct conf_strings, at most hi items (0: 1024) */
	CONF_MAP_STR, /* struct conf_pairs: string to string, same bound */
	CONF_TREE,    /* struct conf_node *, NULL if unset or null: the module
		       * reads it itself */
};

struct conf_strings {
	const char **items;
	size_t n;
};

struct conf_pair {
	const char *name, *value;
};
struct conf_pairs {
	struct conf_pair *items;
	size_t n;
};

struct conf_option {
	const char *path; /* "hub.port": dots are nested maps */
	enum conf_type type;
	size_t offset;        /* of the member in the struct */
	const char *fallback; /* default, in YAML's spelling; NULL: unset (0) */
	int64_t lo, hi;
	const char *words; /* CONF_WORD */
	const char *doc;   /* one or more sentences for the manual */
	bool restart;      /* a change needs a restart */
};

/*
 * Defaults first, then what the tree says. An unknown key is fatal: the text
 * names file, line, column, the key and the nearest known one; at most 20
 * problems are collected into *problems (one a line; may be NULL), -1 if there
 * is any; err has the first. Strings live in `a`. tree may be NULL (defaults
 * only).
 */
int conf_bind(struct arena *a, const struct conf_node *tree, const char *file,
    const struct conf_option *table, size_t n, void *out, struct buf *problems,
    struct err *err) MUST_CHECK;
/* "a whole number from 1 to 65535": what a value of this option looks like. */
void conf_describe(struct buf *b, const struct conf_option *o);
/* Does it have a range? Its upper bound for text and lists, hi 0 resolved. */
bool conf_is_bounded(const struct conf_option *o);
size_t conf_limit(const struct conf_option *o);
/* The part of an option's path below `section` ("" is the top), or NULL. */
const char *conf_path_below(const char *path, const char *section);

/*
 * The sample file: every option with its doc, commented out, so that the file
 * as it is says what an empty one says; taking the '#' off a line `#key: value`
 * sets it. `set` (n_set may be 0) names options that stand there uncommented:
 * path and value in YAML's spelling.
 */
void conf_write_sample_set(struct buf *b, const struct conf_option *table,
    size_t n, const struct conf_pair *set, size_t n_set);
void conf_write_sample(
    struct buf *b, const struct conf_option *table, size_t n);
/* The manual: Markdown, a table per top-level section. */
void conf_write_manual(
    struct buf *b, const struct conf_option *table, size_t n);

#endif
