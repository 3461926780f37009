/*
 * The engine's line to its parent: see lifeline.h.
 */
#include "proxy/lifeline.h"

#include <assert.h>
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fd.h"
#include "base/list.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/num.h"
#include "proxy/cell.h"
#include "proxy/page.h"
#include "proxy/relay.h"
#include "proxy/route.h"
#include "proxy/sockets.h"
#include "proxy/table.h"
#include "proxy/worker.h"

#define WAIT_MS    10000 /* for one message, either way */
#define AGAIN_MS   20
#define DROPS_ONCE 4096 /* slots in one packet */

struct kept {
	uint32_t slot;
	int client, target;
	char *key;
};

struct lifeline {
	int fd;
	uint32_t generation;
	struct page *page;
	struct sockets sockets;
	struct kept *kept; /* until they are adopted */
	size_t n_kept, cap_kept;
	struct loop *loop;
	struct watch watch;
	struct timer again;
	struct lifeline_callbacks cb;
	_Atomic bool is_mute;
	pthread_mutex_t lock; /* of the slots to be dropped */
	uint32_t *drops;
	size_t n_drops, cap_drops;
	bool waits_again;
	struct deposit_in in;
};

/* ---- talking, one after the other ---------------------------------------- */

static int wait_for(int fd, short events, struct err *err)
{
	struct pollfd p = { .fd = fd, .events = events };
	int rc;

	do
		rc = poll(&p, 1, WAIT_MS);
	while (rc < 0 && errno == EINTR);
	if (rc < 0)
		return err_sys(err, "wait for the parent process");
	if (rc == 0)
		return err_set(err, ERR_TIMEOUT,
		    "the parent process was silent for %d s", WAIT_MS / 1000);
	return 0;
}

/* These must not be lost; there is room but for a parent that was stopped. */
static void say(struct lifeline *l, const struct deposit *d, int fd)
{
	struct err err;
	int rc;

	for (;;) {
		rc = deposit_send(l->fd, d, &fd, fd >= 0 ? 1 : 0, &err);
		if (rc > 0)
			return;
		if (rc < 0 || wait_for(l->fd, POLLOUT, &err) < 0)
			break;
	}
	log_error(
	    NULL, "the parent process is not told", "error=\"%s\"", err.text);
}

static int hear(struct lifeline *l, struct deposit *d, struct err *err)
{
	for (;;) {
		int rc = deposit_receive(&l->in, l->fd, d, err);

		if (rc > 0)
			return 0;
		if (rc < 0 || wait_for(l->fd, POLLIN, err) < 0)
			return err_wrap(err, "parent process");
	}
}

/* ---- what the parent has ------------------------------------------------- */

static int take_page(
    struct lifeline *l, const struct deposit *d, struct err *err)
{
	if (l->page != NULL)
		return err_set(err, ERR_PROTOCOL, "a second page came");
	l->generation = d->generation;
	l->page = page_map(deposit_steal_fd(&l->in, 0), err);
	if (l->page == NULL)
		return -1;
	page_times_note(l->page);
	return 0;
}

static int take_tunnels(
    struct lifeline *l, const struct deposit *d, struct err *err)
{
	struct slice items = d->items;
	struct deposit_tunnel t;

	for (size_t i = 0; deposit_next_tunnel(&items, &t); i += 2) {
		if (page_slot_claim(l->page, t.slot, err) < 0)
			return -1;
		if (l->n_kept == l->cap_kept) {
			l->cap_kept = l->cap_kept > 0 ? 2 * l->cap_kept : 64;
			l->kept = xreallocarray(
			    l->kept, l->cap_kept, sizeof *l->kept);
		}
		l->kept[l->n_kept++] = (struct kept){
			.slot = t.slot,
			.client = deposit_steal_fd(&l->in, i),
			.target = deposit_steal_fd(&l->in, i + 1),
			.key = xstrndup(t.key.p, t.key.len),
		};
	}
	return 0;
}

static int take_all(struct lifeline *l, struct err *err)
{
	struct deposit d;
	int rc = 0;

	while (rc == 0) {
		if (hear(l, &d, err) < 0)
			return -1;
		if (d.type != DEPOSIT_PAGE && l->page == NULL)
			break;
		if (d.type == DEPOSIT_GO)
			return 0;
		if (d.type == DEPOSIT_PAGE)
			rc = take_page(l, &d, err);
		else if (d.type == DEPOSIT_SOCKET)
			rc = sockets_add(&l->sockets,
			    deposit_steal_fd(&l->in, 0), d.kind, d.port, d.text,
			    err);
		else if (d.type == DEPOSIT_TUNNELS)
			rc = take_tunnels(l, &d, err);
		else
			break;
	}
	if (rc < 0)
		return -1;
	return err_set(err, ERR_PROTOCOL,
	    "message %u of the parent process came out of its turn",
	    (unsigned)d.type);
}

