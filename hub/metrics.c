/*
 * Recording and telling: see metrics.h.
 */
#include "hub/metrics.h"

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/httpd.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/prom.h"
#include "db/stats.h"
#include "hub/login.h"
#include "hub/match.h"
#include "hub/server_priv.h"

#define US           1e-6
#define HOUR_MS      (3600 * 1000)
#define DAY_US       (INT64_C(86400) * 1000000)
#define TICK_US      50000
/* A turn that is shorter does not move a tick to another bucket. */
#define SLOW_TURN_US 5000
#define BUCKETS_MAX  32
#define PREFIX_MAX   64
#define CLIENT_LEFT  499

struct metrics {
	struct app *app;
	struct arena arena;
	struct prom_family families[METRIC_N];
	struct prom *prom;
	const char **handlers; /* one per route */
	struct timer hourly;
	int64_t began_us; /* of ticks; 0: they are not counted */
};

/* ---- what is declared ---------------------------------------------------- */

static const double default_buckets[] = { .005, .01, .025, .05, .075, .1, .25,
	.5, .75, 1, 2.5, 5, 7.5, 10 };
static const double spawn_buckets[] = { .5, 1, 2.5, 5, 10, 15, 30, 60, 120, 180,
	300, 600 };
static const double tick_buckets[] = { .05, .055, .06, .065, .07, .075, .1, .25,
	.5, .75, 1, 2.5, 5, 7.5, 10 };

enum buckets {
	BUCKETS_NONE,
	BUCKETS_DEFAULT,
	BUCKETS_SPAWN,
	BUCKETS_STOP,
	BUCKETS_TICK,
};

struct declared {
	enum prom_kind kind;
	bool is_own;
	const char *name, *labels;
	enum buckets buckets;
	const char *help;
};

