/*
 * See refresh.h.
 */
#include "hub/refresh.h"

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/list.h"
#include "base/log.h"
#include "base/map.h"
#include "base/mem.h"
#include "db/login_state.h"
#include "db/session.h"
#include "hub/audit.h"
#include "hub/auth_state.h"
#include "hub/entry.h"
#include "hub/providers.h"
#include "hub/roster.h"

#define AGAIN_S    60    /* after a provider could not be asked */
#define DEADLINE_S 60    /* of one question */
#define KNOWN_MAX  10000 /* people remembered; then all are forgotten */

/* What the database says of a person's login. */
struct known {
	int64_t next_us; /* when to ask again */
	bool can_ask, refused;
};

/* One question. */
struct asking {
	struct list link;
	struct refresh *owner;
	int64_t user_id;
	char *user_name, *via;
	uint64_t id;         /* providers_refresh's */
	struct list waiters; /* struct waiter */
	struct timer deadline;
};

struct waiter {
	struct list link;
	struct req *req;
};

struct refresh {
	struct app *app;
	struct map *known; /* user id (its bytes) -> struct known */
	struct list askings;
};

/* ---- what is known ------------------------------------------------------- */

static struct slice key_of(const int64_t *user_id)
{
	return slice_make((const char *)user_id, sizeof *user_id);
}

static void forget_all(struct refresh *rf)
{
	size_t pos = 0;
	const char *key;
	void *k;

	while (map_next(rf->known, &pos, &key, &k))
		free(k);
	map_free(&rf->known);
	rf->known = map_new();
}

void refresh_forget(struct refresh *rf, int64_t user_id)
{
	if (rf)
		free(map_del(rf->known, key_of(&user_id)));
}

static int64_t next_us(const struct refresh *rf, int64_t checked_us)
{
	int64_t age_s = rf->app->cfg.auth_refresh_age_s;

	return age_s == 0 ? INT64_MAX : checked_us + age_s * 1000000;
}

static struct known *remember(
    struct refresh *rf, int64_t user_id, const struct known *k)
{
	struct known *copy = xcalloc(1, sizeof *copy);

	if (map_count(rf->known) >= KNOWN_MAX)
		forget_all(rf);
	*copy = *k;
	free(map_put(rf->known, key_of(&user_id), copy));
	return copy;
}

/* NULL: the database failed. */
static struct known *know(struct refresh *rf, int64_t user_id, struct err *err)
{
	struct known *k = map_get(rf->known, key_of(&user_id)), found = { 0 };
	struct login_state row;
	struct arena a;
	int rc;

	if (k)
		return k;
	arena_init(&a);
	rc = login_state_find(rf->app->db, &a, user_id, &row, err);
	if (rc == 1) {
		found.refused = row.refused;
		found.can_ask =
		    *row.via && providers_has(rf->app->providers, row.via);
		found.next_us = next_us(rf, row.checked_us);
	}
	arena_fini(&a);
	return rc < 0 ? NULL : remember(rf, user_id, &found);
}

/* ---- waiting ------------------------------------------------------------- */

static void on_gone(struct req *r)
{
	struct waiter *w = r->state;

	if (w)
		list_del(&w->link);
}

static void wait_for(struct asking *as, struct req *r)
{
	struct waiter *w = arena_alloc(&r->http->arena, sizeof *w);

	w->req = r;
	list_add_tail(&as->waiters, &w->link);
	r->state = w;
	r->on_gone = on_gone;
}

static struct req *take_waiter(struct asking *as)
{
	struct waiter *w = LIST_ITEM(as->waiters.next, struct waiter, link);
	struct req *r = w->req;

	list_del(&w->link);
	r->state = NULL;
	r->on_gone = NULL;
	return r;
}

static void asking_free(struct asking *as)
{
	timer_stop(&as->deadline);
	list_del(&as->link);
	free(as->user_name);
	free(as->via);
	free(as);
}

/* They go on as who they are now. */
static void wake(struct asking *as)
{
	while (!list_empty(&as->waiters)) {
		struct req *r = take_waiter(as);

		r->is_refreshed = true;
		route_again(r);
	}
	asking_free(as);
}

