/*
 * See app.h: login and the two listeners around the core; orderly stop.
 */
#include "hub/app.h"

#include <grp.h>
#include <stdint.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>

#include "auth/authenticator.h"
#include "auth/passwords.h"
#include "auth/rules.h"
#include "auth/sealer.h"
#include "auth/throttle.h"
#include "base/clock.h"
#include "base/fd.h"
#include "base/httpd.h"
#include "base/log.h"
#include "base/sysd.h"
#include "base/url.h"
#include "db/session_origin.h"
#include "db/user.h"
#include "hub/audit.h"
#include "hub/auth_state.h"
#include "hub/internal_tls.h"
#include "hub/login.h"
#include "hub/metrics.h"
#include "hub/openid.h"
#include "hub/providers.h"
#include "hub/rbac.h"
#include "hub/refresh.h"
#include "hub/review.h"
#include "hub/roster.h"
#include "hub/route.h"
#include "hub/server.h"
#include "hub/service.h"
#include "hub/visitors.h"
#include "hub/web.h"

#define FIRST_PASSED_FD   3
/* Of the open files, for each listener: what is no connection of it. */
#define OTHER_FILES       128
#define CONNECTIONS_MIN   16
#define CONNECTIONS_LOCAL 32
#define ENDING_ROOM       64
/* An orderly end: answers under way get this long. */
#define STOP_STEP_MS      50
#define STOP_MAX_MS       1000
/* Logins that block; what waits longer for a thread is refused. */
#define AUTH_THREADS      8
#define AUTH_QUEUE        1024
#define ENDING_MORE_MS    15000
#define ORIGINS_MAX       128
/* Over that of every route, so that the route says what is too long. */
#define LONGEST_BODY      (1024 * 1024 + 65536)

const char *app_hub_prefix(struct app *app)
{
	return arena_printf(&app->config_arena, "%shub/", app->cfg.base_url);
}

/* ---- login --------------------------------------------------------------- */

/* An address of this machine alone is nobody else's. */
static bool is_public(struct app *app)
{
	struct url u;
	struct err err;

	if (!*app->cfg.public_url)
		return false;
	if (url_parse(&app->config_arena, app->cfg.public_url, &u, &err) != 0)
		return true;
	return !str_starts(u.host, "127.") && !str_eq(u.host, "::1") &&
	       !str_eq(u.host, "localhost");
}

/* What people call us; NULL: they have no address of ours. */
static const char *public_name(struct app *app)
{
	struct url u;
	struct err err;

	if (!*app->cfg.public_url ||
	    url_parse(&app->config_arena, app->cfg.public_url, &u, &err) != 0)
		return NULL;
	return u.host;
}

/* By the configuration, or as an administrator once made them. */
static int is_admin(const char *name, void *arg, struct err *err)
{
	struct app *app = arg;
	char normal[RULES_NAME_MAX + 1];
	struct user user = { 0 };
	struct arena a;
	int rc;

	/* A name that cannot be is refused by the rules later. */
	if (rules_normalise(app->rules, name, normal, NULL) < 0)
		return 0;
	if (rules_names_admin(app->rules, normal))
		return 1;
	arena_init(&a);
	rc = user_find(app->db, &a, normal, &user, err);
	arena_fini(&a);
	return rc > 0 ? user.admin : rc;
}

/* For auth.allow_existing_users. */
static int is_known(const char *name, void *arg)
{
	struct app *app = arg;
	struct user user = { 0 };
	struct err err = { 0 };
	struct arena a;
	int rc;

	arena_init(&a);
	rc = user_find(app->db, &a, name, &user, &err);
	arena_fini(&a);
	if (rc < 0)
		log_error(NULL, "user not looked up", "why=\"%s\"", err.text);
	return rc;
}

static int open_authenticator(struct app *app, struct err *err)
{
	const struct auth_env env = {
		.loop = app->loop,
		.spawner = app->spawner,
		.offload = app->auth_offload,
		.sink = app->login ? login_sink(app->login) : NULL,
		.is_admin = is_admin,
		.is_admin_arg = app,
		.db = app->db,
		.rules = app->rules,
		.passwords = app->passwords,
		.keys = &app->keys,
		.sealer = auth_state_sealer,
		.sealer_arg = app,
		.public_name = public_name(app),
		.options = app->cfg.auth_options,
		.file = app->places.config_file,
		.creates_accounts = app->cfg.create_system_users,
		.public_address = is_public(app),
	};

	app->auth_kind = authenticator_find(app->cfg.auth_type);
	if (!app->auth_kind)
		return err_set(err, ERR_INVALID,
		    "\"auth.type\" must be one of %s", authenticator_names());
	app->auth = app->auth_kind->open(&env, err);
	return app->auth ? 0 : -1;
}

