/* Tests of db/db.c, db/stmt.c and db/durable.c. */
#include "test_db_util.h"

#include <errno.h>
#include <sys/stat.h>

#include "base/offload.h"

static bool has_user(struct fixture *f, const char *name)
{
	struct err err = { 0 };
	struct user u;
	int rc = user_find(f->db, &f->a, name, &u, &err);

	test_ok(rc, &err);
	return rc == 1;
}

/* ---- transactions ---- */

static void test_an_inner_rollback_undoes_its_own_part_only(void **state)
{
	struct fixture *f = *state;
	struct err err = { 0 };

	test_ok(db_begin(f->db, &err), &err);
	fixture_user(f, "outer");
	test_ok(db_begin(f->db, &err), &err);
	fixture_user(f, "inner");
	test_ok(db_begin(f->db, &err), &err);
	fixture_user(f, "innermost");
	test_ok(db_commit(f->db, &err), &err);
	db_rollback(f->db);
	fixture_user(f, "after");
	test_ok(db_commit(f->db, &err), &err);
	assert_true(has_user(f, "outer"));
	assert_true(has_user(f, "after"));
	assert_false(has_user(f, "inner"));
	assert_false(has_user(f, "innermost"));
}

static void test_an_outer_rollback_undoes_what_inner_ones_committed(
    void **state)
{
	struct fixture *f = *state;
	struct err err = { 0 };

	test_ok(db_begin(f->db, &err), &err);
	test_ok(db_begin(f->db, &err), &err);
	fixture_user(f, "inner");
	test_ok(db_commit(f->db, &err), &err);
	db_rollback(f->db);
	assert_false(has_user(f, "inner"));
	db_rollback(f->db);
	fixture_user(f, "later");
	assert_true(has_user(f, "later"));
}

/* max_page_count stands for a full disk: SQLite answers SQLITE_FULL. */
static void fill_disk(struct fixture *f)
{
	char sql[64];

	snprintf(sql, sizeof sql, "PRAGMA max_page_count = %lld",
	    (long long)fixture_number(f, "PRAGMA page_count"));
	fixture_exec(f, sql);
}

static int write_until_full(struct fixture *f, struct err *err)
{
	char name[250];
	int64_t id;

	for (int i = 0; i < 1000; i++) {
		snprintf(name, sizeof name, "%0200d", i);
		if (user_create(f->db, name, false, NOW, &id, err) < 0)
			return i;
	}
	return -1;
}

static void test_a_full_disk_leaves_nothing_half_done(void **state)
{
	struct fixture *f = *state;
	struct err err = { 0 }, later = { 0 };

	fill_disk(f);
	test_ok(db_begin(f->db, &err), &err);
	assert_true(write_until_full(f, &err) > 0);
	assert_int_equal(err.code, ERR_IO);
	test_err_says(&err, "no space left");
	db_rollback(f->db);
	assert_int_equal(fixture_number(f, "SELECT count(*) FROM user"), 0);
	fixture_exec(f, "PRAGMA max_page_count = 100000");
	fixture_user(f, "alice");
	test_ok(user_count(f->db, &(int64_t){ 0 }, &later), &later);
}

/* SQLite may give the whole transaction up; what follows must not slip into
 * autocommit. */
static void test_after_sqlite_gave_up_the_rest_of_a_transaction_fails(
    void **state)
{
	struct fixture *f = *state;
	struct err err = { 0 };
	int64_t id;

	test_ok(db_begin(f->db, &err), &err);
	test_ok(db_begin(f->db, &err), &err);
	fixture_exec(f, "ROLLBACK");
	assert_int_equal(
	    user_create(f->db, "alice", false, NOW, &id, &err), -1);
	test_err_says(&err, "undone");
	assert_int_equal(db_commit(f->db, &err), -1);
	assert_int_equal(db_begin(f->db, &err), -1);
	assert_int_equal(db_commit(f->db, &err), -1);
	assert_int_equal(f->db->depth, 0);
	fixture_user(f, "bob");
	assert_false(has_user(f, "alice"));
	assert_true(has_user(f, "bob"));
}

