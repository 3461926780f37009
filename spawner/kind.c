/*
 * The list of kinds: a new one adds its line here.
 */
#include "spawner/kind.h"

#include <stddef.h>

#include "base/str.h"

static const struct kind *const kinds[] = {
	&kind_local,
	&kind_simple,
	&kind_fake,
	&kind_service,
};

const struct kind *kind_find(const char *name)
{
	for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++) {
		if (str_eq(kinds[i]->name, name))
			return kinds[i];
	}
	return NULL;
}

const char *kind_names(void)
{
	return "local, simple, fake";
}
