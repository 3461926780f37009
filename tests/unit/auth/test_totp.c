/* Tests of auth/totp.c, with the vectors of RFC 6238, appendix B (SHA-1). */
#include "test_util.h"

#include "auth/totp.h"

/* "12345678901234567890" */
#define SECRET "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ"

static struct arena arena;

static int check(const char *typed, int64_t now_s, int64_t last, int64_t *step)
{
	struct err err = { 0 };
	int rc = totp_check(SECRET, typed, now_s, last, step, &err);

	test_ok(rc, &err);
	return rc;
}

/* The RFC's codes have eight digits; six are the last six of them. */
static void test_rfc_6238_vectors(void **state)
{
	static const struct {
		int64_t now_s;
		const char *code;
	} rows[] = {
		{ 59, "287082" },
		{ 1111111109, "081804" },
		{ 1111111111, "050471" },
		{ 1234567890, "005924" },
		{ 2000000000, "279037" },
		{ INT64_C(20000000000), "353130" },
	};

	(void)state;
	for (size_t i = 0; i < N_OF(rows); i++) {
		int64_t step = 0;

		assert_int_equal(
		    check(rows[i].code, rows[i].now_s, 0, &step), 1);
		assert_int_equal(step, rows[i].now_s / 30);
	}
}

static void test_one_step_each_side_is_taken(void **state)
{
	static const struct {
		int64_t now_s;
		int rc;
	} rows[] = {
		{ 1111111109 - 60, 0 },
		{ 1111111109 - 30, 1 },
		{ 1111111109 + 1, 1 },
		{ 1111111109 + 30, 1 },
		{ 1111111109 + 60, 0 },
	};

	(void)state;
	for (size_t i = 0; i < N_OF(rows); i++) {
		int64_t step = 0;

		assert_int_equal(
		    check("081804", rows[i].now_s, 0, &step), rows[i].rc);
		if (rows[i].rc == 1)
			assert_int_equal(step, 1111111109 / 30);
	}
}

static void test_a_used_step_is_over(void **state)
{
	int64_t step = 0, of = 1111111109 / 30;

	(void)state;
	assert_int_equal(check("081804", 1111111109, of - 1, &step), 1);
	assert_int_equal(check("081804", 1111111109, of, &step), 0);
	assert_int_equal(check("081804", 1111111109 + 29, of, &step), 0);
	assert_int_equal(check("081804", 1111111109, of + 1, &step), 0);
}

static void test_only_six_digits_are_a_code(void **state)
{
	static const char *const wrong[] = { "", "81804", "0818040", "08180 ",
		"08180x", "+81804", "08-1804", "081804\n", "081805" };
	int64_t step = 0;

	(void)state;
	for (size_t i = 0; i < N_OF(wrong); i++)
		assert_int_equal(check(wrong[i], 1111111109, 0, &step), 0);
	assert_int_equal(check(" 081 804 ", 1111111109, 0, &step), 1);
}

static void test_a_damaged_secret_is_an_error(void **state)
{
	struct err err = { 0 };
	int64_t step;

	(void)state;
	assert_int_equal(totp_check("18", "081804", 59, 0, &step, &err), -1);
	assert_int_equal(err.code, ERR_INVALID);
}

static void test_secrets_are_new_and_can_be_typed(void **state)
{
	char one[TOTP_SECRET_LEN + 1], two[TOTP_SECRET_LEN + 1];
	int64_t step;
	struct err err = { 0 };

	(void)state;
	totp_secret_new(one);
	totp_secret_new(two);
	assert_int_equal(strlen(one), TOTP_SECRET_LEN);
	assert_int_equal(
	    strspn(one, "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567"), TOTP_SECRET_LEN);
	assert_string_not_equal(one, two);
	test_ok(totp_check(one, "000000", 59, 0, &step, &err), &err);
}

static void test_what_an_app_is_told(void **state)
{
	(void)state;
	assert_string_equal(totp_spaced(&arena, SECRET),
	    "GEZD GNBV GY3T QOJQ GEZD GNBV GY3T QOJQ");
	assert_string_equal(
	    totp_uri(&arena, SECRET, "hub.example.org", "ana:b c"),
	    "otpauth://totp/hub.example.org:ana%3Ab%20c?secret=" SECRET
	    "&issuer=hub.example.org");
}

static int set_up(void **state)
{
	(void)state;
	arena_init(&arena);
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	arena_fini(&arena);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_rfc_6238_vectors),
		cmocka_unit_test(test_one_step_each_side_is_taken),
		cmocka_unit_test(test_a_used_step_is_over),
		cmocka_unit_test(test_only_six_digits_are_a_code),
		cmocka_unit_test(test_a_damaged_secret_is_an_error),
		cmocka_unit_test(test_secrets_are_new_and_can_be_typed),
		cmocka_unit_test(test_what_an_app_is_told),
	};

	return cmocka_run_group_tests_name(
	    "auth/totp", tests, set_up, tear_down);
}
