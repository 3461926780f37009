/* Tests of db/signup.c. */
#include "test_db_util.h"

#include "db/signup.h"

static int ask(
    struct fixture *f, const char *name, int64_t when, struct err *err)
{
	const struct signup s = {
		.name = name,
		.hash = "$argon2id$",
		.email = str_eq(name, "alice") ? "a@x.org" : NULL,
		.has_account = str_eq(name, "alice"),
		.asked_us = when,
	};

	return signup_add(f->db, &s, 3, err);
}

static void test_what_was_asked_is_found(void **state)
{
	struct fixture *f = *state;
	struct signup s;
	struct err err = { 0 };

	test_ok(ask(f, "alice", NOW, &err), &err);
	test_ok(ask(f, "bob", NOW, &err), &err);
	assert_int_equal(signup_find(f->db, &f->a, "alice", &s, &err), 1);
	assert_string_equal(s.name, "alice");
	assert_string_equal(s.hash, "$argon2id$");
	assert_string_equal(s.email, "a@x.org");
	assert_true(s.has_account);
	assert_int_equal(s.asked_us, NOW);
	assert_int_equal(signup_find(f->db, &f->a, "bob", &s, &err), 1);
	assert_null(s.email);
	assert_false(s.has_account);
	assert_int_equal(signup_find(f->db, &f->a, "eve", &s, &err), 0);
}

static void test_a_name_waits_once_and_few_wait(void **state)
{
	struct fixture *f = *state;
	struct err err = { 0 };

	test_ok(ask(f, "alice", NOW, &err), &err);
	assert_int_equal(ask(f, "alice", NOW + 1, &err), -1);
	assert_int_equal(err.code, ERR_EXISTS);
	test_ok(ask(f, "bob", NOW, &err), &err);
	test_ok(ask(f, "carol", NOW, &err), &err);
	assert_int_equal(ask(f, "dave", NOW, &err), -1);
	assert_int_equal(err.code, ERR_LIMIT);
	test_ok(signup_delete(f->db, "bob", &err), &err);
	test_ok(ask(f, "dave", NOW, &err), &err);
}

static void test_the_list_is_in_order_and_bounded(void **state)
{
	struct fixture *f = *state;
	struct signup *list;
	struct err err = { 0 };
	int64_t total;
	size_t n;

	test_ok(ask(f, "carol", NOW + 2, &err), &err);
	test_ok(ask(f, "bob", NOW + 1, &err), &err);
	test_ok(ask(f, "alice", NOW + 2, &err), &err);
	test_ok(signup_list(f->db, &f->a, 2, &list, &n, &total, &err), &err);
	assert_int_equal(n, 2);
	assert_int_equal(total, 3);
	assert_string_equal(list[0].name, "bob");
	assert_string_equal(list[1].name, "alice");
	test_ok(signup_list(f->db, &f->a, 0, &list, &n, &total, &err), &err);
	assert_int_equal(n, 0);
	assert_int_equal(total, 3);
}

static void test_old_ones_are_purged(void **state)
{
	struct fixture *f = *state;
	struct signup s;
	struct err err = { 0 };

	test_ok(ask(f, "alice", NOW, &err), &err);
	test_ok(ask(f, "bob", NOW + 1, &err), &err);
	test_ok(signup_purge(f->db, NOW, &err), &err);
	assert_int_equal(signup_find(f->db, &f->a, "alice", &s, &err), 0);
	assert_int_equal(signup_find(f->db, &f->a, "bob", &s, &err), 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		FIXTURE_TEST(test_what_was_asked_is_found),
		FIXTURE_TEST(test_a_name_waits_once_and_few_wait),
		FIXTURE_TEST(test_the_list_is_in_order_and_bounded),
		FIXTURE_TEST(test_old_ones_are_purged),
	};

	return cmocka_run_group_tests_name("db/signup", tests, NULL, NULL);
}
