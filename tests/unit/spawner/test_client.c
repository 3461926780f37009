/*
 * spawner/client and spawner/serve in one loop, over a real socket, with the
 * fake kind behind them; and every message of wire.def said wrong.
 */
#include "spawner/client.h"
#include "test_util.h"

#include <sys/socket.h>

#include "base/fd.h"
#include "base/json.h"
#include "base/log.h"
#include "base/loop.h"
#include "base/wire.h"
#include "spawner/protocol.h"
#include "spawner/serve.h"
#include "spawner/words.h"

#define TURNS   400
#define TURN_MS 25
#define KEY_A   "00000000000000aa"
#define KEY_B   "00000000000000bb"

static const char policy_text[] = "allow_fake: true\nmax_servers: 2\n"
				  "profiles: {default: {kind: fake}}\n";

struct fixture {
	struct test_dir dir;
	struct loop *loop;
	struct policy policy;
	struct serve *serve;
	struct fleet *fleet;
	struct attempts *attempts;
	struct spawner_client *client;
	struct err err;
	char socket[128];
	/* what the client was told */
	int n_ready, n_found_ready;
	int n_up, n_down, n_started, n_failed, n_exited, n_found, n_list_end;
	int n_tail, n_prompt, n_auth_end;
	char key[32], address[64], text[512], down[512];
	enum spawner_fail_code fail;
	enum spawner_auth_code auth;
	struct spawner_exited exit;
};

static void on_up(void *arg)
{
	((struct fixture *)arg)->n_up++;
}

static void on_down(const struct err *why, void *arg)
{
	struct fixture *f = arg;

	f->n_down++;
	snprintf(f->down, sizeof f->down, "%s", why->text);
}

static void on_prompt(uint64_t id, const char *text, bool echo, void *arg)
{
	(void)id, (void)text, (void)echo;
	((struct fixture *)arg)->n_prompt++;
}

static void on_auth_end(const struct spawner_auth_end *end, void *arg)
{
	struct fixture *f = arg;

	f->n_auth_end++;
	f->auth = end->code;
}

static void on_started(const struct spawner_server *s, void *arg)
{
	struct fixture *f = arg;

	f->n_started++;
	snprintf(f->key, sizeof f->key, "%s", s->key);
	snprintf(f->address, sizeof f->address, "%s", s->address);
}

static void on_ready(const char *key, void *arg)
{
	struct fixture *f = arg;

	f->n_ready++;
	snprintf(f->key, sizeof f->key, "%s", key);
}

static void on_found(const struct spawner_server *s, void *arg)
{
	struct fixture *f = arg;

	f->n_found++;
	f->n_found_ready += s->ready;
	snprintf(f->key, sizeof f->key, "%s", s->key);
	snprintf(f->address, sizeof f->address, "%s", s->address);
}

static void on_list_end(void *arg)
{
	((struct fixture *)arg)->n_list_end++;
}

static void on_failed(const struct spawner_failed *failed, void *arg)
{
	struct fixture *f = arg;

	f->n_failed++;
	f->fail = failed->code;
	snprintf(f->text, sizeof f->text, "%s", failed->text);
}

static void on_exited(const struct spawner_exited *e, void *arg)
{
	struct fixture *f = arg;

	f->n_exited++;
	f->exit = *e;
	snprintf(f->key, sizeof f->key, "%s", e->key);
}

static void on_tail(const char *key, const char *text, void *arg)
{
	struct fixture *f = arg;

	f->n_tail++;
	snprintf(f->key, sizeof f->key, "%s", key);
	snprintf(f->text, sizeof f->text, "%s", text);
}

static struct spawner_callbacks callbacks(struct fixture *f)
{
	return (struct spawner_callbacks){
		.up = on_up,
		.down = on_down,
		.auth_prompt = on_prompt,
		.auth_end = on_auth_end,
		.started = on_started,
		.ready = on_ready,
		.failed = on_failed,
		.exited = on_exited,
		.found = on_found,
		.list_end = on_list_end,
		.tail = on_tail,
		.arg = f,
	};
}

