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
#include <sys/resource.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fd.h"
#include "base/json.h"
#include "base/log.h"
#include "base/loop.h"
#include "base/mem.h"
#include "base/sysd.h"
#include "proxy/api.h"
#include "proxy/config.h"
#include "proxy/journal.h"
#include "proxy/listen.h"
#include "proxy/redirect.h"
#include "proxy/table.h"
#include "proxy/tls_house.h"
#include "proxy/worker.h"

#define WORKERS_MAX 256

struct app {
	struct config config;
	struct loop *loop;
	struct table *table;
	struct journal *journal;
	struct api *api;
	struct tls_house *tls;
	struct redirect *redirect;
	struct worker *workers[WORKERS_MAX];
	struct metrics *metrics[WORKERS_MAX];
	int listeners[WORKERS_MAX]; /* until the workers have them */
	size_t n_workers;
	size_t n_running; /* threads */
	size_t n_draining;
	int api_fd, metrics_fd;
	uint16_t port, api_port, redirect_port;
	bool is_ending, has_pid_file;
	struct timer drain;
};

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

static int print_help(void)
{
	struct buf b;

	buf_init(&b, 65536);
	config_write_help(&b);
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

static int listen_one(const char *ip, int port, const char *path, int *fd,
    uint16_t *port_out, struct err *err)
{
	if (path != NULL)
		return listen_unix(path, fd, 1, err);
	return listen_tcp(ip, (uint16_t)port, fd, 1, port_out, err);
}

static const char *api_host(const struct config *c)
{
	return str_eq(c->api_ip, "localhost") ? "127.0.0.1" : c->api_ip;
}

static int open_listeners(struct app *app, struct err *err)
{
	const struct config *c = &app->config;
	uint16_t port;
	int rc;

	if (c->socket != NULL)
		rc =
		    listen_unix(c->socket, app->listeners, app->n_workers, err);
	else
		rc = listen_tcp(c->ip, (uint16_t)c->port, app->listeners,
		    app->n_workers, &app->port, err);
	if (rc < 0)
		return err_wrap(err, "public port");
	if (listen_one(api_host(c), c->api_port, c->api_socket, &app->api_fd,
		&app->api_port, err) < 0)
		return err_wrap(err, "REST API");
	if (c->metrics_port == CONFIG_PORT_UNSET && c->metrics_socket == NULL)
		return 0;
	if (listen_one(c->metrics_ip, c->metrics_port, c->metrics_socket,
		&app->metrics_fd, &port, err) < 0)
		return err_wrap(err, "metrics");
	return 0;
}

/* ---- routes -------------------------------------------------------------- */

static int load_set(struct table *t, const json_t *line, struct err *err)
{
	int64_t at = 0, now = clock_wall_us() / 1000;
	json_t *routes, *data;
	const char *key;

	if (json_get_int(line, "at", 0, INT64_MAX, &at, err) < 0)
		return -1;
	if (json_get_obj(line, "route", &routes, err) < 1)
		return err_set(err, ERR_INVALID, "the line has no route");
	json_object_foreach (routes, key, data) {
		if (table_load(t, key, data, at < now ? at : now, err) < 0)
			return -1;
	}
	return 0;
}

static int load_line(const json_t *line, void *arg, struct err *err)
{
	struct table *t = arg;
	const char *op = NULL, *path = NULL;

	if (json_get_str(line, "op", 16, &op, err) < 1)
		return err_set(err, ERR_INVALID, "the line has no \"op\"");
	if (str_eq(op, "set"))
		return load_set(t, line, err);
	if (!str_eq(op, "delete"))
		return err_set(err, ERR_INVALID, "unknown \"op\"");
	if (json_get_str(line, "path", 65536, &path, err) < 1)
		return err_set(err, ERR_INVALID, "the line has no \"path\"");
	table_unload(t, path);
	return 0;
}

static size_t snapshot(struct buf *out, void *arg)
{
	table_write_journal(arg, out);
	return table_count(arg);
}

static int load_default(struct app *app, struct err *err)
{
	json_t *data;
	int rc;

	if (app->config.default_target == NULL)
		return 0;
	data = json_pack("{s:s}", "target", app->config.default_target);
	if (data == NULL)
		return err_set(
		    err, ERR_INVALID, "--default-target: it is no UTF-8 text");
	rc = table_load(app->table, "/", data, clock_wall_us() / 1000, err);
	json_decref(data);
	if (rc < 0)
		return err_wrap(err, "--default-target");
	log_info(NULL, "Route added", "/ -> %s", app->config.default_target);
	return 0;
}

static int load_routes(struct app *app, struct err *err)
{
	app->table = table_new(app->loop, app->config.host_routing);
	if (app->config.journal != NULL) {
		app->journal = journal_open(
		    app->loop, app->config.journal, load_line, app->table, err);
		if (app->journal == NULL)
			return err_wrap(err, "--journal");
		journal_set_snapshot(app->journal, snapshot, app->table);
		log_info(NULL, "routes are loaded", "n=%zu file=%s",
		    table_count(app->table), app->config.journal);
	}
	return load_default(app, err);
}

/* ---- workers ------------------------------------------------------------- */

static void on_drained(struct worker *w, void *arg);

static int make_workers(struct app *app, struct err *err)
{
	for (size_t i = 0; i < app->n_workers; i++) {
		app->workers[i] = worker_new(
		    (unsigned)i, &app->config, app->listeners[i], err);
		app->listeners[i] = -1;
		if (app->workers[i] == NULL)
			return -1;
		app->metrics[i] = &app->workers[i]->metrics;
		app->workers[i]->on_drained = on_drained;
		app->workers[i]->drained_arg = app;
	}
	tls_house_serve(app->tls, app->workers, app->n_workers);
	table_serve(app->table, app->workers, app->n_workers, app->journal);
	return 0;
}

static int run_workers(struct app *app, struct err *err)
{
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
		.metrics = app->metrics,
		.n_metrics = app->n_workers,
		.tls = tls_house_api(app->tls),
	};
	int fd = app->api_fd;

	app->api = api_new(&opt);
	tls_house_serve_api(app->tls, app->api);
	app->api_fd = -1;
	if (api_listen(app->api, fd, err) < 0)
		return err_wrap(err, "REST API");
	fd = app->metrics_fd;
	app->metrics_fd = -1;
	if (fd >= 0 && api_listen_metrics(app->api, fd, err) < 0)
		return err_wrap(err, "metrics");
	return 0;
}

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
	int fd = -1;

	if (c->redirect_port == CONFIG_PORT_UNSET)
		return 0;
	if (listen_one(
		"", c->redirect_port, NULL, &fd, &app->redirect_port, err) < 0)
		return err_wrap(err, "redirect port");
	app->redirect = redirect_open(&opt, fd, err);
	return app->redirect == NULL ? -1 : 0;
}

