/*
 * See credential.h.
 */
#include "hub/credential.h"

#include <string.h>

#include "auth/rules.h"
#include "base/clock.h"
#include "hub/app.h"

/* A service has no name of a person. */
static bool is_blocked(const struct app *app, const struct principal *p)
{
	return p->user_id != 0 && rules_names_blocked(app->rules, p->user_name);
}

static int unless_blocked(
    const struct app *app, int found, struct principal *out)
{
	if (found != 1 || !is_blocked(app, out))
		return found;
	memset(out, 0, sizeof *out);
	return 0;
}

int credential_by_session(struct app *app, struct arena *a, const char *secret,
    struct principal *out, struct err *err)
{
	return unless_blocked(app,
	    principal_by_session(app->db, a, secret, clock_wall_us(), out, err),
	    out);
}

int credential_by_token(struct app *app, struct arena *a, const char *plain,
    struct principal *out, struct err *err)
{
	return unless_blocked(app,
	    principal_by_token(app->db, a, plain, clock_wall_us(), out, err),
	    out);
}

void credential_cut(const struct app *app, struct principal *p)
{
	if (is_blocked(app, p))
		p->scopes.n = 0;
}
