/*
 * The routes' journal: see journal.h. One thread of base/offload writes; the
 * descriptor and the lengths belong to the loop's thread between jobs and to
 * the job while it runs.
 */
#include "proxy/journal.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/offload.h"

#define FILE_MAX    ((size_t)256 << 20)
#define PENDING_MAX ((size_t)64 << 20)
/* Lines of history beyond twice the routes before a snapshot is taken. */
#define HISTORY_MIN 4096

struct waiter {
	journal_done_fn *done;
	void *arg;
};

struct waiters {
	struct waiter *items;
	size_t n, cap;
};

struct job {
	struct journal *journal;
	char *text;
	size_t len;
	struct waiters waiters;
	size_t n_lines; /* of a snapshot */
	struct err err;
};

struct journal {
	struct offload *offload;
	char *path, *name;
	int dir_fd, fd;
	off_t good_len; /* whole lines that are on disk */
	size_t n_lines; /* in the file */
	size_t n_live;  /* in the last snapshot */
	struct buf pending;
	struct waiters waiters;
	struct job *running;
	bool is_closing;
	journal_snapshot_fn *snapshot;
	void *snapshot_arg;
};

static void next_job(struct journal *j);

/* ---- opening ------------------------------------------------------------- */

static int open_dir(struct journal *j, struct err *err)
{
	const char *slash = strrchr(j->path, '/');
	char *dir;

	j->name = xstrdup(slash == NULL ? j->path : slash + 1);
	dir = slash == NULL      ? xstrdup(".")
	      : slash == j->path ? xstrdup("/")
				 : xstrndup(j->path, (size_t)(slash - j->path));
	j->dir_fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (j->dir_fd < 0)
		(void)err_sys(err, "open the directory %s of the journal", dir);
	free(dir);
	return j->dir_fd < 0 ? -1 : 0;
}

static int open_file(struct journal *j, struct err *err)
{
	struct stat st;

	j->fd = openat(j->dir_fd, j->name,
	    O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK, 0600);
	if (j->fd < 0)
		return err_sys(err, "open the journal %s", j->path);
	if (fstat(j->fd, &st) < 0 || !S_ISREG(st.st_mode))
		return err_set(err, ERR_INVALID,
		    "the journal %s is no regular file", j->path);
	if (flock(j->fd, LOCK_EX | LOCK_NB) < 0)
		return err_set(err, ERR_BUSY,
		    "the journal %s is used by another proxy", j->path);
	return 0;
}

static void read_line(struct journal *j, struct slice line, size_t number,
    journal_line_fn *fn, void *arg)
{
	json_t *parsed = NULL;
	struct err err;
	int rc = json_parse(line.p, line.len, &parsed, &err);

	if (rc == 0)
		rc = fn(parsed, arg, &err);
	if (rc < 0)
		log_error(NULL, "a line of the journal is skipped",
		    "file=%s line=%zu error=\"%s\"", j->path, number, err.text);
	json_decref(parsed);
	j->n_lines++;
}

static int read_lines(
    struct journal *j, journal_line_fn *fn, void *arg, struct err *err)
{
	struct slice rest;
	char *text;
	size_t len, number = 0;

	if (fd_read_all(j->fd, FILE_MAX, &text, &len, err) < 0)
		return err_wrap(err, "journal %s", j->path);
	rest = slice_make(text, len);
	while (rest.len > 0) {
		const char *end = memchr(rest.p, '\n', rest.len);
		size_t n;

		if (end == NULL)
			break;
		n = (size_t)(end - rest.p);
		read_line(j, slice_make(rest.p, n), ++number, fn, arg);
		rest = slice_make(end + 1, rest.len - n - 1);
	}
	j->good_len = (off_t)(len - rest.len);
	free(text);
	if (rest.len == 0)
		return 0;
	log_warn(NULL, "a torn line of the journal is cut off",
	    "file=%s bytes=%zu", j->path, rest.len);
	if (ftruncate(j->fd, j->good_len) < 0)
		return err_sys(err, "cut the journal %s", j->path);
	return 0;
}

