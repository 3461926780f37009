/*
 * The old side of a takeover: see handover.h. One new process at a time. What
 * is sent next follows from the step alone (next_message), and only when the
 * message before has gone: nothing is queued but tunnels that open late.
 */
#include "proxy/handover.h"

#include <assert.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/list.h"
#include "base/log.h"
#include "base/mem.h"
#include "proxy/cell.h"
#include "proxy/journal.h"
#include "proxy/relay.h"
#include "proxy/table.h"
#include "proxy/tls_ticket.h"
#include "proxy/worker.h"

#define COPY_MS     30000 /* for everything before tunnels rest */
#define REST_MS     5000  /* they rest at most this long */
#define REPORT_MS   1000
#define SOCKETS_MAX 320

enum step {
	IDLE,
	HELLO,   /* somebody is connected */
	QUIET,   /* changes of routes come to an end */
	ROUTES,  /* sockets, routes and cells go over */
	PREPARE, /* the new one builds itself up */
	BOXING,  /* the workers put tunnels at rest */
	TUNNELS, /* they go over */
	READY,   /* the new one has all */
	GO,      /* it may begin */
	LEFT,    /* it has begun: only reports */
	ENDING,  /* the last report */
};

struct sent_cell {
	struct cell *cell;
	int64_t last_ms; /* that the other one knows */
};

struct handover {
	struct handover_options opt;
	enum step step;
	struct watch listener, peer;
	struct timer timer; /* the deadline, later the next report */
	struct parcel_in in;
	struct parcel_out out;
	_Atomic uint32_t *word;
	int word_fd;
	size_t n_boxing; /* workers that have not answered */

	/* How far the sending is: */
	struct handover_socket sockets[SOCKETS_MAX];
	size_t n_sockets, socket_at;
	size_t table_at;
	struct sent_cell *cells;
	size_t n_cells, cap_cells, cell_at;
	size_t worker_at;
	struct list *box_at;
	bool tickets_due, counters_due, activity_due, has_said_goodbye;
	struct list late;   /* boxes */
	struct box *on_way; /* the late one whose message is being sent */
	struct buf text;
};

static void push(struct handover *h);
static void fail(struct handover *h, const struct err *why, bool is_gone);

/* ---- the shared word ----------------------------------------------------- */

