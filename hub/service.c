/*
 * See service.h: the life of managed services, and the routes of all.
 */
#include "hub/service.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/fetch.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/rand.h"
#include "base/str.h"
#include "db/service.h"
#include "hub/app.h"
#include "hub/internal_tls.h"
#include "hub/reconcile.h"
#include "hub/routing.h"
#include "hub/service_env.h"

/* Between the end of a service and its next start. */
#define DELAY_FIRST_MS 1000
#define DELAY_LAST_MS  60000
/* One that ran so long begins with the shortest delay again. */
#define HEALTHY_MS     60000
#define TAIL_SHOWN     1000

static void start(struct service *s);

/* ---- looking up ---------------------------------------------------------- */

struct service *service_find(struct app *app, const char *name)
{
	for (size_t i = 0; app->services && i < app->services->n; i++)
		if (str_eq(app->services->items[i]->conf.name, name))
			return app->services->items[i];
	return NULL;
}

struct service *service_by_id(struct app *app, int64_t id)
{
	for (size_t i = 0; app->services && i < app->services->n; i++)
		if (app->services->items[i]->id == id)
			return app->services->items[i];
	return NULL;
}

/* There are few. */
static struct service *by_key(struct app *app, const char *key)
{
	for (size_t i = 0; *key && app->services && i < app->services->n; i++)
		if (str_eq(app->services->items[i]->key, key))
			return app->services->items[i];
	return NULL;
}

const char *service_state_name(const struct service *s)
{
	switch (s->state) {
	case SERVICE_EXTERNAL:
		return "external";
	case SERVICE_WAITING:
		return *s->failure ? "failed" : "waiting";
	case SERVICE_SAVING:
	case SERVICE_ASKED:
	case SERVICE_STARTED:
		return "starting";
	case SERVICE_RUNNING:
		return "running";
	case SERVICE_CHECKING:
		return "checking";
	case SERVICE_STOPPING:
		return "stopping";
	}
	return "";
}

bool service_is_usable(const struct service *s)
{
	return s->answers != 0 &&
	       (s->state == SERVICE_EXTERNAL || s->state == SERVICE_RUNNING);
}

static struct log_ctx ctx_of(const struct service *s)
{
	return (struct log_ctx){ .server = s->conf.name };
}

/* ---- routes -------------------------------------------------------------- */

/* "/services/NAME", as the proxy's table has it; its host in front. */
static const char *route_path(struct arena *a, const struct service *s)
{
	const struct config *cfg = &s->app->cfg;
	const char *prefix = service_conf_prefix(a, cfg, s->conf.name);
	const char *route = domain_service_route(a, cfg, s->conf.name, prefix);

	return arena_strndup(a, route, strlen(route) - 1);
}

void service_open_route(struct service *s)
{
	json_t *data = json_pack("{ss}", "service", s->conf.name);
	struct arena a;

	arena_init(&a);
	routing_want(s->app, route_path(&a, s),
	    s->conf.managed ? arena_printf(&a, "http://%s", s->address)
			    : s->conf.origin,
	    data, 0, NULL);
	arena_fini(&a);
	json_decref(data);
}

void service_close_route(struct service *s)
{
	struct arena a;

	if (!*s->conf.url)
		return;
	arena_init(&a);
	routing_unwant(s->app, route_path(&a, s), 0, NULL);
	arena_fini(&a);
}

bool service_is_in_doubt(struct app *app, const char *name)
{
	const struct service *s = service_find(app, name);

	return s && *s->conf.url && s->state == SERVICE_CHECKING;
}

static void cancel_look(struct service *s)
{
	if (s->fetch_id)
		fetch_cancel(s->app->fetcher, s->fetch_id);
	s->fetch_id = 0;
}

/* ---- starting ------------------------------------------------------------ */

static void on_again(struct timer *t, void *arg)
{
	(void)t;
	start(arg);
}

