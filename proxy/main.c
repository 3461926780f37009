/*
 * carrel-proxy: command line, listeners, routes from the journal, workers, the
 * API, signals, and the end.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fd.h"
#include "base/json.h"
#include "base/log.h"
#include "base/loop.h"
#include "base/mem.h"
#include "base/sysd.h"
#include "proxy/access.h"
#include "proxy/api.h"
#include "proxy/app.h"
#include "proxy/cell.h"
#include "proxy/config.h"
#include "proxy/handover.h"
#include "proxy/journal.h"
#include "proxy/lifeline.h"
#include "proxy/limit.h"
#include "proxy/listen.h"
#include "proxy/load.h"
#include "proxy/parent.h"
#include "proxy/redirect.h"
#include "proxy/relay.h"
#include "proxy/sockets.h"
#include "proxy/table.h"
#include "proxy/takeover.h"
#include "proxy/tls_house.h"
#include "proxy/worker.h"

/* Descriptors that are no client's and no target's. */
#define FILES_OF_OURS     128
#define FILES_OF_A_WORKER 16
#define PLACES_MIN        16
/* For a proxy that was killed to be gone. */
#define PATIENCE_MS       1000

/* ---- messages at start --------------------------------------------------- */

static int complain(const struct err *err)
{
	fprintf(stderr, "carrel-proxy: %s\n", err->text);
	return 1;
}

static void print_notes(const struct buf *notes)
{
	struct slice rest = slice_make(buf_view(notes), notes->len), line;

	while (slice_split(&rest, '\n', &line))
		if (line.len > 0)
			log_warn(NULL, "command line", "%.*s", (int)line.len,
			    line.p);
}

static int print(void (*write_text)(struct buf *b))
{
	struct buf b;

	buf_init(&b, 65536);
	write_text(&b);
	fputs(buf_view(&b), stdout);
	buf_fini(&b);
	return 0;
}

/* ---- listeners ----------------------------------------------------------- */

static void raise_limit(void)
{
	struct rlimit l;

	if (getrlimit(RLIMIT_NOFILE, &l) < 0 || l.rlim_cur == l.rlim_max)
		return;
	l.rlim_cur = l.rlim_max;
	(void)setrlimit(RLIMIT_NOFILE, &l);
}

static size_t count_workers(const struct config *c)
{
	long n =
	    c->workers > 0 ? (long)c->workers : sysconf(_SC_NPROCESSORS_ONLN);

	return n < 1 ? 1 : n > WORKERS_MAX ? WORKERS_MAX : (size_t)n;
}

const char *app_api_host(const struct config *c)
{
	return str_eq(c->api_ip, "localhost") ? "127.0.0.1" : c->api_ip;
}

/* It came, or it is opened. */
static int listen_one(struct app *app, enum parcel_listener kind,
    const char *ip, int port, const char *path, int *fd, uint16_t *port_out,
    struct err *err)
{
	uint16_t wanted = path != NULL ? 0 : (uint16_t)port;

	if (app_came(app) != NULL) {
		*fd = sockets_take(
		    app_came(app), kind, wanted, path != NULL ? path : ip);
		*port_out = *fd >= 0 ? sock_port(*fd) : 0;
	}
	if (*fd >= 0)
		return 0;
	if (path != NULL)
		return listen_unix(path, fd, 1, err);
	return listen_tcp(ip, wanted, fd, 1, port_out, err);
}

int app_duplicate(int fd, int *out, struct err *err)
{
	*out = fcntl(fd, F_DUPFD_CLOEXEC, 0);
	return *out < 0 ? err_sys(err, "duplicate a listening socket") : 0;
}

/* All public sockets that came: what waits in their queues must be accepted.
 * More workers share them. 0: there is none of this address. */
