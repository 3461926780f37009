/*
 * proxy/ws_key: the handshake of RFC 6455, with the example of its section 1.3.
 */
#include "test_util.h"

#include "proxy/ws_key.h"

static void test_the_example_of_the_rfc(void **state)
{
	static const char key[] = "dGhlIHNhbXBsZSBub25jZQ==";
	static const char *const wrong[] = { "", "s3pPLMBiTxaQ9kYGzzhZRbK+xOo",
		"s3pPLMBiTxaQ9kYGzzhZRbK+xOo= ",
		"S3pPLMBiTxaQ9kYGzzhZRbK+xOo=" };

	(void)state;
	assert_true(
	    ws_key_is_answered(key, slice_of("s3pPLMBiTxaQ9kYGzzhZRbK+xOo=")));
	for (size_t i = 0; i < N_OF(wrong); i++)
		assert_false(ws_key_is_answered(key, slice_of(wrong[i])));
}

static void test_keys_are_16_bytes_and_fresh(void **state)
{
	char a[WS_KEY_CAP], b[WS_KEY_CAP];

	(void)state;
	ws_key_make(a);
	ws_key_make(b);
	assert_int_equal(strlen(a), 24);
	assert_string_equal(a + 22, "==");
	assert_string_not_equal(a, b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_the_example_of_the_rfc),
		cmocka_unit_test(test_keys_are_16_bytes_and_fresh),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
