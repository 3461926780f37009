/*
 * The audit log through the real hub: each event of audit.def by its deed, and
 * what must never stand in a record.
 */
#include "web_fixture.c"

#include "db/share_code.h"

#include <liboath/oath.h>

#include "auth/sealer.h"
#include "base/clock.h"
#include "base/fd.h"
#include "hub/audit.h"
#include "hub/auth_state.h"

#define ENTER                                                                  \
	"/hub/api/oauth2/authorize?client_id=jupyterhub-user-alice"            \
	"&redirect_uri=%2Fuser%2Falice%2Foauth_callback&response_type=code"

static struct browser alice;
static int64_t alice_id;

static int fresh(void **state)
{
	static char file[512];
	struct err err = { .code = ERR_NONE };

	web_setup(state);
	snprintf(file, sizeof file, "%s", test_path(&web_dir, "audit"));
	app.cfg.audit_file = file;
	app.audit = audit_open(&app, &err);
	if (!app.audit)
		fail_msg("%s", err.text);
	alice = (struct browser){ 0 };
	log_in(&alice, "alice");
	alice_id = user_id_of("alice");
	return 0;
}

static int stale(void **state)
{
	audit_close(&app.audit);
	return web_teardown(state);
}

static const char *whole(void)
{
	static char *text;
	struct err err = { .code = ERR_NONE };
	size_t len;

	free(text);
	test_ok(file_read_all(app.cfg.audit_file, 1 << 20, &text, &len, &err),
	    &err);
	return text;
}

static size_t n_records(void)
{
	const char *text = whole();
	size_t n = 0;

	while ((text = strchr(text, '\n'))) {
		text++;
		n++;
	}
	return n;
}

/* The last record; freed by the caller. */
static json_t *last(void)
{
	const char *text = whole(), *line = text;

	for (const char *p = text; (p = strchr(p, '\n')) && p[1];)
		line = ++p;
	json_t *j = json_loads(line, JSON_REJECT_DUPLICATES, NULL);
	if (!j)
		fail_msg("no JSON: %s", line);
	return j;
}

/* What a record must say, as JSON beside time, event and from. */
static void assert_last(enum audit_event ev, const char *want)
{
	json_t *have = last(), *rest = json_loads(want, 0, NULL);

	assert_string_equal(json_string_value(json_object_get(have, "event")),
	    audit_event_name(ev));
	assert_non_null(json_object_get(have, "time"));
	json_object_del(have, "time");
	json_object_del(have, "event");
	json_object_del(have, "from");
	if (!json_equal(have, rest))
		fail_msg("wanted %s, got %s", want, whole());
	json_decref(have);
	json_decref(rest);
}

/* ---- the deeds ----------------------------------------------------------- */

static void hub_started(void)
{
	audit_hub(&app, AUDIT_HUB_STARTED, "1.2");
	assert_last(AUDIT_HUB_STARTED,
	    "{\"actor\":\"hub\",\"via\":\"hub\",\"detail\":\"1.2\"}");
}

static void hub_stopped(void)
{
	audit_hub(&app, AUDIT_HUB_STOPPED, NULL);
	assert_last(AUDIT_HUB_STOPPED, "{\"actor\":\"hub\",\"via\":\"hub\"}");
}

static void config_changed(void)
{
	audit_hub(&app, AUDIT_CONFIG_CHANGED, "auth.allow_all");
	assert_last(AUDIT_CONFIG_CHANGED, "{\"actor\":\"hub\",\"via\":\"hub\","
					  "\"detail\":\"auth.allow_all\"}");
}

static void login(void)
{
	struct browser bob = { .extra = "X-Forwarded-For: 192.0.2.7\r\n" };

	log_in(&bob, "bob");
	json_t *j = last();
	assert_string_equal(
	    json_string_value(json_object_get(j, "from")), "192.0.2.7");
	json_decref(j);
	assert_last(AUDIT_LOGIN, "{\"actor\":\"bob\",\"via\":\"login\","
				 "\"detail\":\"allow_all\"}");
}

static void fail_login(const char *name)
{
	struct browser b = { 0 };
	char form[100];

	browse(&b, "/hub/login");
	snprintf(form, sizeof form, "username=%s&password=Wr0ngSecret", name);
	assert_answer(post(&b, "/hub/login", form), 403, NULL);
}

static void login_failed(void)
{
	fail_login("alice");
	assert_last(AUDIT_LOGIN_FAILED, "{\"target\":\"alice\"}");
	fail_login("MyS3cret");
	assert_last(AUDIT_LOGIN_FAILED, "{}");
	assert_null(strstr(whole(), "Wr0ng"));
	assert_null(strcasestr(whole(), "MyS3cret"));
}

