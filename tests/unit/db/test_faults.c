/*
 * Every read, write, sync and truncation of SQLite fails once in turn (a VFS of
 * the test's own around the real one): no crash, a clear error, nothing
 * half-done, and the next try works.
 */
#include "test_db_util.h"

#include "base/log.h"
#include "db/session.h"

#define PUBLIC_ID "0123456789abcdef0123456789abcdef"

/* ---- a disk that fails --------------------------------------------------- */

static int n_calls, fail_at; /* fail_at 0: never */
static sqlite3_vfs *real_vfs;

static bool fails(void)
{
	n_calls++;
	return fail_at != 0 && n_calls == fail_at;
}

struct faulty {
	sqlite3_file base;
	sqlite3_file *real; /* right behind this struct */
};

static sqlite3_file *real_of(sqlite3_file *f)
{
	return ((struct faulty *)(void *)f)->real;
}

#define FORWARD(f, call, ...)                                                  \
	real_of(f)->pMethods->call(real_of(f), __VA_ARGS__)

static int f_close(sqlite3_file *f)
{
	return real_of(f)->pMethods->xClose(real_of(f));
}

static int f_read(sqlite3_file *f, void *p, int n, sqlite3_int64 at)
{
	return fails() ? SQLITE_IOERR_READ : FORWARD(f, xRead, p, n, at);
}

static int f_write(sqlite3_file *f, const void *p, int n, sqlite3_int64 at)
{
	if (!fails())
		return FORWARD(f, xWrite, p, n, at);
	/* Half of it arrives, as on a real disk. */
	(void)FORWARD(f, xWrite, p, n / 2, at);
	return n_calls % 2 == 0 ? SQLITE_IOERR_WRITE : SQLITE_FULL;
}

static int f_truncate(sqlite3_file *f, sqlite3_int64 size)
{
	return fails() ? SQLITE_IOERR_TRUNCATE : FORWARD(f, xTruncate, size);
}

static int f_sync(sqlite3_file *f, int flags)
{
	return fails() ? SQLITE_IOERR_FSYNC : FORWARD(f, xSync, flags);
}

static int f_size(sqlite3_file *f, sqlite3_int64 *out)
{
	return FORWARD(f, xFileSize, out);
}

static int f_lock(sqlite3_file *f, int level)
{
	return FORWARD(f, xLock, level);
}

static int f_unlock(sqlite3_file *f, int level)
{
	return FORWARD(f, xUnlock, level);
}

static int f_reserved(sqlite3_file *f, int *out)
{
	return FORWARD(f, xCheckReservedLock, out);
}

static int f_control(sqlite3_file *f, int op, void *arg)
{
	return FORWARD(f, xFileControl, op, arg);
}

static int f_sector(sqlite3_file *f)
{
	return real_of(f)->pMethods->xSectorSize(real_of(f));
}

static int f_traits(sqlite3_file *f)
{
	return real_of(f)->pMethods->xDeviceCharacteristics(real_of(f));
}

static int f_shm_map(
    sqlite3_file *f, int page, int size, int extend, void volatile **out)
{
	return FORWARD(f, xShmMap, page, size, extend, out);
}

static int f_shm_lock(sqlite3_file *f, int at, int n, int flags)
{
	return FORWARD(f, xShmLock, at, n, flags);
}

static void f_shm_barrier(sqlite3_file *f)
{
	real_of(f)->pMethods->xShmBarrier(real_of(f));
}

static int f_shm_unmap(sqlite3_file *f, int remove_it)
{
	return FORWARD(f, xShmUnmap, remove_it);
}

static const sqlite3_io_methods methods = {
	.iVersion = 2,
	.xClose = f_close,
	.xRead = f_read,
	.xWrite = f_write,
	.xTruncate = f_truncate,
	.xSync = f_sync,
	.xFileSize = f_size,
	.xLock = f_lock,
	.xUnlock = f_unlock,
	.xCheckReservedLock = f_reserved,
	.xFileControl = f_control,
	.xSectorSize = f_sector,
	.xDeviceCharacteristics = f_traits,
	.xShmMap = f_shm_map,
	.xShmLock = f_shm_lock,
	.xShmBarrier = f_shm_barrier,
	.xShmUnmap = f_shm_unmap,
};

static int v_open(sqlite3_vfs *v, const char *name, sqlite3_file *file,
    int flags, int *flags_out)
{
	struct faulty *f = (struct faulty *)(void *)file;
	int rc;

	(void)v;
	memset(f, 0, sizeof *f);
	f->real = (sqlite3_file *)(void *)(f + 1);
	rc = real_vfs->xOpen(real_vfs, name, f->real, flags, flags_out);
	if (rc == SQLITE_OK)
		f->base.pMethods = &methods;
	return rc;
}

static sqlite3_vfs faulty_vfs;

static void quiet(const char *line, void *arg)
{
	(void)line;
	(void)arg;
}

static int register_faults(void **state)
{
	(void)state;
	log_set_sink(quiet, NULL);
	real_vfs = sqlite3_vfs_find(NULL);
	faulty_vfs = *real_vfs;
	faulty_vfs.zName = "faulty";
	faulty_vfs.pNext = NULL;
	faulty_vfs.szOsFile = (int)sizeof(struct faulty) + real_vfs->szOsFile;
	faulty_vfs.xOpen = v_open;
	assert_int_equal(sqlite3_vfs_register(&faulty_vfs, 1), SQLITE_OK);
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
