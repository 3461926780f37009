/*
 * HTTP routes of the hub: declared once in routes.def (method, pattern, who
 * may, body limit, handler), matched here, guarded by gate.c before a handler
 * is called. Patterns are anchored; captures are one segment, matched escaped
 * and then decoded (contract/hub.md 0.3).
 */
#ifndef CARREL_HUB_ROUTE_H
#define CARREL_HUB_ROUTE_H

#include <stdbool.h>
#include <stdint.h>

#include "auth/cookie.h"
#include "auth/principal.h"
#include "base/httpd.h"
#include "base/json.h"
#include "base/jsonw.h"
#include "base/url.h"
#include "db/db.h"
#include "hub/app.h"

/* How a request is let in (gate.c). */
enum gate_kind {
	GATE_PUBLIC, /* nobody is asked anything; reading only */
	GATE_OPEN,   /* a page for everybody; writing needs the XSRF token */
	GATE_PAGE,   /* a page for people who are logged in (cookie) */
	GATE_EITHER, /* the same, but a token is taken too (/user/...) */
	GATE_API,    /* cookie or token; errors are JSON */
	GATE_SCRAPE, /* cookie or token, or everybody by configuration */
	GATE_OAUTH,  /* the client proves itself in the body; errors are JSON */
	GATE_LAUNCH, /* a page to which other sites send forms, without a token
		      * of ours: the handler wants their signature */
};

/* What the scopes of a route are asked for. */
enum route_target {
	TARGET_NONE,
	TARGET_USER,     /* :user; without it, who asks */
	TARGET_SERVER,   /* :user and :server; without it, the default server */
	TARGET_GROUP,    /* :group */
	TARGET_USERS,    /* a listing: the scope for some is enough */
	TARGET_GROUPS,   /* the same of groups */
	TARGET_SERVICE,  /* :service */
	TARGET_SERVICES, /* a listing of them */
};

#define ROUTE_SCOPES_MAX 6
#define ROUTE_PARAMS_MAX 4

struct req;
typedef void route_fn(struct req *r);

struct route {
	const char *method;
	const char *pattern; /* "/api/users/:user": below the hub's prefix */
	enum gate_kind gate;
	enum scope_id scopes[ROUTE_SCOPES_MAX]; /* any one; NO_SCOPE ends */
	enum route_target target;
	size_t max_body;
	route_fn *handler;
	const char *doc;
};

struct held_reply;
typedef void answer_fn(struct req *r, int status, json_t *take);

/* One request inside the hub; lives in http->arena, is http->user. */
struct req {
	struct app *app;
	struct http_req *http;
	const struct route *route; /* NULL: no such path or method */
	const struct route *any;   /* one with this path, any method */
	int64_t began_us;          /* monotonic */
	enum gate_kind gate;       /* the route's; else that of the area */
	bool path_known;           /* but perhaps not with this method */
	bool is_outside;           /* of the hub's prefix */
	bool is_api;               /* a path of the REST API */
	bool from_proxy;    /* came by hub.sock: forwarded headers hold */
	bool from_local;    /* came by admin.sock */
	const char *client; /* the person's address, as far as we know */
	bool is_https;      /* as the browser sees it */
	const char *params[ROUTE_PARAMS_MAX]; /* captures, decoded */
	/* those of that name, or NULL */
	const char *user_param, *server_param, *group_param, *service_param;
	const char *tail;       /* what '*' matched, raw; NULL: none */
	struct url_pairs query; /* decoded */
	struct url_pairs form;  /* the body of a form, decoded */
	const char *next;       /* instead of the query's or form's; NULL */
	const char *login_via;  /* the provider that a login came by; NULL */
	bool is_refreshed;      /* the provider was asked; not again */
	struct principal who;   /* set by the gate; kind NONE if nobody */
	struct cookie_env cookie_env;
	struct cookie_in cookies;
	const char *xsrf;        /* token for forms and scripts of this page */
	const char *form_action; /* CSP; NULL: as web.h says */
	bool may_be_framed; /* nothing on the page can be done by a click */
	bool touches_user;  /* counts as the user's activity */
	struct db_waiter waiter;
	struct held_reply *held; /* waits for the disk */
	json_t *json;            /* req_json's */
	route_fn *then;          /* goes on after a login by password */
	answer_fn *on_answer;    /* takes the API's answer (page_form.c) */
	answer_fn *form_done; /* a form that calls the API: what comes then */
	void *state;          /* the handler's own */
	void (*on_gone)(struct req *r); /* frees state; also after the reply */
};

/* Match, guard, call. The httpd callbacks of both listeners; arg is the app. */
void route_head(struct http_req *http, void *arg);
void route_request(struct http_req *http, void *arg);
void route_done(struct http_req *http, int status, void *arg);
/* The gate held the request back (hub/refresh.h): from the gate on again. */
void route_again(struct req *r);

/*
 * For handlers: the body as JSON. 1 with *out (freed with the request), 0 when
 * there is none, -1: it was malformed and 400 was answered.
 */
int req_json(struct req *r, json_t **out) MUST_CHECK;
/* First value of a form field, else of the query; NULL if absent. */
const char *req_arg(const struct req *r, const char *name);
/* A path below the hub's prefix: req_hub(r, "login") is "/hub/login". */
const char *req_hub(struct req *r, const char *rest);
/* "user" or "user:server", as messages name a server. */
const char *req_server_log_name(
    struct req *r, const char *user, const char *server);

/*
 * Answers (reply.c). Each is held until everything committed so far is on disk
 * (db_when_durable), so an acknowledged write is never lost.
 */
void reply_json(struct req *r, int status, json_t *take);
/* What was written is taken; w can be used again. */
void reply_jsonw(struct req *r, int status, struct jsonw *w);
/* {"status": .., "message": ..} (contract/hub.md 0.4) */
void reply_error(struct req *r, int status, const char *fmt, ...)
    PRINTF_LIKE(3, 4);
/* Status by err->code, message from its text; INTERNAL is logged, not shown. */
void reply_err(struct req *r, const struct err *err);
void reply_empty(struct req *r, int status);
void reply_redirect(struct req *r, int status, const char *location);
/* The same for pages: HTML, by template. */
void reply_page(struct req *r, int status, const char *page, json_t *take);
void reply_page_error(struct req *r, int status, const char *fmt, ...)
    PRINTF_LIKE(3, 4);
/* In the form of the request's gate: JSON or page. */
void reply_refusal(struct req *r, int status, const char *fmt, ...)
    PRINTF_LIKE(3, 4);

#endif
