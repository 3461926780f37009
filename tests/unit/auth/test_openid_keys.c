/*
 * auth/openid_keys.c: a key is made once and kept, what it signs can be
 * verified with what is published, keys turn by time, and a file that is not
 * right is refused.
 */
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "auth/idtoken.h"
#include "auth/openid_keys.h"
#include "base/mem.h"

#define T0  INT64_C(1800000000)
#define DAY 86400

static char dir[64], path[96];
static struct openid_keys *keys;

static int setup(void **state)
{
	struct err err;

	(void)state;
	snprintf(dir, sizeof dir, "/tmp/carrel-test-XXXXXX");
	assert_non_null(mkdtemp(dir));
	snprintf(path, sizeof path, "%s/openid.json", dir);
	assert_int_equal(openid_keys_open(dir, T0, &keys, &err), 0);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	openid_keys_close(&keys);
	unlink(path);
	rmdir(dir);
	return 0;
}

static void reopen(void)
{
	struct err err;

	openid_keys_close(&keys);
	assert_int_equal(openid_keys_open(dir, T0, &keys, &err), 0);
}

/* The published keys as text, sorted. */
static char *published(void)
{
	json_t *j = openid_keys_public(keys);
	char *text = json_dumps(j, JSON_SORT_KEYS);

	json_decref(j);
	return text;
}

static size_t n_published(void)
{
	json_t *j = openid_keys_public(keys);
	size_t n = json_array_size(json_object_get(j, "keys"));

	json_decref(j);
	return n;
}

/* Is what is signed now right by the published keys, and by which of them? */
static size_t signing_key(int64_t now_s)
{
	static const char *const algs[] = { "RS256", NULL };
	const struct idtoken_wanted want = { .issuer = "https://hub/hub",
		.client_id = "service-wiki",
		.nonce = "n",
		.algs = algs,
		.now_s = now_s };
	json_t *all = openid_keys_public(keys), *list, *claims, *got;
	size_t found = 99;
	struct err err;
	char *token;

	claims = json_pack("{s:s, s:s, s:s, s:s, s:I, s:I}", "iss", want.issuer,
	    "aud", want.client_id, "sub", "x", "nonce", "n", "iat",
	    (json_int_t)now_s, "exp", (json_int_t)now_s + 60);
	assert_int_equal(
	    openid_keys_sign(keys, claims, now_s, &token, &err), 0);
	list = json_object_get(all, "keys");
	for (size_t i = 0; i < json_array_size(list); i++) {
		json_t *one =
		    json_pack("{s:[O]}", "keys", json_array_get(list, i));
		if (idtoken_verify(token, one, &want, &got, &err) == 0) {
			json_decref(got);
			found = i;
		}
		json_decref(one);
	}
	free(token);
	json_decref(claims);
	json_decref(all);
	return found;
}

static void test_the_key_is_made_once(void **state)
{
	struct stat st;
	char *first = published(), *second;

	(void)state;
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0600);
	assert_null(strstr(first, "\"d\""));
	assert_non_null(strstr(first, "\"kid\""));
	reopen();
	second = published();
	assert_string_equal(first, second);
	free(first);
	free(second);
}

static void test_what_is_signed_can_be_verified(void **state)
{
	(void)state;
	assert_int_equal(signing_key(T0), 0);
	reopen();
	assert_int_equal(signing_key(T0 + 10 * DAY), 0);
}

static void turn(const char *fresh, int64_t now_s)
{
	struct err err;

	assert_int_equal(openid_keys_turn(keys, fresh, now_s, &err), 0);
}

static void test_keys_turn_by_time(void **state)
{
	int64_t due = T0 + OPENID_KEY_LIFE_S;
	char *fresh = openid_key_make();

	(void)state;
	assert_false(openid_keys_is_due(keys, due - 1));
	assert_true(openid_keys_is_due(keys, due));
	turn(fresh, due);
	free(fresh);
	assert_false(openid_keys_is_due(keys, due));
	/* published at once, in use a day later, the old one gone after two */
	assert_int_equal(n_published(), 2);
	assert_int_equal(signing_key(due + DAY - 1), 0);
	assert_int_equal(signing_key(due + DAY), 1);
	turn(NULL, due + 2 * DAY - 1);
	assert_int_equal(n_published(), 2);
	turn(NULL, due + 2 * DAY);
	assert_int_equal(n_published(), 1);
	assert_int_equal(signing_key(due + 2 * DAY), 0);
	reopen();
	assert_int_equal(n_published(), 1);
}

static void test_a_key_that_cannot_be_kept_is_not_used(void **state)
{
	char *fresh = openid_key_make();
	struct err err;

	(void)state;
	unlink(path);
	assert_int_equal(rmdir(dir), 0);
	assert_int_equal(openid_keys_turn(keys, fresh, T0, &err), -1);
	assert_int_equal(openid_keys_turn(keys, "{}", T0, &err), -1);
	assert_int_equal(n_published(), 1);
	assert_int_equal(mkdir(dir, 0700), 0);
	free(fresh);
}

static void write_text(const char *text, mode_t mode)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);

	assert_true(fd >= 0);
	assert_int_equal(write(fd, text, strlen(text)), (ssize_t)strlen(text));
	assert_int_equal(fchmod(fd, mode), 0);
	close(fd);
}

static void assert_refused(const char *why)
{
	struct openid_keys *k = NULL;
	struct err err;

	assert_int_equal(openid_keys_open(dir, T0, &k, &err), -1);
	assert_null(k);
	assert_non_null(strstr(err.text, why));
	assert_non_null(strstr(err.text, path));
}

static void test_a_file_that_is_not_right_is_refused(void **state)
{
	static const char *const broken[] = { "", "{", "{}", "{\"keys\":[]}",
		"{\"keys\":[{}]}", "{\"keys\":[{\"made\":1}]}",
		"{\"keys\":[{\"made\":1,\"key\":{\"kty\":\"oct\","
		"\"k\":\"c2VjcmV0\"}}]}" };

	(void)state;
	for (size_t i = 0; i < sizeof broken / sizeof *broken; i++) {
		write_text(broken[i], 0600);
		assert_refused("damaged");
	}
	write_text("{}", 0640);
	assert_refused("read by others");
}

int main(void)
{
#define TEST(fn) cmocka_unit_test_setup_teardown(fn, setup, teardown)
	const struct CMUnitTest tests[] = {
		TEST(test_the_key_is_made_once),
		TEST(test_what_is_signed_can_be_verified),
		TEST(test_keys_turn_by_time),
		TEST(test_a_key_that_cannot_be_kept_is_not_used),
		TEST(test_a_file_that_is_not_right_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
