/*
 * See app.h: the part of the hub that decides. Makes the database, the clients
 * of spawner and proxy, the servers and the reconciler, and carries what the
 * spawner says to those whom it concerns.
 */
#include "auth/pam.h"
#include "base/clock.h"
#include "base/fd.h"
#include "base/fetch.h"
#include "base/log.h"
#include "base/mem.h"
#include "db/db.h"
#include "db/oauth.h"
#include "db/session.h"
#include "db/share_code.h"
#include "db/signup.h"
#include "db/token.h"
#include "hub/app.h"
#include "hub/metrics.h"
#include "hub/reconcile.h"
#include "hub/routing.h"
#include "hub/server.h"
#include "hub/server_event.h"
#include "hub/service.h"
#include "proxy/client.h"
#include "spawner/client.h"

#include <stdlib.h>

#define FETCH_MAX         256
#define PEM_MAX           ((size_t)1024 * 1024)
#define PURGE_INTERVAL_MS (3600 * 1000)
/* Nobody answered them. */
#define SIGNUP_KEEP_US    (INT64_C(30) * 86400 * 1000000)

void app_fail(struct app *app, const struct err *err)
{
	log_error(NULL, "the hub cannot go on", "why=\"%s\"", err->text);
	app->exit_code = 1;
	app->stopping = true;
	loop_stop(app->loop);
}

/* ---- what the spawner says ----------------------------------------------- */

static void on_up(void *arg)
{
	reconcile_spawner_up(arg);
}

static void on_down(const struct err *why, void *arg)
{
	struct app *app = arg;

	log_warn(NULL, "the spawner is away", "why=\"%s\"", why->text);
	if (app->auth)
		auth_pam_down(app->auth);
	reconcile_spawner_down(app);
	services_spawner_down(app);
}

static void on_auth_prompt(uint64_t id, const char *text, bool echo, void *arg)
{
	struct app *app = arg;

	if (app->auth)
		auth_pam_prompt(app->auth, id, text, echo);
}

static void on_auth_end(const struct spawner_auth_end *end, void *arg)
{
	struct app *app = arg;

	if (app->auth)
		auth_pam_end(app->auth, end);
}

static void on_started(const struct spawner_server *s, void *arg)
{
	if (!service_on_started(arg, s))
		server_on_started(arg, s);
}

static void on_ready(const char *key, void *arg)
{
	if (!service_on_ready(arg, key))
		server_on_ready(arg, key);
}

static void on_failed(const struct spawner_failed *f, void *arg)
{
	if (!service_on_failed(arg, f))
		server_on_refused(arg, f);
}

static void on_exited(const struct spawner_exited *e, void *arg)
{
	if (!service_on_exited(arg, e))
		server_on_exited(arg, e);
}

static void on_found(const struct spawner_server *s, void *arg)
{
	if (!service_on_found(arg, s))
		reconcile_found(arg, s);
}

static void on_list_end(void *arg)
{
	struct app *app = arg;

	reconcile_list_end(app);
	services_list_end(app, reconcile_round(app));
}

static struct spawner_client *open_spawner(struct app *app)
{
	const struct spawner_callbacks cb = {
		.up = on_up,
		.down = on_down,
		.auth_prompt = on_auth_prompt,
		.auth_end = on_auth_end,
		.started = on_started,
		.ready = on_ready,
		.failed = on_failed,
		.exited = on_exited,
		.found = on_found,
		.list_end = on_list_end,
		.arg = app,
	};

	return spawner_client_new(app->loop, app->places.spawner_socket, &cb);
}

/* ---- what has expired ---------------------------------------------------- */

typedef int purge_fn(struct db *db, int64_t now_us, struct err *err);

static int purge_signups(struct db *db, int64_t now_us, struct err *err)
{
	return signup_purge(db, now_us - SIGNUP_KEEP_US, err);
}

/* Each removes a bounded number; what is left goes the next time. */
static void on_purge(struct timer *t, void *arg)
{
	static purge_fn *const all[] = { session_purge, token_purge,
		oauth_code_purge, share_code_purge, purge_signups };
	struct app *app = arg;
	int64_t now = clock_wall_us();
	struct err err = { 0 };

	for (size_t i = 0; i < sizeof all / sizeof all[0]; i++)
		if (all[i](app->db, now, &err) < 0)
			log_warn(NULL, "expired rows could not be removed",
			    "why=\"%s\"", err.text);
	timer_start(app->loop, t, PURGE_INTERVAL_MS, on_purge, app);
}

/* ---- life ---------------------------------------------------------------- */

static const char *or_null(const char *s)
{
	return *s ? s : NULL;
}

/* Said at the start, where a failed request would say less. */
static int check_proxy_file(
    const char *path, const char *option, struct err *err)
{
	char *text = NULL;
	size_t len;

	if (!*path)
		return 0;
	if (file_read_all(path, PEM_MAX, &text, &len, err) != 0)
		return err_wrap(err, "%s", option);
	mem_wipe(text, len);
	free(text);
	return 0;
}

static int check_proxy_files(const struct config *cfg, struct err *err)
{
	if (check_proxy_file(cfg->proxy_api_ca_file, "proxy.api_ca_file", err))
		return -1;
	if (check_proxy_file(
		cfg->proxy_api_cert_file, "proxy.api_cert_file", err))
		return -1;
	return check_proxy_file(
	    cfg->proxy_api_key_file, "proxy.api_key_file", err);
}

static struct proxy_client *open_proxy(struct app *app, const char *token)
{
	const struct proxy_client_options opt = {
		.api_url = app->cfg.proxy_api_url,
		.unix_socket = or_null(app->cfg.proxy_api_socket),
		.token = token,
		.ca_file = or_null(app->cfg.proxy_api_ca_file),
		.cert_file = or_null(app->cfg.proxy_api_cert_file),
		.key_file = or_null(app->cfg.proxy_api_key_file),
	};

	return proxy_client_new(app->loop, &opt);
}

int core_open(struct app *app, const char *token, struct err *err)
{
	app->db = db_open(app->places.database, app->loop, app->offload, err);
	if (!app->db)
		return err_wrap(err, "the database");
	app->metrics = metrics_new(app, err);
	if (!app->metrics)
		return -1;
	if (check_proxy_files(&app->cfg, err) != 0)
		return -1;
	app->fetcher = fetcher_new(app->loop, FETCH_MAX);
	app->spawner = open_spawner(app);
	app->proxy = open_proxy(app, token);
	app->routing = routing_new(app);
	app->servers = servers_new(app);
	app->reconcile = reconcile_new(app);
	return 0;
}

void core_begin(struct app *app)
{
	on_purge(&app->purge_timer, app);
	metrics_begin(app);
	reconcile_begin(app);
}

void core_close(struct app *app)
{
	timer_stop(&app->purge_timer);
	metrics_free(&app->metrics);
	services_free(app);
	reconcile_free(&app->reconcile);
	servers_free(&app->servers);
	routing_free(&app->routing);
	if (app->proxy)
		proxy_client_free(&app->proxy);
	if (app->spawner)
		spawner_client_free(&app->spawner);
	if (app->fetcher)
		fetcher_free(&app->fetcher);
	if (app->db)
		db_close(&app->db);
}
