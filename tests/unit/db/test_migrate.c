/* Tests of db/migrate.c, with schemas of the tests' own. */
#include "test_db_util.h"

#include "base/fd.h"

#include <sys/stat.h>

/* The table that everything wants, and what this test looks at. */
#define META "CREATE TABLE meta (key TEXT PRIMARY KEY, value TEXT) STRICT;"
#define PETS_1                                                                 \
	"CREATE TABLE pet (id INTEGER PRIMARY KEY, name TEXT NOT NULL) "       \
	"STRICT;"
#define OWNER                                                                  \
	"CREATE TABLE owner (id INTEGER PRIMARY KEY, pet_id INTEGER"           \
	" NOT NULL REFERENCES pet (id) ON DELETE CASCADE) STRICT;"

static const struct migration none[] = { { 0, NULL, NULL } };
static const struct schema first = { 1, META PETS_1 OWNER, none };

/* Makes a table anew while another points to it, as real migrations must. */
static const struct migration two[] = {
	{ 2, "0002_legs.sql",
	    "CREATE TABLE new (id INTEGER PRIMARY KEY, name TEXT NOT NULL,"
	    " legs INTEGER NOT NULL) STRICT;"
	    "INSERT INTO new SELECT id, name, 4 FROM pet;"
	    "DROP TABLE pet; ALTER TABLE new RENAME TO pet;" },
	{ 3, "0003_name.sql", "CREATE INDEX pet_name ON pet (name);" },
	{ 0, NULL, NULL },
};
static const struct schema third = { 3,
	META "CREATE TABLE pet (id INTEGER PRIMARY KEY, name TEXT NOT NULL,"
	     " legs INTEGER NOT NULL) STRICT;"
	     "CREATE INDEX pet_name ON pet (name);" OWNER,
	two };

static int set_up(void **state)
{
	struct fixture *f = calloc(1, sizeof *f);

	test_dir_make(&f->dir);
	assert_int_equal(
	    str_format(f->file, sizeof f->file, "%s/pets", f->dir.path), 0);
	f->loop = loop_new();
	arena_init(&f->a);
	*state = f;
	return 0;
}

static int open_as(
    struct fixture *f, const struct schema *schema, struct err *err)
{
	f->db = db_open_schema(f->file, f->loop, NULL, schema, err);
	return f->db != NULL ? 0 : -1;
}

static void make_first(struct fixture *f)
{
	struct err err = { 0 };

	test_ok(open_as(f, &first, &err), &err);
	fixture_exec(f, "INSERT INTO pet VALUES (1, 'rex'), (2, 'tom');"
			"INSERT INTO owner VALUES (10, 2);");
	db_close(&f->db);
}

static int64_t number_in(const char *file, const char *sql)
{
	struct err err = { 0 };
	sqlite3 *h = NULL;
	int64_t n = -1;

	assert_int_equal(
	    sqlite3_open_v2(file, &h, SQLITE_OPEN_READONLY, NULL), SQLITE_OK);
	test_ok(db_number(h, file, sql, &n, &err), &err);
	sqlite3_close(h);
	return n;
}

static bool exists(const char *path)
{
	return access(path, F_OK) == 0;
}

static void test_an_older_file_is_migrated_and_keeps_its_rows(void **state)
{
	struct fixture *f = *state;
	struct err err = { 0 };

	make_first(f);
	test_ok(open_as(f, &third, &err), &err);
	assert_int_equal(fixture_number(f, "PRAGMA user_version"), 3);
	assert_int_equal(
	    fixture_number(f, "SELECT legs FROM pet WHERE name = 'tom'"), 4);
	/* Rows that point to the table that was made anew are still there,
	 * and references hold again. */
	assert_int_equal(fixture_number(f, "SELECT pet_id FROM owner"), 2);
	assert_int_equal(fixture_number(f, "PRAGMA foreign_keys"), 1);
	fixture_exec(f, "DELETE FROM pet WHERE id = 2");
	assert_int_equal(fixture_number(f, "SELECT count(*) FROM owner"), 0);
}

