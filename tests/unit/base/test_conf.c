/*
 * base/conf: the tree with positions, the table that binds it, the sample file
 * and the manual.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/conf.h"

struct sample {
	int64_t port, wait_s, cache_bytes;
	bool has_open;
	const char *host, *log, *cert;
	struct conf_strings admins;
	struct conf_pairs labels;
	struct conf_node *profiles;
	int64_t level;
};

#define AT(member) offsetof(struct sample, member)

/* Every type; hub is left and entered again on purpose. */
static const struct conf_option table[] = {
	{ "hub.port", CONF_INT, AT(port), "8081", 1, 65535, NULL,
	    "The port for servers.", true },
	{ "hub.open", CONF_BOOL, AT(has_open), "false", 0, 0, NULL,
	    "Everybody may come in.", false },
	{ "log", CONF_WORD, AT(log), "info", 0, 0, "error|warn|info|debug",
	    "How much is logged.", false },
	{ "spawn.wait", CONF_SECONDS, AT(wait_s), "60", 1, 3600, NULL,
	    "How long a start may take. This doc is long enough that it has "
	    "to be wrapped, because a line of a sample file should not be "
	    "wider than a terminal is.",
	    false },
	{ "spawn.limits.cache", CONF_BYTES, AT(cache_bytes), "512M", 1048576,
	    INT64_MAX, NULL, "Size of the cache.", false },
	{ "hub.tls.host", CONF_STRING, AT(host), "localhost", 1, 20, NULL,
	    "Name.", false },
	{ "hub.tls.cert", CONF_STRING, AT(cert), NULL, 0, 0, NULL,
	    "File with the certificate; a | b.", false },
	{ "admins", CONF_STRINGS, AT(admins), "[root, adm]", 0, 3, NULL,
	    "Groups.", false },
	{ "labels", CONF_MAP_STR, AT(labels), "{a: b}", 0, 2, NULL, "Labels.",
	    false },
	{ "profiles", CONF_TREE, AT(profiles), NULL, 0, 0, NULL, "Profiles.",
	    false },
	{ "hub.level", CONF_INT, AT(level), "-2", 0, 0, NULL, "Any number.",
	    false },
};
#define N_OPTIONS (sizeof table / sizeof *table)

struct fixture {
	struct arena arena;
	struct buf problems;
	struct conf_node *tree;
	struct sample conf;
	struct err err;
};

static int set_up(void **state)
{
	struct fixture *f = calloc(1, sizeof *f);

	arena_init(&f->arena);
	buf_init(&f->problems, 65536);
	*state = f;
	return 0;
}

static int tear_down(void **state)
{
	struct fixture *f = *state;

	buf_fini(&f->problems);
	arena_fini(&f->arena);
	free(f);
	return 0;
}

static int parse(struct fixture *f, const char *text)
{
	return conf_parse(
	    &f->arena, text, strlen(text), "c.yaml", &f->tree, &f->err);
}

/* Parse, which must work, and bind. */
static int load(struct fixture *f, const char *text)
{
	if (parse(f, text) != 0)
		fail_msg("%s", f->err.text);
	buf_reset(&f->problems);
	return conf_bind(&f->arena, f->tree, "c.yaml", table, N_OPTIONS,
	    &f->conf, &f->problems, &f->err);
}

/* ---- the tree ------------------------------------------------------------ */

static void test_parse_keeps_positions_and_quotes(void **state)
{
	struct fixture *f = *state;
	struct conf_node *a, *b;

	assert_int_equal(
	    parse(f, "# c\na:\n  - x\n  - \"true\"\nbc: {d: ~, e: }\n"), 0);
	assert_int_equal(f->tree->kind, CONF_MAP);
	assert_int_equal(f->tree->n_children, 2);
	a = conf_child(f->tree, "a");
	assert_int_equal(a->kind, CONF_LIST);
	assert_int_equal(a->key_line, 2);
	assert_int_equal(a->child->line, 3);
	assert_int_equal(a->child->column, 5);
	assert_false(a->child->quoted);
	assert_null(a->child->key);
	assert_true(a->child->next->quoted);
	assert_string_equal(a->child->next->text, "true");
	b = conf_child(f->tree, "bc");
	assert_int_equal(conf_child(b, "d")->kind, CONF_NULL);
	assert_int_equal(conf_child(b, "e")->kind, CONF_NULL);
	assert_int_equal(conf_child(b, "e")->key_column, 12);
	assert_null(conf_child(b, "x"));
	assert_null(conf_child(a, "x"));
	assert_null(conf_child(NULL, "x"));
}

