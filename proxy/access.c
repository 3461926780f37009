/*
 * The access log's rings and its thread: see access.h.
 */
#include "proxy/access.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fd.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/str.h"

#define RING_SIZE   ((size_t)524288) /* a power of two */
#define FILE_BATCH  65536
#define PIPE_BATCH  4096 /* PIPE_BUF: nobody else's line comes in between */
#define GATHER_MS   100
#define BLOCKED_MS  200
/* At the end, for what is left. */
#define FINISH_MS   1000
#define COMPLAIN_MS 10000

struct access_ring {
	struct access *access;
	_Atomic size_t head; /* bytes put, ever; the worker's */
	_Atomic size_t tail; /* bytes written, ever; the thread's */
	char *bytes;
};

struct access {
	const char *path;
	bool is_stdout;
	size_t n_rings;
	struct access_ring *rings;
	int wake_fd;
	pthread_t thread;
	bool has_thread;
	atomic_bool is_asleep, is_ending, must_reopen;
	/* The thread's: */
	int fd;
	size_t batch;
	int64_t complain_ms, end_ms;
	char text[FILE_BATCH];
};

/* ---- the file ------------------------------------------------------------ */

static int check_file(const char *path, const struct stat *st, struct err *err)
{
	if (S_ISFIFO(st->st_mode) || S_ISCHR(st->st_mode))
		return 0;
	if (!S_ISREG(st->st_mode))
		return err_set(err, ERR_INVALID, "%s is no file", path);
	if (st->st_uid != geteuid() && st->st_uid != 0)
		return err_set(err, ERR_DENIED,
		    "%s belongs to another account (uid %u)", path,
		    (unsigned)st->st_uid);
	if (st->st_nlink != 1)
		return err_set(err, ERR_DENIED,
		    "%s has more than one name: remove the other links", path);
	if ((st->st_mode & S_IWOTH) != 0)
		return err_set(err, ERR_DENIED,
		    "everybody may write to %s: chmod o-w", path);
	return 0;
}

static int open_file(const char *path, int *out, struct err *err)
{
	int fd = open(path,
	    O_WRONLY | O_APPEND | O_CREAT | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY |
		O_CLOEXEC,
	    0640);
	struct stat st;

	if (fd < 0 && errno == ELOOP)
		return err_set(err, ERR_DENIED,
		    "%s is a symbolic link: name the file itself, or \"-\" for "
		    "standard output",
		    path);
	if (fd < 0 && errno == ENXIO)
		return err_set(
		    err, ERR_UNAVAILABLE, "nobody reads the FIFO %s", path);
	if (fd < 0)
		return err_sys(err, "open %s", path);
	if (fstat(fd, &st) < 0)
		(void)err_sys(err, "look at %s", path);
	else if (check_file(path, &st, err) == 0) {
		*out = fd;
		return 0;
	}
	fd_close(&fd);
	return -1;
}

static void choose_batch(struct access *a)
{
	struct stat st;

	a->batch = fstat(a->fd, &st) == 0 && S_ISREG(st.st_mode) ? FILE_BATCH
								 : PIPE_BATCH;
}

static void complain(struct access *a, const char *what, const char *why)
{
	int64_t now = clock_mono_ms();

	if (now < a->complain_ms)
		return;
	a->complain_ms = now + COMPLAIN_MS;
	log_error(NULL, what, "file=%s error=\"%s\"", a->path, why);
}

static void reopen(struct access *a)
{
	struct err err;
	int fd;

	if (a->is_stdout)
		return;
	if (open_file(a->path, &fd, &err) < 0) {
		log_error(NULL,
		    "the access log cannot be opened anew: the old file stays",
		    "error=\"%s\"", err.text);
		return;
	}
	fd_close(&a->fd);
	a->fd = fd;
	choose_batch(a);
	log_info(NULL, "the access log is opened anew", "file=%s", a->path);
}

/* ---- the thread ---------------------------------------------------------- */

/* Waits until it may be written, or the end is due. */
static bool may_write(struct access *a)
{
	struct pollfd p = { .fd = a->fd, .events = POLLOUT };

	if (a->batch == FILE_BATCH)
		return true;
	while (poll(&p, 1, BLOCKED_MS) == 0)
		if (atomic_load(&a->is_ending) && clock_mono_ms() >= a->end_ms)
			return false;
	return true;
}

/* What cannot be written is lost. */
static void write_out(struct access *a, size_t n)
{
	size_t at = 0;

	while (at < n) {
		ssize_t rc =
		    may_write(a) ? write(a->fd, a->text + at, n - at) : 0;

		if (rc == 0)
			return;
		if (rc > 0) {
			at += (size_t)rc;
		} else if (errno != EINTR && errno != EAGAIN) {
			complain(a, "lines of the access log are lost",
			    strerror(errno));
			return;
		}
	}
}

static size_t whole_lines(const char *p, size_t n)
{
	while (n > 0 && p[n - 1] != '\n')
		n--;
	return n;
}

/* Some lines of one ring; 0: it is empty. */
static size_t drain(struct access *a, struct access_ring *r)
{
	size_t tail = atomic_load_explicit(&r->tail, memory_order_relaxed);
	size_t n = atomic_load(&r->head) - tail;
	size_t from = tail % RING_SIZE, first;

	if (n > a->batch)
		n = a->batch;
	first = n < RING_SIZE - from ? n : RING_SIZE - from;
	memcpy(a->text, r->bytes + from, first);
	memcpy(a->text + first, r->bytes, n - first);
	n = whole_lines(a->text, n);
	write_out(a, n);
	atomic_store_explicit(&r->tail, tail + n, memory_order_release);
	return n;
}

