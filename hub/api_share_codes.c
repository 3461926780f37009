/*
 * Share codes over REST (contract/hub.md 1.12): an owner gives a code away, and
 * who shows it gets a share (hub/page_share.c).
 */
#include <inttypes.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/num.h"
#include "db/share_code.h"
#include "hub/body.h"
#include "hub/handlers.h"
#include "hub/model.h"
#include "hub/paging.h"
#include "hub/share.h"
#include "hub/web.h"

#define EXPIRES_MIN_S     60
#define EXPIRES_MAX_S     31536000
#define EXPIRES_DEFAULT_S 86400
#define CODES_MAX         1000 /* of one server at a time */

static json_t *code_model(struct req *r, const struct share_code *c)
{
	return json_pack("{s:o, s:o, s:o, s:o, s:o, s:I, s:o}", "server",
	    shared_server_model(r, c->owner, c->server), "scopes",
	    share_scopes_model(r, c->scopes, c->owner, c->server), "id",
	    json_sprintf("sc_%" PRId64, c->id), "created_at",
	    model_time(c->created_us), "expires_at", model_time(c->expires_us),
	    "exchange_count", (json_int_t)c->exchange_count,
	    "last_exchanged_at", model_time(c->last_exchanged_us));
}

/* ---- listings ----------------------------------------------------- */

static void reply_list(struct req *r, int64_t owner_id, int64_t server_id)
{
	struct share_code_query q = { .owner_id = owner_id,
		.server_id = server_id,
		.now_us = clock_wall_us() };
	struct paging page;
	struct share_code *codes;
	int64_t total = 0;
	size_t n;
	struct err err = { 0 };

	if (paging_read_always(r, &page) != 0)
		return;
	q.offset = page.offset;
	q.limit = page.limit;
	if (share_code_list(r->app->db, &r->http->arena, &q, &codes, &n, &total,
		&err) != 0) {
		reply_err(r, &err);
		return;
	}
	json_t *list = json_array();
	for (size_t i = 0; i < n; i++)
		json_array_append_new(list, code_model(r, &codes[i]));
	paging_reply(r, &page, list, total);
}

void api_share_codes_of_owner(struct req *r)
{
	struct user u;

	if (req_user(r, &u) == 0)
		reply_list(r, u.id, 0);
}

void api_share_codes_of_server(struct req *r)
{
	struct shared_server s;

	if (shared_server_find(r, r->user_param, r->server_param, &s) == 0)
		reply_list(r, 0, s.id);
}

/* ---- making ------------------------------------------------------- */

struct wish {
	const json_t *scopes;
	int64_t life_s;
};

static int read_wish(struct req *r, struct wish *out)
{
	static const struct body_key keys[] = {
		{ "scopes", BODY_MAYBE_LIST },
		{ "expires_in", BODY_INT },
		{ 0 },
	};
	json_t *body;
	int has = body_object(r, "share_code", keys, &body);

	*out = (struct wish){ .life_s = EXPIRES_DEFAULT_S };
	if (has <= 0)
		return has;
	out->scopes = json_object_get(body, "scopes");
	const json_t *life = json_object_get(body, "expires_in");
	if (life)
		out->life_s = json_integer_value(life);
	if (out->life_s >= EXPIRES_MIN_S && out->life_s <= EXPIRES_MAX_S)
		return 0;
	reply_error(r, 400, "expires_in must be an integer of %d to %d seconds",
	    EXPIRES_MIN_S, EXPIRES_MAX_S);
	return -1;
}

/* -1: the request was answered. */
static int check_number(struct req *r, const struct shared_server *s)
{
	const struct share_code_query q = {
		.server_id = s->id, .now_us = clock_wall_us(), .limit = 1
	};
	struct share_code *codes;
	int64_t total = 0;
	size_t n;
	struct err err = { 0 };

	if (share_code_list(r->app->db, &r->http->arena, &q, &codes, &n, &total,
		&err) != 0) {
		reply_err(r, &err);
		return -1;
	}
	if (total < CODES_MAX)
		return 0;
	reply_error(r, 400,
	    "This server has %d share codes already; delete some, or wait "
	    "until they expire",
	    CODES_MAX);
	return -1;
}

/* The only answer that has the code itself. */
static void reply_new(
    struct req *r, const struct share_code *c, const char *plain)
{
	const char *origin = r->app->web->public_origin;
	const char *url = arena_printf(
	    &r->http->arena, "%s?code=%s", req_hub(r, "accept-share"), plain);
	json_t *m = code_model(r, c);

	json_object_set_new(m, "code", json_string(plain));
	json_object_set_new(m, "accept_url", json_string(url));
	json_object_set_new(m, "full_accept_url",
	    origin ? json_string(
			 arena_printf(&r->http->arena, "%s%s", origin, url))
		   : json_null());
	reply_json(r, 200, m);
}

static void make(struct req *r, const struct shared_server *s,
    const struct scope_set *scopes, int64_t life_s)
{
	int64_t now = clock_wall_us();
	struct share_code c = { .server_id = s->id,
		.owner = s->owner.name,
		.server = s->name,
		.scopes = share_scopes_text(r, scopes),
		.created_us = now,
		.expires_us = now + life_s * 1000000 };
	char plain[SHARE_CODE_LEN + 1];
	struct err err = { 0 };

	if (share_code_create(r->app->db, &c, plain, &c.id, &err) != 0) {
		reply_err(r, &err);
		return;
	}
	log_info(&(struct log_ctx){ .user = s->owner.name, .server = s->name },
	    "share code made", "by=%s id=sc_%" PRId64, principal_name(&r->who),
	    c.id);
	reply_new(r, &c, plain);
	mem_wipe(plain, sizeof plain);
}

void api_share_codes_post(struct req *r)
{
	struct shared_server s;
	struct scope_set scopes;
	struct wish w;

	if (shared_server_find(r, r->user_param, r->server_param, &s) != 0 ||
	    read_wish(r, &w) != 0 ||
	    share_scopes_read(r, w.scopes, &s, &scopes) != 0 ||
	    share_scopes_check(r, &s, &scopes) != 0 ||
	    shared_server_make(r, &s) != 0 || check_number(r, &s) != 0)
		return;
	make(r, &s, &scopes, w.life_s);
}

/* ---- deleting ----------------------------------------------------- */

/* "sc_12" -> 12; 0: no such id. */
static int64_t id_of(const char *text)
{
	int64_t id;
	struct err err;

	if (!str_starts(text, "sc_") ||
	    num_range(text + 3, 1, INT64_MAX, &id, &err) != 0)
		return 0;
	return id;
}

void api_share_codes_delete(struct req *r)
{
	const char *code = url_pair_get(&r->query, "code");
	const char *id = url_pair_get(&r->query, "id");
	int64_t now = clock_wall_us();
	struct db *db = r->app->db;
	struct shared_server s;
	struct err err = { 0 };
	int rc;

	if (shared_server_find(r, r->user_param, r->server_param, &s) != 0)
		return;
	if (code)
		rc = share_code_delete_text(db, s.id, code, now, &err);
	else if (id)
		rc = share_code_delete_id(db, s.id, id_of(id), now, &err);
	else
		rc = share_code_delete_server(db, s.id, &err);
	if (rc < 0)
		reply_err(r, &err);
	else if (rc == 0 && (code || id))
		reply_error(r, 404, "No matching code found");
	else
		reply_empty(r, 204);
}
