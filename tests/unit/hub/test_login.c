/*
 * hub/login.c and hub/page_login.c, through the real server: steps, refusals,
 * what a login leaves behind, and what logging out takes away.
 */
#include "web_fixture.c"

static struct browser alice;

static struct answer *try_login(struct browser *b, const char *form)
{
	browse(b, "/hub/login");
	return post(b, "/hub/login", form);
}

/* ---- the form ----------------------------------------------------- */

static void test_form_has_token_and_keeps_next(void **state)
{
	struct browser b = { 0 };
	struct answer *a = browse(
	    &b, "/hub/login?next=%2Fuser%2Falice%2Flab%3Fx%3D1&username=al");

	(void)state;
	assert_answer(
	    a, 200, "action=\"/hub/login?next=%2Fuser%2Falice%2Flab%3Fx%3D1\"");
	assert_non_null(strstr(a->body, "value=\"al\""));
	assert_non_null(strstr(a->body, cookie_slot(&b, "_xsrf")));
	assert_non_null(strstr(a->text, "Max-Age=3600"));
}

static void test_hostile_next_is_dropped(void **state)
{
	struct browser b = { 0 };
	struct answer *a =
	    browse(&b, "/hub/login?next=https%3A%2F%2Fevil.example%2F");

	(void)state;
	assert_answer(a, 200, "action=\"/hub/login\"");
	assert_null(strstr(a->body, "evil"));
	assert_answer(browse(&b, "/hub/login?next=/a%0d%0aX:%20y"), 200,
	    "action=\"/hub/login\"");
}

/* What is escaped for a URL is escaped for HTML nevertheless. */
static void test_ghsa_c4gm_pwx9_9w8j_next_is_escaped_for_its_place(void **state)
{
	static const char *const hostile[] = {
		"/hub/login?next=/x%22%3E%3Cscript%3Ealert(1)%3C/script%3E",
		"/hub/login?next=/x'%20onfocus=alert(1)%20'",
		"/hub/login?next=/x%2522%253E%253Cscript%253Ealert(1)",
		"/hub/login?next=/x%26quot%3B%3E%3Cscript%3Ealert(1)",
	};

	(void)state;
	for (size_t i = 0; i < N_OF(hostile); i++) {
		struct browser b = { 0 };
		struct answer *a = browse(&b, hostile[i]);
		const char *p;

		assert_answer(a, 200, "action=\"/hub/login");
		assert_null(strstr(a->body, "<script>alert"));
		assert_null(strstr(a->body, "' onfocus"));
		p = strstr(a->body, "action=\"/hub/login") +
		    strlen("action=\"");
		assert_int_equal(strncmp(p + strcspn(p, "\"<>"), "\"", 1), 0);
	}
}

static char log_of_failure[8192];

static void keep_log(const char *line, void *arg)
{
	size_t len = strlen(log_of_failure);

	(void)arg;
	snprintf(
	    log_of_failure + len, sizeof log_of_failure - len, "%s\n", line);
}

/* A name that nobody has is logged short and printable, one line a try. */
static void test_cve_2026_54338_a_refused_name_is_logged_bounded(void **state)
{
	char form[700], name[256];

	(void)state;
	memset(name, 'n', 250);
	name[250] = '\0';
	snprintf(form, sizeof form,
	    "username=a%%0Afaked+line%%1B[31m%s&password=S3cretPassword", name);
	log_of_failure[0] = '\0';
	browse(&alice, "/hub/login");
	log_set_level(LOG_INFO);
	log_set_sink(keep_log, NULL);
	assert_answer(post(&alice, "/hub/login", form), 403, NULL);
	snprintf(form, sizeof form,
	    "username=a%%0Afaked+line%%1B[31mx%.150s&password=S3cretPassword",
	    name);
	assert_answer(post(&alice, "/hub/login", form), 403, NULL);
	log_set_sink(count_bugs, NULL);
	log_set_level(LOG_ERROR);
	assert_non_null(strstr(log_of_failure, "login refused"));
	assert_null(strstr(log_of_failure, "\nfaked"));
	assert_null(strchr(log_of_failure, '\x1b'));
	assert_null(strstr(log_of_failure, "S3cret"));
	name[70] = '\0';
	assert_null(strstr(log_of_failure, name));
	assert_true(strlen(log_of_failure) < 600);
}