static void test_parse_empty_file_is_null(void **state)
{
	static const char *const texts[] = { "", "\n", "# only\n", "---\n",
		"--- ~\n", "\xef\xbb\xbf" };
	struct fixture *f = *state;

	for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
		if (parse(f, texts[i]) != 0)
			fail_msg("case %zu: %s", i, f->err.text);
		assert_int_equal(f->tree->kind, CONF_NULL);
	}
}

static void test_parse_refuses(void **state)
{
	static const struct {
		const char *text, *why;
	} cases[] = {
		{ "a: &x 1\n", "c.yaml:1:4: anchors" },
		{ "a: &x [1]\n", "c.yaml:1:4: anchors" },
		{ "a: *x\n", "c.yaml:1:4: aliases" },
		{ "a: !!str 1\n", "c.yaml:1:4: tags" },
		{ "a: !x {}\n", "c.yaml:1:4: tags" },
		{ "a: ! b\n", "c.yaml:1:4: tags" },
		{ "%YAML 1.1\n---\na: 1\n", "c.yaml:1:1: directives" },
		{ "%TAG ! tag:x,2000:\n---\na: 1\n", "c.yaml:1:1: directives" },
		{ "a: 1\n---\nb: 1\n", "c.yaml:2:1: a second document" },
		{ "a: 1\nb: 2\n\"a\": 3\n",
		    "c.yaml:3:1: \"a\" is given twice; the first one is at "
		    "line 1, column 1" },
		{ "x: {a: 1,\n a: [1]}\n",
		    "c.yaml:2:2: \"a\" is given twice; the first one is at "
		    "line 1, column 5" },
		{ "[1]: 2\n", "c.yaml:1:1: a key must be a word" },
		{ "? {a: 1}\n: 2\n", "c.yaml:1:3: a key must be a word" },
		{ "a: [1\n", "not well-formed YAML" },
		{ "a:\n\tb: 1\n", "use spaces" },
		{ "a: \"\\0\"\n", "c.yaml:1:4: a value contains a NUL" },
		{ "\"a\\0b\": 1\n", "c.yaml:1:1: a key contains a NUL" },
		{ "a: \xff\n", "not UTF-8" },
		{ "a: 1\n b: 2\n", "c.yaml:2:" },
	};
	struct fixture *f = *state;

	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		f->tree = (struct conf_node *)f;
		assert_int_equal(parse(f, cases[i].text), -1);
		assert_null(f->tree);
		assert_int_equal(f->err.code, ERR_INVALID);
		if (!strstr(f->err.text, cases[i].why))
			fail_msg("case %zu: %s", i, f->err.text);
	}
}

static void test_parse_bounds_depth(void **state)
{
	char text[67] = { 0 };
	struct fixture *f = *state;

	memset(text, '[', 33);
	memset(text + 33, ']', 33);
	assert_int_equal(parse(f, text), -1);
	assert_non_null(strstr(f->err.text, "c.yaml:1:33: lists and maps"));
	text[65] = '\0';
	assert_int_equal(parse(f, text + 1), 0);
}

static void test_parse_bounds_size(void **state)
{
	const size_t most = 1024 * 1024;
	struct fixture *f = *state;
	char *text = malloc(most + 1);

	memset(text, '\n', most + 1);
	assert_int_equal(
	    conf_parse(&f->arena, text, most + 1, "c.yaml", &f->tree, &f->err),
	    -1);
	assert_int_equal(f->err.code, ERR_LIMIT);
	assert_int_equal(
	    conf_parse(&f->arena, text, most, "c.yaml", &f->tree, &f->err), 0);
	free(text);
}

/* ---- binding ------------------------------------------------------------- */

static void test_bind_without_a_tree_gives_defaults(void **state)
{
	struct fixture *f = *state;
	struct sample *c = &f->conf;

	memset(c, 0x5a, sizeof *c);
	assert_int_equal(conf_bind(&f->arena, NULL, "c.yaml", table, N_OPTIONS,
			     c, NULL, &f->err),
	    0);
	assert_int_equal(c->port, 8081);
	assert_int_equal(c->wait_s, 60);
	assert_int_equal(c->cache_bytes, 512 << 20);
	assert_false(c->has_open);
	assert_string_equal(c->host, "localhost");
	assert_string_equal(c->log, "info");
	assert_null(c->cert);
	assert_int_equal(c->admins.n, 2);
	assert_string_equal(c->admins.items[1], "adm");
	assert_int_equal(c->labels.n, 1);
	assert_string_equal(c->labels.items[0].name, "a");
	assert_string_equal(c->labels.items[0].value, "b");
	assert_null(c->profiles);
	assert_int_equal(c->level, -2);
}

