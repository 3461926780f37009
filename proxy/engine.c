/*
 * The program as the engine of a parent (docs/architecture.md "Proxy crash"):
 * what it got from it, what it tells it. Without a parent each of these does
 * what one process does.
 */
#include <signal.h>
#include <unistd.h>

#include "base/sysd.h"
#include "proxy/app.h"
#include "proxy/handover.h"
#include "proxy/lifeline.h"
#include "proxy/page.h"
#include "proxy/sockets.h"
#include "proxy/takeover.h"

int app_open_lifeline(struct app *app, struct err *err)
{
	struct page_counts *counts;

	if (!lifeline_is_there())
		return 0;
	app->lifeline = lifeline_open(err);
	if (app->lifeline == NULL)
		return -1;
	counts = page_counts(lifeline_page(app->lifeline));
	metric_set(&app->inherited.restarts, counts->restarts);
	metric_set(&app->inherited.recovered, counts->recovered);
	metric_set(&app->inherited.lost, counts->lost);
	return 0;
}

struct sockets *app_came(struct app *app)
{
	if (app->takeover != NULL)
		return takeover_sockets(app->takeover);
	return app->lifeline != NULL ? lifeline_sockets(app->lifeline) : NULL;
}

/* ---- signals ------------------------------------------------------------- */

static void on_end(void *arg)
{
	struct app *app = arg;

	app->on_end(SIGTERM, app);
}

static void on_reload(void *arg)
{
	struct app *app = arg;

	app->on_reload(SIGHUP, app);
}

static void on_reopen(void *arg)
{
	struct app *app = arg;

	app->on_reopen(SIGUSR1, app);
}

/* A service manager may send each process of the group its own: those that
 * count are the parent's, which come as messages. */
int app_follow_parent(struct app *app, signal_fn *end, signal_fn *reload,
    signal_fn *reopen, struct err *err)
{
	const struct lifeline_callbacks cb = {
		.on_end = on_end,
		.on_reload = on_reload,
		.on_reopen = on_reopen,
		.arg = app,
	};

	app->on_end = end;
	app->on_reload = reload;
	app->on_reopen = reopen;
	if (signal(SIGTERM, SIG_IGN) == SIG_ERR ||
	    signal(SIGINT, SIG_IGN) == SIG_ERR ||
	    signal(SIGHUP, SIG_IGN) == SIG_ERR ||
	    signal(SIGUSR1, SIG_IGN) == SIG_ERR)
		return err_sys(err, "ignore signals");
	return lifeline_watch(app->lifeline, app->loop, &cb, err);
}

/* ---- telling ------------------------------------------------------------- */

pid_t app_pid(const struct app *app)
{
	return app->lifeline != NULL ? getppid() : getpid();
}

void app_notify(struct app *app, const char *text)
{
	if (app->lifeline != NULL)
		lifeline_notify(app->lifeline, text);
	else
		sysd_notify(text);
}

void app_keep_sockets(struct app *app)
{
	struct handover_socket sockets[WORKERS_MAX + PARCEL_N_LISTENERS];
	size_t n =
	    app_list_sockets(sockets, sizeof sockets / sizeof sockets[0], app);

	for (size_t i = 0; i < n; i++)
		lifeline_keep_socket(app->lifeline, sockets[i].fd,
		    sockets[i].kind, sockets[i].port, sockets[i].text);
}

void app_on_word(int fd, void *arg)
{
	struct app *app = arg;

	if (fd >= 0)
		lifeline_word(app->lifeline, fd);
	else
		lifeline_say(app->lifeline, DEPOSIT_NO_WORD);
}
