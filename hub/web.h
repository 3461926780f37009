/*
 * What answering needs that lives as long as the process: the compiled pages,
 * the embedded files, and where we are mounted. Made by app.c after the
 * configuration was read, before the listeners are opened:
 *
 *   app->web = web_open(app, err)        a broken template is fatal
 *   app->login = login_new(app)          hub/login.h; before the authenticator
 */
#ifndef CARREL_HUB_WEB_H
#define CARREL_HUB_WEB_H

#include <stddef.h>

#include "base/arena.h"
#include "base/err.h"

struct app;
struct config;
struct asset;
struct cidr;
struct assets;
struct tmpl_set;
struct tmpl_source;

struct web {
	struct arena arena;
	const char *base; /* "/" or "/lab/" */
	const char *hub;  /* base + "hub/" */
	const char
	    *public_origin; /* "https://lab.example.org"; NULL: unknown */
	const struct cidr *front_ends; /* loopback, hub.trusted_proxies */
	size_t n_front_ends;
	const char *form_action; /* CSP of pages, unless they say another */
	struct assets *assets;
	const struct asset *logo; /* hub.logo_file, or ours */
	struct tmpl_source *sources;
	struct tmpl_set *pages;
	char *openapi; /* hub/openapi.c; NULL: nobody has asked yet */
};

/* Reads app->cfg. The text of an error names file and line of a template. */
struct web *web_open(struct app *app, struct err *err);
/* Would it open with this configuration? Of an administrator's own templates
 * and logo. */
int web_check(const struct config *cfg, struct err *err) MUST_CHECK;
void web_close(struct web **w);

#endif
