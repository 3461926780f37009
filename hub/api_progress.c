/*
 * The steps of a start as server-sent events (contract/hub.md 4.8). Every
 * connection is told the story from its beginning; the stream ends with ready
 * or failed, never with a ready that is not true.
 */
#include <stdlib.h>
#include <string.h>

#include "hub/handlers.h"
#include "hub/model.h"
#include "hub/reply.h"
#include "hub/tmpl.h"
#include "hub/web.h"

#define KEEP_ALIVE_MS 8000
#define QUEUE_MAX     65536
#define LINK_MAX      16384

struct stream {
	struct req *r;
	struct server_watch watch;
	struct timer keep_alive;
	bool told_end;
};

static void stream_stop(struct stream *st)
{
	server_watch_stop(&st->watch);
	timer_stop(&st->keep_alive);
	st->r->on_gone = NULL;
}

static void on_stream_gone(struct req *r)
{
	stream_stop(r->state);
}

static void send_event(struct stream *st, json_t *take)
{
	struct arena *a = &st->r->http->arena;
	size_t len;
	char *text = json_text(take, &len);
	const char *line = arena_printf(a, "data: %s\n\n", text);

	free(text);
	json_decref(take);
	http_stream_write(st->r->http, line, strlen(line));
}

/* ---- events ------------------------------------------------------- */

/* The contract's html_message is the one piece of HTML within JSON. */
static const char *ready_link(struct stream *st, const json_t *data)
{
	const char *html = "";
	struct err err = { 0 };
	struct buf b;

	buf_init(&b, LINK_MAX);
	if (tmpl_render(st->r->app->web->pages, "ready_link", data, NULL, &b,
		&err) == 0)
		html = arena_strndup(&st->r->http->arena, buf_view(&b),
		    strcspn(buf_view(&b), "\n"));
	buf_fini(&b);
	return html;
}

static json_t *ready_event(struct stream *st, const struct server *s)
{
	struct arena *a = &st->r->http->arena;
	const char *url =
	    server_url(st->r->app, a, server_user(s), server_name(s));
	json_t *ev = json_pack("{s:i, s:b, s:s, s:s}", "progress", 100, "ready",
	    1, "message", arena_printf(a, "Server ready at %s", url), "url",
	    url);

	json_object_set_new(
	    ev, "html_message", json_string(ready_link(st, ev)));
	return ev;
}

static json_t *failed_event(const char *text)
{
	return json_pack(
	    "{s:i, s:b, s:s}", "progress", 100, "failed", 1, "message", text);
}

static void on_step(struct server_watch *w, struct server *s,
    const struct server_progress *p, void *arg)
{
	struct stream *st = arg;

	(void)w;
	st->told_end = p->ready || p->failed;
	if (p->ready)
		send_event(st, ready_event(st, s));
	else if (p->failed)
		send_event(st, failed_event(p->message));
	else
		send_event(st, json_pack("{s:i, s:s}", "progress", p->percent,
				   "message", p->message));
}

static const char *failure_text(struct stream *st, const struct server *s)
{
	const char *why = server_failure(s);

	return why ? arena_printf(&st->r->http->arena, "Spawn failed: %s", why)
		   : "Spawn cancelled";
}

static void on_end(struct server_watch *w, struct server *s, void *arg)
{
	struct stream *st = arg;

	(void)w;
	if (!st->told_end && server_is_ready(s))
		send_event(st, ready_event(st, s));
	else if (!st->told_end)
		send_event(st, failed_event(failure_text(st, s)));
	stream_stop(st);
	http_stream_end(st->r->http);
}

/* ---- the stream --------------------------------------------------- */

/* Also how a stream learns that its reader has left. */
static void on_keep_alive(struct timer *t, void *arg)
{
	struct stream *st = arg;

	if (http_stream_write(st->r->http, "\n\n", 2))
		timer_start(
		    st->r->app->loop, t, KEEP_ALIVE_MS, on_keep_alive, st);
}

static void stream_server(struct req *r, struct server *s)
{
	struct stream *st = arena_alloc(&r->http->arena, sizeof *st);

	*st = (struct stream){ .r = r,
		.watch = { .fn = on_step, .settled = on_end, .arg = st } };
	r->state = st;
	r->on_gone = on_stream_gone;
	reply_set_stream(r, "text/event-stream");
	http_stream_begin(r->http, 200, QUEUE_MAX);
	on_keep_alive(&st->keep_alive, st);
	server_watch_start(s, &st->watch);
}

void api_server_progress(struct req *r)
{
	const char *name = req_server_name(r);
	struct user user;

	if (req_user(r, &user) != 0)
		return;
	struct server *s = server_by_name(r->app, user.name, name);
	if (!s)
		reply_error(r, 404, "%s has no active server named '%s'",
		    user.name, name);
	else if (!server_is_ready(s) && !server_pending(s) &&
		 !server_failure(s))
		reply_error(r, 400, "%s is not starting...",
		    req_server_log_name(r, user.name, name));
	else
		stream_server(r, s);
}
