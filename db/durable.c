/*
 * When is a commit on the disk: see db.h. SQLite writes the log (WAL) without
 * waiting for the disk. Each commit gets a number; at the end of a loop's turn
 * one fdatasync of the log, through a descriptor of our own, runs in
 * base/offload and covers every commit made before it. One runs at a time.
 *
 * The log goes back into the file by checkpoints on a second connection, which
 * writes no rows, in base/offload too. What is left in the loop's thread: once
 * per log (4 MiB) SQLite syncs the new log's header itself, because without it
 * a power cut could leave a file that cannot be read.
 */
#include "db/db.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/log.h"
#include "base/mem.h"
#include "db/db_priv.h"

/* Writers that never pause keep a checkpoint from the end of the log: beyond
 * PAGES_MAX one more runs in the loop as soon as little is left for it, and at
 * the latest PAGES_OVER pages later. */
#define PAGES_MAX  (2 * DB_CHECKPOINT_PAGES)
#define PAGES_LEFT 200
#define PAGES_OVER 500

/* The log grows by so much at a time, and before its end is reached. */
#define LOG_FRAME_BYTES 24 /* before each page */
#define GROW_BYTES      (256 * 1024)
#define ROOM_BYTES      (64 * 1024)
#define ZERO_BYTES      (64 * 1024)

/* A piece of work in base/offload that db_close can wait for, and that may be
 * called `done` after the database has gone. */
struct job {
	pthread_mutex_t lock;
	pthread_cond_t changed;
	bool has_run;  /* guarded by lock */
	struct db *db; /* the loop's thread alone; NULL: nobody asks */
};

struct db_sync {
	struct job job;
	int fd;
	db_sync_fn *fn;
	void *fn_arg;
	uint64_t seq; /* what it covers */
	int sys_errno;
};

struct db_checkpoint {
	struct job job;
	sqlite3 *h;
	int rc, n_copied; /* of the last run */
	bool is_running;
	int log_pages;  /* after the last commit */
	int done_pages; /* of them, those that are in the file */
};

static void job_init(struct job *j, struct db *db)
{
	pthread_mutex_init(&j->lock, NULL);
	pthread_cond_init(&j->changed, NULL);
	j->has_run = false;
	j->db = db;
}

static void job_fini(struct job *j)
{
	pthread_cond_destroy(&j->changed);
	pthread_mutex_destroy(&j->lock);
}

static void job_ran(struct job *j)
{
	pthread_mutex_lock(&j->lock);
	j->has_run = true;
	pthread_cond_signal(&j->changed);
	pthread_mutex_unlock(&j->lock);
}

static void job_wait(struct job *j)
{
	pthread_mutex_lock(&j->lock);
	while (!j->has_run)
		pthread_cond_wait(&j->changed, &j->lock);
	pthread_mutex_unlock(&j->lock);
}

/* ---- waiters ---- */

static bool is_settled(const struct db *db, uint64_t seq)
{
	return seq <= db->durable || db->broken.code != ERR_NONE;
}

static void tell_waiters(struct db *db)
{
	while (!list_empty(&db->waiters)) {
		struct db_waiter *w =
		    LIST_ITEM(db->waiters.next, struct db_waiter, link);

		if (!is_settled(db, w->seq))
			return;
		list_del(&w->link);
		/* What is on disk is on disk, even if a later sync failed. */
		w->fn(w->seq <= db->durable ? &(struct err){ 0 } : &db->broken,
		    w->arg);
	}
}

static void tell_later(void *arg)
{
	tell_waiters(arg);
}

/* ---- the sync ---- */

static void sync_run(void *arg)
{
	struct db_sync *s = arg;

	s->sys_errno = 0;
	while (s->fn(s->fd, s->fn_arg) < 0) {
		if (errno == EINTR)
			continue;
		s->sys_errno = errno;
		break;
	}
	job_ran(&s->job);
}

/* After a failed sync the kernel may have thrown the pages away: another that
 * succeeds would prove nothing, so this is for good. */
static void sync_result(struct db *db, struct db_sync *s)
{
	db->sync = NULL;
	if (s->sys_errno == 0) {
		db->durable = s->seq;
		return;
	}
	errno = s->sys_errno;
	(void)err_sys(&db->broken,
	    "database %s: its log cannot be written to the disk; what was "
	    "answered so far is safe, look at the disk and start again",
	    db->path);
	log_error(NULL, "database not durable", "%s", db->broken.text);
}

static void sync_free(struct db_sync *s)
{
	job_fini(&s->job);
	free(s);
}

static void sync_begin(struct db *db);

static void sync_done(void *arg)
{
	struct db_sync *s = arg;
	struct db *db = s->job.db;

	if (db != NULL) {
		sync_result(db, s);
		sync_begin(db);
		tell_waiters(db);
	}
	sync_free(s);
}

/* Everything committed so far; in the call when there is no offload (or its
 * queue is full): the waiters are then told later. */