static int take_public(struct app *app, struct err *err)
{
	const struct config *c = &app->config;
	const char *text = c->socket != NULL ? c->socket : c->ip;
	uint16_t port = c->socket != NULL ? 0 : (uint16_t)c->port;
	size_t n = 0;
	int fd;

	if (app_came(app) == NULL)
		return 0;
	while (n < WORKERS_MAX && (fd = sockets_take(app_came(app),
				       PARCEL_PUBLIC, port, text)) >= 0) {
		app->listeners[n++] = fd;
		app->port = port = sock_port(fd);
	}
	if (n == 0)
		return 0;
	if (n > app->n_workers)
		app->n_workers = n;
	for (size_t i = n; i < app->n_workers; i++)
		if (app_duplicate(
			app->listeners[i % n], &app->listeners[i], err) < 0)
			return -1;
	return 1;
}

static int open_public(struct app *app, struct err *err)
{
	const struct config *c = &app->config;
	int rc = take_public(app, err);

	if (rc != 0)
		return rc;
	if (c->socket != NULL)
		return listen_unix(
		    c->socket, app->listeners, app->n_workers, err);
	return listen_tcp(c->ip, (uint16_t)c->port, app->listeners,
	    app->n_workers, &app->port, err);
}

static int try_listeners(struct app *app, struct err *err)
{
	const struct config *c = &app->config;

	if (open_public(app, err) < 0)
		return err_wrap(err, "public port");
	if (listen_one(app, PARCEL_API, app_api_host(c), c->api_port,
		c->api_socket, &app->api_fd, &app->api_port, err) < 0)
		return err_wrap(err, "REST API");
	if (c->metrics_port == CONFIG_PORT_UNSET && c->metrics_socket == NULL)
		return 0;
	if (listen_one(app, PARCEL_METRICS, c->metrics_ip, c->metrics_port,
		c->metrics_socket, &app->metrics_fd, &app->metrics_port,
		err) < 0)
		return err_wrap(err, "metrics");
	return 0;
}

/*
 * Who killed a proxy and starts another one (JupyterHub does) may be faster
 * than the kernel is with the end of its engine.
 */
static bool wait_for_the_dead(int64_t until_ms)
{
	const struct timespec pause = { .tv_nsec = 20 * 1000 * 1000 };

	if (clock_mono_ms() >= until_ms)
		return false;
	(void)nanosleep(&pause, NULL);
	return true;
}

static void close_listeners(struct app *app)
{
	for (size_t i = 0; i < app->n_workers; i++)
		fd_close(&app->listeners[i]);
	fd_close(&app->api_fd);
	fd_close(&app->metrics_fd);
}

static int open_listeners(struct app *app, struct err *err)
{
	int64_t until_ms = clock_mono_ms() + PATIENCE_MS;

	while (try_listeners(app, err) < 0) {
		if (app_came(app) != NULL || err->code != ERR_EXISTS ||
		    !wait_for_the_dead(until_ms))
			return -1;
		close_listeners(app);
	}
	return 0;
}

static int open_takeover_socket(struct app *app, struct err *err)
{
	const char *path = app->config.takeover_socket;

	if (path == NULL)
		return 0;
	if (app_came(app) != NULL)
		app->takeover_fd =
		    sockets_take(app_came(app), PARCEL_TAKEOVER, 0, path);
	if (app->takeover_fd < 0)
		app->takeover_fd = sock_listen_unix(
		    path, SOCK_SEQPACKET, 0600, (uid_t)-1, (gid_t)-1, err);
	return app->takeover_fd < 0 ? err_wrap(err, "--takeover-socket") : 0;
}

/* ---- routes -------------------------------------------------------------- */

static bool goes_on(const struct app *app)
{
	return app->takeover != NULL || lifeline_is_recovery(app->lifeline);
}

static int load_default(struct app *app, struct err *err)
{
	const struct cell *before = table_cell(app->table, "/");
	int64_t now = clock_wall_us() / 1000;
	json_t *data;
	int rc;

	if (app->config.default_target == NULL)
		return 0;
	data = json_pack("{s:s}", "target", app->config.default_target);
	if (data == NULL)
		return err_set(
		    err, ERR_INVALID, "--default-target: it is no UTF-8 text");
	/* Who took over, or goes on, begins nothing anew. */
	if (goes_on(app) && before != NULL)
		now = cell_last_ms(before);
	rc = table_load(app->table, "/", data, now, err);
	json_decref(data);
	if (rc < 0)
		return err_wrap(err, "--default-target");
	log_info(NULL, "Route added", "/ -> %s", app->config.default_target);
	return 0;
}

