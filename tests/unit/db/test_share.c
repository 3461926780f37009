/* Tests of db/share.c. */
#include "test_db_util.h"

#include "db/group.h"
#include "db/server.h"
#include "db/share.h"

#define ACCESS "[\"access:servers\"]"

struct people {
	int64_t alice, bob, carol, home, lab, class;
};

static struct people make_people(struct fixture *f)
{
	struct people p = { .alice = fixture_user(f, "alice"),
		.bob = fixture_user(f, "bob"),
		.carol = fixture_user(f, "carol") };
	struct err err = { 0 };

	test_ok(
	    server_row_create(f->db, p.alice, "", NOW, &p.home, &err), &err);
	test_ok(
	    server_row_create(f->db, p.alice, "lab", NOW, &p.lab, &err), &err);
	test_ok(group_create(f->db, "class", &p.class, &err), &err);
	test_ok(group_add(f->db, p.class, p.carol, &err), &err);
	return p;
}

static void put(struct fixture *f, int64_t server, struct share_with with,
    const char *scopes)
{
	struct err err = { 0 };

	test_ok(share_put(f->db, server, with, scopes, NOW, &err), &err);
}

/* How many a listing has; *first_out is its first. */
static int64_t list(struct fixture *f, enum share_list which, int64_t id,
    struct share *first_out)
{
	const struct share_query q = { .which = which, .id = id, .limit = 10 };
	struct share *all;
	struct err err = { 0 };
	int64_t total = -1;
	size_t n;

	test_ok(share_list(f->db, &f->a, &q, &all, &n, &total, &err), &err);
	assert_int_equal(total, n);
	if (n > 0 && first_out)
		*first_out = all[0];
	return total;
}

static void test_a_share_names_both_sides(void **state)
{
	struct fixture *f = *state;
	struct people p = make_people(f);
	struct err err = { 0 };
	struct share s;

	put(f, p.lab, (struct share_with){ .user_id = p.bob }, ACCESS);
	assert_int_equal(share_find(f->db, &f->a, p.lab,
			     (struct share_with){ .user_id = p.bob }, &s, &err),
	    1);
	assert_string_equal(s.owner, "alice");
	assert_string_equal(s.server, "lab");
	assert_string_equal(s.user, "bob");
	assert_null(s.group);
	assert_string_equal(s.scopes, ACCESS);
	assert_int_equal(s.created_us, NOW);
	assert_int_equal(share_find(f->db, &f->a, p.home,
			     (struct share_with){ .user_id = p.bob }, &s, &err),
	    0);
}

static void test_a_second_one_replaces_the_scopes(void **state)
{
	struct fixture *f = *state;
	struct people p = make_people(f);
	struct share_with with = { .group_id = p.class };
	struct share s;

	put(f, p.lab, with, ACCESS);
	put(f, p.lab, with, "[\"servers\"]");
	assert_int_equal(list(f, SHARE_TO_GROUP, p.class, &s), 1);
	assert_string_equal(s.scopes, "[\"servers\"]");
	assert_string_equal(s.group, "class");
	assert_null(s.user);
}

static void test_listings_by_each_side(void **state)
{
	struct fixture *f = *state;
	struct people p = make_people(f);

	put(f, p.home, (struct share_with){ .user_id = p.bob }, ACCESS);
	put(f, p.lab, (struct share_with){ .user_id = p.bob }, ACCESS);
	put(f, p.lab, (struct share_with){ .group_id = p.class }, ACCESS);
	assert_int_equal(list(f, SHARE_OF_OWNER, p.alice, NULL), 3);
	assert_int_equal(list(f, SHARE_OF_OWNER, p.bob, NULL), 0);
	assert_int_equal(list(f, SHARE_OF_SERVER, p.lab, NULL), 2);
	assert_int_equal(list(f, SHARE_TO_USER, p.bob, NULL), 2);
	assert_int_equal(list(f, SHARE_TO_USER, p.carol, NULL), 1);
	assert_int_equal(list(f, SHARE_TO_GROUP, p.class, NULL), 1);
}

static void test_pages(void **state)
{
	struct fixture *f = *state;
	struct people p = make_people(f);
	struct share_query q = { SHARE_TO_USER, p.bob, 1, 1 };
	struct share *all;
	struct err err = { 0 };
	int64_t total = 0;
	size_t n;

	put(f, p.home, (struct share_with){ .user_id = p.bob }, ACCESS);
	put(f, p.lab, (struct share_with){ .user_id = p.bob }, ACCESS);
	test_ok(share_list(f->db, &f->a, &q, &all, &n, &total, &err), &err);
	assert_int_equal(n, 1);
	assert_int_equal(total, 2);
	assert_string_equal(all[0].server, "lab");
}

