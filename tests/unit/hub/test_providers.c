/*
 * hub/providers.c and hub/page_provider.c: buttons, the way out, the way back,
 * through the real server. The authenticator is the test's own, in the place of
 * auth/oauth.c.
 */
#include "web_fixture.c"

#include "auth/oauth.h"
#include "auth/trip.h"
#include "base/fd.h"
#include "hub/audit.h"
#include "hub/metrics.h"
#include "hub/providers.h"

/* ---- in the place of auth/oauth.c -------------------------------------------
 */

struct fake {
	struct authenticator base;
	struct auth_env copy; /* what it was opened with */
	const char *name;
	const char *prefix; /* NULL: not said */
	uint64_t id;
	bool is_leaving;
	char state[64], nonce[64], verifier[64], code[64];
	size_t n_cancelled, n_callbacks;
};

static struct fake *fakes[4];
static size_t n_fakes;
static bool is_silent; /* it never answers */
static const char *outcome, *refusal = "Not <you>.";
static const char *subject; /* whose account it is there */

static struct fake *fake_of(const struct authenticator *au)
{
	return (struct fake *)(void *)au;
}

static struct authenticator *fake_open(
    const struct auth_env *env, struct err *err)
{
	const struct conf_node *name = conf_child(env->options, "name");
	const struct conf_node *prefix =
	    conf_child(env->options, "username_prefix");
	struct fake *f;

	if (!name || !env->callback_url) {
		(void)err_set(err, ERR_INVALID, "no name, or no public_url");
		return NULL;
	}
	assert_string_equal(
	    env->callback_url, "https://hub.example.org/hub/oauth_callback");
	f = xcalloc(1, sizeof *f);
	f->base.kind = &authenticator_oauth;
	f->copy = *env;
	f->name = name->text;
	f->prefix = prefix ? prefix->text : NULL;
	fakes[n_fakes++ % N_OF(fakes)] = f;
	return &f->base;
}

static void keep_trip(struct fake *f, uint64_t id, const struct auth_trip *trip)
{
	f->id = id;
	snprintf(f->state, sizeof f->state, "%s", trip->state);
	snprintf(f->nonce, sizeof f->nonce, "%s", trip->nonce);
	snprintf(f->verifier, sizeof f->verifier, "%s", trip->verifier);
}

/* Answered later, by fake_answer. */
static void fake_redirect(
    struct authenticator *au, uint64_t id, const struct auth_trip *trip)
{
	keep_trip(fake_of(au), id, trip);
	fake_of(au)->is_leaving = true;
}

static void fake_callback(struct authenticator *au, uint64_t id,
    const struct auth_trip *trip, const struct url_pairs *query)
{
	struct fake *f = fake_of(au);
	const char *code = url_pair_get(query, "code");

	keep_trip(f, id, trip);
	f->n_callbacks++;
	f->is_leaving = false;
	snprintf(f->code, sizeof f->code, "%s", code ? code : "");
}

static void fake_cancel(struct authenticator *au, uint64_t id)
{
	assert_int_equal(fake_of(au)->id, id);
	fake_of(au)->id = 0;
	fake_of(au)->n_cancelled++;
}

static void fake_close(struct authenticator **au)
{
	free(*au);
	*au = NULL;
}

const struct authenticator_kind authenticator_oauth = {
	.name = "oauth",
	.open = fake_open,
	.cancel = fake_cancel,
	.close = fake_close,
	.redirect = fake_redirect,
	.callback = fake_callback,
};

const char *oauth_name(const struct authenticator *au)
{
	return fake_of(au)->name;
}

const char *oauth_label(const struct authenticator *au)
{
	return str_eq(fake_of(au)->name, "campus") ? "<Campus>" : "GitHub";
}

bool oauth_asks_again(const struct authenticator *a)
{
	(void)a;
	return true;
}

bool oauth_has_prefix(const struct authenticator *au)
{
	return fake_of(au)->prefix != NULL;
}

