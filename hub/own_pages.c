/*
 * See own_pages.h.
 */
#include "hub/own_pages.h"

#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/fd.h"
#include "base/str.h"
#include "hub/assets.h"
#include "hub/conf_json.h"
#include "hub/config.h"
#include "hub/tmpl.h"

#define FILES_MAX      256
#define TEMPLATE_BYTES ((size_t)256 * 1024)
#define LOGO_BYTES     ((size_t)1024 * 1024)
#define NAME_MAX_BYTES 64

struct reading {
	struct arena *arena;
	struct tmpl_source *all;
	size_t n, n_builtin, cap;
	struct err *err;
};

/* ---- templates ----------------------------------------------------------- */

static struct tmpl_source *find(struct reading *r, const char *name)
{
	for (size_t i = 0; i < r->n; i++)
		if (str_eq(r->all[i].name, name))
			return &r->all[i];
	return NULL;
}

/* Where a file's text goes; NULL: an earlier directory has it, or *rc -1. */
static struct tmpl_source *place(
    struct reading *r, const char *name, const char *path, int *rc)
{
	struct tmpl_source *s = find(r, name);

	if (s)
		return s->file ? NULL : s;
	if (str_starts(name, "page/"))
		*rc = err_set(r->err, ERR_INVALID,
		    "%s replaces no page: there is none of this name", path);
	else if (r->n == r->cap)
		*rc = err_set(r->err, ERR_LIMIT,
		    "%s: more than %d parts are too many", path, FILES_MAX);
	else
		s = &r->all[r->n++];
	return s;
}

static int read_text(struct reading *r, const char *path,
    struct tmpl_source *out, const char *name)
{
	char *text = NULL;
	size_t len;

	if (file_read_all(path, TEMPLATE_BYTES, &text, &len, r->err) != 0)
		return -1;
	*out = (struct tmpl_source){
		.name = name,
		.text = arena_strndup(r->arena, text, len),
		.len = len,
		.file = path,
	};
	free(text);
	if (!utf8_valid(out->text, len) || strlen(out->text) != len)
		return err_set(
		    r->err, ERR_INVALID, "%s is no text in UTF-8", path);
	return 0;
}

static int take_file(
    struct reading *r, const char *dir, const char *kind, const char *file)
{
	const char *path, *name;
	struct tmpl_source *s;
	int rc = 0;

	if (file[0] == '.' || !str_ends(file, ".html"))
		return 0;
	path = arena_printf(r->arena, "%s/%s/%s", dir, kind, file);
	name = arena_printf(r->arena, "%s/%s", kind, file);
	s = place(r, name, path, &rc);
	return s ? read_text(r, path, s, name) : rc;
}

/* 1 read, 0 there is no such folder, -1. */
static int take_folder(struct reading *r, const char *dir, const char *kind)
{
	const char *path = arena_printf(r->arena, "%s/%s", dir, kind);
	DIR *d = opendir(path);
	struct dirent *e;
	int rc = 1;

	if (!d && errno == ENOENT)
		return 0;
	if (!d)
		return err_sys(r->err, "open %s", path);
	while (rc == 1 && (e = readdir(d)))
		if (take_file(r, dir, kind, e->d_name) != 0)
			rc = -1;
	closedir(d);
	return rc;
}

static int take_dir(struct reading *r, const char *dir)
{
	int pages = take_folder(r, dir, "page"), parts;

	if (pages < 0)
		return -1;
	parts = take_folder(r, dir, "part");
	if (parts < 0)
		return -1;
	if (pages + parts == 0)
		return err_set(r->err, ERR_INVALID,
		    "%s has neither page/ nor part/ in it", dir);
	return 0;
}

int own_pages_read(struct arena *a, const struct config *cfg,
    const struct tmpl_source *builtin, size_t n_builtin,
    struct tmpl_source **out, size_t *n_out, struct err *err)
{
	const struct conf_strings *dirs = &cfg->template_paths;
	struct reading r = {
		.arena = a,
		.n = n_builtin,
		.cap = n_builtin + FILES_MAX,
		.err = err,
	};

	r.all = arena_array(a, r.cap, sizeof *r.all);
	memcpy(r.all, builtin, n_builtin * sizeof *r.all);
	for (size_t i = 0; i < dirs->n; i++)
		if (take_dir(&r, dirs->items[i]) != 0)
			return err_wrap(err, "hub.template_paths");
	*out = r.all;
	*n_out = r.n;
	return 0;
}

/* ---- the logo ------------------------------------------------------------ */

int own_logo_type(const char *path, const char **out, struct err *err)
{
	*out = asset_type(path);
	if (str_starts(*out, "image/"))
		return 0;
	return err_set(err, ERR_INVALID,
	    "\"hub.logo_file\" must end in .svg, .png, .jpg, .gif or .webp");
}

int own_logo_read(struct arena *a, const struct config *cfg,
    const struct asset **out, struct err *err)
{
	struct asset_file *f = arena_alloc(a, sizeof *f);
	struct asset *logo = arena_alloc(a, sizeof *logo);
	char *text = NULL;

	*out = NULL;
	if (!*cfg->logo_file)
		return 0;
	if (own_logo_type(cfg->logo_file, &logo->content_type, err) != 0)
		return -1;
	if (file_read_all(cfg->logo_file, LOGO_BYTES, &text, &f->len, err) != 0)
		return err_wrap(err, "hub.logo_file");
	f->name = "logo";
	f->data = arena_memdup(a, text, f->len);
	free(text);
	logo->file = f;
	asset_hash(f->data, f->len, logo->hash);
	*out = logo;
	return 0;
}

/* ---- values -------------------------------------------------------------- */

static json_t *announcement(const json_t *vars, const char *page)
{
	char name[NAME_MAX_BYTES];
	json_t *own = NULL;

	if (str_format(name, sizeof name, "announcement_%s", page) == 0)
		own = json_object_get(vars, name);
	return own ? own : json_object_get(vars, "announcement");
}

void own_vars_add(json_t *common, const struct config *cfg, const char *page)
{
	json_t *vars, *said;

	if (!cfg->template_vars)
		return;
	vars = conf_json(cfg->template_vars);
	said = announcement(vars, page);
	if (said)
		json_object_set(common, "announcement", said);
	json_object_set_new(common, "vars", vars);
}
