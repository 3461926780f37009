/*
 * The new side of a takeover: see takeover.h.
 */
#include "proxy/takeover.h"

#include <errno.h>
#include <poll.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/json.h"
#include "base/list.h"
#include "base/log.h"
#include "base/mem.h"
#include "proxy/cell.h"
#include "proxy/metrics.h"
#include "proxy/relay.h"
#include "proxy/route.h"
#include "proxy/sockets.h"
#include "proxy/table.h"
#include "proxy/tls_ticket.h"
#include "proxy/worker.h"

#define WAIT_MS   30000 /* for one message */
#define CELLS_MAX ((size_t)1 << 22)
#define AT_ONCE   64 /* messages a turn */

struct takeover {
	int fd; /* until the loop watches it */
	struct watch watch;
	struct parcel_in in;
	struct parcel_out out;
	_Atomic uint32_t *word;
	int journal_fd;
	size_t n_journal_lines;
	struct sockets sockets;
	struct cell **cells; /* by number */
	size_t n_cells, cap_cells;
	size_t n_tunnels;
	struct metrics *inherited;
	struct takeover_callbacks cb;
};

/* ---- life ---------------------------------------------------------------- */

static int check_peer(int fd, const char *path, struct err *err)
{
	uid_t uid;
	pid_t pid;

	if (sock_peer(fd, &uid, &pid, err) < 0)
		return -1;
	if (uid == geteuid())
		return 0;
	return err_set(err, ERR_DENIED,
	    "the proxy behind %s runs as uid %u and this one as uid %u: start "
	    "it as the same account",
	    path, (unsigned)uid, (unsigned)geteuid());
}

struct takeover *takeover_open(const char *path, struct err *err)
{
	struct takeover *t;
	int fd;

	if (sock_connect_unix(path, SOCK_SEQPACKET, &fd, err) < 0) {
		if (err->code == ERR_UNAVAILABLE)
			err->code = ERR_NOT_FOUND;
		return NULL;
	}
	if (check_peer(fd, path, err) < 0) {
		fd_close(&fd);
		return NULL;
	}
	t = xcalloc(1, sizeof *t);
	t->fd = fd;
	t->journal_fd = -1;
	t->watch.fd = -1;
	parcel_in_init(&t->in);
	parcel_out_init(&t->out);
	return t;
}

static void forget_cells(struct takeover *t)
{
	for (size_t i = 0; i < t->n_cells; i++)
		cell_unref(&t->cells[i]);
	free(t->cells);
	t->cells = NULL;
	t->n_cells = t->cap_cells = 0;
}

void takeover_free(struct takeover **tp)
{
	struct takeover *t = *tp;

	*tp = NULL;
	if (t == NULL)
		return;
	if (t->watch.loop != NULL)
		t->fd = t->watch.fd;
	watch_stop(&t->watch);
	fd_close(&t->fd);
	fd_close(&t->journal_fd);
	sockets_clear(&t->sockets);
	forget_cells(t);
	parcel_in_fini(&t->in);
	parcel_out_fini(&t->out);
	if (t->word != NULL)
		(void)munmap((void *)t->word, sizeof *t->word);
	free(t);
}

/* ---- talking, one after the other ---------------------------------------- */

static int wait_for(int fd, short events, struct err *err)
{
	struct pollfd p = { .fd = fd, .events = events };
	int rc;

	do
		rc = poll(&p, 1, WAIT_MS);
	while (rc < 0 && errno == EINTR);
	if (rc < 0)
		return err_sys(err, "wait for the running proxy");
	if (rc == 0)
		return err_set(err, ERR_TIMEOUT,
		    "the running proxy was silent for %d s", WAIT_MS / 1000);
	return 0;
}

static int say(struct takeover *t, const struct parcel *p, struct err *err)
{
	int rc;

	parcel_out_set(&t->out, p, NULL, 0);
	for (;;) {
		rc = parcel_flush(&t->out, t->fd, err);
		if (rc != 0)
			return rc < 0 ? -1 : 0;
		if (wait_for(t->fd, POLLOUT, err) < 0)
			return -1;
	}
}

static int say_plain(struct takeover *t, enum parcel_type type, struct err *err)
{
	const struct parcel p = { .type = type, .version = PARCEL_VERSION };

	return say(t, &p, err);
}

static int hear(struct takeover *t, struct parcel *p, struct err *err)
{
	for (;;) {
		int rc = parcel_receive(&t->in, t->fd, p, err);

		if (rc < 0)
			return err_wrap(err, "takeover");
		if (rc == 0 && wait_for(t->fd, POLLIN, err) < 0)
			return -1;
		if (rc == 0)
			continue;
		if (p->type != PARCEL_REFUSE)
			return 0;
		return err_set(
		    err, ERR_DENIED, "%.*s", (int)p->text.len, p->text.p);
	}
}

static int out_of_turn(const struct parcel *p, struct err *err)
{
	return err_set(err, ERR_PROTOCOL,
	    "takeover: message %u came out of its turn", (unsigned)p->type);
}

