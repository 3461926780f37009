/*
 * For the tests of db/: a database in a directory of its own, a loop, and a
 * few people.
 */
#ifndef CARREL_TESTS_UNIT_DB_TEST_DB_UTIL_H
#define CARREL_TESTS_UNIT_DB_TEST_DB_UTIL_H

#include "test_util.h"

#include "base/arena.h"
#include "base/loop.h"
#include "base/str.h"
#include "db/db.h"
#include "db/db_priv.h"
#include "db/user.h"

#define NOW INT64_C(1700000000000000)

struct fixture {
	struct test_dir dir;
	char file[128];
	struct loop *loop;
	struct offload *offload;
	struct db *db;
	struct arena a;
};

static inline void fixture_open(struct fixture *f)
{
	struct err err = { 0 };

	f->db = db_open(f->file, f->loop, f->offload, &err);
	if (f->db == NULL)
		fail_msg("%s", err.text);
}

static inline int fixture_set_up(void **state)
{
	struct fixture *f = calloc(1, sizeof *f);

	test_dir_make(&f->dir);
	assert_int_equal(str_format(f->file, sizeof f->file, "%s/carrel.sqlite",
			     f->dir.path),
	    0);
	f->loop = loop_new();
	arena_init(&f->a);
	fixture_open(f);
	*state = f;
	return 0;
}

static inline int fixture_tear_down(void **state)
{
	struct fixture *f = *state;

	db_close(&f->db);
	if (f->offload != NULL)
		offload_free(&f->offload);
	loop_free(&f->loop);
	arena_fini(&f->a);
	test_dir_remove(&f->dir);
	free(f);
	return 0;
}

#define FIXTURE_TEST(fn)                                                       \
	cmocka_unit_test_setup_teardown(fn, fixture_set_up, fixture_tear_down)

static inline int64_t fixture_user(struct fixture *f, const char *name)
{
	struct err err = { 0 };
	int64_t id = 0;

	test_ok(user_create(f->db, name, false, NOW, &id, &err), &err);
	return id;
}

/* One number of a statement of the test's own. */
static inline int64_t fixture_number(struct fixture *f, const char *sql)
{
	struct err err = { 0 };
	int64_t n = -1;

	test_ok(db_number(f->db->h, f->file, sql, &n, &err), &err);
	return n;
}

static inline void fixture_exec(struct fixture *f, const char *sql)
{
	struct err err = { 0 };

	test_ok(db_exec(f->db->h, f->file, sql, &err), &err);
}

#endif
