/*
 * See client.h: the hub's side of wire.def.
 */
#include "spawner/client.h"

#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "base/fd.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/wire.h"
#include "spawner/protocol.h"
#include "spawner/words.h"

#define RETRY_FIRST_MS   100
#define RETRY_LAST_MS    5000
#define HELLO_TIMEOUT_MS 5000
#define GROUPS_MAX       1024

struct spawner_client {
	struct loop *loop;
	char *path;
	struct spawner_callbacks cb;
	struct wire *wire; /* NULL: not connected */
	bool is_up;        /* HELLO came back */
	bool told_down;    /* since it was up last */
	int64_t retry_ms;
	struct timer timer; /* of the next connect, or of the HELLO */
};

static void connect_now(struct spawner_client *c);

static void on_retry(struct timer *t, void *arg)
{
	(void)t;
	connect_now(arg);
}

/* Not connected (any more): say so once, and try again later. */
static void lose(struct spawner_client *c, const struct err *why)
{
	bool tell = !c->told_down;

	wire_close(&c->wire);
	if (c->is_up)
		c->retry_ms = RETRY_FIRST_MS;
	c->is_up = false;
	c->told_down = true;
	timer_start(c->loop, &c->timer, c->retry_ms, on_retry, c);
	c->retry_ms =
	    c->retry_ms * 2 < RETRY_LAST_MS ? c->retry_ms * 2 : RETRY_LAST_MS;
	if (tell)
		c->cb.down(why, c->cb.arg);
}

static void on_closed(struct wire *w, const struct err *why, void *arg)
{
	struct spawner_client *c = arg;
	struct err gone = { 0 };

	(void)w;
	if (why->code == ERR_NONE)
		(void)err_set(&gone, ERR_UNAVAILABLE,
		    c->is_up
			? "the spawner has closed the connection"
			: "the spawner refused the connection; its log says "
			  "why");
	lose(c, why->code == ERR_NONE ? &gone : why);
}

static void on_hello_timeout(struct timer *t, void *arg)
{
	struct err why = { 0 };

	(void)t;
	(void)err_set(&why, ERR_TIMEOUT, "the spawner does not answer");
	lose(arg, &why);
}

/* ---- what comes in: members were checked against wire.def ---------------- */

#define HANDLER(name)                                                          \
	static int on_##name(struct wire *w, const json_t *msg, int *fds,      \
	    size_t n_fds, void *arg, struct err *err)

static const char *text_of(const json_t *msg, const char *name)
{
	const char *text = json_string_value(json_object_get(msg, name));

	return text ? text : "";
}

static int64_t number_of(const json_t *msg, const char *name)
{
	return json_integer_value(json_object_get(msg, name));
}

static bool flag_of(const json_t *msg, const char *name)
{
	return json_is_true(json_object_get(msg, name));
}

HANDLER(HELLO)
{
	struct spawner_client *c = arg;
	int version = (int)number_of(msg, "version");

	(void)fds, (void)n_fds;
	if (version < PROTOCOL_VERSION)
		return err_set(err, ERR_PROTOCOL,
		    "the spawner speaks version %d of the protocol, this hub "
		    "version %d: install and restart both of one release",
		    version, PROTOCOL_VERSION);
	timer_stop(&c->timer);
	c->is_up = true;
	c->told_down = false;
	wire_set_state(w, WIRE_UP);
	log_debug(NULL, "spawner connected", "version=%d", version);
	c->cb.up(c->cb.arg);
	return 0;
}

HANDLER(AUTH_PROMPT)
{
	struct spawner_client *c = arg;

	(void)w, (void)fds, (void)n_fds, (void)err;
	c->cb.auth_prompt((uint64_t)number_of(msg, "id"), text_of(msg, "text"),
	    flag_of(msg, "echo"), c->cb.arg);
	return 0;
}

HANDLER(AUTH_END)
{
	const json_t *list = json_object_get(msg, "groups");
	const char *groups[GROUPS_MAX];
	struct spawner_client *c = arg;
	struct spawner_auth_end end = {
		.id = (uint64_t)number_of(msg, "id"),
		.code = auth_code_of(text_of(msg, "code")),
		.account = text_of(msg, "account"),
		.text = text_of(msg, "text"),
		.groups = groups,
		.is_changed = flag_of(msg, "changed"),
	};

	(void)w, (void)fds, (void)n_fds, (void)err;
	for (size_t i = 0; i < json_array_size(list) && i < GROUPS_MAX; i++) {
		const char *name = json_string_value(json_array_get(list, i));

		if (name)
			groups[end.n_groups++] = name;
	}
	c->cb.auth_end(&end, c->cb.arg);
	return 0;
}

