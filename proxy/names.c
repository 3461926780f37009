/*
 * The names of the unix sockets that the proxy listens on: see app.h. Each is
 * watched by base/sock_name.h, which makes a new socket when it is gone; here
 * the new one gets to those who accept, and to the parent.
 */
#include <sys/stat.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/log.h"
#include "proxy/api.h"
#include "proxy/app.h"
#include "proxy/lifeline.h"
#include "proxy/listen.h"
#include "proxy/worker.h"

static bool is_it(const struct app_name *n)
{
	struct stat st;

	return n->sock.loop != NULL && lstat(n->sock.path, &st) == 0 &&
	       S_ISSOCK(st.st_mode) && st.st_dev == n->dev &&
	       st.st_ino == n->ino;
}

/* By this we know our own: another program may take the place. */
static void note_file(struct app_name *n)
{
	struct stat st = { .st_ino = 0 };

	if (lstat(n->sock.path, &st) < 0)
		st.st_ino = 0;
	n->dev = st.st_dev;
	n->ino = st.st_ino;
}

/* The parent gives the next engine what is in force now. */
static void tell_parent(struct app *app)
{
	if (app->is_ending || app->has_left)
		return;
	app_keep_sockets(app);
	lifeline_say(app->lifeline, DEPOSIT_READY);
}

static void complain(const char *path, const struct err *err)
{
	log_error(NULL, "nobody can connect to a socket any more",
	    "path=%s why=\"%s\" advice=\"start the proxy again\"", path,
	    err->text);
}

/* ---- the public one ------------------------------------------------------ */

static void on_moved(void *arg)
{
	struct app_move *m = arg;

	if (--m->app->n_moving == 0)
		tell_parent(m->app);
}

/* On the worker's thread. */
static void move(void *arg)
{
	struct app_move *m = arg;
	struct err err;

	if (listen_replace(m->worker, m->fd, &err) < 0)
		complain(m->app->config.socket, &err);
	loop_post(m->app->loop, on_moved, m);
}

static void on_new_public(int fd, void *arg)
{
	struct app *app = arg;
	size_t n = 0;
	struct err err;

	note_file(&app->names[APP_PUBLIC]);
	/* A worker still has the one before: in two seconds, then. */
	for (; app->n_moving == 0 && n < app->n_workers; n++) {
		struct app_move *m = &app->moves[n];

		*m = (struct app_move){ app, app->workers[n], -1 };
		if (app_duplicate(fd, &m->fd, &err) == 0)
			continue;
		complain(app->config.socket, &err);
		break;
	}
	fd_close(&fd);
	app->n_moving += n;
	for (size_t i = 0; i < n; i++)
		loop_post(app->workers[i]->loop, move, &app->moves[i]);
}

/* ---- those of the API ---------------------------------------------------- */

static void on_new_of_api(struct app *app, enum app_named which, int fd,
    int *kept, int (*listen_on)(struct api *a, int fd, struct err *err))
{
	struct app_name *n = &app->names[which];
	struct err err;
	int copy;

	note_file(n);
	fd_close(kept);
	*kept = fd;
	if (app_duplicate(fd, &copy, &err) < 0 ||
	    listen_on(app->api, copy, &err) < 0)
		complain(n->sock.path, &err);
	tell_parent(app);
}

static void on_new_api(int fd, void *arg)
{
	struct app *app = arg;

	on_new_of_api(app, APP_API, fd, &app->api_fd, api_listen_again);
}

static void on_new_metrics(int fd, void *arg)
{
	struct app *app = arg;

	on_new_of_api(
	    app, APP_METRICS, fd, &app->metrics_fd, api_listen_metrics_again);
}

/* ---- all of them --------------------------------------------------------- */

static void keep(
    struct app *app, enum app_named which, const char *path, sock_name_fn *fn)
{
	struct app_name *n = &app->names[which];

	if (path == NULL)
		return;
	n->sock = (struct sock_name){
		.path = path,
		.type = SOCK_STREAM,
		.mode = app->socket_mode,
		.uid = (uid_t)-1,
		.gid = (gid_t)-1,
		.fn = fn,
		.arg = app,
	};
	note_file(n);
	sock_name_keep(&n->sock, app->loop);
}

void app_keep_names(struct app *app)
{
	const struct config *c = &app->config;

	keep(app, APP_PUBLIC, c->socket, on_new_public);
	keep(app, APP_API, c->api_socket, on_new_api);
	keep(app, APP_METRICS, c->metrics_socket, on_new_metrics);
}

void app_stop_names(struct app *app)
{
	for (size_t i = 0; i < APP_N_NAMED; i++) {
		sock_name_stop(&app->names[i].sock);
		app->names[i].sock.loop = NULL;
	}
}

void app_remove_names(struct app *app)
{
	for (size_t i = 0; i < APP_N_NAMED; i++)
		if (is_it(&app->names[i]))
			(void)unlink(app->names[i].sock.path);
	app_stop_names(app);
}