/* ---- life ---------------------------------------------------------------- */

bool lifeline_is_there(void)
{
	return getenv(LIFELINE_ENV) != NULL;
}

/* When the parent is killed we go with it: who killed the proxy meant all of
 * it, and its ports must be free. */
static int find_parent(int *fd_out, struct err *err)
{
	int64_t fd;

	if (num_range(getenv(LIFELINE_ENV), 0, INT32_MAX, &fd, err) < 0)
		return err_wrap(err, LIFELINE_ENV);
	(void)unsetenv(LIFELINE_ENV);
	if (fd_set_cloexec((int)fd, true) < 0)
		return err_sys(err, "%s: descriptor %d", LIFELINE_ENV, (int)fd);
	if (prctl(PR_SET_PDEATHSIG, SIGKILL) < 0)
		return err_sys(err, "ask to end with the parent process");
	*fd_out = (int)fd;
	return 0;
}

struct lifeline *lifeline_open(struct err *err)
{
	struct lifeline *l;
	int fd;

	if (find_parent(&fd, err) < 0)
		return NULL;
	(void)prctl(PR_SET_NAME, "proxy-engine");
	l = xcalloc(1, sizeof *l);
	l->fd = fd;
	l->watch.fd = -1;
	pthread_mutex_init(&l->lock, NULL);
	deposit_in_init(&l->in);
	if (take_all(l, err) < 0) {
		lifeline_free(&l);
		return NULL;
	}
	page_slots_open(l->page);
	return l;
}

static void forget_kept(struct lifeline *l)
{
	for (size_t i = 0; i < l->n_kept; i++) {
		fd_close(&l->kept[i].client);
		fd_close(&l->kept[i].target);
		free(l->kept[i].key);
	}
	free(l->kept);
	l->kept = NULL;
	l->n_kept = 0;
}

void lifeline_free(struct lifeline **lp)
{
	struct lifeline *l = *lp;

	*lp = NULL;
	if (l == NULL)
		return;
	watch_stop(&l->watch);
	timer_stop(&l->again);
	fd_close(&l->fd);
	deposit_in_fini(&l->in);
	sockets_clear(&l->sockets);
	forget_kept(l);
	page_free(&l->page);
	pthread_mutex_destroy(&l->lock);
	free(l->drops);
	free(l);
}

void lifeline_mute(struct lifeline *l)
{
	if (l != NULL)
		l->is_mute = true;
}

bool lifeline_is_recovery(const struct lifeline *l)
{
	return l != NULL && l->generation > 0;
}

struct page *lifeline_page(struct lifeline *l)
{
	return l == NULL ? NULL : l->page;
}

struct sockets *lifeline_sockets(struct lifeline *l)
{
	return &l->sockets;
}

/* ---- tunnels of the engine before ---------------------------------------- */

static struct cell *cell_of(
    struct lifeline *l, struct table *t, const char *key)
{
	struct cell *c = table_cell(t, key);
	int64_t ms;

	if (c != NULL)
		return cell_ref(c);
	ms = page_time_before(l->page, key);
	return table_load_cell(t, key, ms >= 0 ? ms : clock_wall_us() / 1000);
}

static struct box *make_box(struct lifeline *l, struct table *t, struct kept *k)
{
	struct box *b = xcalloc(1, sizeof *b);

	list_init(&b->link);
	b->cell = cell_of(l, t, k->key);
	b->held = (struct held){ .line = l, .slot = k->slot };
	b->client = (struct transport_rest){ .fd = k->client };
	b->target = (struct transport_rest){ .fd = k->target };
	k->client = k->target = -1;
	return b;
}

int lifeline_adopt(struct lifeline *l, struct table *t,
    struct worker *const *workers, size_t n_workers, struct err *err)
{
	if (l == NULL)
		return 0;
	for (size_t i = 0; i < l->n_kept; i++) {
		struct kept *k = &l->kept[i];

		if (!route_key_is_clean(k->key))
			return err_set(err, ERR_PROTOCOL,
			    "the parent process has a malformed key");
		list_add_tail(
		    &workers[i % n_workers]->boxes, &make_box(l, t, k)->link);
	}
	if (lifeline_is_recovery(l))
		log_warn(NULL, "going on where the engine before died",
		    "tunnels=%zu", l->n_kept);
	forget_kept(l);
	page_times_open(l->page);
	return 0;
}

/* ---- the loop ------------------------------------------------------------ */

