/*
 * Every form and the OAuth provider meet a disk that fails (faults_fixture.c):
 * a browser sees a page that says so, nothing is half-done, and the same form
 * works a moment later.
 */
#include "faults_fixture.c"

#include <sodium.h>

#include "hub/service.h"

#define CLIENT     "service-notes"
#define SECRET     "0123456789abcdef0123456789abcdef"
#define CALLBACK   "http%3A%2F%2F127.0.0.1%3A9%2Fback"
#define CLIENT_URL "client_id=" CLIENT "&redirect_uri=" CALLBACK
#define ACCESS     "access%3Aservices%21service%3Dnotes"
#define AUTHORIZE                                                              \
	"/hub/api/oauth2/authorize?response_type=code&state=s&" CLIENT_URL
/* Another program's, to which nobody has agreed yet. */
#define ASKING                                                                 \
	"/hub/api/oauth2/authorize?response_type=code"                         \
	"&client_id=service-boards&redirect_uri=" CALLBACK

/* Their cookies are good in every hub, since the file has their logins. */
static struct browser alice, bob, boss, carol, nobody;
static const struct browser *who; /* NULL: the notes' program */
static bool is_native;            /* auth.type: native */
static void (*prepare)(void);
static char share_code[128], exchange[512], access_header[200];

/* ---- what is done ----------------------------------------------------------
 */

static const struct deed of_nobody[] = {
	{ "GET", "/hub/login", NULL, 200, false },
	{ "POST", "/hub/login", "username=dora&password=right", 302, false },
	{ "POST", "/hub/login", "username=alice&password=right", 302, false },
	{ "POST", "/hub/login", "username=alice&password=new", 302, false },
	{ "POST", "/hub/login", "username=alice&password=wrong", 403, false },
	{ "GET", AUTHORIZE, NULL, 302, false },
};

static const struct deed of_alice[] = {
	{ "GET", "/hub/home", NULL, 200, false },
	{ "GET", "/hub/logout", NULL, 302, false },
	{ "POST", "/hub/login", "username=dora&password=right", 302, false },
	{ "POST", "/hub/named-servers", "display_name=My+lab", 303, false },
	{ "POST", "/hub/named-servers/lab/delete", "", 303, false },
	{ "GET", "/hub/spawn", NULL, 302, true },
	{ "POST", "/hub/spawn/alice", "opt-size=big", 302, true },
	{ "POST", "/hub/spawn/alice/lab", "", 302, true },
	{ "GET", "/hub/spawn-pending/alice/lab", NULL, 200, false },
	{ "GET", "/hub/token", NULL, 200, false },
	{ "POST", "/hub/token", "note=n&expires_in=3600&scopes=", 200, false },
	{ "POST", "/hub/token/a1/revoke", "", 303, false },
	{ "POST", "/hub/security/csp-report", "{}", 200, false },
	{ "POST", "/hub/user/alice/", "", 424, false },
};

static const struct deed of_bob[] = {
	{ "GET", "/hub/accept-share?code=", NULL, 200, false },
	{ "POST", "/hub/accept-share", "code=", 302, false },
};

static const struct deed of_boss[] = {
	{ "GET", "/hub/admin", NULL, 200, false },
	{ "POST", "/hub/admin/users", "usernames=x+y&admin=1", 303, false },
	{ "GET", "/hub/admin/users/alice", NULL, 200, false },
	{ "POST", "/hub/admin/users/alice", "name=anna&admin=1", 303, false },
	{ "POST", "/hub/admin/users/alice/delete", "", 303, false },
	{ "GET", AUTHORIZE, NULL, 302, false },
	{ "GET", ASKING, NULL, 200, false },
	{ "POST", ASKING, "scopes=access%3Aservices%21service%3Dboards", 302,
	    false },
};

static const struct deed of_client[] = {
	{ "POST", "/hub/api/oauth2/token", exchange, 200, false },
	{ "GET", "/hub/api/user", NULL, 200, false },
};

/* With the server of alice running. */
static const struct deed of_a_runner[] = {
	{ "POST", "/hub/stop/alice", "", 303, false },
	{ "GET", "/hub/home", NULL, 200, false },
	{ "GET", "/hub/logout", NULL, 302, false },
};

/* With passwords of the hub's own. */
static const struct deed native_of_nobody[] = {
	{ "GET", "/hub/signup", NULL, 200, false },
	{ "POST", "/hub/signup",
	    "username=dora&email=d@x&password=correct+horse"
	    "&again=correct+horse",
	    200, false },
	{ "POST", "/hub/login", "username=carol&password=correct+horse", 302,
	    false },
};

static const struct deed native_of_boss[] = {
	{ "GET", "/hub/authorize", NULL, 200, false },
	{ "POST", "/hub/authorize", "name=eve&deed=approve", 303, false },
	{ "POST", "/hub/authorize", "name=eve&deed=discard", 303, false },
	{ "POST", "/hub/authorize", "name=carol&deed=reset", 200, false },
};

