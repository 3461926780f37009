/*
 * The hub's own routes, gate and handlers for fuzz targets: the real core on a
 * database in memory, with requests that need no socket. Each request begins
 * in the same world, because what it wrote is rolled back. Included by a target
 * as a whole; its stand-ins win over the archives' own.
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "auth/authenticator.h"
#include "auth/passwords.h"
#include "auth/rules.h"
#include "auth/throttle.h"
#include "base/clock.h"
#include "base/httpd.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/rand.h"
#include "db/db_priv.h"
#include "db/group.h"
#include "db/server.h"
#include "db/token.h"
#include "db/user.h"
#include "hub/app.h"
#include "hub/login.h"
#include "hub/route.h"
#include "hub/server.h"
#include "hub/service.h"
#include "hub/web.h"
#include "tests/sim/fake_fetch.c"
#include "tests/sim/fake_proxy.c"
#include "tests/sim/fake_spawner.c"

#define T0_US      INT64_C(1700000000000000)
#define TABLES_MAX 64

static void must(bool ok)
{
	if (!ok)
		abort();
}

/* ---- a server of HTTP without sockets --------------------------------------
 */

struct http_reply_state {
	const char *host, *type, *authorization, *cookie, *accept;
	int status;
	char *body;
	size_t len;
};

struct httpd {
	int unused;
};

struct httpd *httpd_open(struct loop *l, int listen_fd,
    const struct httpd_options *opt, const struct httpd_callbacks *cb,
    struct err *err)
{
	(void)l;
	(void)listen_fd;
	(void)opt;
	(void)cb;
	(void)err;
	return NULL;
}

int httpd_listen(struct httpd *h, int listen_fd, struct err *err)
{
	(void)h;
	(void)listen_fd;
	return err_set(err, ERR_UNAVAILABLE, "there are no sockets");
}

int httpd_add(struct httpd *h, int fd, const struct sockaddr *peer,
    socklen_t len, struct err *err)
{
	(void)peer;
	(void)len;
	return httpd_listen(h, fd, err);
}

void httpd_quiesce(struct httpd *h)
{
	(void)h;
}

void httpd_close(struct httpd **h)
{
	*h = NULL;
}

size_t httpd_connections(const struct httpd *h)
{
	(void)h;
	return 0;
}

const char *http_header(const struct http_req *req, const char *name)
{
	const struct http_reply_state *st = req->state;

	if (strcasecmp(name, "Host") == 0)
		return st->host;
	if (strcasecmp(name, "Content-Type") == 0)
		return st->type;
	if (strcasecmp(name, "Authorization") == 0)
		return st->authorization;
	if (strcasecmp(name, "Cookie") == 0)
		return st->cookie;
	if (strcasecmp(name, "Accept") == 0)
		return st->accept;
	return NULL;
}

size_t http_header_count(const struct http_req *req, const char *name)
{
	return http_header(req, name) ? 1 : 0;
}

const char *http_header_list(struct http_req *req, const char *name)
{
	return http_header(req, name);
}

/* A header of an answer is one line. */
void http_set(struct http_req *req, const char *name, const char *value)
{
	(void)req;
	must(*name && !strpbrk(value, "\r\n"));
}

void http_replace(struct http_req *req, const char *name, const char *value)
{
	http_set(req, name, value);
}

bool http_replied(const struct http_req *req)
{
	return req->state->status != 0;
}

void http_reply_take(struct http_req *req, int status, char *body, size_t len)
{
	struct http_reply_state *st = req->state;

	must(st->status == 0 && status >= 200 && status <= 599);
	st->status = status;
	st->body = body;
	st->len = len;
}

void http_reply(struct http_req *req, int status, const void *body, size_t len)
{
	http_reply_take(req, status, len ? xmemdup(body, len) : NULL, len);
}

int http_peer_uid(const struct http_req *req, uid_t *uid_out, struct err *err)
{
	(void)req;
	(void)uid_out;
	return err_set(err, ERR_INVALID, "nobody is there");
}

void http_stream_begin(struct http_req *req, int status, size_t max_queue)
{
	(void)max_queue;
	http_reply_take(req, status, NULL, 0);
}

bool http_stream_write(struct http_req *req, const void *p, size_t n)
{
	(void)req;
	(void)p;
	(void)n;
	return true;
}

void http_stream_end(struct http_req *req)
{
	(void)req;
}

/* ---- an authenticator that never answers -----------------------------------
 */

static struct authenticator nobody;