static void test_username_is_escaped(void **state)
{
	struct browser b = { 0 };
	struct answer *a = browse(&b,
	    "/hub/login?username=%22%3E%3Cscript%3Ealert(1)%3C%2Fscript%3E");

	(void)state;
	assert_null(strstr(a->body, "<script>alert"));
	assert_non_null(strstr(a->body, "&quot;&gt;&lt;script&gt;"));
}

/* ---- success ------------------------------------------------------ */

static void test_success_makes_user_session_and_cookies(void **state)
{
	struct answer *a = try_login(&alice, "username=Alice&password=right");

	(void)state;
	assert_answer(a, 302, NULL);
	assert_header(a, "Location", "/hub/spawn");
	assert_true(user_id_of("alice") > 0);
	bool has_login = false;
	const char *line;
	for (size_t i = 0; (line = header_n(a, "Set-Cookie", i)); i++) {
		if (!str_starts(line, "jupyterhub-hub-login="))
			continue;
		has_login = true;
		assert_non_null(strstr(line, "HttpOnly"));
		assert_non_null(strstr(line, "Path=/hub/"));
	}
	assert_true(has_login);
	assert_answer(browse(&alice, "/hub/home"), 200, "alice");
	assert_int_equal(login_count(app.login), 0);
}

static void test_success_leads_to_next(void **state)
{
	struct browser b = { 0 };

	(void)state;
	browse(&b, "/hub/login");
	struct answer *a = post(&b, "/hub/login?next=%2Fhub%2Fhome%3Fa%3Db%26c",
	    "username=alice&password=right");
	assert_answer(a, 302, NULL);
	assert_header(a, "Location", "/hub/home?a=b&c");
	browse(&b, "/hub/logout");
	browse(&b, "/hub/login");
	a = post(&b, "/hub/login?next=%2F%2Fevil.example",
	    "username=alice&password=right");
	assert_header(a, "Location", "/hub/spawn");
}

static void test_who_is_logged_in_is_sent_on(void **state)
{
	(void)state;
	log_in(&alice, "alice");
	struct answer *a = browse(&alice, "/hub/login?next=%2Fhub%2Fhome");
	assert_answer(a, 302, NULL);
	assert_header(a, "Location", "/hub/home");
}

static void test_new_login_ends_the_old_session(void **state)
{
	char old[64];

	(void)state;
	log_in(&alice, "alice");
	snprintf(
	    old, sizeof old, "%s", cookie_slot(&alice, "jupyterhub-hub-login"));
	assert_answer(post(&alice, "/hub/login", "username=bob&password=right"),
	    302, NULL);
	assert_answer(browse(&alice, "/hub/home"), 200, "bob");
	struct browser copy = { 0 };
	snprintf(cookie_slot(&copy, "jupyterhub-hub-login"), 128, "%s", old);
	assert_answer(browse(&copy, "/hub/home"), 302, NULL);
}

/* CVE-2026-40934: who knew the old password is logged out everywhere, with the
 * tokens that came of it. */
static void test_cve_2026_40934_a_changed_password_ends_other_sessions(
    void **state)
{
	struct browser thief = { 0 }, bob = { 0 };

	(void)state;
	log_in(&thief, "alice");
	log_in(&bob, "bob");
	assert_answer(
	    try_login(&alice, "username=alice&password=right"), 302, NULL);
	assert_answer(browse(&thief, "/hub/home"), 200, "alice");
	alice = (struct browser){ 0 };
	assert_answer(
	    try_login(&alice, "username=alice&password=new"), 302, NULL);
	assert_answer(browse(&thief, "/hub/home"), 302, NULL);
	assert_answer(browse(&alice, "/hub/home"), 200, "alice");
	assert_answer(browse(&bob, "/hub/home"), 200, "bob");
}