static void until(struct fixture *f, const int *count, int n)
{
	for (int i = 0; *count < n && i < TURNS; i++)
		loop_turn(f->loop, TURN_MS);
	assert_int_equal(*count, n);
}

static void start_serving(struct fixture *f)
{
	const struct serve_config config = { .client_uid = getuid() };
	const struct fleet_config fleet = {
		.policy = &f->policy,
		.own_uid = getuid(),
		.place = { .servers_fd = -1, .exe_fd = -1 },
	};
	struct fleet_callbacks cb = serve_fleet_callbacks;
	struct attempts_config attempts = {
		.place = { "nothing", f->dir.path },
		.max = 0,
		.prompt = serve_auth_prompt,
		.end = serve_auth_end,
	};
	int fd;

	f->serve = serve_new(f->loop, &config);
	cb.arg = attempts.arg = f->serve;
	f->fleet = fleet_new(f->loop, &fleet, &cb);
	f->attempts = attempts_new(f->loop, &attempts);
	serve_attach(f->serve, f->fleet, f->attempts);
	fd = sock_listen_unix(
	    f->socket, SOCK_SEQPACKET, 0600, (uid_t)-1, (gid_t)-1, &f->err);
	test_ok(fd, &f->err);
	test_ok(serve_listen(f->serve, fd, &f->err), &f->err);
}

static void stop_serving(struct fixture *f)
{
	serve_free(&f->serve);
	attempts_free(&f->attempts);
	fleet_free(&f->fleet);
}

static int setup(void **state)
{
	struct fixture *f = calloc(1, sizeof *f);
	struct spawner_callbacks cb = callbacks(f);

	log_set_level(LOG_ERROR);
	test_dir_make(&f->dir);
	snprintf(f->socket, sizeof f->socket, "%s/s", f->dir.path);
	f->loop = loop_new();
	test_ok(policy_parse(&f->policy, policy_text, strlen(policy_text), "p",
		    false, NULL, &f->err),
	    &f->err);
	start_serving(f);
	f->client = spawner_client_new(f->loop, f->socket, &cb);
	assert_int_equal(f->n_up, 0);
	until(f, &f->n_up, 1);
	*state = f;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *f = *state;

	spawner_client_free(&f->client);
	stop_serving(f);
	loop_free(&f->loop);
	policy_fini(&f->policy);
	test_dir_remove(&f->dir);
	free(f);
	return 0;
}

/* options is taken. */
static void start(struct fixture *f, const char *key, json_t *options)
{
	json_t *env = json_pack("{ss}", "JUPYTERHUB_USER", "a");
	const struct spawner_start s = {
		.key = key,
		.account = "alice",
		.profile = "default",
		.env = env,
		.options = options,
	};

	test_ok(spawner_start(f->client, &s, &f->err), &f->err);
	json_decref(env);
	json_decref(options);
}

static void test_server_lives_and_ends(void **state)
{
	struct fixture *f = *state;

	start(f, KEY_A, json_pack("{ss}", "address", "127.0.0.1:4"));
	assert_int_equal(f->n_started, 0);
	until(f, &f->n_started, 1);
	assert_string_equal(f->key, KEY_A);
	assert_string_equal(f->address, "127.0.0.1:4");
	until(f, &f->n_ready, 1);
	assert_string_equal(f->key, KEY_A);
	test_ok(spawner_list(f->client, &f->err), &f->err);
	until(f, &f->n_list_end, 1);
	assert_int_equal(f->n_found, 1);
	assert_int_equal(f->n_found_ready, 1);
	assert_string_equal(f->key, KEY_A);
	test_ok(spawner_tail(f->client, KEY_A, &f->err), &f->err);
	until(f, &f->n_tail, 1);
	assert_string_equal(f->text, "fake: no process\n");
	test_ok(spawner_stop(f->client, KEY_A, 1000, &f->err), &f->err);
	until(f, &f->n_exited, 1);
	assert_true(f->exit.asked);
	test_ok(spawner_ack(f->client, KEY_A, &f->err), &f->err);
	test_ok(spawner_list(f->client, &f->err), &f->err);
	until(f, &f->n_list_end, 2);
	assert_int_equal(f->n_found, 1);
}

