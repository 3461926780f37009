/*
 * The hub as one object: everything that lives as long as the process. Made in
 * core.c (what decides) and app.c (what listens), passed by pointer; there are
 * no other globals. tests/sim makes the core alone, around its own spawner and
 * proxy.
 */
#ifndef CARREL_HUB_APP_H
#define CARREL_HUB_APP_H

#include <stdbool.h>
#include <stdint.h>

#include "auth/keys.h"
#include "base/arena.h"
#include "base/err.h"
#include "base/loop.h"
#include "base/sock_name.h"
#include "hub/config.h"

/* What we say where JupyterHub says its version (contract/hub.md D). */
#define COMPAT_VERSION "6.0.0"

struct audit;
struct auth_rules;
struct authenticator;
struct authenticator_kind;
struct db;
struct fetcher;
struct httpd;
struct internal_tls;
struct login;
struct metrics;
struct offload;
struct openid;
struct passwords;
struct providers;
struct proxy_client;
struct reconcile;
struct roster;
struct routing;
struct servers;
struct services;
struct spawner_client;
struct throttle;
struct visitors;
struct web;

/* Where things are; strings live as long as the app. */
struct app_places {
	const char *state_dir;      /* carrel.sqlite, keys/ */
	const char *keys_dir;       /* keys/ */
	const char *hub_socket;     /* for the proxy */
	const char *admin_socket;   /* for the machine's administrator */
	const char *spawner_socket; /* the spawner's */
	const char *config_file;    /* for messages */
	const char *database;       /* path, or ":memory:" */
};

struct app {
	struct loop *loop;
	struct offload *offload;
	struct offload *auth_offload; /* a directory that hangs must not keep
				       * the database's work waiting */
	struct db *db;
	struct arena config_arena;
	struct config cfg;
	struct app_places places;
	struct keys keys;
	struct fetcher *fetcher;
	struct internal_tls *internal_tls; /* hub/internal_tls.h; NULL: off */
	struct spawner_client *spawner;
	struct proxy_client *proxy;
	struct routing *routing;     /* hub/routing.c: the proxy's table */
	struct servers *servers;     /* hub/server.c */
	struct services *services;   /* hub/service.h; NULL: none */
	struct reconcile *reconcile; /* hub/reconcile.c */
	struct login *login;         /* hub/login.c: attempts under way */
	struct metrics *metrics;     /* hub/metrics.h */
	struct audit *audit;         /* hub/audit.h */
	struct web *web;             /* hub/web.h: routes, pages, files */
	struct openid *openid;       /* hub/openid.h; NULL: it is off */
	struct throttle *throttle;
	struct roster *roster;       /* hub/roster.h: groups by lists */
	struct visitors *visitors;   /* hub/visitors.h: people for a visit */
	struct passwords *passwords; /* auth/passwords.h: of the hub's own */
	struct auth_rules *rules;
	const struct authenticator_kind *auth_kind;
	struct authenticator *auth;
	struct providers *providers; /* hub/providers.h: logins elsewhere */
	struct sealer *sealer;       /* auth_state, second steps; NULL: none */
	struct refresh *refresh;     /* providers asked again; NULL: never */
	struct httpd *http_proxy;    /* hub.sock: forwarded headers believed */
	struct sock_name hub_socket; /* of http_proxy, unless it was passed */
	struct httpd *http_servers;  /* 127.0.0.1:8081: they are not */
	struct httpd *http_local;    /* admin.sock: root and our own account */
	int64_t started_us;
	bool is_open; /* app_open succeeded */
	bool stopping;
	int stop_steps;
	int exit_code;
	struct timer stop_timer, ending_timer;
	int64_t ending_until_ms;
	struct timer purge_timer;
};

/*
 * The part that decides: database, spawner's and proxy's client, servers,
 * reconcile. app->loop, cfg and places are set, offload may be NULL (tests).
 * `token` is the proxy's. -1: what was made is freed by core_close.
 */
int core_open(struct app *app, const char *token, struct err *err) MUST_CHECK;
/* Begin to make them agree; what comes later comes through the loop. */
void core_begin(struct app *app);
void core_close(struct app *app);

/* Would the authenticator take its options? For a fresh app with cfg and places
 * only. */
int app_check_auth(struct app *app, struct err *err) MUST_CHECK;

/*
 * Everything: the core, login, both listeners; the first reconcile is under way
 * when it returns. app->loop, cfg and places are set. app_close is due also
 * after a failure.
 */
int app_open(struct app *app, const char *token, struct err *err) MUST_CHECK;
void app_close(struct app *app);
/* No new connections; what runs has a moment, then the loop ends. */
void app_stop(struct app *app);
/* The same once the answers under way have left; with_servers: once all servers
 * are at rest, or have had their time for it. */
void app_stop_soon(struct app *app, bool with_servers);
/* One of the two was asked for. */
bool app_is_ending(const struct app *app);
/* Something that the hub cannot live with (a disk that refuses): it says so,
 * and the program ends with status 1. */
void app_fail(struct app *app, const struct err *err);

/* "/hub/" with base_url in front, in the app's arena. */
const char *app_hub_prefix(struct app *app);

#endif