static bool drain_all(struct access *a)
{
	bool any = false;

	for (size_t i = 0; i < a->n_rings; i++)
		any = drain(a, &a->rings[i]) > 0 || any;
	return any;
}

static bool is_empty(struct access *a)
{
	for (size_t i = 0; i < a->n_rings; i++)
		if (atomic_load(&a->rings[i].head) !=
		    atomic_load(&a->rings[i].tail))
			return false;
	return !atomic_load(&a->must_reopen) && !atomic_load(&a->is_ending);
}

/* Until somebody wakes us; max_ms -1: until then only. */
static void rest(struct access *a, int max_ms)
{
	struct pollfd p = { .fd = a->wake_fd, .events = POLLIN };
	uint64_t n;

	if (poll(&p, 1, max_ms) > 0)
		(void)!read(a->wake_fd, &n, sizeof n);
}

static void *thread_main(void *arg)
{
	struct access *a = arg;

	for (;;) {
		bool any = drain_all(a), is_ending = atomic_load(&a->is_ending);

		if (atomic_exchange(&a->must_reopen, false))
			reopen(a);
		if (is_ending && (!any || clock_mono_ms() >= a->end_ms))
			return NULL;
		if (is_ending)
			continue;
		if (any) {
			rest(a, GATHER_MS);
			continue;
		}
		atomic_store(&a->is_asleep, true);
		if (is_empty(a))
			rest(a, -1);
		atomic_store(&a->is_asleep, false);
	}
}

static void wake(struct access *a)
{
	const uint64_t one = 1;

	(void)!write(a->wake_fd, &one, sizeof one);
}

/* ---- the workers' side --------------------------------------------------- */

struct access_ring *access_ring(struct access *a, size_t i)
{
	assert(i < a->n_rings);
	return &a->rings[i];
}

bool access_put(struct access_ring *r, const char *line, size_t n)
{
	struct access *a = r->access;
	size_t head = atomic_load_explicit(&r->head, memory_order_relaxed);
	size_t used =
	    head - atomic_load_explicit(&r->tail, memory_order_acquire);
	size_t at = head % RING_SIZE, first;

	assert(n > 0 && n <= ACCESS_LINE_MAX && line[n - 1] == '\n');
	if (RING_SIZE - used < n)
		return false;
	first = n < RING_SIZE - at ? n : RING_SIZE - at;
	memcpy(r->bytes + at, line, first);
	memcpy(r->bytes, line + first, n - first);
	atomic_store(&r->head, head + n);
	/* It gathers for a moment, unless it sleeps or the ring fills up. */
	if (atomic_load(&a->is_asleep)
		? atomic_exchange(&a->is_asleep, false)
		: used < RING_SIZE / 2 && used + n >= RING_SIZE / 2)
		wake(a);
	return true;
}

/* ---- life ---------------------------------------------------------------- */

struct access *access_open(const char *path, size_t n_rings, struct err *err)
{
	struct access *a = xcalloc(1, sizeof *a);

	a->path = path;
	a->is_stdout = str_eq(path, "-");
	a->fd = STDOUT_FILENO;
	a->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (a->wake_fd < 0) {
		(void)err_sys(err, "make an eventfd");
		free(a);
		return NULL;
	}
	if (!a->is_stdout && open_file(path, &a->fd, err) < 0) {
		fd_close(&a->wake_fd);
		free(a);
		return NULL;
	}
	choose_batch(a);
	a->n_rings = n_rings;
	a->rings = xcalloc(n_rings, sizeof *a->rings);
	for (size_t i = 0; i < n_rings; i++) {
		a->rings[i].access = a;
		a->rings[i].bytes = xmalloc(RING_SIZE);
	}
	return a;
}

/* Signals are the main thread's. */
int access_run(struct access *a, struct err *err)
{
	sigset_t all, before;
	int rc;

	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	rc = pthread_create(&a->thread, NULL, thread_main, a);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	if (rc != 0)
		return err_set(
		    err, ERR_IO, "start the access log's thread: error %d", rc);
	a->has_thread = true;
	return 0;
}

void access_reopen(struct access *a)
{
	atomic_store(&a->must_reopen, true);
	wake(a);
}

/* false: it hangs in the kernel (a disk that does not answer). */
static bool end_thread(struct access *a)
{
	struct timespec until = { .tv_nsec = 0 };

	a->end_ms = clock_mono_ms() + FINISH_MS;
	atomic_store(&a->is_ending, true);
	wake(a);
	until.tv_sec = (time_t)(clock_wall_s() + 2 * FINISH_MS / 1000);
	return pthread_timedjoin_np(a->thread, NULL, &until) == 0;
}

void access_close(struct access **ap)
{
	struct access *a = *ap;

	*ap = NULL;
	/* A thread that hangs keeps what it uses; the process ends anyway. */
	if (a == NULL || (a->has_thread && !end_thread(a)))
		return;
	for (size_t i = 0; i < a->n_rings; i++)
		free(a->rings[i].bytes);
	free(a->rings);
	if (!a->is_stdout)
		fd_close(&a->fd);
	fd_close(&a->wake_fd);
	free(a);
}
