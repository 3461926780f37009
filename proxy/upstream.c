/*
 * Backends and connections to them: see upstream.h.
 */
#include "proxy/upstream.h"

#include <arpa/inet.h>
#include <assert.h>
#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "base/fd.h"
#include "base/map.h"
#include "base/mem.h"
#include "base/offload.h"
#include "proxy/metrics.h"
#include "proxy/route.h"
#include "proxy/tls.h"

#define ADDRESSES_MAX    4
#define IDLE_MAX         1024  /* of one worker */
#define IDLE_MS          60000 /* unless the target says less */
#define ADDRESS_FRESH_MS 10000
#define DEAD_MIN_MS      250
#define DEAD_MAX_MS      2000
#define SWEEP_MS         1000
#define LOOKUPS_MAX      256
#define NEAR_KEEPALIVE_S 60
#define NEAR_KEEPALIVE_N 4

union address {
	struct sockaddr sa;
	struct sockaddr_in in;
	struct sockaddr_in6 in6;
};

struct backend {
	struct backends *pool;
	char *origin; /* its key in the pool */
	struct list idle;
	struct list waits; /* of upstream_wait: a look-up runs */
	struct list quiet; /* in the pool's list while it has no connection */
	size_t n_upstreams;
	union address addresses[ADDRESSES_MAX];
	size_t n_addresses;
	int64_t addresses_until_ms;
	int64_t dead_until_ms;
	unsigned n_failures; /* in a row */
	bool is_looking_up;
};

struct backends {
	struct loop *loop;
	upstream_fn *fn;
	struct metrics *metrics;
	struct map *by_origin;
	struct list idle; /* upstreams, the longest idle first */
	size_t n_idle;
	struct list quiet;
	struct timer sweep;
	struct offload *lookups; /* of names */
	struct ssl_ctx_st *tls;  /* for https targets, a reference */
};

static void start_sweep(struct backends *b);

/* ---- backends ------------------------------------------------------------ */

static void backend_free(struct backend *be)
{
	assert(be->n_upstreams == 0 && list_empty(&be->waits));
	list_del(&be->quiet);
	(void)map_del(be->pool->by_origin, slice_of(be->origin));
	free(be->origin);
	free(be);
}

static struct backend *backend_find(
    struct backends *b, const struct target *t, bool make)
{
	struct backend *be = map_get(b->by_origin, slice_of(t->origin));

	if (be != NULL || !make)
		return be;
	be = xcalloc(1, sizeof *be);
	be->pool = b;
	be->origin = xstrdup(t->origin);
	list_init(&be->idle);
	list_init(&be->waits);
	list_init(&be->quiet);
	(void)map_put(b->by_origin, slice_of(be->origin), be);
	return be;
}

/* Without a connection it is kept for a while: what it knows may help. */
static void backend_settle(struct backend *be)
{
	if (be->n_upstreams > 0 || be->is_looking_up || !list_empty(&be->waits))
		return;
	list_del(&be->quiet);
	list_add_tail(&be->pool->quiet, &be->quiet);
	start_sweep(be->pool);
}

static bool backend_is_dead(const struct backend *be)
{
	return be->dead_until_ms > loop_now_ms(be->pool->loop);
}

static void backend_failed(struct backend *be)
{
	int64_t ms = DEAD_MIN_MS;

	for (unsigned i = 0; i < be->n_failures && ms < DEAD_MAX_MS; i++)
		ms *= 2;
	be->n_failures++;
	be->dead_until_ms = loop_now_ms(be->pool->loop) + ms;
	/* A name may lead elsewhere by then. */
	be->addresses_until_ms = 0;
}

static void backend_answered(struct backend *be)
{
	be->n_failures = 0;
	be->dead_until_ms = 0;
}

void backends_forgive(struct backends *b, const struct target *t)
{
	struct backend *be = backend_find(b, t, false);

	if (be != NULL)
		backend_answered(be);
}

/* ---- addresses ----------------------------------------------------------- */

static void add_address(struct backend *be, int family, const void *raw)
{
	union address *a = &be->addresses[be->n_addresses];

	if (be->n_addresses == ADDRESSES_MAX)
		return;
	memset(a, 0, sizeof *a);
	a->sa.sa_family = (sa_family_t)family;
	if (family == AF_INET)
		memcpy(&a->in.sin_addr, raw, sizeof a->in.sin_addr);
	else
		memcpy(&a->in6.sin6_addr, raw, sizeof a->in6.sin6_addr);
	be->n_addresses++;
}

static socklen_t address_len(const union address *a)
{
	return a->sa.sa_family == AF_INET ? sizeof a->in : sizeof a->in6;
}

