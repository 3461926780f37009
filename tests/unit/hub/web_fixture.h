/*
 * The hub's web side as browsers and scripts meet it: the real httpd, routes,
 * gate and pages over unix sockets, around the core of hub_fixture.h and an
 * authenticator that does what its password says. Included by one test program
 * each.
 */
#ifndef CARREL_TESTS_UNIT_WEB_FIXTURE_H
#define CARREL_TESTS_UNIT_WEB_FIXTURE_H

#include <errno.h>
#include <strings.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "hub_fixture.h"

#include "auth/authenticator.h"
#include "auth/principal.h"
#include "auth/rules.h"
#include "auth/throttle.h"
#include "base/buf.h"
#include "base/httpd.h"
#include "base/rand.h"
#include "base/url.h"
#include "db/session.h"
#include "db/token.h"
#include "hub/login.h"
#include "hub/route.h"
#include "hub/web.h"

#define WEB_WAIT_MS 5000

/* ---- an authenticator on strings --------------------------------------------
 */

struct script {
	struct authenticator base;
	const struct auth_sink *sink;
	size_t n_begun, n_cancelled;
	char answer[64]; /* to the last prompt */
	char username[64];
	struct defer later;
	uint64_t id;
	char password[64];
};

static struct script *script;

static void script_done(
    struct script *sc, enum auth_result res, const char *text)
{
	static const char *const groups[] = { "staff", "pupils" };
	const struct auth_identity id = {
		.name = sc->username, .groups = groups, .n_groups = 2
	};

	sc->sink->done(
	    sc->id, res, res == AUTH_RES_OK ? &id : NULL, text, sc->sink->arg);
}

/* "right", "otp", "twice", "expired", "away", "hang"; else wrong. */
static void script_step(void *arg)
{
	struct script *sc = arg;

	if (str_eq(sc->password, "right"))
		script_done(sc, AUTH_RES_OK, NULL);
	else if (str_eq(sc->password, "otp") || str_eq(sc->password, "twice"))
		sc->sink->prompt(
		    sc->id, "<Code> from your phone", false, sc->sink->arg);
	else if (str_eq(sc->password, "expired"))
		script_done(sc, AUTH_RES_EXPIRED,
		    "Your password has expired. Log in by ssh to change it.");
	else if (str_eq(sc->password, "away"))
		script_done(sc, AUTH_RES_UNAVAILABLE, "no spawner");
	else if (!str_eq(sc->password, "hang"))
		script_done(sc, AUTH_RES_DENIED, NULL);
}

static const struct authenticator_kind script_kind;

static struct authenticator *script_open(
    const struct auth_env *env, struct err *err)
{
	(void)err;
	script = xcalloc(1, sizeof *script);
	script->base.kind = &script_kind;
	script->sink = env->sink;
	return &script->base;
}

static void script_begin(
    struct authenticator *au, uint64_t attempt, const struct auth_form *form)
{
	(void)au;
	script->n_begun++;
	script->id = attempt;
	snprintf(
	    script->username, sizeof script->username, "%s", form->username);
	snprintf(
	    script->password, sizeof script->password, "%s", form->password);
	defer_call(app.loop, &script->later, script_step, script);
}

static void script_reply(
    struct authenticator *au, uint64_t attempt, const char *text)
{
	const char *then = str_eq(text, "123456") ? "right" : "wrong";

	(void)au;
	script->id = attempt;
	snprintf(script->answer, sizeof script->answer, "%s", text);
	if (str_eq(script->password, "twice"))
		then = "otp";
	snprintf(script->password, sizeof script->password, "%s", then);
	defer_call(app.loop, &script->later, script_step, script);
}

static void script_cancel(struct authenticator *au, uint64_t attempt)
{
	(void)au;
	(void)attempt;
	script->n_cancelled++;
	defer_cancel(&script->later);
}

static void script_close(struct authenticator **au)
{
	defer_cancel(&script->later);
	free(script);
	*au = NULL;
}

static const struct authenticator_kind script_kind = {
	.name = "script",
	.has_form = true,
	.open = script_open,
	.begin = script_begin,
	.reply = script_reply,
	.cancel = script_cancel,
	.close = script_close,
};