/* Its lines are the routes that came over with it. */
static struct journal *adopt_journal(struct app *app, struct err *err)
{
	size_t n_lines;
	int fd = takeover_journal(app->takeover, &n_lines);

	if (fd >= 0)
		return journal_adopt(
		    app->loop, app->config.journal, fd, n_lines, err);
	(void)err_set(err, ERR_INVALID,
	    "the running proxy keeps no journal: give the same --journal "
	    "options, or start without --takeover");
	return NULL;
}

static struct journal *open_journal(struct app *app, struct err *err)
{
	int64_t until_ms = clock_mono_ms() + PATIENCE_MS;
	struct journal *j;

	if (app->takeover != NULL)
		return adopt_journal(app, err);
	do
		j = journal_open(
		    app->loop, app->config.journal, load_line, app->table, err);
	while (
	    j == NULL && err->code == ERR_BUSY && wait_for_the_dead(until_ms));
	return j;
}

static int load_routes(struct app *app, struct err *err)
{
	const char *path = app->config.journal;

	if (path != NULL) {
		app->journal = open_journal(app, err);
		if (app->journal == NULL)
			return err_wrap(err, "--journal");
		journal_set_snapshot(app->journal, load_snapshot, app->table);
		log_info(NULL, "routes are loaded", "n=%zu file=%s",
		    table_count(app->table), path);
	}
	return load_default(app, err);
}

/* ---- workers ------------------------------------------------------------- */

static void on_drained(struct worker *w, void *arg);

/* Each connection of a client may need one to a target. */
static int64_t count_places(const struct app *app)
{
	int64_t own =
	    FILES_OF_OURS + FILES_OF_A_WORKER * (int64_t)app->n_workers;
	struct rlimit l;
	int64_t n;

	if (app->config.max_connections > 0)
		return app->config.max_connections;
	if (getrlimit(RLIMIT_NOFILE, &l) < 0 || l.rlim_cur >= INT32_MAX)
		return 0;
	n = ((int64_t)l.rlim_cur - own) / 2;
	return n < PLACES_MIN ? PLACES_MIN : n;
}

static void make_workers(struct app *app)
{
	app->limits =
	    limits_new(count_places(app), app->config.max_client_connections);
	limits_set_rate(app->limits, app->config.max_client_rate);
	for (size_t i = 0; i < app->n_workers; i++) {
		app->workers[i] =
		    worker_new((unsigned)i, &app->config, app->listeners[i]);
		app->listeners[i] = -1;
		app->metrics[i] = &app->workers[i]->metrics;
		app->workers[i]->on_drained = on_drained;
		app->workers[i]->drained_arg = app;
		app->workers[i]->limits = app->limits;
		if (app->access != NULL)
			app->workers[i]->access = access_ring(app->access, i);
		app->workers[i]->holds.line = app->lifeline;
	}
	app->metrics[app->n_workers] = &app->inherited;
	tls_house_serve(app->tls, app->workers, app->n_workers);
	table_serve(app->table, app->workers, app->n_workers, app->journal);
}

static int open_access_log(struct app *app, struct err *err)
{
	if (app->config.access_log == NULL)
		return 0;
	app->access = access_open(app->config.access_log, app->n_workers, err);
	return app->access == NULL ? err_wrap(err, "--access-log") : 0;
}

static int run_workers(struct app *app, struct err *err)
{
	if (app->access != NULL && access_run(app->access, err) < 0)
		return -1;
	for (size_t i = 0; i < app->n_workers; i++) {
		if (worker_run(app->workers[i], err) < 0)
			return -1;
		app->n_running++;
	}
	return 0;
}

