/*
 * auth/oauth1.c: RFC 5849's own example, and what python3-oauthlib signed.
 */
#include "test_util.h"

#include "auth/oauth1.h"

static struct arena arena;

static int up(void **state)
{
	(void)state;
	arena_init(&arena);
	return 0;
}

static int down(void **state)
{
	(void)state;
	arena_fini(&arena);
	return 0;
}

static const char *base_string(const char *uri, const char *pairs)
{
	struct url_pairs params;
	struct err err = { 0 };

	test_ok(
	    url_parse_pairs(&arena, slice_of(pairs), 40, &params, &err), &err);
	return oauth1_base_string(&arena, "POST", uri, &params);
}

/* Section 3.4.1.1; the parameters in the order in which they stand there. */
static const char rfc_params[] =
    "b5=%3D%253D&a3=a&c%40=&a2=r%20b&oauth_consumer_key=9djdj82h48djs9d2&"
    "oauth_token=kkk9d7dh3k39sjv7&oauth_signature_method=HMAC-SHA1&"
    "oauth_timestamp=137131201&oauth_nonce=7d8f3e4a&"
    "oauth_signature=bYT5CMsGcbgUdFHObYMEfcx6bsw%3D&c2&a3=2+q";
static const char rfc_base[] =
    "POST&http%3A%2F%2Fexample.com%2Frequest&a2%3Dr%2520b%26a3%3D2%2520q%26a3"
    "%3Da%26b5%3D%253D%25253D%26c%2540%3D%26c2%3D%26oauth_consumer_key%3D9djdj8"
    "2h48djs9d2%26oauth_nonce%3D7d8f3e4a%26oauth_signature_method%3DHMAC-SHA1"
    "%26oauth_timestamp%3D137131201%26oauth_token%3Dkkk9d7dh3k39sjv7";

static void test_rfc_5849_base_string(void **state)
{
	(void)state;
	assert_string_equal(
	    base_string("http://example.com/request", rfc_params), rfc_base);
}

static void test_signature_is_compared_as_bytes(void **state)
{
	static const char good[] = "Cz2XkNrhhu/mc60P6A1OxO2z6IM=";
	static const char *const bad[] = { "", "=",
		"Cz2XkNrhhu/mc60P6A1OxO2z6I", "Cz2XkNrhhu/mc60P6A1OxO2z6IM",
		"Cz2XkNrhhu/mc60P6A1OxO2z6IM==", "Cz2XkNrhhu_mc60P6A1OxO2z6IM=",
		"cz2XkNrhhu/mc60P6A1OxO2z6IM=", "AAAAAAAAAAAAAAAAAAAAAAAAAAA=",
		"Cz2XkNrhhu/mc60P6A1OxO2z6I ==",
		"Cz2XkNrhhu/mc60P6A1OxO2z6IM=AAAA" };

	(void)state;
	assert_true(oauth1_is_signed(rfc_base, "j49sk3j29djd", good));
	assert_false(oauth1_is_signed(rfc_base, "j49sk3j29djD", good));
	assert_false(oauth1_is_signed(rfc_base, "", good));
	assert_false(oauth1_is_signed(rfc_base + 1, "j49sk3j29djd", good));
	for (size_t i = 0; i < N_OF(bad); i++)
		assert_false(
		    oauth1_is_signed(rfc_base, "j49sk3j29djd", bad[i]));
}

/* Names that differ in one byte, values that sort before their names would. */
static void test_sorting_is_by_encoded_bytes(void **state)
{
	(void)state;
	assert_string_equal(
	    base_string("https://h/", "b=2&a=2&a=10&aa=0&a%2b=1&%C3%B6=1&A=1"),
	    "POST&https%3A%2F%2Fh%2F&%25C3%25B6%3D1%26A%3D1%26a%3D10%26a%3D2%26"
	    "a%252B%3D1%26aa%3D0%26b%3D2");
}

static void test_only_the_signature_is_left_out(void **state)
{
	(void)state;
	assert_string_equal(base_string("https://h/",
				"oauth_signature=x&oauth_signature2=y&realm=z"),
	    "POST&https%3A%2F%2Fh%2F&oauth_signature2%3Dy%26realm%3Dz");
}

/* python3-oauthlib, with all that is encoded in one way only. */
static void test_an_independent_signer_agrees(void **state)
{
	const char *text = base_string("https://hub.example.org/hub/lti/launch",
	    "roles=Learner&a+b=%C3%B6%2B%26%3D%25%7E%2A%27&x=&oauth_nonce=n1&"
	    "oauth_timestamp=1700000000&oauth_version=1.0&"
	    "oauth_signature_method=HMAC-SHA1&oauth_consumer_key=course-key&"
	    "oauth_signature=ignored");

	(void)state;
	assert_true(oauth1_is_signed(text, "s3cret+with=signs&%of-the-class",
	    "A/vvQV1/YqOkPDHuq+TAavHRUpA="));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(
		    test_rfc_5849_base_string, up, down),
		cmocka_unit_test_setup_teardown(
		    test_signature_is_compared_as_bytes, up, down),
		cmocka_unit_test_setup_teardown(
		    test_sorting_is_by_encoded_bytes, up, down),
		cmocka_unit_test_setup_teardown(
		    test_only_the_signature_is_left_out, up, down),
		cmocka_unit_test_setup_teardown(
		    test_an_independent_signer_agrees, up, down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