/* ---- the hub ------------------------------------------------------ */

static struct test_dir web_dir;

static struct httpd *web_listen(const char *name)
{
	const struct httpd_callbacks cb = { .on_head = route_head,
		.on_request = route_request,
		.on_done = route_done,
		.arg = &app };
	const struct httpd_options opt = { .server_name = "Carrel/test" };
	struct sockaddr_un sa = { .sun_family = AF_UNIX };
	struct err err = { .code = ERR_NONE };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	snprintf(sa.sun_path, sizeof sa.sun_path, "%s/%s", web_dir.path, name);
	assert_int_equal(bind(fd, (struct sockaddr *)&sa, sizeof sa), 0);
	assert_int_equal(listen(fd, 64), 0);
	struct httpd *h = httpd_open(app.loop, fd, &opt, &cb, &err);
	if (!h)
		fail_msg("%s", err.text);
	return h;
}

static void web_up(void)
{
	struct err err = { .code = ERR_NONE };

	(void)add_user;
	rand_bytes(app.keys.xsrf, sizeof app.keys.xsrf);
	app.rules = rules_open(&app.cfg.rules, &err);
	assert_non_null(app.rules);
	app.throttle = throttle_open(NULL, NULL, &app.cfg.throttle, &err);
	assert_non_null(app.throttle);
	app.web = web_open(&app, &err);
	if (!app.web)
		fail_msg("%s", err.text);
	app.login = login_new(&app);
	const struct auth_env env = { .loop = app.loop,
		.sink = login_sink(app.login) };
	app.auth_kind = &script_kind;
	app.auth = script_kind.open(&env, &err);
	app.http_proxy = web_listen("proxy");
	app.http_servers = web_listen("servers");
}

static void web_down(void)
{
	httpd_close(&app.http_proxy);
	httpd_close(&app.http_servers);
	login_free(&app.login);
	script_kind.close(&app.auth);
	web_close(&app.web);
	throttle_close(&app.throttle);
	rules_close(&app.rules);
}

static void answer_free(void);

static int web_setup(void **state)
{
	setup(state);
	app.cfg.rules.allow_all = true;
	test_dir_make(&web_dir);
	web_up();
	begin();
	return 0;
}

static int web_teardown(void **state)
{
	answer_free();
	web_down();
	test_dir_remove(&web_dir);
	return teardown(state);
}

/* ---- a client ----------------------------------------------------- */

struct answer {
	int status;
	char *text, *body;
};

static struct answer answer;

static void answer_free(void)
{
	free(answer.text);
	answer = (struct answer){ 0 };
}

struct call {
	int fd;
	struct buf in;
	bool is_over;
};

static inline struct call call_begin(const char *listener, const char *request)
{
	struct sockaddr_un sa = { .sun_family = AF_UNIX };
	struct call c = { .fd =
			      socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0) };
	size_t len = strlen(request);

	buf_init(&c.in, (size_t)4 << 20);
	snprintf(
	    sa.sun_path, sizeof sa.sun_path, "%s/%s", web_dir.path, listener);
	assert_int_equal(connect(c.fd, (struct sockaddr *)&sa, sizeof sa), 0);
	while (len > 0) {
		ssize_t n =
		    send(c.fd, request, len, MSG_DONTWAIT | MSG_NOSIGNAL);
		if (n > 0) {
			request += n;
			len -= (size_t)n;
		} else if (n < 0 && errno != EAGAIN) {
			break;
		}
		loop_turn(app.loop, 0);
	}
	settle();
	return c;
}

static inline void call_turn(struct call *c)
{
	char part[16384];
	ssize_t n;

	loop_turn(app.loop, 1);
	while ((n = recv(c->fd, part, sizeof part, MSG_DONTWAIT)) > 0)
		buf_append(&c->in, part, (size_t)n);
	if (n == 0 || (n < 0 && errno != EAGAIN))
		c->is_over = true;
}

/* Has `text` come? Turns the loop for a while until it has. */
static inline bool call_hears(struct call *c, const char *text)
{
	for (int i = 0; i < WEB_WAIT_MS && !c->is_over; i++) {
		if (strstr(buf_view(&c->in), text))
			return true;
		call_turn(c);
	}
	return strstr(buf_view(&c->in), text) != NULL;
}