static const struct deed native_of_carol[] = {
	{ "POST", "/hub/change-password",
	    "old=correct+horse&password=another+horse&again=another+horse", 303,
	    false },
};

/* ---- how ------------------------------------------------------------------
 */

static struct call by_program(const struct deed *d)
{
	return request_begin(
	    d->method, d->path, d->body ? FORM_TYPE : access_header, d->body);
}

/* The browser forgets its new cookies: each round begins alike. */
static struct call deed_begin(const struct deed *d)
{
	struct browser b;
	char target[300], body[400];

	if (!who)
		return by_program(d);
	b = *who;
	snprintf(target, sizeof target, "%s%s", d->path,
	    str_ends(d->path, "code=") ? share_code : "");
	if (!d->body)
		return browse_begin(&b, d->method, target, "", NULL);
	snprintf(body, sizeof body, "%s%s", d->body,
	    str_ends(d->body, "code=") ? share_code : "");
	return post_begin(&b, target, body);
}

/* A page that says what to do; for programs, JSON. */
static void assert_refusal(const struct answer *a)
{
	const char *type = header(a, "Content-Type");

	assert_non_null(type);
	assert_in_range(a->status, 500, 503);
	if (str_eq(type, "application/json")) {
		json_t *j = json_loads(a->body, 0, NULL);

		assert_true(json_is_string(json_object_get(j, "error")) ||
			    json_is_string(json_object_get(j, "message")));
		json_decref(j);
		return;
	}
	assert_string_equal(type, "text/html; charset=utf-8");
	if (!strstr(a->body, "administrator"))
		fail_msg("no advice in\n%s", a->text);
}

static int is_nobody_admin(const char *name, void *arg, struct err *err)
{
	(void)name;
	(void)arg;
	(void)err;
	return 0;
}

static void be_native(void)
{
	const struct auth_env env = { .loop = app.loop,
		.sink = login_sink(app.login),
		.is_admin = is_nobody_admin,
		.db = app.db,
		.rules = app.rules,
		.passwords = app.passwords };
	struct err err = { .code = ERR_NONE };

	app.auth_kind->close(&app.auth);
	app.auth_kind = authenticator_find("native");
	app.auth = app.auth_kind->open(&env, &err);
	assert_non_null(app.auth);
}

/* A form that is sent a hundred times is no guessing here. */
static void be_patient(void)
{
	struct throttle_config cfg = throttle_defaults;
	struct err err = { .code = ERR_NONE };

	cfg.name_free = cfg.address_free = 100 * CALLS_MAX;
	throttle_close(&app.throttle);
	app.throttle = throttle_open(NULL, NULL, &cfg, &err);
	assert_non_null(app.throttle);
}

static void hub_complete(void)
{
	struct err err = { .code = ERR_NONE };

	be_patient();
	test_ok(services_open(&app, &err), &err);
	if (is_native)
		be_native();
	if (prepare)
		prepare();
}

static void run_alice(void)
{
	to_running(user_id_of("alice"));
}

/* ---- what is there at first ------------------------------------------------
 */

static void arg_of(const struct answer *a, const char *name, char out[128])
{
	const char *location = header(a, "Location"), *p;
	char key[40];

	snprintf(key, sizeof key, "%s=", name);
	p = location ? strstr(location, key) : NULL;
	if (!p)
		fail_msg("no %s in\n%s", name, a->text);
	p += strlen(key);
	snprintf(out, 128, "%.*s", (int)strcspn(p, "&"), p);
}

static void as_boss(
    const char *method, const char *path, const char *body, int status)
{
	char xsrf[1200];

	snprintf(xsrf, sizeof xsrf,
	    "Content-Type: application/json\r\nX-XSRFToken: %s\r\n",
	    cookie_slot(&boss, "_xsrf"));
	struct call c = browse_begin(&boss, method, path, xsrf, body);
	assert_answer(call_end(&c), status, NULL);
}

static void make_service(const char *name, const char *secret)
{
	char path[80], body[300];

	snprintf(path, sizeof path, "/hub/api/services/%s", name);
	snprintf(body, sizeof body,
	    "{\"url\":\"http://127.0.0.1:9\",\"api_token\":\"%s\","
	    "\"oauth_client_id\":\"service-%s\","
	    "\"oauth_redirect_uri\":\"http://127.0.0.1:9/back\"}",
	    secret, name);
	as_boss("POST", path, body, 201);
}

static void keep_share_code(void)
{
	char xsrf[1200];

	snprintf(xsrf, sizeof xsrf, "X-XSRFToken: %s\r\n",
	    cookie_slot(&boss, "_xsrf"));
	struct call c = browse_begin(
	    &boss, "POST", "/hub/api/share-codes/alice/lab", xsrf, "");
	struct answer *a = call_end(&c);
	assert_answer(a, 200, "\"code\"");
	json_t *j = json_loads(a->body, 0, NULL);
	snprintf(share_code, sizeof share_code, "%s",
	    json_string_value(json_object_get(j, "code")));
	json_decref(j);
}

