/* Tests of auth/sealer.c. */
#include "test_util.h"

#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "auth/sealer.h"
#include "base/log.h"
#include "base/str.h"

#define TEXT "{\"access_token\":\"a secret\"}"

static char dir[] = "/tmp/carrelt-sealer-XXXXXX", path[64];
static struct arena arena;

static void quiet(const char *line, void *arg)
{
	(void)arg;
	assert_null(strstr(line, "secret"));
}

static int set_up(void **state)
{
	(void)state;
	log_set_sink(quiet, NULL);
	arena_init(&arena);
	assert_int_equal(
	    str_copy(dir, sizeof dir, "/tmp/carrelt-sealer-XXXXXX"), 0);
	assert_non_null(mkdtemp(dir));
	snprintf(path, sizeof path, "%s/keys", dir);
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	arena_fini(&arena);
	(void)unlink(path);
	(void)rmdir(dir);
	log_set_sink(NULL, NULL);
	return 0;
}

static void write_keys(const char *text, mode_t mode)
{
	FILE *f = fopen(path, "we");

	assert_non_null(f);
	fputs(text, f);
	fclose(f);
	assert_int_equal(chmod(path, mode), 0);
}

static struct sealer *open_keys(void)
{
	struct err err = { 0 };
	struct sealer *s = sealer_open(path, false, &err);

	test_ok(s ? 0 : -1, &err);
	return s;
}

#define OLD "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff\n"
#define NEW "ffeeddccbbaa99887766554433221100ffeeddccbbaa99887766554433221100\n"

static void test_there_and_back(void **state)
{
	struct err err = { 0 };
	struct sealer *s = sealer_open(path, true, &err);
	const char *sealed, *again, *out;
	struct stat st;

	(void)state;
	test_ok(s ? 0 : -1, &err);
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0600);
	sealed = sealer_seal(s, &arena, "alice", TEXT);
	again = sealer_seal(s, &arena, "alice", TEXT);
	assert_string_not_equal(sealed, again);
	assert_null(strstr(sealed, "secret"));
	test_ok(sealer_unseal(s, &arena, "alice", sealed, &out, &err), &err);
	assert_string_equal(out, TEXT);
	sealer_close(&s);
	s = open_keys();
	test_ok(sealer_unseal(s, &arena, "alice", sealed, &out, &err), &err);
	sealer_close(&s);
}

static void test_nobody_elses_and_nothing_changed(void **state)
{
	struct err err = { 0 };
	struct sealer *s = sealer_open(path, true, &err);
	const char *sealed = sealer_seal(s, &arena, "alice", TEXT), *out;

	(void)state;
	assert_int_equal(
	    sealer_unseal(s, &arena, "bob", sealed, &out, &err), -1);
	assert_int_equal(err.code, ERR_DENIED);
	for (size_t i = 0; sealed[i]; i++) {
		char *bad = arena_strdup(&arena, sealed);

		bad[i] = bad[i] == 'A' ? 'B' : 'A';
		if (sealer_unseal(s, &arena, "alice", bad, &out, &err) == 0)
			fail_msg("byte %zu may be changed", i);
	}
	for (size_t n = 0; n < strlen(sealed); n += 7)
		assert_int_equal(
		    sealer_unseal(s, &arena, "alice",
			arena_strndup(&arena, sealed, n), &out, &err),
		    -1);
	sealer_close(&s);
}

static void test_keys_change(void **state)
{
	struct err err = { 0 };
	const char *sealed, *out;
	struct sealer *s;

	(void)state;
	write_keys(OLD, 0600);
	s = open_keys();
	sealed = sealer_seal(s, &arena, "alice", TEXT);
	sealer_close(&s);
	write_keys(NEW OLD "\n", 0600);
	s = open_keys();
	test_ok(sealer_unseal(s, &arena, "alice", sealed, &out, &err), &err);
	sealed = sealer_seal(s, &arena, "alice", TEXT);
	sealer_close(&s);
	write_keys(OLD, 0600);
	s = open_keys();
	assert_int_equal(
	    sealer_unseal(s, &arena, "alice", sealed, &out, &err), -1);
	assert_int_equal(err.code, ERR_NOT_FOUND);
	sealer_close(&s);
}

static void test_files_that_are_refused(void **state)
{
	static const struct {
		const char *text;
		mode_t mode;
		const char *says;
	} table[] = {
		{ OLD, 0640, "0600" },
		{ OLD, 0604, "0600" },
		{ "", 0600, "no key" },
		{ "\n\n", 0600, "no key" },
		{ "0011\n", 0600, "64 hex digits" },
		{ OLD "zz" NEW, 0600, "line 2" },
	};
	struct err err = { 0 };

	(void)state;
	assert_null(sealer_open(path, false, &err));
	test_err_says(&err, path);
	for (size_t i = 0; i < N_OF(table); i++) {
		write_keys(table[i].text, table[i].mode);
		assert_null(sealer_open(path, true, &err));
		test_err_says(&err, table[i].says);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(
		    test_there_and_back, set_up, tear_down),
		cmocka_unit_test_setup_teardown(
		    test_nobody_elses_and_nothing_changed, set_up, tear_down),
		cmocka_unit_test_setup_teardown(
		    test_keys_change, set_up, tear_down),
		cmocka_unit_test_setup_teardown(
		    test_files_that_are_refused, set_up, tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
