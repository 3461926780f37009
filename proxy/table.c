/*
 * The book of routes: see table.h.
 */
#include "proxy/table.h"

#include <assert.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/list.h"
#include "base/map.h"
#include "base/mem.h"
#include "proxy/cell.h"
#include "proxy/journal.h"
#include "proxy/page.h"
#include "proxy/route.h"
#include "proxy/route_limits.h"
#include "proxy/worker.h"

#define LINE_MAX ((size_t)1 << 22)

#define QUIET_MS  2
#define SWEEP_MIN 64

enum table_mode {
	TABLE_OPEN,
	TABLE_FROZEN, /* changes wait */
	TABLE_LEFT,   /* changes are refused: another process has the book */
};

struct entry {
	struct route *route;
	struct route_limits limits;
	char *name;   /* the key as a JSON string, in quotes */
	char *object; /* the JSON object without its last brace */
};

struct table {
	struct loop *loop;
	bool by_host;
	struct page *page; /* NULL: no parent */
	struct map *entries;
	/* The cell of each key as long as somebody uses it: a deleted route
	 * that comes again meets its tunnels there. */
	struct map *cells;
	size_t n_cells_kept; /* after the last sweep */
	enum table_mode mode;
	struct list held; /* changes that wait for the mode to pass */
	size_t n_started; /* changes that are neither held nor done */
	struct timer quiet;
	void (*quiet_fn)(void *arg);
	void *quiet_arg;
	struct worker *const *workers;
	size_t n_workers;
	struct journal *journal;
	struct list changes; /* on their way */
	struct list ready;   /* of them: written, and not yet sent */
	struct batch *sent;  /* one at a time; the next ones gather meanwhile */
	struct defer send;
};

struct change {
	struct list link; /* in table->changes, in the order of calls */
	struct list step; /* in table->ready, or in its batch */
	struct table *table;
	struct entry *entry; /* NULL: delete */
	struct route *route; /* of the entry, for the workers */
	char *key;
	table_done_fn *done; /* NULL: nobody waits */
	void *arg;
	bool is_started;
	struct err result;
};

/* What one worker gets. */
struct order {
	struct batch *batch;
	struct worker *worker;
};

/* Changes that go to the workers together. */
struct batch {
	struct table *table;
	struct list changes;
	atomic_size_t n_pending; /* workers */
	struct order orders[];
};

static int64_t wall_ms(void)
{
	return clock_wall_us() / 1000;
}

/* ---- entries ------------------------------------------------------------- */

static void entry_free(struct entry *e)
{
	if (e == NULL)
		return;
	route_unref(&e->route);
	free(e->name);
	free(e->object);
	free(e);
}

static char *quoted(const char *s)
{
	json_t *j = json_string_nocheck(s);
	char *text;
	size_t len;

	assert(j != NULL);
	text = json_text(j, &len);
	json_decref(j);
	return text;
}

/* "/host/path" -> "host", malloc'ed */
static char *host_of(const char *key)
{
	return xstrndup(key + 1, strcspn(key + 1, "/"));
}

/* Set with --host-routing; without it, one that a journal of before brought is
 * not true any more. */
static void set_host(const struct table *t, const char *key, json_t *object)
{
	char *host = host_of(key);

	if (t->by_host && !str_eq(key, "/"))
		(void)json_object_set_new(
		    object, "host", json_string_nocheck(host));
	else if (str_eq(
		     json_string_value(json_object_get(object, "host")), host))
		(void)json_object_del(object, "host");
	free(host);
}

/* The object as it is given back, but for last_activity and the end. */
static char *object_text(
    const struct table *t, const char *key, const json_t *data)
{
	json_t *copy = json_copy((json_t *)(uintptr_t)data);
	char *text;
	size_t len;

	assert(copy != NULL);
	(void)json_object_del(copy, "last_activity");
	set_host(t, key, copy);
	text = json_text(copy, &len);
	json_decref(copy);
	assert(len > 2 && text[len - 1] == '}');
	text[len - 1] = '\0';
	return text;
}

static const struct entry *find(const struct table *t, const char *key)
{
	return map_get(t->entries, slice_of(key));
}

/* Let go of cells that only the book still knows. */
static void sweep_cells(struct table *t)
{
	const char *key;
	void *value;
	size_t pos = 0;

	if (map_count(t->cells) <= 2 * t->n_cells_kept + SWEEP_MIN)
		return;
	while (map_next(t->cells, &pos, &key, &value)) {
		struct cell *c = value;

		if (cell_is_shared(c))
			continue;
		(void)map_del(t->cells, slice_of(key));
		cell_unref(&c);
	}
	t->n_cells_kept = map_count(t->cells);
}