static void set_ports(struct backend *be, uint16_t port)
{
	for (size_t i = 0; i < be->n_addresses; i++) {
		union address *a = &be->addresses[i];

		if (a->sa.sa_family == AF_INET)
			a->in.sin_port = htons(port);
		else
			a->in6.sin6_port = htons(port);
	}
}

/* Numbers and localhost need no look-up. */
static bool address_is_known(struct backend *be, const struct target *t)
{
	struct in6_addr six;
	struct in_addr four;

	if (t->socket_path != NULL)
		return true;
	if (be->addresses_until_ms > loop_now_ms(be->pool->loop))
		return true;
	be->n_addresses = 0;
	if (inet_pton(AF_INET, t->host, &four) == 1) {
		add_address(be, AF_INET, &four);
	} else if (inet_pton(AF_INET6, t->host, &six) == 1) {
		add_address(be, AF_INET6, &six);
	} else if (str_eq(t->host, "localhost")) {
		four.s_addr = htonl(INADDR_LOOPBACK);
		add_address(be, AF_INET, &four);
		add_address(be, AF_INET6, &in6addr_loopback);
	} else {
		return false;
	}
	set_ports(be, t->port);
	be->addresses_until_ms = INT64_MAX;
	return true;
}

struct lookup {
	struct backend *backend;
	char *host;
	uint16_t port;
	struct addrinfo *found;
	int failure; /* EAI_* */
};

static void lookup_work(void *arg)
{
	struct lookup *k = arg;
	const struct addrinfo hints = {
		.ai_socktype = SOCK_STREAM,
		.ai_flags = AI_ADDRCONFIG,
	};

	k->failure = getaddrinfo(k->host, NULL, &hints, &k->found);
	if (k->failure != 0)
		k->found = NULL;
}

static void take_found(struct backend *be, const struct lookup *k)
{
	be->n_addresses = 0;
	for (struct addrinfo *i = k->found; i != NULL; i = i->ai_next) {
		const union address *a = (const void *)i->ai_addr;

		if (i->ai_family == AF_INET)
			add_address(be, AF_INET, &a->in.sin_addr);
		else if (i->ai_family == AF_INET6)
			add_address(be, AF_INET6, &a->in6.sin6_addr);
	}
	set_ports(be, k->port);
	if (be->n_addresses > 0)
		be->addresses_until_ms =
		    loop_now_ms(be->pool->loop) + ADDRESS_FRESH_MS;
	else
		backend_failed(be);
}

static void lookup_done(void *arg)
{
	struct lookup *k = arg;
	struct backend *be = k->backend;
	struct backends *b = be->pool;

	take_found(be, k);
	be->is_looking_up = false;
	if (k->found != NULL)
		freeaddrinfo(k->found);
	free(k->host);
	free(k);
	/* What the calls lead to may change the list, never the backend. */
	be->n_upstreams++;
	while (!list_empty(&be->waits)) {
		struct upstream_wait *wait =
		    LIST_ITEM(be->waits.next, struct upstream_wait, link);

		upstream_wait_cancel(wait);
		b->fn(wait->ex);
	}
	be->n_upstreams--;
	backend_settle(be);
}

static int lookup_start(
    struct backend *be, const struct target *t, struct err *err)
{
	struct backends *b = be->pool;
	struct lookup *k;

	if (be->is_looking_up)
		return 0;
	k = xcalloc(1, sizeof *k);
	k->backend = be;
	k->host = xstrdup(t->host);
	k->port = t->port;
	if (offload_submit(b->lookups, lookup_work, lookup_done, k, err) < 0) {
		free(k->host);
		free(k);
		return -1;
	}
	be->is_looking_up = true;
	return 0;
}

void upstream_wait_cancel(struct upstream_wait *wait)
{
	if (!wait->is_waiting)
		return;
	wait->is_waiting = false;
	list_del(&wait->link);
}

/* ---- connections --------------------------------------------------------- */

static void forget_idle(struct upstream *up)
{
	list_del(&up->link);
	list_del(&up->by_age);
	metric_set(&up->backend->pool->metrics->targets_idle,
	    --up->backend->pool->n_idle);
}

void upstream_close(struct upstream **upp)
{
	struct upstream *up = *upp;
	struct backend *be;

	*upp = NULL;
	if (up == NULL)
		return;
	be = up->backend;
	if (up->ex == NULL)
		forget_idle(up);
	metric_sub(&be->pool->metrics->targets_open, 1);
	transport_close(&up->io);
	buf_fini(&up->in);
	free(up);
	be->n_upstreams--;
	backend_settle(be);
}

