/*
 * Pages from templates: a small language over HTML files, compiled at start.
 *
 *   {{name}} {{a.b}} {{.}}   the value, escaped for the place it stands in
 *   {{url:name}}             the value, percent-encoded as part of a URL
 *   {{#name}}...{{/name}}    for each item; or once if true, with an object's
 *                            members in reach
 *   {{^name}}...{{/name}}    if absent, false, empty or null
 *   {{>name}}                the file part/name.html
 *   {{!...}}                 a remark
 *
 * There is no way to print a value as it is. The compiler follows the HTML: a
 * value may stand in text or in a quoted attribute only; never in a script, a
 * style, a tag's name or an event attribute. A value that begins a URL
 * attribute (href, src, action, ...) must be local or http(s), else "#" is
 * printed. A template that breaks a rule is an error at start, with its line.
 * Knows no request and no product word.
 */
#ifndef CARREL_HUB_TMPL_H
#define CARREL_HUB_TMPL_H

#include <stddef.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/json.h"

struct tmpl_set;

/* One file: "page/login.html". Borrowed for the life of the set. */
struct tmpl_source {
	const char *name;
	const char *text;
	size_t len;
	const char *file; /* for messages; NULL: the name */
};

/* ERR_INVALID: "page/x.html:12: ...". `src` lives as long as the set. */
struct tmpl_set *tmpl_open(
    const struct tmpl_source *src, size_t n, struct err *err);
void tmpl_free(struct tmpl_set **set);

/*
 * Render page/`page`.html. A name is looked up in `data`, then in `common`
 * (which may be NULL). ERR_NOT_FOUND: no such page; ERR_LIMIT: longer than
 * out->max.
 */
int tmpl_render(const struct tmpl_set *set, const char *page,
    const json_t *data, const json_t *common, struct buf *out,
    struct err *err) MUST_CHECK;

#endif
