/*
 * See role_scopes.h.
 */
#include "hub/role_scopes.h"

#include <string.h>

#include "db/role.h"

static int add_default(const char *name, struct scope_set *out, struct err *err)
{
	for (int role = ROLE_USER; role <= ROLE_TOKEN; role++) {
		if (strcmp(role_name((enum scope_role)role), name) != 0)
			continue;
		return scope_set_add_role(out, (enum scope_role)role, err) == 0
			   ? 1
			   : -1;
	}
	return 0;
}

int role_scopes_add(
    struct db *db, const char *name, struct scope_set *out, struct err *err)
{
	struct role role;
	int found = role_find(db, out->arena, name, &role, err);

	if (found == 0)
		return add_default(name, out, err);
	if (found == 1 && scope_set_add_stored(out, role.scopes, err) != 0)
		return -1;
	return found;
}
