/*
 * One thread, one epoll loop: see loop.h. A turn waits, then runs what became
 * ready, then the timers that are due, then what was deferred.
 */
#include "base/loop.h"

#include <assert.h>
#include <errno.h>
#include <limits.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/signalfd.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fd.h"
#include "base/mem.h"

#define BATCH     128
#define N_SIGNALS 65

struct post {
	defer_fn *fn;
	void *arg;
};

struct post_queue {
	struct post *items;
	size_t n, cap;
};

struct signal_handler {
	signal_fn *fn;
	void *arg;
};

struct loop {
	int epoll_fd;
	bool is_stopping, in_turn;
	int64_t now_ms;
	int64_t turn_began_us;
	/* The batch in hand: watch_stop blanks what is stale in the rest. */
	struct epoll_event batch[BATCH];
	int n_batch, next_batch;
	struct timer **heap;
	size_t n_timers, cap_timers;
	uint64_t n_started;
	struct list deferred;
	int signal_fd;
	sigset_t signals;
	struct watch signal_watch;
	struct signal_handler handlers[N_SIGNALS];
	int post_fd;
	struct watch post_watch;
	pthread_mutex_t post_lock;
	struct post_queue posts;
	struct loop_stats stats;
	slow_turn_fn *slow_fn; /* NULL: nobody is told */
	void *slow_arg;
	int64_t slow_us;
};

/* ---- posts -------------------------------------------------------------- */

static void run_posts(struct watch *w, uint32_t events, void *arg)
{
	struct loop *l = arg;
	struct post_queue mine;
	uint64_t count;

	(void)w;
	(void)events;
	if (read(l->post_fd, &count, sizeof count) < 0 && errno != EAGAIN)
		assert(errno == EINTR);
	pthread_mutex_lock(&l->post_lock);
	mine = l->posts;
	l->posts = (struct post_queue){ .items = NULL };
	pthread_mutex_unlock(&l->post_lock);
	for (size_t i = 0; i < mine.n; i++)
		mine.items[i].fn(mine.items[i].arg);
	free(mine.items);
}

static void wake(struct loop *l)
{
	const uint64_t one = 1;

	/* EAGAIN means that the counter is full: the loop wakes anyway. */
	while (write(l->post_fd, &one, sizeof one) < 0 && errno == EINTR)
		;
}

void loop_post(struct loop *l, defer_fn *fn, void *arg)
{
	struct post_queue *q = &l->posts;

	pthread_mutex_lock(&l->post_lock);
	if (q->n == q->cap) {
		q->cap = q->cap > 0 ? q->cap * 2 : 8;
		q->items = xreallocarray(q->items, q->cap, sizeof *q->items);
	}
	q->items[q->n++] = (struct post){ .fn = fn, .arg = arg };
	pthread_mutex_unlock(&l->post_lock);
	wake(l);
}

/* ---- life --------------------------------------------------------------- */

struct loop *loop_new(void)
{
	struct loop *l = xcalloc(1, sizeof *l);
	struct err err;
	int rc;

	l->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	l->post_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	l->signal_fd = -1;
	sigemptyset(&l->signals);
	list_init(&l->deferred);
	pthread_mutex_init(&l->post_lock, NULL);
	rc = l->epoll_fd < 0 || l->post_fd < 0
		 ? err_sys(&err, "epoll_create1 or eventfd")
		 : watch_start(l, &l->post_watch, l->post_fd, EPOLLIN,
		       run_posts, l, &err);
	if (rc < 0) {
		fprintf(stderr, "no event loop can be made: %s\n", err.text);
		abort();
	}
	return l;
}

void loop_free(struct loop **lp)
{
	struct loop *l = *lp;

	if (l == NULL)
		return;
	assert(!l->in_turn);
	watch_stop(&l->post_watch);
	watch_stop(&l->signal_watch);
	fd_close(&l->signal_fd);
	fd_close(&l->post_fd);
	fd_close(&l->epoll_fd);
	while (l->n_timers > 0)
		timer_stop(l->heap[0]);
	list_for_each (it, &l->deferred)
		defer_cancel(LIST_ITEM(it, struct defer, link));
	pthread_mutex_destroy(&l->post_lock);
	free(l->posts.items);
	free(l->heap);
	free(l);
	*lp = NULL;
}

int64_t loop_now_ms(const struct loop *l)
{
	/* Between turns the reading of the last one may be old. */
	return l->in_turn ? l->now_ms : clock_mono_ms();
}

int loop_fd(const struct loop *l)
{
	return l->epoll_fd;
}

void loop_on_slow_turn(
    struct loop *l, int64_t min_us, slow_turn_fn *fn, void *arg)
{
	l->slow_us = min_us;
	l->slow_fn = fn;
	l->slow_arg = arg;
}

int64_t loop_turn_us(const struct loop *l)
{
	return clock_mono_us() - l->turn_began_us;
}

struct loop_stats loop_stats(const struct loop *l)
{
	return l->stats;
}

/* ---- watches ------------------------------------------------------------ */

