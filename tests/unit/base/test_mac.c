/* Tests of base/mac.c with vectors of FIPS 180-4 and RFC 4231. */
#include "test_util.h"

#include "base/mac.h"
#include "base/str.h"

static void test_sha256_vectors(void **state)
{
	static const struct {
		const char *text, *hex;
	} cases[] = {
		{ "", "e3b0c44298fc1c149afbf4c8996fb924"
		      "27ae41e4649b934ca495991b7852b855" },
		{ "abc", "ba7816bf8f01cfea414140de5dae2223"
			 "b00361a396177a9cb410ff61f20015ad" },
	};

	(void)state;
	for (size_t i = 0; i < N_OF(cases); i++) {
		unsigned char digest[MAC_SHA256_LEN];
		char hex[65];

		mac_sha256_hex(cases[i].text, strlen(cases[i].text), hex);
		assert_string_equal(hex, cases[i].hex);
		mac_sha256(cases[i].text, strlen(cases[i].text), digest);
		hex_encode(digest, sizeof digest, hex);
		assert_string_equal(hex, cases[i].hex);
	}
}

static void hmac_hex(
    const char *key, size_t key_len, const char *text, size_t len, char hex[65])
{
	unsigned char out[MAC_SHA256_LEN];

	mac_hmac_sha256(key, key_len, text, len, out);
	hex_encode(out, sizeof out, hex);
}

static void test_hmac_vectors(void **state)
{
	char key[131], hex[65];

	(void)state;
	hmac_hex("Jefe", 4, "what do ya want for nothing?", 28, hex);
	assert_string_equal(hex, "5bdcc146bf60754e6a042426089575c7"
				 "5a003f089d2739839dec58b964ec3843");
	/* A key longer than the block is hashed first. */
	memset(key, 0xaa, sizeof key);
	hmac_hex(key, sizeof key,
	    "Test Using Larger Than Block-Size Key - Hash Key First", 54, hex);
	assert_string_equal(hex, "60e431591ee0b67f0d8a26aacbf5b77f"
				 "8e0bc6213728c5140546040f0ee37f54");
	hmac_hex(NULL, 0, "", 0, hex);
	assert_string_equal(hex, "b613679a0814d9ec772f95d778c35fc5"
				 "ff1697c493715653c6c712144292c5ad");
}

static void test_equal(void **state)
{
	(void)state;
	assert_true(mac_equal("abc", 3, "abc", 3));
	assert_false(mac_equal("abc", 3, "abd", 3));
	assert_false(mac_equal("abc", 3, "ab", 2));
	assert_false(mac_equal("abc", 2, "abc", 3));
	assert_true(mac_equal(NULL, 0, NULL, 0));
	assert_true(mac_equal_str("token", "token"));
	assert_false(mac_equal_str("token", "tokem"));
	assert_false(mac_equal_str("token", "token2"));
	assert_true(mac_equal_str("", ""));
	assert_false(mac_equal_str(NULL, NULL));
	assert_false(mac_equal_str("", NULL));
	assert_false(mac_equal_str(NULL, ""));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_sha256_vectors),
		cmocka_unit_test(test_hmac_vectors),
		cmocka_unit_test(test_equal),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