/* ---- statements ---- */

static void test_a_damaged_row_names_table_and_column(void **state)
{
	struct fixture *f = *state;
	struct err err = { 0 };
	struct user u;

	fixture_user(f, "alice");
	fixture_exec(f, "PRAGMA ignore_check_constraints = ON");
	fixture_exec(f, "UPDATE user SET created_us = -5");
	assert_int_equal(user_find(f->db, &f->a, "alice", &u, &err), -1);
	assert_int_equal(err.code, ERR_IO);
	test_err_says(&err, "user.created_us");
}

static void test_text_that_is_no_utf8_is_a_damaged_row(void **state)
{
	struct fixture *f = *state;
	struct err err = { 0 };
	struct user u;

	fixture_exec(f, "INSERT INTO user (id, name, created_us)"
			" VALUES (7, CAST(x'ff6161' AS TEXT), 1)");
	assert_int_equal(user_get(f->db, &f->a, 7, &u, &err), -1);
	test_err_says(&err, "user.name");
}

static void test_a_statement_in_use_is_prepared_once_more(void **state)
{
	static const struct db_sql sql = { "user",
		"SELECT id FROM user WHERE id >= ?1 ORDER BY id" };
	struct fixture *f = *state;
	struct err err = { 0 };
	struct db_stmt outer, inner;

	fixture_user(f, "alice");
	fixture_user(f, "bob");
	test_ok(db_query(f->db, &sql, &outer, &err), &err);
	db_bind_int(&outer, 1, 1);
	assert_int_equal(db_step(&outer, &err), 1);
	test_ok(db_query(f->db, &sql, &inner, &err), &err);
	db_bind_int(&inner, 1, 2);
	assert_int_equal(db_step(&inner, &err), 1);
	assert_int_equal(db_int(&inner, 0, 1, 10), 2);
	test_ok(db_done(&inner, 0, &err), &err);
	assert_int_equal(db_step(&outer, &err), 1);
	assert_int_equal(db_int(&outer, 0, 1, 10), 2);
	test_ok(db_done(&outer, 0, &err), &err);
}

/* ---- opening ---- */

static void test_files_are_for_the_owner_alone(void **state)
{
	struct fixture *f = *state;
	const char *const names[] = { "carrel.sqlite", "carrel.sqlite-wal",
		"carrel.sqlite-shm" };
	struct stat st;

	fixture_user(f, "alice");
	for (size_t i = 0; i < N_OF(names); i++) {
		assert_int_equal(stat(test_path(&f->dir, names[i]), &st), 0);
		assert_int_equal(st.st_mode & 0777, 0600);
	}
}