static void silent_begin(
    struct authenticator *au, uint64_t attempt, const struct auth_form *form)
{
	(void)au;
	(void)attempt;
	(void)form;
}

static void silent_cancel(struct authenticator *au, uint64_t attempt)
{
	(void)au;
	(void)attempt;
}

static const struct authenticator_kind silent_kind = {
	.name = "silent",
	.has_form = true,
	.begin = silent_begin,
	.cancel = silent_cancel,
};

/* ---- the hub ---------------------------------------------------------------
 */

static struct app app;
static char boss[64]; /* the Authorization of an administrator */
static char stopping[SPAWNER_KEY_LEN + 1]; /* the server that was stopped */

static void note_stop(
    enum fake_message what, const char *key, const struct spawner_start *start)
{
	(void)start;
	if (what == FAKE_STOP)
		snprintf(stopping, sizeof stopping, "%s", key);
}

/* Whatever comes from outside is no error of the hub's. */
static void no_errors(const char *line, void *arg)
{
	(void)arg;
	fprintf(stderr, "%s\n", line);
	abort();
}

static int64_t world_user(const char *name, bool admin)
{
	struct err err;
	int64_t id = 0;

	must(user_create(app.db, name, admin, T0_US, &id, &err) == 0);
	return id;
}

static void world_token(int64_t user_id)
{
	char plain[TOKEN_LEN + 1];
	struct err err;
	int64_t id;
	const struct token t = { .user_id = user_id,
		.client_id = "jupyterhub",
		.note = "fuzz",
		.scopes = "[\"inherit\"]",
		.created_us = T0_US };

	must(token_create(app.db, &t, plain, &id, &err) == 0);
	snprintf(boss, sizeof boss, "token %s", plain);
}

static void world_people(void)
{
	int64_t alice = world_user("alice", false), crew, id;
	struct err err;

	world_token(world_user("boss", true));
	world_user("bob", false);
	must(server_row_create(app.db, alice, "lab", T0_US, &id, &err) == 0);
	must(group_create(app.db, "crew", &crew, &err) == 0);
	must(group_add(app.db, crew, alice, &err) == 0);
}

static void world_config(void)
{
	struct err err = { 0 };

	must(config_load(&app.config_arena, NULL, 0, "none", &app.cfg, NULL,
		 &err) == 0);
	app.cfg.allow_named_servers = true;
	app.cfg.slow_spawn_timeout_s = 0;
	app.cfg.rules.allow_all = true;
	app.places.database = ":memory:";
	app.places.hub_socket = "/run/carrel/hub.sock";
	app.places.spawner_socket = "/run/carrel/spawner.sock";
}

static void world_open(void)
{
	struct err err = { 0 };

	log_open("hub", LOG_ERROR);
	log_set_sink(no_errors, NULL);
	clock_sim_start(T0_US);
	rand_seed_simulation(1);
	fake_proxy_init();
	fake_fetch_init();
	app.started_us = T0_US;
	arena_init(&app.config_arena);
	world_config();
	app.loop = loop_new();
	must(core_open(&app, "token", &err) == 0);
	must(services_open(&app, &err) == 0);
	fake_spawner.sent = note_stop;
	fake_spawner.is_up = true;
	app.rules = rules_open(&app.cfg.rules, &err);
	app.throttle = throttle_open(NULL, NULL, &app.cfg.throttle, &err);
	app.web = web_open(&app, &err);
	app.login = login_new(&app);
	app.passwords = passwords_new(app.loop);
	app.auth_kind = &silent_kind;
	app.auth = &nobody;
	nobody.kind = &silent_kind;
	must(app.rules && app.throttle && app.web);
}

/* ---- what is in the database -----------------------------------------------
 */

static struct {
	sqlite3_stmt *each[TABLES_MAX];
	size_t n;
	uint64_t at_rest;
	int n_changes; /* of the connection, when the request began */
} tables;

static void tables_prepare(void)
{
	sqlite3_stmt *names;
	char sql[128];

	must(sqlite3_prepare_v2(app.db->h,
		 "SELECT name FROM sqlite_schema WHERE type = 'table'", -1,
		 &names, NULL) == SQLITE_OK);
	while (sqlite3_step(names) == SQLITE_ROW && tables.n < TABLES_MAX) {
		snprintf(sql, sizeof sql, "SELECT * FROM \"%s\"",
		    (const char *)sqlite3_column_text(names, 0));
		must(sqlite3_prepare_v2(app.db->h, sql, -1,
			 &tables.each[tables.n++], NULL) == SQLITE_OK);
	}
	sqlite3_finalize(names);
	must(tables.n > 10);
}

