/*
 * hub/tmpl*.c: escaping by context, sections, parts, and what the compiler
 * refuses.
 */
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "hub/tmpl.h"
#include "test_util.h"

/* Render one page (with part/p.html beside it) or give the error's text. */
static char *render_with(
    const char *page, const char *part, const char *json, size_t max)
{
	struct tmpl_source src[] = {
		{ "page/t.html", page, strlen(page), NULL },
		{ "part/p.html", part, strlen(part), NULL },
	};
	struct err err = { 0 };
	struct buf out;
	json_t *data = json_loads(json, 0, NULL);
	json_t *common = json_pack("{s:s, s:s}", "hub", "/hub/", "a", "low");
	struct tmpl_set *set = tmpl_open(src, 2, &err);

	assert_non_null(data);
	buf_init(&out, max);
	char *error = NULL;
	if (!set || tmpl_render(set, "t", data, common, &out, &err) != 0)
		error = xasprintf("ERROR %s", err.text);
	tmpl_free(&set);
	json_decref(data);
	json_decref(common);
	char *text = error ? error : xstrdup(buf_view(&out));
	buf_fini(&out);
	return text;
}

static char *render(const char *page, const char *json)
{
	return render_with(page, "[{{a}}]", json, 4096);
}

static void test_values_are_escaped_for_their_place(void **state)
{
	static const struct {
		const char *page, *json, *want;
	} cases[] = {
		{ "<p>{{a}}</p>", "{\"a\":\"<b>&\\\"'\"}",
		    "<p>&lt;b&gt;&amp;&quot;&#39;</p>" },
		{ "<p title=\"{{a}}\">", "{\"a\":\"x\\\" onclick=\\\"y\"}",
		    "<p title=\"x&quot; onclick=&quot;y\">" },
		{ "{{url:a}}", "{\"a\":\"/a b?c=d&e\\u00e9\"}",
		    "%2Fa%20b%3Fc%3Dd%26e%C3%A9" },
		{ "{{a}}", "{\"a\":7}", "7" },
		{ "{{a}}", "{\"a\":true}", "true" },
		{ "{{a}}", "{\"a\":null}", "" },
		{ "{{nothing}}", "{}", "" },
		{ "{{a.b.c}}", "{\"a\":{\"b\":{\"c\":\"deep\"}}}", "deep" },
		{ "{{a}}{{hub}}", "{}", "low/hub/" },
		{ "a{{! a remark }}b", "{}", "ab" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		char *got = render(cases[i].page, cases[i].json);
		assert_string_equal(got, cases[i].want);
		free(got);
	}
}

static void test_links_begin_local_or_with_http(void **state)
{
	static const struct {
		const char *value, *want;
	} cases[] = {
		{ "/hub/home", "/hub/home" },
		{ "https://x.example/y", "https://x.example/y" },
		{ "http://x.example/y", "http://x.example/y" },
		{ "?a=b", "?a=b" },
		{ "", "" },
		{ "javascript:alert(1)", "#" },
		{ " javascript:alert(1)", "#" },
		{ "JaVaScript:alert(1)", "#" },
		{ "data:text/html,x", "#" },
		{ "//evil.example/", "#" },
		{ "/\\\\evil.example/", "#" },
		{ "evil", "#" },
	};
	static const char *const attributes[] = { "href", "src", "action",
		"formaction" };

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		for (size_t j = 0; j < 4; j++) {
			char page[80], json[80], want[80];
			snprintf(page, sizeof page, "<a %s=\"{{a}}\">",
			    attributes[j]);
			snprintf(json, sizeof json, "{\"a\":\"%s\"}",
			    cases[i].value);
			snprintf(want, sizeof want, "<a %s=\"%s\">",
			    attributes[j], cases[i].want);
			char *got = render(page, json);
			assert_string_equal(got, want);
			free(got);
		}
	}
}

