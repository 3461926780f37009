/* Tests of db/group.c. */
#include "test_db_util.h"

#include "base/buf.h"
#include "db/group.h"

static int64_t make(struct fixture *f, const char *name)
{
	struct err err = { 0 };
	int64_t id = 0;

	test_ok(group_create(f->db, name, &id, &err), &err);
	return id;
}

static void test_create_find_delete(void **state)
{
	struct fixture *f = *state;
	struct err err = { 0 };
	struct group g;
	int64_t id;

	assert_int_equal(group_find(f->db, &f->a, "class", &g, &err), 0);
	id = make(f, "class");
	assert_int_equal(group_find(f->db, &f->a, "class", &g, &err), 1);
	assert_int_equal(g.id, id);
	assert_string_equal(g.properties, "{}");
	test_ok(group_delete(f->db, id, &err), &err);
	assert_int_equal(group_find(f->db, &f->a, "class", &g, &err), 0);
}

static void test_create_twice_says_exists(void **state)
{
	struct fixture *f = *state;
	struct err err = { 0 };
	int64_t id;

	make(f, "class");
	assert_int_equal(group_create(f->db, "class", &id, &err), -1);
	assert_int_equal(err.code, ERR_EXISTS);
	test_err_says(&err, "Group class already exists");
}

static void test_properties_are_replaced_and_are_an_object(void **state)
{
	struct fixture *f = *state;
	struct err err = { 0 };
	struct group g;
	int64_t id = make(f, "class");

	test_ok(group_set_properties(f->db, id, "{\"a\":1}", &err), &err);
	assert_int_equal(group_set_properties(f->db, id, "[1]", &err), -1);
	assert_int_equal(group_set_properties(f->db, id, "{", &err), -1);
	assert_int_equal(group_find(f->db, &f->a, "class", &g, &err), 1);
	assert_string_equal(g.properties, "{\"a\":1}");
}

static void test_members_come_and_go(void **state)
{
	struct fixture *f = *state;
	struct err err = { 0 };
	int64_t alice = fixture_user(f, "alice"), id = make(f, "class");

	assert_int_equal(group_has(f->db, "alice", "class", &err), 0);
	test_ok(group_add(f->db, id, alice, &err), &err);
	test_ok(group_add(f->db, id, alice, &err), &err);
	assert_int_equal(group_has(f->db, "alice", "class", &err), 1);
	assert_int_equal(group_has(f->db, "bob", "class", &err), 0);
	assert_int_equal(group_has(f->db, "alice", "clas", &err), 0);
	test_ok(group_remove(f->db, id, alice, &err), &err);
	test_ok(group_remove(f->db, id, alice, &err), &err);
	assert_int_equal(group_has(f->db, "alice", "class", &err), 0);
}

static void test_membership_goes_with_either_side(void **state)
{
	struct fixture *f = *state;
	struct err err = { 0 };
	int64_t alice = fixture_user(f, "alice"), id = make(f, "class");

	test_ok(group_add(f->db, id, alice, &err), &err);
	test_ok(group_delete(f->db, id, &err), &err);
	assert_int_equal(
	    fixture_number(f, "SELECT count(*) FROM group_member"), 0);
	id = make(f, "class");
	test_ok(group_add(f->db, id, alice, &err), &err);
	test_ok(user_delete(f->db, alice, &err), &err);
	assert_int_equal(
	    fixture_number(f, "SELECT count(*) FROM group_member"), 0);
}

static int see(int64_t id, const char *name, void *arg, struct err *err)
{
	(void)err;
	buf_printf(arg, "%d:%s ", (int)id, name);
	return 0;
}

static void test_others_between_the_ids_of_a_page_are_passed_over(void **state)
{
	struct fixture *f = *state;
	struct err err = { 0 };
	const int64_t alice = fixture_user(f, "alice");
	const int64_t bob = fixture_user(f, "bob");
	const int64_t near[] = { fixture_user(f, "carl"), alice };
	const int64_t far[] = { alice + 100000, bob };
	const int64_t group = make(f, "x");
	struct buf seen;

	test_ok(group_add(f->db, group, alice, &err), &err);
	test_ok(group_add(f->db, group, bob, &err), &err);
	test_ok(group_add(f->db, group, near[0], &err), &err);
	buf_init(&seen, 4096);
	test_ok(group_each_of_users(f->db, near, 2, see, &seen, &err), &err);
	assert_string_equal(buf_view(&seen), "1:x 3:x ");
	buf_reset(&seen);
	test_ok(group_each_of_users(f->db, far, 2, see, &seen, &err), &err);
	assert_string_equal(buf_view(&seen), "2:x ");
	buf_fini(&seen);
}

static void test_who_is_where_for_a_page(void **state)
{
	struct fixture *f = *state;
	struct err err = { 0 };
	const int64_t users[] = { fixture_user(f, "alice"),
		fixture_user(f, "bob"), fixture_user(f, "carl") };
	const int64_t groups[] = { make(f, "x"), make(f, "a") };
	struct buf seen;

	test_ok(group_add(f->db, groups[0], users[0], &err), &err);
	test_ok(group_add(f->db, groups[1], users[0], &err), &err);
	test_ok(group_add(f->db, groups[0], users[2], &err), &err);
	buf_init(&seen, 4096);
	test_ok(group_each_of_users(f->db, users, 3, see, &seen, &err), &err);
	assert_string_equal(buf_view(&seen), "1:a 1:x 3:x ");
	buf_reset(&seen);
	test_ok(group_each_of_users(f->db, users, 1, see, &seen, &err), &err);
	assert_string_equal(buf_view(&seen), "1:a 1:x ");
	buf_reset(&seen);
	test_ok(group_each_member(f->db, groups, 2, see, &seen, &err), &err);
	assert_string_equal(buf_view(&seen), "1:alice 1:carl 2:alice ");
	buf_reset(&seen);
	test_ok(group_each_member(f->db, groups, 0, see, &seen, &err), &err);
	assert_string_equal(buf_view(&seen), "");
	buf_fini(&seen);
}

static void test_pages(void **state)
{
	struct fixture *f = *state;
	struct err err = { 0 };
	struct group_query q = { .limit = 2, .offset = 1 };
	struct group *groups;
	int64_t total;
	size_t n;

	make(f, "c");
	make(f, "b");
	make(f, "a");
	test_ok(group_list(f->db, &f->a, &q, &groups, &n, &total, &err), &err);
	assert_int_equal(n, 2);
	assert_int_equal(total, 3);
	assert_string_equal(groups[0].name, "b");
	assert_string_equal(groups[1].name, "a");
	q = (struct group_query){
		.limit = 9, .only_some = true, .names = "[\"a\",\"nobody\"]"
	};
	test_ok(group_list(f->db, &f->a, &q, &groups, &n, &total, &err), &err);
	assert_int_equal(n, 1);
	assert_int_equal(total, 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		FIXTURE_TEST(test_create_find_delete),
		FIXTURE_TEST(test_create_twice_says_exists),
		FIXTURE_TEST(test_properties_are_replaced_and_are_an_object),
		FIXTURE_TEST(test_members_come_and_go),
		FIXTURE_TEST(test_membership_goes_with_either_side),
		FIXTURE_TEST(
		    test_others_between_the_ids_of_a_page_are_passed_over),
		FIXTURE_TEST(test_who_is_where_for_a_page),
		FIXTURE_TEST(test_pages),
	};

	return cmocka_run_group_tests_name("db/group", tests, NULL, NULL);
}
