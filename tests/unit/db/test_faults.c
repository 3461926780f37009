/*
 * Every read, write, sync and truncation of SQLite fails once in turn (a VFS of
 * the test's own around the real one): no crash, a clear error, nothing
 * half-done, and the next try works.
 */
#include "test_db_util.h"

#include "base/log.h"
#include "db/session.h"

#define PUBLIC_ID "0123456789abcdef0123456789abcdef"

#include "faulty_vfs.c"

static void quiet(const char *line, void *arg)
{
	(void)line;
	(void)arg;
}

static int register_faults(void **state)
{
	(void)state;
	log_set_sink(quiet, NULL);
	faulty_register();
	return 0;
}

/* ---- what is done on it -------------------------------------------------- */

static int write_two_rows(struct fixture *f, struct err *err)
{
	char secret[SESSION_SECRET_LEN + 1];
	int64_t id;

	if (db_begin(f->db, err) < 0)
		return -1;
	if (user_create(f->db, "alice", false, NOW, &id, err) < 0 ||
	    session_create(f->db, id, PUBLIC_ID, NOW, NOW + 9, secret, err) <
		0) {
		db_rollback(f->db);
		return -1;
	}
	return db_commit(f->db, err);
}

static int64_t count_rows(struct fixture *f)
{
	return fixture_number(f, "SELECT (SELECT count(*) FROM user)"
				 " + (SELECT count(*) FROM session)");
}

/* One round on a fresh file; true: the fault was reached. */
static bool round_of_writes(struct fixture *f, int at)
{
	struct err err = { 0 };
	bool reached;
	int rc;

	n_calls = 0;
	fail_at = at;
	rc = write_two_rows(f, &err);
	reached = n_calls >= at;
	fail_at = 0;
	assert_int_equal(f->db->depth, 0);
	assert_int_equal(count_rows(f), rc == 0 ? 2 : 0);
	if (rc < 0) {
		assert_int_equal(err.code, ERR_IO);
		assert_true(strlen(err.text) > 10);
		test_ok(write_two_rows(f, &err), &err);
		assert_int_equal(count_rows(f), 2);
	}
	return reached;
}

static void start_afresh(struct fixture *f)
{
	db_close(&f->db);
	test_dir_remove(&f->dir);
	test_dir_make(&f->dir);
	assert_int_equal(str_format(f->file, sizeof f->file, "%s/carrel.sqlite",
			     f->dir.path),
	    0);
}

static void test_a_transaction_is_done_or_not_whatever_fails(void **state)
{
	struct fixture *f = *state;
	int at = 1;

	do {
		start_afresh(f);
		fixture_open(f);
	} while (round_of_writes(f, at++) && at < 1000);
	/* Some faults were reached, and then the end. */
	assert_in_range(at, 4, 999);
}

static void test_opening_fails_clearly_and_works_the_next_time(void **state)
{
	struct fixture *f = *state;
	int at = 1;
	bool reached = true;

	for (; reached && at < 1000; at++) {
		struct err err = { 0 };

		start_afresh(f);
		n_calls = 0;
		fail_at = at;
		f->db = db_open(f->file, f->loop, NULL, &err);
		reached = n_calls >= at;
		fail_at = 0;
		if (f->db == NULL) {
			assert_true(strlen(err.text) > 10);
			fixture_open(f);
		}
		assert_int_equal(count_rows(f), 0);
		assert_int_equal(fixture_number(f, "PRAGMA user_version"),
		    db_schema.version);
	}
	assert_in_range(at, 20, 999);
}

static void test_a_checkpoint_that_fails_loses_nothing(void **state)
{
	struct fixture *f = *state;
	struct err err = { 0 };

	for (int at = 1; at < 20; at++) {
		start_afresh(f);
		fixture_open(f);
		test_ok(write_two_rows(f, &err), &err);
		/* The next turn thinks that the log is long. */
		f->db->checkpoint_pages = 1;
		n_calls = 0;
		fail_at = at;
		loop_turn(f->loop, 0);
		fail_at = 0;
		assert_int_equal(count_rows(f), 2);
		db_close(&f->db);
		fixture_open(f);
		assert_int_equal(count_rows(f), 2);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		FIXTURE_TEST(test_a_transaction_is_done_or_not_whatever_fails),
		FIXTURE_TEST(
		    test_opening_fails_clearly_and_works_the_next_time),
		FIXTURE_TEST(test_a_checkpoint_that_fails_loses_nothing),
	};

	return cmocka_run_group_tests_name(
	    "db/faults", tests, register_faults, NULL);
}
