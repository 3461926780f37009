/*
 * See lti.h: what LTI 1.3 and 1.1 share.
 */
#include "auth/lti.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "auth/lti_priv.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/str.h"

#define ATTEMPTS_MAX 10000
#define WHY_MAX      400

#define TEXT_REFUSED                                                           \
	"Your way here from the course could not be accepted. Please open "    \
	"the link in the course again; if it stays so, tell the "              \
	"administrator of this hub."

struct lti *lti_of(const struct authenticator *au)
{
	assert(lti_is(au));
	return (struct lti *)(void *)au;
}

bool lti_is(const struct authenticator *au)
{
	return au->kind == &authenticator_lti13 ||
	       au->kind == &authenticator_lti11;
}

const char *lti_name(const struct authenticator *au)
{
	return lti_of(au)->opt.name;
}

const char *lti_label(const struct authenticator *au)
{
	return lti_of(au)->opt.label;
}

bool lti_has_prefix(const struct authenticator *au)
{
	return lti_of(au)->opt.username_prefix != NULL;
}

const char *lti_once(const struct url_pairs *args, const char *name, size_t max)
{
	const char *value = url_pair_get(args, name);
	size_t len = value ? strlen(value) : 0;

	if (len == 0 || len > max || url_pair_count(args, name) != 1 ||
	    str_has_control(value, len))
		return NULL;
	return value;
}

/* ---- attempts ------------------------------------------------------------ */

/* Nothing comes any more; from here on the owner may be gone. */
static void detach(struct lti_attempt *at)
{
	if (!at->owner)
		return;
	defer_cancel(&at->ending);
	oidc_wait_stop(&at->wait);
	list_del(&at->link);
	at->owner->n--;
	at->owner = NULL;
}

static void attempt_free(struct lti_attempt *at)
{
	detach(at);
	json_decref(at->claims);
	json_decref(at->launch.state);
	arena_fini(&at->arena);
	free(at);
}

static const char *const *prefixed_groups(
    struct lti_attempt *at, const char *prefix)
{
	const struct conf_strings *groups = &at->launch.groups;
	const char **out =
	    arena_array(&at->arena, groups->n + 1, sizeof(const char *));

	for (size_t i = 0; i < groups->n; i++)
		out[i] =
		    arena_printf(&at->arena, "%s%s", prefix, groups->items[i]);
	return out;
}

/* Detached before the sink is called, which may do anything. */
static void on_ending(void *arg)
{
	struct lti_attempt *at = arg;
	const struct auth_sink *sink = at->owner->sink;
	const struct auth_identity identity = {
		.name = at->launch.name,
		.groups = prefixed_groups(at, at->owner->opt.group_prefix),
		.n_groups = at->launch.groups.n,
		.source = at->launch.source,
		.subject = at->launch.subject,
		.next = at->launch.next,
		.state = at->launch.state,
	};

	detach(at);
	if (at->res == AUTH_RES_OK)
		sink->done(at->id, AUTH_RES_OK, &identity, "", sink->arg);
	else
		sink->done(at->id, at->res, NULL, at->text, sink->arg);
	attempt_free(at);
}

void lti_accept(struct lti_attempt *at)
{
	at->res = AUTH_RES_OK;
	defer_call(at->owner->loop, &at->ending, on_ending, at);
}

static void end(struct lti_attempt *at, enum auth_result res, const char *text,
    const char *why)
{
	char shown[WHY_MAX];

	str_printable(shown, sizeof shown, why, strlen(why));
	log_warn(NULL, "a login by a provider failed", "provider=%s why=\"%s\"",
	    at->owner->opt.name, shown);
	at->res = res;
	at->text = text;
	defer_call(at->owner->loop, &at->ending, on_ending, at);
}

void lti_refuse(struct lti_attempt *at, const char *text, const char *why)
{
	end(at, AUTH_RES_DENIED, text ? text : TEXT_REFUSED, why);
}

void lti_unavailable(struct lti_attempt *at, const char *why)
{
	end(at, AUTH_RES_UNAVAILABLE,
	    arena_printf(&at->arena,
		"%s cannot be asked right now. Open the link in the course "
		"again in a few seconds; if it stays so, the administrator "
		"finds the reason in the hub's log.",
		at->owner->opt.label),
	    why);
}

struct lti_attempt *lti_begin(struct lti *o, uint64_t id)
{
	struct lti_attempt *at = xcalloc(1, sizeof *at);

	at->owner = o;
	at->id = id;
	arena_init(&at->arena);
	list_add_tail(&o->attempts, &at->link);
	o->n++;
	if (o->n <= ATTEMPTS_MAX)
		return at;
	end(at, AUTH_RES_LIMIT,
	    "Too many logins are under way. Try again in a few seconds.",
	    "too many at a time");
	return NULL;
}

void lti_cancel(struct authenticator *au, uint64_t id)
{
	struct lti *o = lti_of(au);

	list_for_each (it, &o->attempts) {
		struct lti_attempt *at =
		    LIST_ITEM(it, struct lti_attempt, link);

		if (at->id == id)
			attempt_free(at);
	}
}

/* ---- life ---------------------------------------------------------------- */

void lti_close(struct authenticator **au)
{
	struct lti *o;

	if (!*au)
		return;
	o = lti_of(*au);
	*au = NULL;
	list_for_each (it, &o->attempts)
		attempt_free(LIST_ITEM(it, struct lti_attempt, link));
	oidc_free(&o->oidc);
	free(o->nonces);
	arena_fini(&o->arena);
	free(o);
}

struct lti *lti_open(const struct auth_env *env,
    const struct authenticator_kind *kind, lti_options_fn *read,
    struct err *err)
{
	const char *file = env->file ? env->file : "configuration";
	struct lti *o = xcalloc(1, sizeof *o);
	struct authenticator *au = &o->base;

	o->base.kind = kind;
	o->loop = env->loop;
	o->fetcher = env->fetcher;
	o->sink = env->sink;
	arena_init(&o->arena);
	list_init(&o->attempts);
	if (read(&o->arena, env->options, file, &o->opt, err) == 0) {
		if (env->hub_url) {
			o->hub_url = arena_strdup(&o->arena, env->hub_url);
			return o;
		}
		(void)err_set(err, ERR_INVALID,
		    "%s: provider \"%s\": where people are sent to is not "
		    "known: set \"hub.public_url\"",
		    file, o->opt.name);
	}
	lti_close(&au);
	return NULL;
}