/* The code that the notes' program changes into a token, and one that has been
 * changed. */
static void keep_codes(void)
{
	static const char form[] = "grant_type=authorization_code&" CLIENT_URL
				   "&client_secret=" SECRET "&code=";
	char code[128];
	struct answer *a;

	for (int i = 0; i < 2; i++) {
		arg_of(post(&boss, AUTHORIZE, "scopes=" ACCESS), "code", code);
		snprintf(exchange, sizeof exchange, "%s%s", form, code);
		if (i > 0)
			break;
		a = request(
		    "POST", "/hub/api/oauth2/token", FORM_TYPE, exchange);
		assert_answer(a, 200, "access_token");
		json_t *j = json_loads(a->body, 0, NULL);
		snprintf(access_header, sizeof access_header,
		    "Authorization: Bearer %s\r\n",
		    json_string_value(json_object_get(j, "access_token")));
		json_decref(j);
	}
}

static void make_people(void)
{
	struct err err = { .code = ERR_NONE };

	nobody = (struct browser){ 0 };
	browse(&nobody, "/hub/login");
	log_in(&alice, "alice");
	log_in(&bob, "bob");
	log_in(&boss, "boss");
	test_ok(user_set_admin(app.db, user_id_of("boss"), true, &err), &err);
	(void)bearer(user_id_of("alice"), "[\"inherit\"]"); /* a1 */
	as_boss("PUT", "/hub/api/users/alice/servers/lab", "{}", 201);
	make_service("notes", SECRET);
	make_service("boards", "fedcba9876543210fedcba9876543210");
	keep_share_code();
	keep_codes();
	assert_answer(
	    request("GET", "/hub/api/user", access_header, NULL), 200, NULL);
}

static void sign_up(const char *name)
{
	char form[120];

	snprintf(form, sizeof form,
	    "username=%s&password=correct+horse&again=correct+horse", name);
	assert_answer(post(&nobody, "/hub/signup", form), 200, "administrator");
}

static void make_native_people(void)
{
	make_people();
	be_native();
	browse(&nobody, "/hub/signup");
	sign_up("carol");
	sign_up("eve");
	browse(&boss, "/hub/authorize");
	assert_answer(post(&boss, "/hub/authorize", "name=carol&deed=approve"),
	    303, NULL);
	carol = (struct browser){ 0 };
	browse(&carol, "/hub/login");
	assert_answer(
	    post(&carol, "/hub/login", "username=carol&password=correct+horse"),
	    302, NULL);
	browse(&carol, "/hub/change-password");
}

/* Salts of hashes, which are made in threads: the same in every round. */
static const char *fixed_name(void)
{
	return "fixed";
}

static uint32_t fixed_random(void)
{
	return 7;
}

static void fixed_bytes(void *const out, const size_t len)
{
	memset(out, 7, len);
}

static randombytes_implementation fixed = {
	.implementation_name = fixed_name,
	.random = fixed_random,
	.buf = fixed_bytes,
};

/* ---- tests ----------------------------------------------------------------
 */

static int try_as(
    const struct browser *b, const struct deed *deeds, size_t n_deeds)
{
	who = b;
	return try_each(deeds, n_deeds);
}

static void test_forms(void **state)
{
	int n;

	(void)state;
	people_keep(make_people);
	n = try_as(&nobody, of_nobody, N_OF(of_nobody));
	n += try_as(&alice, of_alice, N_OF(of_alice));
	n += try_as(&bob, of_bob, N_OF(of_bob));
	n += try_as(&boss, of_boss, N_OF(of_boss));
	n += try_as(NULL, of_client, N_OF(of_client));
	assert_in_range(n, 300, 10000);
}

static void test_forms_of_who_has_a_running_server(void **state)
{
	(void)state;
	people_keep(make_people);
	prepare = run_alice;
	try_as(&alice, of_a_runner, N_OF(of_a_runner));
	prepare = NULL;
}

static void test_forms_for_passwords_of_the_hubs_own(void **state)
{
	(void)state;
	people_keep(make_native_people);
	is_native = true;
	try_as(&nobody, native_of_nobody, N_OF(native_of_nobody));
	try_as(&boss, native_of_boss, N_OF(native_of_boss));
	try_as(&carol, native_of_carol, N_OF(native_of_carol));
	is_native = false;
}

static int make_disk(void **state)
{
	(void)state;
	assert_int_equal(randombytes_set_implementation(&fixed), 0);
	assert_true(sodium_init() >= 0);
	disk_make();
	dice = 3;
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_forms),
		cmocka_unit_test(test_forms_of_who_has_a_running_server),
		cmocka_unit_test(test_forms_for_passwords_of_the_hubs_own),
	};

	return cmocka_run_group_tests_name(
	    "hub/faults_page", tests, make_disk, remove_people);
}
