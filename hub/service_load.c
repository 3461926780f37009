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

#define TOKEN_FILE_MAX    4096
#define TOKEN_MIN         16
#define SPEC_TEXT_MAX     2048
/* Of one that is made over REST. */
#define RUNTIME_TIMEOUT_S 30
/* With those of the configuration. */
#define RUNTIME_MAX       1000

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

	if (service_row_put(app->db, c->name, c->admin, NULL, &s->id, err) !=
		0 ||
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
		if (load_one(app, all->items[i], err) != 0)
			return -1;
	return 0;
}

/* ---- objects ------------------------------------------------------ */

static struct service *add_object(struct app *app)
{
	struct services *all = app->services;
	struct service *s = xcalloc(1, sizeof *s);

	s->app = app;
	s->made_of = "";
	s->answers = -1;
	s->state = SERVICE_EXTERNAL;
	arena_init(&s->arena);
	all->items = xreallocarray(all->items, all->n + 1, sizeof *all->items);
	all->items[all->n++] = s;
	return s;
}

static void remove_object(struct app *app, struct service *s)
{
	struct services *all = app->services;

	for (size_t i = 0; i < all->n; i++) {
		if (all->items[i] != s)
			continue;
		all->items[i] = all->items[--all->n];
		break;
	}
	service_free(&s);
}

/* ---- those that are made over REST -------------------------------- */

static int take_string(struct arena *a, const json_t *spec, const char *name,
    const char **out, struct err *err)
{
	*out = "";
	if (json_get_str(spec, name, SPEC_TEXT_MAX, out, err) < 0)
		return -1;
	*out = arena_strdup(a, *out);
	return 0;
}

static int take_scopes(struct arena *a, const json_t *spec,
    struct conf_strings *out, struct err *err)
{
	const json_t *list =
	    json_object_get(spec, "oauth_client_allowed_scopes");
	const json_t *item;
	size_t i;

	out->items =
	    arena_array(a, json_array_size(list) + 1, sizeof *out->items);
	json_array_foreach (list, i, item) {
		if (!json_is_string(item))
			return err_set(err, ERR_INVALID,
			    "oauth_client_allowed_scopes must be a list of "
			    "texts");
		out->items[out->n++] = arena_strdup(a, json_string_value(item));
	}
	return 0;
}

static const char *take_info(struct arena *a, const json_t *spec)
{
	const json_t *info = json_object_get(spec, "info");
	char *text;
	const char *copy;

	if (!json_is_object(info))
		return "{}";
	text = json_text(info, NULL);
	copy = arena_strdup(a, text);
	free(text);
	return copy;
}

/* The names are those of POST; members have their types. */
static int read_spec(struct service *s, const char *name, bool admin,
    const json_t *spec, struct err *err)
{
	const json_t *display = json_object_get(spec, "display");
	struct arena *a = &s->arena;
	struct service_options o = {
		.name = arena_strdup(a, name),
		.managed = "",
		.api_token = "",
		.api_token_file = "",
		.admin = admin,
		.display = !display || json_is_true(display),
		.no_confirm =
		    json_is_true(json_object_get(spec, "oauth_no_confirm")),
		.has_token = json_is_true(json_object_get(spec, "has_token")),
		.info = take_info(a, spec),
		.timeout_s = RUNTIME_TIMEOUT_S,
	};

	if (take_string(a, spec, "url", &o.url, err) != 0 ||
	    take_string(a, spec, "oauth_client_id", &o.client_id, err) != 0 ||
	    take_string(a, spec, "oauth_redirect_uri", &o.redirect_uri, err) !=
		0 ||
	    take_scopes(a, spec, &o.allowed_scopes, err) != 0)
		return -1;
	o.wants_client = *o.client_id || *o.redirect_uri || o.no_confirm ||
			 o.allowed_scopes.n > 0;
	s->is_runtime = true;
	return service_conf_make(a, &s->app->cfg, &o, &s->conf, err);
}

static int store(
    struct service *s, const json_t *spec, const char *plain, struct err *err)
{
	struct db *db = s->app->db;
	char *text = json_text(spec, NULL);
	int rc =
	    service_row_put(db, s->conf.name, s->conf.admin, text, &s->id, err);

