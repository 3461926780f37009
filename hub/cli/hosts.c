/*
 * See hosts.h.
 */
#include "hub/cli/hosts.h"

#include <stdlib.h>

#include "base/fd.h"
#include "hub/config.h"

bool hosts_are_used(const char *config_file)
{
	struct config cfg;
	struct arena a;
	struct err err;
	char *text = NULL;
	size_t len = 0;
	bool used;

	arena_init(&a);
	used = file_read_all(config_file, CONFIG_FILE_MAX, &text, &len, &err) ==
		   0 &&
	       config_load(&a, text, len, config_file, &cfg, NULL, &err) == 0 &&
	       domain_is_used(&cfg);
	free(text);
	arena_fini(&a);
	return used;
}
