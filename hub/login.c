/*
 * Attempts: from the first form to the authenticator's last word. An attempt is
 * either with the authenticator (then a request waits for it) or with the
 * person (then a prompt was shown and no request waits). It belongs to the
 * browser that began it.
 *
 * Of a class that comes at once those above auth.max_logins wait for their turn
 * in the order in which they came: nobody has asked the authenticator about
 * them, and what they typed stands in their requests only.
 */
#include "hub/login.h"

#include <stdlib.h>
#include <string.h>

#include "base/list.h"
#include "base/log.h"
#include "base/mac.h"
#include "base/mem.h"
#include "base/rand.h"
#include "base/str.h"
#include "hub/attempt.h"

/* One name cannot be tried many times at once before the throttle sees how the
 * tries ended. */
#define SAME_NAME_MAX 4
#define STEPS_MAX     12
/* A request may wait for so long (the listener's own limit is 120 s). */
#define WAIT_MAX_MS   100000
/* Of it, before its login begins: what is left must do for that. */
#define QUEUE_MAX_MS  60000

struct attempt {
	struct list link;
	struct login *login;
	uint64_t id;
	char name[ATTEMPT_NAME_LEN + 1];
	char browser[SESSION_SECRET_LEN + 1];
	char *username;
	const struct attempt_ops *ops;
	int64_t over_ms; /* when the whole login is over */
	int64_t came_ms; /* when the request that waits came */
	unsigned n_steps;
	bool is_begun;       /* the authenticator knows it */
	struct req *waiting; /* NULL: with the person */
	/* Until it is begun; they live as long as that request. */
	const char *password;
	struct timer deadline;
};

struct login {
	struct app *app;
	struct list attempts; /* in the order in which they came */
	size_t n_begun, n_queued;
	uint64_t last_id;
	struct auth_sink sink;
	struct defer turn; /* the next ones of the queue begin */
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

static size_t count_queued_from(const struct login *l, const char *address)
{
	size_t n = 0;

	for (struct list *it = l->attempts.next; it != &l->attempts;
	     it = it->next) {
		const struct attempt *a = LIST_ITEM(it, struct attempt, link);
		n += !a->is_begun && str_eq(a->waiting->client, address);
	}
	return n;
}

static bool is_full(const struct login *l)
{
	return l->n_begun >= (size_t)l->app->cfg.max_logins;
}

static void on_turn(void *arg);

static void forget(struct attempt *a)
{
	struct login *l = a->login;

	timer_stop(&a->deadline);
	list_del(&a->link);
	if (a->is_begun)
		l->n_begun--;
	else
		l->n_queued--;
	if (a->waiting) {
		a->waiting->on_gone = NULL;
		a->waiting->state = NULL;
	}
	free(a->username);
	free(a);
	if (l->n_queued > 0)
		defer_call(l->app->loop, &l->turn, on_turn, l);
}

static void cancel(struct attempt *a)
{
	struct app *app = a->login->app;

	if (a->is_begun)
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
	enum auth_result res = a->is_begun ? AUTH_RES_TIMEOUT : AUTH_RES_LIMIT;

	(void)t;
	log_warn(&(struct log_ctx){ 0 }, "login took too long",
	    "steps=%u begun=%s", a->n_steps, a->is_begun ? "yes" : "no");
	if (r) {
		username = arena_strdup(&r->http->arena, username);
		cancel(a);
		ops->ended(r, username, res, NULL, "");
	} else {
		cancel(a);
	}
}

static void arm(struct attempt *a)
{
	struct loop *l = a->login->app->loop;
	int64_t now = loop_now_ms(l), over = a->over_ms;
	int64_t longest = a->is_begun ? WAIT_MAX_MS : QUEUE_MAX_MS;
	int64_t left;

	if (a->waiting && over > a->came_ms + longest)
		over = a->came_ms + longest;
	left = over - now;
	timer_start(l, &a->deadline, left > 0 ? left : 0, on_deadline, a);
}

static void wait_with(struct attempt *a, struct req *r)
{
	a->waiting = r;
	a->came_ms = loop_now_ms(a->login->app->loop);
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

/* ---- the queue ---------------------------------------------------- */

static void begin(struct attempt *a)
{
	struct login *l = a->login;
	struct app *app = l->app;
	const struct auth_form form = {
		.username = a->username,
		.password = a->password,
		.rhost = a->waiting->client,
	};

	a->is_begun = true;
	a->password = NULL;
	l->n_queued--;
	l->n_begun++;
	a->over_ms = loop_now_ms(app->loop) + app->cfg.login_timeout_s * 1000;
	arm(a);
	app->auth_kind->begin(app->auth, a->id, &form);
}

/* While it waited its name or address may have failed too often. */
static void begin_or_refuse(struct attempt *a)
{
	struct req *r = a->waiting;
	const struct attempt_ops *ops = a->ops;
	const char *username = arena_strdup(&r->http->arena, a->username);

	if (page_login_wait_s(r, username) == 0) {
		begin(a);
		return;
	}
	(void)take_waiting(a);
	forget(a);
	ops->must_wait(r, username);
}

static struct attempt *first_queued(struct login *l)
{
	list_for_each (it, &l->attempts) {
		struct attempt *a = LIST_ITEM(it, struct attempt, link);
		if (!a->is_begun)
			return a;
	}
	return NULL;
}

static void on_turn(void *arg)
{
	struct login *l = arg;

	while (l->n_queued > 0 && !is_full(l))
		begin_or_refuse(first_queued(l));
}

/* Half of the places are nobody's from one address. */
static bool has_place(const struct login *l, const struct req *r)
{
	size_t places = (size_t)l->app->cfg.max_waiting_logins;

	if (!is_full(l) && l->n_queued == 0)
		return true;
	return l->n_queued < places &&
	       count_queued_from(l, r->client) < (places + 1) / 2;
}

/* ---- for the pages ------------------------------------------------ */

int attempt_begin(struct req *r, const char *username, const char *password,
    const struct attempt_ops *ops, struct err *err)
{
	struct app *app = r->app;
	struct login *l = app->login;

	if (!has_place(l, r))
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
	a->password = password;
	a->over_ms = INT64_MAX;
	rand_hex(a->name, ATTEMPT_NAME_LEN);
	memcpy(a->browser, r->cookies.browser, sizeof a->browser);
	list_add_tail(&l->attempts, &a->link);
	l->n_queued++;
	wait_with(a, r);
	if (l->n_queued == 1 && !is_full(l))
		begin(a);
	return 0;
}

/* Other logins failed while the person was asked: who has many of them open
 * has no more tries than who has one. */
static void must_wait(struct attempt *a, struct req *r)
{
	const struct attempt_ops *ops = a->ops;
	const char *username = arena_strdup(&r->http->arena, a->username);

	cancel(a);
	ops->must_wait(r, username);
}

int attempt_answer(
    struct req *r, const char *attempt, const char *answer, struct err *err)
{
	struct app *app = r->app;
	struct attempt *a = by_name(app->login, attempt, r->cookies.browser);

	if (!a || a->waiting)
		return err_set(err, ERR_NOT_FOUND,
		    "This login is over. Please start again.");
	if (page_login_wait_s(r, a->username) > 0) {
		must_wait(a, r);
		return 0;
	}
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
	defer_cancel(&(*l)->turn);
	free(*l);
	*l = NULL;
}

const struct auth_sink *login_sink(struct login *l)
{
	return &l->sink;
}

size_t login_count(const struct login *l)
{
	return l->n_begun;
}

size_t login_count_waiting(const struct login *l)
{
	return l->n_queued;
}