static int steal_fd(struct takeover *t, size_t i)
{
	int fd = t->in.fds[i];

	t->in.fds[i] = -1;
	return fd;
}

/* ---- first: sockets and routes ------------------------------------------- */

static int map_word(struct takeover *t, struct err *err)
{
	struct stat st;
	void *p;

	if (fstat(t->in.fds[0], &st) < 0 ||
	    st.st_size != (off_t)sizeof *t->word)
		return err_set(
		    err, ERR_PROTOCOL, "takeover: no shared memory came");
	p = mmap(NULL, sizeof *t->word, PROT_READ | PROT_WRITE, MAP_SHARED,
	    t->in.fds[0], 0);
	if (p == MAP_FAILED)
		return err_sys(err, "map shared memory");
	t->word = p;
	return 0;
}

static int greet(struct takeover *t, struct err *err)
{
	struct parcel p;

	if (say_plain(t, PARCEL_HELLO, err) < 0 || hear(t, &p, err) < 0)
		return -1;
	if (p.type != PARCEL_WELCOME || p.version != PARCEL_VERSION)
		return out_of_turn(&p, err);
	if (map_word(t, err) < 0)
		return -1;
	if (t->in.n_fds == 2)
		t->journal_fd = steal_fd(t, 1);
	t->n_journal_lines = (size_t)p.n_lines;
	return 0;
}

static int add_sockets(
    struct takeover *t, const struct parcel *p, struct err *err)
{
	for (size_t i = 0; i < t->in.n_fds; i++)
		if (sockets_add(&t->sockets, steal_fd(t, i), p->kind, p->port,
			p->text, err) < 0)
			return -1;
	return 0;
}

static int add_cell(struct takeover *t, struct cell *c, struct err *err)
{
	if (t->n_cells == CELLS_MAX) {
		cell_unref(&c);
		return err_set(err, ERR_LIMIT, "takeover: more than %zu routes",
		    CELLS_MAX);
	}
	if (t->n_cells == t->cap_cells) {
		t->cap_cells = t->cap_cells > 0 ? 2 * t->cap_cells : 64;
		t->cells =
		    xreallocarray(t->cells, t->cap_cells, sizeof *t->cells);
	}
	t->cells[t->n_cells++] = c;
	return 0;
}

static int add_route(struct takeover *t, struct table *table,
    const struct parcel *p, struct err *err)
{
	char *key = xstrndup(p->key.p, p->key.len);
	json_t *data = NULL;
	int rc = 0;

	if (strlen(key) != p->key.len || !route_key_is_clean(key))
		rc = err_set(err, ERR_PROTOCOL, "takeover: a malformed key");
	else if (!p->has_route)
		rc = add_cell(t, table_load_cell(table, key, p->last_ms), err);
	else if (json_parse(p->object.p, p->object.len, &data, err) < 0 ||
		 table_load(table, key, data, p->last_ms, err) < 0)
		rc = err_wrap(err, "takeover: a route");
	else
		rc = add_cell(t, cell_ref(table_cell(table, key)), err);
	json_decref(data);
	free(key);
	return rc;
}

int takeover_copy(struct takeover *t, struct table *table,
    struct tls_tickets *tickets, struct err *err)
{
	struct parcel p;
	int rc = greet(t, err);

	while (rc == 0) {
		if (hear(t, &p, err) < 0)
			return -1;
		if (p.type == PARCEL_ROUTES_END)
			return 0;
		if (p.type == PARCEL_LISTENER)
			rc = add_sockets(t, &p, err);
		else if (p.type == PARCEL_ROUTE)
			rc = add_route(t, table, &p, err);
		else if (p.type == PARCEL_TICKETS)
			rc = tls_tickets_load(tickets, p.text, err);
		else
			rc = out_of_turn(&p, err);
	}
	return -1;
}

struct sockets *takeover_sockets(struct takeover *t)
{
	return &t->sockets;
}

int takeover_journal(struct takeover *t, size_t *n_lines_out)
{
	int fd = t->journal_fd;

	t->journal_fd = -1;
	*n_lines_out = t->n_journal_lines;
	return fd;
}

/* ---- second: counters and tunnels ---------------------------------------- */

static void take_counters(struct takeover *t, const struct parcel *p)
{
	struct slice items = p->items;
	struct parcel_counter c;

	while (parcel_next_counter(&items, &c))
		metrics_take(t->inherited, c.family, c.index, c.value);
}

static char *queue_of(struct slice s)
{
	return s.len == 0 ? NULL : xmemdup(s.p, s.len);
}

static struct box *make_box(
    struct takeover *t, const struct parcel *p, struct err *err)
{
	struct box *b;

