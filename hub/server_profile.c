/*
 * See server_profile.h.
 */
#include "hub/server_profile.h"

#include <string.h>

#include "base/buf.h"
#include "base/str.h"

#define LIST_MAX 512

const char *server_profile_chosen(const json_t *options)
{
	const json_t *v = json_object_get(options, "profile");

	if (json_is_array(v))
		v = json_array_get(v, 0);
	return json_string_value(v);
}

static int not_offered(
    const struct config *cfg, const char *name, struct err *err)
{
	char shown[64];
	struct buf list;
	int rc;

	buf_init(&list, LIST_MAX);
	for (size_t i = 0; i < cfg->profiles.n; i++)
		buf_printf(
		    &list, "%s%s", i ? ", " : "", cfg->profiles.items[i]);
	str_printable(shown, sizeof shown, name, strlen(name));
	rc = err_set(err, ERR_INVALID,
	    "There is no profile \"%s\" to choose. There are: %s", shown,
	    buf_view(&list));
	buf_fini(&list);
	return rc;
}

int server_profile_pick(const struct config *cfg, const json_t *options,
    const char **out, struct err *err)
{
	const char *name = server_profile_chosen(options);

	*out = cfg->default_profile;
	if (cfg->profiles.n == 0 || !name)
		return 0;
	for (size_t i = 0; i < cfg->profiles.n; i++) {
		if (strcmp(cfg->profiles.items[i], name) != 0)
			continue;
		*out = cfg->profiles.items[i];
		return 0;
	}
	return not_offered(cfg, name, err);
}