static void start_later(struct service *s)
{
	int64_t now = loop_now_ms(s->app->loop);

	if (s->since_ms > 0 && now - s->since_ms >= HEALTHY_MS)
		s->delay_ms = 0;
	s->since_ms = 0;
	s->delay_ms = s->delay_ms ? s->delay_ms * 2 : DELAY_FIRST_MS;
	if (s->delay_ms > DELAY_LAST_MS)
		s->delay_ms = DELAY_LAST_MS;
	timer_start(s->app->loop, &s->timer, s->delay_ms, on_again, s);
}

/* A database that refuses here is told by its next use; the service waits. */
static void clear_row(struct service *s)
{
	struct db *db = s->app->db;
	struct log_ctx ctx = ctx_of(s);
	struct err err = { 0 };

	if (service_row_set_key(db, s->id, NULL, "", &err) != 0 ||
	    service_token_set(db, s->id, SERVICE_NOTE_STARTED, NULL, 0, &err) !=
		0)
		log_error(&ctx, "the end of a service cannot be stored",
		    "why=\"%s\"", err.text);
}

/* The last of its last words, on one line. */
static void note_tail(struct service *s, const char *tail)
{
	size_t len = strlen(tail);

	if (len > TAIL_SHOWN)
		tail += len - TAIL_SHOWN;
	str_printable(s->tail, sizeof s->tail, tail, strlen(tail));
	for (size_t i = 0; tail[i] && s->tail[i]; i++)
		if (tail[i] == '\n')
			s->tail[i] = '|';
}

/* It does not run (any more). `why` "" when that was wanted. */
static void ended(struct service *s, const char *why, const char *tail)
{
	struct log_ctx ctx = ctx_of(s);
	bool again = !s->app->services->is_stopping;

	db_waiter_cancel(&s->waiter);
	cancel_look(s);
	mem_wipe(s->token, sizeof s->token);
	service_close_route(s);
	clear_row(s);
	str_printable(s->failure, sizeof s->failure, why, strlen(why));
	note_tail(s, tail);
	s->key[0] = s->address[0] = '\0';
	s->pid = 0;
	s->answers = -1;
	s->state = SERVICE_WAITING;
	timer_stop(&s->timer);
	if (again)
		start_later(s);
	if (*why)
		log_warn(&ctx, "service ended",
		    "why=\"%s\" again_in_ms=%" PRId64 " tail=\"%s\"",
		    s->failure, again ? s->delay_ms : 0, s->tail);
}

static void on_slow(struct timer *t, void *arg)
{
	struct service *s = arg;
	struct log_ctx ctx = ctx_of(s);

	(void)t;
	log_warn(&ctx, "service does not listen",
	    "timeout=%" PRId64 " hint=\"it must listen on the port of "
	    "$JUPYTERHUB_SERVICE_URL\"",
	    s->conf.timeout_s);
}

static void send_start(struct service *s)
{
	struct spawner_start start = {
		.key = s->key, .service = s->conf.managed, .port = s->conf.port
	};
	json_t *env, *tls = NULL;
	struct arena a;
	struct err err = { 0 };
	int rc;

	arena_init(&a);
	env = service_env(&a, &s->app->cfg, &s->conf, s->token);
	start.env = env;
	rc = internal_tls_issue(s->app, s->key, &tls, &err);
	start.tls = tls;
	if (rc == 0)
		rc = spawner_start(s->app->spawner, &start, &err);
	json_decref(tls);
	json_decref(env);
	arena_fini(&a);
	mem_wipe(s->token, sizeof s->token);
	if (rc != 0) {
		ended(s, err.text, "");
		return;
	}
	s->asked_round = reconcile_round(s->app);
	s->state = SERVICE_ASKED;
}

static void on_durable(const struct err *err, void *arg)
{
	struct service *s = arg;

	if (err && err->code != ERR_NONE)
		app_fail(s->app, err);
	else
		send_start(s);
}

/* Without secrets: two starts are alike when this is. */
static const char *describe(const struct service *s, struct arena *a)
{
	json_t *env = service_env(a, &s->app->cfg, &s->conf, "");
	char *text;
	const char *copy;

	json_object_set_new(env, "entry", json_string(s->conf.managed));
	json_object_set_new(env, "port", json_integer(s->conf.port));
	text = json_text(env, NULL);
	copy = arena_strdup(a, text);
	free(text);
	json_decref(env);
	return copy;
}

