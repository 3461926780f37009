/*
 * A few threads for what may block: see offload.h. Finished jobs wake the loop
 * by an eventfd of their own, so that offload_free can finish all of them.
 */
#include "base/offload.h"

#include <assert.h>
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/list.h"
#include "base/mem.h"

struct job {
	struct list link;
	offload_fn *work, *done;
	void *arg;
};

struct offload {
	pthread_mutex_t lock;
	pthread_cond_t wanted;
	/* Guarded by lock: */
	struct list queue, finished;
	size_t n_queued;
	bool is_ending;
	/* The loop's thread alone: */
	size_t max_queue, n_threads;
	pthread_t *threads;
	int wake_fd;
	struct watch wake;
	bool in_done;
};

/* The next job, or NULL when there will be none. */
static struct job *take_job(struct offload *o)
{
	struct job *j = NULL;

	pthread_mutex_lock(&o->lock);
	while (list_empty(&o->queue) && !o->is_ending)
		pthread_cond_wait(&o->wanted, &o->lock);
	if (!list_empty(&o->queue)) {
		j = LIST_ITEM(o->queue.next, struct job, link);
		list_del(&j->link);
		o->n_queued--;
	}
	pthread_mutex_unlock(&o->lock);
	return j;
}

static void *thread_main(void *arg)
{
	struct offload *o = arg;
	const uint64_t one = 1;
	struct job *j;

	while ((j = take_job(o)) != NULL) {
		j->work(j->arg);
		pthread_mutex_lock(&o->lock);
		list_add_tail(&o->finished, &j->link);
		pthread_mutex_unlock(&o->lock);
		while (
		    write(o->wake_fd, &one, sizeof one) < 0 && errno == EINTR)
			;
	}
	return NULL;
}

/* The oldest finished job, or NULL. */
static struct job *take_finished(struct offload *o)
{
	struct job *j = NULL;

	pthread_mutex_lock(&o->lock);
	if (!list_empty(&o->finished)) {
		j = LIST_ITEM(o->finished.next, struct job, link);
		list_del(&j->link);
	}
	pthread_mutex_unlock(&o->lock);
	return j;
}

static void run_finished(struct offload *o)
{
	struct job *j;

	o->in_done = true;
	while ((j = take_finished(o)) != NULL) {
		if (j->done != NULL)
			j->done(j->arg);
		free(j);
	}
	o->in_done = false;
}

/* Each write is an edge: the counter need not be read. */
static void on_wake(struct watch *w, uint32_t events, void *arg)
{
	(void)w;
	(void)events;
	run_finished(arg);
}

static _Noreturn void cannot(const char *what, int number)
{
	fprintf(stderr, "%s: %s: raise the limit of threads or descriptors\n",
	    what, strerror(number));
	abort();
}

/* Signals are the loop's business: the threads block them all. */
static void start_threads(struct offload *o)
{
	sigset_t all, before;

	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	for (size_t i = 0; i < o->n_threads; i++) {
		int rc = pthread_create(&o->threads[i], NULL, thread_main, o);

		if (rc != 0)
			cannot("start a thread", rc);
	}
	pthread_sigmask(SIG_SETMASK, &before, NULL);
}

struct offload *offload_new(struct loop *l, size_t n_threads, size_t max_queue)
{
	struct offload *o = xcalloc(1, sizeof *o);

	assert(n_threads > 0);
	list_init(&o->queue);
	list_init(&o->finished);
	pthread_mutex_init(&o->lock, NULL);
	pthread_cond_init(&o->wanted, NULL);
	o->max_queue = max_queue;
	o->n_threads = n_threads;
	o->threads = xcalloc(n_threads, sizeof *o->threads);
	o->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (o->wake_fd < 0 || watch_start(l, &o->wake, o->wake_fd,
				  EPOLLIN | EPOLLET, on_wake, o, NULL) < 0)
		cannot("watch the worker threads", errno);
	start_threads(o);
	return o;
}

void offload_free(struct offload **op)
{
	struct offload *o = *op;

	if (o == NULL)
		return;
	assert(!o->in_done);
	pthread_mutex_lock(&o->lock);
	o->is_ending = true;
	pthread_cond_broadcast(&o->wanted);
	pthread_mutex_unlock(&o->lock);
	for (size_t i = 0; i < o->n_threads; i++)
		pthread_join(o->threads[i], NULL);
	run_finished(o);
	watch_stop(&o->wake);
	fd_close(&o->wake_fd);
	pthread_cond_destroy(&o->wanted);
	pthread_mutex_destroy(&o->lock);
	free(o->threads);
	free(o);
	*op = NULL;
}

int offload_submit(struct offload *o, offload_fn *work, offload_fn *done,
    void *arg, struct err *err)
{
	struct job *j = NULL;

	pthread_mutex_lock(&o->lock);
	if (o->n_queued < o->max_queue && !o->is_ending) {
		j = xcalloc(1, sizeof *j);
		j->work = work;
		j->done = done;
		j->arg = arg;
		list_add_tail(&o->queue, &j->link);
		o->n_queued++;
	}
	pthread_mutex_unlock(&o->lock);
	if (j == NULL)
		return err_set(err, ERR_LIMIT,
		    "too much work is waiting (%zu jobs): try again later",
		    o->max_queue);
	/* With the lock it would be woken only to wait for that. */
	pthread_cond_signal(&o->wanted);
	return 0;
}