static void test_bind_takes_what_the_tree_says(void **state)
{
	struct fixture *f = *state;
	struct sample *c = &f->conf;

	assert_int_equal(load(f, "hub: {port: 65535, open: true, level: 7,\n"
				 "  tls: {host: \"12\", cert: /a b}}\n"
				 "spawn:\n  wait: 5m\n  limits:\n"
				 "    cache: 2G\n"
				 "log: debug\nadmins: [\"1\", 2]\n"
				 "labels: {x: y, z: \"\"}\n"
				 "profiles: {small: {cpu: 1}}\n"),
	    0);
	assert_int_equal(c->port, 65535);
	assert_true(c->has_open);
	assert_int_equal(c->level, 7);
	assert_string_equal(c->host, "12");
	assert_string_equal(c->cert, "/a b");
	assert_int_equal(c->wait_s, 300);
	assert_true(c->cache_bytes == (int64_t)2 << 30);
	assert_string_equal(c->log, "debug");
	assert_int_equal(c->admins.n, 2);
	assert_string_equal(c->admins.items[1], "2");
	assert_int_equal(c->labels.n, 2);
	assert_string_equal(c->labels.items[1].value, "");
	assert_non_null(conf_child(c->profiles, "small"));
	assert_int_equal(f->problems.len, 0);
}

static void test_bind_null_sections_and_lists_are_empty(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(load(f, "hub:\nspawn: ~\nadmins:\nlabels: null\n"
				 "profiles:\n"),
	    0);
	assert_int_equal(f->conf.port, 8081);
	assert_int_equal(f->conf.admins.n, 0);
	assert_int_equal(f->conf.labels.n, 0);
	assert_null(f->conf.profiles);
	assert_int_equal(load(f, "hub: {tls: {cert: ~}}\n"), 0);
	assert_null(f->conf.cert);
	assert_int_equal(load(f, ""), 0);
}

static void test_bind_refuses(void **state)
{
	static const struct {
		const char *text, *why;
	} cases[] = {
		{ "hub:\n  prot: 1\n",
		    "c.yaml:2:3: unknown key \"prot\" in \"hub\"; did you mean "
		    "\"port\"?" },
		{ "hbu: {}\n",
		    "c.yaml:1:1: unknown key \"hbu\"; did you mean \"hub\"?" },
		{ "port: 1\n",
		    "unknown key \"port\"; did you mean \"hub.port\"?" },
		{ "hub.port: 1\n",
		    "unknown key \"hub.port\"; did you mean \"hub.port\"?" },
		{ "zzzzzz: 1\n", "c.yaml:1:1: unknown key \"zzzzzz\"" },
		{ "hub: {tls: {hots: x}}\n",
		    "c.yaml:1:13: unknown key \"hots\" in \"hub.tls\"; did you "
		    "mean \"host\"?" },
		{ "hub: {port: 0}\n",
		    "c.yaml:1:13: \"hub.port\" must be a whole number from 1 "
		    "to 65535; found \"0\"" },
		{ "hub: {port: 65536}\n", "from 1 to 65535; found \"65536\"" },
		{ "hub: {port: 8x}\n", "found \"8x\"" },
		{ "hub: {port: \"80\"}\n", "found \"80\" in quotes" },
		{ "hub: {port: [1, 2]}\n", "found a list of 2" },
		{ "hub: {port: {a: 1}}\n", "found a map of 1" },
		{ "hub:\n  port:\n", "c.yaml:2:8: \"hub.port\" must be a whole "
				     "number from 1 to 65535; found nothing" },
		{ "hub: {open: yes}\n",
		    "\"hub.open\" must be true or false; found \"yes\"" },
		{ "hub: {open: \"true\"}\n", "found \"true\" in quotes" },
		{ "log: loud\n",
		    "\"log\" must be one of error, warn, info, debug; found "
		    "\"loud\"" },
		{ "log: [info]\n", "found a list of 1" },
		{ "spawn: {wait: 2h}\n",
		    "must be a duration like 30s, 5m, 2h or 14d from 1s to "
		    "1h; found \"2h\"" },
		{ "spawn: {limits: {cache: 1K}}\n",
		    "must be a size like 64K, 512M or 2G of at least 1M; "
		    "found \"1K\"" },
		{ "hub: {tls: {host: 123456789012345678901}}\n",
		    "must be text of 1 to 20 bytes; found text of 21 bytes" },
		{ "hub: {tls: {host: \"\"}}\n", "found text of 0 bytes" },
		{ "admins: root\n",
		    "\"admins\" must be a list of at most 3 texts: [a, b]; "
		    "found text of 4 bytes" },
		{ "admins: [a, b, c, d]\n", "found a list of 4" },
		{ "admins: [a, [b]]\n", "c.yaml:1:13: \"admins\" must be made "
					"of texts" },
		{ "labels: {a: b, c: d, e: f}\n",
		    "\"labels\" must be a map of at most 2 texts: {a: b}; "
		    "found a map of 3" },
		{ "labels: {a: }\n", "found nothing" },
		{ "hub: 3\n", "c.yaml:1:6: \"hub\" must be a section" },
		{ "- a\n", "c.yaml:1:1: the file must be made of options" },
		{ "\"a\\nb\\e[1m\": 1\n", "unknown key \"a?b?[1m\"" },
	};
	struct fixture *f = *state;

	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		assert_int_equal(load(f, cases[i].text), -1);
		assert_int_equal(f->err.code, ERR_INVALID);
		if (!strstr(f->err.text, cases[i].why))
			fail_msg("case %zu: %s", i, f->err.text);
	}
}

