/*
 * What scopes permit: expansion, intersection, coverage, the check of a
 * request (contract/hub.md 7.2 to 7.6). See scope.h.
 */
#include <string.h>

#include "auth/scope.h"
#include "auth/scope_priv.h"
#include "base/str.h"

/* ---- effective sets ---- */

/* Unfiltered scopes absorb the filtered ones of their name. */
static void drop_marked(struct scope_set *s, const bool *marks)
{
	size_t kept = 0;

	for (size_t i = 0; i < s->n; i++)
		if (!marks[s->items[i].id])
			s->items[kept++] = s->items[i];
	s->n = kept;
}

static int add_reduced(struct scope_set *s, struct scope item, struct err *err)
{
	for (size_t i = 0; i < s->n; i++) {
		const struct scope *have = &s->items[i];

		if (have->id != item.id)
			continue;
		if (have->filter == FILTER_NONE || scope_same(have, &item))
			return 0;
	}
	if (item.filter == FILTER_NONE) {
		bool marks[SCOPE_IDS_MAX] = { false };

		marks[item.id] = true;
		drop_marked(s, marks);
	}
	return scope_set_push(s, item, err);
}

/* A scope on one server does not tell about the person. */
static bool keeps_filter(enum scope_id id, enum scope_filter filter)
{
	return filter != FILTER_SERVER ||
	       !str_starts(scope_name(id), "read:user");
}

/* Mark id and everything below it, once: custom ones may go in a circle. */
static void mark_below(enum scope_id id, enum scope_filter filter, bool *marks)
{
	enum scope_id todo[SCOPE_IDS_MAX];
	size_t n = 0;

	if (marks[id])
		return;
	marks[id] = true;
	todo[n++] = id;
	while (n > 0) {
		const enum scope_id *sub = scope_subs(todo[--n]);

		for (; *sub != SCOPE_N_IDS; sub++) {
			if (marks[*sub] || !keeps_filter(*sub, filter))
				continue;
			marks[*sub] = true;
			todo[n++] = *sub;
		}
	}
}

/* Scopes that follow each other and have one filter are expanded together: the
 * hierarchy brings most of them many times. */
struct batch {
	struct scope like; /* their filter and value */
	bool is_used, marks[SCOPE_IDS_MAX];
};

static int flush(struct batch *b, struct scope_set *out, struct err *err)
{
	struct scope item = b->like;
	bool are_new = out->n == 0 || item.filter == FILTER_NONE;
	size_t end = b->is_used ? scope_ids_end() : 0;

	if (b->is_used && item.filter == FILTER_NONE)
		drop_marked(out, b->marks);
	for (size_t i = 0; i < end; i++) {
		if (!b->marks[i])
			continue;
		item.id = (enum scope_id)i;
		if ((are_new ? scope_set_push(out, item, err)
			     : add_reduced(out, item, err)) < 0)
			return -1;
	}
	*b = (struct batch){ .is_used = false };
	return 0;
}

static int batch_add(
    struct batch *b, struct scope item, struct scope_set *out, struct err *err)
{
	if (b->is_used &&
	    (b->like.filter != item.filter ||
		!str_eq(b->like.value, item.value)) &&
	    flush(b, out, err) < 0)
		return -1;
	b->is_used = true;
	b->like = item;
	mark_below(item.id, item.filter, b->marks);
	return 0;
}

static int add_self(struct batch *b, const struct scope_context *ctx,
    struct scope_set *out, struct err *err)
{
	static const enum scope_id own[] = { SCOPE_READ_USERS,
		SCOPE_USERS_SHARES, SCOPE_READ_SHARES, SCOPE_USERS_ACTIVITY,
		SCOPE_SERVERS, SCOPE_TOKENS, SCOPE_ACCESS_SERVERS };

	if (ctx->user == NULL)
		return 0;
	for (size_t i = 0; i < sizeof own / sizeof own[0]; i++) {
		const struct scope item = { own[i], FILTER_USER, ctx->user };

		if (batch_add(b, item, out, err) < 0)
			return -1;
	}
	return 0;
}

