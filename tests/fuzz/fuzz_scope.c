/*
 * Fuzz target for auth/scope: a list of scopes from outside (blanks between
 * them) is parsed, expanded and cut. The properties: no bad access; a text that
 * is taken is written back as it was; expanding twice changes nothing; an
 * intersection lies within both; a scope that is held for a resource is
 * granted.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "auth/scope.h"
#include "base/str.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const struct scope_context alice = {
	.user = "alice", .server = "alice/", .service = "svc"
};

static void must(bool ok)
{
	if (!ok)
		abort();
}

static bool is_member(const char *user, const char *group, void *arg)
{
	(void)arg;
	return (user[0] ^ group[0]) & 1;
}

static void try_texts(struct arena *a, const struct scope_set *s)
{
	struct scope_set again;

	scope_set_init(&again, a);
	for (size_t i = 0; i < s->n; i++) {
		const char *text = scope_text(a, &s->items[i]);
		struct scope one;

		must(strlen(text) <= SCOPE_LEN_MAX);
		must(scope_parse(a, text, &one, NULL) == 0);
		must(one.id == s->items[i].id &&
		     one.filter == s->items[i].filter &&
		     str_eq(one.value, s->items[i].value));
		must(scope_set_add(&again, text, NULL) == 0);
	}
	must(again.n == s->n);
}

static void try_check(const struct scope_set *s)
{
	for (size_t i = 0; i < s->n; i++) {
		const struct scope *one = &s->items[i];
		struct scope_resource res = { 0 };

		must(one->filter == FILTER_NONE || one->value != NULL);
		if (one->filter == FILTER_USER)
			res.user = one->value;
		else if (one->filter == FILTER_GROUP)
			res.group = one->value;
		else if (one->filter == FILTER_SERVICE)
			res.service = one->value;
		else if (one->filter == FILTER_SERVER)
			continue;
		must(scope_check(s, one->id, &res, is_member, NULL) ==
		     SCOPE_GRANTED);
	}
}

static void try_sets(struct arena *a, const struct scope_set *wide)
{
	struct scope_set owner, both, again;

	scope_set_init(&owner, a);
	scope_set_init(&both, a);
	scope_set_init(&again, a);
	must(scope_effective_user("alice", false, &owner, NULL) == 0);
	if (scope_expand(wide, &alice, &again, NULL) == 0)
		must(again.n == wide->n &&
		     scope_covers(wide, &again, NULL, NULL, NULL));
	if (scope_intersect(wide, &owner, is_member, NULL, &both, NULL) < 0)
		return;
	must(scope_covers(wide, &both, is_member, NULL, NULL));
	must(scope_covers(&owner, &both, is_member, NULL, NULL));
}

static void try_json(struct arena *a, const char *text)
{
	struct scope_set strict, stored;

	scope_set_init(&strict, a);
	scope_set_init(&stored, a);
	if (scope_set_add_json_text(&strict, text, NULL) < 0)
		return;
	must(scope_set_add_stored(&stored, text, NULL) == 0);
	must(stored.n == strict.n);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct scope_set raw, wide;
	struct arena a;
	const char *text;

	arena_init(&a);
	text = arena_strndup(&a, (const char *)data, size);
	try_json(&a, text);
	scope_set_init(&raw, &a);
	scope_set_init(&wide, &a);
	if (scope_set_add_words(&raw, text, NULL) == 0) {
		try_texts(&a, &raw);
		if (scope_expand(&raw, &alice, &wide, NULL) == 0) {
			try_check(&wide);
			try_sets(&a, &wide);
		}
	}
	arena_fini(&a);
	return 0;
}
