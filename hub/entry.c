/*
 * See entry.h.
 */
#include "hub/entry.h"

#include "base/clock.h"
#include "db/group_sync.h"
#include "db/identity.h"
#include "db/visitor.h"
#include "hub/auth_state.h"
#include "hub/roster.h"

/* A name that was somebody else's there when it came here first stays theirs.
 */
static int claim_name(struct app *app, const struct entry *e,
    const struct user *u, struct err *err)
{
	const struct auth_identity *id = e->id;
	int rc;

	if (!id->source || !id->subject)
		return 0;
	rc = identity_claim(
	    app->db, u->id, id->source, id->subject, clock_wall_us(), err);
	if (rc != 0)
		return rc < 0 ? -1 : 0;
	return err_set(err, ERR_DENIED,
	    "The name %s belongs to another account of that provider here. "
	    "If it is yours, ask the administrator of this hub.",
	    e->decision->name);
}

static int find_or_make(struct app *app, struct arena *a, const struct entry *e,
    struct user *u, struct err *err)
{
	const struct rules_decision *d = e->decision;
	bool admin = d->admin == RULES_ADMIN_YES;
	int found = user_find(app->db, a, d->name, u, err);

	if (found < 0)
		return -1;
	if (!found) {
		u->name = d->name;
		u->admin = admin;
		return user_create(
		    app->db, d->name, admin, clock_wall_us(), &u->id, err);
	}
	if (d->admin == RULES_ADMIN_KEEP || admin == u->admin)
		return 0;
	u->admin = admin;
	return user_set_admin(app->db, u->id, admin, err);
}

static int write_groups(struct app *app, const struct auth_identity *id,
    const struct user *u, struct err *err)
{
	if (user_set_groups(app->db, u->id, id->groups, id->n_groups, err) != 0)
		return -1;
	if (!app->cfg.manage_groups)
		return 0;
	return group_sync(app->db, u->id, id->groups, id->n_groups, err);
}

static int write_visit(struct app *app, const struct auth_identity *id,
    const struct user *u, struct err *err)
{
	int64_t now = clock_wall_us();

	if (id->lifetime_s == 0)
		return 0;
	return visitor_add(
	    app->db, u->id, now, now + id->lifetime_s * 1000000, err);
}

static int keep_state(struct app *app, struct arena *a, const struct entry *e,
    const struct user *u, struct err *err)
{
	const struct login_state row = {
		.via = e->via,
		.checked_us = clock_wall_us(),
		.sealed = auth_state_seal(app, a, u->id, e->id->state),
	};

	return login_state_put(app->db, u->id, &row, err);
}

int entry_write(struct app *app, struct arena *a, const struct entry *e,
    struct user *out, struct err *err)
{
	*out = (struct user){ 0 };
	if (find_or_make(app, a, e, out, err) != 0 ||
	    write_groups(app, e->id, out, err) != 0 ||
	    roster_enter(app, out->id, out->name, err) != 0 ||
	    claim_name(app, e, out, err) != 0 ||
	    write_visit(app, e->id, out, err) != 0)
		return -1;
	return keep_state(app, a, e, out, err);
}