static void on_message(struct watch *watch, uint32_t events, void *arg)
{
	struct lifeline *l = arg;
	struct deposit d;
	struct err err;
	int rc;

	(void)watch;
	(void)events;
	while ((rc = deposit_receive(&l->in, l->fd, &d, &err)) > 0) {
		if (d.type == DEPOSIT_END)
			l->cb.on_end(l->cb.arg);
		if (d.type == DEPOSIT_RELOAD)
			l->cb.on_reload(l->cb.arg);
		if (d.type == DEPOSIT_REOPEN)
			l->cb.on_reopen(l->cb.arg);
	}
	if (rc == 0)
		return;
	log_error(NULL, "the parent process has gone: ending at once",
	    "error=\"%s\"", err.text);
	_exit(1);
}

int lifeline_watch(struct lifeline *l, struct loop *loop,
    const struct lifeline_callbacks *cb, struct err *err)
{
	l->cb = *cb;
	l->loop = loop;
	return watch_start(loop, &l->watch, l->fd, EPOLLIN, on_message, l, err);
}

/* ---- what the parent is told --------------------------------------------- */

void lifeline_keep_socket(struct lifeline *l, int fd, enum parcel_listener kind,
    uint16_t port, const char *text)
{
	const struct deposit d = {
		.type = DEPOSIT_SOCKET,
		.kind = kind,
		.port = port,
		.text = slice_of(text),
	};

	if (l != NULL)
		say(l, &d, fd);
}

void lifeline_say(struct lifeline *l, enum deposit_type type)
{
	const struct deposit d = { .type = type };

	if (l == NULL)
		return;
	if (type == DEPOSIT_LEFT)
		lifeline_mute(l);
	say(l, &d, -1);
}

void lifeline_notify(struct lifeline *l, const char *text)
{
	const struct deposit d = {
		.type = DEPOSIT_NOTIFY,
		.text = slice_of(text),
	};

	say(l, &d, -1);
}

void lifeline_word(struct lifeline *l, int fd)
{
	const struct deposit d = { .type = DEPOSIT_WORD };

	if (l != NULL)
		say(l, &d, fd);
}

/* ---- tunnels ------------------------------------------------------------- */

int lifeline_deposit(
    struct lifeline *l, const struct buf *items, const int *fds, size_t n_fds)
{
	const struct deposit d = {
		.type = DEPOSIT_TUNNELS,
		.items = slice_make(items->data, items->len),
	};
	struct err err;
	int rc;

	if (l->is_mute)
		return -1;
	rc = deposit_send(l->fd, &d, fds, n_fds, &err);
	/* A parent that has gone takes this process with it. */
	return rc < 0 && err.code != ERR_UNAVAILABLE ? 0 : rc;
}

void lifeline_drop(struct lifeline *l, uint32_t slot)
{
	pthread_mutex_lock(&l->lock);
	if (l->n_drops == l->cap_drops) {
		l->cap_drops = l->cap_drops > 0 ? 2 * l->cap_drops : 64;
		l->drops =
		    xreallocarray(l->drops, l->cap_drops, sizeof *l->drops);
	}
	l->drops[l->n_drops++] = slot;
	pthread_mutex_unlock(&l->lock);
}

static void flush_again(struct timer *t, void *arg)
{
	struct lifeline *l = arg;

	(void)t;
	pthread_mutex_lock(&l->lock);
	l->waits_again = false;
	pthread_mutex_unlock(&l->lock);
	lifeline_flush(l);
}

static void wait_again(void *arg)
{
	struct lifeline *l = arg;

	timer_start(l->loop, &l->again, AGAIN_MS, flush_again, l);
}

/* The last ones of the list; 1: sent. */
static int send_drops(struct lifeline *l, size_t n)
{
	struct deposit d = { .type = DEPOSIT_DROP };
	const uint32_t *last = l->drops + l->n_drops - n;
	struct buf items;
	struct err err;
	int rc;

	buf_init(&items, DEPOSIT_MAX);
	for (size_t i = 0; i < n; i++)
		deposit_put_slot(&items, last[i]);
	d.items = slice_make(items.data, items.len);
	rc = l->is_mute ? 1 : deposit_send(l->fd, &d, NULL, 0, &err);
	buf_fini(&items);
	if (rc > 0)
		for (size_t i = 0; i < n; i++)
			page_slot_give(l->page, last[i]);
	return rc;
}

/* A slot is taken again only after its drop was sent: on one socket the parent
 * hears both in that order. */
void lifeline_flush(struct lifeline *l)
{
	int rc = 1;

	pthread_mutex_lock(&l->lock);
	while (rc > 0 && l->n_drops > 0) {
		size_t n = l->n_drops < DROPS_ONCE ? l->n_drops : DROPS_ONCE;

		rc = send_drops(l, n);
		if (rc > 0)
			l->n_drops -= n;
	}
	if (rc == 0 && !l->waits_again && l->loop != NULL) {
		l->waits_again = true;
		loop_post(l->loop, wait_again, l);
	}
	pthread_mutex_unlock(&l->lock);
}