	free(text);
	if (rc != 0 ||
	    (*plain && service_token_set(db, s->id, SERVICE_NOTE_CONFIG, plain,
			   clock_wall_us(), err) != 0))
		return -1;
	return service_client_put(s, *plain ? plain : NULL, err);
}

/* Nobody else's client, a configured service's neither. */
static int check_client(struct service *s, struct err *err)
{
	struct services *all = s->app->services;

	for (size_t i = 0; s->conf.client_id && i < all->n; i++)
		if (all->items[i] != s &&
		    str_eq(all->items[i]->conf.client_id, s->conf.client_id))
			return err_set(err, ERR_EXISTS,
			    "the OAuth client %.100s is another service's",
			    s->conf.client_id);
	return 0;
}

static int store_at_once(
    struct service *s, const json_t *spec, const char *plain, struct err *err)
{
	struct db *db = s->app->db;

	if (check_client(s, err) != 0 || db_begin(db, err) != 0)
		return -1;
	if (store(s, spec, plain, err) == 0)
		return db_commit(db, err);
	db_rollback(db);
	return -1;
}

int service_add(struct app *app, const char *name, bool admin,
    const json_t *spec, const char *plain, struct service **out,
    struct err *err)
{
	struct service *s;

	if (app->services->n >= RUNTIME_MAX)
		return err_set(err, ERR_LIMIT, "there are %d services already",
		    RUNTIME_MAX);
	s = add_object(app);
	if (read_spec(s, name, admin, spec, err) != 0 ||
	    store_at_once(s, spec, plain, err) != 0) {
		remove_object(app, s);
		return -1;
	}
	if (*s->conf.url)
		service_open_route(s);
	services_check_begin(app);
	*out = s;
	return 0;
}

int service_remove(struct app *app, struct service *s, struct err *err)
{
	if (service_row_delete(app->db, s->id, err) != 0)
		return -1;
	service_close_route(s);
	remove_object(app, s);
	return 0;
}

/* A hub before us made it: what it says is still right, or it is left out. */
static int restore(
    const char *name, bool admin, const char *text, void *arg, struct err *err)
{
	struct app *app = arg;
	struct service *s;
	struct err why = { 0 };
	json_t *spec;

	if (json_parse(text, strlen(text), &spec, err) != 0)
		return err_wrap(err, "database, service.spec");
	s = add_object(app);
	if (read_spec(s, name, admin, spec, &why) != 0) {
		log_error(NULL, "a service made over REST cannot be used",
		    "name=%s why=\"%s\"", name, why.text);
		remove_object(app, s);
	}
	json_decref(spec);
	return 0;
}

/* Their rows are right; only where people return to may have changed. */
static int restore_all(struct app *app, struct err *err)
{
	size_t n = app->services->n;

	if (service_row_each_spec(app->db, restore, app, err) != 0)
		return -1;
	for (size_t i = n; i < app->services->n; i++) {
		struct service *s = app->services->items[i];
		struct service_row row;

		if (service_row_find(
			app->db, &s->arena, s->conf.name, &row, err) != 1)
			return -1;
		s->id = row.id;
		if (check_client(s, err) != 0 ||
		    service_client_put(s, NULL, err) != 0)
			return err_wrap(err, "service %s", s->conf.name);
	}
	return 0;
}

/* ---- all ---------------------------------------------------------- */

static int load_at_once(
    struct app *app, const struct service_confs *confs, struct err *err)
{
	if (db_begin(app->db, err) != 0)
		return -1;
	if (load(app, confs, err) == 0 && restore_all(app, err) == 0)
		return db_commit(app->db, err);
	db_rollback(app->db);
	return -1;
}

int services_open(struct app *app, struct err *err)
{
	const char *file = app->places.config_file;
	struct service_confs confs;

	if (service_conf_read(&app->config_arena, &app->cfg,
		file ? file : "carrel.yaml", &confs, NULL, err) != 0)
		return -1;
	for (size_t i = 0; i < confs.n; i++)
		if (read_token_file(&app->config_arena, &confs.items[i], err) !=
		    0)
			return -1;
	app->services = xcalloc(1, sizeof *app->services);
	for (size_t i = 0; i < confs.n; i++) {
		struct service *s = add_object(app);

		s->conf = confs.items[i];
		if (s->conf.managed)
			s->state = SERVICE_WAITING;
	}
	return load_at_once(app, &confs, err);
}
