/*
 * One thread, one epoll loop. Watches, timers and deferred calls are embedded
 * in the objects of their owners: nothing is allocated per event.
 *
 * Contract of callbacks: they run on the loop's thread, one at a time, and
 * never block. A callback may unwatch, stop or free anything, its own object
 * included.
 */
#ifndef CARREL_BASE_LOOP_H
#define CARREL_BASE_LOOP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/epoll.h>

#include "base/err.h"
#include "base/list.h"

struct loop;
struct watch;
struct timer;
struct defer;

typedef void watch_fn(struct watch *w, uint32_t events, void *arg);
typedef void timer_fn(struct timer *t, void *arg);
typedef void defer_fn(void *arg);
typedef void signal_fn(int signo, void *arg);

struct watch {
	int fd; /* -1: not watched */
	uint32_t events;
	watch_fn *fn;
	void *arg;
	struct loop *loop;
};

struct timer {
	size_t slot;    /* place in the heap plus one; 0: not running */
	uint64_t order; /* of start: equals come in this order */
	int64_t due_ms;
	timer_fn *fn;
	void *arg;
	struct loop *loop;
};

struct defer {
	struct list link;
	defer_fn *fn;
	void *arg;
	bool queued;
};

/* Ends the process when the kernel gives no descriptors. */
struct loop *loop_new(void);
/* Timers and deferred calls end unfired; watches must have been stopped, and
 * posts that did not run yet are dropped. */
void loop_free(struct loop **l);
/* Until loop_stop. */
void loop_run(struct loop *l);
void loop_stop(struct loop *l);
/* One turn, waiting at most max_wait_ms (-1: as long as it takes). */
void loop_turn(struct loop *l, int max_wait_ms);
/* Milliseconds, monotonic, read once per turn. */
int64_t loop_now_ms(const struct loop *l);
/* The epoll descriptor (to be nested in another loop). */
int loop_fd(const struct loop *l);

/* fn is called with the EPOLL* events that came (ERR and HUP included). */
int watch_start(struct loop *l, struct watch *w, int fd, uint32_t events,
    watch_fn *fn, void *arg, struct err *err) MUST_CHECK;
void watch_set(struct watch *w, uint32_t events); /* change the interest */
void watch_stop(struct watch *w); /* safe on a zeroed or stopped watch */

/* Once, after_ms from now; started again it moves. */
void timer_start(
    struct loop *l, struct timer *t, int64_t after_ms, timer_fn *fn, void *arg);
void timer_stop(struct timer *t); /* safe on a zeroed or stopped timer */
bool timer_running(const struct timer *t);

/* At the end of this turn, once, in the order of calls. */
void defer_call(struct loop *l, struct defer *d, defer_fn *fn, void *arg);
void defer_cancel(struct defer *d);

/* Signals by signalfd: blocks them in this thread. Call before threads start.
 */
int loop_signal(struct loop *l, int signo, signal_fn *fn, void *arg,
    struct err *err) MUST_CHECK;
/* A thread-safe way in: fn runs on the loop's thread soon. */
void loop_post(struct loop *l, defer_fn *fn, void *arg);

/* Longest turn so far in CPU microseconds (a metric), and turns counted. */
struct loop_stats {
	int64_t longest_turn_us;
	uint64_t n_turns;
};
/* fn (NULL: nobody) hears of each turn that took at least min_us of time. */
typedef void slow_turn_fn(int64_t took_us, void *arg);
void loop_on_slow_turn(
    struct loop *l, int64_t min_us, slow_turn_fn *fn, void *arg);
struct loop_stats loop_stats(const struct loop *l);
/* How long this turn has taken so far: for who divides long work by time. */
int64_t loop_turn_us(const struct loop *l);

/*
 * Simulation: time stands still but for this call, which fires what comes due
 * on the way, in order. Needs clock_sim_start, or a clock_source that can
 * advance; not from a callback.
 */
void loop_advance(struct loop *l, int64_t ms);

#endif