int watch_start(struct loop *l, struct watch *w, int fd, uint32_t events,
    watch_fn *fn, void *arg, struct err *err)
{
	struct epoll_event ev = { .events = events, .data.ptr = w };

	assert(w->loop == NULL);
	if (epoll_ctl(l->epoll_fd, EPOLL_CTL_ADD, fd, &ev) < 0)
		return err_sys(err, "watch descriptor %d", fd);
	*w = (struct watch){
		.fd = fd,
		.events = events,
		.fn = fn,
		.arg = arg,
		.loop = l,
	};
	return 0;
}

void watch_set(struct watch *w, uint32_t events)
{
	struct epoll_event ev = { .events = events, .data.ptr = w };
	int rc;

	assert(w->loop != NULL);
	/* Setting the same again re-arms an edge or one-shot watch. */
	if (events == w->events && (events & (EPOLLET | EPOLLONESHOT)) == 0)
		return;
	rc = epoll_ctl(w->loop->epoll_fd, EPOLL_CTL_MOD, w->fd, &ev);
	assert(rc == 0);
	w->events = events;
}

void watch_stop(struct watch *w)
{
	struct loop *l = w->loop;

	if (l == NULL)
		return;
	/* Fails only if the descriptor was closed before: then it is gone. */
	(void)epoll_ctl(l->epoll_fd, EPOLL_CTL_DEL, w->fd, NULL);
	for (int i = l->next_batch; i < l->n_batch; i++)
		if (l->batch[i].data.ptr == w)
			l->batch[i].data.ptr = NULL;
	w->loop = NULL;
	w->fd = -1;
}

static void run_batch(struct loop *l)
{
	while (l->next_batch < l->n_batch) {
		struct epoll_event *ev = &l->batch[l->next_batch++];
		struct watch *w = ev->data.ptr;

		if (w != NULL)
			w->fn(w, ev->events, w->arg);
	}
	l->n_batch = l->next_batch = 0;
}

/* ---- timers: a binary heap by due time, then by order of start ----------- */

static bool is_before(const struct timer *a, const struct timer *b)
{
	if (a->due_ms != b->due_ms)
		return a->due_ms < b->due_ms;
	return a->order < b->order;
}

static void place(struct loop *l, size_t i, struct timer *t)
{
	l->heap[i] = t;
	t->slot = i + 1;
}

static void sift_up(struct loop *l, size_t i, struct timer *t)
{
	while (i > 0 && is_before(t, l->heap[(i - 1) / 2])) {
		place(l, i, l->heap[(i - 1) / 2]);
		i = (i - 1) / 2;
	}
	place(l, i, t);
}

static void sift_down(struct loop *l, size_t i, struct timer *t)
{
	for (;;) {
		size_t child = 2 * i + 1;

		if (child + 1 < l->n_timers &&
		    is_before(l->heap[child + 1], l->heap[child]))
			child++;
		if (child >= l->n_timers || !is_before(l->heap[child], t))
			break;
		place(l, i, l->heap[child]);
		i = child;
	}
	place(l, i, t);
}

void timer_start(
    struct loop *l, struct timer *t, int64_t after_ms, timer_fn *fn, void *arg)
{
	int64_t due;

	timer_stop(t);
	if (after_ms < 0)
		after_ms = 0;
	if (__builtin_add_overflow(loop_now_ms(l), after_ms, &due))
		due = INT64_MAX;
	if (l->n_timers == l->cap_timers) {
		l->cap_timers = l->cap_timers > 0 ? l->cap_timers * 2 : 16;
		l->heap =
		    xreallocarray(l->heap, l->cap_timers, sizeof *l->heap);
	}
	t->due_ms = due;
	t->order = l->n_started++;
	t->fn = fn;
	t->arg = arg;
	t->loop = l;
	sift_up(l, l->n_timers++, t);
}

void timer_stop(struct timer *t)
{
	struct loop *l = t->loop;
	struct timer *last;
	size_t i;

	if (t->slot == 0)
		return;
	i = t->slot - 1;
	last = l->heap[--l->n_timers];
	t->slot = 0;
	if (last == t)
		return;
	if (i > 0 && is_before(last, l->heap[(i - 1) / 2]))
		sift_up(l, i, last);
	else
		sift_down(l, i, last);
}

bool timer_running(const struct timer *t)
{
	return t->slot != 0;
}

/* Those started by the callbacks themselves wait for the next turn. */
static void run_timers(struct loop *l)
{
	uint64_t limit = l->n_started;

	while (l->n_timers > 0) {
		struct timer *t = l->heap[0];

		if (t->due_ms > l->now_ms || t->order >= limit)
			return;
		timer_stop(t);
		t->fn(t, t->arg);
	}
}

/* ---- deferred calls ------------------------------------------------------ */

void defer_call(struct loop *l, struct defer *d, defer_fn *fn, void *arg)
{
	d->fn = fn;
	d->arg = arg;
	if (d->queued)
		return;
	d->queued = true;
	list_add_tail(&l->deferred, &d->link);
}

