/*
 * Workers: see worker.h.
 */
#include "proxy/worker.h"

#include <assert.h>
#include <signal.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/fd.h"
#include "base/log.h"
#include "base/mem.h"
#include "proxy/access.h"
#include "proxy/config.h"
#include "proxy/conn.h"
#include "proxy/error.h"
#include "proxy/exchange.h"
#include "proxy/listen.h"
#include "proxy/relay.h"
#include "proxy/routes.h"
#include "proxy/tls.h"
#include "proxy/upstream.h"

#define HEAD_MAX         ((size_t)4 * HTTPHEAD_MAX_BYTES)
#define COMPLAINTS_A_SEC 20

static void on_upstream(struct exchange *ex)
{
	conn_run(ex->conn);
}

struct worker *worker_new(
    unsigned id, const struct config *config, int listen_fd)
{
	struct worker *w = xcalloc(1, sizeof *w);

	w->id = id;
	w->config = config;
	w->loop = loop_new();
	w->routes = routes_new(config->host_routing);
	w->backends = backends_new(w->loop, on_upstream, &w->metrics);
	w->scratch = xmalloc(WORKER_SCRATCH);
	buf_init(&w->head, HEAD_MAX);
	buf_init(&w->access_line, ACCESS_LINE_MAX);
	list_init(&w->conns);
	list_init(&w->tunnels);
	list_init(&w->boxes);
	list_init(&w->shakes);
	holds_init(&w->holds, w->loop);
	w->errors = errors_new(w);
	w->held_fd = listen_fd;
	return w;
}

static void *thread_main(void *arg)
{
	struct worker *w = arg;

	loop_run(w->loop);
	return NULL;
}

/* Signals are the main thread's. */
int worker_run(struct worker *w, struct err *err)
{
	sigset_t all, before;
	int rc;

	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	rc = pthread_create(&w->thread, NULL, thread_main, w);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	if (rc != 0)
		return err_set(
		    err, ERR_IO, "start a worker thread: error %d", rc);
	w->has_thread = true;
	return 0;
}

static void stop(void *arg)
{
	struct worker *w = arg;

	loop_stop(w->loop);
}

void worker_free(struct worker **wp)
{
	struct worker *w = *wp;

	*wp = NULL;
	if (w == NULL)
		return;
	if (w->has_thread) {
		loop_post(w->loop, stop, w);
		(void)pthread_join(w->thread, NULL);
	}
	w->is_draining = false;
	listen_stop(w);
	fd_close(&w->held_fd);
	defer_cancel(&w->leaving);
	while (!list_empty(&w->boxes))
		relay_box_free(LIST_ITEM(w->boxes.next, struct box, link));
	while (!list_empty(&w->conns))
		conn_free(LIST_ITEM(w->conns.next, struct conn, link));
	relay_close_all(w);
	holds_fini(&w->holds);
	defer_cancel(&w->shake_turn);
	tls_unref(&w->tls);
	errors_free(&w->errors);
	backends_free(&w->backends);
	routes_free(&w->routes);
	if (w->spare != NULL) {
		buf_fini(&w->spare->sent);
		buf_fini(&w->spare->line);
		free(w->spare);
	}
	buf_fini(&w->head);
	buf_fini(&w->access_line);
	free(w->scratch);
	loop_free(&w->loop);
	free(w);
}

/* ---- orders -------------------------------------------------------------- */

void worker_set_route(struct worker *w, struct route *r)
{
	routes_set(w->routes, r);
	backends_forgive(w->backends, &r->target);
}

void worker_remove_route(struct worker *w, const char *key)
{
	routes_remove(w->routes, key);
}

void worker_set_tls(struct worker *w, struct ssl_ctx_st *tls)
{
	tls_unref(&w->tls);
	w->tls = tls;
}

void worker_set_client_tls(struct worker *w, struct ssl_ctx_st *tls)
{
	backends_set_tls(w->backends, tls);
}

static void say_if_drained(struct worker *w)
{
	if (!w->is_draining || w->n_conns + w->n_tunnels > 0)
		return;
	w->is_draining = false;
	w->on_drained(w, w->drained_arg);
}

void worker_begin(struct worker *w)
{
	int fd = w->held_fd;
	struct err err;

	w->held_fd = -1;
	if (fd >= 0 && listen_start(w, fd, &err) < 0) {
		log_error(NULL, "a worker cannot accept connections",
		    "error=\"%s\"", err.text);
		fd_close(&fd);
	}
	while (!list_empty(&w->boxes)) {
		struct box *b = LIST_ITEM(w->boxes.next, struct box, link);

		list_del(&b->link);
		if (relay_unbox(w, b, &err) < 0)
			log_error(
			    NULL, "a tunnel is lost", "error=\"%s\"", err.text);
	}
}

static void drain(struct worker *w, bool spare_new)
{
	assert(w->on_drained != NULL);
	listen_stop(w);
	fd_close(&w->held_fd);
	w->is_draining = true;
	list_for_each (it, &w->conns) {
		struct conn *c = LIST_ITEM(it, struct conn, link);

		if (c->had_request || !spare_new)
			conn_drain(c);
	}
	say_if_drained(w);
}

void worker_drain(struct worker *w)
{
	drain(w, false);
}

void worker_one_less(struct worker *w)
{
	say_if_drained(w);
}

/* ---- a takeover ---------------------------------------------------------- */

void worker_box(struct worker *w)
{
	relay_box_all(w, &w->boxes);
}

static void send_boxes(void *arg)
{
	struct worker *w = arg;
	bool was_draining = w->is_draining;
	struct list boxes;

	list_init(&boxes);
	/* The last one must be sent before the end is announced. */
	w->is_draining = false;
	relay_box_all(w, &boxes);
	while (!list_empty(&boxes)) {
		struct box *b = LIST_ITEM(boxes.next, struct box, link);

		list_del(&b->link);
		b->worker = w;
		w->on_box(b, w->box_arg);
	}
	w->is_draining = was_draining;
	say_if_drained(w);
}

void worker_leave(struct worker *w)
{
	assert(w->on_box != NULL);
	w->is_leaving = true;
	send_boxes(w);
	drain(w, true);
}

/* Not at once: whoever opened it still has it in hand. */
void worker_more_tunnels(struct worker *w)
{
	if (w->is_leaving)
		defer_call(w->loop, &w->leaving, send_boxes, w);
}

/* ---- time ---------------------------------------------------------------- */

int64_t worker_now_ms(const struct worker *w)
{
	return loop_now_ms(w->loop);
}

int64_t worker_wall_ms(const struct worker *w)
{
	(void)w;
	return clock_wall_us() / 1000;
}

const char *worker_date(struct worker *w)
{
	int64_t now = clock_wall_s();

	if (now != w->date_s) {
		clock_format_http(now, w->date);
		w->date_s = now;
	}
	return w->date;
}

bool worker_may_complain(struct worker *w)
{
	int64_t now = clock_wall_s();

	if (now != w->complaint_s) {
		if (w->n_complaints > COMPLAINTS_A_SEC)
			log_warn(NULL, "more requests failed", "n=%u",
			    w->n_complaints - COMPLAINTS_A_SEC);
		w->complaint_s = now;
		w->n_complaints = 0;
	}
	return w->n_complaints++ < COMPLAINTS_A_SEC;
}
