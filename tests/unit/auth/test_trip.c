/*
 * auth/trip.c: what a browser remembers on its way to another login.
 */
#include "test_util.h"

#include "auth/trip.h"
#include "base/rand.h"

#define NOW 1700000000

static struct arena arena;
static struct keys keys;
static struct trip trip;
static const char *cookie;

static int set_up(void **state)
{
	(void)state;
	arena_init(&arena);
	rand_bytes(keys.xsrf, sizeof keys.xsrf);
	trip_begin(
	    &arena, &keys, "campus", "/hub/spawn?x=1", NOW, &trip, &cookie);
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	arena_fini(&arena);
	return 0;
}

static const char *header(const char *name, const char *value)
{
	return arena_printf(&arena, "a=b; %s=%s; c=d", name, value);
}

static int comes_back(const char *cookies, const char *trip_state,
    int64_t now_s, struct trip *out)
{
	struct err err = { 0 };
	int rc = trip_end(
	    &arena, &keys, slice_of(cookies), trip_state, now_s, out, &err);

	if (rc != 0) {
		assert_int_equal(err.code, ERR_NOT_FOUND);
		test_err_says(&err, "start again");
		assert_string_equal(out->provider, "");
		assert_string_equal(out->state, "");
		assert_null(out->next);
	}
	return rc;
}

static void test_the_browser_that_left_comes_back(void **state)
{
	struct trip back;

	(void)state;
	assert_int_equal(comes_back(header(trip.cookie_name, cookie),
			     trip.state, NOW + TRIP_MAX_S, &back),
	    0);
	assert_string_equal(back.provider, "campus");
	assert_string_equal(back.next, "/hub/spawn?x=1");
	assert_string_equal(back.state, trip.state);
	assert_string_equal(back.nonce, trip.nonce);
	assert_string_equal(back.verifier, trip.verifier);
	assert_string_equal(back.cookie_name, trip.cookie_name);
}

/* Login CSRF: somebody else's answer is led into this browser. */
static void test_state_of_another_browser_is_refused(void **state)
{
	struct trip other, back;
	const char *others_cookie;

	(void)state;
	trip_begin(&arena, &keys, "campus", NULL, NOW, &other, &others_cookie);
	assert_string_not_equal(trip.state, other.state);
	assert_int_equal(comes_back("", trip.state, NOW, &back), -1);
	assert_int_equal(comes_back(header(other.cookie_name, others_cookie),
			     trip.state, NOW, &back),
	    -1);
	assert_int_equal(comes_back(header(trip.cookie_name, others_cookie),
			     trip.state, NOW, &back),
	    -1);
	assert_int_equal(comes_back(header(trip.cookie_name, cookie),
			     other.state, NOW, &back),
	    -1);
}

static void test_a_state_that_is_none_is_refused(void **state)
{
	struct trip back;
	char cut[TRIP_SECRET_LEN + 1];

	(void)state;
	memcpy(cut, trip.state, sizeof cut);
	cut[TRIP_SECRET_LEN - 1] = '\0';
	const char *const bad[] = { NULL, "", "x", cut, "; x=y", trip.nonce };
	for (size_t i = 0; i < N_OF(bad); i++)
		assert_int_equal(comes_back(header(trip.cookie_name, cookie),
				     bad[i], NOW, &back),
		    -1);
}

/* Every byte of the cookie is under the MAC. */
static void test_a_changed_cookie_is_refused(void **state)
{
	char *text = arena_strdup(&arena, cookie);
	struct trip back;

	(void)state;
	for (size_t i = 0; text[i]; i++) {
		char was = text[i];

		text[i] = was == 'A' ? 'B' : 'A';
		assert_int_equal(comes_back(header(trip.cookie_name, text),
				     trip.state, NOW, &back),
		    -1);
		text[i] = '\0';
		assert_int_equal(comes_back(header(trip.cookie_name, text),
				     trip.state, NOW, &back),
		    -1);
		text[i] = was;
	}
}

static void test_a_cookie_of_another_hub_is_refused(void **state)
{
	struct trip back;

	(void)state;
	keys.xsrf[0] ^= 1;
	assert_int_equal(comes_back(header(trip.cookie_name, cookie),
			     trip.state, NOW, &back),
	    -1);
}

static void test_a_trip_is_over_after_its_time(void **state)
{
	struct trip back;

	(void)state;
	assert_int_equal(comes_back(header(trip.cookie_name, cookie),
			     trip.state, NOW + TRIP_MAX_S + 1, &back),
	    -1);
}

static void test_a_trip_ends_once(void **state)
{
	struct trips *trips = calloc(1, sizeof *trips);
	struct trip other;
	const char *others_cookie;

	(void)state;
	trip_begin(&arena, &keys, "campus", NULL, NOW, &other, &others_cookie);
	assert_true(trips_use(trips, &trip));
	assert_false(trips_use(trips, &trip));
	assert_true(trips_use(trips, &other));
	assert_false(trips_use(trips, &trip));
	free(trips);
}

static void test_nothing_of_the_three_gives_away_another(void **state)
{
	(void)state;
	assert_string_not_equal(trip.state, trip.nonce);
	assert_string_not_equal(trip.state, trip.verifier);
	assert_string_not_equal(trip.nonce, trip.verifier);
	assert_null(strstr(cookie, trip.state));
	assert_null(strstr(cookie, trip.verifier));
}

static void test_a_next_that_is_too_long_is_left_out(void **state)
{
	char *next = calloc(1, TRIP_NEXT_MAX + 2);
	struct trip back;

	(void)state;
	memset(next, '/', TRIP_NEXT_MAX);
	trip_begin(&arena, &keys, "campus", next, NOW, &trip, &cookie);
	assert_true(strlen(cookie) < 3000);
	assert_int_equal(comes_back(header(trip.cookie_name, cookie),
			     trip.state, NOW, &back),
	    0);
	assert_string_equal(back.next, next);
	next[TRIP_NEXT_MAX] = 'x';
	trip_begin(&arena, &keys, "campus", next, NOW, &trip, &cookie);
	assert_int_equal(comes_back(header(trip.cookie_name, cookie),
			     trip.state, NOW, &back),
	    0);
	assert_null(back.next);
	free(next);
}

static void test_cookies_of_trips_are_found_by_name(void **state)
{
	const char **names;
	const char *h = "a=1; carrel-trip-abcdefgh=x; carrel-trip-12=y; "
			"carrel-trip-ijklmnop=z";

	(void)state;
	assert_int_equal(trip_cookies(&arena, slice_of(h), &names), 2);
	assert_string_equal(names[0], "carrel-trip-abcdefgh");
	assert_string_equal(names[1], "carrel-trip-ijklmnop");
	assert_int_equal(trip_cookies(&arena, slice_of(""), &names), 0);
}

#define TEST(fn) cmocka_unit_test_setup_teardown(fn, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_the_browser_that_left_comes_back),
		TEST(test_state_of_another_browser_is_refused),
		TEST(test_a_state_that_is_none_is_refused),
		TEST(test_a_changed_cookie_is_refused),
		TEST(test_a_cookie_of_another_hub_is_refused),
		TEST(test_a_trip_is_over_after_its_time),
		TEST(test_a_trip_ends_once),
		TEST(test_nothing_of_the_three_gives_away_another),
		TEST(test_a_next_that_is_too_long_is_left_out),
		TEST(test_cookies_of_trips_are_found_by_name),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
