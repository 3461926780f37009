/* Tests of db/failure.c. */
#include "test_db_util.h"

#include "db/failure.h"
#include "db/server.h"

static int64_t server(struct fixture *f, int64_t user, const char *name)
{
	struct err err = { 0 };
	int64_t id = 0;

	test_ok(server_row_create(f->db, user, name, NOW, &id, &err), &err);
	return id;
}

static void put(struct fixture *f, int64_t id, int64_t at_us, const char *told)
{
	struct err err = { 0 };

	test_ok(failure_put(f->db, id, at_us, told, &err), &err);
}

static const char *told(struct fixture *f, int64_t id)
{
	const char *text = NULL;
	struct err err = { 0 };
	int rc = failure_find(f->db, &f->a, id, &text, &err);

	assert_true(rc >= 0);
	return rc ? text : "";
}

static void test_the_last_one_of_each_server_is_kept(void **state)
{
	struct fixture *f = *state;
	int64_t user = fixture_user(f, "ana");
	int64_t one = server(f, user, ""), two = server(f, user, "lab");

	assert_string_equal(told(f, one), "");
	put(f, one, NOW, "{\"n\":1}");
	put(f, two, NOW, "{\"n\":2}");
	put(f, one, NOW + 1, "{\"n\":3}");
	assert_string_equal(told(f, one), "{\"n\":3}");
	assert_string_equal(told(f, two), "{\"n\":2}");
}

static void test_it_outlives_the_program_and_goes_with_its_server(void **state)
{
	struct fixture *f = *state;
	int64_t id = server(f, fixture_user(f, "ana"), "lab");
	struct err err = { 0 };

	put(f, id, NOW, "{}");
	db_close(&f->db);
	fixture_open(f);
	assert_string_equal(told(f, id), "{}");
	test_ok(server_row_delete(f->db, id, &err), &err);
	assert_string_equal(told(f, id), "");
}

static void test_the_oldest_go(void **state)
{
	struct fixture *f = *state;
	int64_t user = fixture_user(f, "ana"), first = 0, second = 0;

	for (int i = 0; i <= FAILURES_MAX; i++) {
		char name[16];
		int64_t id;

		assert_int_equal(str_format(name, sizeof name, "s%d", i), 0);
		id = server(f, user, name);
		first = i == 0 ? id : first;
		second = i == 1 ? id : second;
		put(f, id, NOW + i, "{}");
	}
	assert_int_equal(
	    fixture_number(f, "SELECT count(*) FROM server_failure"),
	    FAILURES_MAX);
	assert_string_equal(told(f, first), "");
	assert_string_equal(told(f, second), "{}");
}

static void test_what_is_no_json_or_has_no_server_is_refused(void **state)
{
	struct fixture *f = *state;
	int64_t id = server(f, fixture_user(f, "ana"), "");
	struct err err = { 0 };

	assert_int_equal(failure_put(f->db, id, NOW, "{", &err), -1);
	assert_int_equal(failure_put(f->db, id + 1, NOW, "{}", &err), -1);
	assert_int_equal(
	    fixture_number(f, "SELECT count(*) FROM server_failure"), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		FIXTURE_TEST(test_the_last_one_of_each_server_is_kept),
		FIXTURE_TEST(
		    test_it_outlives_the_program_and_goes_with_its_server),
		FIXTURE_TEST(test_the_oldest_go),
		FIXTURE_TEST(test_what_is_no_json_or_has_no_server_is_refused),
	};

	return cmocka_run_group_tests_name("db/failure", tests, NULL, NULL);
}