struct journal *journal_open(struct loop *l, const char *path,
    journal_line_fn *line, void *arg, struct err *err)
{
	struct journal *j = xcalloc(1, sizeof *j);

	j->path = xstrdup(path);
	j->dir_fd = j->fd = -1;
	buf_init(&j->pending, PENDING_MAX);
	if (open_dir(j, err) < 0 || open_file(j, err) < 0 ||
	    read_lines(j, line, arg, err) < 0) {
		journal_close(&j);
		return NULL;
	}
	j->offload = offload_new(l, 1, 1);
	return j;
}

static int adopt_file(struct journal *j, struct err *err)
{
	struct stat ours, named;

	if (fstat(j->fd, &ours) < 0)
		return err_sys(err, "stat the journal that came over");
	if (fstatat(j->dir_fd, j->name, &named, AT_SYMLINK_NOFOLLOW) < 0 ||
	    ours.st_dev != named.st_dev || ours.st_ino != named.st_ino)
		return err_set(err, ERR_INVALID,
		    "the running proxy keeps its routes in another file than "
		    "%s: give the same --journal",
		    j->path);
	j->good_len = ours.st_size;
	return 0;
}

struct journal *journal_adopt(
    struct loop *l, const char *path, int fd, size_t n_lines, struct err *err)
{
	struct journal *j = xcalloc(1, sizeof *j);

	j->path = xstrdup(path);
	j->dir_fd = -1;
	j->fd = fd;
	j->n_lines = n_lines;
	buf_init(&j->pending, PENDING_MAX);
	if (open_dir(j, err) < 0 || adopt_file(j, err) < 0) {
		journal_close(&j);
		return NULL;
	}
	j->offload = offload_new(l, 1, 1);
	return j;
}

bool journal_is_idle(const struct journal *j)
{
	return j->running == NULL && j->waiters.n == 0;
}

int journal_fd(const struct journal *j)
{
	return j->fd;
}

size_t journal_lines(const struct journal *j)
{
	return j->n_lines;
}

void journal_set_snapshot(
    struct journal *j, journal_snapshot_fn *snapshot, void *arg)
{
	j->snapshot = snapshot;
	j->snapshot_arg = arg;
}

/* ---- jobs ---------------------------------------------------------------- */

static struct job *job_new(struct journal *j)
{
	struct job *job = xcalloc(1, sizeof *job);

	job->journal = j;
	return job;
}

static void job_free(struct job *job)
{
	free(job->text);
	free(job->waiters.items);
	free(job);
}

/* After a failed replacement the file has to be opened anew. */
static int ensure_open(struct journal *j, struct err *err)
{
	struct stat st;

	if (j->fd >= 0)
		return 0;
	if (open_file(j, err) < 0) {
		fd_close(&j->fd);
		return -1;
	}
	if (fstat(j->fd, &st) < 0)
		return err_sys(err, "stat the journal %s", j->path);
	j->good_len = st.st_size;
	return 0;
}

static int write_at(int fd, const char *p, size_t n, off_t at)
{
	while (n > 0) {
		ssize_t done = pwrite(fd, p, n, at);

		if (done < 0 && errno == EINTR)
			continue;
		if (done <= 0)
			return -1;
		p += done;
		n -= (size_t)done;
		at += done;
	}
	return fdatasync(fd);
}

/* In the offload's thread. */
static void append_work(void *arg)
{
	struct job *job = arg;
	struct journal *j = job->journal;

	if (ensure_open(j, &job->err) < 0)
		return;
	if (write_at(j->fd, job->text, job->len, j->good_len) == 0) {
		j->good_len += (off_t)job->len;
		return;
	}
	(void)err_sys(&job->err, "write the journal %s", j->path);
	/* What was written of it must not be read after a restart. */
	if (ftruncate(j->fd, j->good_len) < 0)
		fd_close(&j->fd);
}

static void tell(struct waiters *w, const struct err *err)
{
	for (size_t i = 0; i < w->n; i++)
		w->items[i].done(err, w->items[i].arg);
}

static void append_done(void *arg)
{
	struct job *job = arg;
	struct journal *j = job->journal;

	j->running = NULL;
	if (job->err.code == ERR_NONE)
		j->n_lines += job->waiters.n;
	else
		log_error(NULL, "routes cannot be written", "error=\"%s\"",
		    job->err.text);
	tell(&job->waiters, &job->err);
	job_free(job);
	next_job(j);
}