int app_check_auth(struct app *app, struct err *err)
{
	int rc;

	app->loop = loop_new();
	app->auth_offload = offload_new(app->loop, 1, 1);
	rc = open_authenticator(app, err);
	if (rc == 0)
		app->auth_kind->close(&app->auth);
	offload_free(&app->auth_offload);
	loop_free(&app->loop);
	return rc;
}

/* Logins of a shared password that is another one now. */
static int end_old_logins(struct app *app, struct err *err)
{
	unsigned char in_force[ORIGINS_MAX][ORIGIN_LEN];
	size_t n = 0;
	int64_t n_ended;

	if (app->auth_kind->origins)
		n = app->auth_kind->origins(app->auth, in_force, ORIGINS_MAX);
	if (session_origin_keep(app->db,
		(const unsigned char(*)[ORIGIN_LEN])in_force, n, &n_ended,
		err) != 0)
		return err_wrap(err, "logins of an older password");
	if (n_ended > 0)
		log_info(NULL, "logins of an older password are over",
		    "sessions=%lld", (long long)n_ended);
	return 0;
}

/* Who may come in, and who is known before anybody did. */
static int load_rules(struct app *app, struct err *err)
{
	app->rules = rules_open(&app->cfg.rules, err);
	return app->rules ? rbac_load(app, err) : -1;
}

static int open_login(struct app *app, struct err *err)
{
	if (keys_load(app->places.keys_dir, &app->keys, err) != 0)
		return err_wrap(err, "keys");
	rules_set_known(app->rules, is_known, app);
	if (roster_load(app, err) != 0 || review_blocked(app, err) != 0)
		return -1;
	app->throttle =
	    throttle_open(app->db, app->loop, &app->cfg.throttle, err);
	if (!app->throttle)
		return -1;
	app->web = web_open(app, err);
	if (!app->web)
		return -1;
	app->login = login_new(app);
	app->passwords = passwords_new(app->loop);
	if (open_authenticator(app, err) != 0 || end_old_logins(app, err) != 0)
		return -1;
	app->providers = providers_open(app, err);
	if (!app->providers || auth_state_open(app, err) != 0)
		return -1;
	app->refresh = refresh_open(app);
	app->visitors = visitors_open(app);
	return openid_open(app, err);
}

static void close_login(struct app *app)
{
	visitors_close(&app->visitors);
	refresh_close(&app->refresh);
	providers_close(&app->providers);
	if (app->login)
		login_free(&app->login);
	if (app->auth)
		app->auth_kind->close(&app->auth);
	sealer_close(&app->sealer);
	passwords_free(&app->passwords);
	if (app->throttle)
		throttle_close(&app->throttle);
	roster_free(&app->roster);
	if (app->rules)
		rules_close(&app->rules);
	keys_wipe(&app->keys);
	if (app->web)
		web_close(&app->web);
}

/* ---- listeners ----------------------------------------------------------- */

/* A socket that systemd (or carrel up) opened for us; -1: none. */
static int passed_socket(int family)
{
	int n = sysd_listen_fds();

	for (int fd = FIRST_PASSED_FD; fd < FIRST_PASSED_FD + n; fd++) {
		struct sockaddr_storage sa;
		socklen_t len = sizeof sa;

		if (getsockname(fd, (struct sockaddr *)&sa, &len) == 0 &&
		    (sa.ss_family == family ||
			(family == AF_INET && sa.ss_family == AF_INET6)))
			return fd;
	}
	return -1;
}

static int socket_group(const struct app *app, gid_t *out, struct err *err)
{
	const struct group *gr;

	*out = (gid_t)-1;
	if (!*app->cfg.socket_group)
		return 0;
	gr = getgrnam(app->cfg.socket_group);
	if (!gr)
		return err_set(err, ERR_INVALID,
		    "hub.socket_group: there is no group \"%s\"",
		    app->cfg.socket_group);
	*out = gr->gr_gid;
	return 0;
}

static int make_parent(struct app *app, const char *path, struct err *err)
{
	const char *slash = strrchr(path, '/');
	char *dir;

	if (!slash || slash == path)
		return 0;
	dir = arena_strndup(&app->config_arena, path, (size_t)(slash - path));
	return dir_make(dir, 0711, err);
}