static void test_sections_follow_the_value(void **state)
{
	static const struct {
		const char *page, *json, *want;
	} cases[] = {
		{ "{{#l}}<li>{{.}}</li>{{/l}}", "{\"l\":[\"a\",\"b\"]}",
		    "<li>a</li><li>b</li>" },
		{ "{{#l}}{{n}},{{/l}}", "{\"l\":[{\"n\":1},{\"n\":2}]}",
		    "1,2," },
		{ "{{#l}}{{n}}{{out}};{{/l}}",
		    "{\"out\":\"o\",\"l\":[{\"n\":1},{\"n\":2}]}", "1o;2o;" },
		{ "{{#o}}{{x}}{{/o}}", "{\"o\":{\"x\":\"in\"}}", "in" },
		{ "{{#s}}({{.}}){{/s}}", "{\"s\":\"text\"}", "(text)" },
		{ "{{#t}}yes{{/t}}{{^t}}no{{/t}}", "{\"t\":true}", "yes" },
		{ "{{#t}}yes{{/t}}{{^t}}no{{/t}}", "{\"t\":false}", "no" },
		{ "{{#t}}yes{{/t}}{{^t}}no{{/t}}", "{\"t\":[]}", "no" },
		{ "{{#t}}yes{{/t}}{{^t}}no{{/t}}", "{\"t\":\"\"}", "no" },
		{ "{{#t}}yes{{/t}}{{^t}}no{{/t}}", "{\"t\":0}", "no" },
		{ "{{#t}}yes{{/t}}{{^t}}no{{/t}}", "{}", "no" },
		{ "{{#a}}{{#b}}ab{{/b}}{{^b}}a{{/b}}{{/a}}.",
		    "{\"a\":true,\"b\":true}", "ab." },
		{ "<i {{#t}}hidden {{/t}}>", "{\"t\":true}", "<i hidden >" },
		{ "<i class=\"a{{#t}} b{{/t}}\">", "{\"t\":true}",
		    "<i class=\"a b\">" },
		{ "{{>p}}{{>p}}", "{\"a\":\"1\"}", "[1][1]" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		char *got = render(cases[i].page, cases[i].json);
		assert_string_equal(got, cases[i].want);
		free(got);
	}
}

static void test_compiler_refuses_what_could_print_unescaped(void **state)
{
	static const struct {
		const char *page, *want;
	} cases[] = {
		{ "<script>{{a}}</script>", "double quotes" },
		{ "<style>{{a}}</style>", "double quotes" },
		{ "<SCRIPT src=\"x\">{{a}}</SCRIPT>", "double quotes" },
		{ "<a href={{a}}>", "double quotes" },
		{ "<a href='{{a}}'>", "double quotes" },
		{ "<a {{a}}>", "double quotes" },
		{ "<{{a}}>", "double quotes" },
		{ "<a x{{a}}=\"b\">", "double quotes" },
		{ "<!-- {{a}} -->", "double quotes" },
		{ "<a onclick=\"{{a}}\">", "event attribute" },
		{ "<a ONCLICK = \"{{a}}\">", "double quotes" },
		{ "<a style=\"{{a}}\">", "style" },
		{ "<iframe srcdoc=\"{{a}}\">", "srcdoc" },
		{ "\n\n{{a", "page/t.html:3: no }}" },
		{ "{{a b}}", "no name" },
		{ "{{}}", "no name" },
		{ "{{{a}}}", "no name" },
		{ "{{&a}}", "no name" },
		{ "{{#a}}", "still open" },
		{ "{{/a}}", "no section is open" },
		{ "{{#a}}{{/b}}", "another section" },
		{ "{{#a}}<b {{/a}}>", "must end where it began" },
		{ "<b {{#a}}x=\"{{/a}}\">", "must end where it began" },
		{ "{{>missing}}", "no such file" },
		{ "<a href=\"{{>p}}\">", "text only" },
		{ "<a href=\"x\"", "inside a tag" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		char *got = render(cases[i].page, "{}");
		if (!str_starts(got, "ERROR ") || !strstr(got, cases[i].want))
			fail_msg("%s: %s", cases[i].page, got);
		free(got);
	}
}

static void test_after_a_script_text_is_text_again(void **state)
{
	char *got = render("<script src=\"/x.js\" defer></script>"
			   "<!-- a > b --><p>{{a}}",
	    "{\"a\":\"<\"}");

	(void)state;
	assert_string_equal(
	    got, "<script src=\"/x.js\" defer></script><!-- a > b --><p>&lt;");
	free(got);
}

static void test_endless_parts_are_refused(void **state)
{
	char *got = render_with("{{>p}}", "x{{>p}}", "{}", 4096);

	(void)state;
	assert_non_null(strstr(got, "nested deeper"));
	free(got);
}

static void test_deep_sections_are_refused(void **state)
{
	struct buf page;

	(void)state;
	buf_init(&page, 4096);
	for (int i = 0; i < 13; i++)
		buf_str(&page, "{{#a}}");
	for (int i = 0; i < 13; i++)
		buf_str(&page, "{{/a}}");
	char *got = render(buf_view(&page), "{}");
	assert_non_null(strstr(got, "too many sections"));
	free(got);
	buf_fini(&page);
}

static void test_page_over_its_limit_is_an_error(void **state)
{
	char *got =
	    render_with("{{#l}}0123456789{{/l}}", "", "{\"l\":[1,2,3]}", 25);

	(void)state;
	assert_true(str_starts(got, "ERROR "));
	free(got);
}

static void test_unknown_page_is_not_found(void **state)
{
	struct tmpl_source src = { "page/a.html", "a", 1, NULL };
	struct err err = { 0 };
	struct buf out;
	json_t *data = json_object();
	struct tmpl_set *set = tmpl_open(&src, 1, &err);

	(void)state;
	buf_init(&out, 100);
	assert_int_equal(tmpl_render(set, "b", data, NULL, &out, &err), -1);
	assert_int_equal(err.code, ERR_NOT_FOUND);
	json_decref(data);
	buf_fini(&out);
	tmpl_free(&set);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_values_are_escaped_for_their_place),
		cmocka_unit_test(test_links_begin_local_or_with_http),
		cmocka_unit_test(test_sections_follow_the_value),
		cmocka_unit_test(
		    test_compiler_refuses_what_could_print_unescaped),
		cmocka_unit_test(test_after_a_script_text_is_text_again),
		cmocka_unit_test(test_endless_parts_are_refused),
		cmocka_unit_test(test_deep_sections_are_refused),
		cmocka_unit_test(test_page_over_its_limit_is_an_error),
		cmocka_unit_test(test_unknown_page_is_not_found),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
