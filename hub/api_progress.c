/*
 * The steps of a start as server-sent events (contract/hub.md 4.8). Every
 * connection is told the story from its beginning; the stream ends with ready
 * or failed, never with a ready that is not true.
 */
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "hub/handlers.h"
#include "hub/model.h"
#include "hub/reply.h"
#include "hub/web.h"

#define KEEP_ALIVE_MS 8000
#define QUEUE_MAX     65536

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

/* The only HTML that we send; a name can have any byte. */
static const char *escaped(struct arena *a, const char *s)
{
	struct buf b;

	buf_init(&b, strlen(s) * 6 + 1);
	for (; *s; s++) {
		if (strchr("&<>\"'", *s))
			buf_printf(&b, "&#%d;", *s);
		else
			buf_char(&b, *s);
	}
	const char *out = arena_strdup(a, buf_view(&b));
	buf_fini(&b);
	return out;
}

static json_t *ready_event(struct stream *st, const struct server *s)
{
	struct arena *a = &st->r->http->arena;
	const char *url =
	    server_path(st->r->app, a, server_user(s), server_name(s));
	const char *html = escaped(a, url);

	return json_pack("{s:i, s:b, s:s, s:s, s:s}", "progress", 100, "ready",
	    1, "message", arena_printf(a, "Server ready at %s", url),
	    "html_message",
	    arena_printf(
		a, "Server ready at <a href=\"%s\">%s</a>", html, html),
	    "url", url);
}

static json_t *failed_event(struct stream *st, const char *why)
{
	struct arena *a = &st->r->http->arena;
	const char *text =
	    why ? arena_printf(a, "Spawn failed: %s", why) : "Spawn cancelled";

	return json_pack(
	    "{s:i, s:b, s:s}", "progress", 100, "failed", 1, "message", text);
}

static void on_step(struct server_watch *w, struct server *s,
    const struct server_progress *p, void *arg)
{
	struct stream *st = arg;

	(void)w;
	if (st->told_end)
		return;
	st->told_end = p->ready || p->failed;
	if (p->ready)
		send_event(st, ready_event(st, s));
	else if (p->failed)
		send_event(st, failed_event(st, p->message));
	else
		send_event(st, json_pack("{s:i, s:s}", "progress", p->percent,
				   "message", p->message));
}

static void on_end(struct server_watch *w, struct server *s, void *arg)
{
	struct stream *st = arg;

	(void)w;
	if (!st->told_end)
		send_event(st, server_is_ready(s)
				   ? ready_event(st, s)
				   : failed_event(st, server_failure(s)));
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
	if (server_pending(s))
		send_event(st, json_pack("{s:i, s:s}", "progress", 0, "message",
				   "Server requested"));
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