	if (p->cell >= t->n_cells) {
		(void)err_set(
		    err, ERR_PROTOCOL, "takeover: a tunnel of no known route");
		return NULL;
	}
	b = xcalloc(1, sizeof *b);
	list_init(&b->link);
	b->cell = cell_ref(t->cells[p->cell]);
	b->client = (struct transport_rest){
		.fd = steal_fd(t, 0),
		.out = queue_of(p->to_client),
		.out_len = (uint32_t)p->to_client.len,
		.shut = p->client_shut,
	};
	b->target = (struct transport_rest){
		.fd = steal_fd(t, 1),
		.out = queue_of(p->to_target),
		.out_len = (uint32_t)p->to_target.len,
		.shut = p->target_shut,
	};
	return b;
}

int takeover_tunnels(struct takeover *t, struct worker *const *workers,
    size_t n_workers, struct metrics *inherited, struct err *err)
{
	struct parcel p;
	struct box *b;

	t->inherited = inherited;
	if (say_plain(t, PARCEL_PREPARED, err) < 0)
		return -1;
	for (;;) {
		if (hear(t, &p, err) < 0)
			return -1;
		if (p.type == PARCEL_TUNNELS_END)
			return 0;
		if (p.type == PARCEL_COUNTERS) {
			take_counters(t, &p);
			continue;
		}
		if (p.type != PARCEL_TUNNEL)
			return out_of_turn(&p, err);
		b = make_box(t, &p, err);
		if (b == NULL)
			return -1;
		list_add_tail(
		    &workers[t->n_tunnels++ % n_workers]->boxes, &b->link);
	}
}

size_t takeover_n_tunnels(const struct takeover *t)
{
	return t->n_tunnels;
}

/* ---- third: the moment --------------------------------------------------- */

int takeover_begin(struct takeover *t, struct err *err)
{
	uint32_t expected = PARCEL_OPEN;
	struct parcel p;

	if (say_plain(t, PARCEL_READY, err) < 0 || hear(t, &p, err) < 0)
		return -1;
	if (p.type != PARCEL_GO)
		return out_of_turn(&p, err);
	if (!atomic_compare_exchange_strong(t->word, &expected, PARCEL_BEGUN))
		return err_set(err, ERR_CANCELLED,
		    "the running proxy gave the takeover up");
	return 0;
}

/* ---- afterwards ---------------------------------------------------------- */

static void end(struct takeover *t)
{
	int fd = t->watch.fd;

	watch_stop(&t->watch);
	fd_close(&fd);
	forget_cells(t);
	metrics_forget_open(t->inherited);
	log_info(
	    NULL, "the process before has ended", "tunnels=%zu", t->n_tunnels);
	t->cb.on_gone(t->cb.arg);
}

static void take_activity(struct takeover *t, const struct parcel *p)
{
	struct slice items = p->items;
	struct parcel_activity a;

	while (parcel_next_activity(&items, &a))
		if (a.cell < t->n_cells)
			cell_raise(t->cells[a.cell], a.last_ms);
}

/* -1: it has ended, or says what nobody understands. */
static int take_report(
    struct takeover *t, const struct parcel *p, struct err *err)
{
	struct box *b;

	switch (p->type) {
	case PARCEL_COUNTERS:
		take_counters(t, p);
		return 0;
	case PARCEL_ACTIVITY:
		take_activity(t, p);
		return 0;
	case PARCEL_TUNNEL:
		b = make_box(t, p, err);
		if (b == NULL)
			return -1;
		t->n_tunnels++;
		t->cb.on_box(b, t->cb.arg);
		return 0;
	case PARCEL_GOODBYE:
		return -1;
	case PARCEL_HELLO:
	case PARCEL_WELCOME:
	case PARCEL_REFUSE:
	case PARCEL_LISTENER:
	case PARCEL_ROUTE:
	case PARCEL_ROUTES_END:
	case PARCEL_PREPARED:
	case PARCEL_TUNNELS_END:
	case PARCEL_READY:
	case PARCEL_GO:
	case PARCEL_DONE:
	case PARCEL_TICKETS:
		break;
	}
	return out_of_turn(p, err);
}

static void on_event(struct watch *watch, uint32_t events, void *arg)
{
	struct takeover *t = arg;

	(void)events;
	for (int i = 0; i < AT_ONCE; i++) {
		struct err err = { .code = ERR_NONE };
		struct parcel p;
		int rc = parcel_receive(&t->in, watch->fd, &p, &err);

		if (rc == 0)
			return;
		if (rc > 0 && take_report(t, &p, &err) == 0)
			continue;
		if (err.code != ERR_NONE)
			log_warn(NULL, "the process before is silent",
			    "error=\"%s\"", err.text);
		end(t);
		return;
	}
}

int takeover_watch(struct takeover *t, struct loop *l,
    const struct takeover_callbacks *cb, struct err *err)
{
	int fd = t->fd;

	t->cb = *cb;
	sockets_clear(&t->sockets);
	if (say_plain(t, PARCEL_DONE, err) < 0)
		return -1;
	if (watch_start(l, &t->watch, fd, EPOLLIN, on_event, t, err) < 0)
		return -1;
	t->fd = -1;
	return 0;
}