static int open_api(struct app *app, struct err *err)
{
	const struct api_options opt = {
		.loop = app->loop,
		.table = app->table,
		.token = app->config.token,
		.metrics_token = app->config.metrics_token,
		.metrics = app->metrics,
		.n_metrics = app->n_workers + 1,
		.tls = tls_house_api(app->tls),
	};
	int fd;

	app->api = api_new(&opt);
	app->metrics[app->n_workers + 1] = api_metrics(app->api);
	tls_house_serve_api(app->tls, app->api);
	if (app_duplicate(app->api_fd, &fd, err) < 0 ||
	    api_listen(app->api, fd, err) < 0)
		return err_wrap(err, "REST API");
	if (app->metrics_fd >= 0 &&
	    (app_duplicate(app->metrics_fd, &fd, err) < 0 ||
		api_listen_metrics(app->api, fd, err) < 0))
		return err_wrap(err, "metrics");
	return 0;
}

/* ---- from http to https -------------------------------------------------- */

static int open_redirect(struct app *app, struct err *err)
{
	const struct config *c = &app->config;
	const struct redirect_options opt = {
		.loop = app->loop,
		.port = c->redirect_to != CONFIG_PORT_UNSET
			    ? (uint16_t)c->redirect_to
			    : app->port,
		.webroot = c->acme_webroot,
	};
	int fd;

	if (c->redirect_port == CONFIG_PORT_UNSET)
		return 0;
	if (listen_one(app, PARCEL_REDIRECT, "", c->redirect_port, NULL,
		&app->redirect_fd, &app->redirect_port, err) < 0 ||
	    app_duplicate(app->redirect_fd, &fd, err) < 0)
		return err_wrap(err, "redirect port");
	app->redirect = redirect_open(&opt, fd, err);
	return app->redirect == NULL ? -1 : 0;
}

/* ---- the end ------------------------------------------------------------- */

static void remove_files(struct app *app)
{
	app_remove_names(app);
	sock_name_stop(&app->takeover_name);
	if (app->has_pid_file)
		(void)unlink(app->config.pid_file);
	if (app->takeover_fd >= 0 && app->handover != NULL)
		(void)unlink(app->config.takeover_socket);
	app->has_pid_file = false;
	fd_close(&app->takeover_fd);
}

/* One that was taken over tells what its own process before still has. */
void app_end_if_done(struct app *app)
{
	if (!app->is_drained)
		return;
	if (!app->has_left)
		loop_stop(app->loop);
	else if (app->is_before_gone && app->api == NULL)
		handover_finish(app->handover);
}

static void on_all_drained(void *arg)
{
	struct app *app = arg;

	if (--app->n_draining > 0)
		return;
	app->is_drained = true;
	app_end_if_done(app);
}

/* On the worker's thread. */
static void on_drained(struct worker *w, void *arg)
{
	struct app *app = arg;

	(void)w;
	loop_post(app->loop, on_all_drained, app);
}

static void drain_worker(void *arg)
{
	worker_drain(arg);
}

void app_on_drain_timeout(struct timer *t, void *arg)
{
	struct app *app = arg;

	(void)t;
	log_warn(NULL, "the time to drain is over", "seconds=%lld",
	    (long long)(app->has_left && !app->is_ending
			    ? app->config.takeover_drain_s
			    : app->config.drain_s));
	loop_stop(app->loop);
}

/* The first one drains, the second one ends. */
static void on_signal(int signo, void *arg)
{
	struct app *app = arg;

	log_warn(NULL, app->is_ending ? "ending at once" : "ending",
	    "signal=%d", signo);
	app_notify(app, "STOPPING=1");
	lifeline_say(app->lifeline, DEPOSIT_NO_SOCKETS);
	if (app->handover != NULL)
		handover_cancel(app->handover);
	remove_files(app);
	if (app->is_ending || app->config.drain_s == 0) {
		loop_stop(app->loop);
		return;
	}
	app->is_ending = true;
	timer_start(app->loop, &app->drain, app->config.drain_s * 1000,
	    app_on_drain_timeout, app);
	if (app->has_left)
		return;
	app->n_draining = app->n_workers;
	for (size_t i = 0; i < app->n_workers; i++)
		loop_post(app->workers[i]->loop, drain_worker, app->workers[i]);
}

