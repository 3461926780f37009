/*
 * Every handler of the REST API meets a disk that fails (faults_fixture.c).
 */
#include "faults_fixture.c"

#include "hub/service.h"

static const char *boss;

#define ALICE "/hub/api/users/alice"
static const struct deed deeds[] = {
	{ "GET", "/hub/api/user", NULL, 200, false },
	{ "GET", "/hub/api/users", NULL, 200, false },
	{ "GET", "/hub/api/users?sort=name&name_filter=al&limit=1", NULL, 200,
	    false },
	{ "POST", "/hub/api/users", "{\"usernames\":[\"a\",\"b\",\"c\"]}", 201,
	    false },
	{ "GET", ALICE, NULL, 200, false },
	{ "POST", "/hub/api/users/dora", "{\"admin\":true}", 201, false },
	{ "PATCH", ALICE, "{\"name\":\"anna\",\"admin\":true}", 200, false },
	{ "DELETE", ALICE, NULL, 204, false },
	{ "POST", ALICE "/activity",
	    "{\"last_activity\":\"2023-11-01T00:00:00Z\","
	    "\"servers\":{\"lab\":{\"last_activity\":\"2023-11-01T00:00:00Z\"}"
	    "}}",
	    200, false },
	{ "POST", ALICE "/server", "{\"size\":\"big\"}", 202, true },
	{ "GET", ALICE "/servers/lab", NULL, 200, false },
	{ "POST", ALICE "/servers/new", "", 202, true },
	{ "PUT", ALICE "/servers/other", "{\"user_options\":{\"a\":1}}", 201,
	    false },
	{ "PATCH", ALICE "/servers/lab", "{\"display_name\":\"Lab\"}", 200,
	    false },
	{ "DELETE", ALICE "/servers/lab", "{\"remove\":true}", 204, false },
	{ "GET", ALICE "/tokens", NULL, 200, false },
	{ "POST", ALICE "/tokens", "{\"note\":\"n\",\"expires_in\":60}", 201,
	    false },
	{ "GET", ALICE "/tokens/a1", NULL, 200, false },
	{ "DELETE", ALICE "/tokens/a1", NULL, 204, false },
	{ "GET", "/hub/api/groups", NULL, 200, false },
	{ "POST", "/hub/api/groups",
	    "{\"groups\":[\"x\",\"y\"],\"users\":[\"alice\",\"bob\"]}", 201,
	    false },
	{ "POST", "/hub/api/groups/z", "{\"users\":[\"alice\",\"bob\"]}", 201,
	    false },
	{ "GET", "/hub/api/groups/crew", NULL, 200, false },
	{ "POST", "/hub/api/groups/crew/users",
	    "{\"users\":[\"bob\",\"boss\"]}", 200, false },
	{ "DELETE", "/hub/api/groups/crew/users", "{\"users\":[\"alice\"]}",
	    200, false },
	{ "PUT", "/hub/api/groups/crew/properties", "{\"a\":{\"b\":1}}", 200,
	    false },
	{ "DELETE", "/hub/api/groups/crew", NULL, 204, false },
	{ "POST", "/hub/api/shares/alice/lab", "{\"user\":\"bob\"}", 200,
	    false },
	{ "GET", "/hub/api/shares/alice", NULL, 200, false },
	{ "DELETE", "/hub/api/shares/alice/lab", NULL, 204, false },
	{ "POST", "/hub/api/share-codes/alice/lab", "{\"expires_in\":600}", 200,
	    false },
	{ "DELETE", "/hub/api/share-codes/alice/lab", NULL, 204, false },
	{ "PATCH", "/hub/api/shares/alice/lab", "{\"user\":\"boss\"}", 200,
	    false },
	{ "DELETE", "/hub/api/users/boss/shared/alice/lab", NULL, 204, false },
	{ "GET", "/hub/api/services", NULL, 200, false },
	{ "POST", "/hub/api/services/cull",
	    "{\"url\":\"http://127.0.0.1:9\","
	    "\"api_token\":\"0123456789abcdef0123456789abcdef\"}",
	    201, false },
	{ "DELETE", "/hub/api/services/grade", NULL, 200, false },
};

static struct call deed_begin(const struct deed *d)
{
	return request_begin(d->method, d->path, boss, d->body);
}

static void assert_refusal(const struct answer *a)
{
	assert_api_error(a, a->status, "");
}

static void hub_complete(void)
{
	struct err err = { .code = ERR_NONE };

	test_ok(services_open(&app, &err), &err);
}

static void make_people(void)
{
	const struct deed first[] = {
		{ "POST", "/hub/api/groups/crew", "{\"users\":[\"alice\"]}",
		    201, false },
		{ "PUT", ALICE "/servers/lab", "{}", 201, false },
		{ "POST", "/hub/api/share-codes/alice/lab", "", 200, false },
		{ "POST", "/hub/api/shares/alice/lab", "{\"user\":\"boss\"}",
		    200, false },
		{ "POST", "/hub/api/services/grade",
		    "{\"api_token\":\"fedcba9876543210fedcba9876543210\"}", 201,
		    false },
	};
	struct err err = { .code = ERR_NONE };
	int64_t id;

	id = add_user("alice");
	(void)add_user("bob");
	(void)bearer(id, "[\"inherit\"]"); /* a1 */
	test_ok(user_create(app.db, "boss", true, T0_US, &id, &err), &err);
	boss = bearer(id, "[\"inherit\"]");
	for (size_t i = 0; i < N_OF(first); i++)
		assert_answer(do_it(&first[i]), first[i].status, NULL);
	/* Its use is written down: later requests within a moment write what
	 * they are about. */
	assert_answer(request("GET", "/hub/api/user", boss, NULL), 200, NULL);
}

static void test_each_handler_meets_each_failing_call(void **state)
{
	(void)state;
	dice = 3;
	assert_in_range(try_each(deeds, N_OF(deeds)), 300, 10000);
}

static int make_people_once(void **state)
{
	(void)state;
	disk_make();
	people_keep(make_people);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_each_handler_meets_each_failing_call),
	};

	return cmocka_run_group_tests_name(
	    "hub/faults", tests, make_people_once, remove_people);
}