/* ---- what came of it ----------------------------------------------------- */

static int in_transaction(struct asking *as, struct err *err,
    int (*write)(struct asking *as, void *arg, struct err *err), void *arg)
{
	struct db *db = as->owner->app->db;

	if (db_begin(db, err) != 0)
		return -1;
	if (write(as, arg, err) == 0 && db_commit(db, err) == 0)
		return 0;
	db_rollback(db);
	return -1;
}

static int write_refusal(struct asking *as, void *arg, struct err *err)
{
	struct db *db = as->owner->app->db;

	(void)arg;
	if (login_state_refuse(db, as->user_id, clock_wall_us(), err) != 0)
		return -1;
	return session_end_all(db, as->user_id, err);
}

static void refuse(struct asking *as, const char *why)
{
	struct app *app = as->owner->app;
	const struct known k = { .can_ask = true, .refused = true };
	struct err err = { 0 };

	log_warn(&(struct log_ctx){ .user = as->user_name },
	    "logged out: the provider was asked again",
	    "provider=%s why=\"%s\"", as->via, why);
	audit_login_ended(app, as->user_name, why);
	if (in_transaction(as, &err, write_refusal, NULL) != 0)
		log_error(NULL, "a refusal could not be written", "why=\"%s\"",
		    err.text);
	/* Whatever the disk says. */
	(void)remember(as->owner, as->user_id, &k);
}

static int write_entry(struct asking *as, void *arg, struct err *err)
{
	struct user user;
	struct arena a;
	int rc;

	arena_init(&a);
	rc = entry_write(as->owner->app, &a, arg, &user, err);
	arena_fini(&a);
	return rc;
}

static int write_state(struct asking *as, void *arg, struct err *err)
{
	struct app *app = as->owner->app;
	struct login_state row = {
		.via = as->via,
		.checked_us = clock_wall_us(),
	};
	struct arena a;
	int rc;

	arena_init(&a);
	row.sealed = auth_state_seal(app, &a, as->user_id, arg);
	rc = login_state_put(app->db, as->user_id, &row, err);
	arena_fini(&a);
	return rc;
}

static void try_later(struct asking *as, const char *why)
{
	const struct known k = {
		.can_ask = true,
		.next_us = clock_wall_us() + AGAIN_S * (int64_t)1000000,
	};

	log_warn(&(struct log_ctx){ .user = as->user_name },
	    "the provider could not be asked again", "provider=%s why=\"%s\"",
	    as->via, why);
	(void)remember(as->owner, as->user_id, &k);
}

static void is_still_as(struct asking *as, const struct auth_identity *id)
{
	struct app *app = as->owner->app;
	const struct known k = {
		.can_ask = true,
		.next_us = next_us(as->owner, clock_wall_us()),
	};
	struct rules_decision d = { .allowed = true };
	struct entry e = { .id = id, .decision = &d, .via = as->via };
	struct err err = { 0 };
	int rc;

	if (!id || !id->name) {
		rc = in_transaction(as, &err, write_state,
		    id ? (void *)(uintptr_t)id->state : NULL);
	} else {
		rules_decide(app->rules, id, &d);
		if (!d.allowed || !str_eq(d.name, as->user_name)) {
			refuse(as,
			    d.allowed ? "they have another name now" : d.text);
			return;
		}
		rc = in_transaction(as, &err, write_entry, &e);
	}
	if (rc == 0)
		(void)remember(as->owner, as->user_id, &k);
	else if (err.code == ERR_DENIED)
		refuse(as, err.text);
	else
		try_later(as, err.text);
}

static void is_still(struct asking *as, const struct auth_identity *id)
{
	struct arena a;

	arena_init(&a);
	is_still_as(as, id ? roster_identity(as->owner->app, &a, id) : NULL);
	arena_fini(&a);
}

static void on_answer(enum auth_result res, const struct auth_identity *id,
    const char *text, void *arg)
{
	struct asking *as = arg;

	if (res == AUTH_RES_OK)
		is_still(as, id);
	else if (res == AUTH_RES_DENIED || res == AUTH_RES_EXPIRED)
		refuse(as, text);
	else
		try_later(as, text);
	wake(as);
}