static void on_hup(int signo, void *arg)
{
	struct app *app = arg;

	(void)signo;
	tls_house_reload(app->tls);
	if (app->access != NULL)
		access_reopen(app->access);
}

static void on_usr1(int signo, void *arg)
{
	struct app *app = arg;

	(void)signo;
	if (app->access != NULL)
		access_reopen(app->access);
}

static int take_signals(struct app *app, struct err *err)
{
	if (signal(SIGPIPE, SIG_IGN) == SIG_ERR)
		return err_sys(err, "ignore SIGPIPE");
	if (app->lifeline != NULL)
		return app_follow_parent(app, on_signal, on_hup, on_usr1, err);
	if (loop_signal(app->loop, SIGTERM, on_signal, app, err) < 0 ||
	    loop_signal(app->loop, SIGINT, on_signal, app, err) < 0 ||
	    loop_signal(app->loop, SIGHUP, on_hup, app, err) < 0 ||
	    loop_signal(app->loop, SIGUSR1, on_usr1, app, err) < 0)
		return -1;
	return 0;
}

static void close_all(struct app *app)
{
	struct err err;

	/* What we did not serve is for the next one. */
	if (!app->is_serving)
		lifeline_mute(app->lifeline);
	timer_stop(&app->drain);
	timer_stop(&app->api_end);
	api_free(&app->api);
	redirect_close(&app->redirect);
	for (size_t i = 0; i < app->n_workers; i++)
		worker_free(&app->workers[i]);
	access_close(&app->access);
	limits_free(&app->limits);
	tls_house_free(&app->tls);
	for (size_t i = 0; i < app->n_workers; i++)
		fd_close(&app->listeners[i]);
	if (app->is_serving)
		remove_files(app);
	handover_free(&app->handover);
	takeover_free(&app->takeover);
	app_close_sockets(app);
	if (app->journal != NULL && app->is_serving && app->n_running > 0 &&
	    journal_finish(app->journal, &err) < 0)
		log_error(NULL, "the journal cannot be compacted",
		    "error=\"%s\"", err.text);
	journal_close(&app->journal);
	table_free(&app->table);
	lifeline_free(&app->lifeline);
	loop_free(&app->loop);
}

/* ---- the beginning ------------------------------------------------------- */

static int write_pid_file(struct app *app, struct err *err)
{
	const char *path = app->config.pid_file;
	char text[32];
	int fd;
	ssize_t n;

	if (path == NULL)
		return 0;
	fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
	if (fd < 0)
		return err_sys(err, "open the pid file %s", path);
	if (str_format(text, sizeof text, "%d", (int)app_pid(app)) < 0)
		text[0] = '\0';
	n = write(fd, text, strlen(text));
	fd_close(&fd);
	if (n < 0)
		return err_sys(err, "write the pid file %s", path);
	app->has_pid_file = true;
	return 0;
}

static void log_start(const struct app *app)
{
	const struct config *c = &app->config;

	if (c->token[0] == '\0')
		log_warn(NULL, "the REST API has no authentication",
		    "advice=\"set CONFIGPROXY_AUTH_TOKEN\"");
	if (geteuid() == 0)
		log_warn(NULL, "running as root",
		    "advice=\"run carrel-proxy as an account of its own\"");
	if (c->error_path != NULL && access(c->error_path, R_OK | X_OK) < 0)
		log_warn(NULL, "error pages cannot be read",
		    "directory=%s why=\"%s\" advice=\"the built-in ones are "
		    "shown until they can\"",
		    c->error_path, strerror(errno));
	app_log_listeners(app);
}

