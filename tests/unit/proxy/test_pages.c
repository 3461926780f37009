/*
 * proxy/pages: error pages of a moment ago.
 */
#include "test_util.h"

#include "proxy/pages.h"

static const struct slice url = { "/user/a", 7 };

static struct page page_of(const char *body)
{
	return (
	    struct page){ "text/html", slice_of("X: y\r\n"), slice_of(body) };
}

static void test_a_page_is_there_for_a_moment(void **state)
{
	struct pages *p = pages_new();
	struct page page = page_of("one"), out;

	(void)state;
	assert_false(pages_find(p, 503, url, 1000, &out));
	pages_put(p, 503, url, 1000, &page);
	assert_true(pages_find(p, 503, url, 1000 + PAGES_FRESH_MS - 1, &out));
	assert_string_equal(out.type, "text/html");
	assert_true(slice_eq(out.fields, "X: y\r\n"));
	assert_true(slice_eq(out.body, "one"));
	assert_false(pages_find(p, 503, url, 1000 + PAGES_FRESH_MS, &out));
	assert_false(pages_find(p, 404, url, 1000, &out));
	assert_false(pages_find(p, 503, slice_of("/user/"), 1000, &out));
	pages_free(&p);
	pages_free(&p);
}

static void test_a_new_one_replaces_it(void **state)
{
	struct pages *p = pages_new();
	struct page page = page_of("one"), out;

	(void)state;
	pages_put(p, 503, url, 0, &page);
	page = (struct page){ NULL, slice_make("", 0), slice_make("", 0) };
	pages_put(p, 503, url, 10, &page);
	assert_true(pages_find(p, 503, url, 11, &out));
	assert_null(out.type);
	assert_int_equal(out.body.len, 0);
	pages_free(&p);
}

static void test_it_is_bounded(void **state)
{
	static char large[PAGES_BODY_MAX + 1];
	struct pages *p = pages_new();
	struct page page = page_of("x"), out;
	char name[16];

	(void)state;
	for (int i = 0; i <= PAGES_N; i++) {
		snprintf(name, sizeof name, "/%d", i);
		pages_put(p, 404, slice_of(name), 0, &page);
	}
	assert_false(pages_find(p, 404, slice_of("/0"), 0, &out));
	assert_true(pages_find(p, 404, slice_of("/1"), 0, &out));
	page.body = slice_make(large, sizeof large);
	pages_put(p, 404, url, 0, &page);
	assert_false(pages_find(p, 404, url, 0, &out));
	pages_free(&p);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_a_page_is_there_for_a_moment),
		cmocka_unit_test(test_a_new_one_replaces_it),
		cmocka_unit_test(test_it_is_bounded),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