static struct spawner_server server_of(const json_t *msg)
{
	return (struct spawner_server){
		.key = text_of(msg, "key"),
		.account = text_of(msg, "account"),
		.profile = text_of(msg, "profile"),
		.pid = (pid_t)number_of(msg, "pid"),
		.start_time = (uint64_t)number_of(msg, "start_time"),
		.address = text_of(msg, "address"),
		.ready = flag_of(msg, "ready"),
	};
}

HANDLER(STARTED)
{
	const struct spawner_server s = server_of(msg);
	struct spawner_client *c = arg;

	(void)w, (void)fds, (void)n_fds, (void)err;
	c->cb.started(&s, c->cb.arg);
	return 0;
}

HANDLER(READY)
{
	struct spawner_client *c = arg;

	(void)w, (void)fds, (void)n_fds, (void)err;
	c->cb.ready(text_of(msg, "key"), c->cb.arg);
	return 0;
}

HANDLER(SERVER)
{
	const struct spawner_server s = server_of(msg);
	struct spawner_client *c = arg;

	(void)w, (void)fds, (void)n_fds, (void)err;
	c->cb.found(&s, c->cb.arg);
	return 0;
}

HANDLER(LIST_END)
{
	struct spawner_client *c = arg;

	(void)w, (void)msg, (void)fds, (void)n_fds, (void)err;
	c->cb.list_end(c->cb.arg);
	return 0;
}

HANDLER(FAILED)
{
	const struct spawner_failed f = {
		.key = text_of(msg, "key"),
		.code = fail_code_of(text_of(msg, "code")),
		.text = text_of(msg, "text"),
		.tail = text_of(msg, "tail"),
	};
	struct spawner_client *c = arg;

	(void)w, (void)fds, (void)n_fds, (void)err;
	c->cb.failed(&f, c->cb.arg);
	return 0;
}

HANDLER(EXITED)
{
	const struct spawner_exited e = {
		.key = text_of(msg, "key"),
		.status = (int)number_of(msg, "status"),
		.signo = (int)number_of(msg, "signal"),
		.oom = flag_of(msg, "oom"),
		.asked = flag_of(msg, "asked"),
		.tail = text_of(msg, "tail"),
	};
	struct spawner_client *c = arg;

	(void)w, (void)fds, (void)n_fds, (void)err;
	c->cb.exited(&e, c->cb.arg);
	return 0;
}

HANDLER(TAIL_REPLY)
{
	struct spawner_client *c = arg;

	(void)w, (void)fds, (void)n_fds, (void)err;
	c->cb.tail(text_of(msg, "key"), text_of(msg, "text"), c->cb.arg);
	return 0;
}

#define TO_SPAWNER(type, states)                                               \
	static const struct wire_member spawner_##type[] = {
#define TO_HUB(type, states)                 static const struct wire_member hub_##type[] = {
#define MEMBER(name, type, required, lo, hi) { #name, type, required, lo, hi },
#define END                                                                    \
	{                                                                      \
		0                                                              \
	}                                                                      \
	}                                                                      \
	;
#include "spawner/wire.def"

/* What may come in, with handlers. */
static const struct wire_message table_in[] = {
#define TO_SPAWNER(type, states)
#define TO_HUB(type, states) { #type, states, hub_##type, 0, on_##type },
#define MEMBER(name, type, required, lo, hi)
#define END
#include "spawner/wire.def"
};

/* What goes out: checked here, so that a bound is an answer, no disconnect. */
static const struct wire_message table_out[] = {
#define TO_SPAWNER(type, states) { #type, states, spawner_##type, 0, NULL },
#define TO_HUB(type, states)
#define MEMBER(name, type, required, lo, hi)
#define END
#include "spawner/wire.def"
};

/* ---- connection ---------------------------------------------------------- */

static int say_hello(struct spawner_client *c, struct err *err)
{
	json_t *msg =
	    json_pack("{ss si}", "type", "HELLO", "version", PROTOCOL_VERSION);
	int rc = wire_send(c->wire, msg, NULL, 0, err);

	json_decref(msg);
	return rc;
}

static void connect_now(struct spawner_client *c)
{
	const struct wire_callbacks cb = {
		.table = table_in,
		.n = sizeof table_in / sizeof table_in[0],
		.on_closed = on_closed,
		.arg = c,
	};
	struct err err = { 0 };
	int fd;

	if (sock_connect_unix(c->path, SOCK_SEQPACKET, &fd, &err) != 0) {
		lose(c, &err);
		return;
	}
	c->wire = wire_open(c->loop, fd, WIRE_HELLO, &cb, &err);
	if (!c->wire || say_hello(c, &err) != 0) {
		lose(c, &err);
		return;
	}
	timer_start(c->loop, &c->timer, HELLO_TIMEOUT_MS, on_hello_timeout, c);
}