/* The key, the token and the client's secret, or nothing. */
static int save(struct service *s, struct err *err)
{
	struct db *db = s->app->db;

	if (db_begin(db, err) != 0)
		return -1;
	if (service_row_set_key(db, s->id, s->key, s->made_of, err) == 0 &&
	    service_token_set(db, s->id, SERVICE_NOTE_STARTED, s->token,
		clock_wall_us(), err) == 0 &&
	    service_client_put(s, s->token, err) == 0)
		return db_commit(db, err);
	db_rollback(db);
	return -1;
}

/* When the spawner is away, its next list begins it. */
static void start(struct service *s)
{
	struct err err = { 0 };

	if (s->state != SERVICE_WAITING || s->app->services->is_stopping ||
	    !spawner_is_up(s->app->spawner))
		return;
	timer_stop(&s->timer);
	arena_fini(&s->arena);
	arena_init(&s->arena);
	s->made_of = describe(s, &s->arena);
	rand_hex(s->key, SPAWNER_KEY_LEN);
	rand_hex(s->token, sizeof s->token - 1);
	if (save(s, &err) != 0) {
		ended(s, err.text, "");
		return;
	}
	s->state = SERVICE_SAVING;
	db_when_durable(s->app->db, &s->waiter, on_durable, s);
}

/* ---- what the spawner says ----------------------------------------------- */

static void set_running(struct service *s)
{
	struct log_ctx ctx = ctx_of(s);

	if (s->state == SERVICE_RUNNING)
		return;
	s->state = SERVICE_RUNNING;
	s->failure[0] = s->tail[0] = '\0';
	timer_stop(&s->timer);
	if (s->since_ms == 0)
		s->since_ms = loop_now_ms(s->app->loop);
	if (*s->conf.url)
		service_open_route(s);
	log_info(&ctx, "service runs", "pid=%d address=%s", (int)s->pid,
	    *s->address ? s->address : "-");
}

static void take_process(struct service *s, const struct spawner_server *p)
{
	s->pid = p->pid;
	if (str_copy(s->address, sizeof s->address, p->address) != 0)
		s->address[0] = '\0';
}

static void set_started(struct service *s)
{
	s->state = SERVICE_STARTED;
	s->since_ms = loop_now_ms(s->app->loop);
	timer_start(
	    s->app->loop, &s->timer, s->conf.timeout_s * 1000, on_slow, s);
}

bool service_on_started(struct app *app, const struct spawner_server *p)
{
	struct service *s = by_key(app, p->key);

	if (!s)
		return false;
	take_process(s, p);
	if (s->state == SERVICE_ASKED || s->state == SERVICE_CHECKING)
		set_started(s);
	return true;
}

bool service_on_ready(struct app *app, const char *key)
{
	struct service *s = by_key(app, key);

	if (s && s->state == SERVICE_STARTED)
		set_running(s);
	return s != NULL;
}

bool service_on_failed(struct app *app, const struct spawner_failed *f)
{
	struct service *s = by_key(app, f->key);

	if (s)
		ended(s, f->text, f->tail);
	return s != NULL;
}

static void explain(const struct spawner_exited *e, char *text, size_t size)
{
	int rc;

	if (e->oom)
		rc = str_copy(text, size, "out of memory");
	else if (e->signo > 0)
		rc = str_format(text, size, "ended by signal %d", e->signo);
	else
		rc = str_format(text, size, "exited with status %d", e->status);
	if (rc != 0)
		text[0] = '\0';
}

static void acknowledge(struct service *s)
{
	struct log_ctx ctx = ctx_of(s);
	struct err err;

	/* Else it is told again, of a key that nobody knows. */
	if (spawner_ack(s->app->spawner, s->key, &err) != 0)
		log_debug(
		    &ctx, "an end is not acknowledged", "why=\"%s\"", err.text);
}

bool service_on_exited(struct app *app, const struct spawner_exited *e)
{
	struct service *s = by_key(app, e->key);
	char why[64];

	if (!s)
		return false;
	explain(e, why, sizeof why);
	acknowledge(s);
	ended(s, s->state == SERVICE_STOPPING ? "" : why, e->tail);
	return true;
}

