/* Tests of db/user_list.c. */
#include "test_db_util.h"

#include "base/buf.h"
#include "db/group.h"
#include "db/server.h"
#include "db/user_list.h"

/* The names of the page, and the total. */
static void expect(struct fixture *f, struct user_query q, const char *names)
{
	struct err err = { 0 };
	struct user *users;
	struct buf seen;
	int64_t total;
	size_t n;

	q.limit = q.limit ? q.limit : 100;
	test_ok(user_list(f->db, &f->a, &q, &users, &n, &total, &err), &err);
	buf_init(&seen, 4096);
	for (size_t i = 0; i < n; i++)
		buf_printf(&seen, "%s ", users[i].name);
	buf_printf(&seen, "of %d", (int)total);
	assert_string_equal(buf_view(&seen), names);
	buf_fini(&seen);
}

static int64_t start(struct fixture *f, int64_t user_id, const char *name)
{
	struct err err = { 0 };
	char key[17];
	int64_t id;

	test_ok(server_row_create(f->db, user_id, name, NOW, &id, &err), &err);
	assert_int_equal(str_format(key, sizeof key, "%016d", (int)id), 0);
	test_ok(
	    server_row_start(f->db, id, key, "default", "x", NULL, NOW, &err),
	    &err);
	return id;
}

static void test_orders(void **state)
{
	struct fixture *f = *state;
	struct err err = { 0 };
	int64_t b = fixture_user(f, "b"), c = fixture_user(f, "c");

	fixture_user(f, "a");
	test_ok(user_touch(f->db, c, NOW + 1, &err), &err);
	test_ok(user_touch(f->db, b, NOW + 2, &err), &err);
	expect(f, (struct user_query){ 0 }, "b c a of 3");
	expect(f, (struct user_query){ .descending = true }, "a c b of 3");
	expect(f, (struct user_query){ .order = USER_BY_NAME }, "a b c of 3");
	expect(f,
	    (struct user_query){ .order = USER_BY_NAME, .descending = true },
	    "c b a of 3");
	expect(
	    f, (struct user_query){ .order = USER_BY_ACTIVITY }, "a c b of 3");
	expect(f,
	    (struct user_query){
		.order = USER_BY_ACTIVITY, .descending = true },
	    "b c a of 3");
}

static void test_pages(void **state)
{
	struct fixture *f = *state;

	fixture_user(f, "a");
	fixture_user(f, "b");
	fixture_user(f, "c");
	expect(f, (struct user_query){ .limit = 2 }, "a b of 3");
	expect(f, (struct user_query){ .limit = 2, .offset = 2 }, "c of 3");
	expect(
	    f, (struct user_query){ .limit = 2, .offset = INT64_MAX }, "of 3");
}

static void test_part_of_a_name_has_no_wildcards(void **state)
{
	struct fixture *f = *state;

	fixture_user(f, "a_b");
	fixture_user(f, "axb");
	fixture_user(f, "a%b");
	expect(f, (struct user_query){ .name_part = "a" }, "a_b axb a%b of 3");
	expect(f, (struct user_query){ .name_part = "_" }, "a_b of 1");
	expect(f, (struct user_query){ .name_part = "%" }, "a%b of 1");
	expect(f, (struct user_query){ .name_part = "a%b" }, "a%b of 1");
	expect(f, (struct user_query){ .name_part = "'" }, "of 0");
}

static void test_states(void **state)
{
	struct fixture *f = *state;
	struct err err = { 0 };
	int64_t a = fixture_user(f, "a"), id;

	fixture_user(f, "b");
	start(f, a, "one");
	id = start(f, fixture_user(f, "c"), "");
	start(f, a, "two");
	expect(f, (struct user_query){ .state = USER_ACTIVE }, "a c of 2");
	expect(f, (struct user_query){ .state = USER_INACTIVE }, "b of 1");
	expect(f, (struct user_query){ .state = USER_ACTIVE, .name_part = "c" },
	    "c of 1");
	test_ok(server_row_stopped(f->db, id, &err), &err);
	expect(f, (struct user_query){ .state = USER_ACTIVE }, "a of 1");
	expect(f, (struct user_query){ .state = USER_INACTIVE }, "b c of 2");
}

static void test_only_some(void **state)
{
	struct fixture *f = *state;
	struct err err = { 0 };
	int64_t a = fixture_user(f, "a"), c, group;

	fixture_user(f, "b");
	c = fixture_user(f, "c");
	test_ok(group_create(f->db, "g", &group, &err), &err);
	test_ok(group_add(f->db, group, a, &err), &err);
	test_ok(group_add(f->db, group, c, &err), &err);
	struct user_query q = {
		.only_some = true, .names = "[\"b\",\"x\"]", .groups = "[]"
	};
	expect(f, q, "b of 1");
	q.groups = "[\"g\"]";
	expect(f, q, "a b c of 3");
	q.names = "[]";
	expect(f, q, "a c of 2");
	q.state = USER_INACTIVE;
	q.name_part = "c";
	expect(f, q, "c of 1");
	q.groups = "[]";
	expect(f, q, "of 0");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		FIXTURE_TEST(test_orders),
		FIXTURE_TEST(test_pages),
		FIXTURE_TEST(test_part_of_a_name_has_no_wildcards),
		FIXTURE_TEST(test_states),
		FIXTURE_TEST(test_only_some),
	};

	return cmocka_run_group_tests_name("db/user_list", tests, NULL, NULL);
}
