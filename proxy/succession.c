/*
 * One proxy after another: what a new process takes over at its start, and what
 * it hands over to the one that comes next (docs/architecture.md "Proxy
 * upgrade").
 */
#include <string.h>

#include "base/fd.h"
#include "base/log.h"
#include "proxy/api.h"
#include "proxy/app.h"
#include "proxy/handover.h"
#include "proxy/journal.h"
#include "proxy/lifeline.h"
#include "proxy/redirect.h"
#include "proxy/relay.h"
#include "proxy/table.h"
#include "proxy/takeover.h"
#include "proxy/tls_house.h"
#include "proxy/worker.h"

#define API_END_MS 200

/* ---- taking over from the process before --------------------------------- */

/* Without one that runs, this is an ordinary start. */
int app_copy_from_before(struct app *app, struct err *err)
{
	const char *path = app->config.takeover_socket;

	if (!app->config.takeover || lifeline_is_recovery(app->lifeline))
		return 0;
	app->takeover = takeover_open(path, err);
	if (app->takeover == NULL && err->code == ERR_NOT_FOUND) {
		log_info(NULL, "there is no proxy to take over from",
		    "socket=%s", path);
		return 0;
	}
	if (app->takeover == NULL)
		return err_wrap(err, "--takeover");
	return takeover_copy(
	    app->takeover, app->table, tls_house_tickets(app->tls), err);
}

static void begin_worker(void *arg)
{
	worker_begin(arg);
}

static void unbox(void *arg)
{
	struct box *b = arg;
	struct err err;

	if (relay_unbox(b->worker, b, &err) < 0)
		log_error(NULL, "a tunnel is lost", "error=\"%s\"", err.text);
}

/* A tunnel that the process before opened late: ours, or the next one's. */
static void on_late_box(struct box *b, void *arg)
{
	struct app *app = arg;

	if (app->has_left) {
		handover_send_box(app->handover, b);
		return;
	}
	b->worker = app->workers[app->next_worker++ % app->n_workers];
	loop_post(b->worker->loop, unbox, b);
}

static void on_before_gone(void *arg)
{
	struct app *app = arg;

	app->is_before_gone = true;
	app_end_if_done(app);
}

/* From here on nothing may fail: the process before has left. */
void app_begin(struct app *app)
{
	const struct takeover_callbacks cb = {
		.on_box = on_late_box,
		.on_gone = on_before_gone,
		.arg = app,
	};
	struct err err;

	app->is_before_gone = app->takeover == NULL;
	for (size_t i = 0; i < app->n_workers; i++)
		loop_post(app->workers[i]->loop, begin_worker, app->workers[i]);
	if (app->takeover == NULL)
		return;
	log_info(NULL, "taken over", "routes=%zu tunnels=%zu",
	    table_count(app->table), takeover_n_tunnels(app->takeover));
	if (takeover_watch(app->takeover, app->loop, &cb, &err) == 0)
		return;
	log_warn(
	    NULL, "the process before is silent", "error=\"%s\"", err.text);
	metrics_forget_open(&app->inherited);
	app->is_before_gone = true;
}

/* ---- handing over to the next one ---------------------------------------- */

static void add_socket(struct handover_socket *out, size_t *n, size_t cap,
    const struct handover_socket *s)
{
	if (s->fd >= 0 && *n < cap)
		out[(*n)++] = *s;
}