static void test_bind_without_a_near_name_offers_none(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(load(f, "qqqqqqqq: 1\n"), -1);
	assert_string_equal(
	    f->err.text, "c.yaml:1:1: unknown key \"qqqqqqqq\"");
}

static void test_bind_never_shows_text_values(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(load(f, "hub: {tls: {host: hunter2-hunter2-hunter2}}\n"
				 "labels: hunter2\nadmins: hunter2\n"),
	    -1);
	assert_null(strstr(buf_view(&f->problems), "hunter2"));
	assert_null(strstr(f->err.text, "hunter2"));
}

static size_t n_lines(const char *text)
{
	size_t n = 0;

	for (; *text; text++)
		n += *text == '\n';
	return n;
}

static void test_bind_collects_twenty_problems(void **state)
{
	struct fixture *f = *state;
	struct buf text;

	assert_int_equal(load(f, "log: 1\nzzzz: 2\n"), -1);
	assert_int_equal(n_lines(buf_view(&f->problems)), 2);
	assert_non_null(strstr(f->err.text, "(2 problems in all)"));
	buf_init(&text, 4096);
	for (int i = 0; i < 25; i++)
		buf_printf(&text, "zzzz%d: 1\n", i);
	assert_int_equal(load(f, buf_view(&text)), -1);
	assert_int_equal(n_lines(buf_view(&f->problems)), 21);
	assert_non_null(
	    strstr(buf_view(&f->problems), "c.yaml: 5 more problems\n"));
	buf_fini(&text);
}

static void test_bind_reports_a_wrong_default(void **state)
{
	static const struct conf_option wrong[] = {
		{ "a.b", CONF_INT, 0, "x", 0, 0, NULL, "", false },
		{ "a.c", CONF_INT, 8, "[", 0, 0, NULL, "", false },
	};
	struct fixture *f = *state;
	int64_t out[2];

	assert_int_equal(conf_bind(&f->arena, NULL, "c.yaml", wrong, 2, out,
			     &f->problems, &f->err),
	    -1);
	assert_non_null(strstr(f->err.text, "built-in default of a.b:1:1: "));
	assert_int_equal(n_lines(buf_view(&f->problems)), 2);
}

static void test_bind_empty_default_is_empty_text(void **state)
{
	static const struct conf_option empty[] = {
		{ "a", CONF_STRING, 0, "", 0, 0, NULL, "", false },
	};
	struct fixture *f = *state;
	const char *out = NULL;

	assert_int_equal(
	    conf_bind(&f->arena, NULL, "c.yaml", empty, 1, &out, NULL, &f->err),
	    0);
	assert_string_equal(out, "");
}

/* ---- printing ------------------------------------------------------------ */

/* Take the '#' off the lines that are options. */
static char *uncommented(const char *text)
{
	char *copy = strdup(text), *to = copy;

	for (const char *p = copy; *p; p++) {
		if (*p == '#' && p[1] != ' ')
			continue;
		*to++ = *p;
	}
	*to = '\0';
	return copy;
}