/* ---- steps -------------------------------------------------------- */

/* The attempt's name in the form. */
static void attempt_name(const struct answer *a, char out[64])
{
	const char *p = strstr(a->body, "name=\"attempt\" value=\"");

	assert_non_null(p);
	snprintf(out, 33, "%s", p + strlen("name=\"attempt\" value=\""));
}

static struct answer *answer_step(
    struct browser *b, const char *attempt, const char *text)
{
	char form[200];

	snprintf(form, sizeof form, "attempt=%s&answer=%s", attempt, text);
	return post(b, "/hub/login?next=%2Fhub%2Fhome", form);
}

static void test_each_prompt_is_a_step(void **state)
{
	char attempt[64];
	struct answer *a = try_login(&alice, "username=alice&password=twice");

	(void)state;
	assert_answer(a, 200, "&lt;Code&gt; from your phone");
	assert_non_null(strstr(a->body, "type=\"password\""));
	attempt_name(a, attempt);
	a = answer_step(&alice, attempt, "first");
	assert_answer(a, 200, "One more step");
	assert_string_equal(script->answer, "first");
	a = answer_step(&alice, attempt, "123456");
	assert_answer(a, 302, NULL);
	assert_header(a, "Location", "/hub/home");
}

static void test_wrong_answer_is_told_like_a_wrong_password(void **state)
{
	char attempt[64];

	(void)state;
	attempt_name(try_login(&alice, "username=alice&password=otp"), attempt);
	assert_answer(answer_step(&alice, attempt, "000000"), 403,
	    "Invalid username or password");
	assert_answer(
	    answer_step(&alice, attempt, "123456"), 403, "This login is over");
}

static void test_attempt_belongs_to_its_browser(void **state)
{
	struct browser other = { 0 };
	char attempt[64];

	(void)state;
	attempt_name(try_login(&alice, "username=alice&password=otp"), attempt);
	browse(&other, "/hub/login");
	assert_answer(
	    answer_step(&other, attempt, "123456"), 403, "This login is over");
	assert_answer(answer_step(&alice, attempt, "123456"), 302, NULL);
}

/* Who has many logins open at their second step has no more tries. */
static void test_an_answer_waits_as_a_password_does(void **state)
{
	char attempt[64];

	(void)state;
	attempt_name(try_login(&alice, "username=alice&password=otp"), attempt);
	for (int i = 0; i < 30; i++)
		throttle_failed(app.throttle, "alice", "192.0.2.1");
	assert_answer(answer_step(&alice, attempt, "123456"), 429,
	    "Too many failed logins");
	assert_int_equal(login_count(app.login), 0);
	assert_int_equal(script->n_cancelled, 1);
	assert_string_equal(script->answer, "");
}

static void test_attempt_ends_with_its_deadline(void **state)
{
	char attempt[64];

	(void)state;
	attempt_name(try_login(&alice, "username=alice&password=otp"), attempt);
	advance(app.cfg.login_timeout_s * 1000 + 1);
	assert_int_equal(login_count(app.login), 0);
	assert_int_equal(script->n_cancelled, 1);
	assert_answer(
	    answer_step(&alice, attempt, "123456"), 403, "This login is over");
}

static void test_module_that_hangs_is_told(void **state)
{
	(void)state;
	browse(&alice, "/hub/login");
	struct call c =
	    post_begin(&alice, "/hub/login", "username=alice&password=hang");
	assert_true(call_waits(&c));
	advance(100001);
	assert_answer(call_end(&c), 503, "took too long");
	assert_int_equal(login_count(app.login), 0);
}