static void test_failure_says_code_and_text(void **state)
{
	struct fixture *f = *state;

	start(f, KEY_A,
	    json_pack(
		"{ss ss si}", "fail", "session", "text", "why", "delay_ms", 1));
	until(f, &f->n_failed, 1);
	assert_int_equal(f->fail, FAIL_SESSION);
	assert_string_equal(f->text, "why");
	/* It is forgotten: the key is free. */
	start(f, KEY_A, NULL);
	until(f, &f->n_started, 1);
}

static void test_exit_is_told_until_acknowledged(void **state)
{
	struct fixture *f = *state;
	struct spawner_callbacks cb = callbacks(f);

	start(f, KEY_A,
	    json_pack("{si si}", "exit_after_ms", 0, "exit_status", 3));
	until(f, &f->n_exited, 1);
	assert_int_equal(f->exit.status, 3);
	assert_false(f->exit.asked);
	for (int i = 2; i <= 3; i++) {
		spawner_client_free(&f->client);
		f->client = spawner_client_new(f->loop, f->socket, &cb);
		until(f, &f->n_exited, i);
	}
	test_ok(spawner_ack(f->client, KEY_A, &f->err), &f->err);
	/* An exited server waits in no list. */
	test_ok(spawner_list(f->client, &f->err), &f->err);
	until(f, &f->n_list_end, 1);
	assert_int_equal(f->n_found, 0);
	spawner_client_free(&f->client);
	f->client = spawner_client_new(f->loop, f->socket, &cb);
	until(f, &f->n_up, 4);
	test_ok(spawner_list(f->client, &f->err), &f->err);
	until(f, &f->n_list_end, 2);
	assert_int_equal(f->n_exited, 3);
}

static void test_limits_and_used_keys_are_failures(void **state)
{
	struct fixture *f = *state;

	start(f, KEY_A, NULL);
	until(f, &f->n_started, 1);
	start(f, KEY_A, NULL);
	until(f, &f->n_failed, 1);
	assert_int_equal(f->fail, FAIL_EXISTS);
	start(f, KEY_B, NULL);
	until(f, &f->n_started, 2);
	start(f, "00000000000000cc", NULL);
	until(f, &f->n_failed, 2);
	assert_int_equal(f->fail, FAIL_LIMIT);
}

static void test_stop_while_it_starts(void **state)
{
	struct fixture *f = *state;

	start(f, KEY_A, json_pack("{si}", "delay_ms", 60000));
	test_ok(spawner_stop(f->client, KEY_A, 0, &f->err), &f->err);
	until(f, &f->n_exited, 1);
	assert_int_equal(f->n_started, 1);
	assert_true(f->exit.asked);
}

static void test_attempt_is_answered(void **state)
{
	struct fixture *f = *state;

	/* The limit of the fixture is none at all. */
	test_ok(spawner_auth_begin(f->client, 5, "a", "", &f->err), &f->err);
	until(f, &f->n_auth_end, 1);
	assert_int_equal(f->auth, AUTH_LIMIT);
	test_ok(spawner_auth_reply(f->client, 5, "late", &f->err), &f->err);
	test_ok(spawner_auth_cancel(f->client, 5, &f->err), &f->err);
	test_ok(spawner_list(f->client, &f->err), &f->err);
	until(f, &f->n_list_end, 1);
}

