/*
 * hub/domain.c: which host is whose (contract/hub.md 4.4).
 */
#include "test_util.h"

#include <stdlib.h>

#include "base/mac.h"
#include "base/str.h"
#include "hub/config.h"

static struct arena arena;
static struct config cfg;

static void load(const char *options)
{
	struct err err = { 0 };
	const char *text = arena_printf(&arena, "hub:\n%s", options);

	if (config_load(
		&arena, text, strlen(text), "c.yaml", &cfg, NULL, &err) != 0)
		fail_msg("%s: %s", options, err.text);
}

static int setup(void **state)
{
	(void)state;
	arena_init(&arena);
	load("  subdomain_host: https://hub.example.org\n");
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	arena_fini(&arena);
	return 0;
}

/* "alice" of "https://alice.hub.example.org" */
static const char *label(const char *name)
{
	const char *origin = domain_user_origin(&arena, &cfg, name);
	const char *end = strstr(origin, ".hub.example.org");

	assert_true(str_starts(origin, "https://"));
	assert_non_null(end);
	assert_string_equal(end, ".hub.example.org");
	origin += strlen("https://");
	return arena_strndup(&arena, origin, (size_t)(end - origin));
}

/* `stem` and the first half of the name's SHA-256. */
static const char *hashed(const char *stem, const char *name)
{
	char hex[65];

	mac_sha256_hex(name, strlen(name), hex);
	return arena_printf(&arena, "u-%s--%.32s", stem, hex);
}

#define L10 "abcdefghij"
#define L60 L10 L10 L10 L10 L10 L10

static void test_usual_names_are_their_own_label(void **state)
{
	static const char *const names[] = { "a", "alice", "bob-2", "0x", "7a",
		"services", "u-alice", "x" L60 "yz" };

	(void)state;
	for (size_t i = 0; i < N_OF(names); i++)
		assert_string_equal(label(names[i]), names[i]);
}

static void test_others_are_written_in_idna_if_that_can_be_undone(void **state)
{
	(void)state;
	assert_string_equal(label("m\xc3\xbcller"), "xn--mller-kva");
	assert_string_equal(
	    label("\xd0\xb8\xd0\xb2\xd0\xb0\xd0\xbd"), "xn--80adrw");
}

static void test_what_is_no_label_is_hashed(void **state)
{
	static const struct {
		const char *name, *stem;
	} cases[] = {
		{ "12345", "12345" },
		{ "-a", "a" },
		{ "a-", "a" },
		{ "a--b", "ab" },
		{ "xn--mller-kva", "xnmllerk" },
		{ "bob--service", "bobservi" },
		{ "first.last@example.org", "firstlas" },
		{ "A-Person", "aperson" },
		{ "a b", "ab" },
		{ "_", "x" },
		{ "*", "x" },
		{ "M\xc3\x9cLLER", "mller" },
		{ "stra\xc3\x9f"
		  "e.org",
		    "straeorg" },
		{ "a\xe3\x80\x82"
		  "b",
		    "ab" },
		{ "\xf0\x9f\x98\x80", "x" },
		{ L60 "wxyz", "abcdefgh" },
	};

	(void)state;
	for (size_t i = 0; i < N_OF(cases); i++)
		assert_string_equal(
		    label(cases[i].name), hashed(cases[i].stem, cases[i].name));
}

/* Names that one would take for another: what folds, what looks like a result
 * of the rule, what a service's label ends in. */
static const char *const awkward[] = { "alice", "Alice", "ALICE", "a.b", "a_b",
	"a-b", "a--b", "a b", "a%b", "a%2eb", "a_2eb", "a@b", "a~b", "a:b",
	"ab", "strasse",
	"stra\xc3\x9f"
	"e",
	"STRASSE", "m\xc3\xbcller", "M\xc3\x9cLLER", "mu\xcc\x88ller",
	"xn--mller-kva", "u-mller--", "services", "services--service",
	"alice--service",
	"a\xe3\x80\x82"
	"b",
	"a\xef\xbc\x8e"
	"b",
	"\xef\xbd\x81\xef\xbd\x82", "1", "01", "_", "__", ".", "..a", "a.",
	".a", "-",
	"a\xc2\xad"
	"b",
	"\xd1\x80\xd0\xb0\xd1\x83", "pay", "_61", "_41lice", "_5f", L60 "abcd",
	L60 "abce", L60 "abcd.", "x" L60 "--service" };

