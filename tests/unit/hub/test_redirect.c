/*
 * hub/redirect.c: the redirect validator against what has been tried on others.
 */
#include <string.h>

#include "hub/config.h"
#include "hub/redirect.h"
#include "test_util.h"

#define OURS "https://lab.example.org"

static const struct config *hosts; /* NULL: nobody has one */

static const char *next(const char *text, const char *origin)
{
	static struct arena a;

	arena_fini(&a);
	return redirect_next(&a, text, origin, hosts);
}

static void expect(const char *text, const char *origin, const char *want)
{
	const char *got = next(text, origin);

	if (!want && got)
		fail_msg("\"%s\" was taken as \"%s\"", text, got);
	if (want && !got)
		fail_msg("\"%s\" was refused", text);
	if (want)
		assert_string_equal(got, want);
}

static void test_local_paths_are_kept(void **state)
{
	static const struct {
		const char *text, *want;
	} cases[] = {
		{ "/", "/" },
		{ "/hub/home", "/hub/home" },
		{ "/user/a%20b/lab?x=1&y=%2F#frag",
		    "/user/a%20b/lab?x=1&y=%2F#frag" },
		{ "/hub/user-redirect/git-pull?repo=https%3A%2F%2Fx%2Fy",
		    "/hub/user-redirect/git-pull?repo=https%3A%2F%2Fx%2Fy" },
		{ "/a?u=https://x//y", "/a?u=https://x//y" },
		{ "/a b", "/a%20b" },
		{ "/caf\xc3\xa9", "/caf%C3%A9" },
		{ "/a\"b<c>", "/a%22b%3Cc%3E" },
		{ "/\\evil.example", "/%5Cevil.example" },
		{ "/..//evil.example/", "/..//evil.example/" },
		{ "/@evil.example", "/@evil.example" },
	};

	(void)state;
	for (size_t i = 0; i < N_OF(cases); i++) {
		expect(cases[i].text, NULL, cases[i].want);
		expect(cases[i].text, OURS, cases[i].want);
	}
}

static void test_cve_2019_10255_hostile_ones_are_refused(void **state)
{
	static const char *const cases[] = {
		"",
		" ",
		" /hub/home",
		"hub/home",
		"evil.example",
		"//evil.example",
		"//evil.example/%2f..",
		"///evil.example",
		"////evil.example",
		"/\t/evil.example",
		"/\n/evil.example",
		"\t//evil.example",
		"/hub/\r\nSet-Cookie: a=b",
		"/hub/home\x7f",
		"\\\\evil.example",
		"\\/evil.example",
		"http://evil.example",
		"http:/evil.example",
		"http:evil.example",
		"https:evil.example",
		"HTTPS://evil.example/",
		"javascript:alert(1)",
		"data:text/html,x",
		"https://lab.example.org.evil.example/",
		"https://lab.example.org@evil.example/",
		"https://lab.example.org:pw@evil.example/",
		"https://evil.example/@lab.example.org",
		"https://evil.example#lab.example.org",
		"https://evil.example\\lab.example.org/",
		"https://lab.example.org\\@evil.example/",
		"https://lab.example.org\\\\evil.example/",
		"https://lab.example.org:8443/",
		"http://lab.example.org/",
		"https:///hub/home",
		"https:////evil.example/",
		"https://[::1]/",
		"ftp://lab.example.org/",
		"//lab.example.org@evil.example/",
		"//lab.example.org:80/",
		"/\x0b/evil.example",
		"/\x01/evil.example",
		"https://",
		"//",
		"\xff/x",
		"/\xc3\x28",
	};

	(void)state;
	for (size_t i = 0; i < N_OF(cases); i++) {
		expect(cases[i], NULL, NULL);
		expect(cases[i], OURS, NULL);
	}
	assert_null(next(NULL, OURS));
}