static void test_bounds_are_answers(void **state)
{
	struct fixture *f = *state;
	char long_text[600];
	json_t *env = json_object();
	struct spawner_start s = {
		.key = "short", .account = "a", .profile = "default", .env = env
	};

	memset(long_text, 'a', sizeof long_text - 1);
	long_text[sizeof long_text - 1] = '\0';
	assert_int_equal(spawner_auth_begin(f->client, 1, "", "", &f->err), -1);
	assert_int_equal(f->err.code, ERR_INVALID);
	assert_int_equal(
	    spawner_auth_begin(f->client, 1, "a\xff", "", &f->err), -1);
	assert_int_equal(f->err.code, ERR_INVALID);
	assert_int_equal(
	    spawner_auth_reply(f->client, 1, long_text, &f->err), -1);
	assert_int_equal(f->err.code, ERR_INVALID);
	assert_int_equal(spawner_stop(f->client, KEY_A, 600001, &f->err), -1);
	assert_int_equal(spawner_start(f->client, &s, &f->err), -1);
	assert_int_equal(f->err.code, ERR_INVALID);
	s.key = KEY_A;
	s.env = NULL;
	assert_int_equal(spawner_start(f->client, &s, &f->err), -1);
	json_decref(env);
	/* Nothing of it was heard. */
	assert_true(spawner_is_up(f->client));
}

static void test_restart_of_the_spawner_is_told_and_mended(void **state)
{
	struct fixture *f = *state;

	stop_serving(f);
	until(f, &f->n_down, 1);
	assert_false(spawner_is_up(f->client));
	assert_int_equal(spawner_list(f->client, &f->err), -1);
	assert_int_equal(f->err.code, ERR_UNAVAILABLE);
	start_serving(f);
	until(f, &f->n_up, 2);
	assert_int_equal(f->n_down, 1);
}

static void test_second_hub_is_refused(void **state)
{
	struct fixture *f = *state;
	struct spawner_callbacks cb = callbacks(f);
	struct spawner_client *second =
	    spawner_client_new(f->loop, f->socket, &cb);

	until(f, &f->n_down, 1);
	assert_non_null(strstr(f->down, "refused"));
	assert_true(spawner_is_up(f->client));
	assert_false(spawner_is_up(second));
	/* It gets its turn when the first one goes. */
	spawner_client_free(&f->client);
	until(f, &f->n_up, 2);
	assert_true(spawner_is_up(second));
	f->client = second;
}

/* ---- every message, said wrong ------------------------------------------- */

static bool is_closed_after(struct fixture *f, const char *packet, bool greet)
{
	static const char hello[] = "{\"type\":\"HELLO\",\"version\":5}";
	char answer[WIRE_PACKET_MAX];
	bool is_closed = false;
	int fd;

	test_ok(sock_connect_unix(f->socket, SOCK_SEQPACKET, &fd, &f->err),
	    &f->err);
	if (greet)
		assert_true(send(fd, hello, sizeof hello - 1, 0) > 0);
	assert_true(send(fd, packet, strlen(packet), 0) > 0);
	for (int i = 0; !is_closed && i < 40; i++) {
		ssize_t n;

		loop_turn(f->loop, 1);
		while ((n = recv(fd, answer, sizeof answer, 0)) > 0)
			;
		is_closed = n == 0;
	}
	fd_close(&fd);
	for (int i = 0; i < 3; i++)
		loop_turn(f->loop, 1);
	return is_closed;
}

static void test_an_older_hub_is_refused(void **state)
{
	static const char hello[] = "{\"type\":\"HELLO\",\"version\":1}";
	struct fixture *f = *state;

	spawner_client_free(&f->client);
	assert_true(is_closed_after(f, hello, false));
}

/* A message with all its members, each of the right kind. */
static json_t *make_message(const char *type, const struct wire_member *m)
{
	json_t *msg = json_pack("{ss}", "type", type);

	for (; m->name; m++) {
		switch (m->type) {
		case WIRE_STR:
			json_object_set_new(msg, m->name,
			    json_string(m->hi == 16 ? KEY_A : "a"));
			break;
		case WIRE_INT:
			json_object_set_new(msg, m->name, json_integer(m->lo));
			break;
		case WIRE_BOOL:
			json_object_set_new(msg, m->name, json_true());
			break;
		case WIRE_OBJ:
			json_object_set_new(msg, m->name, json_object());
			break;
		case WIRE_LIST:
			json_object_set_new(msg, m->name, json_array());
			break;
		}
	}
	return msg;
}

