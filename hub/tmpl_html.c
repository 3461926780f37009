/*
 * A small state machine over HTML, byte by byte. It reads our own templates
 * only, so it may be stricter than a browser: what it does not understand is
 * refused by the compiler.
 */
#include "hub/tmpl_html.h"

#include <string.h>

static char lower(char c)
{
	return c >= 'A' && c <= 'Z' ? (char)(c + 32) : c;
}

static bool is_space(char c)
{
	return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

/* Append to a bounded name; one that is too long matches nothing. */
static void name_add(char *name, size_t cap, char c)
{
	size_t len = strlen(name);

	if (len + 1 < cap) {
		name[len] = lower(c);
		name[len + 1] = '\0';
	}
}

static void tag_end(struct html_state *h)
{
	bool raw = !strcmp(h->tag, "script") || !strcmp(h->tag, "style");

	h->where = raw ? HTML_RAW : HTML_TEXT;
	h->n_tail = 0;
}

static void in_tag_name(struct html_state *h, char c)
{
	if (c == '>') {
		tag_end(h);
	} else if (is_space(c)) {
		h->where = HTML_TAG;
	} else {
		name_add(h->tag, sizeof h->tag, c);
		if (!strcmp(h->tag, "!--")) {
			h->where = HTML_COMMENT;
			h->n_tail = 0;
		}
	}
}

static void in_tag(struct html_state *h, char c)
{
	if (c == '>') {
		tag_end(h);
	} else if (!is_space(c) && c != '/') {
		h->where = HTML_ATTR_NAME;
		h->attr[0] = '\0';
		name_add(h->attr, sizeof h->attr, c);
	}
}

static void in_attr_name(struct html_state *h, char c)
{
	if (c == '=')
		h->where = HTML_BEFORE_VALUE;
	else if (c == '>')
		tag_end(h);
	else if (is_space(c))
		h->where = HTML_TAG;
	else
		name_add(h->attr, sizeof h->attr, c);
}

static void before_value(struct html_state *h, char c)
{
	h->at_value_start = true;
	if (c == '"')
		h->where = HTML_QUOTED;
	else if (c == '\'')
		h->where = HTML_APOS;
	else
		h->where = HTML_BARE;
}

static void in_value(struct html_state *h, char c, char end)
{
	h->at_value_start = false;
	if (c == end)
		h->where = HTML_TAG;
}

static void in_bare(struct html_state *h, char c)
{
	if (c == '>')
		tag_end(h);
	else if (is_space(c))
		h->where = HTML_TAG;
}

/* "-->" ends a comment. */
static void in_comment(struct html_state *h, char c)
{
	if (c == '-')
		h->n_tail = h->n_tail < 2 ? h->n_tail + 1 : 2;
	else if (c == '>' && h->n_tail == 2)
		h->where = HTML_TEXT;
	else
		h->n_tail = 0;
}

/* "</" begins the end tag of a script or style. */
static void in_raw(struct html_state *h, char c)
{
	if (c == '<') {
		h->n_tail = 1;
	} else if (c == '/' && h->n_tail == 1) {
		h->where = HTML_TAG_NAME;
		h->tag[0] = '\0';
		name_add(h->tag, sizeof h->tag, '/');
	} else {
		h->n_tail = 0;
	}
}

static void feed_char(struct html_state *h, char c)
{
	switch (h->where) {
	case HTML_TEXT:
		if (c == '<') {
			h->where = HTML_TAG_NAME;
			h->tag[0] = '\0';
		}
		break;
	case HTML_TAG_NAME:
		in_tag_name(h, c);
		break;
	case HTML_TAG:
		in_tag(h, c);
		break;
	case HTML_ATTR_NAME:
		in_attr_name(h, c);
		break;
	case HTML_BEFORE_VALUE:
		before_value(h, c);
		break;
	case HTML_QUOTED:
		in_value(h, c, '"');
		break;
	case HTML_APOS:
		in_value(h, c, '\'');
		break;
	case HTML_BARE:
		in_bare(h, c);
		break;
	case HTML_COMMENT:
		in_comment(h, c);
		break;
	case HTML_RAW:
		in_raw(h, c);
		break;
	}
}

void html_feed(struct html_state *h, struct slice text)
{
	for (size_t i = 0; i < text.len; i++)
		feed_char(h, text.p[i]);
}

bool html_value_ok(const struct html_state *h, const char **why_not)
{
	*why_not = NULL;
	if (h->where == HTML_TEXT)
		return true;
	if (h->where != HTML_QUOTED)
		*why_not = "a value may stand in text or between double "
			   "quotes only";
	else if (str_starts(h->attr, "on"))
		*why_not = "no value in an event attribute";
	else if (!strcmp(h->attr, "style") || !strcmp(h->attr, "srcdoc") ||
		 !strcmp(h->attr, "http-equiv"))
		*why_not = "no value in a style, srcdoc or http-equiv";
	return *why_not == NULL;
}

bool html_starts_link(const struct html_state *h)
{
	static const char *const links[] = { "href", "src", "action",
		"formaction", "data", "poster", "cite", "manifest" };

	if (h->where != HTML_QUOTED || !h->at_value_start)
		return false;
	for (size_t i = 0; i < sizeof links / sizeof links[0]; i++)
		if (!strcmp(h->attr, links[i]))
			return true;
	return false;
}

void html_after_value(struct html_state *h)
{
	h->at_value_start = false;
}

bool html_same(const struct html_state *a, const struct html_state *b)
{
	if (a->where != b->where)
		return false;
	return a->where != HTML_QUOTED ||
	       (!strcmp(a->attr, b->attr) &&
		   a->at_value_start == b->at_value_start);
}
