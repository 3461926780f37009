/*
 * base/multipart: forms as browsers, curl and Python send them, and what is
 * none.
 */
#include "test_util.h"

#include "base/multipart.h"

#define TYPE "multipart/form-data; boundary=xyz"
#define PART "--xyz\r\nContent-Disposition: form-data; name=\"a\"\r\n\r\n"

static struct arena arena;
static struct url_pairs out;
static struct err err;

static int reset(void **state)
{
	(void)state;
	arena_fini(&arena);
	arena_init(&arena);
	return 0;
}

static int parse(const char *type, const char *body)
{
	return multipart_parse(&arena, type, slice_of(body), 3, &out, &err);
}

static void test_fields_arrive(void **state)
{
	(void)state;
	test_ok(parse("Multipart/Form-Data; charset=x; boundary=\"xyz\"",
		    "--xyz\r\n"
		    "Content-Disposition: form-data; name=\"a b\"\r\n"
		    "\r\n"
		    "one\r\ntwo\r\n--xy\r\n"
		    "--xyz\r\n"
		    "content-type: text/plain; charset=UTF-8\r\n"
		    "CONTENT-DISPOSITION: Form-Data; NAME=plain\r\n"
		    "\r\n"
		    "\r\n"
		    "--xyz\r\n"
		    "Content-Disposition: form-data; name=\"q\\\"\\\\\\x\"\r\n"
		    "\r\n"
		    "\xc3\xa9\r\n"
		    "--xyz--\r\n"),
	    &err);
	assert_int_equal(out.n, 3);
	assert_string_equal(out.items[0].name, "a b");
	assert_string_equal(out.items[0].value, "one\r\ntwo\r\n--xy");
	assert_string_equal(url_pair_get(&out, "plain"), "");
	assert_string_equal(out.items[2].name, "q\"\\\\x");
	assert_string_equal(out.items[2].value, "\xc3\xa9");
}

static void test_the_last_line_may_lack_its_end(void **state)
{
	(void)state;
	test_ok(parse(TYPE, PART "1\r\n--xyz--"), &err);
	assert_string_equal(url_pair_get(&out, "a"), "1");
	test_ok(parse(TYPE, "--xyz--\r\n"), &err);
	assert_int_equal(out.n, 0);
}

static void test_a_file_that_nobody_chose_is_left_out(void **state)
{
	(void)state;
	test_ok(
	    parse(TYPE,
		"--xyz\r\nContent-Disposition: form-data; name=\"f\"; "
		"filename=\"\"\r\nContent-Type: "
		"application/octet-stream\r\n\r\n\r\n" PART "1\r\n--xyz--\r\n"),
	    &err);
	assert_int_equal(out.n, 1);
	assert_string_equal(out.items[0].name, "a");
}

static void test_what_it_is_not(void **state)
{
	static const struct {
		const char *type, *body, *says;
	} table[] = {
		{ "multipart/form-data", PART, "its boundary" },
		{ "multipart/form-data; boundary=", PART, "its boundary" },
		{ "multipart/form-data; boundary=\"xyz", PART, "its boundary" },
		{ "multipart/form-data; boundary=x\"y", PART, "its boundary" },
		{ "multipart/form-data; boundary=\"xyz \"", PART,
		    "its boundary" },
		{ "multipart/form-data; boundary", PART, "its boundary" },
		{ TYPE "; boundary=xyz", PART, "two boundaries" },
		{ "multipart/form-data; "
		  "boundary=1234567890123456789012345678901234567890123456789"
		  "012345678901234567890123456789",
		    PART, "its boundary" },
		{ TYPE, "", "does not begin" },
		{ TYPE, "hello\r\n" PART "1\r\n--xyz--\r\n", "does not begin" },
		{ TYPE, "--xyz", "something behind" },
		{ TYPE, "--xyza\r\n", "something behind" },
		{ TYPE, "--xyz\r\n", "no head" },
		{ TYPE, PART "1", "does not end" },
		{ TYPE, PART "1\r\n--xyz", "something behind" },
		{ TYPE, PART "1\r\n--xyz--\r\nmore", "after its end" },
		{ TYPE, PART "\xff\r\n--xyz--", "no text in UTF-8" },
		{ TYPE, "--xyz\r\nA: b\r\n\r\n1\r\n--xyz--", "no name" },
		{ TYPE, "--xyz\r\nfolly\r\n\r\n1\r\n--xyz--",
		    "cannot be read" },
		{ TYPE, "--xyz\r\nA: b\nC: d\r\n\r\n1\r\n--xyz--",
		    "cannot be read" },
		{ TYPE,
		    "--xyz\r\nContent-Disposition: attachment; "
		    "name=a\r\n\r\n1\r\n--xyz--",
		    "no field of a form" },
		{ TYPE,
		    "--xyz\r\nContent-Disposition: form-data; name=a; "
		    "name=b\r\n\r\n1\r\n--xyz--",
		    "two names" },
		{ TYPE,
		    "--xyz\r\nContent-Disposition: form-data; name=a\r\n"
		    "Content-Disposition: form-data; name=b\r\n\r\n1"
		    "\r\n--xyz--",
		    "no field of a form" },
		{ TYPE,
		    "--xyz\r\nContent-Disposition: form-data name=a\r\n\r\n1"
		    "\r\n--xyz--",
		    "no name that can be read" },
		{ TYPE,
		    "--xyz\r\nContent-Disposition: form-data; name=\"a\r\n\r\n1"
		    "\r\n--xyz--",
		    "no name that can be read" },
		{ TYPE,
		    "--xyz\r\nContent-Disposition: form-data; name=f; "
		    "filename=\"x.txt\"\r\n\r\n1\r\n--xyz--",
		    "files are not taken" },
		{ TYPE,
		    "--xyz\r\nContent-Disposition: form-data; name=f; "
		    "filename=\"\"\r\n\r\n1\r\n--xyz--",
		    "files are not taken" },
		{ TYPE,
		    PART "1\r\n" PART "2\r\n" PART "3\r\n" PART "4\r\n--xyz--",
		    "more than 3" },
	};

	(void)state;
	for (size_t i = 0; i < N_OF(table); i++) {
		err = (struct err){ 0 };
		if (parse(table[i].type, table[i].body) != -1)
			fail_msg("taken: %s", table[i].body);
		test_err_says(&err, table[i].says);
	}
}

static void test_a_nul_is_no_text(void **state)
{
	static const char body[] = PART "a\0b\r\n--xyz--";

	(void)state;
	assert_int_equal(multipart_parse(&arena, TYPE,
			     slice_make(body, sizeof body - 1), 3, &out, &err),
	    -1);
	test_err_says(&err, "no text in UTF-8");
}

static void test_by_the_type_it_is_known(void **state)
{
	(void)state;
	assert_true(multipart_is_meant(TYPE));
	assert_true(multipart_is_meant("MULTIPART/FORM-DATA"));
	assert_false(multipart_is_meant("multipart/mixed; boundary=x"));
	assert_false(multipart_is_meant(NULL));
	assert_false(multipart_is_meant(""));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(test_fields_arrive, reset),
		cmocka_unit_test_setup(
		    test_the_last_line_may_lack_its_end, reset),
		cmocka_unit_test_setup(
		    test_a_file_that_nobody_chose_is_left_out, reset),
		cmocka_unit_test_setup(test_what_it_is_not, reset),
		cmocka_unit_test_setup(test_a_nul_is_no_text, reset),
		cmocka_unit_test_setup(test_by_the_type_it_is_known, reset),
	};
	int rc = cmocka_run_group_tests(tests, NULL, NULL);

	arena_fini(&arena);
	return rc;
}