static void fake_answer(struct fake *f)
{
	static const char *const groups[] = { "campus:staff" };
	const struct auth_identity identity = {
		.name = "Alice",
		.groups = groups,
		.n_groups = 1,
		.source = "https://id.example.org",
		.subject = subject,
	};
	void *arg = f->copy.sink->arg;
	uint64_t id = f->id;

	if (id == 0 || is_silent)
		return;
	f->id = 0;
	if (str_eq(outcome, "away"))
		f->copy.sink->done(
		    id, AUTH_RES_UNAVAILABLE, NULL, "It is away.", arg);
	else if (f->is_leaving)
		f->copy.redirect(id,
		    arena_printf(&app.config_arena,
			"https://id.example.org/auth?state=%s", f->state),
		    arg);
	else if (str_eq(outcome, "no"))
		f->copy.sink->done(id, AUTH_RES_DENIED, NULL, refusal, arg);
	else
		f->copy.sink->done(id, AUTH_RES_OK, &identity, "", arg);
}

/* ---- the stage --------------------------------------------------------------
 */

static struct browser alice;

static int open_with(const char *yaml, struct err *err)
{
	struct conf_node *tree;

	test_ok(conf_parse(&app.config_arena, yaml, strlen(yaml), "carrel.yaml",
		    &tree, err),
	    err);
	providers_close(&app.providers);
	n_fakes = 0;
	app.cfg.auth_providers = tree;
	app.providers = providers_open(&app, err);
	return app.providers ? 0 : -1;
}

static const char two[] = "- {name: campus, username_prefix: ''}\n"
			  "- {name: gh, username_prefix: gh-}\n";

static int fresh(void **state)
{
	struct err err = { 0 };
	int rc = web_setup(state);

	alice = (struct browser){ 0 };
	is_silent = false;
	outcome = "yes";
	subject = "u1";
	app.cfg.public_url = "https://hub.example.org/";
	app.places.config_file = "carrel.yaml";
	test_ok(open_with(two, &err), &err);
	return rc;
}

static int done(void **state)
{
	providers_close(&app.providers);
	return web_teardown(state);
}

/* GET in which the fake answers as soon as it was asked. */
static struct answer *visit(struct browser *b, const char *target)
{
	struct call c = browse_begin(b, "GET", target, "", NULL);

	for (int i = 0; i < 20 && call_waits(&c); i++) {
		call_turn(&c);
		for (size_t j = 0; j < n_fakes; j++)
			fake_answer(fakes[j]);
	}
	struct answer *a = call_end(&c);
	keep_cookies(b, a);
	return a;
}

static const char *leave(struct browser *b, const char *target)
{
	assert_answer(visit(b, target), 302, NULL);
	return arena_printf(&app.config_arena,
	    "/hub/oauth_callback?code=c0de&state=%s", fakes[0]->state);
}

static const char *trip_cookie(const struct answer *a)
{
	const char *line;

	for (size_t i = 0; (line = header_n(a, "Set-Cookie", i)); i++) {
		if (str_starts(line, TRIP_COOKIE))
			return line;
	}
	fail_msg("no cookie for the trip");
	return "";
}

/* ---- the page ---------------------------------------------------------------
 */

static void test_each_provider_has_a_button(void **state)
{
	struct answer *a = browse(&alice, "/hub/login?next=%2Fhub%2Fhome");

	(void)state;
	assert_answer(a, 200,
	    "href=\"/hub/oauth_login/campus?next=%2Fhub%2Fhome\">Log in with "
	    "&lt;Campus&gt;</a>");
	assert_answer(a, 200, "href=\"/hub/oauth_login/gh?next=");
	assert_answer(a, 200, "type=\"password\"");
	assert_null(strstr(a->body, "<Campus>"));
}

static void test_without_a_form_there_are_only_buttons(void **state)
{
	struct authenticator_kind formless = script_kind;

	(void)state;
	formless.has_form = false;
	app.auth_kind = &formless;
	struct answer *a = browse(&alice, "/hub/login");
	assert_answer(a, 200, "Log in with GitHub");
	assert_null(strstr(a->body, "type=\"password\""));
	app.auth_kind = &script_kind;
}

static void test_auto_login_skips_the_page_but_not_its_problems(void **state)
{
	(void)state;
	app.cfg.auto_login = "campus";
	struct answer *a = browse(&alice, "/hub/login?next=%2Fhub%2Fhome");
	assert_answer(a, 302, NULL);
	assert_header(
	    a, "Location", "/hub/oauth_login/campus?next=%2Fhub%2Fhome");
	outcome = "no";
	assert_answer(visit(&alice, leave(&alice, "/hub/oauth_login/campus")),
	    403, "Not &lt;you&gt;.");
	app.cfg.auto_login = "";
}

/* ---- out and back -----------------------------------------------------------
 */

