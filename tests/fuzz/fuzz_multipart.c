/*
 * Fuzz target for base/multipart: the first line of the input is the
 * Content-Type, the rest the body. The properties: no bad access; what is taken
 * is text, and no longer than what came.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/multipart.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool ok)
{
	if (!ok)
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct slice rest = slice_make((const char *)data, size), first;
	struct url_pairs pairs;
	struct arena a;
	struct err err;
	size_t total = 0;

	if (!slice_split(&rest, '\n', &first))
		return 0;
	arena_init(&a);
	if (multipart_parse(&a, arena_strndup(&a, first.p, first.len), rest, 16,
		&pairs, &err) == 0) {
		must(pairs.n <= 16);
		for (size_t i = 0; i < pairs.n; i++) {
			const struct url_pair *p = &pairs.items[i];
			must(utf8_valid(p->name, strlen(p->name)));
			must(utf8_valid(p->value, strlen(p->value)));
			total += strlen(p->name) + strlen(p->value);
		}
		must(total <= size);
	}
	arena_fini(&a);
	return 0;
}