void defer_cancel(struct defer *d)
{
	if (!d->queued)
		return;
	d->queued = false;
	list_del(&d->link);
}

/* What is deferred meanwhile comes in the next turn. */
static void run_deferred(struct loop *l)
{
	struct list mark;

	/* The calls before the mark are those of this turn. */
	list_add_tail(&l->deferred, &mark);
	while (l->deferred.next != &mark) {
		struct defer *d =
		    LIST_ITEM(l->deferred.next, struct defer, link);

		defer_cancel(d);
		d->fn(d->arg);
	}
	list_del(&mark);
}

/* ---- signals ------------------------------------------------------------- */

static void run_signals(struct watch *w, uint32_t events, void *arg)
{
	struct loop *l = arg;
	struct signalfd_siginfo info;

	(void)w;
	(void)events;
	while (read(l->signal_fd, &info, sizeof info) == sizeof info) {
		struct signal_handler *h;

		if (info.ssi_signo >= N_SIGNALS)
			continue;
		h = &l->handlers[info.ssi_signo];
		if (h->fn != NULL)
			h->fn((int)info.ssi_signo, h->arg);
	}
}

int loop_signal(
    struct loop *l, int signo, signal_fn *fn, void *arg, struct err *err)
{
	sigset_t one;
	int fd;

	if (signo <= 0 || signo >= N_SIGNALS || signo == SIGKILL ||
	    signo == SIGSTOP)
		return err_set(err, ERR_INVALID,
		    "signal %d cannot be handled by a program", signo);
	sigemptyset(&one);
	sigaddset(&one, signo);
	if (pthread_sigmask(SIG_BLOCK, &one, NULL) != 0)
		return err_sys(err, "block signal %d", signo);
	sigaddset(&l->signals, signo);
	fd = signalfd(l->signal_fd, &l->signals, SFD_CLOEXEC | SFD_NONBLOCK);
	if (fd < 0)
		return err_sys(err, "signalfd for signal %d", signo);
	l->signal_fd = fd;
	l->handlers[signo] = (struct signal_handler){ .fn = fn, .arg = arg };
	if (l->signal_watch.loop != NULL)
		return 0;
	return watch_start(
	    l, &l->signal_watch, fd, EPOLLIN, run_signals, l, err);
}

/* ---- turns --------------------------------------------------------------- */

static int64_t thread_cpu_us(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &ts);
	return (int64_t)ts.tv_sec * 1000000 + ts.tv_nsec / 1000;
}

/* How long epoll may wait: until a timer is due, not at all for deferred. */
static int wait_ms(const struct loop *l, int max_wait_ms)
{
	int64_t wait;

	if (!list_empty(&l->deferred))
		return 0;
	if (l->n_timers == 0)
		return max_wait_ms;
	wait = l->heap[0]->due_ms - clock_mono_ms();
	/* Simulated time does not pass by waiting. */
	if (wait > 0 && clock_is_simulated())
		return max_wait_ms;
	if (wait < 0)
		wait = 0;
	if (wait > INT_MAX)
		wait = INT_MAX;
	if (max_wait_ms >= 0 && wait > max_wait_ms)
		wait = max_wait_ms;
	return (int)wait;
}

static void count_turn(struct loop *l, int64_t cpu_us, int64_t mono_us)
{
	l->stats.n_turns++;
	if (cpu_us > l->stats.longest_turn_us)
		l->stats.longest_turn_us = cpu_us;
	if (l->slow_fn != NULL && mono_us >= l->slow_us)
		l->slow_fn(mono_us, l->slow_arg);
}

void loop_turn(struct loop *l, int max_wait_ms)
{
	int64_t begin_us, begin_cpu_us;
	int n;

	assert(!l->in_turn);
	n = epoll_wait(l->epoll_fd, l->batch, BATCH, wait_ms(l, max_wait_ms));
	assert(n >= 0 || errno == EINTR);
	begin_cpu_us = thread_cpu_us();
	begin_us = clock_mono_us();
	l->n_batch = n > 0 ? n : 0;
	l->now_ms = begin_us / 1000;
	l->turn_began_us = begin_us;
	l->in_turn = true;
	run_batch(l);
	run_timers(l);
	run_deferred(l);
	l->in_turn = false;
	count_turn(
	    l, thread_cpu_us() - begin_cpu_us, clock_mono_us() - begin_us);
}

void loop_run(struct loop *l)
{
	while (!l->is_stopping)
		loop_turn(l, -1);
	l->is_stopping = false;
}

void loop_stop(struct loop *l)
{
	l->is_stopping = true;
}

void loop_advance(struct loop *l, int64_t ms)
{
	int64_t target = clock_mono_ms() + ms;

	assert(clock_is_simulated() && ms >= 0);
	while (l->n_timers > 0 && l->heap[0]->due_ms <= target) {
		int64_t step = l->heap[0]->due_ms - clock_mono_ms();

		if (step > 0)
			clock_sim_advance_us(step * 1000);
		loop_turn(l, 0);
	}
	clock_sim_advance_us((target - clock_mono_ms()) * 1000);
	loop_turn(l, 0);
}