static void test_leaving_sets_a_cookie_for_ten_minutes(void **state)
{
	struct answer *a = visit(&alice, "/hub/oauth_login/campus");
	const char *cookie;

	(void)state;
	assert_answer(a, 302, NULL);
	assert_true(str_starts(
	    header(a, "Location"), "https://id.example.org/auth?state="));
	cookie = trip_cookie(a);
	assert_non_null(strstr(cookie, "; HttpOnly"));
	assert_non_null(strstr(cookie, "; SameSite=Lax"));
	assert_non_null(strstr(cookie, "; Path=/hub/"));
	assert_non_null(strstr(cookie, "; Max-Age=600"));
	assert_null(strstr(cookie, "Secure"));
	assert_null(strstr(cookie, fakes[0]->verifier));
	alice.extra = "X-Forwarded-Proto: https\r\n";
	assert_non_null(strstr(
	    trip_cookie(visit(&alice, "/hub/oauth_login/campus")), "; Secure"));
}

static void test_coming_back_logs_in_once(void **state)
{
	const char *back =
	    leave(&alice, "/hub/oauth_login/campus?next=%2Fhub%2Fhome%3Fx");
	char cookie[1024], name[24];

	(void)state;
	snprintf(name, sizeof name, TRIP_COOKIE "%.8s", fakes[0]->state);
	snprintf(cookie, sizeof cookie, "%s", cookie_slot(&alice, name));
	assert_true(cookie[0] != '\0');
	struct answer *a = visit(&alice, back);
	assert_answer(a, 302, NULL);
	assert_header(a, "Location", "/hub/home?x");
	assert_string_equal(fakes[0]->code, "c0de");
	assert_true(user_id_of("alice") > 0);
	assert_string_equal(cookie_slot(&alice, name), "");
	assert_answer(browse(&alice, "/hub/home"), 200, "alice");
	assert_answer(visit(&alice, back), 403, "start again");
	/* Somebody kept the cookie. */
	snprintf(cookie_slot(&alice, name), 1024, "%s", cookie);
	assert_answer(visit(&alice, back), 403, "used already");
	assert_int_equal(fakes[0]->n_callbacks, 1);
}

static void test_without_next_code_and_state_go_nowhere(void **state)
{
	const char *back = leave(&alice, "/hub/oauth_login/campus");

	(void)state;
	struct answer *a = visit(&alice,
	    arena_printf(&app.config_arena, "%s&next=%%2Fhub%%2Fadmin", back));
	assert_answer(a, 302, NULL);
	assert_header(a, "Location", "/hub/spawn");
}

static void test_the_address_without_a_name_knows_the_only_one(void **state)
{
	struct authenticator_kind formless = script_kind;
	struct err err = { 0 };

	(void)state;
	assert_answer(
	    visit(&alice, "/hub/oauth_login"), 200, "/hub/oauth_login/campus");
	formless.has_form = false;
	app.auth_kind = &formless;
	test_ok(open_with("- {name: campus}\n", &err), &err);
	app.auth_kind = &script_kind;
	struct answer *a = visit(
	    &alice, leave(&alice, "/hub/oauth_login?next=%2Fhub%2Fhome%3Fy"));
	assert_answer(a, 302, NULL);
	assert_header(a, "Location", "/hub/home?y");
}

static void test_a_foreign_next_is_dropped(void **state)
{
	static const char *const hostile[] = { "https%3A%2F%2Fevil.example",
		"%2F%2Fevil.example", "%2F%5Cevil.example/..", "javascript:x",
		"%2F%09%2Fevil.example" };

	(void)state;
	for (size_t i = 0; i < N_OF(hostile); i++) {
		struct browser b = { 0 };
		const char *back = leave(
		    &b, arena_printf(&app.config_arena,
			    "/hub/oauth_login/campus?next=%s", hostile[i]));
		const char *to = header(visit(&b, back), "Location");

		assert_true(to[0] == '/' && to[1] != '/' && to[1] != '\\');
	}
}

static void test_an_answer_in_another_browser_is_refused(void **state)
{
	struct browser victim = { 0 };
	const char *back = leave(&alice, "/hub/oauth_login/campus");

	(void)state;
	assert_answer(visit(&victim, back), 403, "start again");
	leave(&victim, "/hub/oauth_login/campus");
	assert_answer(visit(&victim, back), 403, "start again");
	assert_answer(browse(&victim, "/hub/home"), 302, NULL);
	assert_int_equal(fakes[0]->n_callbacks, 0);
}

