/* Tests of db/throttle.c. */
#include "test_db_util.h"

#include "db/throttle.h"

static struct throttle_row row(int kind, char key, int64_t n, int64_t last_us)
{
	struct throttle_row r = {
		.kind = kind, .failures = n, .last_us = last_us
	};

	memset(r.key, key, sizeof r.key);
	return r;
}

struct seen {
	size_t n;
	struct throttle_row rows[8];
};

static void see(const struct throttle_row *r, void *arg)
{
	struct seen *s = arg;

	assert_true(s->n < N_OF(s->rows));
	s->rows[s->n++] = *r;
}

static void test_rows_come_back_latest_first(void **state)
{
	const struct throttle_row rows[] = { row(1, 'a', 3, NOW + 1),
		row(2, 'a', 4, NOW + 3), row(3, 'b', 5, NOW + 2),
		row(1, 'c', 6, NOW) };
	struct fixture *f = *state;
	struct seen s = { 0 };
	struct err err = { 0 };

	test_ok(throttle_rows_put(f->db, rows, N_OF(rows), &err), &err);
	test_ok(throttle_rows_each(f->db, NOW, 2, see, &s, &err), &err);
	assert_int_equal(s.n, 2);
	assert_int_equal(s.rows[0].failures, 4);
	assert_int_equal(s.rows[0].kind, 2);
	assert_int_equal(s.rows[0].key[15], 'a');
	assert_int_equal(s.rows[0].last_us, NOW + 3);
	assert_int_equal(s.rows[1].failures, 5);
}

static void test_putting_again_replaces_and_zero_forgets(void **state)
{
	struct throttle_row r = row(1, 'a', 3, NOW);
	struct fixture *f = *state;
	struct seen s = { 0 };
	struct err err = { 0 };

	test_ok(throttle_rows_put(f->db, &r, 1, &err), &err);
	r.failures = 4;
	test_ok(throttle_rows_put(f->db, &r, 1, &err), &err);
	test_ok(throttle_rows_each(f->db, 0, 8, see, &s, &err), &err);
	assert_int_equal(s.n, 1);
	assert_int_equal(s.rows[0].failures, 4);
	r.failures = 0;
	test_ok(throttle_rows_put(f->db, &r, 1, &err), &err);
	assert_int_equal(fixture_number(f, "SELECT count(*) FROM throttle"), 0);
}

static void test_a_batch_is_all_or_nothing(void **state)
{
	const struct throttle_row rows[] = { row(1, 'a', 3, NOW),
		row(9, 'b', 3, NOW) };
	struct fixture *f = *state;
	struct err err = { 0 };

	assert_int_equal(throttle_rows_put(f->db, rows, 2, &err), -1);
	assert_int_equal(err.code, ERR_INVALID);
	assert_int_equal(fixture_number(f, "SELECT count(*) FROM throttle"), 0);
}

static void test_purge_takes_the_old_only(void **state)
{
	const struct throttle_row rows[] = { row(1, 'a', 3, NOW),
		row(1, 'b', 3, NOW + 1) };
	struct fixture *f = *state;
	struct err err = { 0 };

	test_ok(throttle_rows_put(f->db, rows, 2, &err), &err);
	assert_int_equal(throttle_rows_purge(f->db, NOW, &err), 0);
	assert_int_equal(fixture_number(f, "SELECT count(*) FROM throttle"), 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		FIXTURE_TEST(test_rows_come_back_latest_first),
		FIXTURE_TEST(test_putting_again_replaces_and_zero_forgets),
		FIXTURE_TEST(test_a_batch_is_all_or_nothing),
		FIXTURE_TEST(test_purge_takes_the_old_only),
	};

	return cmocka_run_group_tests_name("db/throttle", tests, NULL, NULL);
}