struct spawner_client *spawner_client_new(
    struct loop *l, const char *socket_path, const struct spawner_callbacks *cb)
{
	struct spawner_client *c = xcalloc(1, sizeof *c);

	c->loop = l;
	c->path = xstrdup(socket_path);
	c->cb = *cb;
	c->retry_ms = RETRY_FIRST_MS;
	timer_start(l, &c->timer, 0, on_retry, c);
	return c;
}

void spawner_client_free(struct spawner_client **client)
{
	struct spawner_client *c = *client;

	*client = NULL;
	if (!c)
		return;
	timer_stop(&c->timer);
	wire_close(&c->wire);
	free(c->path);
	free(c);
}

bool spawner_is_up(const struct spawner_client *c)
{
	return c->is_up;
}

/* ---- what goes out ------------------------------------------------------- */

/* Takes msg, which is NULL when a text was no UTF-8. */
static int say(struct spawner_client *c, json_t *msg, struct err *err)
{
	const struct wire_message *entry;
	int rc = -1;

	if (!msg)
		return err_set(err, ERR_INVALID, "a text is not UTF-8");
	if (!c->is_up) {
		rc = err_set(
		    err, ERR_UNAVAILABLE, "the spawner is not connected");
	} else if (wire_check(table_out, sizeof table_out / sizeof table_out[0],
		       WIRE_UP, msg, &entry, err) != 0) {
		if (err)
			err->code = ERR_INVALID;
	} else {
		rc = wire_send(c->wire, msg, NULL, 0, err);
		if (rc != 0 && err && err->code == ERR_LIMIT)
			err->code = ERR_INVALID;
	}
	json_decref(msg);
	return rc;
}

static json_t *with_key(const char *type, const char *key)
{
	return json_pack("{ss ss}", "type", type, "key", key);
}

int spawner_auth_begin(struct spawner_client *c, uint64_t id,
    const char *account, const char *rhost, struct err *err)
{
	return say(c,
	    json_pack("{ss sI ss ss}", "type", "AUTH_BEGIN", "id",
		(json_int_t)id, "account", account, "rhost", rhost),
	    err);
}

int spawner_auth_reply(
    struct spawner_client *c, uint64_t id, const char *reply, struct err *err)
{
	json_t *text = json_string(reply);
	json_t *msg = NULL;
	int rc;

	if (text)
		msg = json_pack("{ss sI sO}", "type", "AUTH_REPLY", "id",
		    (json_int_t)id, "reply", text);
	rc = say(c, msg, err);
	if (text)
		mem_wipe((char *)(uintptr_t)json_string_value(text),
		    json_string_length(text));
	json_decref(text);
	return rc;
}

int spawner_auth_cancel(struct spawner_client *c, uint64_t id, struct err *err)
{
	return say(c,
	    json_pack("{ss sI}", "type", "AUTH_CANCEL", "id", (json_int_t)id),
	    err);
}

static json_t *start_message(const struct spawner_start *s)
{
	json_t *msg;

	if (!s->service)
		return json_pack("{ss ss ss ss}", "type", "START", "key",
		    s->key, "account", s->account, "profile", s->profile);
	msg = json_pack("{ss ss ss}", "type", "START_SERVICE", "key", s->key,
	    "service", s->service);
	if (msg && s->port >= 0)
		json_object_set_new(msg, "port", json_integer(s->port));
	return msg;
}

int spawner_start(
    struct spawner_client *c, const struct spawner_start *s, struct err *err)
{
	json_t *msg = start_message(s);

	/* References of the caller's objects: they are only read. */
	if (msg)
		json_object_set(msg, "env", (json_t *)(uintptr_t)s->env);
	if (msg && s->options)
		json_object_set(
		    msg, "options", (json_t *)(uintptr_t)s->options);
	if (msg && s->create)
		json_object_set_new(msg, "create", json_true());
	if (msg && s->visit)
		json_object_set_new(msg, "visit", json_true());
	if (msg && s->tls)
		json_object_set(msg, "tls", (json_t *)(uintptr_t)s->tls);
	return say(c, msg, err);
}

int spawner_stop(struct spawner_client *c, const char *key, int64_t grace_ms,
    struct err *err)
{
	json_t *msg = with_key("STOP", key);

	/* Less than 0: as the profile says. */
	if (msg && grace_ms >= 0)
		json_object_set_new(msg, "grace_ms", json_integer(grace_ms));
	return say(c, msg, err);
}

int spawner_ack(struct spawner_client *c, const char *key, struct err *err)
{
	return say(c, with_key("ACK", key), err);
}

int spawner_tail(struct spawner_client *c, const char *key, struct err *err)
{
	return say(c, with_key("TAIL", key), err);
}

int spawner_list(struct spawner_client *c, struct err *err)
{
	return say(c, json_pack("{ss}", "type", "LIST"), err);
}
