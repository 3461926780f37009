/*
 * See audit.h.
 */
#include "hub/audit.h"

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/jsonw.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/rotate.h"
#include "hub/handlers.h"

struct audit {
	struct rotate *file; /* NULL: the log */
	bool is_broken;      /* the file refused the last record */
};

/* What a record says; a NULL member is left out. */
struct record {
	enum audit_event event;
	const char *actor, *via; /* who, known by what */
	int64_t token;           /* 0: none */
	const char *from;        /* address */
	const char *target, *server;
	int status; /* 0: not a matter of a status */
	const char *detail;
};

const char *audit_event_name(enum audit_event ev)
{
	static const char *const names[AUDIT_N] = {
#define AUDIT(id, name, doc) [AUDIT_##id] = name,
#include "hub/audit.def"
#undef AUDIT
	};

	return names[ev];
}

/* ---- writing ------------------------------------------------------------- */

static void add_text(struct jsonw *w, const char *name, const char *value)
{
	char text[AUDIT_VALUE_MAX];

	if (!value)
		return;
	str_printable(text, sizeof text, value, strlen(value));
	jsonw_key(w, name);
	jsonw_str(w, text);
}

static void add_number(struct jsonw *w, const char *name, int64_t value)
{
	if (value == 0)
		return;
	jsonw_key(w, name);
	jsonw_int(w, value);
}

static char *json_of(const struct record *r, size_t *len)
{
	struct jsonw w;
	char now[CLOCK_ISO_MAX];

	jsonw_init(&w);
	clock_format_iso(clock_wall_us(), now);
	jsonw_open(&w, '{');
	add_text(&w, "time", now);
	add_text(&w, "event", audit_event_name(r->event));
	add_text(&w, "actor", r->actor);
	add_text(&w, "via", r->via);
	add_number(&w, "token", r->token);
	add_text(&w, "from", r->from);
	add_text(&w, "target", r->target);
	add_text(&w, "server", r->server);
	add_number(&w, "status", r->status);
	add_text(&w, "detail", r->detail);
	jsonw_close(&w, '}');
	return jsonw_steal(&w, len);
}

static const char *or_empty(const char *s)
{
	return s ? s : "";
}

static void write_log(const struct record *r)
{
	log_info(NULL, "audit",
	    "event=%s actor=%.255s via=%s token=%lld from=%.63s target=%.255s "
	    "server=%.255s status=%d detail=\"%.255s\"",
	    audit_event_name(r->event), or_empty(r->actor), or_empty(r->via),
	    (long long)r->token, or_empty(r->from), or_empty(r->target),
	    or_empty(r->server), r->status, or_empty(r->detail));
}

static int write_file(struct audit *a, const struct record *r, struct err *err)
{
	size_t len;
	char *text = json_of(r, &len);
	int rc;

	/* The NUL becomes the newline. */
	text[len] = '\n';
	rc = rotate_write(a->file, text, len + 1, err);
	free(text);
	return rc;
}

/* What the file does not take is in the log at least. */
static void write_record(struct app *app, const struct record *r)
{
	struct audit *a = app->audit;
	struct err err;

	if (!a)
		return;
	if (a->file && write_file(a, r, &err) == 0) {
		a->is_broken = false;
		return;
	}
	if (a->file && !a->is_broken)
		log_error(NULL, "the audit file cannot be written",
		    "why=\"%s\" hint=\"records go to the log meanwhile\"",
		    err.text);
	a->is_broken = a->file != NULL;
	write_log(r);
}

/* ---- who ----------------------------------------------------------------- */

static struct record by_caller(const struct req *r, enum audit_event ev)
{
	struct record rec = { .event = ev, .from = r->client };

	switch (r->who.kind) {
	case PRINCIPAL_NONE:
		break;
	case PRINCIPAL_USER:
		rec.actor = r->who.user_name;
		rec.via = "login";
		break;
	case PRINCIPAL_TOKEN:
		rec.actor = principal_name(&r->who);
		rec.via = r->who.service_id ? "service" : "token";
		rec.token = r->who.token_id;
		break;
	case PRINCIPAL_LOCAL:
		rec.actor = principal_name(&r->who);
		rec.via = "local";
		break;
	}
	return rec;
}