/* A replaced route keeps its cell, and one that comes again while something
 * of it is open takes it up. */
static struct cell *cell_for(struct table *t, const char *key, int64_t ms)
{
	struct cell *c = map_get(t->cells, slice_of(key));

	if (c != NULL)
		return cell_ref(c);
	sweep_cells(t);
	c = cell_new_for(key, t->page, ms);
	(void)map_put(t->cells, slice_of(key), c);
	return cell_ref(c);
}

static struct entry *entry_new(struct table *t, const char *key,
    const json_t *data, int64_t at_ms, struct err *err)
{
	struct route_limits limits;
	const char *target;
	struct route *r;
	struct entry *e;
	int rc;

	if (!json_is_object(data)) {
		err_set(err, ERR_INVALID, "the body must be a JSON object");
		return NULL;
	}
	rc = json_get_str(data, "target", ROUTE_TARGET_MAX, &target, err);
	if (rc == 0)
		err_set(err, ERR_INVALID, "Must specify 'target' as string");
	if (rc < 1 || route_limits_read(data, &limits, err) < 0)
		return NULL;
	r = route_new(key, target, cell_for(t, key, at_ms), err);
	if (r == NULL)
		return NULL;
	e = xcalloc(1, sizeof *e);
	e->route = r;
	e->limits = limits;
	e->name = quoted(key);
	e->object = object_text(t, key, data);
	return e;
}

static void put(struct table *t, struct entry *e)
{
	cell_set_limits(e->route->cell, &e->limits);
	entry_free(map_put(t->entries, slice_of(e->route->key), e));
}

/* ---- life ---------------------------------------------------------------- */

struct table *table_new(struct loop *l, bool by_host)
{
	struct table *t = xcalloc(1, sizeof *t);

	t->loop = l;
	t->by_host = by_host;
	t->entries = map_new();
	t->cells = map_new();
	list_init(&t->held);
	list_init(&t->changes);
	list_init(&t->ready);
	return t;
}

void table_set_page(struct table *t, struct page *page)
{
	t->page = page;
}

static void change_free(struct change *c)
{
	list_del(&c->link);
	list_del(&c->step);
	if (c->is_started)
		c->table->n_started--;
	route_unref(&c->route);
	entry_free(c->entry);
	free(c->key);
	free(c);
}

void table_free(struct table **tp)
{
	struct table *t = *tp;
	const char *key;
	void *value;
	size_t pos = 0;

	*tp = NULL;
	if (t == NULL)
		return;
	while (!list_empty(&t->changes))
		change_free(LIST_ITEM(t->changes.next, struct change, link));
	defer_cancel(&t->send);
	timer_stop(&t->quiet);
	free(t->sent);
	while (map_next(t->entries, &pos, &key, &value))
		entry_free(value);
	map_free(&t->entries);
	pos = 0;
	while (map_next(t->cells, &pos, &key, &value)) {
		struct cell *c = value;

		cell_unref(&c);
	}
	map_free(&t->cells);
	free(t);
}

int table_load(struct table *t, const char *key, const json_t *data,
    int64_t at_ms, struct err *err)
{
	struct entry *e;

	if (!route_key_is_clean(key))
		return err_set(
		    err, ERR_INVALID, "the path of a route is malformed");
	e = entry_new(t, key, data, at_ms, err);
	if (e == NULL)
		return -1;
	cell_set(e->route->cell, at_ms);
	/* An engine that died saw it used later than the journal knows. */
	if (t->page != NULL)
		cell_raise(e->route->cell, page_time_before(t->page, key));
	put(t, e);
	return 0;
}

void table_unload(struct table *t, const char *key)
{
	entry_free(map_del(t->entries, slice_of(key)));
}

void table_serve(
    struct table *t, struct worker *const *workers, size_t n, struct journal *j)
{
	const char *key;
	void *value;
	size_t pos = 0;

	t->workers = workers;
	t->n_workers = n;
	t->journal = j;
	while (map_next(t->entries, &pos, &key, &value))
		for (size_t i = 0; i < n; i++)
			worker_set_route(
			    workers[i], ((struct entry *)value)->route);
}

size_t table_count(const struct table *t)
{
	return map_count(t->entries);
}

/* ---- a change on its way ------------------------------------------------- */

static void acknowledge(struct change *c)
{
	if (c->done != NULL)
		c->done(&c->result, c->arg);
	change_free(c);
}

static void send_batch(void *arg);

