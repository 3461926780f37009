/*
 * Attempts: from the first form to the authenticator's last word. An attempt is
 * either with the authenticator (then a request waits for it) or with the
 * person (then a prompt was shown and no request waits). It belongs to the
 * browser that began it.
 */
#include "hub/login.h"

#include <stdlib.h>
#include <string.h>

#include "base/list.h"
#include "base/log.h"
#include "base/mac.h"
#include "base/mem.h"
#include "base/rand.h"
#include "hub/attempt.h"

/* One name cannot be tried many times at once before the throttle sees how the
 * tries ended. */
#define SAME_NAME_MAX 4
#define STEPS_MAX     12
/* A request may wait for so long (the listener's own limit is 120 s). */
#define WAIT_MAX_MS   100000

struct attempt {
	struct list link;
	struct login *login;
	uint64_t id;
	char name[ATTEMPT_NAME_LEN + 1];
	char browser[SESSION_SECRET_LEN + 1];
	char *username;
	const struct attempt_ops *ops;
	int64_t over_ms; /* when the whole login is over */
	unsigned n_steps;
	struct req *waiting; /* NULL: with the person */
	struct timer deadline;
};

struct login {
	struct app *app;
	struct list attempts;
	size_t n;
	uint64_t last_id;
	struct auth_sink sink;
};

/* ---- the list ----------------------------------------------------- */

static struct attempt *by_id(struct login *l, uint64_t id)
{
	list_for_each (it, &l->attempts) {
		struct attempt *a = LIST_ITEM(it, struct attempt, link);
		if (a->id == id)
			return a;
	}
	return NULL;
}

/* The name is 128 random bits; another browser's is as unknown as none. */
static struct attempt *by_name(
    struct login *l, const char *name, const char *browser)
{
	list_for_each (it, &l->attempts) {
		struct attempt *a = LIST_ITEM(it, struct attempt, link);
		if (mac_equal_str(a->name, name) &&
		    mac_equal_str(a->browser, browser))
			return a;
	}
	return NULL;
}

static size_t count_asked(const struct login *l, const char *username)
{
	size_t n = 0;

	for (struct list *it = l->attempts.next; it != &l->attempts;
	     it = it->next) {
		const struct attempt *a = LIST_ITEM(it, struct attempt, link);
		n += a->waiting && !strcmp(a->username, username);
	}
	return n;
}

static void forget(struct attempt *a)
{
	timer_stop(&a->deadline);
	list_del(&a->link);
	a->login->n--;
	if (a->waiting) {
		a->waiting->on_gone = NULL;
		a->waiting->state = NULL;
	}
	free(a->username);
	free(a);
}

static void cancel(struct attempt *a)
{
	struct app *app = a->login->app;

	app->auth_kind->cancel(app->auth, a->id);
	forget(a);
}

/* ---- waiting ------------------------------------------------------ */

/* The browser left while we waited: nobody will answer. */
static void on_gone(struct req *r)
{
	struct attempt *a = r->state;

	if (a)
		cancel(a);
}

static void on_deadline(struct timer *t, void *arg)
{
	struct attempt *a = arg;
	struct req *r = a->waiting;
	const struct attempt_ops *ops = a->ops;
	const char *username = a->username;

	(void)t;
	log_warn(&(struct log_ctx){ 0 }, "login took too long", "steps=%u",
	    a->n_steps);
	if (r) {
		username = arena_strdup(&r->http->arena, username);
		cancel(a);
		ops->ended(r, username, AUTH_RES_TIMEOUT, NULL, "");
	} else {
		cancel(a);
	}
}

static void arm(struct attempt *a)
{
	struct loop *l = a->login->app->loop;
	int64_t left = a->over_ms - loop_now_ms(l);

	if (a->waiting && left > WAIT_MAX_MS)
		left = WAIT_MAX_MS;
	timer_start(l, &a->deadline, left > 0 ? left : 0, on_deadline, a);
}

static void wait_with(struct attempt *a, struct req *r)
{
	a->waiting = r;
	r->state = a;
	r->on_gone = on_gone;
	arm(a);
}

/* The request that waits, which is about to be answered. */
static struct req *take_waiting(struct attempt *a)
{
	struct req *r = a->waiting;