static void test_browser_that_leaves_cancels(void **state)
{
	(void)state;
	browse(&alice, "/hub/login");
	struct call c =
	    post_begin(&alice, "/hub/login", "username=alice&password=hang");
	assert_true(call_waits(&c));
	assert_int_equal(login_count(app.login), 1);
	call_drop(&c);
	for (int i = 0; i < 50 && login_count(app.login); i++)
		loop_turn(app.loop, 1);
	assert_int_equal(login_count(app.login), 0);
	assert_int_equal(script->n_cancelled, 1);
}

/* ---- refusals ----------------------------------------------------- */

static void test_refusals_say_what_to_do(void **state)
{
	static const struct {
		const char *form;
		int status;
		const char *says;
	} cases[] = {
		{ "username=alice&password=wrong", 403,
		    "Invalid username or password" },
		{ "username=nobody-here&password=wrong", 403,
		    "Invalid username or password" },
		{ "username=alice&password=expired", 403,
		    "Log in by ssh to change it" },
		{ "username=alice&password=away", 503,
		    "Logging in is not possible at the moment" },
		{ "username=alice", 403, "enter your name and password" },
		{ "password=right", 403, "enter your name and password" },
		{ "username=++&password=right", 403,
		    "enter your name and password" },
		{ "", 403, "enter your name and password" },
		{ "username=%00&password=x", 400, NULL },
		{ "username=%zz&password=x", 400, NULL },
		{ "attempt=x&answer=y", 403, "This login is over" },
	};

	(void)state;
	for (size_t i = 0; i < N_OF(cases); i++) {
		struct browser b = { 0 };
		struct answer *a = try_login(&b, cases[i].form);
		assert_answer(a, cases[i].status, cases[i].says);
		assert_null(header(a, "Location"));
		assert_true(cookie_slot(&b, "jupyterhub-hub-login")[0] == '\0');
	}
	assert_int_equal(login_count(app.login), 0);
}

static void test_form_without_its_token_is_shown_again(void **state)
{
	struct browser b = { 0 };
	struct call c;

	(void)state;
	browse(&b, "/hub/login");
	c = browse_begin(&b, "POST", "/hub/login", FORM_TYPE,
	    "username=alice&password=right");
	assert_answer(call_end(&c), 403, "invalid or expired. Try again");
	c = browse_begin(&b, "POST", "/hub/login", FORM_TYPE,
	    "_xsrf=x&username=alice&password=right");
	assert_answer(call_end(&c), 403, "invalid or expired. Try again");
	assert_int_equal(script->n_begun, 0);
}

static void test_rules_keep_people_out(void **state)
{
	(void)state;
	app.cfg.rules.allow_all = false;
	rules_close(&app.rules);
	struct err err;
	app.rules = rules_open(&app.cfg.rules, &err);
	assert_answer(try_login(&alice, "username=alice&password=right"), 403,
	    "you may not use this hub");
	assert_int_equal(user_id_of("alice"), 0);
}

static void test_guessing_has_to_wait(void **state)
{
	struct answer *a = NULL;

	(void)state;
	for (int i = 0; i < 8; i++)
		a = try_login(&alice, "username=alice&password=wrong");
	assert_answer(a, 429, "Try again in");
	assert_non_null(header(a, "Retry-After"));
	size_t begun = script->n_begun;
	assert_answer(
	    try_login(&alice, "username=ALICE&password=right"), 429, NULL);
	assert_int_equal(script->n_begun, begun);
	assert_answer(
	    try_login(&alice, "username=bob&password=right"), 302, NULL);
}

