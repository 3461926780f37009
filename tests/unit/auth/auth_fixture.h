/*
 * What tests of authenticators share: a sink that records, a spawner that only
 * remembers what it was asked (in the place of spawner/client.c), and options
 * from YAML. Included by one test program each.
 */
#ifndef CARREL_TESTS_UNIT_AUTH_FIXTURE_H
#define CARREL_TESTS_UNIT_AUTH_FIXTURE_H

#include "test_util.h"

#include "auth/authenticator.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/str.h"
#include "spawner/client.h"

#define EVENTS_MAX 64
#define ASKED_MAX  64

/* ---- the sink ------------------------------------------------------------ */

struct event {
	bool is_done;
	uint64_t id;
	enum auth_result res;
	bool echo, has_identity;
	size_t n_groups;
	char name[300], account[300], text[300];
};

struct recorder {
	struct event events[EVENTS_MAX];
	size_t n;
	bool is_closed; /* a call now is a failure */
	/* If set, what the sink does in its turn. */
	void (*then)(uint64_t id);
};

static struct recorder rec;

static struct event *record(uint64_t id, const char *text)
{
	struct event *e = &rec.events[rec.n++];

	assert_true(rec.n <= EVENTS_MAX);
	if (rec.is_closed)
		fail_msg("the sink was called for %d", (int)id);
	*e = (struct event){ .id = id };
	snprintf(e->text, sizeof e->text, "%s", text ? text : "");
	return e;
}

static void on_prompt(uint64_t id, const char *text, bool echo, void *arg)
{
	assert_ptr_equal(arg, &rec);
	record(id, text)->echo = echo;
	if (rec.then)
		rec.then(id);
}

static void on_done(uint64_t id, enum auth_result res,
    const struct auth_identity *identity, const char *text, void *arg)
{
	struct event *e = record(id, text);

	assert_ptr_equal(arg, &rec);
	e->is_done = true;
	e->res = res;
	e->has_identity = identity != NULL;
	if (identity) {
		snprintf(e->name, sizeof e->name, "%s", identity->name);
		snprintf(e->account, sizeof e->account, "%s",
		    identity->account ? identity->account : "");
		e->n_groups = identity->n_groups;
	}
	if (rec.then)
		rec.then(id);
}

static const struct auth_sink sink = { on_prompt, on_done, &rec };

/* The one event so far is the end of `id`. */
static inline const struct event *only_end(uint64_t id, enum auth_result res)
{
	const struct event *e = &rec.events[0];

	assert_int_equal(rec.n, 1);
	assert_true(e->is_done);
	assert_int_equal(e->id, id);
	assert_int_equal(e->res, res);
	assert_int_equal(e->has_identity, res == AUTH_RES_OK);
	return e;
}

/* ---- the spawner --------------------------------------------------------- */

struct asked {
	uint64_t id;
	char account[300], rhost[64];
	char replies[4][600];
	size_t n_replies, n_cancels;
};

struct spawner_client {
	bool is_up;
	enum err_code refuse_begin, refuse_reply;
	struct asked asked[ASKED_MAX];
	size_t n;
};

static struct spawner_client spawner;

static struct asked *asked(uint64_t id)
{
	for (size_t i = 0; i < spawner.n; i++) {
		if (spawner.asked[i].id == id)
			return &spawner.asked[i];
	}
	fail_msg("the spawner was not asked about %d", (int)id);
	return NULL;
}

bool spawner_is_up(const struct spawner_client *c)
{
	return c->is_up;
}

int spawner_auth_begin(struct spawner_client *c, uint64_t id,
    const char *account, const char *rhost, struct err *err)
{
	struct asked *a = &c->asked[c->n];

	if (!c->is_up)
		return err_set(err, ERR_UNAVAILABLE, "not connected");
	if (c->refuse_begin)
		return err_set(err, c->refuse_begin, "refused");
	/* Beyond that only the number is of interest. */
	if (c->n == ASKED_MAX)
		return 0;
	c->n++;
	a->id = id;
	snprintf(a->account, sizeof a->account, "%s", account);
	snprintf(a->rhost, sizeof a->rhost, "%s", rhost);
	return 0;
}

int spawner_auth_reply(
    struct spawner_client *c, uint64_t id, const char *reply, struct err *err)
{
	struct asked *a = asked(id);

	if (!c->is_up)
		return err_set(err, ERR_UNAVAILABLE, "not connected");
	if (c->refuse_reply)
		return err_set(err, c->refuse_reply, "refused");
	assert_true(a->n_replies < N_OF(a->replies));
	snprintf(a->replies[a->n_replies++], sizeof a->replies[0], "%s", reply);
	return 0;
}

int spawner_auth_cancel(struct spawner_client *c, uint64_t id, struct err *err)
{
	if (!c->is_up)
		return err_set(err, ERR_UNAVAILABLE, "not connected");
	asked(id)->n_cancels++;
	return 0;
}

/* ---- an authenticator ---------------------------------------------------- */

static struct loop *loop;
static struct arena arena;
static struct authenticator *au;

static inline void turn(void)
{
	loop_turn(loop, 0);
}

/* yaml NULL: no options at all. */
static inline int open_kind(
    const char *kind, const char *yaml, bool is_public, struct err *err)
{
	struct conf_node *options = NULL;

	if (yaml)
		test_ok(conf_parse(&arena, yaml, strlen(yaml), "carrel.yaml",
			    &options, err),
		    err);
	const struct auth_env env = {
		.loop = loop,
		.spawner = &spawner,
		.sink = &sink,
		.options = options,
		.file = "carrel.yaml",
		.public_address = is_public,
	};
	au = authenticator_find(kind)->open(&env, err);
	return au ? 0 : -1;
}

/* The sink is not called before begin has returned. */
static inline void begin(uint64_t id, const char *name, const char *password)
{
	const struct auth_form form = {
		.username = name,
		.password = password,
		.rhost = "192.0.2.7",
	};

	rec.is_closed = true;
	au->kind->begin(au, id, &form);
	rec.is_closed = false;
}

static void no_line(const char *line, void *arg)
{
	(void)line;
	(void)arg;
}

static inline int auth_setup(void **state)
{
	(void)state;
	rec = (struct recorder){ 0 };
	spawner = (struct spawner_client){ .is_up = true };
	loop = loop_new();
	arena_init(&arena);
	log_set_sink(no_line, NULL);
	return 0;
}

static inline int auth_teardown(void **state)
{
	(void)state;
	if (au)
		au->kind->close(&au);
	loop_free(&loop);
	arena_fini(&arena);
	log_set_sink(NULL, NULL);
	return 0;
}

#define AUTH_TEST(fn)                                                          \
	cmocka_unit_test_setup_teardown(fn, auth_setup, auth_teardown)

#endif