	a->waiting = NULL;
	if (r) {
		r->on_gone = NULL;
		r->state = NULL;
	}
	return r;
}

/* ---- for the pages ------------------------------------------------ */

int attempt_begin(struct req *r, const char *username, const char *password,
    const struct attempt_ops *ops, struct err *err)
{
	struct app *app = r->app;
	struct login *l = app->login;

	if (l->n >= (size_t)app->cfg.max_logins)
		return err_set(err, ERR_LIMIT,
		    "Too many people are logging in right now. Try again in a "
		    "few seconds.");
	if (count_asked(l, username) >= SAME_NAME_MAX)
		return err_set(err, ERR_LIMIT,
		    "Several logins with this name are under way. Try again in "
		    "a few seconds.");
	struct attempt *a = xcalloc(1, sizeof *a);
	a->login = l;
	a->id = ++l->last_id;
	a->username = xstrdup(username);
	a->ops = ops;
	a->over_ms = loop_now_ms(app->loop) + app->cfg.login_timeout_s * 1000;
	rand_hex(a->name, ATTEMPT_NAME_LEN);
	memcpy(a->browser, r->cookies.browser, sizeof a->browser);
	list_add_tail(&l->attempts, &a->link);
	l->n++;
	wait_with(a, r);
	const struct auth_form form = {
		.username = username,
		.password = password,
		.rhost = r->client,
	};
	app->auth_kind->begin(app->auth, a->id, &form);
	return 0;
}

int attempt_answer(
    struct req *r, const char *attempt, const char *answer, struct err *err)
{
	struct app *app = r->app;
	struct attempt *a = by_name(app->login, attempt, r->cookies.browser);

	if (!a || a->waiting)
		return err_set(err, ERR_NOT_FOUND,
		    "This login is over. Please start again.");
	wait_with(a, r);
	app->auth_kind->reply(app->auth, a->id, answer);
	return 0;
}

/* ---- for the authenticator ---------------------------------------- */

static void on_prompt(uint64_t id, const char *text, bool echo, void *arg)
{
	struct attempt *a = by_id(arg, id);

	if (!a || !a->waiting)
		return;
	const struct attempt_ops *ops = a->ops;
	if (!ops->prompt || ++a->n_steps > STEPS_MAX) {
		struct req *r = take_waiting(a);
		cancel(a);
		ops->ended(r, "", AUTH_RES_UNAVAILABLE, NULL,
		    "The login asks too many questions.");
		return;
	}
	const struct attempt_prompt p = {
		.attempt = a->name,
		.username = a->username,
		.text = text,
		.echo = echo,
	};
	struct req *r = take_waiting(a);
	arm(a);
	ops->prompt(r, &p);
}

static void on_done(uint64_t id, enum auth_result res,
    const struct auth_identity *identity, const char *text, void *arg)
{
	struct attempt *a = by_id(arg, id);

	if (!a)
		return;
	struct req *r = take_waiting(a);
	if (!r) {
		forget(a);
		return;
	}
	const char *username = arena_strdup(&r->http->arena, a->username);
	const struct attempt_ops *ops = a->ops;
	forget(a);
	ops->ended(r, username, res, identity, text ? text : "");
}

/* ---- life --------------------------------------------------------- */

struct login *login_new(struct app *app)
{
	struct login *l = xcalloc(1, sizeof *l);

	l->app = app;
	list_init(&l->attempts);
	l->sink = (struct auth_sink){
		.prompt = on_prompt,
		.done = on_done,
		.arg = l,
	};
	return l;
}

void login_free(struct login **l)
{
	if (!*l)
		return;
	while (!list_empty(&(*l)->attempts)) {
		struct attempt *a =
		    LIST_ITEM((*l)->attempts.next, struct attempt, link);
		struct req *r = take_waiting(a);
		cancel(a);
		if (r)
			reply_refusal(r, 503, "The hub is being stopped.");
	}
	free(*l);
	*l = NULL;
}

const struct auth_sink *login_sink(struct login *l)
{
	return &l->sink;
}

size_t login_count(const struct login *l)
{
	return l->n;
}
