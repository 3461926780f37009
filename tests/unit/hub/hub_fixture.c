/*
 * The real core of the hub (database in memory, servers, reconcile) around a
 * fake spawner, proxy and network, on a clock that stands still. Included by
 * each test program as a whole; the fakes win over the archives' own.
 */
#include "test_util.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "db/oauth.h"
#include "db/user.h"
#include "hub/app.h"
#include "hub/reconcile.h"
#include "hub/routing.h"
#include "hub/server_turn.h"
#include "tests/sim/fake_fetch.c"
#include "tests/sim/fake_proxy.c"
#include "tests/sim/fake_spawner.c"

#define T0_US INT64_C(1700000000000000)

/* What the hub sent to the spawner last, and how much of each. */
struct sent {
	size_t n[FAKE_LIST + 1];
	char start_key[SPAWNER_KEY_LEN + 1];
	char stop_key[SPAWNER_KEY_LEN + 1];
	char ack_key[SPAWNER_KEY_LEN + 1];
	json_t *env;
};
static struct sent sent;

static struct app app;
static size_t n_bugs;
/* A test with a file of its own sets it before setup(). */
static const char *fixture_database = ":memory:";

static void copy_key(char out[SPAWNER_KEY_LEN + 1], const char *key)
{
	assert_int_equal(str_copy(out, SPAWNER_KEY_LEN + 1, key), 0);
}

static void note_sent(
    enum fake_message what, const char *key, const struct spawner_start *start)
{
	sent.n[what]++;
	if (what == FAKE_START) {
		copy_key(sent.start_key, key);
		json_decref(sent.env);
		sent.env = json_deep_copy(start->env);
	} else if (what == FAKE_STOP) {
		copy_key(sent.stop_key, key);
	} else if (what == FAKE_ACK) {
		copy_key(sent.ack_key, key);
	}
}

static void count_bugs(const char *line, void *arg)
{
	(void)arg;
	if (strstr(line, "bug: ") != NULL)
		n_bugs++;
}

static inline int64_t add_user(const char *name)
{
	struct err err;
	int64_t id;

	test_ok(user_create(app.db, name, false, T0_US, &id, &err), &err);
	return id;
}

/* A loop, defaults, and the core; nothing has begun yet. */
static inline void core_up(const char *database)
{
	struct err err = { .code = ERR_NONE };

	app = (struct app){ .started_us = clock_wall_us() };
	arena_init(&app.config_arena);
	test_ok(config_load(
		    &app.config_arena, NULL, 0, "none", &app.cfg, NULL, &err),
	    &err);
	app.places.database = database;
	app.places.hub_socket = "/run/carrel/hub.sock";
	app.places.spawner_socket = "/run/carrel/spawner.sock";
	app.loop = loop_new();
	assert_non_null(app.loop);
	test_ok(core_open(&app, "token", &err), &err);
}

static void core_down(void)
{
	core_close(&app);
	loop_free(&app.loop);
	arena_fini(&app.config_arena);
}

static inline int setup(void **state)
{
	(void)state;
	log_open("hub", LOG_ERROR);
	log_set_sink(count_bugs, NULL);
	n_bugs = 0;
	clock_sim_start(T0_US);
	sent = (struct sent){ .env = NULL };
	fake_spawner = (struct fake_spawner){ .sent = note_sent };
	fake_proxy_init();
	fake_fetch_init();
	core_up(fixture_database);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	core_down();
	fake_proxy_fini();
	json_decref(sent.env);
	clock_set_source(NULL);
	log_set_sink(NULL, NULL);
	return 0;
}

/* What was deferred, and timers that are due, in a few turns. */
static void settle(void)
{
	for (int i = 0; i < 6; i++)
		loop_turn(app.loop, 0);
}

static inline void advance(int64_t ms)
{
	loop_advance(app.loop, ms);
	settle();
}

/* Spawner up and its (empty) list told, the proxy's routes listed. */
static inline void begin(void)
{
	core_begin(&app);
	fake_spawner_up();
	fake_spawner.cb.list_end(fake_spawner.cb.arg);
	fake_proxy_serve();
	settle();
}

static inline struct server *start(const char *user, int64_t user_id)
{
	const struct user u = { .id = user_id, .name = user };
	const struct server_start_args args = { .user = &u, .name = "" };
	struct server *s = NULL;
	struct err err = { .code = ERR_NONE };

	test_ok(server_start(&app, &args, &s, &err), &err);
	assert_non_null(s);
	return s;
}

static inline struct spawner_server process(const char *key, const char *at)
{
	return (struct spawner_server){
		.key = key,
		.account = "alice",
		.profile = "default",
		.pid = 4242,
		.start_time = 7,
		.address = at,
	};
}

static inline void say_started(const char *key, const char *address)
{
	struct spawner_server p = process(key, address);

	fake_spawner.cb.started(&p, fake_spawner.cb.arg);
}