/* What a self form means here; false: nothing. */
static bool resolve(struct scope *item, const struct scope_context *ctx)
{
	if (item->filter == FILTER_NONE || item->value != NULL)
		return true;
	switch (item->filter) {
	case FILTER_USER:
		item->value = ctx->user;
		break;
	case FILTER_SERVER:
		item->value = ctx->server;
		break;
	case FILTER_SERVICE:
		item->value = ctx->service;
		break;
	case FILTER_NONE:
	case FILTER_GROUP:
		break;
	}
	return item->value != NULL;
}

static int expand_one(struct batch *b, struct scope item,
    const struct scope_context *ctx, struct scope_set *out, struct err *err)
{
	if (item.id == SCOPE_INHERIT || item.id == SCOPE_NO_SCOPE)
		return 0;
	if (item.id == SCOPE_SELF)
		return add_self(b, ctx, out, err);
	if (!resolve(&item, ctx) || !keeps_filter(item.id, item.filter))
		return 0;
	return batch_add(b, item, out, err);
}

int scope_expand(const struct scope_set *raw, const struct scope_context *ctx,
    struct scope_set *out, struct err *err)
{
	struct batch b = { .is_used = false };

	for (size_t i = 0; i < raw->n; i++)
		if (expand_one(&b, raw->items[i], ctx, out, err) < 0)
			return -1;
	return flush(&b, out, err);
}

/* ---- two scopes ---- */

struct membership {
	scope_member_fn *fn;
	void *arg;
	struct arena *arena;
};

/* "alice/lab" -> "alice"; of a user filter the user. NULL: nobody's. */
static const char *owner_of(struct arena *a, const struct scope *s)
{
	if (s->filter == FILTER_USER)
		return s->value;
	if (s->filter == FILTER_SERVER)
		return arena_strndup(a, s->value, strcspn(s->value, "/"));
	return NULL;
}

/* Does `wide` permit all that `narrow` does? Names are the same. */
static bool covers(const struct scope *wide, const struct scope *narrow,
    const struct membership *m)
{
	const char *owner;

	if (wide->filter == FILTER_NONE)
		return true;
	if (narrow->filter == FILTER_NONE)
		return false;
	if (scope_same(wide, narrow))
		return true;
	if (wide->filter != FILTER_USER && wide->filter != FILTER_GROUP)
		return false;
	owner = owner_of(m->arena, narrow);
	if (owner == NULL)
		return false;
	if (wide->filter == FILTER_USER)
		return strcmp(owner, wide->value) == 0;
	return m->fn != NULL && m->fn(owner, wide->value, m->arg);
}

/* Two filters either lie one within the other or have nothing in common that
 * a filter could name (two groups). */
static int meet(const struct scope *a, const struct scope *b,
    const struct membership *m, struct scope_set *out, struct err *err)
{
	if (covers(a, b, m))
		return add_reduced(out, *b, err);
	if (covers(b, a, m))
		return add_reduced(out, *a, err);
	return 0;
}

int scope_intersect(const struct scope_set *a, const struct scope_set *b,
    scope_member_fn *member, void *arg, struct scope_set *out, struct err *err)
{
	const struct membership m = { member, arg, out->arena };

	for (size_t i = 0; i < a->n; i++) {
		for (size_t k = 0; k < b->n; k++) {
			if (a->items[i].id != b->items[k].id)
				continue;
			if (meet(&a->items[i], &b->items[k], &m, out, err) < 0)
				return -1;
		}
	}
	return 0;
}

static bool is_covered(const struct scope_set *outer, const struct scope *inner,
    const struct membership *m)
{
	for (size_t i = 0; i < outer->n; i++)
		if (outer->items[i].id == inner->id &&
		    covers(&outer->items[i], inner, m))
			return true;
	return false;
}

bool scope_covers(const struct scope_set *outer, const struct scope_set *inner,
    scope_member_fn *member, void *arg, const char **missing_out)
{
	const struct membership m = { member, arg, inner->arena };

	for (size_t i = 0; i < inner->n; i++) {
		if (is_covered(outer, &inner->items[i], &m))
			continue;
		if (missing_out != NULL)
			*missing_out =
			    scope_text(inner->arena, &inner->items[i]);
		return false;
	}
	return true;
}

/* ---- who may do what ---- */

