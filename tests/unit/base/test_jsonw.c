/*
 * base/jsonw: written straight or from a value, it is what jansson would write.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/jsonw.h"

static void is_text(struct jsonw *w, const char *wanted)
{
	size_t len;
	char *text = jsonw_steal(w, &len);

	assert_string_equal(text, wanted);
	assert_int_equal(len, strlen(wanted));
	free(text);
}

static void test_commas_stand_between(void **state)
{
	struct jsonw w;

	(void)state;
	jsonw_init(&w);
	jsonw_open(&w, '{');
	jsonw_key(&w, "a");
	jsonw_open(&w, '[');
	jsonw_int(&w, -7);
	jsonw_str(&w, "x");
	jsonw_open(&w, '{');
	jsonw_close(&w, '}');
	jsonw_null(&w);
	jsonw_close(&w, ']');
	jsonw_key(&w, "b");
	jsonw_bool(&w, true);
	jsonw_key(&w, "c");
	jsonw_bool(&w, false);
	jsonw_key(&w, "d");
	jsonw_str(&w, NULL);
	jsonw_close(&w, '}');
	is_text(&w, "{\"a\":[-7,\"x\",{},null],\"b\":true,\"c\":false,"
		    "\"d\":null}");
	jsonw_fini(&w);
}

static void test_what_must_be_is_escaped(void **state)
{
	struct jsonw w;

	(void)state;
	jsonw_init(&w);
	jsonw_str(&w, "a\"b\\c/\b\t\n\f\r\x01\x1f\x7f\xc3\xa9</script>");
	is_text(&w, "\"a\\\"b\\\\c/\\b\\t\\n\\f\\r\\u0001\\u001f\x7f\xc3\xa9"
		    "</script>\"");
	jsonw_fini(&w);
}

static void test_any_value_as_jansson_writes_it(void **state)
{
	static const char *const texts[] = { "null", "true", "[]", "{}",
		"[1,-2,9223372036854775807,0.5,1e300,-0.0]",
		"{\"z\":1,\"a\":{\"\\n\\\"\":[false,null,\"\\u00e9\\u0007\"]}}",
		"[[],[[]],{\"a\":{}},\"\"]", "\"a\\\\\\/b\"" };

	(void)state;
	for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
		json_t *j = json_loads(texts[i], JSON_DECODE_ANY, NULL);
		char *wanted = json_dumps(j, JSON_COMPACT | JSON_ENCODE_ANY);
		struct jsonw w;

		assert_non_null(wanted);
		jsonw_init(&w);
		jsonw_value(&w, j);
		is_text(&w, wanted);
		jsonw_fini(&w);
		free(wanted);
		json_decref(j);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_commas_stand_between),
		cmocka_unit_test(test_what_must_be_is_escaped),
		cmocka_unit_test(test_any_value_as_jansson_writes_it),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