/* All workers have applied it. */
static void on_applied(void *arg)
{
	struct batch *b = arg;
	struct table *t = b->table;

	while (!list_empty(&b->changes))
		acknowledge(LIST_ITEM(b->changes.next, struct change, step));
	free(b);
	t->sent = NULL;
	send_batch(t);
}

/* On the worker's thread: it reads the list, and nobody changes it. */
static void apply(void *arg)
{
	const struct order *o = arg;
	struct batch *b = o->batch;
	struct loop *home = b->table->loop;

	list_for_each (it, &b->changes) {
		const struct change *c = LIST_ITEM(it, struct change, step);

		if (c->route != NULL)
			worker_set_route(o->worker, c->route);
		else
			worker_remove_route(o->worker, c->key);
	}
	if (atomic_fetch_sub(&b->n_pending, 1) == 1)
		loop_post(home, on_applied, b);
}

static void send_batch(void *arg)
{
	struct table *t = arg;
	struct batch *b;

	if (t->sent != NULL || list_empty(&t->ready))
		return;
	b = xcalloc(1, sizeof *b + t->n_workers * sizeof(struct order));
	b->table = t;
	t->sent = b;
	list_init(&b->changes);
	list_for_each (it, &t->ready) {
		list_del(it);
		list_add_tail(&b->changes, it);
	}
	atomic_init(&b->n_pending, t->n_workers);
	for (size_t i = 0; i < t->n_workers; i++) {
		b->orders[i] = (struct order){ b, t->workers[i] };
		loop_post(t->workers[i]->loop, apply, &b->orders[i]);
	}
}

/* At the end of the turn, together with what else comes in it. */
static void distribute(struct change *c)
{
	struct table *t = c->table;

	list_add_tail(&t->ready, &c->step);
	if (t->sent == NULL)
		defer_call(t->loop, &t->send, send_batch, t);
}

/* It is on disk (or there is no journal). */
static void on_written(const struct err *err, void *arg)
{
	struct change *c = arg;
	struct table *t = c->table;
	struct entry *old;

	c->result = *err;
	if (err->code != ERR_NONE) {
		acknowledge(c);
		return;
	}
	if (c->entry != NULL) {
		cell_set(c->route->cell, wall_ms());
		put(t, c->entry);
		c->entry = NULL;
	} else {
		old = map_del(t->entries, slice_of(c->key));
		if (old == NULL) {
			err_set(&c->result, ERR_NOT_FOUND, "no such route");
			acknowledge(c);
			return;
		}
		entry_free(old);
	}
	distribute(c);
}

static void write_set(struct buf *b, const struct entry *e, int64_t at_ms)
{
	buf_printf(
	    b, "{\"op\":\"set\",\"at\":%lld,\"route\":{", (long long)at_ms);
	buf_str(b, e->name);
	buf_char(b, ':');
	buf_str(b, e->object);
	buf_str(b, "}}}\n");
}

static void write_line(struct buf *b, const struct change *c)
{
	char *name;

	if (c->entry != NULL) {
		write_set(b, c->entry, wall_ms());
		return;
	}
	name = quoted(c->key);
	buf_printf(b, "{\"op\":\"delete\",\"path\":%s}\n", name);
	free(name);
}

static struct change *change_new(struct table *t, const char *key,
    struct entry *e, table_done_fn *done, void *arg)
{
	struct change *c = xcalloc(1, sizeof *c);

	c->table = t;
	c->entry = e;
	c->route = e != NULL ? route_ref(e->route) : NULL;
	c->key = xstrdup(key);
	c->done = done;
	c->arg = arg;
	list_init(&c->step);
	list_add_tail(&t->changes, &c->link);
	return c;
}

static void start(struct change *c)
{
	static const struct err ok = { .code = ERR_NONE };
	struct buf line;

	c->is_started = true;
	c->table->n_started++;
	if (c->table->journal == NULL) {
		on_written(&ok, c);
		return;
	}
	buf_init(&line, LINE_MAX);
	write_line(&line, c);
	journal_append(c->table->journal, line.data, line.len, on_written, c);
	buf_fini(&line);
}

static void acknowledge_posted(void *arg)
{
	acknowledge(arg);
}

static void refuse(struct change *c)
{
	(void)err_set(&c->result, ERR_BUSY,
	    "another process takes this proxy's place: try again");
	loop_post(c->table->loop, acknowledge_posted, c);
}

static void start_or_hold(struct change *c)
{
	struct table *t = c->table;

	switch (t->mode) {
	case TABLE_OPEN:
		start(c);
		return;
	case TABLE_FROZEN:
		list_add_tail(&t->held, &c->step);
		return;
	case TABLE_LEFT:
		refuse(c);
	}
}