static int word_open(struct handover *h, struct err *err)
{
	const int seals = F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL;
	void *p;

	h->word_fd = memfd_create("takeover", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	if (h->word_fd < 0 || ftruncate(h->word_fd, sizeof *h->word) < 0 ||
	    fcntl(h->word_fd, F_ADD_SEALS, seals) < 0)
		return err_sys(err, "make shared memory");
	p = mmap(NULL, sizeof *h->word, PROT_READ | PROT_WRITE, MAP_SHARED,
	    h->word_fd, 0);
	if (p == MAP_FAILED)
		return err_sys(err, "map shared memory");
	h->word = p;
	h->opt.on_word(h->word_fd, h->opt.arg);
	return 0;
}

static void word_close(struct handover *h)
{
	if (h->word != NULL) {
		h->opt.on_word(-1, h->opt.arg);
		(void)munmap((void *)h->word, sizeof *h->word);
	}
	h->word = NULL;
	fd_close(&h->word_fd);
}

/* false: the new one was faster and has begun. */
static bool word_abort(struct handover *h)
{
	uint32_t expected = PARCEL_OPEN;

	return h->word == NULL || atomic_compare_exchange_strong(
				      h->word, &expected, PARCEL_ABORTED);
}

/* ---- the session --------------------------------------------------------- */

static void forget_cells(struct handover *h)
{
	for (size_t i = 0; i < h->n_cells; i++)
		cell_unref(&h->cells[i].cell);
	free(h->cells);
	h->cells = NULL;
	h->n_cells = h->cap_cells = h->cell_at = 0;
}

static void hang_up(struct handover *h)
{
	int fd = h->peer.fd;

	if (h->peer.loop == NULL)
		return;
	watch_stop(&h->peer);
	fd_close(&fd);
	parcel_in_fini(&h->in);
	parcel_out_fini(&h->out);
	word_close(h);
}

static void free_boxes(struct list *boxes)
{
	while (!list_empty(boxes))
		relay_box_free(LIST_ITEM(boxes->next, struct box, link));
}

static void forget_session(struct handover *h)
{
	timer_stop(&h->timer);
	hang_up(h);
	forget_cells(h);
	h->step = IDLE;
}

static void unbox(void *arg)
{
	worker_begin(arg);
}

/* On the worker's thread */
static void box(void *arg);

static void order_all(struct handover *h, defer_fn *fn)
{
	for (size_t i = 0; i < h->opt.n_workers; i++)
		loop_post(h->opt.workers[i]->loop, fn, h->opt.workers[i]);
}

static void on_deadline(struct timer *timer, void *arg)
{
	struct err err;

	(void)timer;
	(void)err_set(&err, ERR_TIMEOUT, "it took too long");
	fail(arg, &err, false);
}

static void set_deadline(struct handover *h, int64_t ms)
{
	timer_start(h->opt.loop, &h->timer, ms, on_deadline, h);
}

/* ---- leaving ------------------------------------------------------------- */

static void on_report_time(struct timer *timer, void *arg)
{
	struct handover *h = arg;

	(void)timer;
	h->counters_due = h->activity_due = true;
	timer_start(h->opt.loop, &h->timer, REPORT_MS, on_report_time, h);
	push(h);
}

static void leave(void *arg)
{
	worker_leave(arg);
}

/* The new one has begun: nothing of this is ours any more. */
static void commit(struct handover *h)
{
	int fd = h->listener.fd;

	log_info(NULL, "another process has taken over", "routes=%zu",
	    table_count(h->opt.table));
	h->step = LEFT;
	watch_stop(&h->listener);
	fd_close(&fd);
	for (size_t i = 0; i < h->opt.n_workers; i++)
		free_boxes(&h->opt.workers[i]->boxes);
	table_leave(h->opt.table);
	order_all(h, leave);
	timer_start(h->opt.loop, &h->timer, 0, on_report_time, h);
	h->opt.on_left(h->opt.arg);
}

/* It began and died before it could say so: what it had in hand is lost. */
static void lose_tunnels(struct handover *h)
{
	log_error(NULL, "the new process died in the moment it began",
	    "effect=\"open tunnels are closed\"");
	for (size_t i = 0; i < h->opt.n_workers; i++)
		free_boxes(&h->opt.workers[i]->boxes);
}

static void end(struct handover *h)
{
	timer_stop(&h->timer);
	hang_up(h);
	h->opt.on_end(h->opt.arg);
}

/* After the change of hands the other one is only a listener. */
static void fail_late(struct handover *h, const struct err *why)
{
	log_warn(
	    NULL, "the new process does not listen", "error=\"%s\"", why->text);
	timer_stop(&h->timer);
	hang_up(h);
	free_boxes(&h->late);
	if (h->step == ENDING)
		end(h);
}

static void fail(struct handover *h, const struct err *why, bool is_gone)
{
	bool is_aborted;

	if (h->step >= LEFT) {
		fail_late(h, why);
		return;
	}
	is_aborted = word_abort(h);
	if (!is_aborted && !is_gone) {
		commit(h);
		return;
	}
	log_warn(NULL, "a takeover was given up", "error=\"%s\"", why->text);
	if (!is_aborted)
		lose_tunnels(h);
	else if (h->step >= BOXING)
		order_all(h, unbox);
	if (h->step >= QUIET)
		table_thaw(h->opt.table);
	forget_session(h);
}

/* ---- what is sent -------------------------------------------------------- */

static bool send_plain(struct handover *h, enum parcel_type type)
{
	const struct parcel p = { .type = type };

	parcel_out_set(&h->out, &p, NULL, 0);
	return true;
}

static bool send_socket(struct handover *h)
{
	const struct handover_socket *s = &h->sockets[h->socket_at++];
	const struct parcel p = {
		.type = PARCEL_LISTENER,
		.kind = s->kind,
		.port = s->port,
		.text = slice_of(s->text),
	};

	parcel_out_set(&h->out, &p, &s->fd, 1);
	return true;
}

static bool send_tickets(struct handover *h)
{
	struct parcel p = { .type = PARCEL_TICKETS };

	h->tickets_due = false;
	buf_reset(&h->text);
	tls_tickets_save(h->opt.tickets, &h->text);
	p.text = slice_make(buf_view(&h->text), h->text.len);
	parcel_out_set(&h->out, &p, NULL, 0);
	return true;
}

static void remember_cell(struct handover *h, struct cell *c, int64_t last_ms)
{
	if (h->n_cells == h->cap_cells) {
		h->cap_cells = h->cap_cells > 0 ? 2 * h->cap_cells : 64;
		h->cells =
		    xreallocarray(h->cells, h->cap_cells, sizeof *h->cells);
	}
	cell_set_number(c, (uint32_t)h->n_cells);
	h->cells[h->n_cells++] = (struct sent_cell){ cell_ref(c), last_ms };
}

static bool send_route(struct handover *h)
{
	struct parcel p = { .type = PARCEL_ROUTE };
	struct table_cell cell;

	if (!table_next_cell(h->opt.table, &h->table_at, &cell))
		return false;
	buf_reset(&h->text);
	if (cell.object != NULL) {
		buf_str(&h->text, cell.object);
		buf_char(&h->text, '}');
	}
	p.key = slice_of(cell.key);
	p.has_route = cell.object != NULL;
	p.object = slice_make(buf_view(&h->text), h->text.len);
	p.last_ms = cell_last_ms(cell.cell);
	if (p.last_ms < 0)
		p.last_ms = 0;
	remember_cell(h, cell.cell, p.last_ms);
	parcel_out_set(&h->out, &p, NULL, 0);
	return true;
}

static bool send_routes(struct handover *h)
{
	if (h->socket_at < h->n_sockets)
		return send_socket(h);
	if (h->tickets_due)
		return send_tickets(h);
	if (send_route(h))
		return true;
	h->step = PREPARE;
	return send_plain(h, PARCEL_ROUTES_END);
}

static bool send_counters(struct handover *h)
{
	struct parcel p = { .type = PARCEL_COUNTERS };

	h->counters_due = false;
	buf_reset(&h->text);
	metrics_carry(&h->text, h->opt.metrics, h->opt.n_metrics);
	p.items = slice_make(buf_view(&h->text), h->text.len);
	parcel_out_set(&h->out, &p, NULL, 0);
	return true;
}

static void send_box(struct handover *h, const struct box *b)
{
	const int fds[2] = { b->client.fd, b->target.fd };
	const struct parcel p = {
		.type = PARCEL_TUNNEL,
		.cell = cell_number(b->cell),
		.client_shut = b->client.shut,
		.target_shut = b->target.shut,
		.to_client = slice_make(b->client.out, b->client.out_len),
		.to_target = slice_make(b->target.out, b->target.out_len),
	};

	parcel_out_set(&h->out, &p, fds, 2);
}

/* The next tunnel at rest, of all workers; NULL at the end. */
static struct box *next_box(struct handover *h)
{
	while (h->worker_at < h->opt.n_workers) {
		struct list *head = &h->opt.workers[h->worker_at]->boxes;

		h->box_at = h->box_at == NULL ? head->next : h->box_at->next;
		if (h->box_at != head)
			return LIST_ITEM(h->box_at, struct box, link);
		h->box_at = NULL;
		h->worker_at++;
	}
	return NULL;
}

static bool send_tunnels(struct handover *h)
{
	struct box *b;

	if (h->counters_due)
		return send_counters(h);
	b = next_box(h);
	if (b != NULL) {
		send_box(h, b);
		return true;
	}
	h->step = READY;
	return send_plain(h, PARCEL_TUNNELS_END);
}

static bool send_activity(struct handover *h)
{
	struct parcel p = { .type = PARCEL_ACTIVITY };
	size_t n = 0;

	buf_reset(&h->text);
	for (; h->cell_at < h->n_cells && n < PARCEL_ACTIVITIES; h->cell_at++) {
		struct sent_cell *s = &h->cells[h->cell_at];
		int64_t last_ms = cell_last_ms(s->cell);

		if (last_ms <= s->last_ms)
			continue;
		s->last_ms = last_ms;
		parcel_put_activity(&h->text,
		    (struct parcel_activity){ (uint32_t)h->cell_at, last_ms });
		n++;
	}
	if (h->cell_at == h->n_cells) {
		h->cell_at = 0;
		h->activity_due = false;
	}
	p.items = slice_make(buf_view(&h->text), h->text.len);
	if (n > 0)
		parcel_out_set(&h->out, &p, NULL, 0);
	return n > 0;
}

static bool send_report(struct handover *h)
{
	if (h->on_way != NULL)
		relay_box_free(h->on_way);
	h->on_way = NULL;
	if (!list_empty(&h->late)) {
		h->on_way = LIST_ITEM(h->late.next, struct box, link);
		list_del(&h->on_way->link);
		send_box(h, h->on_way);
		return true;
	}
	if (h->counters_due)
		return send_counters(h);
	while (h->activity_due)
		if (send_activity(h))
			return true;
	if (h->step != ENDING || h->has_said_goodbye)
		return false;
	h->has_said_goodbye = true;
	return send_plain(h, PARCEL_GOODBYE);
}

/* false: nothing is to be said now. */
static bool next_message(struct handover *h)
{
	switch (h->step) {
	case ROUTES:
		return send_routes(h);
	case TUNNELS:
		return send_tunnels(h);
	case LEFT:
	case ENDING:
		return send_report(h);
	case IDLE:
	case HELLO:
	case QUIET:
	case PREPARE:
	case BOXING:
	case READY:
	case GO:
		break;
	}
	return false;
}

static void push(struct handover *h)
{
	struct err err;
	int rc;

	if (h->peer.loop == NULL)
		return;
	do
		rc = parcel_flush(&h->out, h->peer.fd, &err);
	while (rc > 0 && next_message(h));
	if (rc < 0)
		fail(h, &err, true);
	else if (rc == 0)
		watch_set(&h->peer, EPOLLIN | EPOLLOUT);
	else if (h->has_said_goodbye)
		end(h);
	else
		watch_set(&h->peer, EPOLLIN);
}

/* ---- what the new one says ----------------------------------------------- */

static void on_quiet(void *arg)
{
	struct handover *h = arg;

	assert(h->step == QUIET);
	h->n_sockets = h->opt.sockets(h->sockets, SOCKETS_MAX, h->opt.arg);
	h->socket_at = h->table_at = 0;
	h->tickets_due = true;
	h->step = ROUTES;
	push(h);
}

static int welcome(
    struct handover *h, const struct parcel *hello, struct err *err)
{
	struct parcel p = {
		.type = PARCEL_WELCOME,
		.version = PARCEL_VERSION,
	};
	int fds[2] = { -1, -1 };
	size_t n = 1;

	if (hello->version != PARCEL_VERSION) {
		p.type = PARCEL_REFUSE;
		p.text = slice_of(
		    "the running proxy speaks another version of the takeover");
		parcel_out_set(&h->out, &p, NULL, 0);
		if (parcel_flush(&h->out, h->peer.fd, err) < 0)
			return -1;
		return err_set(err, ERR_PROTOCOL, "version %u is not ours",
		    (unsigned)hello->version);
	}
	if (word_open(h, err) < 0)
		return -1;
	fds[0] = h->word_fd;
	if (h->opt.journal != NULL && journal_fd(h->opt.journal) >= 0) {
		fds[n++] = journal_fd(h->opt.journal);
		p.n_lines = journal_lines(h->opt.journal);
	}
	/* It is the first thing on this socket: there is room. */
	parcel_out_set(&h->out, &p, fds, n);
	if (parcel_flush(&h->out, h->peer.fd, err) < 1)
		return -1;
	h->step = QUIET;
	table_freeze(h->opt.table, on_quiet, h);
	return 0;
}

static void on_boxed(void *arg)
{
	struct handover *h = arg;

	if (--h->n_boxing > 0 || h->step != BOXING)
		return;
	h->worker_at = 0;
	h->box_at = NULL;
	h->counters_due = true;
	h->step = TUNNELS;
	push(h);
}

static void box(void *arg)
{
	struct worker *w = arg;
	struct handover *h = w->box_arg;

	worker_box(w);
	loop_post(h->opt.loop, on_boxed, h);
}

static int take_message(
    struct handover *h, const struct parcel *p, struct err *err)
{
	if (h->step == HELLO && p->type == PARCEL_HELLO)
		return welcome(h, p, err);
	if (h->step == PREPARE && p->type == PARCEL_PREPARED) {
		h->step = BOXING;
		h->n_boxing = h->opt.n_workers;
		set_deadline(h, REST_MS);
		order_all(h, box);
		return 0;
	}
	if (h->step == READY && p->type == PARCEL_READY) {
		h->step = GO;
		(void)send_plain(h, PARCEL_GO);
		return 0;
	}
	if (h->step == GO && p->type == PARCEL_DONE) {
		commit(h);
		return 0;
	}
	return err_set(err, ERR_PROTOCOL, "message %u came out of its turn",
	    (unsigned)p->type);
}

static void on_peer(struct watch *watch, uint32_t events, void *arg)
{
	struct handover *h = arg;

	(void)events;
	while (watch->loop != NULL) {
		struct parcel p;
		struct err err;
		int rc = parcel_receive(&h->in, watch->fd, &p, &err);

		if (rc == 0)
			break;
		if (rc < 0 || take_message(h, &p, &err) < 0) {
			fail(h, &err, rc < 0);
			return;
		}
	}
	push(h);
}

/* ---- who connects -------------------------------------------------------- */

static int check_peer(int fd, struct err *err)
{
	uid_t uid;
	pid_t pid;

	if (sock_peer(fd, &uid, &pid, err) < 0)
		return -1;
	if (uid != geteuid())
		return err_set(err, ERR_DENIED,
		    "process %d of uid %u is refused: the proxy runs as uid %u",
		    (int)pid, (unsigned)uid, (unsigned)geteuid());
	log_info(NULL, "a takeover begins", "pid=%d", (int)pid);
	return 0;
}

static void begin_session(struct handover *h, int fd)
{
	struct err err;

	if (check_peer(fd, &err) < 0 || watch_start(h->opt.loop, &h->peer, fd,
					    EPOLLIN, on_peer, h, &err) < 0) {
		log_warn(
		    NULL, "a takeover is refused", "error=\"%s\"", err.text);
		fd_close(&fd);
		return;
	}
	parcel_in_init(&h->in);
	parcel_out_init(&h->out);
	h->step = HELLO;
	set_deadline(h, COPY_MS);
}

static void on_listener(struct watch *watch, uint32_t events, void *arg)
{
	struct handover *h = arg;
	int fd = accept4(watch->fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);

	(void)events;
	if (fd < 0)
		return;
	if (h->step == IDLE && h->n_boxing == 0) {
		begin_session(h, fd);
		return;
	}
	log_warn(NULL, "a takeover is refused",
	    "error=\"another one is on its way\"");
	fd_close(&fd);
}

/* ---- late tunnels -------------------------------------------------------- */

void handover_send_box(struct handover *h, struct box *b)
{
	assert(h->step >= LEFT);
	list_add_tail(&h->late, &b->link);
	if (h->peer.loop == NULL)
		free_boxes(&h->late);
	push(h);
}

static void on_late_box(void *arg)
{
	struct box *b = arg;

	handover_send_box(b->worker->box_arg, b);
}

/* On the worker's thread */
static void on_box(struct box *b, void *arg)
{
	struct handover *h = arg;

	loop_post(h->opt.loop, on_late_box, b);
}

/* ---- life ---------------------------------------------------------------- */

struct handover *handover_new(
    const struct handover_options *opt, int listen_fd, struct err *err)
{
	struct handover *h = xcalloc(1, sizeof *h);

	h->opt = *opt;
	h->word_fd = -1;
	list_init(&h->late);
	buf_init(&h->text, PARCEL_MAX);
	for (size_t i = 0; i < opt->n_workers; i++) {
		opt->workers[i]->on_box = on_box;
		opt->workers[i]->box_arg = h;
	}
	if (watch_start(opt->loop, &h->listener, listen_fd, EPOLLIN,
		on_listener, h, err) == 0)
		return h;
	fd_close(&listen_fd);
	buf_fini(&h->text);
	free(h);
	return NULL;
}

int handover_listen(struct handover *h, int listen_fd, struct err *err)
{
	int old = h->listener.fd;

	assert(h->step < LEFT);
	watch_stop(&h->listener);
	fd_close(&old);
	if (watch_start(h->opt.loop, &h->listener, listen_fd, EPOLLIN,
		on_listener, h, err) == 0)
		return 0;
	fd_close(&listen_fd);
	return -1;
}

void handover_cancel(struct handover *h)
{
	int fd = h->listener.fd;
	struct err err;

	(void)err_set(&err, ERR_CANCELLED, "this proxy ends");
	if (h->step > IDLE && h->step < LEFT)
		fail(h, &err, false);
	if (h->step == IDLE && h->listener.loop != NULL) {
		watch_stop(&h->listener);
		fd_close(&fd);
	}
}

void handover_finish(struct handover *h)
{
	assert(h->step == LEFT);
	h->step = ENDING;
	h->counters_due = h->activity_due = true;
	if (h->peer.loop == NULL)
		end(h);
	else
		push(h);
}

void handover_free(struct handover **hp)
{
	struct handover *h = *hp;
	int fd;

	*hp = NULL;
	if (h == NULL)
		return;
	fd = h->listener.fd;
	if (h->listener.loop != NULL) {
		watch_stop(&h->listener);
		fd_close(&fd);
	}
	timer_stop(&h->timer);
	if (h->on_way != NULL)
		relay_box_free(h->on_way);
	free_boxes(&h->late);
	hang_up(h);
	forget_cells(h);
	buf_fini(&h->text);
	free(h);
}