static int replace(
    struct journal *j, const char *text, size_t len, struct err *err)
{
	if (file_replace(j->dir_fd, j->name, text, len, 0600, err) < 0)
		return err_wrap(err, "journal %s", j->path);
	fd_close(&j->fd);
	return ensure_open(j, err);
}

static void snapshot_work(void *arg)
{
	struct job *job = arg;

	if (job->err.code == ERR_NONE)
		(void)replace(job->journal, job->text, job->len, &job->err);
}

static void snapshot_done(void *arg)
{
	struct job *job = arg;
	struct journal *j = job->journal;

	j->running = NULL;
	if (job->err.code != ERR_NONE) {
		log_error(NULL, "the journal cannot be compacted",
		    "error=\"%s\"", job->err.text);
		/* Not again at once */
		j->n_live = j->n_lines;
	} else {
		j->n_lines = j->n_live = job->n_lines;
	}
	job_free(job);
	next_job(j);
}

static void submit(struct job *job, offload_fn *work, offload_fn *done)
{
	struct journal *j = job->journal;
	struct err err;
	int rc;

	assert(j->running == NULL);
	j->running = job;
	/* Only one job runs at a time: there is room. */
	rc = offload_submit(j->offload, work, done, job, &err);
	assert(rc == 0);
}

static bool wants_snapshot(const struct journal *j)
{
	return j->snapshot != NULL &&
	       (j->n_lines > 2 * j->n_live + HISTORY_MIN ||
		   (size_t)j->good_len > FILE_MAX / 2);
}

static void take_snapshot(struct journal *j, struct job *job)
{
	struct buf b;

	buf_init(&b, FILE_MAX);
	job->n_lines = j->snapshot(&b, j->snapshot_arg);
	if (b.overflow)
		(void)err_set(&job->err, ERR_LIMIT,
		    "the routes are more than the journal may hold");
	job->len = b.len;
	job->text = buf_steal(&b);
}

static void next_job(struct journal *j)
{
	struct job *job;

	if (j->running != NULL || j->is_closing)
		return;
	if (wants_snapshot(j)) {
		job = job_new(j);
		take_snapshot(j, job);
		submit(job, snapshot_work, snapshot_done);
		return;
	}
	if (j->waiters.n == 0)
		return;
	job = job_new(j);
	job->waiters = j->waiters;
	j->waiters = (struct waiters){ .items = NULL };
	job->len = j->pending.len;
	job->text = buf_steal(&j->pending);
	submit(job, append_work, append_done);
}

/* ---- the doors ----------------------------------------------------------- */

void journal_append(struct journal *j, const char *line, size_t len,
    journal_done_fn *done, void *arg)
{
	struct waiters *w = &j->waiters;
	struct err err;

	if (j->is_closing || j->pending.len + len > PENDING_MAX) {
		(void)err_set(&err, ERR_BUSY, "%s",
		    j->is_closing ? "the proxy ends"
				  : "too many changes wait for the disk");
		done(&err, arg);
		return;
	}
	buf_append(&j->pending, line, len);
	if (w->n == w->cap) {
		w->cap = w->cap > 0 ? w->cap * 2 : 16;
		w->items = xreallocarray(w->items, w->cap, sizeof *w->items);
	}
	w->items[w->n++] = (struct waiter){ .done = done, .arg = arg };
	next_job(j);
}

/* What is being written ends; what its end would start does not begin. */
static void stop_writing(struct journal *j)
{
	j->is_closing = true;
	offload_free(&j->offload);
	assert(j->running == NULL);
}

int journal_finish(struct journal *j, struct err *err)
{
	struct job *job;
	int rc = -1;

	assert(j->snapshot != NULL);
	stop_writing(j);
	job = job_new(j);
	take_snapshot(j, job);
	*err = job->err;
	if (err->code == ERR_NONE)
		rc = replace(j, job->text, job->len, err);
	job_free(job);
	return rc;
}

void journal_close(struct journal **jp)
{
	struct journal *j = *jp;
	struct err err;

	*jp = NULL;
	if (j == NULL)
		return;
	stop_writing(j);
	(void)err_set(&err, ERR_CANCELLED, "the proxy ends");
	tell(&j->waiters, &err);
	free(j->waiters.items);
	buf_fini(&j->pending);
	fd_close(&j->fd);
	fd_close(&j->dir_fd);
	free(j->path);
	free(j->name);
	free(j);
}