/* Whatever fails before the last line leaves a process before untouched. */
static int start(struct app *app, struct err *err)
{
	raise_limit();
	if (app_open_lifeline(app, err) < 0)
		return -1;
	app->loop = loop_new();
	app->tls = tls_house_new(app->loop, &app->config, err);
	if (app->tls == NULL)
		return -1;
	app->table = table_new(app->loop, app->config.host_routing);
	table_set_page(app->table, lifeline_page(app->lifeline));
	if (take_signals(app, err) < 0 || app_copy_from_before(app, err) < 0 ||
	    open_listeners(app, err) < 0 || load_routes(app, err) < 0 ||
	    open_takeover_socket(app, err) < 0 || open_access_log(app, err) < 0)
		return -1;
	make_workers(app);
	if (lifeline_adopt(app->lifeline, app->table, app->workers,
		app->n_workers, err) < 0)
		return -1;
	if (open_api(app, err) < 0 || open_redirect(app, err) < 0 ||
	    app_open_handover(app, err) < 0 || run_workers(app, err) < 0)
		return -1;
	if (app->takeover == NULL)
		return write_pid_file(app, err);
	if (takeover_tunnels(app->takeover, app->workers, app->n_workers,
		&app->inherited, err) < 0)
		return -1;
	return takeover_begin(app->takeover, err);
}

/* The file of the process before is ours to replace only now. */
static void write_late_pid_file(struct app *app)
{
	struct err err;

	if (app->takeover != NULL && write_pid_file(app, &err) < 0)
		log_error(NULL, "the pid file is not written", "error=\"%s\"",
		    err.text);
}

static void say_ready(struct app *app)
{
	char text[64];

	if (app->takeover != NULL &&
	    str_format(text, sizeof text, "MAINPID=%d", (int)app_pid(app)) == 0)
		app_notify(app, text);
	app_notify(app, "READY=1");
}

static int serve(struct app *app)
{
	struct err err;
	int rc = 0;

	for (size_t i = 0; i < WORKERS_MAX; i++)
		app->listeners[i] = -1;
	app->n_workers = count_workers(&app->config);
	app->socket_mode = listen_mode();
	if (start(app, &err) < 0) {
		rc = complain(&err);
	} else {
		app_keep_sockets(app);
		app->is_serving = true;
		app_begin(app);
		lifeline_say(app->lifeline, DEPOSIT_READY);
		app_keep_names(app);
		write_late_pid_file(app);
		log_start(app);
		say_ready(app);
		loop_run(app->loop);
		lifeline_say(app->lifeline, DEPOSIT_BYE);
	}
	close_all(app);
	return rc;
}

/* As the parent, as the engine that it starts, or as one process. */
static int run(struct app *app, char **argv, const struct buf *notes)
{
	struct err err;

	if (app->config.parent && !lifeline_is_there()) {
		raise_limit();
		return parent_run(&app->config, argv);
	}
	if (config_read_token(&app->config, &err) < 0)
		return complain(&err);
	print_notes(notes);
	return serve(app);
}

int main(int argc, char **argv)
{
	static struct app app = { .api_fd = -1,
		.metrics_fd = -1,
		.redirect_fd = -1,
		.takeover_fd = -1 };
	enum config_outcome outcome;
	struct buf notes;
	struct err err;
	int rc;

	buf_init(&notes, 65536);
	/* `carrel up` starts programs by descriptor: they would be called "3".
	 */
	(void)prctl(PR_SET_NAME, "carrel-proxy");
	log_open("proxy", LOG_INFO);
	log_set_fd(STDOUT_FILENO);
	if (config_parse(&app.config, argc, argv, &outcome, &notes, &err) < 0) {
		rc = complain(&err);
	} else if (outcome == CONFIG_HELP) {
		rc = print(config_write_help);
	} else if (outcome == CONFIG_MANUAL) {
		rc = print(config_write_manual);
	} else if (outcome == CONFIG_VERSION) {
		rc = puts("carrel-proxy " CARREL_VERSION) < 0;
	} else {
		log_set_level(app.config.log_level);
		rc = run(&app, argv, &notes);
	}
	buf_fini(&notes);
	config_fini(&app.config);
	return rc;
}
