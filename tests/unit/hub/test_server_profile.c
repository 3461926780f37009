/* Tests of hub/server_profile.c. */
#include "test_util.h"

#include "base/str.h"
#include "hub/server_profile.h"

static const char *offered[] = { "default", "big" };

static int pick(
    size_t n_offered, const char *options, const char **out, struct err *err)
{
	const struct config cfg = { .default_profile = "default",
		.profiles = { offered, n_offered } };
	json_t *j = options ? json_loads(options, 0, NULL) : NULL;
	int rc = server_profile_pick(&cfg, j, out, err);

	json_decref(j);
	return rc;
}

static void test_what_is_offered_can_be_chosen(void **state)
{
	static const struct {
		const char *options, *profile;
	} rows[] = {
		{ NULL, "default" },
		{ "{}", "default" },
		{ "{\"profile\": \"big\"}", "big" },
		{ "{\"profile\": [\"big\"]}", "big" },
		{ "{\"profile\": []}", "default" },
		{ "{\"profile\": 7}", "default" },
		{ "{\"profile\": null}", "default" },
	};
	const char *out;
	struct err err;

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		assert_int_equal(pick(2, rows[i].options, &out, &err), 0);
		assert_string_equal(out, rows[i].profile);
	}
}

static void test_what_is_not_offered_is_refused(void **state)
{
	const char *out;
	struct err err;

	(void)state;
	assert_int_equal(pick(2, "{\"profile\": \"root\"}", &out, &err), -1);
	assert_int_equal(err.code, ERR_INVALID);
	test_err_says(&err, "\"root\"");
	test_err_says(&err, "default, big");
	assert_int_equal(pick(2, "{\"profile\": \"\"}", &out, &err), -1);
}

/* Options of clients that mean something else by it. */
static void test_without_an_offer_the_member_means_nothing(void **state)
{
	const char *out;
	struct err err;

	(void)state;
	assert_int_equal(pick(0, "{\"profile\": \"root\"}", &out, &err), 0);
	assert_string_equal(out, "default");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_what_is_offered_can_be_chosen),
		cmocka_unit_test(test_what_is_not_offered_is_refused),
		cmocka_unit_test(
		    test_without_an_offer_the_member_means_nothing),
	};

	return cmocka_run_group_tests_name(
	    "hub/server_profile", tests, NULL, NULL);
}