/* The answer for one provider is never given to another. */
static void test_a_trip_is_of_one_provider(void **state)
{
	struct err err = { 0 };
	const char *back = leave(&alice, "/hub/oauth_login/campus");

	(void)state;
	test_ok(open_with("- {name: gh, username_prefix: ''}\n", &err), &err);
	assert_answer(visit(&alice, back), 403, "start again");
	assert_int_equal(fakes[0]->n_callbacks, 0);
}

static void test_an_answer_after_ten_minutes_is_refused(void **state)
{
	const char *back = leave(&alice, "/hub/oauth_login/campus");

	(void)state;
	clock_sim_advance_us((int64_t)(TRIP_MAX_S + 1) * 1000000);
	assert_answer(visit(&alice, back), 403, "took too long");
}

static void test_a_callback_without_one_state_is_refused(void **state)
{
	const char *back = leave(&alice, "/hub/oauth_login/campus");

	(void)state;
	assert_answer(visit(&alice, "/hub/oauth_callback"), 403, "start again");
	assert_answer(
	    visit(&alice, "/hub/oauth_callback?code=c0de"), 403, "start again");
	assert_answer(
	    visit(&alice, arena_printf(&app.config_arena, "%s&state=x", back)),
	    403, "start again");
	assert_int_equal(fakes[0]->n_callbacks, 0);
}

static void test_refusals_are_shown_with_the_buttons(void **state)
{
	(void)state;
	outcome = "no";
	struct answer *a =
	    visit(&alice, leave(&alice, "/hub/oauth_login/campus"));
	assert_answer(a, 403, "Not &lt;you&gt;.");
	assert_answer(a, 403, "/hub/oauth_login/gh");
	assert_null(strstr(a->body, "c0de"));
	outcome = "away";
	assert_answer(
	    visit(&alice, "/hub/oauth_login/campus"), 503, "It is away.");
	assert_answer(
	    visit(&alice, "/hub/oauth_login/nobody"), 404, "no such login");
}

/* In the audit log, bounded, and among the failures that are counted. */
static void test_refusals_are_audited_and_counted(void **state)
{
	static char file[512], text[400];
	static const char counted[] = "jupyterhub_login_duration_seconds_count{"
				      "status=\"LoginStatus.failure\"} 1";
	struct err err = { 0 };
	struct buf metrics;
	char *record;
	size_t len;

	(void)state;
	snprintf(file, sizeof file, "%s", test_path(&web_dir, "audit"));
	app.cfg.audit_file = file;
	app.audit = audit_open(&app, &err);
	assert_non_null(app.audit);
	memset(text, 'x', sizeof text - 1);
	outcome = "no";
	refusal = text;
	visit(&alice, leave(&alice, "/hub/oauth_login/campus"));
	refusal = "Not <you>.";
	audit_close(&app.audit);
	test_ok(file_read_all(file, 1 << 16, &record, &len, &err), &err);
	assert_non_null(strstr(record, "\"event\":\"login-failed\""));
	assert_non_null(strstr(record, "\"detail\":\"campus: xxx"));
	assert_null(strstr(record, "target"));
	assert_true(len < 500);
	free(record);
	buf_init(&metrics, 1 << 20);
	test_ok(metrics_text(&app, &metrics, &err), &err);
	assert_non_null(strstr(buf_view(&metrics), counted));
	buf_fini(&metrics);
}

/* A person who is known and not allowed: the rules have the last word. */
static void test_rules_decide_after_the_provider(void **state)
{
	struct err err = { 0 };

	(void)state;
	rules_close(&app.rules);
	app.cfg.rules.allow_all = false;
	app.rules = rules_open(&app.cfg.rules, &err);
	assert_non_null(app.rules);
	assert_answer(visit(&alice, leave(&alice, "/hub/oauth_login/campus")),
	    403, "may not use this hub");
	assert_answer(browse(&alice, "/hub/home"), 302, NULL);
}

/* The name was given to somebody else there; alice's files were not. */
static void test_a_name_that_was_given_anew_is_not_the_person(void **state)
{
	struct browser bob = { 0 };

	(void)state;
	assert_answer(
	    visit(&alice, leave(&alice, "/hub/oauth_login/campus")), 302, NULL);
	subject = "u2";
	assert_answer(visit(&bob, leave(&bob, "/hub/oauth_login/campus")), 403,
	    "The name alice belongs to another account");
	assert_string_equal(cookie_slot(&bob, "jupyterhub-hub-login"), "");
	subject = "u1";
	assert_answer(
	    visit(&bob, leave(&bob, "/hub/oauth_login/campus")), 302, NULL);
}

