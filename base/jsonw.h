/*
 * JSON written straight into a buffer: no tree of values is made and taken
 * apart again, which is most of what a long answer costs. Members and items are
 * separated by themselves; the caller opens and closes in pairs.
 */
#ifndef CARREL_BASE_JSONW_H
#define CARREL_BASE_JSONW_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/json.h"

struct jsonw {
	struct buf buf;
	bool needs_comma;
};

void jsonw_init(struct jsonw *w);
void jsonw_fini(struct jsonw *w);
/* The caller owns the text (free()); w is empty after. Ends the program when it
 * was over JSONW_MAX bytes: what is written here is bounded before. */
#define JSONW_MAX ((size_t)256 << 20)
char *jsonw_steal(struct jsonw *w, size_t *len_out);

/* Forget what was written since a mark. */
struct jsonw_mark {
	size_t len;
	bool needs_comma;
};
struct jsonw_mark jsonw_mark(const struct jsonw *w);
void jsonw_undo(struct jsonw *w, struct jsonw_mark mark);

void jsonw_open(struct jsonw *w, char bracket);  /* '{' or '[' */
void jsonw_close(struct jsonw *w, char bracket); /* '}' or ']' */
/* The name of the next value; a word of ours that needs no escape. */
void jsonw_key(struct jsonw *w, const char *word);
/* Well-formed UTF-8; NULL writes null. */
void jsonw_str(struct jsonw *w, const char *s);
void jsonw_int(struct jsonw *w, int64_t n);
void jsonw_bool(struct jsonw *w, bool truth);
void jsonw_null(struct jsonw *w);
/* What is JSON already. */
void jsonw_text(struct jsonw *w, const char *json, size_t len);
/* Any value, at most JSONW_DEPTH_MAX deep. */
#define JSONW_DEPTH_MAX 64
void jsonw_value(struct jsonw *w, const json_t *value);

#endif
