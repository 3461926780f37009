/*
 * See visitors.h. Once in a while it is looked whose visit is over. Their
 * servers are stopped first; who has none that runs is deleted.
 */
#include "hub/visitors.h"

#include <stdlib.h>

#include "auth/throttle.h"
#include "auth/tmp.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "db/session.h"
#include "db/visitor.h"
#include "hub/attempt.h"
#include "hub/server.h"

#define LOOK_MS   5000
#define LOOK_MAX  200
/* A visitor's first server is started within this time. */
#define SETTLE_US (INT64_C(120) * 1000000)

struct visitors {
	struct app *app;
	struct timer timer;
};

/* ---- coming -------------------------------------------------------------- */

bool visitors_are_taken(const struct app *app)
{
	return app->auth_kind == &authenticator_tmp;
}

/* One browser without cookies does not take all places. */
static int64_t wait_s(struct req *r)
{
	int64_t wait =
	    throttle_newcomer_wait_s(r->app->throttle, "visit", r->client);

	if (wait == 0)
		throttle_newcomer(r->app->throttle, "visit", r->client);
	return wait;
}

static void refuse_wait(struct req *r, int64_t wait)
{
	char text[160];

	if (str_format(text, sizeof text,
		"Many people came from your address just now. Try again in "
		"%lld seconds.",
		(long long)wait) != 0)
		text[0] = '\0';
	page_login_problem(r, 429, text);
}

void visitor_login(struct req *r)
{
	const struct tmp_policy *policy = tmp_policy_of(r->app->auth);
	char name[TMP_NAME_LEN + 1];
	const struct auth_identity id = {
		.name = name,
		.lifetime_s = policy->lifetime_s,
	};
	struct err err = { 0 };
	int64_t n, wait;

	tmp_name(name);
	if (visitor_count(r->app->db, &n, &err) != 0) {
		reply_err(r, &err);
		return;
	}
	if (n >= policy->max_visitors) {
		page_login_problem(r, 503,
		    "All places are taken at the moment. Try again later.");
		return;
	}
	wait = wait_s(r);
	if (wait > 0)
		refuse_wait(r, wait);
	else
		page_login_ended(r, name, AUTH_RES_OK, &id, "");
}

/* ---- going --------------------------------------------------------------- */

/* false: one of them has not come to rest yet. */
static bool stop_servers(struct app *app, int64_t user_id, struct err *err)
{
	struct server *s;
	size_t pos = 0;

	while ((s = server_next_of(app, user_id, &pos)) != NULL) {
		if (server_stop(app, s, err) != 0)
			return false;
	}
	/* A failed start that was remembered is forgotten by now. */
	pos = 0;
	return server_next_of(app, user_id, &pos) == NULL;
}

/* Their start has failed, and the page says why for a while. */
static bool is_reading_why(struct app *app, const struct visitor *v)
{
	size_t pos = 0;

	return v->is_logged_in && v->until_us > clock_wall_us() &&
	       server_next_of(app, v->user_id, &pos) != NULL;
}

static void end_visit(struct app *app, const struct visitor *v)
{
	const struct log_ctx ctx = { .user = v->name };
	struct err err = { 0 };

	if (is_reading_why(app, v))
		return;
	/* From here on they start nothing any more. */
	if (session_end_all(app->db, v->user_id, &err) == 0 &&
	    stop_servers(app, v->user_id, &err) &&
	    user_delete(app->db, v->user_id, &err) == 0)
		log_info(&ctx, "the visit is over", "minutes=%lld",
		    (long long)((clock_wall_us() - v->since_us) / 60000000));
	else if (err.code != ERR_NONE && err.code != ERR_BUSY)
		log_warn(&ctx, "a visitor cannot be deleted", "why=\"%s\"",
		    err.text);
}

static void look(struct app *app)
{
	int64_t now = clock_wall_us();
	struct visitor *over;
	struct err err = { 0 };
	struct arena a;
	size_t n = 0;

	arena_init(&a);
	if (visitor_list_over(app->db, &a, now, now - SETTLE_US, LOOK_MAX,
		&over, &n, &err) != 0)
		log_error(NULL, "visitors cannot be looked up", "why=\"%s\"",
		    err.text);
	else
		for (size_t i = 0; i < n; i++)
			end_visit(app, &over[i]);
	arena_fini(&a);
}

static void on_look(struct timer *t, void *arg)
{
	struct visitors *v = arg;

	look(v->app);
	timer_start(v->app->loop, t, LOOK_MS, on_look, v);
}

struct visitors *visitors_open(struct app *app)
{
	struct visitors *v = xcalloc(1, sizeof *v);
	struct err err = { 0 };
	int64_t n = 0;

	v->app = app;
	if (visitors_are_taken(app) || visitor_count(app->db, &n, &err) != 0 ||
	    n > 0)
		timer_start(app->loop, &v->timer, LOOK_MS, on_look, v);
	return v;
}

void visitors_close(struct visitors **v)
{
	if (!*v)
		return;
	timer_stop(&(*v)->timer);
	free(*v);
	*v = NULL;
}