static void test_a_mode_that_lets_others_read_is_closed(void **state)
{
	struct fixture *f = *state;
	struct stat st;

	db_close(&f->db);
	assert_int_equal(chmod(f->file, 0644), 0);
	fixture_open(f);
	assert_int_equal(stat(f->file, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0600);
}

static void assert_open_fails(
    struct fixture *f, const char *file, enum err_code code, const char *says)
{
	struct err err = { 0 };
	struct db *db = db_open(file, f->loop, NULL, &err);

	assert_null(db);
	assert_int_equal(err.code, code);
	test_err_says(&err, says);
}

static void test_a_second_hub_on_the_file_is_refused(void **state)
{
	struct fixture *f = *state;

	assert_open_fails(f, f->file, ERR_BUSY, "another Carrel hub");
}

static void test_a_symbolic_link_is_refused(void **state)
{
	struct fixture *f = *state;
	char link[128];

	assert_int_equal(
	    str_format(link, sizeof link, "%s/link", f->dir.path), 0);
	assert_int_equal(symlink("carrel.sqlite", link), 0);
	assert_open_fails(f, link, ERR_INVALID, "symbolic link");
}

static void test_garbage_is_refused_and_left_alone(void **state)
{
	struct fixture *f = *state;
	char file[128], text[5000];
	struct stat st;
	FILE *out;

	assert_int_equal(
	    str_format(file, sizeof file, "%s/garbage", f->dir.path), 0);
	memset(text, 'x', sizeof text);
	out = fopen(file, "w");
	assert_int_equal(fwrite(text, 1, sizeof text, out), sizeof text);
	fclose(out);
	assert_open_fails(f, file, ERR_INVALID, "not an SQLite database");
	assert_int_equal(stat(file, &st), 0);
	assert_int_equal(st.st_size, sizeof text);
}

static void test_a_missing_directory_is_named(void **state)
{
	struct fixture *f = *state;

	assert_open_fails(f, "/nonexistent/carrel.sqlite", ERR_IO,
	    "/nonexistent/carrel.sqlite");
}

static void test_a_database_in_memory_works_and_is_durable(void **state)
{
	struct fixture *f = *state;
	struct err err = { 0 };
	struct db *db = db_open(":memory:", f->loop, NULL, &err);
	int64_t id;

	assert_non_null(db);
	test_ok(user_create(db, "alice", true, NOW, &id, &err), &err);
	assert_true(db_is_durable(db));
	db_close(&db);
	assert_null(db);
}

/* ---- durability ---- */

struct disk {
	int n_syncs, sys_errno;
	int n_told, n_told_before_sync;
	enum err_code last;
};

static int count_sync(int fd, void *arg)
{
	struct disk *d = arg;

	assert_true(fd >= 0);
	d->n_syncs++;
	errno = d->sys_errno;
	return d->sys_errno == 0 ? 0 : -1;
}

static void told(const struct err *err, void *arg)
{
	struct disk *d = arg;

	d->n_told++;
	d->last = err->code;
	if (d->n_syncs == 0)
		d->n_told_before_sync++;
}

static void turns(struct fixture *f, int n)
{
	for (int i = 0; i < n; i++)
		loop_turn(f->loop, 0);
}

static void wait_told(struct fixture *f, const struct disk *d, int n)
{
	for (int i = 0; i < 200 && d->n_told < n; i++)
		loop_turn(f->loop, 50);
	assert_int_equal(d->n_told, n);
}

static int count_people(struct fixture *f, int64_t *out)
{
	struct err err = { 0 };

	return user_count(f->db, out, &err);
}

static void test_a_turn_reads_in_one_transaction_until_it_writes(void **state)
{
	struct fixture *f = *state;
	struct err err = { 0 };
	int64_t n, id;

	assert_true(sqlite3_get_autocommit(f->db->h));
	assert_int_equal(count_people(f, &n), 0);
	assert_false(sqlite3_get_autocommit(f->db->h));
	/* the write is a commit of its own, not one of the turn's end */
	assert_int_equal(user_create(f->db, "eve", false, NOW, &id, &err), 0);
	assert_false(db_is_durable(f->db));
	assert_true(sqlite3_get_autocommit(f->db->h));
	assert_int_equal(count_people(f, &id), 0);
	assert_int_equal(id, n + 1);
	assert_false(sqlite3_get_autocommit(f->db->h));
	loop_turn(f->loop, 0);
	assert_true(sqlite3_get_autocommit(f->db->h));
}

static void test_waiters_are_called_after_the_sync_never_in_the_call(
    void **state)
{
	struct fixture *f = *state;
	struct disk d = { 0 };
	struct db_waiter w = { 0 };

	turns(f, 2);
	db_set_sync(f->db, count_sync, &d);
	fixture_user(f, "alice");
	assert_false(db_is_durable(f->db));
	db_when_durable(f->db, &w, told, &d);
	assert_int_equal(d.n_told, 0);
	turns(f, 2);
	assert_int_equal(d.n_told, 1);
	assert_int_equal(d.n_told_before_sync, 0);
	assert_int_equal(d.last, ERR_NONE);
	assert_true(db_is_durable(f->db));
}

static void test_nothing_to_wait_for_is_told_without_a_sync(void **state)
{
	struct fixture *f = *state;
	struct disk d = { 0 };
	struct db_waiter w = { 0 };

	fixture_user(f, "alice");
	turns(f, 2);
	db_set_sync(f->db, count_sync, &d);
	db_when_durable(f->db, &w, told, &d);
	assert_int_equal(d.n_told, 0);
	turns(f, 2);
	assert_int_equal(d.n_told, 1);
	assert_int_equal(d.n_syncs, 0);
}

static void test_the_commits_of_a_turn_share_one_sync(void **state)
{
	struct fixture *f = *state;
	struct disk d = { 0 };
	struct db_waiter w[20] = { 0 };
	char name[16];

	f->offload = offload_new(f->loop, 2, 100);
	db_close(&f->db);
	fixture_open(f);
	turns(f, 3);
	db_set_sync(f->db, count_sync, &d);
	for (size_t i = 0; i < N_OF(w); i++) {
		snprintf(name, sizeof name, "user%zu", i);
		fixture_user(f, name);
		db_when_durable(f->db, &w[i], told, &d);
	}
	assert_int_equal(d.n_syncs, 0);
	wait_told(f, &d, N_OF(w));
	assert_int_equal(d.n_syncs, 1);
}

static void test_a_commit_during_a_sync_waits_for_the_next(void **state)
{
	struct fixture *f = *state;
	struct disk d = { 0 };
	struct db_waiter w = { 0 };

	f->offload = offload_new(f->loop, 1, 100);
	db_close(&f->db);
	fixture_open(f);
	turns(f, 3);
	db_set_sync(f->db, count_sync, &d);
	fixture_user(f, "alice");
	turns(f, 1);
	assert_non_null(f->db->sync);
	fixture_user(f, "bob");
	db_when_durable(f->db, &w, told, &d);
	wait_told(f, &d, 1);
	assert_int_equal(d.n_syncs, 2);
	assert_true(db_is_durable(f->db));
}

static void test_a_disk_that_refused_once_is_refused_for_good(void **state)
{
	struct fixture *f = *state;
	struct disk d = { .sys_errno = EIO };
	struct db_waiter w[2] = { 0 };

	turns(f, 2);
	db_set_sync(f->db, count_sync, &d);
	fixture_user(f, "alice");
	db_when_durable(f->db, &w[0], told, &d);
	turns(f, 2);
	assert_int_equal(d.n_told, 1);
	assert_int_equal(d.last, ERR_IO);
	d.sys_errno = 0;
	fixture_user(f, "bob");
	db_when_durable(f->db, &w[1], told, &d);
	turns(f, 2);
	assert_int_equal(d.n_told, 2);
	assert_int_equal(d.last, ERR_IO);
	assert_int_equal(d.n_syncs, 1);
	assert_false(db_is_durable(f->db));
}

static void test_a_cancelled_waiter_is_not_called(void **state)
{
	struct fixture *f = *state;
	struct disk d = { 0 };
	struct db_waiter w = { 0 }, zeroed = { 0 };

	db_waiter_cancel(&zeroed);
	fixture_user(f, "alice");
	db_when_durable(f->db, &w, told, &d);
	db_waiter_cancel(&w);
	turns(f, 2);
	assert_int_equal(d.n_told, 0);
}

static void test_closing_syncs_and_tells_the_waiters(void **state)
{
	struct fixture *f = *state;
	struct disk d = { 0 };
	struct db_waiter w[2] = { 0 };

	f->offload = offload_new(f->loop, 1, 100);
	db_close(&f->db);
	fixture_open(f);
	turns(f, 3);
	db_set_sync(f->db, count_sync, &d);
	fixture_user(f, "alice");
	db_when_durable(f->db, &w[0], told, &d);
	turns(f, 1);
	fixture_user(f, "bob");
	db_when_durable(f->db, &w[1], told, &d);
	db_close(&f->db);
	assert_int_equal(d.n_told, 2);
	assert_int_equal(d.last, ERR_NONE);
	turns(f, 3);
}

/* ---- checkpoints ---- */

static off_t log_size(struct fixture *f)
{
	struct stat st;

	assert_int_equal(stat(test_path(&f->dir, "carrel.sqlite-wal"), &st), 0);
	return st.st_size;
}

static void write_pages(struct fixture *f, int n)
{
	struct err err = { 0 };

	for (int i = 0; i < n; i++) {
		/* one page each: a column without an index */
		test_ok(user_set_admin(f->db, 1, true, &err), &err);
		loop_turn(f->loop, 0);
		fixture_exec(f, "UPDATE user SET admin = 0");
		loop_turn(f->loop, 0);
	}
}

static int no_sync(int fd, void *arg)
{
	(void)fd;
	(void)arg;
	return 0;
}

static void test_the_log_stays_bounded_while_writes_go_on(void **state)
{
	struct fixture *f = *state;

	f->offload = offload_new(f->loop, 1, 100);
	db_close(&f->db);
	fixture_open(f);
	db_set_sync(f->db, no_sync, NULL);
	fixture_user(f, "alice");
	write_pages(f, 6000);
	assert_true(log_size(f) < 5000 * 4200);
	db_close(&f->db);
	fixture_open(f);
	assert_true(has_user(f, "alice"));
}

/* An fdatasync of a file that does not grow takes half the time. */
static void test_the_log_has_room_for_what_comes_next(void **state)
{
	struct fixture *f = *state;
	off_t before;

	fixture_user(f, "alice");
	loop_turn(f->loop, 0);
	before = log_size(f);
	assert_true(before > 64 * 1024);
	write_pages(f, 5);
	assert_int_equal(log_size(f), before);
	/* Never a whole log at once. */
	write_pages(f, 60);
	assert_in_range(log_size(f), before + 1, before + 3 * 256 * 1024);
}

/* What sqlite3 wrote meanwhile is no room to be filled with zeros. */
static void test_room_in_the_log_spares_what_others_wrote(void **state)
{
	struct fixture *f = *state;
	struct err err = { 0 };
	sqlite3 *other;

	fixture_user(f, "alice");
	loop_turn(f->loop, 0);
	assert_int_equal(sqlite3_open(f->file, &other), SQLITE_OK);
	test_ok(db_exec(other, f->file, "CREATE TABLE big (text BLOB);", &err),
	    &err);
	for (int i = 0; i < 200; i++) {
		test_ok(db_exec(other, f->file,
			    "INSERT INTO big VALUES (randomblob(9000));", &err),
		    &err);
		write_pages(f, 1);
	}
	/* What is not in the file yet is read from the log. */
	assert_int_equal(fixture_number(f, "SELECT count(*) FROM big"
					   " WHERE length(text) = 9000"),
	    200);
	assert_int_equal(
	    fixture_number(f, "SELECT count(*) FROM pragma_integrity_check"
			      " WHERE integrity_check = 'ok'"),
	    1);
	assert_int_equal(sqlite3_close(other), SQLITE_OK);
}

/* ---- sudden death ---- */

struct victim {
	struct fixture *f;
	int out;
	int n;
};

static void acknowledge(const struct err *err, void *arg)
{
	struct victim *v = arg;

	if (err->code == ERR_NONE && write(v->out, &v->n, sizeof v->n) < 0)
		_exit(1);
	v->n++;
}

/* Writes rows for ever, says each number once it is durable. */
static void victim_main(struct victim *v)
{
	struct err err = { 0 };
	struct loop *l = loop_new();
	struct offload *o = offload_new(l, 1, 100);
	struct db *db = db_open(v->f->file, l, o, &err);
	struct db_waiter w = { 0 };
	char name[16];
	int64_t id;

	for (;;) {
		int n = v->n;

		snprintf(name, sizeof name, "user%d", n);
		if (db == NULL ||
		    user_create(db, name, false, NOW, &id, &err) < 0)
			_exit(1);
		db_when_durable(db, &w, acknowledge, v);
		while (v->n == n)
			loop_turn(l, 100);
	}
}

/* The rows that a child acknowledged before it was killed. */
static int kill_one(struct fixture *f, int first, int after)
{
	struct victim v = { .f = f, .n = first };
	int ends[2], n = first - 1, got;
	pid_t pid;

	assert_int_equal(pipe(ends), 0);
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		close(ends[0]);
		v.out = ends[1];
		victim_main(&v);
	}
	close(ends[1]);
	while (n < first + after && read(ends[0], &got, sizeof got) > 0)
		n = got;
	kill(pid, SIGKILL);
	while (read(ends[0], &got, sizeof got) > 0)
		n = got;
	close(ends[0]);
	waitpid(pid, NULL, 0);
	return n;
}