static void test_cve_2026_33709_our_own_address_becomes_a_path(void **state)
{
	static const struct {
		const char *text, *want;
	} cases[] = {
		{ "https://lab.example.org/hub/home?x=1#y", "/hub/home?x=1#y" },
		{ "https://lab.example.org", "/" },
		{ "https://lab.example.org?x=1", "/?x=1" },
		{ "https://lab.example.org:443/a", "/a" },
		{ "https://LAB.example.org/a", "/a" },
		{ "//lab.example.org/a", "/a" },
		{ "https://lab.example.org//evil.example/", "/evil.example/" },
		{ "https://lab.example.org/\\/evil.example/",
		    "/evil.example/" },
	};

	(void)state;
	for (size_t i = 0; i < N_OF(cases); i++) {
		expect(cases[i].text, OURS, cases[i].want);
		expect(cases[i].text, NULL, NULL);
	}
}

static void test_length_is_bounded(void **state)
{
	char *text = malloc(REDIRECT_NEXT_MAX + 2);

	(void)state;
	memset(text, 'a', REDIRECT_NEXT_MAX + 1);
	text[0] = '/';
	text[REDIRECT_NEXT_MAX] = '\0';
	assert_non_null(next(text, NULL));
	text[REDIRECT_NEXT_MAX] = 'a';
	text[REDIRECT_NEXT_MAX + 1] = '\0';
	assert_null(next(text, NULL));
	free(text);
	next("/", NULL);
}

/* Whatever comes out can stand in a header and stays on this host:
 * CVE-2023-39968, CVE-2020-26275 and CVE-2020-26232 were three more ways out.
 */
static void test_cve_2023_39968_result_is_always_local_and_printable(
    void **state)
{
	static const char alphabet[] = "/\\:@?#.%ae\t\n \"<&;";
	unsigned seed = 1;
	char text[16];

	(void)state;
	for (int i = 0; i < 200000; i++) {
		for (int j = 0; j < 12; j++) {
			seed = seed * 1103515245u + 12345u;
			text[j] =
			    alphabet[(seed >> 16) % (sizeof alphabet - 1)];
		}
		text[12] = '\0';
		const char *got = next(text, OURS);
		if (!got)
			continue;
		assert_int_equal(got[0], '/');
		assert_true(got[1] != '/' && got[1] != '\\');
		for (const char *p = got; *p; p++)
			assert_true(*p > 0x20 && *p < 0x7f && *p != '\\');
	}
	next("/", NULL);
}

static struct config cfg; /* people have hosts of their own */

static void test_hosts_of_people_become_paths(void **state)
{
	static const struct {
		const char *text, *want;
	} cases[] = {
		{ "https://alice.lab.example.org/user/alice/lab?x=1",
		    "/user/alice/lab?x=1" },
		{ "//Alice.lab.example.org/a", "/a" },
		{ "https://a.b.lab.example.org", "/" },
		{ "https://lab.example.org/a", "/a" },
		{ "/a", "/a" },
		{ "https://alice.lab.example.org//evil.example/",
		    "/evil.example/" },
		{ "https://alice.lab.example.org:8443/a", NULL },
		{ "https://evillab.example.org/a", NULL },
		{ "https://alice.lab.example.org.evil.example/a", NULL },
		{ "https://alice.lab.example.org@evil.example/a", NULL },
		{ "https://evil.example/alice.lab.example.org", NULL },
		{ "https://alice.lab.example.org\\.evil.example/", NULL },
		{ "javascript://alice.lab.example.org/%0aalert(1)", NULL },
	};
	const char *text = "hub:\n  subdomain_host: https://lab.example.org\n";
	struct arena config;
	struct err err;

	(void)state;
	arena_init(&config);
	assert_int_equal(config_load(&config, text, strlen(text), "c.yaml",
			     &cfg, NULL, &err),
	    0);
	hosts = &cfg;
	for (size_t i = 0; i < N_OF(cases); i++)
		expect(cases[i].text, OURS, cases[i].want);
	hosts = NULL;
	expect(cases[0].text, OURS, NULL);
	next("/", NULL);
	arena_fini(&config);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_local_paths_are_kept),
		cmocka_unit_test(test_cve_2019_10255_hostile_ones_are_refused),
		cmocka_unit_test(
		    test_cve_2026_33709_our_own_address_becomes_a_path),
		cmocka_unit_test(test_hosts_of_people_become_paths),
		cmocka_unit_test(test_length_is_bounded),
		cmocka_unit_test(
		    test_cve_2023_39968_result_is_always_local_and_printable),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
