/*
 * Accepting a share: the page that a share code leads to (contract/hub.md
 * 5.5). The code itself stands in the form, never in a log.
 */
#include "base/clock.h"
#include "base/log.h"
#include "db/share_code.h"
#include "hub/audit.h"
#include "hub/handlers.h"
#include "hub/model.h"
#include "hub/redirect.h"
#include "hub/reply.h"
#include "hub/share.h"

/* -1: the request was answered. */
static int find_code(
    struct req *r, const char *code, int status, struct share_code *out)
{
	struct err err = { 0 };
	int found;

	if (!code || !*code) {
		reply_page_error(r, 400, "The link lacks its code.");
		return -1;
	}
	found = share_code_find(
	    r->app->db, &r->http->arena, code, clock_wall_us(), out, &err);
	if (found == 1)
		return 0;
	if (found < 0)
		reply_err(r, &err);
	else
		reply_page_error(r, status,
		    "Share not found or expired. Ask the person who sent you "
		    "the link for a new one.");
	return -1;
}

static bool refuse_own(struct req *r, const struct share_code *c, int status)
{
	if (c->owner_id != r->who.user_id)
		return false;
	reply_page_error(r, status,
	    "This is a link to share your own server. Give it to somebody "
	    "else.");
	return true;
}

/* What accepting it permits, in words. -1: answered. */
static json_t *grants(struct req *r, const struct share_code *c)
{
	json_t *list = json_array();
	struct scope_set set;
	struct err err;

	if (share_scopes_parse(r, c->scopes, &set, &err) != 0)
		return list;
	for (size_t i = 0; i < set.n; i++)
		json_array_append_new(
		    list, json_pack("{s:s, s:s}", "scope",
			      scope_text(&r->http->arena, &set.items[i]), "doc",
			      scope_doc(set.items[i].id)));
	return list;
}

void page_accept_share(struct req *r)
{
	const char *code = url_pair_get(&r->query, "code");
	const char *next = redirect_req_next(r);
	struct share_code c;

	if (find_code(r, code, 404, &c) != 0 || refuse_own(r, &c, 403))
		return;
	json_t *data = json_pack("{s:s, s:s, s:s, s:o, s:s*}", "title",
	    "Accept a share", "owner", c.owner, "code", code, "grants",
	    grants(r, &c), "next", next);
	if (c.server[0])
		json_object_set_new(data, "server", json_string(c.server));
	reply_page(r, 200, "accept_share", data);
}

/* The share is there and the code has been counted, or neither. */
static int exchange(struct req *r, const struct share_code *c,
    const struct scope_set *scopes, struct err *err)
{
	const struct share_with me = { .user_id = r->who.user_id };
	struct db *db = r->app->db;

	if (db_begin(db, err) != 0)
		return -1;
	if (share_extend(r, c->server_id, me, scopes, err) == 0 &&
	    share_code_count(db, c->id, clock_wall_us(), err) == 0)
		return db_commit(db, err);
	db_rollback(db);
	return -1;
}

void page_accept_share_post(struct req *r)
{
	const char *next = redirect_req_next(r);
	struct scope_set scopes;
	struct share_code c;
	struct err err = { 0 };

	if (find_code(r, req_arg(r, "code"), 400, &c) != 0 ||
	    refuse_own(r, &c, 400))
		return;
	if (share_scopes_parse(r, c.scopes, &scopes, &err) != 0) {
		reply_err(r, &err);
		return;
	}
	if (scopes.n == 0) {
		reply_page_error(r, 400,
		    "This code gives nothing that this hub knows. Ask for a "
		    "new one.");
		return;
	}
	if (exchange(r, &c, &scopes, &err) != 0) {
		reply_err(r, &err);
		return;
	}
	log_info(&(struct log_ctx){ .user = c.owner, .server = c.server },
	    "share code used", "by=%s id=sc_%lld", r->who.user_name,
	    (long long)c.id);
	audit_server(r, AUDIT_SHARE_ACCEPT, c.owner, c.server);
	reply_redirect(r, 302,
	    next ? next
		 : server_path(r->app, &r->http->arena, c.owner, c.server));
}