static void on_event(struct watch *watch, uint32_t events, void *arg)
{
	struct upstream *up = arg;

	(void)watch;
	transport_note(&up->io, events);
	if (up->ex != NULL)
		up->backend->pool->fn(up->ex);
	else if (up->io.readable && upstream_is_stale(up))
		upstream_close(&up);
}

/* Begin to connect to the next address that was not tried. */
static int open_socket(
    struct upstream *up, const struct target *t, struct err *err)
{
	struct backend *be = up->backend;
	int fd = -1, rc = -1;

	if (t->socket_path != NULL) {
		up->n_tried = 1;
		rc = sock_connect_unix(t->socket_path, SOCK_STREAM, &fd, err);
	}
	while (
	    rc < 0 && t->socket_path == NULL && up->n_tried < be->n_addresses) {
		const union address *a = &be->addresses[up->n_tried++];

		rc = sock_connect_addr(&a->sa, address_len(a), &fd, err);
	}
	if (rc < 0)
		return -1;
	up->is_connecting = true;
	if (transport_open(&up->io, be->pool->loop, fd, on_event, up, err) < 0)
		return -1;
	/* It says by an event that it is connected. */
	up->io.writable = false;
	return 0;
}

static struct upstream *upstream_new(struct backend *be, struct exchange *ex)
{
	struct upstream *up = xcalloc(1, sizeof *up);

	up->backend = be;
	up->ex = ex;
	up->idle_limit_ms = IDLE_MS;
	list_init(&up->link);
	list_init(&up->by_age);
	buf_init(&up->in, (size_t)2 * HTTPHEAD_MAX_BYTES);
	list_del(&be->quiet);
	be->n_upstreams++;
	metric_add(&be->pool->metrics->targets_open, 1);
	return up;
}

static enum upstream_state open_fresh(struct backend *be,
    const struct target *t, struct exchange *ex, struct upstream **out,
    struct err *err)
{
	struct upstream *up = upstream_new(be, ex);

	err_set(err, ERR_UNAVAILABLE, "no address");
	if (open_socket(up, t, err) < 0) {
		if (err->code == ERR_UNAVAILABLE)
			backend_failed(be);
		upstream_close(&up);
		return UPSTREAM_FAILED;
	}
	*out = up;
	return UPSTREAM_PENDING;
}

static struct upstream *take_idle(struct backend *be, struct exchange *ex)
{
	struct upstream *up;

	if (list_empty(&be->idle))
		return NULL;
	up = LIST_ITEM(be->idle.next, struct upstream, link);
	forget_idle(up);
	up->ex = ex;
	up->is_reused = true;
	return up;
}

enum upstream_state upstream_get(struct backends *b, const struct target *t,
    bool fresh, struct exchange *ex, struct upstream_wait *wait,
    struct upstream **out, struct err *err)
{
	struct backend *be = backend_find(b, t, true);

	*out = fresh ? NULL : take_idle(be, ex);
	if (*out != NULL)
		return UPSTREAM_READY;
	if (backend_is_dead(be)) {
		err_set(err, ERR_UNAVAILABLE, "it was refused just before");
		return UPSTREAM_DEAD;
	}
	if (address_is_known(be, t))
		return open_fresh(be, t, ex, out, err);
	if (lookup_start(be, t, err) < 0) {
		backend_settle(be);
		return UPSTREAM_FAILED;
	}
	wait->ex = ex;
	wait->is_waiting = true;
	list_del(&be->quiet);
	list_add_tail(&be->waits, &wait->link);
	return UPSTREAM_PENDING;
}

/* A small packet must not wait for an answer; a dead peer must be noticed. */
static void set_options(int fd)
{
	const int on = 1, idle = NEAR_KEEPALIVE_S, n = NEAR_KEEPALIVE_N;

	(void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
	(void)setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof on);
	(void)setsockopt(fd, IPPROTO_TCP, TCP_KEEPIDLE, &idle, sizeof idle);
	(void)setsockopt(fd, IPPROTO_TCP, TCP_KEEPCNT, &n, sizeof n);
}

static enum upstream_state ready(struct upstream *up)
{
	up->is_connecting = false;
	backend_answered(up->backend);
	return UPSTREAM_READY;
}

static enum upstream_state failed(struct upstream **upp)
{
	backend_failed((*upp)->backend);
	upstream_close(upp);
	return UPSTREAM_FAILED;
}

static enum upstream_state shake(struct upstream **upp, struct err *err)
{
	switch (transport_shake(&(*upp)->io, err)) {
	case 0:
		return UPSTREAM_PENDING;
	case 1:
		return ready(*upp);
	default:
		return failed(upp);
	}
}