static void login_refused(void)
{
	struct browser b = { 0 };

	app.cfg.rules.allow_all = false;
	rules_close(&app.rules);
	struct err err = { .code = ERR_NONE };
	app.rules = rules_open(&app.cfg.rules, &err);
	browse(&b, "/hub/login");
	assert_answer(
	    post(&b, "/hub/login", "username=eve&password=right"), 403, NULL);
	json_t *j = last();
	assert_string_equal(
	    json_string_value(json_object_get(j, "event")), "login-refused");
	assert_string_equal(
	    json_string_value(json_object_get(j, "target")), "eve");
	assert_non_null(json_object_get(j, "detail"));
	json_decref(j);
}

static void login_ended(void)
{
	audit_login_ended(&app, "alice", "left the course");
	assert_last(AUDIT_LOGIN_ENDED, "{\"actor\":\"hub\",\"via\":\"hub\","
				       "\"target\":\"alice\","
				       "\"detail\":\"left the course\"}");
}

static void logout(void)
{
	browse(&alice, "/hub/logout");
	assert_last(AUDIT_LOGOUT, "{\"actor\":\"alice\",\"via\":\"login\"}");
}

static void server_starts(void)
{
	browse(&alice, "/hub/spawn");
	assert_last(AUDIT_SERVER_START,
	    "{\"actor\":\"alice\",\"via\":\"login\",\"target\":\"alice\","
	    "\"server\":\"\"}");
}

/* By a token: its id stands there, it does not. */
static void server_stops(void)
{
	const char *token = bearer(alice_id, "[\"servers\"]");
	char want[200];

	to_running(alice_id);
	size_t before = n_records();
	struct call c =
	    request_begin("DELETE", "/hub/api/users/alice/server", token, NULL);
	for (int i = 0; i < WEB_WAIT_MS && n_records() == before; i++)
		call_turn(&c);
	call_drop(&c);
	json_t *j = last();
	snprintf(want, sizeof want,
	    "{\"actor\":\"alice\",\"via\":\"token\",\"token\":%lld,"
	    "\"target\":\"alice\",\"server\":\"\"}",
	    (long long)json_integer_value(json_object_get(j, "token")));
	assert_true(json_integer_value(json_object_get(j, "token")) > 0);
	json_decref(j);
	assert_last(AUDIT_SERVER_STOP, want);
	assert_null(strstr(whole(), "Authorization"));
	char plain[TOKEN_LEN + 1];
	snprintf(
	    plain, sizeof plain, "%s", token + strlen("Authorization: token "));
	assert_null(strstr(whole(), plain));
}

static void server_is_entered(void)
{
	struct browser boss = { 0 };
	struct err err = { .code = ERR_NONE };

	to_running(alice_id);
	log_in(&boss, "boss");
	test_ok(user_set_admin(app.db, user_id_of("boss"), true, &err), &err);
	size_t before = n_records();
	assert_answer(browse(&alice, ENTER), 302, NULL);
	assert_int_equal(n_records(), before);
	assert_answer(browse(&boss, ENTER), 200, NULL);
	assert_int_equal(n_records(), before);
	assert_answer(
	    post(&boss, ENTER, "scopes=access%3Aservers%21server%3Dalice%2F"),
	    302, NULL);
	assert_last(AUDIT_SERVER_ENTER,
	    "{\"actor\":\"boss\",\"via\":\"login\",\"target\":\"alice\","
	    "\"server\":\"\"}");
}

static void share_is_accepted(void)
{
	struct browser bob = { 0 };
	struct share_code c = { .scopes = "[\"access:servers\"]",
		.created_us = 1,
		.expires_us = INT64_MAX };
	char plain[SHARE_CODE_LEN + 1], form[100];
	struct err err = { .code = ERR_NONE };
	int64_t id;

	log_in(&bob, "bob");
	test_ok(
	    server_row_create(app.db, alice_id, "lab", 1, &c.server_id, &err),
	    &err);
	test_ok(share_code_create(app.db, &c, plain, &id, &err), &err);
	snprintf(form, sizeof form, "code=%s", plain);
	assert_answer(post(&bob, "/hub/accept-share", form), 302, NULL);
	assert_last(AUDIT_SHARE_ACCEPT,
	    "{\"actor\":\"bob\",\"via\":\"login\",\"target\":\"alice\","
	    "\"server\":\"lab\"}");
	assert_null(strstr(whole(), plain));
}

