/*
 * The kinds of authenticators: one line each. See authenticator.h.
 */
#include "auth/authenticator.h"

#include <assert.h>

#include "auth/dummy.h"
#include "auth/first_use.h"
#include "auth/header.h"
#include "auth/ldap.h"
#include "auth/native.h"
#include "auth/none.h"
#include "auth/pam.h"
#include "auth/shared.h"
#include "auth/tmp.h"
#include "base/str.h"

#define NAMES_CAP 256

static const struct authenticator_kind *const kinds[] = {
	&authenticator_pam,
	&authenticator_ldap,
	&authenticator_native,
	&authenticator_first_use,
	&authenticator_shared,
	&authenticator_header,
	&authenticator_tmp,
	&authenticator_dummy,
	&authenticator_none,
};
#define N_KINDS (sizeof kinds / sizeof kinds[0])

const struct authenticator_kind *authenticator_find(const char *name)
{
	for (size_t i = 0; i < N_KINDS; i++) {
		if (str_eq(kinds[i]->name, name))
			return kinds[i];
	}
	return NULL;
}

const char *authenticator_names(void)
{
	static char names[NAMES_CAP];
	size_t len = 0;

	for (size_t i = 0; i < N_KINDS; i++) {
		int rc = str_format(names + len, sizeof names - len, "%s%s",
		    i > 0 ? ", " : "", kinds[i]->name);

		assert(rc == 0);
		len += slice_of(names + len).len;
	}
	return names;
}
