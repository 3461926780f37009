/*
 * hub/server_table.c: every state times every event. The matrix below says, in
 * one letter a cell, where the server goes; '!' is an event that cannot be: it
 * is logged as a bug, changes nothing, and leaves nothing unanswered.
 */
#include "hub_fixture.c"

static const char letters[SERVER_N_STATES + 1] = "sqawrRUTCcFG";

/*
 * s saving, q queued, a asked, w waiting, r routing, R running, U unrouting,
 * T stopping, C cleaning, c checking, F failed, G gone.
 *
 * Columns: START ADOPT SAVED TURN STARTED READY REFUSED EXITED FOUND MISSING
 * SPAWNER_DOWN HTTP_OK HTTP_TIMEOUT ROUTED ROUTE_FAILED UNROUTED STOP DEADLINE
 */
static const struct {
	enum server_state state;
	const char *row;
} expected[] = {
	{ SERVER_SAVING, "s!q!!!!!!!s!!!!!G!" },
	{ SERVER_QUEUED, "q!!a!!!!!!q!!!!!Gq" },
	{ SERVER_ASKED, "a!!!waFFwFa!!!!!TT" },
	{ SERVER_WAITING, "w!!!wwFFwFwrT!!!TT" },
	{ SERVER_ROUTING, "r!!!rrCCrCr!!RU!U!" },
	{ SERVER_RUNNING, "R!!!RRCCRCR!!RR!U!" },
	{ SERVER_UNROUTING, "U!!!UUCCUCU!!!!TUT" },
	{ SERVER_STOPPING, "T!!!TTFGTGT!!!!!TT" },
	{ SERVER_CLEANING, "C!!!!!!!!!C!!!!GCG" },
	{ SERVER_CHECKING, "c!!cccCCcCcrUcc!UU" },
	{ SERVER_FAILED, "s!!!!!!!!!F!!!!!GG" },
};

static int64_t alice;

static struct server *make_saving(void)
{
	struct server *s = start("alice", alice);

	assert_int_equal(s->state, SERVER_SAVING);
	return s;
}

/* No turn is free. */
static struct server *make_queued(void)
{
	struct server *s;

	app.cfg.concurrent_spawn_limit = 0;
	s = start("alice", alice);
	settle();
	assert_int_equal(s->state, SERVER_QUEUED);
	return s;
}

static struct server *make_checking(void)
{
	struct arena a;
	struct server_row row = {
		.id = 77,
		.user_id = alice,
		.user_name = "alice",
		.name = "",
		.key = "00112233445566aa",
		.wanted = true,
		.profile = "default",
		.account = "alice",
		.address = "127.0.0.1:40001",
	};
	struct server *s;
	struct err err;

	arena_init(&a);
	test_ok(
	    server_row_create(app.db, alice, "", T0_US, &row.id, &err), &err);
	test_ok(server_row_start(app.db, row.id, row.key, "default", "alice",
		    NULL, T0_US, &err),
	    &err);
	assert_int_equal(server_adopt(&app, &row), 1);
	s = server_by_id(&app, row.id);
	assert_non_null(s);
	assert_int_equal(s->state, SERVER_CHECKING);
	arena_fini(&a);
	return s;
}

static struct server *make(enum server_state st)
{
	switch (st) {
	case SERVER_SAVING:
		return make_saving();
	case SERVER_QUEUED:
		return make_queued();
	case SERVER_ASKED:
		return to_asked(alice);
	case SERVER_WAITING:
		return to_waiting(alice);
	case SERVER_ROUTING:
		return to_routing(alice);
	case SERVER_RUNNING:
		return to_running(alice);
	case SERVER_UNROUTING:
		return to_unrouting(alice);
	case SERVER_STOPPING:
		return to_stopping(alice);
	case SERVER_CLEANING:
		return to_cleaning(alice);
	case SERVER_CHECKING:
		return make_checking();
	case SERVER_FAILED:
		return to_failed(alice);
	case SERVER_GONE:
	case SERVER_N_STATES:
		break;
	}
	fail_msg("cannot make a server that is %s", server_state_name(st));
	return NULL;
}

struct cause_parts {
	struct user user;
	struct server_start_args start;
	struct spawner_server process;
	struct spawner_failed refused;
	struct spawner_exited exited;
	struct err why, err;
};

static struct server_cause cause_of(
    struct cause_parts *p, struct server *s, enum server_event ev)
{
	struct server_cause c = { .err = &p->err };