static void test_sample_parses_and_changes_nothing(void **state)
{
	struct fixture *f = *state;
	struct buf b;

	buf_init(&b, 65536);
	conf_write_sample(&b, table, N_OPTIONS);
	if (load(f, buf_view(&b)) != 0)
		fail_msg("%s", f->err.text);
	assert_int_equal(f->conf.port, 8081);
	assert_non_null(conf_child(f->tree, "hub"));
	assert_int_equal(conf_child(f->tree, "hub")->n_children, 1);
	buf_fini(&b);
}

static void test_sample_uncommented_equals_the_defaults(void **state)
{
	struct fixture *f = *state;
	struct buf b;
	char *text;

	buf_init(&b, 65536);
	conf_write_sample(&b, table, N_OPTIONS);
	text = uncommented(buf_view(&b));
	if (load(f, text) != 0)
		fail_msg("%s", f->err.text);
	assert_int_equal(conf_child(f->tree, "hub")->n_children, 4);
	assert_int_equal(f->conf.port, 8081);
	assert_string_equal(f->conf.host, "localhost");
	assert_int_equal(f->conf.admins.n, 2);
	assert_null(f->conf.cert);
	free(text);
	buf_fini(&b);
}

static void test_sample_explains_within_78_columns(void **state)
{
	struct fixture *f = *state;
	struct buf b;
	const char *line;

	(void)f;
	buf_init(&b, 65536);
	conf_write_sample(&b, table, N_OPTIONS);
	for (line = buf_view(&b); *line; line += strcspn(line, "\n") + 1)
		assert_true(strcspn(line, "\n") <= 78);
	assert_non_null(strstr(buf_view(&b),
	    "  # The port for servers. A whole number from 1 to 65535. A "
	    "change needs a\n  # restart.\n  #port: 8081\n"));
	assert_non_null(strstr(buf_view(&b), "\n  tls:\n    # Name."));
	buf_fini(&b);
}

static void test_sample_sets_what_it_is_told(void **state)
{
	static const struct conf_pair set[] = {
		{ "hub.port", "1234" },
		{ "admins", "[sudo]" },
	};
	struct fixture *f = *state;
	struct buf b;

	buf_init(&b, 65536);
	conf_write_sample_set(&b, table, N_OPTIONS, set, 2);
	assert_int_equal(load(f, buf_view(&b)), 0);
	assert_int_equal(f->conf.port, 1234);
	assert_int_equal(f->conf.admins.n, 1);
	assert_string_equal(f->conf.admins.items[0], "sudo");
	assert_int_equal(f->conf.wait_s, 60);
	buf_fini(&b);
}

static void test_manual_has_a_table_per_section(void **state)
{
	struct buf b;
	const char *hub;

	(void)state;
	buf_init(&b, 65536);
	conf_write_manual(&b, table, N_OPTIONS);
	hub =
	    strstr(buf_view(&b), "## hub\n\n| option | default | meaning |\n");
	assert_non_null(hub);
	assert_null(strstr(hub + 1, "## hub\n"));
	assert_non_null(strstr(hub,
	    "| `hub.port` | `8081` | The port for servers. A whole number from "
	    "1 to 65535. A change needs a restart. |\n"));
	assert_non_null(
	    strstr(hub, "| `hub.tls.cert` | not set | File with the "
			"certificate; a \\| b. "));
	assert_non_null(strstr(buf_view(&b), "## Top level\n"));
	buf_fini(&b);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_parse_keeps_positions_and_quotes),
		TEST(test_parse_empty_file_is_null),
		TEST(test_parse_refuses),
		TEST(test_parse_bounds_depth),
		TEST(test_parse_bounds_size),
		TEST(test_bind_without_a_tree_gives_defaults),
		TEST(test_bind_takes_what_the_tree_says),
		TEST(test_bind_null_sections_and_lists_are_empty),
		TEST(test_bind_refuses),
		TEST(test_bind_without_a_near_name_offers_none),
		TEST(test_bind_never_shows_text_values),
		TEST(test_bind_collects_twenty_problems),
		TEST(test_bind_reports_a_wrong_default),
		TEST(test_bind_empty_default_is_empty_text),
		TEST(test_sample_parses_and_changes_nothing),
		TEST(test_sample_uncommented_equals_the_defaults),
		TEST(test_sample_explains_within_78_columns),
		TEST(test_sample_sets_what_it_is_told),
		TEST(test_manual_has_a_table_per_section),
	};

	return cmocka_run_group_tests_name("base/conf", tests, NULL, NULL);
}
