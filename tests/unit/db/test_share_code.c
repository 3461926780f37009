/* Tests of db/share_code.c. */
#include "test_db_util.h"

#include "db/server.h"
#include "db/share_code.h"

#define ACCESS "[\"access:servers\"]"

static int64_t make_server(struct fixture *f, const char *user)
{
	struct err err = { 0 };
	int64_t id = 0;

	test_ok(server_row_create(
		    f->db, fixture_user(f, user), "lab", NOW, &id, &err),
	    &err);
	return id;
}

static int64_t make(
    struct fixture *f, int64_t server, int64_t life_us, char *plain)
{
	const struct share_code c = { .server_id = server,
		.scopes = ACCESS,
		.created_us = NOW,
		.expires_us = NOW + life_us };
	struct err err = { 0 };
	int64_t id = 0;

	test_ok(share_code_create(f->db, &c, plain, &id, &err), &err);
	return id;
}

static int find(struct fixture *f, const char *plain, int64_t now)
{
	struct share_code c;
	struct err err = { 0 };

	return share_code_find(f->db, &f->a, plain, now, &c, &err);
}

static void test_a_code_is_found_by_its_text(void **state)
{
	struct fixture *f = *state;
	int64_t server = make_server(f, "alice");
	char plain[SHARE_CODE_LEN + 1];
	int64_t id = make(f, server, 10, plain);
	struct share_code c;
	struct err err = { 0 };

	assert_int_equal(strlen(plain), SHARE_CODE_LEN);
	assert_int_equal(
	    share_code_find(f->db, &f->a, plain, NOW, &c, &err), 1);
	assert_int_equal(c.id, id);
	assert_int_equal(c.server_id, server);
	assert_string_equal(c.owner, "alice");
	assert_string_equal(c.server, "lab");
	assert_string_equal(c.scopes, ACCESS);
	assert_int_equal(c.exchange_count, 0);
	assert_int_equal(c.last_exchanged_us, 0);
}

static void test_expired_wrong_and_absurd_ones_are_not_found(void **state)
{
	struct fixture *f = *state;
	char plain[SHARE_CODE_LEN + 1], longer[400];

	make(f, make_server(f, "alice"), 10, plain);
	assert_int_equal(find(f, plain, NOW + 9), 1);
	assert_int_equal(find(f, plain, NOW + 10), 0);
	memset(longer, 'x', sizeof longer);
	longer[sizeof longer - 1] = '\0';
	assert_int_equal(find(f, longer, NOW), 0);
	assert_int_equal(find(f, "", NOW), 0);
	plain[0] = plain[0] == 'x' ? 'y' : 'x';
	assert_int_equal(find(f, plain, NOW), 0);
}

static void test_only_the_digest_is_stored(void **state)
{
	struct fixture *f = *state;
	char plain[SHARE_CODE_LEN + 1], sql[300];

	make(f, make_server(f, "alice"), 10, plain);
	snprintf(sql, sizeof sql,
	    "SELECT count(*) FROM share_code WHERE"
	    " instr(digest, CAST('%s' AS BLOB)) OR instr(scopes, '%s')",
	    plain, plain);
	assert_int_equal(fixture_number(f, sql), 0);
	assert_int_equal(
	    fixture_number(f, "SELECT length(digest) FROM share_code"), 32);
}

static void test_uses_are_counted(void **state)
{
	struct fixture *f = *state;
	char plain[SHARE_CODE_LEN + 1];
	int64_t id = make(f, make_server(f, "alice"), 10, plain);
	struct share_code c;
	struct err err = { 0 };

	test_ok(share_code_count(f->db, id, NOW + 1, &err), &err);
	test_ok(share_code_count(f->db, id, NOW + 2, &err), &err);
	assert_int_equal(
	    share_code_find(f->db, &f->a, plain, NOW, &c, &err), 1);
	assert_int_equal(c.exchange_count, 2);
	assert_int_equal(c.last_exchanged_us, NOW + 2);
}

static void test_deleting_stays_within_the_server(void **state)
{
	struct fixture *f = *state;
	int64_t own = make_server(f, "alice"), other = make_server(f, "bob");
	char a[SHARE_CODE_LEN + 1], b[SHARE_CODE_LEN + 1],
	    c[SHARE_CODE_LEN + 1];
	int64_t id = make(f, own, 10, a);
	struct err err = { 0 };

	make(f, own, 10, b);
	make(f, other, 10, c);
	assert_int_equal(share_code_delete_text(f->db, other, a, NOW, &err), 0);
	assert_int_equal(share_code_delete_id(f->db, other, id, NOW, &err), 0);
	assert_int_equal(
	    share_code_delete_id(f->db, own, id, NOW + 10, &err), 0);
	assert_int_equal(share_code_delete_id(f->db, own, id, NOW, &err), 1);
	assert_int_equal(share_code_delete_text(f->db, own, b, NOW, &err), 1);
	assert_int_equal(share_code_delete_server(f->db, own, &err), 0);
	assert_int_equal(find(f, c, NOW), 1);
	assert_int_equal(share_code_delete_server(f->db, other, &err), 1);
	assert_int_equal(find(f, c, NOW), 0);
}

static int64_t total(struct fixture *f, struct share_code_query q)
{
	struct share_code *all;
	struct err err = { 0 };
	int64_t out = -1;
	size_t n;

	q.limit = 10;
	test_ok(share_code_list(f->db, &f->a, &q, &all, &n, &out, &err), &err);
	assert_int_equal(out, n);
	return out;
}

static void test_listings_leave_out_what_has_expired(void **state)
{
	struct fixture *f = *state;
	int64_t server = make_server(f, "alice");
	char plain[SHARE_CODE_LEN + 1];
	struct share_code_query q = { .server_id = server, .now_us = NOW };

	make(f, server, 10, plain);
	make(f, server, 20, plain);
	assert_int_equal(total(f, q), 2);
	q.now_us = NOW + 10;
	assert_int_equal(total(f, q), 1);
	q.owner_id = fixture_number(f, "SELECT id FROM user");
	assert_int_equal(total(f, q), 1);
	q.owner_id++;
	assert_int_equal(total(f, q), 0);
}

static void test_the_purge_takes_what_has_expired(void **state)
{
	struct fixture *f = *state;
	int64_t server = make_server(f, "alice");
	char plain[SHARE_CODE_LEN + 1];
	struct err err = { 0 };

	make(f, server, 10, plain);
	make(f, server, 20, plain);
	assert_int_equal(share_code_purge(f->db, NOW + 10, &err), 0);
	assert_int_equal(
	    fixture_number(f, "SELECT count(*) FROM share_code"), 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		FIXTURE_TEST(test_a_code_is_found_by_its_text),
		FIXTURE_TEST(test_expired_wrong_and_absurd_ones_are_not_found),
		FIXTURE_TEST(test_only_the_digest_is_stored),
		FIXTURE_TEST(test_uses_are_counted),
		FIXTURE_TEST(test_deleting_stays_within_the_server),
		FIXTURE_TEST(test_listings_leave_out_what_has_expired),
		FIXTURE_TEST(test_the_purge_takes_what_has_expired),
	};

	return cmocka_run_group_tests_name("db/share_code", tests, NULL, NULL);
}