	p->user = (struct user){ .id = alice, .name = "alice" };
	p->start = (struct server_start_args){ .user = &p->user, .name = "" };
	p->process = process(s->key, "127.0.0.1:40001");
	p->refused = (struct spawner_failed){
		.key = s->key,
		.text = "no",
		.tail = "",
	};
	p->exited = (struct spawner_exited){ .key = s->key, .tail = "" };
	p->why = (struct err){ .code = ERR_UNAVAILABLE, .text = "away" };
	if (ev == EV_START)
		c.start = &p->start;
	if (ev == EV_STARTED || ev == EV_FOUND)
		c.process = &p->process;
	if (ev == EV_REFUSED)
		c.refused = &p->refused;
	if (ev == EV_EXITED)
		c.exited = &p->exited;
	if (ev == EV_ROUTE_FAILED)
		c.why = &p->why;
	return c;
}

static void check_cell(enum server_state st, enum server_event ev, char expect)
{
	struct cause_parts parts;
	struct server_cause c;
	struct server *s;
	char got;

	setup(NULL);
	alice = add_user("alice");
	begin();
	s = make(st);
	n_bugs = 0;
	/* As it would be by then: turns are given, a probe runs. */
	if (ev == EV_TURN || ev == EV_HTTP_OK || ev == EV_HTTP_TIMEOUT)
		app.cfg.concurrent_spawn_limit = 100;
	if (ev == EV_TURN && st == SERVER_QUEUED) {
		settle();
		server_turn_pump(&app);
		settle();
		got = letters[s->state];
	} else {
		s->is_listening = s->is_listening || ev == EV_HTTP_OK ||
				  ev == EV_HTTP_TIMEOUT;
		c = cause_of(&parts, s, ev);
		server_event(s, ev, &c);
		got = n_bugs > 0 ? '!' : letters[s->state];
		if (n_bugs > 0)
			assert_int_equal(s->state, st);
	}
	if (got != expect)
		fail_msg("%s in state %s: %c, expected %c",
		    server_event_name(ev), server_state_name(st), got, expect);
	settle();
	teardown(NULL);
}

static void test_every_event_in_every_state_does_what_the_matrix_says(
    void **state)
{
	(void)state;
	for (size_t i = 0; i < N_OF(expected); i++) {
		assert_int_equal(strlen(expected[i].row), EV_N_EVENTS);
		for (int ev = 0; ev < EV_N_EVENTS; ev++)
			check_cell(expected[i].state, (enum server_event)ev,
			    expected[i].row[ev]);
	}
}

static void test_matrix_and_table_agree_on_what_cannot_be(void **state)
{
	(void)state;
	for (size_t i = 0; i < N_OF(expected); i++) {
		for (int ev = 0; ev < EV_N_EVENTS; ev++) {
			const char *action = server_table_action(
			    expected[i].state, (enum server_event)ev);

			assert_non_null(action);
			assert_int_equal(expected[i].row[ev] == '!',
			    strcmp(action, "bug") == 0);
		}
	}
}

static void test_a_new_object_only_starts_or_is_adopted(void **state)
{
	(void)state;
	for (int ev = 0; ev < EV_N_EVENTS; ev++) {
		const char *action =
		    server_table_action(SERVER_GONE, (enum server_event)ev);
		const char *expect = "bug";

		if (ev == EV_START)
			expect = "save";
		if (ev == EV_ADOPT)
			expect = "adopt";
		if (ev == EV_STOP)
			expect = "already";
		assert_string_equal(action, expect);
	}
}

static void test_an_exit_that_cannot_be_is_acknowledged_all_the_same(
    void **state)
{
	struct cause_parts parts;
	struct server_cause c;
	struct server *s;

	(void)state;
	setup(NULL);
	alice = add_user("alice");
	begin();
	s = make(SERVER_QUEUED);
	c = cause_of(&parts, s, EV_EXITED);
	server_event(s, EV_EXITED, &c);
	assert_int_equal(sent.n[FAKE_ACK], 1);
	assert_int_equal(n_bugs, 1);
	teardown(NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(
		    test_every_event_in_every_state_does_what_the_matrix_says),
		cmocka_unit_test(test_matrix_and_table_agree_on_what_cannot_be),
		cmocka_unit_test(test_a_new_object_only_starts_or_is_adopted),
		cmocka_unit_test(
		    test_an_exit_that_cannot_be_is_acknowledged_all_the_same),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
