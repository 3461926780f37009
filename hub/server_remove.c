/*
 * See server_remove.h.
 */
#include "hub/server_remove.h"

#include <stdlib.h>

#include "base/log.h"
#include "base/mem.h"
#include "db/server.h"
#include "hub/app.h"
#include "hub/server.h"

/* Waits until the server is at rest; it outlives the request, which may be
 * answered before. */
struct removal {
	struct server_watch watch;
	struct app *app;
	int64_t row_id;
};

int server_remove(struct app *app, int64_t id, struct err *err)
{
	struct server *s = server_by_id(app, id);

	if (s && server_stop(app, s, err) != 0)
		return -1;
	return server_row_delete(app->db, id, err);
}

int server_remove_wish(struct app *app, const struct server *s, struct err *err)
{
	return server_row_set_removing(app->db, server_id(s), err);
}

static void remove_now(struct app *app, int64_t id)
{
	struct err err;

	if (server_remove(app, id, &err) != 0)
		log_error(NULL, "server not removed", "why=\"%s\"", err.text);
}

static void on_settled(struct server_watch *w, struct server *s, void *arg)
{
	struct removal *m = arg;

	(void)w;
	if (!server_is_ready(s))
		remove_now(m->app, m->row_id);
	free(m);
}

void server_remove_later(struct app *app, struct server *s)
{
	struct removal *m = xcalloc(1, sizeof *m);

	*m = (struct removal){ .app = app, .row_id = server_id(s) };
	m->watch.settled = on_settled;
	m->watch.arg = m;
	server_watch_start(s, &m->watch);
}

/* ---- after a restart ----------------------------------------------------- */

struct found {
	int64_t *ids;
	size_t n, cap;
};

static int note_row(const struct server_row *row, void *arg, struct err *err)
{
	struct found *f = arg;

	(void)err;
	if (f->n == f->cap) {
		f->cap = f->cap > 0 ? 2 * f->cap : 16;
		f->ids = xreallocarray(f->ids, f->cap, sizeof *f->ids);
	}
	f->ids[f->n++] = row->id;
	return 0;
}

void server_removals_resume(struct app *app)
{
	struct found f = { .n = 0 };
	struct err err;

	if (server_row_each_removing(app->db, note_row, &f, &err) != 0)
		log_error(
		    NULL, "servers are not removed", "why=\"%s\"", err.text);
	for (size_t i = 0; i < f.n; i++) {
		struct server *s = server_by_id(app, f.ids[i]);

		if (s)
			server_remove_later(app, s);
		else
			remove_now(app, f.ids[i]);
	}
	if (f.n > 0)
		log_info(NULL, "servers that were to be removed", "n=%zu", f.n);
	free(f.ids);
}