void audit_hub(struct app *app, enum audit_event ev, const char *detail)
{
	const struct record rec = {
		.event = ev,
		.actor = "hub",
		.via = "hub",
		.detail = detail,
	};

	write_record(app, &rec);
}

void audit_login_ended(struct app *app, const char *user, const char *why)
{
	const struct record rec = {
		.event = AUDIT_LOGIN_ENDED,
		.actor = "hub",
		.via = "hub",
		.target = user,
		.detail = why,
	};

	write_record(app, &rec);
}

void audit_login(const struct req *r, enum audit_event ev, const char *user,
    const char *detail)
{
	struct record rec = { .event = ev, .from = r->client };

	if (ev == AUDIT_LOGIN || ev == AUDIT_LOGOUT) {
		rec.actor = user;
		rec.via = "login";
	} else {
		rec.target = user;
	}
	rec.detail = detail;
	write_record(r->app, &rec);
}

void audit_person(const struct req *r, enum audit_event ev, const char *user,
    const char *detail)
{
	struct record rec = by_caller(r, ev);

	rec.target = user;
	rec.detail = detail;
	write_record(r->app, &rec);
}

void audit_server(const struct req *r, enum audit_event ev, const char *user,
    const char *server)
{
	struct record rec = by_caller(r, ev);

	rec.target = user;
	rec.server = server;
	write_record(r->app, &rec);
}

/* ---- what a request was -------------------------------------------------- */

static bool is_writing(const struct req *r)
{
	return strcmp(r->route->method, "GET") != 0 &&
	       strcmp(r->route->method, "HEAD") != 0;
}

/* Notebook servers and their extensions say all the time that they are used;
 * and a question is no change. */
static bool is_chatter(const struct req *r)
{
	return r->route->handler == api_activity_post ||
	       r->route->handler == explain_token ||
	       r->route->handler == explain_request;
}

/* Starts and stops are told where they are done. */
static bool is_told(const struct req *r, int status)
{
	return status < 400 && (r->route->handler == api_server_post ||
				   r->route->handler == api_server_delete);
}

/* As it was sent, because it names groups, token ids and shares; but old
 * services put whole tokens and cookies into these paths. */
static const char *shown_path(const struct req *r)
{
	return str_starts(r->route->pattern, "/api/authorizations/")
		   ? r->route->pattern
		   : r->http->path;
}

void audit_request(const struct req *r, int status)
{
	struct record rec;
	char detail[AUDIT_VALUE_MAX];

	if (!r->app->audit || !r->route ||
	    (r->gate != GATE_API && !r->form_done) ||
	    r->who.kind == PRINCIPAL_NONE || !is_writing(r) || is_chatter(r) ||
	    is_told(r, status))
		return;
	rec = by_caller(r, AUDIT_CHANGE);
	rec.target = r->user_param;
	rec.server = r->server_param;
	rec.status = status;
	if (str_format(detail, sizeof detail, "%s %.200s", r->route->method,
		shown_path(r)) == 0)
		rec.detail = detail;
	write_record(r->app, &rec);
}

/* ---- life ---------------------------------------------------------------- */

struct audit *audit_open(struct app *app, struct err *err)
{
	const struct config *cfg = &app->cfg;
	struct audit *a = xcalloc(1, sizeof *a);

	if (!*cfg->audit_file)
		return a;
	a->file = rotate_open(cfg->audit_file, cfg->audit_max_bytes,
	    (unsigned)cfg->audit_keep, err);
	if (a->file)
		return a;
	err_wrap(err, "audit.file");
	free(a);
	return NULL;
}

void audit_close(struct audit **ap)
{
	if (!*ap)
		return;
	rotate_close(&(*ap)->file);
	free(*ap);
	*ap = NULL;
}