size_t app_list_sockets(struct handover_socket *out, size_t cap, void *arg)
{
	const struct app *app = arg;
	const struct config *c = &app->config;
	struct handover_socket s = {
		.kind = PARCEL_PUBLIC,
		.port = app->port,
		.text = c->socket != NULL ? c->socket : c->ip,
	};
	size_t n = 0;

	for (size_t i = 0; i < app->n_workers; i++) {
		s.fd = app->is_serving ? app->workers[i]->listener.fd
				       : app->workers[i]->held_fd;
		add_socket(out, &n, cap, &s);
	}
	s = (struct handover_socket){ PARCEL_API, app->api_fd, app->api_port,
		c->api_socket != NULL ? c->api_socket : app_api_host(c) };
	add_socket(out, &n, cap, &s);
	s = (struct handover_socket){ PARCEL_METRICS, app->metrics_fd,
		app->metrics_port,
		c->metrics_socket != NULL ? c->metrics_socket : c->metrics_ip };
	add_socket(out, &n, cap, &s);
	s = (struct handover_socket){ PARCEL_REDIRECT, app->redirect_fd,
		app->redirect_port, "" };
	add_socket(out, &n, cap, &s);
	s = (struct handover_socket){ PARCEL_TAKEOVER, app->takeover_fd, 0,
		c->takeover_socket };
	add_socket(out, &n, cap, &s);
	return n;
}

/* Answers that were given have gone out meanwhile. */
static void on_api_end(struct timer *t, void *arg)
{
	struct app *app = arg;

	(void)t;
	/* Its counters are reported to the end. */
	memcpy(&app->api_before, api_metrics(app->api), sizeof app->api_before);
	app->metrics[app->n_workers + 1] = &app->api_before;
	api_free(&app->api);
	app_end_if_done(app);
}

void app_close_sockets(struct app *app)
{
	app_stop_names(app);
	sock_name_stop(&app->takeover_name);
	fd_close(&app->api_fd);
	fd_close(&app->metrics_fd);
	fd_close(&app->redirect_fd);
	fd_close(&app->takeover_fd);
}

static void on_left(void *arg)
{
	struct app *app = arg;

	app->has_left = true;
	lifeline_say(app->lifeline, DEPOSIT_LEFT);
	app->has_pid_file = false;
	app->n_draining = app->n_workers;
	redirect_close(&app->redirect);
	app_close_sockets(app);
	journal_close(&app->journal);
	api_leave(app->api);
	timer_start(app->loop, &app->api_end, API_END_MS, on_api_end, app);
	if (app->config.takeover_drain_s > 0)
		timer_start(app->loop, &app->drain,
		    app->config.takeover_drain_s * 1000, app_on_drain_timeout,
		    app);
}

static void on_all_told(void *arg)
{
	struct app *app = arg;

	loop_stop(app->loop);
}

/* The parent goes on with the old socket, and an engine that gets that one
 * from it finds the name leading nowhere like we did. */
static void on_new_socket(int fd, void *arg)
{
	struct app *app = arg;
	struct err err;
	int copy;

	fd_close(&app->takeover_fd);
	app->takeover_fd = fd;
	if (app_duplicate(fd, &copy, &err) < 0 ||
	    handover_listen(app->handover, copy, &err) < 0)
		log_error(NULL, "no other proxy can take over", "why=\"%s\"",
		    err.text);
}

static void keep_name(struct app *app)
{
	app->takeover_name = (struct sock_name){
		.path = app->config.takeover_socket,
		.type = SOCK_SEQPACKET,
		.mode = 0600,
		.uid = (uid_t)-1,
		.gid = (gid_t)-1,
		.fn = on_new_socket,
		.arg = app,
	};
	sock_name_keep(&app->takeover_name, app->loop);
}

int app_open_handover(struct app *app, struct err *err)
{
	const struct handover_options opt = {
		.loop = app->loop,
		.table = app->table,
		.journal = app->journal,
		.tickets = tls_house_tickets(app->tls),
		.workers = app->workers,
		.n_workers = app->n_workers,
		.metrics = app->metrics,
		.n_metrics = app->n_workers + 2,
		.sockets = app_list_sockets,
		.on_word = app_on_word,
		.on_left = on_left,
		.on_end = on_all_told,
		.arg = app,
	};
	int fd;

	if (app->takeover_fd < 0)
		return 0;
	if (app_duplicate(app->takeover_fd, &fd, err) < 0)
		return -1;
	app->handover = handover_new(&opt, fd, err);
	if (app->handover == NULL)
		return -1;
	keep_name(app);
	return 0;
}
