/*
 * hub/accept.c: who wants JSON.
 */
#include "hub/accept.h"
#include "test_util.h"

static void test_json_only_when_named_before_html(void **state)
{
	static const struct {
		const char *accept;
		bool json;
	} cases[] = {
		{ NULL, false },
		{ "", false },
		{ "*/*", false },
		{ "application/*", false },
		{ "application/json", true },
		{ "APPLICATION/JSON", true },
		{ "application/json; charset=utf-8", true },
		{ "application/json, text/html", true },
		{ "text/html, application/json", false },
		{ "text/html;q=0.8, application/json", true },
		{ "text/html;q=0.8, application/json;q=0.9", true },
		{ "application/json;q=0.5, text/html;q=0.51", false },
		{ "application/json; q=0.123, text/html;q=0.1", true },
		{ "application/json;q=x, text/html;q=0.9", true },
		{ "application/json;q=0, text/html", false },
		{ "text/html,application/xhtml+xml,*/*;q=0.8", false },
		{ "application/json, text/javascript, */*; q=0.01", true },
		{ ",,;;,", false },
		{ "application/json;q=0", false },
		{ "application/jsonx", false },
	};

	(void)state;
	for (size_t i = 0; i < N_OF(cases); i++)
		if (accept_wants_json(cases[i].accept) != cases[i].json)
			fail_msg("%s", cases[i].accept);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_json_only_when_named_before_html),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