int scope_effective_user(
    const char *user, bool admin, struct scope_set *out, struct err *err)
{
	const struct scope_context ctx = { .user = user };
	struct scope_set raw;

	scope_set_init(&raw, out->arena);
	if (scope_set_add_role(&raw, ROLE_USER, err) < 0 ||
	    (admin && scope_set_add_role(&raw, ROLE_ADMIN, err) < 0))
		return -1;
	return scope_expand(&raw, &ctx, out, err);
}

int scope_add_identify(struct scope_set *s, const char *user, struct err *err)
{
	const struct scope name = { SCOPE_READ_USERS_NAME, FILTER_USER, user };
	const struct scope groups = { SCOPE_READ_USERS_GROUPS, FILTER_USER,
		user };

	if (add_reduced(s, name, err) < 0)
		return -1;
	return add_reduced(s, groups, err);
}

int scope_add_identify_service(
    struct scope_set *s, const char *service, struct err *err)
{
	const struct scope name = { SCOPE_READ_SERVICES_NAME, FILTER_SERVICE,
		service };

	return add_reduced(s, name, err);
}

/* A client's tokens may always be used at the client itself. */
static int add_access(
    struct scope_set *s, const struct scope_context *ctx, struct err *err)
{
	const struct scope server = { SCOPE_ACCESS_SERVERS, FILTER_SERVER,
		ctx->server };
	const struct scope service = { SCOPE_ACCESS_SERVICES, FILTER_SERVICE,
		ctx->service };

	if (ctx->server != NULL && add_reduced(s, server, err) < 0)
		return -1;
	if (ctx->service != NULL && add_reduced(s, service, err) < 0)
		return -1;
	return 0;
}

static bool inherits(const struct scope_set *raw)
{
	for (size_t i = 0; i < raw->n; i++)
		if (raw->items[i].id == SCOPE_INHERIT)
			return true;
	return false;
}

int scope_effective_token(const struct scope_set *raw,
    const struct scope_context *ctx, const struct scope_set *owner,
    scope_member_fn *member, void *arg, struct scope_set *out, struct err *err)
{
	struct scope_set wanted;

	if (inherits(raw))
		return scope_set_join(out, owner, err);
	scope_set_init(&wanted, out->arena);
	if (scope_expand(raw, ctx, &wanted, err) < 0 ||
	    (ctx->user != NULL &&
		scope_add_identify(&wanted, ctx->user, err) < 0) ||
	    add_access(&wanted, ctx, err) < 0)
		return -1;
	return scope_intersect(&wanted, owner, member, arg, out, err);
}

/* ---- one request ---- */

static bool names_server(const char *value, const struct scope_resource *res)
{
	size_t len = strlen(res->user);

	return strncmp(value, res->user, len) == 0 && value[len] == '/' &&
	       strcmp(value + len + 1, res->server) == 0;
}

static bool permits(const struct scope *s, const struct scope_resource *res,
    scope_member_fn *member, void *arg)
{
	switch (s->filter) {
	case FILTER_NONE:
		return true;
	case FILTER_USER:
		return res->user != NULL && strcmp(s->value, res->user) == 0;
	case FILTER_SERVER:
		return res->user != NULL && res->server != NULL &&
		       names_server(s->value, res);
	case FILTER_GROUP:
		if (res->group != NULL)
			return strcmp(s->value, res->group) == 0;
		return res->user != NULL && member != NULL &&
		       member(res->user, s->value, arg);
	case FILTER_SERVICE:
		return res->service != NULL &&
		       strcmp(s->value, res->service) == 0;
	}
	return false;
}

/* Something is addressed: else a filtered scope is no scope for it. */
static bool is_addressed(const struct scope_resource *res)
{
	return res->user != NULL || res->group != NULL || res->service != NULL;
}

enum scope_verdict scope_check(const struct scope_set *s, enum scope_id id,
    const struct scope_resource *res, scope_member_fn *member, void *arg)
{
	bool held = false;

	for (size_t i = 0; i < s->n; i++) {
		if (s->items[i].id != id)
			continue;
		if (permits(&s->items[i], res, member, arg))
			return SCOPE_GRANTED;
		held = true;
	}
	return held && is_addressed(res) ? SCOPE_OTHER : SCOPE_DENIED;
}

bool scope_holds(
    const struct scope_set *s, enum scope_id id, enum scope_filter filter)
{
	for (size_t i = 0; i < s->n; i++)
		if (s->items[i].id == id && s->items[i].filter == filter)
			return true;
	return false;
}