enum upstream_state upstream_connected(
    struct upstream **upp, const struct target *t, struct err *err)
{
	struct upstream *up = *upp;
	int error = 0;
	socklen_t len = sizeof error;

	if (!up->is_connecting)
		return UPSTREAM_READY;
	if (up->io.tls != NULL)
		return shake(upp, err);
	if (!up->io.writable && !up->io.fin_seen && !up->io.readable)
		return UPSTREAM_PENDING;
	if (getsockopt(up->io.watch.fd, SOL_SOCKET, SO_ERROR, &error, &len) < 0)
		error = errno;
	if (error == 0) {
		if (t->socket_path == NULL)
			set_options(up->io.watch.fd);
		up->io.writable = true;
		if (!t->is_secure)
			return ready(up);
		if (transport_start_tls(
			&up->io, up->backend->pool->tls, t->host, err) < 0)
			return failed(upp);
		return shake(upp, err);
	}
	errno = error;
	(void)err_sys(err, "connect");
	transport_close(&up->io);
	if (open_socket(up, t, err) == 0)
		return UPSTREAM_PENDING;
	return failed(upp);
}

bool upstream_is_stale(struct upstream *up)
{
	return !transport_is_quiet(&up->io);
}

void upstream_release(struct upstream **upp)
{
	struct upstream *up = *upp;
	struct backends *b = up->backend->pool;
	struct upstream *oldest;

	if (transport_is_blocked(&up->io) || up->in.len > 0 ||
	    up->io.fin_seen || (up->io.readable && upstream_is_stale(up))) {
		upstream_close(upp);
		return;
	}
	*upp = NULL;
	buf_fini(&up->in);
	up->scan = (struct httphead_scan){ .at = 0 };
	up->ex = NULL;
	up->idle_until_ms = loop_now_ms(b->loop) + up->idle_limit_ms;
	list_add_head(&up->backend->idle, &up->link);
	list_add_tail(&b->idle, &up->by_age);
	metric_set(&b->metrics->targets_idle, ++b->n_idle);
	if (b->n_idle > IDLE_MAX) {
		oldest = LIST_ITEM(b->idle.next, struct upstream, by_age);
		upstream_close(&oldest);
	}
	start_sweep(b);
}

/* ---- the pool ------------------------------------------------------------ */

static void on_sweep(struct timer *timer, void *arg)
{
	struct backends *b = arg;
	int64_t now = loop_now_ms(b->loop);

	(void)timer;
	list_for_each (it, &b->idle) {
		struct upstream *up = LIST_ITEM(it, struct upstream, by_age);

		if (up->idle_until_ms <= now)
			upstream_close(&up);
	}
	list_for_each (it, &b->quiet) {
		struct backend *be = LIST_ITEM(it, struct backend, quiet);

		/* Its failures are remembered for as long again. */
		if (be->dead_until_ms + DEAD_MAX_MS <= now)
			backend_free(be);
	}
	start_sweep(b);
}

static void start_sweep(struct backends *b)
{
	if (timer_running(&b->sweep) ||
	    (list_empty(&b->idle) && list_empty(&b->quiet)))
		return;
	timer_start(b->loop, &b->sweep, SWEEP_MS, on_sweep, b);
}

struct backends *backends_new(
    struct loop *l, upstream_fn *fn, struct metrics *m)
{
	struct backends *b = xcalloc(1, sizeof *b);

	b->loop = l;
	b->fn = fn;
	b->metrics = m;
	b->by_origin = map_new();
	/* Now, not with the first name: then descriptors may be short. */
	b->lookups = offload_new(l, 2, LOOKUPS_MAX);
	list_init(&b->idle);
	list_init(&b->quiet);
	return b;
}

void backends_set_tls(struct backends *b, struct ssl_ctx_st *tls)
{
	tls_unref(&b->tls);
	b->tls = tls;
}

void backends_free(struct backends **bp)
{
	struct backends *b = *bp;

	*bp = NULL;
	if (b == NULL)
		return;
	offload_free(&b->lookups);
	tls_unref(&b->tls);
	while (!list_empty(&b->idle)) {
		struct upstream *up =
		    LIST_ITEM(b->idle.next, struct upstream, by_age);

		upstream_close(&up);
	}
	while (!list_empty(&b->quiet))
		backend_free(LIST_ITEM(b->quiet.next, struct backend, quiet));
	assert(map_count(b->by_origin) == 0);
	timer_stop(&b->sweep);
	map_free(&b->by_origin);
	free(b);
}
