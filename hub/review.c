/*
 * See review.h.
 */
#include "hub/review.h"

#include "auth/rules.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/str.h"
#include "db/group.h"
#include "db/role.h"
#include "db/server.h"
#include "db/session.h"
#include "db/user.h"
#include "hub/app.h"
#include "hub/audit.h"
#include "hub/roster.h"
#include "hub/server.h"

static int log_out(struct app *app, const struct user *u,
    const struct rules_decision *d, struct err *err)
{
	if (session_end_all(app->db, u->id, err) != 0)
		return -1;
	log_warn(&(struct log_ctx){ .user = u->name },
	    "logged out: the rules do not let them in any more", "why=\"%s\"",
	    d->text);
	audit_login_ended(app, u->name, d->text);
	return 0;
}

/* The last login's groups that are no roster's. */
static int own_groups(struct app *app, struct arena *a, const struct user *u,
    struct auth_identity *id, struct err *err)
{
	const char *const *all, **kept;
	size_t n;

	if (user_groups(app->db, a, u->id, &all, &n, err) != 0)
		return -1;
	kept = arena_array(a, n + 1, sizeof *kept);
	for (size_t i = 0; i < n; i++) {
		if (!roster_has_group(app, all[i]))
			kept[id->n_groups++] = all[i];
	}
	id->groups = kept;
	return 0;
}

static int review_user(
    struct app *app, struct arena *a, const struct user *u, struct err *err)
{
	struct auth_identity id = { .name = u->name };
	struct rules_decision d;

	if (own_groups(app, a, u, &id, err) != 0)
		return -1;
	rules_decide_known(app->rules, roster_identity_known(app, a, &id), &d);
	if (!d.allowed)
		return log_out(app, u, &d, err);
	if (!u->admin || d.admin != RULES_ADMIN_NO)
		return 0;
	log_warn(&(struct log_ctx){ .user = u->name },
	    "no administrator any more: in none of auth.admin_groups",
	    "rule=%s", rules_reason_name(d.reason));
	return user_set_admin(app->db, u->id, false, err);
}

int review_people(
    struct app *app, const char *const *names, size_t n, struct err *err)
{
	int rc = 0;

	for (size_t i = 0; rc >= 0 && i < n; i++) {
		struct user u;
		struct arena a;

		arena_init(&a);
		rc = user_find(app->db, &a, names[i], &u, err);
		if (rc == 1)
			rc = review_user(app, &a, &u, err);
		arena_fini(&a);
	}
	return rc < 0 ? -1 : 0;
}

/* ---- who is blocked -------------------------------------------------------
 */

/* In a transaction; *n_out: how much of what gives power they had. */
static int strip(
    struct app *app, const struct user *u, int64_t *n_out, struct err *err)
{
	int64_t n_groups, n_roles;

	if (user_set_admin(app->db, u->id, false, err) != 0 ||
	    group_leave_all(app->db, u->id, &n_groups, err) != 0 ||
	    role_leave_all(app->db, u->id, &n_roles, err) != 0 ||
	    server_row_unwant_of(app->db, u->id, err) != 0)
		return -1;
	*n_out = (u->admin ? 1 : 0) + n_groups + n_roles;
	return 0;
}

static int block_user(struct app *app, const struct user *u, struct err *err)
{
	int64_t n;

	if (db_begin(app->db, err) != 0)
		return -1;
	if (strip(app, u, &n, err) != 0) {
		db_rollback(app->db);
		return -1;
	}
	if (db_commit(app->db, err) != 0)
		return -1;
	if (n > 0)
		log_warn(&(struct log_ctx){ .user = u->name },
		    "blocked: out of the hub's groups and roles",
		    "was_admin=%d", (int)u->admin);
	/* At the start none is known yet: it stops by what its row says. */
	servers_stop_all_of(app, u->id);
	return 0;
}

static int block_people(
    struct app *app, const char *const *names, size_t n, struct err *err)
{
	int rc = 0;

	for (size_t i = 0; rc >= 0 && i < n; i++) {
		struct user u;
		struct arena a;

		arena_init(&a);
		rc = user_find(app->db, &a, names[i], &u, err);
		if (rc == 1)
			rc = block_user(app, &u, err);
		arena_fini(&a);
	}
	return rc < 0 ? -1 : 0;
}

int review_blocked(struct app *app, struct err *err)
{
	const struct conf_strings *blocked = &app->cfg.rules.blocked_users;
	const char *const *in, **names;
	struct arena a;
	size_t n;
	int rc;

	if (blocked->n == 0)
		return 0;
	arena_init(&a);
	names = arena_array(&a, blocked->n, sizeof *names);
	for (size_t i = 0; i < blocked->n; i++) {
		char *name = arena_strdup(&a, blocked->items[i]);

		str_lower_ascii(name);
		names[i] = name;
	}
	rc = session_people(
	    app->db, &a, names, blocked->n, clock_wall_us(), &in, &n, err);
	if (rc == 0)
		rc = review_people(app, in, n, err);
	if (rc == 0)
		rc = block_people(app, names, blocked->n, err);
	arena_fini(&a);
	return rc;
}