static void sync_begin(struct db *db)
{
	struct db_sync *s;

	if (db->sync != NULL || is_settled(db, db->committed))
		return;
	s = xcalloc(1, sizeof *s);
	job_init(&s->job, db);
	s->fd = db->wal_fd;
	s->fn = db->sync_fn;
	s->fn_arg = db->sync_arg;
	s->seq = db->committed;
	db->sync = s;
	if (db->offload != NULL &&
	    offload_submit(db->offload, sync_run, sync_done, s, NULL) == 0)
		return;
	sync_run(s);
	sync_result(db, s);
	sync_free(s);
	if (db->loop != NULL)
		defer_call(db->loop, &db->tell, tell_later, db);
}

void db_when_durable(
    struct db *db, struct db_waiter *w, db_durable_fn *fn, void *arg)
{
	assert(db->loop != NULL);
	w->seq = db->committed;
	w->fn = fn;
	w->arg = arg;
	list_add_tail(&db->waiters, &w->link);
	if (is_settled(db, w->seq))
		defer_call(db->loop, &db->tell, tell_later, db);
	else if (db->offload == NULL)
		sync_begin(db);
}

void db_waiter_cancel(struct db_waiter *w)
{
	if (w->link.next != NULL)
		list_del(&w->link);
}

bool db_is_durable(const struct db *db)
{
	return db->durable == db->committed;
}

static int real_sync(int fd, void *arg)
{
	(void)arg;
	return fdatasync(fd);
}

void db_set_sync(struct db *db, db_sync_fn *fn, void *arg)
{
	db->sync_fn = fn != NULL ? fn : real_sync;
	db->sync_arg = arg;
}

/* ---- room in the log ---- */

static int write_zeros(
    sqlite3_file *f, sqlite3_int64 at, sqlite3_int64 len_bytes)
{
	static char zeros[ZERO_BYTES];
	int rc = SQLITE_OK;

	for (sqlite3_int64 n = 0; rc == SQLITE_OK && n < len_bytes;
	     n += ZERO_BYTES)
		rc = f->pMethods->xWrite(f, zeros, ZERO_BYTES, at + n);
	return rc;
}

/* Behind the end of the file only, where nobody else writes now. */
static void grow_locked(struct db *db, sqlite3_int64 end)
{
	sqlite3_file *f = NULL;
	sqlite3_int64 size;

	if (sqlite3_file_control(
		db->h, "main", SQLITE_FCNTL_JOURNAL_POINTER, &f) != SQLITE_OK ||
	    f->pMethods == NULL ||
	    f->pMethods->xFileSize(f, &size) != SQLITE_OK)
		return;
	if (size < end + ROOM_BYTES &&
	    write_zeros(f, size, GROW_BYTES) == SQLITE_OK)
		size += GROW_BYTES;
	db->log_bytes = size;
}

/*
 * An fdatasync of a file that has grown writes its inode too and waits for
 * that: it takes twice the time of processors and disk. So the log gets room in
 * pieces; zeros behind its last frame are no frame to SQLite. Under the
 * writer's lock, so that another program's frames are safe. What fails here
 * will be told by the commit that needs the room.
 */
static void grow_log(struct db *db)
{
	sqlite3_int64 end = (sqlite3_int64)db->checkpoint->log_pages *
			    (db->page_bytes + LOG_FRAME_BYTES);

	if (end + ROOM_BYTES <= db->log_bytes)
		return;
	/* Whoever has the lock is not waited for. */
	sqlite3_busy_timeout(db->h, 0);
	if (db_begin(db, NULL) == 0) {
		grow_locked(db, end);
		db_rollback(db);
	}
	sqlite3_busy_timeout(db->h, DB_BUSY_MS);
}

/* ---- checkpoints ---- */

static void checkpoint_run(void *arg)
{
	struct db_checkpoint *c = arg;

	c->rc = sqlite3_wal_checkpoint_v2(
	    c->h, NULL, SQLITE_CHECKPOINT_PASSIVE, NULL, &c->n_copied);
	job_ran(&c->job);
}

static void checkpoint_result(struct db *db, struct db_checkpoint *c)
{
	struct err err = { 0 };

	c->is_running = false;
	if (c->rc == SQLITE_OK)
		c->done_pages = c->n_copied;
	if (c->rc == SQLITE_OK || c->rc == SQLITE_BUSY)
		return;
	(void)db_error(c->h, db->path, c->rc, "checkpoint", &err);
	log_warn(
	    NULL, "database checkpoint failed, the log grows", "%s", err.text);
}

static void checkpoint_free(struct db_checkpoint *c)
{
	sqlite3_close(c->h);
	job_fini(&c->job);
	free(c);
}

static void checkpoint_done(void *arg)
{
	struct db_checkpoint *c = arg;

	if (c->job.db != NULL)
		checkpoint_result(c->job.db, c);
	else
		checkpoint_free(c);
}

/* In the loop: nothing is written meanwhile, so it reaches the end of the log
 * and the next commit begins a new one. */
static void checkpoint_now(struct db *db)
{
	struct db_checkpoint *c = db->checkpoint;
	bool was_running = c->is_running;

	if (was_running)
		job_wait(&c->job);
	checkpoint_run(c);
	/* checkpoint_done is still to come when one was under way. */
	if (!was_running)
		checkpoint_result(db, c);
}

