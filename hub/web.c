/*
 * Opening of what answering needs: paths, embedded files, compiled pages.
 */
#include "hub/web.h"

#include <stdlib.h>

#include "base/cidr.h"
#include "base/mem.h"
#include "base/str.h"
#include "base/url.h"
#include "hub/app.h"
#include "hub/assets.h"
#include "hub/own_pages.h"
#include "hub/tmpl.h"

/* This machine's own are front ends always. */
static int read_front_ends(
    struct web *w, const struct config *cfg, struct err *err)
{
	static const char *const own[] = { "127.0.0.0/8", "::1" };
	const size_t n_own = sizeof own / sizeof own[0];
	struct cidr *list = arena_array(
	    &w->arena, n_own + cfg->trusted_proxies.n, sizeof *list);

	for (size_t i = 0; i < n_own; i++)
		if (cidr_parse(own[i], &list[w->n_front_ends++], err) != 0)
			return -1;
	for (size_t i = 0; i < cfg->trusted_proxies.n; i++)
		if (cidr_parse(cfg->trusted_proxies.items[i],
			&list[w->n_front_ends++], err) != 0)
			return err_wrap(err, "hub.trusted_proxies");
	w->front_ends = list;
	return 0;
}

static int read_places(struct web *w, const struct config *cfg, struct err *err)
{
	struct url u;

	w->base = arena_strdup(&w->arena, cfg->base_url);
	w->hub = arena_printf(&w->arena, "%shub/", w->base);
	w->form_action = domain_form_action(&w->arena, cfg);
	if (!cfg->public_url[0])
		return 0;
	if (url_parse(&w->arena, cfg->public_url, &u, err) != 0)
		return err_wrap(err, "hub.public_url");
	w->public_origin = url_origin(&w->arena, &u);
	return 0;
}

static int compile_pages(
    struct web *w, const struct config *cfg, struct err *err)
{
	struct tmpl_source *ours =
	    arena_array(&w->arena, n_asset_files + 1, sizeof *ours);
	size_t n = 0;

	for (size_t i = 0; i < n_asset_files; i++) {
		const struct asset_file *f = &asset_files[i];
		if (str_ends(f->name, ".html"))
			ours[n++] = (struct tmpl_source){
				.name = f->name,
				.text = (const char *)f->data,
				.len = f->len,
			};
	}
	if (own_pages_read(&w->arena, cfg, ours, n, &w->sources, &n, err) != 0)
		return -1;
	w->pages = tmpl_open(w->sources, n, err);
	return w->pages ? 0 : -1;
}

static int find_logo(struct web *w, const struct config *cfg, struct err *err)
{
	if (own_logo_read(&w->arena, cfg, &w->logo, err) != 0)
		return -1;
	if (!w->logo)
		w->logo = assets_find(w->assets, "static/logo.svg");
	return 0;
}

static struct web *open_for(const struct config *cfg, struct err *err)
{
	struct web *w = xcalloc(1, sizeof *w);

	arena_init(&w->arena);
	w->assets = assets_new();
	if (read_places(w, cfg, err) != 0 ||
	    read_front_ends(w, cfg, err) != 0 ||
	    compile_pages(w, cfg, err) != 0 || find_logo(w, cfg, err) != 0)
		web_close(&w);
	return w;
}

struct web *web_open(struct app *app, struct err *err)
{
	return open_for(&app->cfg, err);
}

int web_check(const struct config *cfg, struct err *err)
{
	struct web *w = open_for(cfg, err);

	if (!w)
		return -1;
	web_close(&w);
	return 0;
}

void web_close(struct web **w)
{
	if (!*w)
		return;
	tmpl_free(&(*w)->pages);
	free((*w)->openapi);
	assets_free(&(*w)->assets);
	arena_fini(&(*w)->arena);
	free(*w);
	*w = NULL;
}