int table_set(struct table *t, const char *key, const json_t *data,
    table_done_fn *done, void *arg, struct err *err)
{
	struct entry *e = entry_new(t, key, data, wall_ms(), err);

	if (e == NULL)
		return -1;
	start_or_hold(change_new(t, key, e, done, arg));
	return 0;
}

void table_delete(
    struct table *t, const char *key, table_done_fn *done, void *arg)
{
	bool is_quiet = list_empty(&t->changes);
	struct change *c = change_new(t, key, NULL, done, arg);

	/* A change before it may be adding the very route. */
	if (!is_quiet || find(t, key) != NULL) {
		start_or_hold(c);
		return;
	}
	err_set(&c->result, ERR_NOT_FOUND, "no such route");
	loop_post(t->loop, acknowledge_posted, c);
}

void table_forget(struct table *t, void *arg)
{
	list_for_each (it, &t->changes) {
		struct change *c = LIST_ITEM(it, struct change, link);

		if (c->arg == arg)
			c->done = NULL;
	}
}

/* ---- a takeover ---------------------------------------------------------- */

static void look_if_quiet(struct timer *timer, void *arg)
{
	struct table *t = arg;

	(void)timer;
	if (t->mode != TABLE_FROZEN)
		return;
	if (t->n_started == 0 &&
	    (t->journal == NULL || journal_is_idle(t->journal)))
		t->quiet_fn(t->quiet_arg);
	else
		timer_start(t->loop, &t->quiet, QUIET_MS, look_if_quiet, t);
}

void table_freeze(struct table *t, void (*fn)(void *arg), void *arg)
{
	assert(t->mode == TABLE_OPEN);
	t->mode = TABLE_FROZEN;
	t->quiet_fn = fn;
	t->quiet_arg = arg;
	timer_start(t->loop, &t->quiet, 0, look_if_quiet, t);
}

void table_thaw(struct table *t)
{
	timer_stop(&t->quiet);
	t->mode = TABLE_OPEN;
	while (!list_empty(&t->held)) {
		struct change *c = LIST_ITEM(t->held.next, struct change, step);

		list_del(&c->step);
		start(c);
	}
}

void table_leave(struct table *t)
{
	assert(t->mode == TABLE_FROZEN);
	t->mode = TABLE_LEFT;
	t->journal = NULL;
	while (!list_empty(&t->held)) {
		struct change *c = LIST_ITEM(t->held.next, struct change, step);

		list_del(&c->step);
		refuse(c);
	}
}

bool table_next_cell(const struct table *t, size_t *pos, struct table_cell *out)
{
	const struct entry *e;
	void *value;

	if (!map_next(t->cells, pos, &out->key, &value))
		return false;
	e = find(t, out->key);
	out->cell = value;
	out->object = e == NULL ? NULL : e->object;
	return true;
}

struct cell *table_cell(const struct table *t, const char *key)
{
	return map_get(t->cells, slice_of(key));
}

struct cell *table_load_cell(struct table *t, const char *key, int64_t at_ms)
{
	struct cell *c = cell_for(t, key, at_ms);

	cell_set(c, at_ms);
	return c;
}

/* ---- showing ------------------------------------------------------------- */

static void write_entry(struct buf *out, const struct entry *e)
{
	char at[CLOCK_ISO_MAX];

	clock_format_iso_ms(cell_last_ms(e->route->cell) * 1000, at);
	buf_str(out, e->object);
	buf_str(out, ",\"last_activity\":\"");
	buf_str(out, at);
	buf_str(out, "\"}");
}

void table_write(const struct table *t, int64_t before_ms, struct buf *out)
{
	const char *key, *comma = "";
	void *value;
	size_t pos = 0;

	buf_char(out, '{');
	while (map_next(t->entries, &pos, &key, &value)) {
		const struct entry *e = value;

		if (before_ms >= 0 && cell_last_ms(e->route->cell) >= before_ms)
			continue;
		buf_str(out, comma);
		buf_str(out, e->name);
		buf_char(out, ':');
		write_entry(out, e);
		comma = ",";
	}
	buf_char(out, '}');
}

bool table_write_one(const struct table *t, const char *key, struct buf *out)
{
	const struct entry *e = find(t, key);

	if (e != NULL)
		write_entry(out, e);
	return e != NULL;
}

void table_write_journal(const struct table *t, struct buf *out)
{
	const char *key;
	void *value;
	size_t pos = 0;

	while (map_next(t->entries, &pos, &key, &value)) {
		const struct entry *e = value;

		write_set(out, e, cell_last_ms(e->route->cell));
	}
}