/* Nothing has come after a while. */
static inline bool call_waits(struct call *c)
{
	for (int i = 0; i < 20; i++)
		call_turn(c);
	return c->in.len == 0 && !c->is_over;
}

static inline struct answer *call_end(struct call *c)
{
	for (int i = 0; i < WEB_WAIT_MS && !c->is_over; i++)
		call_turn(c);
	assert_true(c->is_over);
	close(c->fd);
	answer_free();
	answer.text = c->in.len ? buf_steal(&c->in) : xstrdup("");
	buf_fini(&c->in);
	if (sscanf(answer.text, "HTTP/1.1 %d", &answer.status) != 1)
		fail_msg("no answer: %s", answer.text);
	answer.body = strstr(answer.text, "\r\n\r\n");
	if (answer.body)
		answer.body += 4;
	return &answer;
}

static inline void call_drop(struct call *c)
{
	close(c->fd);
	buf_fini(&c->in);
	settle();
}

/* `headers` are whole lines ending in CRLF. */
static inline char *request_text(const char *method, const char *target,
    const char *headers, const char *body)
{
	if (!body)
		return xasprintf("%s %s HTTP/1.1\r\nHost: hub\r\n"
				 "Connection: close\r\n%s\r\n",
		    method, target, headers);
	return xasprintf("%s %s HTTP/1.1\r\nHost: hub\r\nConnection: close\r\n"
			 "Content-Length: %zu\r\n%s\r\n%s",
	    method, target, strlen(body), headers, body);
}

static inline struct call request_begin(const char *method, const char *target,
    const char *headers, const char *body)
{
	char *text = request_text(method, target, headers, body);
	struct call c = call_begin("proxy", text);

	free(text);
	return c;
}

static inline struct answer *request(const char *method, const char *target,
    const char *headers, const char *body)
{
	struct call c = request_begin(method, target, headers, body);

	return call_end(&c);
}

/* The value of the n-th header of that name, until the next call; NULL. */
static inline const char *header_n(
    const struct answer *a, const char *name, size_t n)
{
	static char value[8192];
	size_t len = strlen(name);

	for (const char *p = strstr(a->text, "\r\n"); p && p + 4 < a->body;
	     p = strstr(p + 2, "\r\n")) {
		if (strncasecmp(p + 2, name, len) != 0 || p[2 + len] != ':')
			continue;
		if (n-- > 0)
			continue;
		const char *v = p + 2 + len + 1;
		v += strspn(v, " ");
		snprintf(value, sizeof value, "%.*s", (int)strcspn(v, "\r"), v);
		return value;
	}
	return NULL;
}

static inline const char *header(const struct answer *a, const char *name)
{
	return header_n(a, name, 0);
}

static inline void assert_header(
    const struct answer *a, const char *name, const char *want)
{
	const char *got = header(a, name);

	if (!got)
		fail_msg("no header %s in:\n%s", name, a->text);
	assert_string_equal(got, want);
}

static inline void assert_answer(
    const struct answer *a, int status, const char *says)
{
	if (a->status != status || (says && !strstr(a->body, says)))
		fail_msg("wanted %d \"%s\", got:\n%s", status, says ? says : "",
		    a->text);
}

/* {"status": .., "message": ..} (contract/hub.md 0.4) */
static inline void assert_api_error(
    const struct answer *a, int status, const char *message)
{
	json_t *j = json_loads(a->body, 0, NULL);

	if (a->status != status || !j)
		fail_msg("wanted %d, got:\n%s", status, a->text);
	assert_int_equal(
	    json_integer_value(json_object_get(j, "status")), status);
	const char *got = json_string_value(json_object_get(j, "message"));
	if (!got || (message && !strstr(got, message)))
		fail_msg(
		    "wanted \"%s\", got %s", message ? message : "", a->body);
	json_decref(j);
}

/* ---- a browser ---------------------------------------------------- */

struct browser {
	struct {
		char name[48], value[128];
	} jar[8];
	const char *extra; /* header lines of every request */
};