/* ---- the end ------------------------------------------------------------- */

static void remove_files(struct app *app)
{
	if (app->has_pid_file)
		(void)unlink(app->config.pid_file);
	app->has_pid_file = false;
}

static void on_all_drained(void *arg)
{
	struct app *app = arg;

	if (--app->n_draining == 0)
		loop_stop(app->loop);
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

static void on_drain_timeout(struct timer *t, void *arg)
{
	struct app *app = arg;

	(void)t;
	log_warn(NULL, "the time to drain is over", "seconds=%lld",
	    (long long)app->config.drain_s);
	loop_stop(app->loop);
}

/* The first one drains, the second one ends. */
static void on_signal(int signo, void *arg)
{
	struct app *app = arg;

	log_warn(NULL, app->is_ending ? "ending at once" : "ending",
	    "signal=%d", signo);
	sysd_notify("STOPPING=1");
	remove_files(app);
	if (app->is_ending || app->config.drain_s == 0) {
		loop_stop(app->loop);
		return;
	}
	app->is_ending = true;
	app->n_draining = app->n_workers;
	for (size_t i = 0; i < app->n_workers; i++)
		loop_post(app->workers[i]->loop, drain_worker, app->workers[i]);
	timer_start(app->loop, &app->drain, app->config.drain_s * 1000,
	    on_drain_timeout, app);
}

static void on_hup(int signo, void *arg)
{
	struct app *app = arg;

	(void)signo;
	tls_house_reload(app->tls);
}

static int take_signals(struct app *app, struct err *err)
{
	if (signal(SIGPIPE, SIG_IGN) == SIG_ERR)
		return err_sys(err, "ignore SIGPIPE");
	if (loop_signal(app->loop, SIGTERM, on_signal, app, err) < 0 ||
	    loop_signal(app->loop, SIGINT, on_signal, app, err) < 0 ||
	    loop_signal(app->loop, SIGHUP, on_hup, app, err) < 0)
		return -1;
	return 0;
}

static void close_all(struct app *app)
{
	struct err err;

	timer_stop(&app->drain);
	api_free(&app->api);
	redirect_close(&app->redirect);
	for (size_t i = 0; i < app->n_workers; i++)
		worker_free(&app->workers[i]);
	tls_house_free(&app->tls);
	for (size_t i = 0; i < app->n_workers; i++)
		fd_close(&app->listeners[i]);
	fd_close(&app->api_fd);
	fd_close(&app->metrics_fd);
	if (app->journal != NULL && app->n_running > 0 &&
	    journal_finish(app->journal, &err) < 0)
		log_error(NULL, "the journal cannot be compacted",
		    "error=\"%s\"", err.text);
	journal_close(&app->journal);
	table_free(&app->table);
	loop_free(&app->loop);
	remove_files(app);
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
	if (str_format(text, sizeof text, "%d", (int)getpid()) < 0)
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
	if (c->socket != NULL)
		log_info(NULL, "Proxying", "unix:%s workers=%zu", c->socket,
		    app->n_workers);
	else
		log_info(NULL, "Proxying", "%s://%s:%u workers=%zu",
		    config_has_tls(c) ? "https" : "http",
		    c->ip[0] == '\0' ? "*" : c->ip, (unsigned)app->port,
		    app->n_workers);
	if (app->redirect != NULL)
		log_info(NULL, "Added HTTP to HTTPS redirection", "from=%u",
		    (unsigned)app->redirect_port);
	if (c->api_socket != NULL)
		log_info(NULL, "REST API", "unix:%s", c->api_socket);
	else
		log_info(NULL, "REST API", "%s://%s:%u/api/routes",
		    config_has_api_tls(c) ? "https" : "http", c->api_ip,
		    (unsigned)app->api_port);
}

static int start(struct app *app, struct err *err)
{
	raise_limit();
	app->loop = loop_new();
	app->tls = tls_house_new(app->loop, &app->config, err);
	if (app->tls == NULL)
		return -1;
	if (take_signals(app, err) < 0 || open_listeners(app, err) < 0 ||
	    load_routes(app, err) < 0 || make_workers(app, err) < 0 ||
	    open_api(app, err) < 0 || open_redirect(app, err) < 0 ||
	    write_pid_file(app, err) < 0 || run_workers(app, err) < 0)
		return -1;
	return 0;
}

static int serve(struct app *app)
{
	struct err err;
	int rc = 0;

	for (size_t i = 0; i < WORKERS_MAX; i++)
		app->listeners[i] = -1;
	app->n_workers = count_workers(&app->config);
	if (start(app, &err) < 0) {
		rc = complain(&err);
	} else {
		log_start(app);
		sysd_notify("READY=1");
		loop_run(app->loop);
	}
	close_all(app);
	return rc;
}

int main(int argc, char **argv)
{
	static struct app app = { .api_fd = -1, .metrics_fd = -1 };
	enum config_outcome outcome;
	struct buf notes;
	struct err err;
	int rc;

	buf_init(&notes, 65536);
	log_open("proxy", LOG_INFO);
	log_set_fd(STDOUT_FILENO);
	if (config_parse(&app.config, argc, argv, &outcome, &notes, &err) < 0 ||
	    config_read_token(&app.config, &err) < 0) {
		rc = complain(&err);
	} else if (outcome == CONFIG_HELP) {
		rc = print_help();
	} else if (outcome == CONFIG_VERSION) {
		rc = puts("carrel-proxy " CARREL_VERSION) < 0;
	} else {
		log_set_level(app.config.log_level);
		print_notes(&notes);
		rc = serve(&app);
	}
	buf_fini(&notes);
	config_fini(&app.config);
	return rc;
}