static void something_is_changed(void)
{
	assert_answer(request("POST", "/hub/api/users/alice/server?x=secret",
			  bearer(alice_id, "[\"servers\"]"), "[1]"),
	    400, NULL);
	json_t *j = last();
	json_object_del(j, "token");
	json_object_del(j, "time");
	json_object_del(j, "from");
	json_t *want = json_loads(
	    "{\"event\":\"change\",\"actor\":\"alice\",\"via\":\"token\","
	    "\"target\":\"alice\",\"status\":400,"
	    "\"detail\":\"POST /hub/api/users/alice/server\"}",
	    0, NULL);
	if (!json_equal(j, want))
		fail_msg("got %s", whole());
	json_decref(j);
	json_decref(want);
}

/* ---- accounts of the hub's own ------------------------------------------- */

/* The same hub with "auth.type: native". */
static void be_native(const struct conf_node *options)
{
	const struct auth_env env = { .loop = app.loop,
		.sink = login_sink(app.login),
		.db = app.db,
		.rules = app.rules,
		.passwords = app.passwords,
		.options = options,
		.file = "carrel.yaml",
		.sealer = auth_state_sealer,
		.sealer_arg = &app };
	struct err err = { .code = ERR_NONE };

	app.auth_kind->close(&app.auth);
	app.auth_kind = authenticator_find("native");
	app.auth = app.auth_kind->open(&env, &err);
	assert_non_null(app.auth);
}

static void sign_up(void)
{
	struct browser b = { 0 };

	be_native(NULL);
	assert_answer(browse(&b, "/hub/signup"), 200, "Sign up");
	assert_answer(post(&b, "/hub/signup",
			  "username=Carol&password=correct+horse"
			  "&again=correct+horse"),
	    200, "administrator");
	assert_last(
	    AUDIT_SIGNUP, "{\"target\":\"carol\",\"detail\":\"waits\"}");
}

static void account_is_decided(void)
{
	struct err err = { .code = ERR_NONE };

	sign_up();
	test_ok(user_set_admin(app.db, alice_id, true, &err), &err);
	assert_answer(browse(&alice, "/hub/authorize"), 200, "carol");
	assert_answer(post(&alice, "/hub/authorize", "name=carol&deed=approve"),
	    303, NULL);
	assert_last(AUDIT_ACCOUNT,
	    "{\"actor\":\"alice\",\"via\":\"login\",\"target\":\"carol\","
	    "\"detail\":\"approve\"}");
}

static void password_is_changed(void)
{
	struct browser carol = { 0 };

	account_is_decided();
	browse(&carol, "/hub/login");
	assert_answer(
	    post(&carol, "/hub/login", "username=carol&password=correct+horse"),
	    302, NULL);
	browse(&carol, "/hub/change-password");
	assert_answer(post(&carol, "/hub/change-password",
			  "old=correct+horse&password=another+horse"
			  "&again=another+horse"),
	    303, NULL);
	assert_last(AUDIT_PASSWORD,
	    "{\"actor\":\"carol\",\"via\":\"login\",\"target\":\"carol\"}");
	assert_null(strstr(whole(), "horse"));
}

/* What the app shows to who typed the key of this page. */
static void code_of(const struct answer *page, char out[7])
{
	const char *at = strstr(page->body, "secret=");
	char *raw = NULL;
	size_t len = 0;

	assert_non_null(at);
	assert_int_equal(
	    oath_base32_decode(at + strlen("secret="), 32, &raw, &len),
	    OATH_OK);
	assert_int_equal(
	    oath_totp_generate(raw, len, clock_wall_s(), 30, 0, 6, out),
	    OATH_OK);
	free(raw);
}

static void second_step_is_turned_on(void)
{
	struct conf_node totp = {
		.kind = CONF_SCALAR, .key = "totp", .text = "optional"
	};
	struct conf_node options = {
		.kind = CONF_MAP, .child = &totp, .n_children = 1
	};
	struct browser carol = { 0 };
	struct answer *a;
	char code[7], form[64];

	account_is_decided();
	app.cfg.auth_state_keys = "";
	app.places.keys_dir = web_dir.path;
	be_native(&options);
	browse(&carol, "/hub/login");
	assert_answer(
	    post(&carol, "/hub/login", "username=carol&password=correct+horse"),
	    302, NULL);
	browse(&carol, "/hub/second-step");
	a = post(
	    &carol, "/hub/second-step", "deed=begin&password=correct+horse");
	assert_answer(a, 200, "otpauth://totp/Carrel:carol");
	code_of(a, code);
	snprintf(form, sizeof form, "deed=confirm&code=%s", code);
	assert_answer(post(&carol, "/hub/second-step", form), 303, NULL);
	assert_last(AUDIT_SECOND_STEP,
	    "{\"actor\":\"carol\",\"via\":\"login\",\"target\":\"carol\","
	    "\"detail\":\"on\"}");
	assert_null(strstr(whole(), code));
	be_native(NULL);
	sealer_close(&app.sealer);
}