static void on_new_socket(int fd, void *arg)
{
	struct app *app = arg;
	struct err err;

	if (httpd_listen(app->http_proxy, fd, &err) != 0)
		app_fail(app, &err);
}

static int listen_for_proxy(struct app *app, struct err *err)
{
	int fd = passed_socket(AF_UNIX);
	gid_t gid;

	if (fd >= 0)
		return fd;
	if (socket_group(app, &gid, err) != 0 ||
	    make_parent(app, app->places.hub_socket, err) != 0)
		return -1;
	fd = sock_listen_unix(
	    app->places.hub_socket, SOCK_STREAM, 0660, (uid_t)-1, gid, err);
	if (fd < 0)
		return -1;
	app->hub_socket = (struct sock_name){
		.path = app->places.hub_socket,
		.type = SOCK_STREAM,
		.mode = 0660,
		.uid = (uid_t)-1,
		.gid = gid,
		.fn = on_new_socket,
		.arg = app,
	};
	sock_name_keep(&app->hub_socket, app->loop);
	return fd;
}

static int listen_for_servers(struct app *app, struct err *err)
{
	int fd = passed_socket(AF_INET);

	if (fd >= 0)
		return fd;
	return sock_listen_tcp(
	    app->cfg.hub_host, (uint16_t)app->cfg.hub_port, false, err);
}

/*
 * How many connections each listener may take: whoever has a notebook can open
 * as many as there are to the one for servers, and must not use up the
 * descriptors of the proxy's, of the database and of the probes.
 */
static unsigned connections_each(const struct app *app)
{
	unsigned wanted = (unsigned)app->cfg.max_connections;
	/* With TLS in front a connection is its socket and a pair. */
	const unsigned files = app->internal_tls ? 3 : 1;
	struct rlimit l;

	if (getrlimit(RLIMIT_NOFILE, &l) != 0)
		return wanted;
	l.rlim_cur = l.rlim_max;
	(void)setrlimit(RLIMIT_NOFILE, &l);
	if (getrlimit(RLIMIT_NOFILE, &l) != 0 ||
	    l.rlim_cur / 2 >= (rlim_t)wanted * files + OTHER_FILES)
		return wanted;
	wanted = l.rlim_cur / 2 > OTHER_FILES + CONNECTIONS_MIN * files
		     ? ((unsigned)(l.rlim_cur / 2) - OTHER_FILES) / files
		     : CONNECTIONS_MIN;
	log_warn(NULL, "the limit on open files is low",
	    "limit=%ju connections_each=%u", (uintmax_t)l.rlim_cur, wanted);
	return wanted;
}

static struct httpd *open_httpd(
    struct app *app, int fd, unsigned max, bool is_shared, struct err *err)
{
	const struct httpd_options opt = {
		.max_connections = max,
		.is_shared = is_shared,
		.max_body_bytes = LONGEST_BODY,
		.server_name = "Carrel/" CARREL_VERSION,
	};
	const struct httpd_callbacks cb = {
		.on_head = route_head,
		.on_request = route_request,
		.on_done = route_done,
		.arg = app,
	};

	return httpd_open(app->loop, fd, &opt, &cb, err);
}

/* With internal TLS its connections come through that. */
static int open_servers_way(struct app *app, unsigned max, struct err *err)
{
	int fd = listen_for_servers(app, err);

	if (fd < 0)
		return err_wrap(
		    err, "the notebook servers' way in (hub.host, hub.port)");
	/* TLS in front counts who has how many, and ends a moment earlier. */
	if (app->internal_tls)
		app->http_servers =
		    open_httpd(app, -1, max + ENDING_ROOM, false, err);
	else
		app->http_servers = open_httpd(app, fd, max, true, err);
	if (!app->internal_tls)
		return app->http_servers ? 0 : -1;
	if (app->http_servers)
		return internal_tls_listen(
		    app, fd, max, app->http_servers, err);
	fd_close(&fd);
	return -1;
}

/* Nobody but root and our own account may connect (docs/trust.md). */
static int open_local(struct app *app, struct err *err)
{
	int fd = sock_listen_unix(app->places.admin_socket, SOCK_STREAM, 0600,
	    (uid_t)-1, (gid_t)-1, err);

	if (fd < 0)
		return err_wrap(err, "the administrator's way in");
	app->http_local = open_httpd(app, fd, CONNECTIONS_LOCAL, false, err);
	return app->http_local ? 0 : -1;
}