static void test_logins_at_once_are_bounded(void **state)
{
	struct call calls[5];
	struct browser b[6] = { 0 };

	(void)state;
	for (int i = 0; i < 4; i++) {
		browse(&b[i], "/hub/login");
		calls[i] = post_begin(
		    &b[i], "/hub/login", "username=alice&password=hang");
	}
	assert_answer(try_login(&b[4], "username=alice&password=right"), 503,
	    "Several logins with this name");
	app.cfg.max_logins = 4;
	app.cfg.max_waiting_logins = 0;
	assert_answer(try_login(&b[5], "username=bob&password=right"), 503,
	    "Too many people are logging in");
	for (int i = 0; i < 4; i++)
		call_drop(&calls[i]);
}

/* ---- more than begin at once --------------------------------------- */

static struct call come(struct browser *b, const char *form)
{
	*b = (struct browser){ 0 };
	browse(b, "/hub/login");
	return post_begin(b, "/hub/login", form);
}

static void wait_until_queued(struct call *c, size_t n)
{
	for (int i = 0; i < 100 && login_count_waiting(app.login) < n; i++)
		call_turn(c);
	assert_int_equal(login_count_waiting(app.login), n);
}

/* A class at nine o'clock: the second waits for the first, the third for it. */
static void test_logins_beyond_the_limit_wait_their_turn(void **state)
{
	struct browser b[3];
	struct call first, second, third;

	(void)state;
	app.cfg.max_logins = 1;
	first = come(&b[0], "username=alice&password=hang");
	assert_true(call_waits(&first));
	second = come(&b[1], "username=bob&password=hang");
	wait_until_queued(&second, 1);
	third = come(&b[2], "username=carol&password=right");
	wait_until_queued(&third, 2);
	assert_int_equal(script->n_begun, 1);
	assert_int_equal(login_count(app.login), 1);
	call_drop(&first);
	for (int i = 0; i < 100 && script->n_begun < 2; i++)
		call_turn(&third);
	/* Bob came before carol. */
	assert_string_equal(script->username, "bob");
	call_drop(&second);
	assert_answer(call_end(&third), 302, NULL);
	assert_string_equal(script->username, "carol");
	assert_int_equal(login_count_waiting(app.login), 0);
}

static void test_who_leaves_the_queue_is_never_asked_about(void **state)
{
	struct browser b[2];
	struct call first, second;

	(void)state;
	app.cfg.max_logins = 1;
	first = come(&b[0], "username=alice&password=hang");
	assert_true(call_waits(&first));
	second = come(&b[1], "username=bob&password=right");
	wait_until_queued(&second, 1);
	call_drop(&second);
	for (int i = 0; i < 100 && login_count_waiting(app.login); i++)
		call_turn(&first);
	assert_int_equal(login_count_waiting(app.login), 0);
	assert_int_equal(script->n_cancelled, 0);
	call_drop(&first);
	loop_turn(app.loop, 0);
	assert_int_equal(script->n_begun, 1);
}

/* What failed meanwhile counts for those who waited. */
static void test_the_queue_is_no_way_around_the_throttle(void **state)
{
	struct browser b[2];
	struct call first, second;

	(void)state;
	app.cfg.max_logins = 1;
	first = come(&b[0], "username=alice&password=hang");
	assert_true(call_waits(&first));
	second = come(&b[1], "username=bob&password=right");
	wait_until_queued(&second, 1);
	for (int i = 0; i < 9; i++)
		throttle_failed(app.throttle, "bob", "127.0.0.1");
	for (int i = 0; i < 30; i++)
		throttle_failed(app.throttle, "bob", "192.0.2.1");
	call_drop(&first);
	assert_answer(call_end(&second), 429, "Too many failed logins");
	assert_int_equal(script->n_begun, 1);
}

static void test_the_queue_is_bounded_and_ends(void **state)
{
	struct browser b[3] = { 0 };
	struct call first, second;

	(void)state;
	app.cfg.max_logins = 1;
	app.cfg.max_waiting_logins = 2;
	first = come(&b[0], "username=alice&password=hang");
	assert_true(call_waits(&first));
	second = come(&b[1], "username=bob&password=right");
	wait_until_queued(&second, 1);
	/* The other place is kept for another address. */
	assert_answer(try_login(&b[2], "username=carol&password=right"), 503,
	    "Too many people are logging in");
	loop_advance(app.loop, 61000);
	assert_answer(call_end(&second), 503, "Too many people are logging in");
	assert_int_equal(script->n_begun, 1);
	call_drop(&first);
}

