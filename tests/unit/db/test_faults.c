/*
 * Every read, write, sync and truncation of SQLite fails once in turn (a VFS of
 * the test's own around the real one): no crash, a clear error, nothing
 * half-done, and the next try works.
 */
#include "test_db_util.h"

#include "base/fd.h"
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

/* In memory: a real disk would take its time for each sync. */
static void start_afresh(struct fixture *f)
{
	db_close(&f->db);
	test_dir_remove(&f->dir);
	snprintf(
	    f->dir.path, sizeof f->dir.path, "/dev/shm/carrel-test-XXXXXX");
	assert_non_null(mkdtemp(f->dir.path));
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

/* ---- from the first version to this one ----------------------------------
 */

static const struct migration none[] = { { 0, NULL, NULL } };
static char *first_version; /* a database of it, with a server of alice */
static size_t first_version_len;

static void make_first_version(struct fixture *f)
{
	struct schema old = { .version = 1, .migrations = none };
	struct err err = { 0 };
	char *text;
	size_t len;

	test_ok(file_read_all(
		    "tests/unit/db/schema_0001.sql", 65536, &text, &len, &err),
	    &err);
	old.text = text;
	start_afresh(f);
	f->db = db_open_schema(f->file, f->loop, NULL, &old, &err);
	assert_non_null(f->db);
	fixture_exec(f, "INSERT INTO user (id, name, created_us) VALUES"
			" (7, 'alice', 1);"
			"INSERT INTO server (user_id, name, created_us)"
			" VALUES (7, '', 1);");
	db_close(&f->db);
	free(text);
	test_ok(file_read_all(f->file, (size_t)16 << 20, &first_version,
		    &first_version_len, &err),
	    &err);
}

static void put_first_version(struct fixture *f)
{
	FILE *out;

	start_afresh(f);
	out = fopen(f->file, "w");
	assert_non_null(out);
	assert_int_equal(fwrite(first_version, 1, first_version_len, out),
	    first_version_len);
	assert_int_equal(fclose(out), 0);
}

/* One of them, whole: the old version or this one. */
static void assert_version_is_whole(const struct fixture *f)
{
	struct err err = { 0 };
	sqlite3 *h = NULL;
	int64_t version = 0, n = 0;

	assert_int_equal(
	    sqlite3_open_v2(f->file, &h, SQLITE_OPEN_READWRITE, NULL),
	    SQLITE_OK);
	test_ok(
	    db_number(h, f->file, "PRAGMA user_version", &version, &err), &err);
	test_ok(db_number(h, f->file,
		    "SELECT count(*) FROM server s JOIN user u"
		    " ON u.id = s.user_id WHERE u.name = 'alice'",
		    &n, &err),
	    &err);
	sqlite3_close(h);
	assert_true(version == 1 || version == db_schema.version);
	assert_int_equal(n, 1);
}

static bool migrate_with_fault(struct fixture *f, int at)
{
	struct err err = { 0 };
	bool reached;

	put_first_version(f);
	n_calls = 0;
	fail_at = at;
	f->db = db_open(f->file, f->loop, NULL, &err);
	reached = n_calls >= at;
	fail_at = 0;
	if (f->db == NULL) {
		assert_int_equal(err.code, ERR_IO);
		assert_true(strlen(err.text) > 10);
		assert_version_is_whole(f);
		fixture_open(f);
	}
	assert_int_equal(
	    fixture_number(f, "PRAGMA user_version"), db_schema.version);
	assert_int_equal(fixture_number(f, "SELECT count(*) FROM server"), 1);
	return reached;
}

static void test_a_migration_is_done_or_not_whatever_fails(void **state)
{
	struct fixture *f = *state;
	int at = 1;

	make_first_version(f);
	while (migrate_with_fault(f, at))
		assert_in_range(at++, 1, 2000);
	print_message("%d calls\n", at - 1);
	assert_in_range(at, 100, 2000);
	free(first_version);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		FIXTURE_TEST(test_a_transaction_is_done_or_not_whatever_fails),
		FIXTURE_TEST(
		    test_opening_fails_clearly_and_works_the_next_time),
		FIXTURE_TEST(test_a_checkpoint_that_fails_loses_nothing),
		FIXTURE_TEST(test_a_migration_is_done_or_not_whatever_fails),
	};

	return cmocka_run_group_tests_name(
	    "db/faults", tests, register_faults, NULL);
}
