/*
 * The book of routes: what the API shows and changes, on the API thread. A
 * change is checked, written to the journal, sent to every worker, and
 * acknowledged when all of them have applied it. The activity cells are made
 * here; workers only touch them.
 */
#ifndef CARREL_PROXY_TABLE_H
#define CARREL_PROXY_TABLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/json.h"
#include "base/loop.h"

struct cell;
struct journal;
struct page;
struct table;
struct worker;

/* err->code ERR_NONE: in force everywhere; ERR_NOT_FOUND: nothing to delete. */
typedef void table_done_fn(const struct err *err, void *arg);

struct table *table_new(struct loop *l, bool by_host);
/* Before the first route: where the times of use are noted, and those of an
 * engine before this one are found. */
void table_set_page(struct table *t, struct page *page);
/* After the workers have ended. */
void table_free(struct table **t);

/*
 * Before the workers run: a route as the journal or the command line says it.
 * data: borrowed object with "target".
 */
int table_load(struct table *t, const char *key, const json_t *data,
    int64_t at_ms, struct err *err) MUST_CHECK;
void table_unload(struct table *t, const char *key);
/* From here on changes go to these workers; they get all routes now. */
void table_serve(struct table *t, struct worker *const *workers, size_t n,
    struct journal *j);

/*
 * Set or replace a route; `done` comes later, once. -1 with INVALID: nothing
 * was done. data is borrowed; "last_activity" in it is ignored.
 */
int table_set(struct table *t, const char *key, const json_t *data,
    table_done_fn *done, void *arg, struct err *err) MUST_CHECK;
void table_delete(
    struct table *t, const char *key, table_done_fn *done, void *arg);
/* Callbacks that are still to come will not. */
void table_forget(struct table *t, void *arg);

/*
 * For a takeover. Freeze: changes wait; fn is called when none is on its way
 * any more. Thaw: they go on. Leave: another process has the book and the
 * journal; changes are refused (ERR_BUSY).
 */
void table_freeze(struct table *t, void (*fn)(void *arg), void *arg);
void table_thaw(struct table *t);
void table_leave(struct table *t);
struct table_cell {
	const char *key;
	struct cell *cell;
	const char *object; /* without its last brace; NULL: no route now */
};
/* Walks the cells of all keys, of routes and of what is left of them; start
 * with *pos = 0. Borrowed until the next change. */
bool table_next_cell(
    const struct table *t, size_t *pos, struct table_cell *out);
/* The cell of a key, borrowed, or NULL. */
struct cell *table_cell(const struct table *t, const char *key);
/* Before the workers run: a cell without a route; the caller's reference. */
struct cell *table_load_cell(struct table *t, const char *key, int64_t at_ms);

size_t table_count(const struct table *t);
/*
 * {"key": {...}, ...}; with before_ms >= 0 only routes whose last activity is
 * earlier.
 */
void table_write(const struct table *t, int64_t before_ms, struct buf *out);
/* One route's object; false: there is none. */
bool table_write_one(const struct table *t, const char *key, struct buf *out);
/* The whole table as journal lines. */
void table_write_journal(const struct table *t, struct buf *out);

#endif
