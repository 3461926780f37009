/*
 * The hub's web side as browsers and scripts meet it: the real httpd, routes,
 * gate and pages over unix sockets, around the core of hub_fixture.c and an
 * authenticator that does what its password says. Included by one test program
 * each.
 */
#include <errno.h>
#include <strings.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "hub_fixture.c"

#include "auth/authenticator.h"
#include "auth/passwords.h"
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

#include "web_script.c"

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
	app.passwords = passwords_new(app.loop);
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
	app.auth_kind->close(&app.auth);
	passwords_free(&app.passwords);
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

#include "web_client.c"

/* ---- a browser ---------------------------------------------------- */

struct browser {
	struct {
		char name[48], value[1024];
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
		char name[48], value[1024];
		size_t eq = strcspn(line, "=");
		size_t end = strcspn(line + eq + 1, ";");

		snprintf(name, sizeof name, "%.*s", (int)eq, line);
		snprintf(value, sizeof value, "%.*s", (int)end, line + eq + 1);
		if (strstr(line, "Max-Age=0"))
			value[0] = '\0';
		snprintf(cookie_slot(b, name), sizeof value, "%s", value);
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