/* The configuration has changed, or the hub ends. */
static void stop(struct service *s, const char *why)
{
	struct log_ctx ctx = ctx_of(s);
	struct err err = { 0 };

	log_info(&ctx, "service is stopped", "why=\"%s\"", why);
	if (spawner_stop(s->app->spawner, s->key, -1, &err) != 0) {
		log_warn(&ctx, "service cannot be stopped now", "why=\"%s\"",
		    err.text);
		return;
	}
	service_close_route(s);
	timer_stop(&s->timer);
	s->state = SERVICE_STOPPING;
}

/* It runs with what it was told when it started. */
static bool is_as_configured(const struct service *s)
{
	struct arena a;
	bool same;

	arena_init(&a);
	same = str_eq(s->made_of, describe(s, &a));
	arena_fini(&a);
	return same;
}

bool service_on_found(struct app *app, const struct spawner_server *p)
{
	struct service *s = by_key(app, p->key);
	struct log_ctx ctx;

	if (!s)
		return false;
	ctx = ctx_of(s);
	s->seen_round = reconcile_round(app);
	take_process(s, p);
	if (s->state != SERVICE_CHECKING)
		return true;
	if (!is_as_configured(s)) {
		stop(s, "its settings have changed");
		return true;
	}
	log_info(&ctx, "service is there", "pid=%d", (int)s->pid);
	if (p->ready)
		set_running(s);
	else
		set_started(s);
	return true;
}

static bool is_missing(const struct service *s, uint64_t round)
{
	return *s->key && s->state != SERVICE_SAVING &&
	       s->asked_round < round && s->seen_round != round;
}

void services_list_end(struct app *app, uint64_t round)
{
	for (size_t i = 0; app->services && i < app->services->n; i++) {
		struct service *s = app->services->items[i];

		if (is_missing(s, round))
			ended(s, "it ended while the hub was away", "");
		/* Nobody waited for its time before. */
		if (s->state == SERVICE_WAITING && !timer_running(&s->timer))
			start(s);
	}
}

void services_spawner_down(struct app *app)
{
	for (size_t i = 0; app->services && i < app->services->n; i++) {
		struct service *s = app->services->items[i];

		if (s->state == SERVICE_ASKED || s->state == SERVICE_STARTED ||
		    s->state == SERVICE_RUNNING ||
		    s->state == SERVICE_STOPPING) {
			timer_stop(&s->timer);
			s->state = SERVICE_CHECKING;
		}
	}
}

/* ---- life ---------------------------------------------------------------- */

void services_stop_all(struct app *app)
{
	if (!app->services)
		return;
	app->services->is_stopping = true;
	if (!spawner_is_up(app->spawner))
		return;
	for (size_t i = 0; i < app->services->n; i++) {
		struct service *s = app->services->items[i];

		if (s->state == SERVICE_WAITING)
			timer_stop(&s->timer);
		else if (*s->key && s->state != SERVICE_SAVING &&
			 s->state != SERVICE_STOPPING)
			stop(s, "the hub ends and takes its services along");
	}
}

size_t services_count_active(const struct app *app)
{
	size_t n = 0;

	for (size_t i = 0; app->services && i < app->services->n; i++)
		n += *app->services->items[i]->key != '\0';
	return n;
}

void services_begin(struct app *app)
{
	for (size_t i = 0; app->services && i < app->services->n; i++) {
		struct service *s = app->services->items[i];

		if (s->state == SERVICE_EXTERNAL && *s->conf.url)
			service_open_route(s);
	}
	services_check_begin(app);
}

void service_free(struct service **sp)
{
	struct service *s = *sp;

	timer_stop(&s->timer);
	db_waiter_cancel(&s->waiter);
	cancel_look(s);
	mem_wipe(s->token, sizeof s->token);
	arena_fini(&s->arena);
	free(s);
	*sp = NULL;
}

void services_free(struct app *app)
{
	struct services *all = app->services;

	if (!all)
		return;
	timer_stop(&all->check_timer);
	for (size_t i = 0; i < all->n; i++)
		service_free(&all->items[i]);
	free(all->items);
	free(all);
	app->services = NULL;
}