static void on_deadline(struct timer *t, void *arg)
{
	struct asking *as = arg;

	(void)t;
	providers_refresh_cancel(as->owner->app->providers, as->id);
	try_later(as, "it took too long");
	wake(as);
}

/* ---- asking -------------------------------------------------------------- */

static struct asking *find_asking(struct refresh *rf, int64_t user_id)
{
	list_for_each (it, &rf->askings) {
		struct asking *as = LIST_ITEM(it, struct asking, link);

		if (as->user_id == user_id)
			return as;
	}
	return NULL;
}

static struct asking *asking_new(
    struct refresh *rf, const struct principal *who, const char *via)
{
	struct asking *as = xcalloc(1, sizeof *as);

	as->owner = rf;
	as->user_id = who->user_id;
	as->user_name = xstrdup(who->user_name);
	as->via = xstrdup(via);
	list_init(&as->waiters);
	list_add_tail(&rf->askings, &as->link);
	timer_start(
	    rf->app->loop, &as->deadline, DEADLINE_S * 1000, on_deadline, as);
	return as;
}

/* NULL: it failed, or nothing was kept to ask with (the keys are lost, or it
 * was not kept then): they log in again. */
static struct asking *ask(
    struct refresh *rf, const struct principal *who, struct err *err)
{
	struct app *app = rf->app;
	struct login_state row = { 0 };
	struct asking *as = NULL;
	json_t *state = NULL;
	struct arena a;

	arena_init(&a);
	if (login_state_find(app->db, &a, who->user_id, &row, err) == 1) {
		as = asking_new(rf, who, row.via);
		state = auth_state_unseal(app, who->user_id, &row);
	}
	if (state) {
		as->id = providers_refresh(
		    app->providers, row.via, state, on_answer, as);
	} else if (as) {
		refuse(as, "nothing was kept to ask the provider with");
		asking_free(as);
		as = NULL;
	}
	json_decref(state);
	arena_fini(&a);
	return as;
}

enum refresh_verdict refresh_check(struct req *r, bool now, struct err *err)
{
	struct refresh *rf = r->app->refresh;
	struct asking *as;
	struct known *k;

	if (!rf || r->who.kind == PRINCIPAL_NONE || r->who.user_id == 0)
		return REFRESH_FRESH;
	k = know(rf, r->who.user_id, err);
	if (!k)
		return REFRESH_ERROR;
	if (k->refused)
		return REFRESH_REFUSED;
	/* A notebook's own calls are not its owner's coming. */
	if (!k->can_ask || r->is_refreshed || r->who.server_id != 0 ||
	    (!now && clock_wall_us() < k->next_us))
		return REFRESH_FRESH;
	as = find_asking(rf, r->who.user_id);
	if (!as)
		as = ask(rf, &r->who, err);
	if (!as)
		return err->code == ERR_NONE ? REFRESH_REFUSED : REFRESH_ERROR;
	wait_for(as, r);
	return REFRESH_WAITS;
}

/* ---- life ---------------------------------------------------------------- */

struct refresh *refresh_open(struct app *app)
{
	struct refresh *rf;

	if (!app->cfg.enable_auth_state || !app->providers)
		return NULL;
	rf = xcalloc(1, sizeof *rf);
	rf->app = app;
	rf->known = map_new();
	list_init(&rf->askings);
	return rf;
}

void refresh_close(struct refresh **pp)
{
	struct refresh *rf = *pp;

	*pp = NULL;
	if (!rf)
		return;
	while (!list_empty(&rf->askings)) {
		struct asking *as =
		    LIST_ITEM(rf->askings.next, struct asking, link);

		providers_refresh_cancel(rf->app->providers, as->id);
		while (!list_empty(&as->waiters))
			reply_refusal(
			    take_waiter(as), 503, "The hub is being stopped.");
		asking_free(as);
	}
	forget_all(rf);
	map_free(&rf->known);
	free(rf);
}