static void test_a_copy_is_kept_before_a_migration(void **state)
{
	struct fixture *f = *state;
	struct err err = { 0 };
	const char *copy;
	struct stat st;

	make_first(f);
	test_ok(open_as(f, &third, &err), &err);
	fixture_exec(f, "DELETE FROM pet");
	copy = test_path(&f->dir, "pets.before-2");
	assert_int_equal(stat(copy, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0600);
	assert_int_equal(number_in(copy, "PRAGMA user_version"), 1);
	assert_int_equal(number_in(copy, "SELECT count(*) FROM pet"), 2);
	assert_false(exists(test_path(&f->dir, "pets.before-2.tmp")));
}

static void test_a_new_or_present_file_is_not_copied(void **state)
{
	struct fixture *f = *state;
	struct err err = { 0 };

	test_ok(open_as(f, &third, &err), &err);
	db_close(&f->db);
	test_ok(open_as(f, &third, &err), &err);
	for (int i = 0; i < 5; i++) {
		char name[32];

		snprintf(name, sizeof name, "pets.before-%d", i);
		assert_false(exists(test_path(&f->dir, name)));
	}
}

static void test_a_migration_that_fails_changes_nothing(void **state)
{
	static struct migration bad[] = { { 0, NULL, NULL },
		{ 3, "0003_bad.sql",
		    "CREATE TABLE more (id INTEGER) STRICT;"
		    "INSERT INTO nowhere VALUES (1);" },
		{ 0, NULL, NULL } };
	const struct schema schema = { 3, third.text, bad };
	struct fixture *f = *state;
	struct err err = { 0 };

	bad[0] = two[0];
	make_first(f);
	assert_int_equal(open_as(f, &schema, &err), -1);
	test_err_says(&err, "0003_bad.sql");
	test_err_says(&err, "stays at version 1");
	test_ok(open_as(f, &first, &err), &err);
	assert_int_equal(fixture_number(f, "SELECT count(*) FROM pet"), 2);
}

static void test_a_migration_that_leaves_dangling_rows_is_undone(void **state)
{
	static const struct migration bad[] = {
		{ 2, "0002_bad.sql", "DELETE FROM pet;" }, { 0, NULL, NULL }
	};
	const struct schema schema = { 2, first.text, bad };
	struct fixture *f = *state;
	struct err err = { 0 };

	make_first(f);
	assert_int_equal(open_as(f, &schema, &err), -1);
	test_err_says(&err, "row 10 of owner");
	test_ok(open_as(f, &first, &err), &err);
	assert_int_equal(fixture_number(f, "SELECT count(*) FROM pet"), 2);
}

static void test_a_newer_file_is_refused_and_left_alone(void **state)
{
	struct fixture *f = *state;
	struct err err = { 0 };

	test_ok(open_as(f, &third, &err), &err);
	db_close(&f->db);
	assert_int_equal(open_as(f, &first, &err), -1);
	assert_int_equal(err.code, ERR_INVALID);
	test_err_says(&err, "newer Carrel");
	assert_int_equal(number_in(f->file, "PRAGMA user_version"), 3);
}

static void test_a_database_of_another_program_is_refused(void **state)
{
	struct fixture *f = *state;
	struct err err = { 0 };
	sqlite3 *h = NULL;

	assert_int_equal(sqlite3_open(f->file, &h), SQLITE_OK);
	assert_int_equal(
	    sqlite3_exec(h, "CREATE TABLE users (id)", NULL, NULL, NULL),
	    SQLITE_OK);
	sqlite3_close(h);
	assert_int_equal(open_as(f, &third, &err), -1);
	assert_int_equal(err.code, ERR_INVALID);
	test_err_says(&err, "another program");
	assert_int_equal(
	    number_in(f->file, "SELECT count(*) FROM sqlite_schema"), 1);
}

static void test_a_schema_that_lacks_something_is_refused(void **state)
{
	const char *const harm[] = { "DROP INDEX pet_name", "DROP TABLE owner",
		"ALTER TABLE pet DROP COLUMN legs" };
	const char *const says[] = { "index pet_name", "table owner",
		"table pet.legs" };

	for (size_t i = 0; i < N_OF(harm); i++) {
		struct fixture *f = *state;
		struct err err = { 0 };

		unlink(f->file);
		test_ok(open_as(f, &third, &err), &err);
		fixture_exec(f, harm[i]);
		db_close(&f->db);
		assert_int_equal(open_as(f, &third, &err), -1);
		assert_int_equal(err.code, ERR_IO);
		test_err_says(&err, says[i]);
	}
}

static void test_an_administrators_own_index_is_no_harm(void **state)
{
	struct fixture *f = *state;
	struct err err = { 0 };

	test_ok(open_as(f, &third, &err), &err);
	fixture_exec(f, "CREATE INDEX a_mine ON pet (legs)");
	db_close(&f->db);
	test_ok(open_as(f, &third, &err), &err);
}

/* The schema of this program: each migration leads to what schema.sql says. */
static void test_the_embedded_schema_is_sound(void **state)
{
	const struct migration *m = db_schema.migrations;
	struct fixture *f = *state;
	struct err err = { 0 };
	int version = 1;

	for (; m->version != 0; m++)
		assert_int_equal(m->version, ++version);
	assert_int_equal(db_schema.version, version);
	test_ok(open_as(f, &db_schema, &err), &err);
	assert_int_equal(
	    fixture_number(f, "PRAGMA user_version"), db_schema.version);
}

/* A file of the first version, as it was made then, ends as a new one does:
 * db_open compares tables, columns and indexes with schema.sql. */
static void test_the_first_version_comes_here(void **state)
{
	struct fixture *f = *state;
	struct schema old = { .version = 1, .migrations = none };
	struct err err = { 0 };
	char *text;
	size_t len;

	test_ok(file_read_all(
		    "tests/unit/db/schema_0001.sql", 65536, &text, &len, &err),
	    &err);
	old.text = text;
	test_ok(open_as(f, &old, &err), &err);
	fixture_exec(f, "INSERT INTO user (id, name, created_us) VALUES"
			" (7, 'alice', 1);"
			"INSERT INTO server (user_id, name, created_us)"
			" VALUES (7, '', 1);");
	db_close(&f->db);
	free(text);
	test_ok(open_as(f, &db_schema, &err), &err);
	assert_int_equal(
	    fixture_number(f, "SELECT count(*) FROM server s JOIN user u"
			      " ON u.id = s.user_id WHERE u.name = 'alice'"
			      " AND s.display_name IS NULL"),
	    1);
}

/* The first version, with each migration before the one of that name. */
static void open_before(struct fixture *f, const char *name)
{
	const struct migration *m = db_schema.migrations;
	struct schema old = { .version = 1, .migrations = none };
	struct err err = { 0 };
	char sql[64], *text;
	size_t len;

	test_ok(file_read_all(
		    "tests/unit/db/schema_0001.sql", 65536, &text, &len, &err),
	    &err);
	old.text = text;
	test_ok(open_as(f, &old, &err), &err);
	for (; m->version != 0 && strstr(m->name, name) == NULL; m++) {
		fixture_exec(f, m->text);
		snprintf(
		    sql, sizeof sql, "PRAGMA user_version = %d", m->version);
		fixture_exec(f, sql);
	}
	assert_int_not_equal(m->version, 0);
	free(text);
}

static void test_sessions_take_their_origins_along(void **state)
{
	struct fixture *f = *state;
	struct err err = { 0 };

	open_before(f, "session_origin");
	fixture_exec(f,
	    "INSERT INTO user (id, name, created_us) VALUES (7, 'alice', 1);"
	    "INSERT INTO session VALUES"
	    " (3, 7, zeroblob(32), '0123456789abcdef0123456789abcdef', 1, 2, "
	    "9),"
	    " (4, 7, randomblob(32), 'f123456789abcdef0123456789abcdef', 1, 2,"
	    " 9);"
	    "INSERT INTO session_origin VALUES (4, zeroblob(32));");
	db_close(&f->db);
	test_ok(open_as(f, &db_schema, &err), &err);
	assert_int_equal(
	    fixture_number(f, "SELECT count(*) FROM session WHERE user_id = 7"
			      " AND used_us = 2 AND expires_us = 9"),
	    2);
	assert_int_equal(
	    fixture_number(f, "SELECT id FROM session WHERE origin IS NULL"),
	    3);
	assert_int_equal(
	    fixture_number(
		f, "SELECT id FROM session WHERE origin = zeroblob(32)"),
	    4);
}

#define TEST(fn) cmocka_unit_test_setup_teardown(fn, set_up, fixture_tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_an_older_file_is_migrated_and_keeps_its_rows),
		TEST(test_a_copy_is_kept_before_a_migration),
		TEST(test_a_new_or_present_file_is_not_copied),
		TEST(test_a_migration_that_fails_changes_nothing),
		TEST(test_a_migration_that_leaves_dangling_rows_is_undone),
		TEST(test_a_newer_file_is_refused_and_left_alone),
		TEST(test_a_database_of_another_program_is_refused),
		TEST(test_a_schema_that_lacks_something_is_refused),
		TEST(test_an_administrators_own_index_is_no_harm),
		TEST(test_the_embedded_schema_is_sound),
		TEST(test_the_first_version_comes_here),
		TEST(test_sessions_take_their_origins_along),
	};

	return cmocka_run_group_tests_name("db/migrate", tests, NULL, NULL);
}