static int by_text(const void *a, const void *b)
{
	return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static size_t add_results(const char **all, size_t n)
{
	size_t first = n;

	for (size_t i = 0; i < N_OF(awkward); i++)
		all[n++] = label(awkward[i]);
	/* The labels themselves are names that somebody may take. */
	for (size_t i = 0, end = n; first + i < end; i++) {
		const char *name = all[first + i];
		bool is_known = false;

		for (size_t k = 0; k < N_OF(awkward); k++)
			is_known |= str_eq(awkward[k], name);
		if (!is_known)
			all[n++] = label(name);
	}
	return n;
}

static void expect_all_differ(const char **all, size_t n)
{
	qsort(all, n, sizeof *all, by_text);
	for (size_t i = 1; i < n; i++)
		if (str_eq(all[i - 1], all[i]))
			fail_msg("two have \"%s\"", all[i]);
}

static void test_no_two_have_the_same_host(void **state)
{
	static const char *const services[] = { "alice", "Alice", "services",
		"a", "mller", "x" L60 };
	const char *all[4 * N_OF(awkward)];
	size_t n;

	(void)state;
	n = add_results(all, 0);
	for (size_t i = 0; i < N_OF(services); i++) {
		const char *origin =
		    domain_service_origin(&arena, &cfg, services[i]);

		all[n++] = arena_strndup(&arena, origin + 8,
		    strlen(origin) - strlen("https://.hub.example.org"));
	}
	for (size_t i = 0; i < n; i++) {
		assert_true(strlen(all[i]) <= 63);
		assert_true(
		    strspn(all[i], "abcdefghijklmnopqrstuvwxyz0123456789-") ==
		    strlen(all[i]));
	}
	expect_all_differ(all, n);
}

static void test_legacy_labels_are_the_old_ones(void **state)
{
	static const struct {
		const char *name, *label;
	} cases[] = {
		{ "alice", "alice" },
		{ "first.last", "first.last" },
		{ "a_b", "a_5fb" },
		{ "a@b.c", "a_40b.c" },
		{ "m\xc3\xbcller", "m_c3_bcller" },
		{ "a~b", "a_7eb" },
		{ "123", "123" },
	};

	(void)state;
	load("  subdomain_host: https://hub.example.org\n"
	     "  subdomain_hook: legacy\n");
	for (size_t i = 0; i < N_OF(cases); i++)
		assert_string_equal(label(cases[i].name), cases[i].label);
	assert_string_equal(label("services"),
	    arena_printf(&arena, "_%s", hashed("services", "services")));
	assert_string_equal(domain_service_origin(&arena, &cfg, "any"),
	    "https://services.hub.example.org");
}

static void test_no_two_have_the_same_legacy_host(void **state)
{
	const char *all[4 * N_OF(awkward)];
	size_t n;

	(void)state;
	load("  subdomain_host: https://hub.example.org\n"
	     "  subdomain_hook: legacy\n");
	n = add_results(all, 0);
	all[n++] = "services";
	expect_all_differ(all, n);
}

static void test_a_port_goes_along_but_not_into_routes(void **state)
{
	(void)state;
	load("  subdomain_host: http://Hub.Example.org:8000/\n");
	assert_string_equal(domain_user_origin(&arena, &cfg, "alice"),
	    "http://alice.hub.example.org:8000");
	assert_string_equal(
	    domain_user_route(&arena, &cfg, "alice", "/lab/user/alice"),
	    "/alice.hub.example.org/lab/user/alice");
	assert_string_equal(
	    domain_service_route(&arena, &cfg, "x", "/services/x"),
	    "/x--service.hub.example.org/services/x");
	assert_string_equal(cfg.public_url, "http://hub.example.org:8000");
	assert_string_equal(domain_form_action(&arena, &cfg),
	    "'self' http://*.hub.example.org:8000");
	assert_false(cfg.cookie_host_prefix);
}

static void test_https_brings_the_host_prefix(void **state)
{
	(void)state;
	assert_true(cfg.cookie_host_prefix);
}

static void test_without_the_option_all_is_on_one_host(void **state)
{
	(void)state;
	load("  port: 8081\n");
	assert_false(domain_is_used(&cfg));
	assert_string_equal(domain_user_origin(&arena, &cfg, "alice"), "");
	assert_string_equal(domain_service_origin(&arena, &cfg, "x"), "");
	assert_string_equal(
	    domain_user_route(&arena, &cfg, "alice", "/user/alice"),
	    "/user/alice");
	assert_string_equal(domain_form_action(&arena, &cfg), "'self'");
	assert_false(domain_is_below(&cfg, "alice.hub.example.org"));
}

static void test_hosts_below_ours_are_known(void **state)
{
	static const struct {
		const char *host;
		bool is_below;
	} cases[] = {
		{ "alice.hub.example.org", true },
		{ "ALICE.Hub.Example.ORG:443", true },
		{ "a.b.hub.example.org", true },
		{ "alice.hub.example.org.", true },
		{ "alice.hub.example.org..:1", true },
		{ ".hub.example.org", true },
		{ "hub.example.org", false },
		{ "hub.example.org:8443", false },
		{ "hub.example.org.", false },
		{ "evilhub.example.org", false },
		{ "example.org", false },
		{ "alice.hub.example.org.evil.net", false },
		{ "", false },
		{ ".", false },
	};

	(void)state;
	for (size_t i = 0; i < N_OF(cases); i++) {
		const char *origin =
		    arena_printf(&arena, "https://%s", cases[i].host);

		if (domain_is_below(&cfg, cases[i].host) != cases[i].is_below ||
		    domain_is_origin_below(&cfg, origin) != cases[i].is_below)
			fail_msg("%s", cases[i].host);
	}
	assert_false(domain_is_below(&cfg, NULL));
	assert_false(domain_is_origin_below(&cfg, NULL));
	assert_false(domain_is_origin_below(&cfg, "alice.hub.example.org"));
}

static void test_mistakes_are_refused(void **state)
{
	static const struct {
		const char *options, *says;
	} cases[] = {
		{ "  subdomain_host: hub.example.org\n", "subdomain_host" },
		{ "  subdomain_host: https://hub.example.org/x\n",
		    "without a path" },
		{ "  subdomain_host: https://192.0.2.1\n", "must be a name" },
		{ "  subdomain_host: https://[::1]\n", "must be a name" },
		{ "  subdomain_host: https://hub.example.org.\n", "DNS name" },
		{ "  subdomain_host: https://hub..org\n", "DNS name" },
		{ "  subdomain_host: https://" L60 "." L60 "." L60 ".org\n",
		    "DNS name" },
		{ "  subdomain_host: https://hub.example.org\n"
		  "  public_url: https://other.example.org\n",
		    "the same address" },
		{ "  subdomain_host: https://hub.example.org\n"
		  "  public_url: http://hub.example.org\n",
		    "the same address" },
		{ "  subdomain_hook: mine\n", "idna, legacy" },
	};
	struct err err;

	(void)state;
	for (size_t i = 0; i < N_OF(cases); i++) {
		const char *text =
		    arena_printf(&arena, "hub:\n%s", cases[i].options);

		err = (struct err){ 0 };
		assert_int_equal(config_load(&arena, text, strlen(text),
				     "c.yaml", &cfg, NULL, &err),
		    -1);
		if (!strstr(err.text, cases[i].says))
			fail_msg("%s: %s", cases[i].options, err.text);
	}
}

static void test_the_same_public_url_may_be_said(void **state)
{
	(void)state;
	load("  subdomain_host: https://hub.example.org:443\n"
	     "  public_url: https://HUB.example.org/\n");
	assert_true(domain_is_used(&cfg));
}

#define T(fn) cmocka_unit_test_setup_teardown(fn, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(test_usual_names_are_their_own_label),
		T(test_others_are_written_in_idna_if_that_can_be_undone),
		T(test_what_is_no_label_is_hashed),
		T(test_no_two_have_the_same_host),
		T(test_legacy_labels_are_the_old_ones),
		T(test_no_two_have_the_same_legacy_host),
		T(test_a_port_goes_along_but_not_into_routes),
		T(test_https_brings_the_host_prefix),
		T(test_without_the_option_all_is_on_one_host),
		T(test_hosts_below_ours_are_known),
		T(test_mistakes_are_refused),
		T(test_the_same_public_url_may_be_said),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
