/*
 * The proxy's program as one object, shared by main.c (start, signals, end) and
 * succession.c (taking over from the process before, handing over to the next).
 */
#ifndef CARREL_PROXY_APP_H
#define CARREL_PROXY_APP_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/loop.h"
#include "base/sock_name.h"
#include "proxy/config.h"
#include "proxy/metrics.h"

struct access;
struct api;
struct handover;
struct journal;
struct lifeline;
struct limits;
struct redirect;
struct sockets;
struct table;
struct takeover;
struct tls_house;
struct worker;

#define WORKERS_MAX 256

/* The unix sockets by whose names others find us. */
enum app_named { APP_PUBLIC, APP_API, APP_METRICS, APP_N_NAMED };

struct app_name {
	struct sock_name sock; /* sock.loop is NULL: there is none */
	dev_t dev;
	ino_t ino;
};

/* A worker is to accept from another socket. */
struct app_move {
	struct app *app;
	struct worker *worker;
	int fd;
};

struct app {
	struct config config;
	struct loop *loop;
	struct table *table;
	struct journal *journal;
	struct api *api;
	struct tls_house *tls;
	struct limits *limits;
	struct access *access; /* NULL: no access log */
	struct redirect *redirect;
	struct worker *workers[WORKERS_MAX];
	/* Of the workers, of the processes before, of the API */
	struct metrics *metrics[WORKERS_MAX + 2];
	struct metrics inherited, api_before;
	int listeners[WORKERS_MAX]; /* until the workers have them */
	size_t n_workers;
	size_t n_running; /* threads */
	size_t n_draining;
	/* The API has duplicates of them: these are for the next process. */
	int api_fd, metrics_fd, redirect_fd, takeover_fd;
	uint16_t port, api_port, metrics_port, redirect_port;
	bool is_ending, has_pid_file;
	struct timer drain;
	struct sock_name takeover_name;
	struct app_name names[APP_N_NAMED];
	struct app_move moves[WORKERS_MAX];
	size_t n_moving;
	mode_t socket_mode;

	struct lifeline *lifeline; /* to the parent, if there is one */
	signal_fn *on_end, *on_reload, *on_reopen;
	struct takeover *takeover; /* what came from the process before */
	struct handover *handover; /* for the next one */
	size_t next_worker;        /* who gets a tunnel that came late */
	bool is_serving;           /* the beginning is over */
	bool has_left, is_drained, is_before_gone;
	struct timer api_end;
};

/* main.c */
int app_duplicate(int fd, int *out, struct err *err) MUST_CHECK;
const char *app_api_host(const struct config *c);
/* Ends the loop when nothing is left to do. */
void app_end_if_done(struct app *app);
void app_on_drain_timeout(struct timer *t, void *arg);

/*
 * succession.c. Copy what the process before has, if there is one; after that
 * app_begin, from which on nothing may fail; app_open_handover waits for the
 * next one.
 */
int app_copy_from_before(struct app *app, struct err *err) MUST_CHECK;
void app_begin(struct app *app);
int app_open_handover(struct app *app, struct err *err) MUST_CHECK;
void app_close_sockets(struct app *app);
struct handover_socket;
size_t app_list_sockets(struct handover_socket *out, size_t cap, void *arg);

/* listeners.c: where they are. */
void app_log_listeners(const struct app *app);

/*
 * names.c. Watch the names of our unix sockets, from when we serve; stop that,
 * because somebody else serves; stop it and remove those that are still ours.
 */
void app_keep_names(struct app *app);
void app_stop_names(struct app *app);
void app_remove_names(struct app *app);

/* engine.c. Nothing is got and nobody is told where there is no parent. */
int app_open_lifeline(struct app *app, struct err *err) MUST_CHECK;
/* What came from the process or the engine before us; NULL: nothing. */
struct sockets *app_came(struct app *app);
/* The parent's signals go to these; those of others are ignored. */
int app_follow_parent(struct app *app, signal_fn *end, signal_fn *reload,
    signal_fn *reopen, struct err *err) MUST_CHECK;
/* The process that people should signal. */
pid_t app_pid(const struct app *app);
/* sysd_notify from that process. */
void app_notify(struct app *app, const char *text);
/* The parent gets duplicates, in force with DEPOSIT_READY. */
void app_keep_sockets(struct app *app);
/* handover_options.on_word: the parent must know how a takeover ended if we do
 * not live to say it. */
void app_on_word(int fd, void *arg);

#endif
