/*
 * Any bytes as a configuration file: conf_parse, and conf_bind against a table
 * with every type of option. A file that was taken must keep its bounds.
 */
#include <assert.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "base/conf.h"

struct sample {
	bool flag;
	int64_t number, seconds, bytes;
	const char *text, *word;
	struct conf_strings list;
	struct conf_pairs map;
	struct conf_node *tree;
};

#define AT(member) offsetof(struct sample, member)

static const struct conf_option table[] = {
	{ "hub.flag", CONF_BOOL, AT(flag), "true", 0, 0, NULL, "", false },
	{ "hub.port", CONF_INT, AT(number), "1", 1, 65535, NULL, "", false },
	{ "hub.wait", CONF_SECONDS, AT(seconds), "5m", 1, 86400, NULL, "",
	    false },
	{ "cache.size", CONF_BYTES, AT(bytes), "1G", 0, INT64_MAX, NULL, "",
	    false },
	{ "cache.dir.path", CONF_STRING, AT(text), NULL, 1, 64, NULL, "",
	    false },
	{ "log", CONF_WORD, AT(word), "info", 0, 0, "info|debug", "", false },
	{ "admins", CONF_STRINGS, AT(list), "[a]", 0, 8, NULL, "", false },
	{ "labels", CONF_MAP_STR, AT(map), NULL, 0, 8, NULL, "", false },
	{ "profiles", CONF_TREE, AT(tree), NULL, 0, 0, NULL, "", false },
};
#define N_OPTIONS (sizeof table / sizeof *table)

static void check_bounds(const struct sample *s)
{
	assert(s->number >= 1 && s->number <= 65535);
	assert(s->seconds >= 1 && s->seconds <= 86400);
	assert(s->bytes >= 0);
	assert(!s->text || (strlen(s->text) >= 1 && strlen(s->text) <= 64));
	assert(strcmp(s->word, "info") == 0 || strcmp(s->word, "debug") == 0);
	assert(s->list.n <= 8 && s->map.n <= 8);
	for (size_t i = 0; i < s->list.n; i++)
		assert(s->list.items[i]);
	for (size_t i = 0; i < s->map.n; i++)
		assert(s->map.items[i].name && s->map.items[i].value);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct sample sample = { 0 };
	struct conf_node *tree;
	struct buf problems;
	struct arena arena;
	struct err err;

	arena_init(&arena);
	buf_init(&problems, 65536);
	if (conf_parse(&arena, (const char *)data, size, "fuzz.yaml", &tree,
		&err) == 0) {
		if (conf_bind(&arena, tree, "fuzz.yaml", table, N_OPTIONS,
			&sample, &problems, &err) == 0)
			check_bounds(&sample);
		else
			assert(problems.len > 0);
	}
	buf_fini(&problems);
	arena_fini(&arena);
	return 0;
}