static void test_each_event_by_its_deed(void **state)
{
	static void (*const deeds[AUDIT_N])(void) = {
		[AUDIT_HUB_STARTED] = hub_started,
		[AUDIT_HUB_STOPPED] = hub_stopped,
		[AUDIT_CONFIG_CHANGED] = config_changed,
		[AUDIT_LOGIN] = login,
		[AUDIT_LOGIN_FAILED] = login_failed,
		[AUDIT_LOGIN_REFUSED] = login_refused,
		[AUDIT_LOGIN_ENDED] = login_ended,
		[AUDIT_LOGOUT] = logout,
		[AUDIT_SIGNUP] = sign_up,
		[AUDIT_ACCOUNT] = account_is_decided,
		[AUDIT_PASSWORD] = password_is_changed,
		[AUDIT_SECOND_STEP] = second_step_is_turned_on,
		[AUDIT_SERVER_START] = server_starts,
		[AUDIT_SERVER_STOP] = server_stops,
		[AUDIT_SERVER_ENTER] = server_is_entered,
		[AUDIT_SHARE_ACCEPT] = share_is_accepted,
		[AUDIT_CHANGE] = something_is_changed,
	};

	for (int ev = 0; ev < AUDIT_N; ev++) {
		if (!deeds[ev])
			fail_msg("no deed for %s", audit_event_name(ev));
		stale(state);
		fresh(state);
		deeds[ev]();
	}
}

/* ---- what is not told ---------------------------------------------------- */

static void test_reading_chatter_and_strangers_are_not_told(void **state)
{
	size_t before = n_records();

	(void)state;
	assert_answer(
	    request("GET", "/hub/api/user", bearer(alice_id, "[]"), NULL), 200,
	    NULL);
	assert_answer(request("POST", "/hub/api/users/alice/activity",
			  bearer(alice_id, "[\"users:activity\"]"),
			  "{\"last_activity\":\"2023-11-14T22:13:20Z\"}"),
	    200, NULL);
	request("POST", "/hub/api/users/alice/server", "", "{}");
	assert_answer(&answer, 403, NULL);
	request("DELETE", "/hub/api/no-such", bearer(alice_id, "[]"), NULL);
	assert_int_equal(n_records(), before);
}

static void test_values_are_bounded_and_one_line_each(void **state)
{
	char text[4096];
	size_t before = n_records();

	(void)state;
	memset(text, 'x', sizeof text);
	text[sizeof text - 1] = '\0';
	memcpy(text, "a\nb\x01\xff\"", 6);
	audit_hub(&app, AUDIT_CONFIG_CHANGED, text);
	assert_int_equal(n_records(), before + 1);
	json_t *j = last();
	const char *detail = json_string_value(json_object_get(j, "detail"));
	assert_true(strlen(detail) < AUDIT_VALUE_MAX);
	assert_true(str_starts(detail, "a?b??\"xxx"));
	json_decref(j);
}

/* ---- where to ------------------------------------------------------------ */

static char heard[1024];

static void hear(const char *line, void *arg)
{
	(void)arg;
	if (strstr(line, " audit "))
		snprintf(heard, sizeof heard, "%s", line);
}

static void test_without_a_file_records_go_to_the_log(void **state)
{
	struct err err = { .code = ERR_NONE };

	(void)state;
	audit_close(&app.audit);
	app.cfg.audit_file = "";
	app.audit = audit_open(&app, &err);
	log_set_level(LOG_INFO);
	log_set_sink(hear, NULL);
	browse(&alice, "/hub/logout");
	assert_non_null(strstr(heard, " event=logout actor=alice via=login"));
	log_set_sink(count_bugs, NULL);
	log_set_level(LOG_ERROR);
}

static void test_a_file_that_cannot_be_made_is_an_error(void **state)
{
	struct err err = { .code = ERR_NONE };

	(void)state;
	audit_close(&app.audit);
	app.cfg.audit_file = "/no/such/place";
	assert_null(audit_open(&app, &err));
	assert_non_null(strstr(err.text, "audit.file"));
	assert_non_null(strstr(err.text, "/no/such/place"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define T(f) cmocka_unit_test_setup_teardown(f, fresh, stale)
		T(test_each_event_by_its_deed),
		T(test_reading_chatter_and_strangers_are_not_told),
		T(test_values_are_bounded_and_one_line_each),
		T(test_without_a_file_records_go_to_the_log),
		T(test_a_file_that_cannot_be_made_is_an_error),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