static void checkpoint_begin(struct db *db)
{
	struct db_checkpoint *c = db->checkpoint;
	int left = c->log_pages - c->done_pages;
	bool is_long = c->log_pages >= PAGES_MAX;

	if (c->log_pages >= PAGES_MAX + PAGES_OVER ||
	    (is_long && !c->is_running && left < PAGES_LEFT)) {
		checkpoint_now(db);
		return;
	}
	/* Not for less: a page that changes all the time is copied once. */
	if (c->is_running || (!is_long && left < db->checkpoint_pages))
		return;
	c->is_running = true;
	c->job.has_run = false;
	if (db->offload != NULL && offload_submit(db->offload, checkpoint_run,
				       checkpoint_done, c, NULL) == 0)
		return;
	checkpoint_run(c);
	checkpoint_result(db, c);
}

/* ---- every commit comes through here ---- */

static void at_end_of_turn(void *arg)
{
	struct db *db = arg;

	/* A reader would keep a checkpoint from beginning the log anew. */
	db_read_end(db);
	grow_log(db);
	sync_begin(db);
	checkpoint_begin(db);
}

static int on_commit(void *arg, sqlite3 *h, const char *name, int log_pages)
{
	struct db *db = arg;
	struct db_checkpoint *c = db->checkpoint;

	(void)h;
	(void)name;
	db->committed++;
	/* All was in the file: the log began anew. */
	if (log_pages <= c->done_pages)
		c->done_pages = 0;
	c->log_pages = log_pages;
	if (db->loop != NULL)
		defer_call(db->loop, &db->start, at_end_of_turn, db);
	return SQLITE_OK;
}

/* ---- open and close ---- */

/* The log was just made: its name must outlive a power cut too. */
static int open_log(struct db *db, struct err *err)
{
	char *name = xasprintf("%s-wal", db->path);
	char *copy = xstrdup(name);
	int dir = -1, rc = 0;

	db->wal_fd = open(name, O_RDWR | O_CLOEXEC | O_NOFOLLOW);
	if (db->wal_fd < 0)
		rc = err_sys(
		    err, "database %s: open its log %s", db->path, name);
	else
		dir = open(dirname(copy), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (rc == 0 && (dir < 0 || fsync(dir) < 0))
		rc = err_sys(err, "database %s: sync its directory", db->path);
	fd_close(&dir);
	free(copy);
	free(name);
	return rc;
}

static int open_checkpoint(struct db *db, struct err *err)
{
	struct db_checkpoint *c = xcalloc(1, sizeof *c);
	int rc;

	job_init(&c->job, db);
	db->checkpoint = c;
	db->checkpoint_pages = DB_CHECKPOINT_PAGES;
	rc = sqlite3_open_v2(
	    db->path, &c->h, SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX, NULL);
	if (rc != SQLITE_OK)
		return db_error(c->h, db->path, rc, "open", err);
	sqlite3_extended_result_codes(c->h, 1);
	return db_exec(c->h, db->path,
	    "PRAGMA synchronous = NORMAL; PRAGMA wal_autocheckpoint = 0;", err);
}

int db_durable_open(struct db *db, struct err *err)
{
	int64_t n;

	if (db->in_memory)
		return 0;
	/* The first read after the change of mode makes the log's file. */
	if (db_number(db->h, db->path, "SELECT count(*) FROM meta", &n, err) <
		0 ||
	    db_number(db->h, db->path, "PRAGMA page_size", &db->page_bytes,
		err) < 0 ||
	    open_log(db, err) < 0 || open_checkpoint(db, err) < 0)
		return -1;
	if (db->sync_fn == NULL)
		db_set_sync(db, NULL, NULL);
	sqlite3_wal_hook(db->h, on_commit, db);
	return 0;
}

static void finish_sync(struct db *db)
{
	struct db_sync *s = db->sync;

	if (s != NULL) {
		job_wait(&s->job);
		sync_result(db, s);
		s->job.db = NULL;
	}
	if (is_settled(db, db->committed))
		return;
	db->offload = NULL;
	sync_begin(db);
}

static void finish_checkpoint(struct db *db)
{
	struct db_checkpoint *c = db->checkpoint;

	if (c == NULL)
		return;
	db->checkpoint = NULL;
	if (!c->is_running) {
		checkpoint_free(c);
		return;
	}
	job_wait(&c->job);
	c->job.db = NULL;
	/* checkpoint_done frees it; its connection must not outlive ours. */
	sqlite3_close(c->h);
	c->h = NULL;
}

void db_durable_close(struct db *db)
{
	if (db->wal_fd >= 0)
		finish_sync(db);
	tell_waiters(db);
	defer_cancel(&db->start);
	defer_cancel(&db->tell);
	finish_checkpoint(db);
	if (db->h != NULL)
		sqlite3_wal_hook(db->h, NULL, NULL);
	fd_close(&db->wal_fd);
}