static void test_an_end_of_one_or_of_all(void **state)
{
	struct fixture *f = *state;
	struct people p = make_people(f);
	struct err err = { 0 };
	struct share s;

	put(f, p.lab, (struct share_with){ .user_id = p.bob }, ACCESS);
	put(f, p.lab, (struct share_with){ .user_id = p.carol }, ACCESS);
	put(f, p.home, (struct share_with){ .user_id = p.carol }, ACCESS);
	assert_int_equal(list(f, SHARE_TO_USER, p.bob, &s), 1);
	test_ok(share_delete(f->db, s.id, &err), &err);
	assert_int_equal(list(f, SHARE_TO_USER, p.bob, NULL), 0);
	test_ok(share_delete_server(f->db, p.lab, &err), &err);
	assert_int_equal(list(f, SHARE_TO_USER, p.carol, &s), 1);
	assert_string_equal(s.server, "");
}

static void test_a_share_goes_with_whatever_it_names(void **state)
{
	static const char *const gone[] = {
		"DELETE FROM user WHERE name = 'bob'",
		"DELETE FROM server WHERE name = 'lab'",
		"DELETE FROM hub_group",
		"DELETE FROM user WHERE name = 'alice'",
	};
	static const int64_t left[] = { 2, 1, 0, 0 };
	struct fixture *f = *state;
	struct people p = make_people(f);

	put(f, p.home, (struct share_with){ .user_id = p.bob }, ACCESS);
	put(f, p.lab, (struct share_with){ .user_id = p.carol }, ACCESS);
	put(f, p.home, (struct share_with){ .group_id = p.class }, ACCESS);
	for (size_t i = 0; i < sizeof gone / sizeof *gone; i++) {
		fixture_exec(f, gone[i]);
		assert_int_equal(
		    fixture_number(f, "SELECT count(*) FROM share"), left[i]);
	}
}

/* The first question is remembered; the first share is not missed for it. */
static void test_the_first_share_is_seen_after_there_was_none(void **state)
{
	struct fixture *f = *state;
	struct people p = make_people(f);
	struct err err = { 0 };
	struct share s;

	assert_int_equal(list(f, SHARE_TO_USER, p.bob, NULL), 0);
	assert_int_equal(list(f, SHARE_TO_USER, p.bob, NULL), 0);
	put(f, p.lab, (struct share_with){ .user_id = p.bob }, ACCESS);
	assert_int_equal(list(f, SHARE_TO_USER, p.bob, &s), 1);
	test_ok(share_delete(f->db, s.id, &err), &err);
	assert_int_equal(list(f, SHARE_TO_USER, p.bob, NULL), 0);
	put(f, p.lab, (struct share_with){ .user_id = p.bob }, ACCESS);
	db_close(&f->db);
	fixture_open(f);
	assert_int_equal(list(f, SHARE_TO_USER, p.bob, NULL), 1);
}

static void test_no_share_with_nobody_or_both(void **state)
{
	struct fixture *f = *state;
	struct people p = make_people(f);
	struct err err = { 0 };

	assert_int_equal(share_put(f->db, p.lab, (struct share_with){ 0 },
			     ACCESS, NOW, &err),
	    -1);
	assert_int_equal(
	    share_put(f->db, p.lab, (struct share_with){ .user_id = p.bob },
		"no list", NOW, &err),
	    -1);
	assert_int_equal(fixture_number(f, "SELECT count(*) FROM share"), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		FIXTURE_TEST(test_a_share_names_both_sides),
		FIXTURE_TEST(test_a_second_one_replaces_the_scopes),
		FIXTURE_TEST(test_listings_by_each_side),
		FIXTURE_TEST(test_pages),
		FIXTURE_TEST(test_an_end_of_one_or_of_all),
		FIXTURE_TEST(test_a_share_goes_with_whatever_it_names),
		FIXTURE_TEST(test_the_first_share_is_seen_after_there_was_none),
		FIXTURE_TEST(test_no_share_with_nobody_or_both),
	};

	return cmocka_run_group_tests_name("db/share", tests, NULL, NULL);
}
