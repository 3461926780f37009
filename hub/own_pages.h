/*
 * What administrators put in the place of the built-in pages: templates
 * (hub.template_paths) and the logo (hub.logo_file), read once, at the start.
 * The templates are as safe as ours: hub/tmpl.h compiles them alike. Also what
 * all templates may print of the configuration (hub.template_vars).
 */
#ifndef CARREL_HUB_OWN_PAGES_H
#define CARREL_HUB_OWN_PAGES_H

#include <stddef.h>

#include "base/arena.h"
#include "base/err.h"
#include "base/json.h"

struct asset;
struct config;
struct tmpl_source;

/*
 * `builtin` with what the directories have in its place, and their further
 * parts; the first directory that has a file wins. All in `a`. ERR_INVALID: a
 * file that replaces no page.
 */
int own_pages_read(struct arena *a, const struct config *cfg,
    const struct tmpl_source *builtin, size_t n_builtin,
    struct tmpl_source **out, size_t *n_out, struct err *err) MUST_CHECK;
/* *out NULL: none is set. */
int own_logo_read(struct arena *a, const struct config *cfg,
    const struct asset **out, struct err *err) MUST_CHECK;

/* Is this a kind of image that the logo may be? By its name. */
int own_logo_type(
    const char *path, const char **out, struct err *err) MUST_CHECK;

/*
 * Add to what templates of `page` may print: "vars", all of them, and
 * "announcement", that of the page ("announcement_login") or of all pages
 * ("announcement"), or nothing.
 */
void own_vars_add(json_t *common, const struct config *cfg, const char *page);

#endif