static void test_no_acknowledged_row_is_lost_by_kill_9(void **state)
{
	struct fixture *f = *state;
	char name[16];
	int n = -1, last = -1;

	db_close(&f->db);
	for (int round = 0; round < 5; round++) {
		n = kill_one(f, last + 1, 5 + 7 * round);
		assert_true(n > last);
		fixture_open(f);
		for (int i = 0; i <= n; i++) {
			snprintf(name, sizeof name, "user%d", i);
			assert_true(has_user(f, name));
		}
		/* One more may be written, not yet acknowledged. */
		last = n;
		snprintf(name, sizeof name, "user%d", n + 1);
		if (has_user(f, name))
			last = n + 1;
		db_close(&f->db);
	}
	fixture_open(f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		FIXTURE_TEST(test_an_inner_rollback_undoes_its_own_part_only),
		FIXTURE_TEST(
		    test_an_outer_rollback_undoes_what_inner_ones_committed),
		FIXTURE_TEST(test_a_full_disk_leaves_nothing_half_done),
		FIXTURE_TEST(
		    test_after_sqlite_gave_up_the_rest_of_a_transaction_fails),
		FIXTURE_TEST(test_a_damaged_row_names_table_and_column),
		FIXTURE_TEST(test_text_that_is_no_utf8_is_a_damaged_row),
		FIXTURE_TEST(test_a_statement_in_use_is_prepared_once_more),
		FIXTURE_TEST(test_files_are_for_the_owner_alone),
		FIXTURE_TEST(test_a_mode_that_lets_others_read_is_closed),
		FIXTURE_TEST(test_a_second_hub_on_the_file_is_refused),
		FIXTURE_TEST(test_a_symbolic_link_is_refused),
		FIXTURE_TEST(test_garbage_is_refused_and_left_alone),
		FIXTURE_TEST(test_a_missing_directory_is_named),
		FIXTURE_TEST(test_a_database_in_memory_works_and_is_durable),
		FIXTURE_TEST(
		    test_a_turn_reads_in_one_transaction_until_it_writes),
		FIXTURE_TEST(
		    test_waiters_are_called_after_the_sync_never_in_the_call),
		FIXTURE_TEST(test_nothing_to_wait_for_is_told_without_a_sync),
		FIXTURE_TEST(test_the_commits_of_a_turn_share_one_sync),
		FIXTURE_TEST(test_a_commit_during_a_sync_waits_for_the_next),
		FIXTURE_TEST(test_a_disk_that_refused_once_is_refused_for_good),
		FIXTURE_TEST(test_a_cancelled_waiter_is_not_called),
		FIXTURE_TEST(test_closing_syncs_and_tells_the_waiters),
		FIXTURE_TEST(test_the_log_stays_bounded_while_writes_go_on),
		FIXTURE_TEST(test_the_log_has_room_for_what_comes_next),
		FIXTURE_TEST(test_room_in_the_log_spares_what_others_wrote),
		FIXTURE_TEST(test_no_acknowledged_row_is_lost_by_kill_9),
	};

	return cmocka_run_group_tests_name("db/db", tests, NULL, NULL);
}