static const struct declared declared[METRIC_N] = {
#define METRIC(id, k, n, l, b, h)                                              \
	[METRIC_##id] = { PROM_##k, false, n, l, BUCKETS_##b, h },
#define OWN_METRIC(id, k, n, l, b, h)                                          \
	[METRIC_##id] = { PROM_##k, true, n, l, BUCKETS_##b, h },
#define SERIES(id, first, second)
#include "hub/metrics.def"
#undef METRIC
#undef OWN_METRIC
#undef SERIES
};

static const struct {
	enum metric id;
	const char *values[2];
} series[] = {
#define METRIC(id, kind, name, labels, buckets, help)
#define OWN_METRIC(id, kind, name, labels, buckets, help)
#define SERIES(id, first, second) { METRIC_##id, { first, second } },
#include "hub/metrics.def"
#undef METRIC
#undef OWN_METRIC
#undef SERIES
};

/* ---- what the environment may change ------------------------------------- */

static int read_bound(struct slice text, double *out)
{
	char number[32];
	char *end;

	if (str_copy_slice(number, sizeof number, slice_trim(text)) != 0 ||
	    !*number)
		return -1;
	*out = strtod(number, &end);
	return *end == '\0' && *out > 0 && *out < 1e9 ? 0 : -1;
}

/* "0.5,1,10": ascending seconds. Kept in the arena. */
static int read_buckets(struct metrics *m, const char *variable,
    struct prom_family *f, struct err *err)
{
	const char *text = getenv(variable);
	struct slice rest = slice_of(text ? text : ""), item;
	double *bounds;

	if (rest.len == 0)
		return 0;
	bounds = arena_alloc(&m->arena, BUCKETS_MAX * sizeof *bounds);
	f->n_bounds = 0;
	while (slice_split(&rest, ',', &item)) {
		size_t n = f->n_bounds++;

		if (n == BUCKETS_MAX || read_bound(item, &bounds[n]) != 0 ||
		    (n > 0 && bounds[n] <= bounds[n - 1]))
			return err_set(err, ERR_INVALID,
			    "$%s must be up to %d numbers of seconds in "
			    "ascending order with commas between them, such as "
			    "0.5,1,10",
			    variable, BUCKETS_MAX);
	}
	f->bounds = bounds;
	return 0;
}

static void use_buckets(struct prom_family *f, const double *bounds, size_t n)
{
	f->bounds = bounds;
	f->n_bounds = n;
}

#define USE(f, bounds) use_buckets(f, bounds, sizeof bounds / sizeof bounds[0])

static int set_buckets(struct metrics *m, struct prom_family *f,
    enum buckets buckets, struct err *err)
{
	switch (buckets) {
	case BUCKETS_NONE:
		return 0;
	case BUCKETS_TICK:
		USE(f, tick_buckets);
		return 0;
	case BUCKETS_DEFAULT:
		USE(f, default_buckets);
		return 0;
	case BUCKETS_SPAWN:
		USE(f, spawn_buckets);
		return read_buckets(m,
		    "JUPYTERHUB_SERVER_SPAWN_DURATION_SECONDS_BUCKETS", f, err);
	case BUCKETS_STOP:
		USE(f, default_buckets);
		return read_buckets(m,
		    "JUPYTERHUB_SERVER_STOP_DURATION_SECONDS_BUCKETS", f, err);
	}
	return 0;
}

static bool is_name(const char *s)
{
	static const char letters[] = "abcdefghijklmnopqrstuvwxyz"
				      "ABCDEFGHIJKLMNOPQRSTUVWXYZ_0123456789";
	size_t len = strlen(s);

	return len > 0 && len <= PREFIX_MAX && strspn(s, letters) == len &&
	       (*s < '0' || *s > '9');
}

static int read_prefix(const char **out, struct err *err)
{
	const char *prefix = getenv("JUPYTERHUB_METRICS_PREFIX");

	*out = prefix && *prefix ? prefix : "jupyterhub";
	if (is_name(*out))
		return 0;
	return err_set(err, ERR_INVALID,
	    "$JUPYTERHUB_METRICS_PREFIX must be 1 to %d of a-z, A-Z, 0-9 and _,"
	    " a letter in front",
	    PREFIX_MAX);
}

static int make_families(struct metrics *m, struct err *err)
{
	const char *prefix;

	if (read_prefix(&prefix, err) != 0)
		return -1;
	for (int i = 0; i < METRIC_N; i++) {
		const struct declared *d = &declared[i];
		struct prom_family *f = &m->families[i];

		f->kind = d->kind;
		f->name = arena_printf(
		    &m->arena, "%s_%s", d->is_own ? "carrel" : prefix, d->name);
		f->labels = d->labels;
		f->help = d->help;
		if (set_buckets(m, f, d->buckets, err) != 0)
			return -1;
	}
	return 0;
}

/* ---- recording ----------------------------------------------------------- */

void metrics_count(struct app *app, enum metric id)
{
	if (app->metrics)
		prom_add(app->metrics->prom, id, NULL, 1);
}

void metrics_took(struct app *app, enum metric id, int64_t us,
    const char *status, const char *reason)
{
	const char *const values[] = { status, reason };

	if (app->metrics)
		prom_observe(
		    app->metrics->prom, id, values, (double)us * US, 1);
}

/* Whatever clients send becomes one of few words. */
static const char *method_label(const char *method)
{
	static const char *const known[] = { "GET", "HEAD", "POST", "PUT",
		"PATCH", "DELETE", "OPTIONS" };

	for (size_t i = 0; i < sizeof known / sizeof known[0]; i++)
		if (!strcmp(method, known[i]))
			return known[i];
	return "OTHER";
}

static const char *handler_label(const struct metrics *m, const struct req *r)
{
	size_t n;
	const struct route *table = match_table(&n);
	const char *name = r->any ? m->handlers[r->any - table] : NULL;

	return name ? name : metrics_not_found(r);
}

void metrics_request(struct req *r, int status)
{
	struct metrics *m = r->app->metrics;
	int64_t us = clock_mono_us() - r->began_us;
	char code[16];

	if (!m || str_format(code, sizeof code, "%d",
		      status > 0 ? status : CLIENT_LEFT) != 0)
		return;
	const char *const values[] = { method_label(r->http->method),
		handler_label(m, r), code };
	prom_observe(
	    m->prom, METRIC_REQUEST_DURATION, values, (double)us * US, 1);
}

/* A tick that falls due as such a turn begins comes when it ends. */
static void on_slow_turn(int64_t took_us, void *arg)
{
	metrics_took(arg, METRIC_LOOP_INTERVAL, TICK_US + took_us, NULL, NULL);
}

/* ---- what is asked when somebody reads ----------------------------------- */

static void set(struct metrics *m, enum metric id, const char *label, double v)
{
	const char *const values[] = { label };

	prom_set(m->prom, id, values, v);
}

static size_t count_ready(const struct app *app)
{
	size_t n = 0;

	for (const struct list *it = app->servers->all.next;
	     it != &app->servers->all; it = it->next)
		n += LIST_ITEM(it, struct server, all)->state == SERVER_RUNNING;
	return n;
}

/* Ticks that no slow turn held up, since the last look: nothing wakes the hub
 * for them. */
static void add_quiet_ticks(struct metrics *m)
{
	uint64_t due, seen;

	if (m->began_us == 0)
		return;
	due = (uint64_t)((clock_mono_us() - m->began_us) / TICK_US);
	seen = prom_count(m->prom, METRIC_LOOP_INTERVAL, NULL);
	if (due > seen)
		prom_observe(m->prom, METRIC_LOOP_INTERVAL, NULL, TICK_US * US,
		    due - seen);
}

static void set_loop(struct metrics *m)
{
	struct loop_stats stats = loop_stats(m->app->loop);

	set(m, METRIC_LONGEST_TURN, NULL, (double)stats.longest_turn_us * US);
	set(m, METRIC_LOOP_TURNS, NULL, (double)stats.n_turns);
	add_quiet_ticks(m);
}

static void set_connections(
    struct metrics *m, const char *listener, const struct httpd *h)
{
	if (h)
		set(m, METRIC_CONNECTIONS, listener,
		    (double)httpd_connections(h));
}

static int refresh(struct metrics *m, struct err *err)
{
	struct app *app = m->app;
	int64_t n_users;

	if (stats_count_users(app->db, &n_users, err) != 0)
		return -1;
	set(m, METRIC_TOTAL_USERS, NULL, (double)n_users);
	set(m, METRIC_RUNNING_SERVERS, NULL, (double)count_ready(app));
	set(m, METRIC_STARTS_WAITING, NULL,
	    (double)app->servers->starts.n_waiting);
	if (app->login) {
		set(m, METRIC_LOGINS, NULL, (double)login_count(app->login));
		set(m, METRIC_LOGINS_WAITING, NULL,
		    (double)login_count_waiting(app->login));
	}
	set_connections(m, "proxy", app->http_proxy);
	set_connections(m, "servers", app->http_servers);
	set_loop(m);
	return 0;
}

int metrics_text(struct app *app, struct buf *out, struct err *err)
{
	struct metrics *m = app->metrics;

	if (!m)
		return err_set(err, ERR_UNAVAILABLE, "There are no metrics.");
	if (refresh(m, err) != 0)
		return -1;
	prom_write(m->prom, out);
	prom_write_process(out, (double)app->started_us * US);
	return out->overflow ? err_set(err, ERR_LIMIT,
				   "There are more metrics than can be shown.")
			     : 0;
}

/* ---- hourly -------------------------------------------------------------- */

static void count_active(struct metrics *m)
{
	static const char *const periods[] = { "24h", "7d", "30d" };
	const int64_t now = clock_wall_us();
	const int64_t since[] = { now - DAY_US, now - 7 * DAY_US,
		now - 30 * DAY_US };
	int64_t n[STATS_PERIODS];
	struct err err;

	if (stats_count_active(m->app->db, since, n, &err) != 0) {
		log_warn(NULL, "active users could not be counted",
		    "why=\"%s\"", err.text);
		return;
	}
	for (int i = 0; i < STATS_PERIODS; i++)
		set(m, METRIC_ACTIVE_USERS, periods[i], (double)n[i]);
}

static void on_hour(struct timer *t, void *arg)
{
	struct metrics *m = arg;

	count_active(m);
	timer_start(m->app->loop, t, HOUR_MS, on_hour, m);
}

/* ---- life ---------------------------------------------------------------- */

static void find_handlers(struct metrics *m)
{
	size_t n;
	const struct route *table = match_table(&n);

	m->handlers = arena_alloc(&m->arena, n * sizeof *m->handlers);
	for (size_t i = 0; i < n; i++)
		m->handlers[i] = metrics_handler_of(table[i].pattern);
}

struct metrics *metrics_new(struct app *app, struct err *err)
{
	struct metrics *m = xcalloc(1, sizeof *m);

	m->app = app;
	arena_init(&m->arena);
	if (make_families(m, err) != 0) {
		metrics_free(&m);
		return NULL;
	}
	m->prom = prom_new(m->families, METRIC_N);
	for (size_t i = 0; i < sizeof series / sizeof series[0]; i++)
		prom_declare(m->prom, series[i].id, series[i].values);
	find_handlers(m);
	return m;
}

void metrics_begin(struct app *app)
{
	struct metrics *m = app->metrics;

	m->began_us = clock_mono_us();
	loop_on_slow_turn(app->loop, SLOW_TURN_US, on_slow_turn, app);
	on_hour(&m->hourly, m);
}

void metrics_free(struct metrics **mp)
{
	struct metrics *m = *mp;

	if (!m)
		return;
	timer_stop(&m->hourly);
	prom_free(&m->prom);
	arena_fini(&m->arena);
	free(m);
	*mp = NULL;
}
