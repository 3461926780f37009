/*
 * Services at the start of the hub: the configuration is read, rows, tokens and
 * OAuth clients are brought to it in one transaction, and what the
 * configuration does not name any more goes with all that it had.
 */
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/fd.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/str.h"
#include "db/oauth.h"
#include "db/service.h"
#include "hub/app.h"
#include "hub/service.h"

#define TOKEN_FILE_MAX 4096
#define TOKEN_MIN      16

/* ---- tokens in files ---------------------------------------------- */

static int read_token_file(
    struct arena *a, struct service_conf *c, struct err *err)
{
	char *text = NULL;
	size_t len = 0;

	if (!*c->api_token_file)
		return 0;
	if (file_read_all(
		c->api_token_file, TOKEN_FILE_MAX, &text, &len, err) != 0)
		return err_wrap(err, "service %s: api_token_file", c->name);
	c->api_token = arena_strndup(a, text, strcspn(text, " \t\r\n"));
	mem_wipe(text, len);
	free(text);
	if (strlen(c->api_token) >= TOKEN_MIN &&
	    !str_has_control(c->api_token, strlen(c->api_token)))
		return 0;
	return err_set(err, ERR_INVALID,
	    "service %s: %.200s must have a token of 16 characters or more in "
	    "its first line; make one with: openssl rand -hex 32",
	    c->name, c->api_token_file);
}

/* ---- the database ------------------------------------------------- */

static int delete_others(
    struct db *db, const struct service_confs *confs, struct err *err)
{
	json_t *names = json_array();
	char *text;
	int rc;

	for (size_t i = 0; i < confs->n; i++)
		json_array_append_new(names, json_string(confs->items[i].name));
	text = json_text(names, NULL);
	rc = service_row_delete_others(db, text, err);
	free(text);
	json_decref(names);
	return rc;
}

int service_client_put(struct service *s, const char *secret, struct err *err)
{
	const struct service_conf *c = &s->conf;
	char description[128];
	const struct oauth_client client = {
		.id = c->client_id,
		.redirect_uri = c->redirect_uri,
		.description = description,
		.allowed_scopes = c->allowed_scopes,
		.service_id = s->id,
	};

	if (!c->client_id)
		return 0;
	if (str_format(description, sizeof description, "JupyterHub service %s",
		c->name) != 0)
		return err_set(err, ERR_LIMIT, "its name is too long");
	return oauth_client_put(s->app->db, &client, secret, err);
}

/* A managed one proves itself with the token of its start, whose digest is
 * here already. */
static int load_client(struct db *db, struct service *s, struct err *err)
{
	const struct service_conf *c = &s->conf;

	if (service_clients_delete(db, s->id, c->client_id, err) != 0)
		return -1;
	return service_client_put(s, c->managed ? NULL : c->api_token, err);
}

/* What an earlier hub started is taken up by its key. */
static int load_start(struct db *db, struct service *s, struct err *err)
{
	struct service_row row;
	int found = service_row_find(db, &s->arena, s->conf.name, &row, err);

	if (found != 1)
		return found;
	if (!s->conf.managed) {
		/* Its program is one that nobody asked for: it is stopped. */
		if (service_token_set(
			db, s->id, SERVICE_NOTE_STARTED, NULL, 0, err) != 0)
			return -1;
		return row.key ? service_row_set_key(db, s->id, NULL, "", err)
			       : 0;
	}
	if (row.key && str_copy(s->key, sizeof s->key, row.key) == 0) {
		s->state = SERVICE_CHECKING;
		s->made_of = row.made_of;
	}
	return 0;
}

static int load_one(struct app *app, struct service *s, struct err *err)
{
	const struct service_conf *c = &s->conf;

	if (service_row_put(app->db, c->name, c->admin, &s->id, err) != 0 ||
	    load_start(app->db, s, err) != 0 ||
	    service_token_set(app->db, s->id, SERVICE_NOTE_CONFIG,
		*c->api_token ? c->api_token : NULL, clock_wall_us(),
		err) != 0 ||
	    load_client(app->db, s, err) != 0)
		return err_wrap(err, "service %s", c->name);
	return 0;
}

static int load(
    struct app *app, const struct service_confs *confs, struct err *err)
{
	struct services *all = app->services;

	if (delete_others(app->db, confs, err) != 0)
		return -1;
	for (size_t i = 0; i < all->n; i++)
		if (load_one(app, &all->items[i], err) != 0)
			return -1;
	return 0;
}

static int load_at_once(
    struct app *app, const struct service_confs *confs, struct err *err)
{
	if (db_begin(app->db, err) != 0)
		return -1;
	if (load(app, confs, err) == 0)
		return db_commit(app->db, err);
	db_rollback(app->db);
	return -1;
}

int services_open(struct app *app, struct err *err)
{
	const char *file = app->places.config_file;
	struct service_confs confs;
	struct services *all;

	if (service_conf_read(&app->config_arena, &app->cfg,
		file ? file : "carrel.yaml", &confs, NULL, err) != 0)
		return -1;
	for (size_t i = 0; i < confs.n; i++)
		if (read_token_file(&app->config_arena, &confs.items[i], err) !=
		    0)
			return -1;
	all = xcalloc(1, sizeof *all);
	all->items = xcalloc(confs.n + 1, sizeof *all->items);
	all->n = confs.n;
	for (size_t i = 0; i < confs.n; i++) {
		struct service *s = &all->items[i];

		s->app = app;
		s->conf = confs.items[i];
		s->made_of = "";
		s->answers = -1;
		s->state = s->conf.managed ? SERVICE_WAITING : SERVICE_EXTERNAL;
		arena_init(&s->arena);
	}
	app->services = all;
	return load_at_once(app, &confs, err);
}