static inline char *cookie_slot(struct browser *b, const char *name)
{
	for (size_t i = 0; i < N_OF(b->jar); i++) {
		if (!b->jar[i].name[0])
			snprintf(
			    b->jar[i].name, sizeof b->jar[i].name, "%s", name);
		if (str_eq(b->jar[i].name, name))
			return b->jar[i].value;
	}
	fail_msg("the cookie jar is full");
	return NULL;
}

static inline void keep_cookies(struct browser *b, const struct answer *a)
{
	const char *line;

	for (size_t n = 0; (line = header_n(a, "Set-Cookie", n)); n++) {
		char name[48], value[128];
		size_t eq = strcspn(line, "=");
		size_t end = strcspn(line + eq + 1, ";");

		snprintf(name, sizeof name, "%.*s", (int)eq, line);
		snprintf(value, sizeof value, "%.*s", (int)end, line + eq + 1);
		if (strstr(line, "Max-Age=0"))
			value[0] = '\0';
		snprintf(cookie_slot(b, name), 128, "%s", value);
	}
}

static inline char *browser_headers(struct browser *b, const char *more)
{
	struct buf h;

	buf_init(&h, 16384);
	buf_str(&h, b->extra ? b->extra : "");
	buf_str(&h, more);
	buf_str(&h, "Cookie: a=b");
	for (size_t i = 0; i < N_OF(b->jar) && b->jar[i].name[0]; i++)
		if (b->jar[i].value[0])
			buf_printf(
			    &h, "; %s=%s", b->jar[i].name, b->jar[i].value);
	buf_str(&h, "\r\n");
	char *text = buf_steal(&h);
	buf_fini(&h);
	return text;
}

static inline struct call browse_begin(struct browser *b, const char *method,
    const char *target, const char *more, const char *body)
{
	char *headers = browser_headers(b, more);
	struct call c = request_begin(method, target, headers, body);

	free(headers);
	return c;
}

static inline struct answer *browse(struct browser *b, const char *target)
{
	struct call c = browse_begin(b, "GET", target, "", NULL);
	struct answer *a = call_end(&c);

	keep_cookies(b, a);
	return a;
}

#define FORM_TYPE "Content-Type: application/x-www-form-urlencoded\r\n"

/* A form of ours: the XSRF token is in it. */
static inline struct call post_begin(
    struct browser *b, const char *target, const char *form)
{
	char *body = xasprintf(
	    "_xsrf=%s%s%s", cookie_slot(b, "_xsrf"), *form ? "&" : "", form);
	struct call c = browse_begin(b, "POST", target, FORM_TYPE, body);

	free(body);
	return c;
}

static inline struct answer *post(
    struct browser *b, const char *target, const char *form)
{
	struct call c = post_begin(b, target, form);
	struct answer *a = call_end(&c);

	keep_cookies(b, a);
	return a;
}

static inline void log_in(struct browser *b, const char *name)
{
	char form[100];

	*b = (struct browser){ .extra = b->extra };
	assert_answer(browse(b, "/hub/login"), 200, "password");
	snprintf(form, sizeof form, "username=%s&password=right", name);
	assert_answer(post(b, "/hub/login", form), 302, NULL);
	assert_true(cookie_slot(b, "jupyterhub-hub-login")[0] != '\0');
}

/* ---- tokens ------------------------------------------------------- */

/* "Authorization: token ...\r\n" for a new token; raw is a JSON list. */
static inline const char *bearer(int64_t user_id, const char *raw)
{
	static char line[4][96];
	static unsigned next;
	char plain[TOKEN_LEN + 1];
	int64_t id;
	struct err err = { .code = ERR_NONE };
	const struct token t = { .user_id = user_id,
		.client_id = "jupyterhub",
		.note = "test",
		.scopes = raw,
		.created_us = clock_wall_us() };

	test_ok(token_create(app.db, &t, plain, &id, &err), &err);
	next = (next + 1) % 4;
	snprintf(line[next], sizeof line[next], "Authorization: token %s\r\n",
	    plain);
	return line[next];
}

static inline int64_t user_id_of(const char *name)
{
	struct arena a;
	struct user u = { 0 };
	struct err err = { .code = ERR_NONE };

	arena_init(&a);
	int found = user_find(app.db, &a, name, &u, &err);
	arena_fini(&a);
	return found == 1 ? u.id : 0;
}

#endif
