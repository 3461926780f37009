/*
 * Where in an HTML text are we? Just enough of the grammar to know whether a
 * value may be put in, and how it must be escaped. Private to the template
 * compiler.
 */
#ifndef CARREL_HUB_TMPL_HTML_H
#define CARREL_HUB_TMPL_HTML_H

#include <stdbool.h>

#include "base/str.h"

enum html_where {
	HTML_TEXT,
	HTML_TAG_NAME,
	HTML_TAG, /* between attributes */
	HTML_ATTR_NAME,
	HTML_BEFORE_VALUE, /* after '=' */
	HTML_QUOTED,       /* in "..." */
	HTML_APOS,         /* in '...' */
	HTML_BARE,         /* in an unquoted value */
	HTML_COMMENT,
	HTML_RAW, /* script or style, up to its end tag */
};

struct html_state {
	enum html_where where;
	char tag[12], attr[16]; /* lower case; cut names match nothing */
	bool at_value_start;    /* no byte of the quoted value yet */
	unsigned n_tail;        /* how much of "-->" or "</" was seen */
};

/* Move over literal text. */
void html_feed(struct html_state *h, struct slice text);
/* May a value stand here? *why_not says it for the author. */
bool html_value_ok(const struct html_state *h, const char **why_not);
/* The value is the first thing in a link attribute. */
bool html_starts_link(const struct html_state *h);
/* A value was put in. */
void html_after_value(struct html_state *h);
bool html_same(const struct html_state *a, const struct html_state *b);

#endif