static void test_long_body_is_refused(void **state)
{
	struct browser b = { 0 };
	char *form = xmalloc(20000);

	(void)state;
	memset(form, 'a', 19999);
	form[19999] = '\0';
	memcpy(form, "username=", 9);
	browse(&b, "/hub/login");
	assert_answer(post(&b, "/hub/login", form), 413, NULL);
	free(form);
}

/* ---- leaving ------------------------------------------------------ */

static void test_cve_2021_41247_logout_ends_every_copy_of_the_cookie(
    void **state)
{
	struct browser copy;

	(void)state;
	log_in(&alice, "alice");
	copy = alice;
	struct answer *a = browse(&alice, "/hub/logout");
	assert_answer(a, 302, NULL);
	assert_header(a, "Location", "/hub/login");
	assert_true(cookie_slot(&alice, "jupyterhub-hub-login")[0] == '\0');
	a = browse(&copy, "/hub/home");
	assert_answer(a, 302, NULL);
	assert_header(a, "Location", "/hub/login?next=%2Fhub%2Fhome");
}

static void test_logout_without_login_is_no_error(void **state)
{
	struct browser b = { 0 };

	(void)state;
	assert_answer(browse(&b, "/hub/logout"), 302, NULL);
}

/* Where no form asks for a password, one would be logged in again at once. */
static void test_logout_without_a_form_stays(void **state)
{
	struct authenticator_kind formless = script_kind;

	(void)state;
	log_in(&alice, "alice");
	formless.has_form = false;
	app.auth_kind = &formless;
	assert_answer(browse(&alice, "/hub/logout"), 200, "You are logged out");
	app.auth_kind = &script_kind;
}

static int fresh(void **state)
{
	alice = (struct browser){ 0 };
	return web_setup(state);
}

#define T(name) cmocka_unit_test_setup_teardown(name, fresh, web_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(test_form_has_token_and_keeps_next),
		T(test_hostile_next_is_dropped),
		T(test_username_is_escaped),
		T(test_ghsa_c4gm_pwx9_9w8j_next_is_escaped_for_its_place),
		T(test_cve_2026_54338_a_refused_name_is_logged_bounded),
		T(test_success_makes_user_session_and_cookies),
		T(test_success_leads_to_next),
		T(test_who_is_logged_in_is_sent_on),
		T(test_new_login_ends_the_old_session),
		T(test_cve_2026_40934_a_changed_password_ends_other_sessions),
		T(test_each_prompt_is_a_step),
		T(test_wrong_answer_is_told_like_a_wrong_password),
		T(test_attempt_belongs_to_its_browser),
		T(test_an_answer_waits_as_a_password_does),
		T(test_attempt_ends_with_its_deadline),
		T(test_module_that_hangs_is_told),
		T(test_browser_that_leaves_cancels),
		T(test_refusals_say_what_to_do),
		T(test_form_without_its_token_is_shown_again),
		T(test_rules_keep_people_out),
		T(test_guessing_has_to_wait),
		T(test_logins_at_once_are_bounded),
		T(test_logins_beyond_the_limit_wait_their_turn),
		T(test_who_leaves_the_queue_is_never_asked_about),
		T(test_the_queue_is_no_way_around_the_throttle),
		T(test_the_queue_is_bounded_and_ends),
		T(test_long_body_is_refused),
		T(test_cve_2021_41247_logout_ends_every_copy_of_the_cookie),
		T(test_logout_without_login_is_no_error),
		T(test_logout_without_a_form_stays),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