static void check_closed(struct fixture *f, json_t *msg, bool greet)
{
	char *text = json_text(msg, NULL);

	if (!is_closed_after(f, text, greet))
		fail_msg("not closed after %s", text);
	free(text);
	json_decref(msg);
}

static void check_message(struct fixture *f, const struct wire_message *m)
{
	json_t *msg = make_message(m->type, m->members), *wrong;

	/* In the wrong state. */
	check_closed(f, json_incref(msg), m->states == WIRE_HELLO);
	wrong = json_deep_copy(msg);
	json_object_set_new(wrong, "surplus", json_true());
	check_closed(f, wrong, m->states == WIRE_UP);
	for (const struct wire_member *x = m->members; x->name; x++) {
		wrong = json_deep_copy(msg);
		json_object_set_new(wrong, x->name, json_pack("[b]", 1));
		if (x->type != WIRE_LIST)
			check_closed(f, wrong, m->states == WIRE_UP);
		else
			json_decref(wrong);
		if (!x->required)
			continue;
		wrong = json_deep_copy(msg);
		json_object_del(wrong, x->name);
		check_closed(f, wrong, m->states == WIRE_UP);
	}
	json_decref(msg);
}

#define UNUSED __attribute__((unused))
#define TO_SPAWNER(type, states)                                               \
	static const struct wire_member spawner_##type[] = {
#define TO_HUB(type, states)                                                   \
	static const struct wire_member hub_##type[] UNUSED = {
#define MEMBER(name, type, required, lo, hi) { #name, type, required, lo, hi },
#define END                                                                    \
	{                                                                      \
		0                                                              \
	}                                                                      \
	}                                                                      \
	;
#include "spawner/wire.def"

static const struct wire_message messages[] = {
#define TO_SPAWNER(type, states) { #type, states, spawner_##type, 0, NULL },
#define TO_HUB(type, states)
#define MEMBER(name, type, required, lo, hi)
#define END
#include "spawner/wire.def"
};

static void test_wrong_messages_close_the_connection(void **state)
{
	struct fixture *f = *state;

	spawner_client_free(&f->client);
	for (int i = 0; i < 3; i++)
		loop_turn(f->loop, 1);
	for (size_t i = 0; i < N_OF(messages); i++)
		check_message(f, &messages[i]);
	/* Keys that pass wire.def and are none. */
	assert_true(is_closed_after(
	    f, "{\"type\":\"TAIL\",\"key\":\"../../../../../.\"}", true));
	assert_true(is_closed_after(
	    f, "{\"type\":\"ACK\",\"key\":\"0123456789ABCDEF\"}", true));
	assert_false(is_closed_after(
	    f, "{\"type\":\"ACK\",\"key\":\"0123456789abcdef\"}", true));
}

static void test_words_and_codes_agree(void **state)
{
	(void)state;
	for (int i = AUTH_SUCCESS; i <= AUTH_CANCELLED; i++)
		assert_int_equal(
		    auth_code_of(auth_word((enum spawner_auth_code)i)), i);
	for (int i = FAIL_PROFILE; i <= FAIL_INTERNAL; i++)
		assert_int_equal(
		    fail_code_of(fail_word((enum spawner_fail_code)i)), i);
	assert_int_equal(auth_code_of("new word"), AUTH_UNAVAILABLE);
	assert_int_equal(fail_code_of("new word"), FAIL_INTERNAL);
}

#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(test_server_lives_and_ends),
		T(test_failure_says_code_and_text),
		T(test_exit_is_told_until_acknowledged),
		T(test_limits_and_used_keys_are_failures),
		T(test_stop_while_it_starts),
		T(test_attempt_is_answered),
		T(test_bounds_are_answers),
		T(test_restart_of_the_spawner_is_told_and_mended),
		T(test_second_hub_is_refused),
		T(test_an_older_hub_is_refused),
		T(test_wrong_messages_close_the_connection),
		T(test_words_and_codes_agree),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