static int open_listeners(struct app *app, struct err *err)
{
	unsigned max = connections_each(app);
	int fd = listen_for_proxy(app, err);

	if (fd < 0)
		return err_wrap(err, "the proxy's way in");
	app->http_proxy = open_httpd(app, fd, max, false, err);
	if (!app->http_proxy)
		return -1;
	if (open_servers_way(app, max, err) != 0)
		return -1;
	return open_local(app, err);
}

/* ---- life ---------------------------------------------------------------- */

int app_open(struct app *app, const char *token, struct err *err)
{
	if (dir_make(app->places.state_dir, 0700, err) != 0)
		return err_wrap(err, "the state directory (see --state-dir)");
	app->audit = audit_open(app, err);
	if (!app->audit)
		return -1;
	app->offload = offload_new(app->loop, 2, 1024);
	app->auth_offload = offload_new(app->loop, AUTH_THREADS, AUTH_QUEUE);
	(void)scope_customs_use(app->cfg.customs);
	if (internal_tls_open(app, err) != 0 ||
	    core_open(app, token, err) != 0 || services_open(app, err) != 0 ||
	    load_rules(app, err) != 0 || open_login(app, err) != 0 ||
	    open_listeners(app, err) != 0)
		return -1;
	core_begin(app);
	services_begin(app);
	metrics_took(app, METRIC_HUB_STARTUP, clock_wall_us() - app->started_us,
	    NULL, NULL);
	audit_hub(app, AUDIT_HUB_STARTED, CARREL_VERSION);
	app->is_open = true;
	return 0;
}

void app_close(struct app *app)
{
	timer_stop(&app->stop_timer);
	timer_stop(&app->ending_timer);
	sock_name_stop(&app->hub_socket);
	internal_tls_unlisten(app);
	if (app->http_proxy)
		httpd_close(&app->http_proxy);
	if (app->http_servers)
		httpd_close(&app->http_servers);
	if (app->http_local)
		httpd_close(&app->http_local);
	close_login(app);
	if (app->auth_offload)
		offload_free(&app->auth_offload);
	core_close(app);
	internal_tls_close(app);
	if (app->offload)
		offload_free(&app->offload);
	openid_close(app);
	if (app->is_open)
		audit_hub(app, AUDIT_HUB_STOPPED, NULL);
	audit_close(&app->audit);
}

static size_t open_connections(const struct app *app)
{
	size_t n = 0;

	if (app->http_proxy)
		n += httpd_connections(app->http_proxy);
	if (app->http_servers)
		n += httpd_connections(app->http_servers);
	if (app->http_local)
		n += httpd_connections(app->http_local);
	return n;
}

static void on_stop_step(struct timer *t, void *arg)
{
	struct app *app = arg;

	app->stop_steps++;
	if (open_connections(app) == 0 ||
	    app->stop_steps * STOP_STEP_MS >= STOP_MAX_MS)
		loop_stop(app->loop);
	else
		timer_start(app->loop, t, STOP_STEP_MS, on_stop_step, app);
}

void app_stop(struct app *app)
{
	if (app->stopping) {
		loop_stop(app->loop);
		return;
	}
	app->stopping = true;
	sock_name_stop(&app->hub_socket);
	if (app->http_proxy)
		httpd_quiesce(app->http_proxy);
	internal_tls_quiesce(app);
	if (app->http_servers)
		httpd_quiesce(app->http_servers);
	if (app->http_local)
		httpd_quiesce(app->http_local);
	timer_start(
	    app->loop, &app->stop_timer, STOP_STEP_MS, on_stop_step, app);
}

/* Again and again: a start may have come in meanwhile. */
static void on_ending(struct timer *t, void *arg)
{
	struct app *app = arg;

	servers_stop_all(app);
	services_stop_all(app);
	if ((server_count_active(app) == 0 &&
		services_count_active(app) == 0) ||
	    loop_now_ms(app->loop) >= app->ending_until_ms)
		app_stop(app);
	else
		timer_start(app->loop, t, STOP_STEP_MS, on_ending, app);
}

bool app_is_ending(const struct app *app)
{
	return app->stopping || timer_running(&app->ending_timer);
}

static void on_stop_soon(struct timer *t, void *arg)
{
	(void)t;
	app_stop(arg);
}

void app_stop_soon(struct app *app, bool with_servers)
{
	app->ending_until_ms = loop_now_ms(app->loop) +
			       2 * app->cfg.stop_grace_s * 1000 +
			       ENDING_MORE_MS;
	timer_start(app->loop, &app->ending_timer, 0,
	    with_servers ? on_ending : on_stop_soon, app);
}