static inline void say_found(const char *key, const char *address)
{
	struct spawner_server p = process(key, address);

	p.ready = *address != '\0';
	fake_spawner.cb.found(&p, fake_spawner.cb.arg);
}

static inline void say_ready(const char *key)
{
	fake_spawner.cb.ready(key, fake_spawner.cb.arg);
}

static inline void say_list_end(void)
{
	fake_spawner.cb.list_end(fake_spawner.cb.arg);
}

static inline void say_exited(const char *key, int status, int signo, bool oom)
{
	const struct spawner_exited e = {
		.key = key,
		.status = status,
		.signo = signo,
		.oom = oom,
		.tail = "the last line\n",
	};

	fake_spawner.cb.exited(&e, fake_spawner.cb.arg);
}

static inline void say_refused(const char *key, const char *text)
{
	const struct spawner_failed f = {
		.key = key,
		.code = FAIL_EXEC,
		.text = text,
		.tail = "what it said\n",
	};

	fake_spawner.cb.failed(&f, fake_spawner.cb.arg);
}

/* The first waiting probe is answered. */
static inline void answer_http(int status)
{
	assert_non_null(fake_fetch_first());
	fake_fetch_answer(fake_fetch_first(), status);
}

/* The first request that waits at the proxy. */
static inline struct fake_request *proxy_request(enum fake_request_kind kind)
{
	list_for_each (it, &fake_proxy.requests) {
		struct fake_request *r =
		    LIST_ITEM(it, struct fake_request, link);

		if (r->kind == kind)
			return r;
	}
	fail_msg("no such request waits at the proxy");
	return NULL;
}

static inline void answer_proxy(enum fake_request_kind kind, enum err_code code)
{
	struct fake_request *r = proxy_request(kind);

	if (code == ERR_NONE)
		fake_proxy_apply(r);
	fake_proxy_answer(r, code);
}

/* ---- a server in each state ---------------------------------------------- */

static inline struct server *to_asked(int64_t user_id)
{
	struct server *s = start("alice", user_id);

	settle();
	assert_int_equal(s->state, SERVER_ASKED);
	return s;
}

static inline struct server *to_waiting(int64_t user_id)
{
	struct server *s = to_asked(user_id);

	say_started(s->key, "127.0.0.1:40001");
	settle();
	assert_int_equal(s->state, SERVER_WAITING);
	say_ready(s->key);
	settle();
	return s;
}

static inline struct server *to_routing(int64_t user_id)
{
	struct server *s = to_waiting(user_id);

	answer_http(302);
	assert_int_equal(s->state, SERVER_ROUTING);
	return s;
}

static inline struct server *to_running(int64_t user_id)
{
	struct server *s = to_routing(user_id);

	answer_proxy(FAKE_ADD, ERR_NONE);
	assert_int_equal(s->state, SERVER_RUNNING);
	return s;
}

static inline struct server *to_unrouting(int64_t user_id)
{
	struct server *s = to_running(user_id);
	struct err err;

	test_ok(server_stop(&app, s, &err), &err);
	assert_int_equal(s->state, SERVER_UNROUTING);
	return s;
}

static inline struct server *to_stopping(int64_t user_id)
{
	struct server *s = to_unrouting(user_id);

	answer_proxy(FAKE_DELETE, ERR_NONE);
	assert_int_equal(s->state, SERVER_STOPPING);
	return s;
}

static inline struct server *to_cleaning(int64_t user_id)
{
	struct server *s = to_running(user_id);

	say_exited(s->key, 1, 0, false);
	assert_int_equal(s->state, SERVER_CLEANING);
	return s;
}

static inline struct server *to_failed(int64_t user_id)
{
	struct server *s = to_asked(user_id);

	say_refused(s->key, "no such program");
	assert_int_equal(s->state, SERVER_FAILED);
	return s;
}

/* ---- what a watcher was told --------------------------------------------- */

struct seen {
	struct server_watch watch;
	int n, n_settled, last_percent;
	bool ready, failed;
	enum server_state at;
	char text[2048], tail[256]; /* all messages, a line each */
};

static inline void on_progress(struct server_watch *w, struct server *s,
    const struct server_progress *p, void *arg)
{
	struct seen *seen = arg;
	size_t len = strlen(seen->text);

	(void)w;
	(void)s;
	seen->n++;
	seen->last_percent = p->percent;
	seen->ready = p->ready;
	seen->failed = p->failed;
	snprintf(seen->text + len, sizeof seen->text - len, "%s\n", p->message);
	if (p->tail)
		snprintf(seen->tail, sizeof seen->tail, "%s", p->tail);
}

static inline void on_settled(
    struct server_watch *w, struct server *s, void *arg)
{
	struct seen *seen = arg;

	(void)w;
	seen->n_settled++;
	seen->at = server_state(s);
}

static inline void watch(struct seen *seen, struct server *s)
{
	*seen = (struct seen){ .n = 0 };
	seen->watch.fn = on_progress;
	seen->watch.settled = on_settled;
	seen->watch.arg = seen;
	server_watch_start(s, &seen->watch);
}