static uint64_t mix(uint64_t hash, const unsigned char *p, size_t len)
{
	for (size_t i = 0; i < len; i++)
		hash = (hash ^ p[i]) * UINT64_C(0x100000001b3);
	return (hash ^ 0xff) * UINT64_C(0x100000001b3);
}

static uint64_t tables_hash(void)
{
	uint64_t hash = UINT64_C(0xcbf29ce484222325);

	for (size_t i = 0; i < tables.n; i++) {
		sqlite3_stmt *st = tables.each[i];

		while (sqlite3_step(st) == SQLITE_ROW)
			for (int c = 0; c < sqlite3_column_count(st); c++)
				hash = mix(hash, sqlite3_column_text(st, c),
				    (size_t)sqlite3_column_bytes(st, c));
		sqlite3_reset(st);
	}
	return hash;
}

/* As it was made, row by row; quick where nothing was written at all. */
static bool world_is_unchanged(void)
{
	return sqlite3_total_changes(app.db->h) == tables.n_changes ||
	       tables_hash() == tables.at_rest;
}

/* ---- requests --------------------------------------------------------------
 */

struct ask {
	const char *method, *target; /* with its query */
	const char *type, *authorization, *cookie, *accept;
	struct slice body;
};

struct said {
	int status; /* 0: it waited, and the client has left */
	json_t *json;
	char *text;
	size_t len;
};

static void http_ask(
    struct http_req *http, struct http_reply_state *st, const struct ask *ask)
{
	static uint64_t last_id;
	size_t path = strcspn(ask->target, "?");

	*st = (struct http_reply_state){ .host = "hub",
		.type = ask->type,
		.authorization = ask->authorization,
		.cookie = ask->cookie,
		.accept = ask->accept };
	*http = (struct http_req){ .id = ++last_id,
		.method = ask->method,
		.target = ask->target,
		.body = ask->body,
		.state = st };
	arena_init(&http->arena);
	http->path = arena_strndup(&http->arena, ask->target, path);
	if (ask->target[path])
		http->query = ask->target + path + 1;
}

static void turn(void)
{
	for (int i = 0; i < 3; i++)
		loop_turn(app.loop, 0);
}

/* What of the hub's own memory a request may have changed. */
static void forget_objects(void)
{
	const struct spawner_exited end = { .key = stopping, .tail = "" };
	struct service *s = service_find(&app, "new");
	struct err err = { 0 };

	if (s)
		must(service_remove(&app, s, &err) == 0);
	servers_stop_all(&app);
	if (*stopping)
		fake_spawner.cb.exited(&end, fake_spawner.cb.arg);
	*stopping = '\0';
	turn();
	fake_proxy_serve();
	must(server_count_active(&app) == 0);
}

/* In the transaction that is open. */
static struct said hub_tell(const struct ask *ask)
{
	struct http_reply_state st;
	struct http_req http;
	struct said out;

	http_ask(&http, &st, ask);
	route_head(&http, &app);
	if (!st.status)
		route_request(&http, &app);
	if (!st.status) {
		fake_proxy_serve();
		turn();
	}
	out = (struct said){
		.status = st.status, .text = st.body, .len = st.len
	};
	if (st.len && *st.body != '<')
		out.json = json_loadb(st.body, st.len, JSON_DECODE_ANY, NULL);
	route_done(&http, st.status, &app);
	arena_fini(&http.arena);
	return out;
}

static void said_free(struct said *s)
{
	json_decref(s->json);
	free(s->text);
	*s = (struct said){ 0 };
}

/* Every request begins with the world as it was made. */
static void transaction_begin(void)
{
	struct err err = { 0 };

	must(db_begin(app.db, &err) == 0);
	tables.n_changes = sqlite3_total_changes(app.db->h);
}

static void transaction_end(void)
{
	forget_objects();
	must(app.db->depth == 1);
	db_rollback(app.db);
}

/* bob may enter alice's lab. The use of the administrator's token is written
 * down, too: later requests within a moment write what they are about. */
static void world_begin(void)
{
	struct ask first = { .method = "POST",
		.target = "/hub/api/shares/alice/lab",
		.type = "application/json",
		.authorization = boss,
		.body = slice_of("{\"user\":\"bob\"}") };
	struct said s;

	world_open();
	world_people();
	s = hub_tell(&first);
	must(s.status == 200);
	said_free(&s);
	tables_prepare();
	tables.at_rest = tables_hash();
}