static void test_many_trips_do_not_fill_the_browser(void **state)
{
	size_t n_cleared = 0;
	const char *line;

	(void)state;
	for (int i = 0; i < TRIP_COOKIES_MAX; i++)
		leave(&alice, "/hub/oauth_login/campus");
	struct answer *a = visit(&alice, "/hub/oauth_login/campus");
	for (size_t i = 0; (line = header_n(a, "Set-Cookie", i)); i++)
		n_cleared += str_starts(line, TRIP_COOKIE) &&
			     strstr(line, "Max-Age=0") != NULL;
	assert_int_equal(n_cleared, TRIP_COOKIES_MAX);
}

/* ---- the end ----------------------------------------------------------------
 */

static void test_who_leaves_meanwhile_is_forgotten(void **state)
{
	struct call c =
	    browse_begin(&alice, "GET", "/hub/oauth_login/campus", "", NULL);

	(void)state;
	is_silent = true;
	for (int i = 0; i < 50 && fakes[0]->id == 0; i++)
		call_turn(&c);
	assert_true(fakes[0]->id != 0);
	call_drop(&c);
	for (int i = 0; i < 50 && fakes[0]->n_cancelled == 0; i++)
		loop_turn(app.loop, 10);
	assert_int_equal(fakes[0]->n_cancelled, 1);
}

static void test_logout_can_lead_elsewhere(void **state)
{
	(void)state;
	app.cfg.logout_redirect_url = "https://id.example.org/logout?x=1";
	log_in(&alice, "alice");
	struct answer *a = browse(&alice, "/hub/logout");
	assert_answer(a, 302, NULL);
	assert_header(a, "Location", "https://id.example.org/logout?x=1");
	assert_string_equal(cookie_slot(&alice, "jupyterhub-hub-login"), "");
	app.cfg.logout_redirect_url = "";
}

/* ---- opening ----------------------------------------------------------------
 */

static void refused(const char *yaml, const char *says)
{
	struct err err = { 0 };

	assert_int_equal(open_with(yaml, &err), -1);
	test_err_says(&err, says);
	assert_int_equal(providers_check(&app.cfg, "carrel.yaml", &err), -1);
}

static void test_what_is_no_list_of_providers_is_fatal(void **state)
{
	(void)state;
	refused("name: campus\n", "must be a list");
	refused("- {nom: campus}\n", "no name");
	refused("- {name: a, username_prefix: x}\n"
		"- {name: a, username_prefix: y}\n",
	    "two are called");
	app.cfg.auto_login = "nobody";
	refused(two, "no provider called");
	app.cfg.auto_login = "";
}

/* alice here and alice there are two, unless somebody says they are one. */
static void test_several_logins_want_their_names_told_apart(void **state)
{
	struct authenticator_kind formless = script_kind;
	struct err err = { 0 };

	(void)state;
	formless.has_form = false;
	refused("- {name: campus}\n", "username_prefix");
	app.auth_kind = &formless;
	test_ok(open_with("- {name: campus}\n", &err), &err);
	refused("- {name: campus, username_prefix: ''}\n- {name: gh}\n",
	    "username_prefix");
	app.auth_kind = &script_kind;
}

/* ---- learning platforms -----------------------------------------------------
 */

#define LMS                                                                    \
	"- {name: lms, kind: lti13, username_prefix: '', "                     \
	"issuer: 'https://lms.example', client_id: c, "                        \
	"authorize_url: 'https://lms.example/auth', "                          \
	"jwks_endpoint: 'https://lms.example/jwks', deployment_ids: [d]}\n"
#define BEGIN                                                                  \
	"/hub/lti13/oauth_login?iss=https%3A%2F%2Flms.example&login_hint=h&"   \
	"target_link_uri=https%3A%2F%2Fhub.example.org%2Fhub%2F"

static void test_a_launch_has_a_cookie_that_comes_with_its_form(void **state)
{
	struct err err = { 0 };

	(void)state;
	test_ok(open_with(LMS, &err), &err);
	alice.extra =
	    "X-Forwarded-Proto: https\r\nSec-Fetch-Site: cross-site\r\n"
	    "Sec-Fetch-Mode: navigate\r\n";
	struct answer *a = browse(&alice, BEGIN);
	assert_answer(a, 302, NULL);
	assert_true(str_starts(
	    header(a, "Location"), "https://lms.example/auth?response_type="));
	const char *cookie = trip_cookie(a);
	assert_non_null(strstr(cookie, "; HttpOnly"));
	assert_non_null(strstr(cookie, "; Secure; SameSite=None"));
	assert_non_null(strstr(cookie, "; Max-Age=600"));
}

static void test_platforms_have_no_button(void **state)
{
	struct err err = { 0 };

	(void)state;
	test_ok(open_with(LMS "- {name: campus, username_prefix: ''}\n", &err),
	    &err);
	struct answer *a = browse(&alice, "/hub/login");
	assert_answer(a, 200, "/hub/oauth_login/campus");
	assert_null(strstr(a->body, "lms"));
	assert_answer(browse(&alice, "/hub/oauth_login/lms"), 404, NULL);
	assert_answer(browse(&alice, "/hub/lti13/config"), 200, "oauth_login");
	assert_answer(browse(&alice, "/hub/lti11/config"), 404, "LTI 1.1");
	assert_string_equal(providers_only(app.providers), "campus");
	app.cfg.auto_login = "lms";
	refused(LMS, "begin on the learning platform");
	app.cfg.auto_login = "";
	refused(LMS LMS, "two are called");
	refused(LMS "- {name: lms2, kind: lti13, username_prefix: '', "
		    "issuer: 'https://lms.example', client_id: c, "
		    "authorize_url: 'https://lms.example/auth', "
		    "jwks_endpoint: 'https://lms.example/jwks', "
		    "deployment_ids: [e]}\n",
	    "are one platform");
	refused("- {name: a, kind: lti11, username_prefix: '', "
		"consumers: {k: '0123456789abcdef', l: '0123456789abcdef'}}\n"
		"- {name: b, kind: lti11, username_prefix: '', "
		"consumers: {m: '0123456789abcdef', l: '0123456789abcdee'}}\n",
	    "are one platform");
}

/* Its trip is worth nothing at the other's address, and the other way round. */
static void test_launches_and_answers_are_not_mixed_up(void **state)
{
	struct err err = { 0 };
	const char *back;

	(void)state;
	test_ok(open_with("- {name: campus, username_prefix: ''}\n" LMS, &err),
	    &err);
	back = leave(&alice, "/hub/oauth_login/campus");
	struct call c =
	    browse_begin(&alice, "POST", "/hub/lti13/oauth_callback",
		"Content-Type: application/x-www-form-urlencoded\r\n",
		strchr(back, '?') + 1);
	struct answer *a = call_end(&c);
	assert_answer(a, 403, "start again");
	assert_int_equal(fakes[0]->n_callbacks, 0);
	a = browse(&alice, BEGIN);
	const char *at = strstr(header(a, "Location"), "&state=") + 7;
	back = arena_printf(&app.config_arena,
	    "/hub/oauth_callback?id_token=x&state=%.43s", at);
	assert_answer(browse(&alice, back), 403, "start again");
}

#define T(name) cmocka_unit_test_setup_teardown(name, fresh, done)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(test_each_provider_has_a_button),
		T(test_without_a_form_there_are_only_buttons),
		T(test_auto_login_skips_the_page_but_not_its_problems),
		T(test_leaving_sets_a_cookie_for_ten_minutes),
		T(test_coming_back_logs_in_once),
		T(test_without_next_code_and_state_go_nowhere),
		T(test_the_address_without_a_name_knows_the_only_one),
		T(test_a_foreign_next_is_dropped),
		T(test_an_answer_in_another_browser_is_refused),
		T(test_a_trip_is_of_one_provider),
		T(test_an_answer_after_ten_minutes_is_refused),
		T(test_a_callback_without_one_state_is_refused),
		T(test_refusals_are_shown_with_the_buttons),
		T(test_refusals_are_audited_and_counted),
		T(test_rules_decide_after_the_provider),
		T(test_a_name_that_was_given_anew_is_not_the_person),
		T(test_many_trips_do_not_fill_the_browser),
		T(test_who_leaves_meanwhile_is_forgotten),
		T(test_logout_can_lead_elsewhere),
		T(test_what_is_no_list_of_providers_is_fatal),
		T(test_several_logins_want_their_names_told_apart),
		T(test_a_launch_has_a_cookie_that_comes_with_its_form),
		T(test_platforms_have_no_button),
		T(test_launches_and_answers_are_not_mixed_up),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
