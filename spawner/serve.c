/*
 * See serve.h.
 */
#include "spawner/serve.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/list.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/wire.h"
#include "spawner/protocol.h"
#include "spawner/words.h"

#define HELLO_TIMEOUT_MS 5000
#define GREETING_MAX     8
#define ACCEPT_PAUSE_MS  1000
/* Messages that wait for a slow hub, beyond the wire's own queue. */
#define OUTBOX_MAX       400000

struct conn {
	struct list link;
	struct serve *serve;
	struct wire *wire;
	int fd; /* owned by the wire; for a look only */
	pid_t peer;
	struct timer deadline; /* of the HELLO */
};

struct waiting {
	struct list link;
	json_t *msg;
};

struct serve {
	struct loop *loop;
	struct serve_config config;
	struct fleet *fleet;
	struct attempts *attempts;
	int listen_fd;
	struct watch watch;
	struct timer pause; /* no descriptor is free: accept later */
	struct list conns;  /* struct conn: those that have not said HELLO */
	size_t n_greeting;
	struct conn *hub;   /* the one that has; NULL: nobody */
	struct list outbox; /* struct waiting */
	size_t n_waiting;
};

/* ---- connections --------------------------------------------------------- */

static void outbox_clear(struct serve *s)
{
	list_for_each (it, &s->outbox) {
		struct waiting *w = LIST_ITEM(it, struct waiting, link);

		list_del(&w->link);
		json_decref(w->msg);
		free(w);
	}
	s->n_waiting = 0;
}

static void conn_free(struct conn *c)
{
	struct serve *s = c->serve;

	timer_stop(&c->deadline);
	wire_close(&c->wire);
	if (s->hub == c) {
		s->hub = NULL;
		outbox_clear(s);
		attempts_drop_all(s->attempts);
	} else {
		list_del(&c->link);
		s->n_greeting--;
	}
	free(c);
}

static void on_closed(struct wire *w, const struct err *why, void *arg)
{
	struct conn *c = arg;
	bool was_hub = c->serve->hub == c;

	(void)w;
	if (why->code != ERR_NONE)
		log_warn(NULL, "connection closed", "peer=%d why=\"%s\"",
		    (int)c->peer, why->text);
	else if (was_hub)
		log_info(NULL, "hub left", "peer=%d", (int)c->peer);
	conn_free(c);
}

static void on_hello_timeout(struct timer *t, void *arg)
{
	struct conn *c = arg;

	(void)t;
	log_warn(NULL, "connection closed", "peer=%d why=\"no HELLO came\"",
	    (int)c->peer);
	conn_free(c);
}

/* The process at the other end has ended, though we were not told yet. */
static bool is_dead(const struct conn *c)
{
	struct pollfd p = { .fd = c->fd, .events = POLLRDHUP };

	return poll(&p, 1, 0) > 0 &&
	       p.revents & (POLLRDHUP | POLLHUP | POLLERR);
}

/* ---- sending ------------------------------------------------------------- */

static bool flush_outbox(struct serve *s)
{
	while (s->hub && !list_empty(&s->outbox)) {
		struct waiting *w =
		    LIST_ITEM(s->outbox.next, struct waiting, link);
		struct err err = { 0 };

		if (wire_send(s->hub->wire, w->msg, NULL, 0, &err) != 0)
			return false;
		list_del(&w->link);
		json_decref(w->msg);
		free(w);
		s->n_waiting--;
	}
	return true;
}

static void on_writable(struct wire *w, void *arg)
{
	struct conn *c = arg;

	(void)w;
	(void)flush_outbox(c->serve);
}

/* In order; what the wire cannot take now waits. Takes msg. */
static bool say(struct serve *s, json_t *msg)
{
	struct err err = { 0 };
	struct waiting *w;

	if (!s->hub) {
		json_decref(msg);
		return false;
	}
	if (list_empty(&s->outbox) &&
	    wire_send(s->hub->wire, msg, NULL, 0, &err) == 0) {
		json_decref(msg);
		return true;
	}
	/* Anything but a full queue is the end of the connection: on_closed
	 * comes, and what is not acknowledged is said to the next hub. */
	if ((err.code != ERR_NONE && err.code != ERR_BUSY) ||
	    s->n_waiting >= OUTBOX_MAX) {
		log_warn(
		    NULL, "message to the hub is lost", "why=\"%s\"", err.text);
		json_decref(msg);
		return false;
	}
	w = xcalloc(1, sizeof *w);
	w->msg = msg;
	list_add_tail(&s->outbox, &w->link);
	s->n_waiting++;
	return true;
}

void serve_auth_prompt(uint64_t id, const char *text, bool echo, void *arg)
{
	(void)say(arg, json_pack("{ss sI ss sb}", "type", "AUTH_PROMPT", "id",
			   (json_int_t)id, "text", text, "echo", (int)echo));
}

void serve_auth_end(const struct attempt_end *end, void *arg)
{
	json_t *groups = end->groups
			     ? json_incref((json_t *)(uintptr_t)end->groups)
			     : json_array();
	json_t *msg = json_pack("{ss sI ss ss ss so}", "type", "AUTH_END", "id",
	    (json_int_t)end->id, "code", auth_word(end->code), "account",
	    end->account, "text", end->text, "groups", groups);

	/* A hub from before this member never reads it. */
	if (end->is_changed)
		json_object_set_new(msg, "changed", json_true());
	(void)say(arg, msg);
}

/* The members that SERVER and STARTED share. */
static json_t *server_json(const struct server *s, const char *type)
{
	return json_pack("{ss ss ss ss si sI ss}", "type", type, "key", s->key,
	    "account", s->account, "profile", s->profile, "pid", (int)s->pid,
	    "start_time", (json_int_t)s->start_time, "address",
	    s->state == SERVER_STARTING ? "" : s->address);
}

static bool on_started(const struct server *s, void *arg)
{
	return say(arg, server_json(s, "STARTED"));
}

static bool on_ready(const struct server *s, void *arg)
{
	return say(arg, json_pack("{ss ss}", "type", "READY", "key", s->key));
}

static bool on_failed(const char *key, enum spawner_fail_code code,
    const char *text, const char *tail, void *arg)
{
	return say(
	    arg, json_pack("{ss ss ss ss ss}", "type", "FAILED", "key", key,
		     "code", fail_word(code), "text", text, "tail", tail));
}

static bool on_exited(const struct server *s, void *arg)
{
	const struct server_exit *e = &s->exit;

	return say(arg,
	    json_pack("{ss ss si si sb sb ss}", "type", "EXITED", "key", s->key,
		"status", e->status, "signal", e->signo, "oom", (int)e->oom,
		"asked", (int)e->asked, "tail", s->tail ? s->tail : ""));
}

static bool on_tail(const char *key, const char *text, void *arg)
{
	return say(arg, json_pack("{ss ss ss}", "type", "TAIL_REPLY", "key",
			    key, "text", text));
}

const struct fleet_callbacks serve_fleet_callbacks = {
	.started = on_started,
	.ready = on_ready,
	.failed = on_failed,
	.exited = on_exited,
	.tail = on_tail,
};

/* ---- handlers: members were checked against wire.def --------------------- */

#define HANDLER(name)                                                          \
	static int on_##name(struct wire *w, const json_t *msg, int *fds,      \
	    size_t n_fds, void *arg, struct err *err)

static const char *text_of(const json_t *msg, const char *name)
{
	return json_string_value(json_object_get(msg, name));
}

static uint64_t id_of(const json_t *msg)
{
	return (uint64_t)json_integer_value(json_object_get(msg, "id"));
}

static int check_key(const json_t *msg, const char **out, struct err *err)
{
	*out = text_of(msg, "key");
	if (job_key_ok(*out))
		return 0;
	return err_set(err, ERR_PROTOCOL,
	    "member \"key\" must be 16 lower-case hex digits");
}

/* The newest hub takes the place of a dead one, never of a living one. */
static int become_hub(struct conn *c, struct err *err)
{
	struct serve *s = c->serve;

	if (s->hub && !is_dead(s->hub))
		return err_set(err, ERR_BUSY,
		    "another hub (pid %d) is connected; stop it first",
		    (int)s->hub->peer);
	if (s->hub)
		conn_free(s->hub);
	timer_stop(&c->deadline);
	list_del(&c->link);
	s->n_greeting--;
	s->hub = c;
	wire_set_state(c->wire, WIRE_UP);
	return 0;
}

HANDLER(HELLO)
{
	struct conn *c = arg;
	struct serve *s = c->serve;
	int version = (int)json_integer_value(json_object_get(msg, "version"));
	json_t *hello;

	(void)w, (void)fds, (void)n_fds;
	if (version < PROTOCOL_VERSION)
		return err_set(err, ERR_PROTOCOL,
		    "the hub speaks version %d of the protocol, this spawner "
		    "version %d: install and restart both of one release",
		    version, PROTOCOL_VERSION);
	if (become_hub(c, err) != 0)
		return -1;
	hello =
	    json_pack("{ss si}", "type", "HELLO", "version", PROTOCOL_VERSION);
	if (s->config.own_account)
		json_object_set_new(
		    hello, "account", json_string(s->config.own_account));
	log_info(
	    NULL, "hub connected", "peer=%d version=%d", (int)c->peer, version);
	(void)say(s, hello);
	fleet_report(s->fleet);
	return 0;
}

HANDLER(AUTH_BEGIN)
{
	struct serve *s = ((struct conn *)arg)->serve;

	(void)w, (void)fds, (void)n_fds;
	if (attempts_has(s->attempts, id_of(msg)))
		return err_set(
		    err, ERR_PROTOCOL, "AUTH_BEGIN with an id in use");
	attempts_begin(s->attempts, id_of(msg), text_of(msg, "account"),
	    text_of(msg, "rhost"));
	return 0;
}

HANDLER(AUTH_REPLY)
{
	(void)w, (void)fds, (void)n_fds, (void)err;
	attempts_reply(((struct conn *)arg)->serve->attempts, id_of(msg),
	    text_of(msg, "reply"));
	return 0;
}

HANDLER(AUTH_CANCEL)
{
	(void)w, (void)fds, (void)n_fds, (void)err;
	attempts_cancel(((struct conn *)arg)->serve->attempts, id_of(msg));
	return 0;
}

HANDLER(START)
{
	struct fleet_request r = {
		.account = text_of(msg, "account"),
		.profile = text_of(msg, "profile"),
		.env = json_object_get(msg, "env"),
		.options = json_object_get(msg, "options"),
		.create = json_is_true(json_object_get(msg, "create")),
		.visit = json_is_true(json_object_get(msg, "visit")),
		.tls = json_object_get(msg, "tls"),
	};

	(void)w, (void)fds, (void)n_fds;
	if (check_key(msg, &r.key, err) != 0)
		return -1;
	if (!json_is_object(r.options))
		r.options = NULL;
	fleet_start(((struct conn *)arg)->serve->fleet, &r);
	return 0;
}

HANDLER(START_SERVICE)
{
	struct fleet_request r = {
		.service = text_of(msg, "service"),
		.env = json_object_get(msg, "env"),
		.port = -1,
		.tls = json_object_get(msg, "tls"),
	};

	(void)w, (void)fds, (void)n_fds;
	if (check_key(msg, &r.key, err) != 0 ||
	    json_get_int(msg, "port", 0, UINT16_MAX, &r.port, err) < 0)
		return -1;
	fleet_start_service(((struct conn *)arg)->serve->fleet, &r);
	return 0;
}

HANDLER(STOP)
{
	int64_t grace_ms = -1;
	const char *key;

	(void)w, (void)fds, (void)n_fds;
	if (check_key(msg, &key, err) != 0 ||
	    json_get_int(msg, "grace_ms", 0, 600000, &grace_ms, err) < 0)
		return -1;
	fleet_stop(((struct conn *)arg)->serve->fleet, key, grace_ms);
	return 0;
}

HANDLER(ACK)
{
	const char *key;

	(void)w, (void)fds, (void)n_fds;
	if (check_key(msg, &key, err) != 0)
		return -1;
	fleet_ack(((struct conn *)arg)->serve->fleet, key);
	return 0;
}

HANDLER(TAIL)
{
	const char *key;

	(void)w, (void)fds, (void)n_fds;
	if (check_key(msg, &key, err) != 0)
		return -1;
	fleet_tail(((struct conn *)arg)->serve->fleet, key);
	return 0;
}

static void list_one(const struct server *server, void *arg)
{
	json_t *msg = server_json(server, "SERVER");

	json_object_set_new(msg, "ready", json_boolean(server->is_ready));
	(void)say(arg, msg);
}

HANDLER(LIST)
{
	struct serve *s = ((struct conn *)arg)->serve;

	(void)w, (void)msg, (void)fds, (void)n_fds, (void)err;
	fleet_each(s->fleet, list_one, s);
	(void)say(s, json_pack("{ss}", "type", "LIST_END"));
	return 0;
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

static const struct wire_message table[] = {
#define TO_SPAWNER(type, states)                                               \
	{ #type, states, spawner_##type, 0, on_##type },
#define TO_HUB(type, states)
#define MEMBER(name, type, required, lo, hi)
#define END
#include "spawner/wire.def"
};

/* ---- listening ----------------------------------------------------------- */

static int check_peer(
    const struct serve *s, int fd, pid_t *pid_out, struct err *err)
{
	uid_t uid;

	if (sock_peer(fd, &uid, pid_out, err) != 0)
		return -1;
	if (uid != s->config.client_uid)
		return err_set(err, ERR_DENIED,
		    "uid %u (pid %d) is not the hub's account (uid %u)",
		    (unsigned)uid, (int)*pid_out,
		    (unsigned)s->config.client_uid);
	if (s->n_greeting >= GREETING_MAX)
		return err_set(err, ERR_LIMIT,
		    "%d connections have not said HELLO yet", GREETING_MAX);
	return 0;
}

/* Takes fd. */
static void welcome(struct serve *s, int fd)
{
	struct conn *c = xcalloc(1, sizeof *c);
	const struct wire_callbacks cb = {
		.table = table,
		.n = sizeof table / sizeof table[0],
		.on_writable = on_writable,
		.on_closed = on_closed,
		.arg = c,
	};
	struct err err = { 0 };

	c->serve = s;
	c->fd = fd;
	if (check_peer(s, fd, &c->peer, &err) != 0) {
		fd_close(&fd);
	} else {
		c->wire = wire_open(s->loop, fd, WIRE_HELLO, &cb, &err);
	}
	if (!c->wire) {
		log_warn(NULL, "connection refused", "why=\"%s\"", err.text);
		free(c);
		return;
	}
	list_add_tail(&s->conns, &c->link);
	s->n_greeting++;
	timer_start(
	    s->loop, &c->deadline, HELLO_TIMEOUT_MS, on_hello_timeout, c);
}

static void on_pause_end(struct timer *t, void *arg)
{
	struct serve *s = arg;

	(void)t;
	watch_set(&s->watch, EPOLLIN);
}

static void on_connection(struct watch *w, uint32_t events, void *arg)
{
	struct serve *s = arg;
	int fd = accept4(w->fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);

	(void)events;
	if (fd >= 0) {
		welcome(s, fd);
		return;
	}
	if (errno == EAGAIN || errno == EINTR || errno == ECONNABORTED)
		return;
	log_error(NULL, "accept failed", "why=\"%s\"", strerror(errno));
	watch_set(w, 0);
	timer_start(s->loop, &s->pause, ACCEPT_PAUSE_MS, on_pause_end, s);
}

struct serve *serve_new(struct loop *l, const struct serve_config *config)
{
	struct serve *s = xcalloc(1, sizeof *s);

	s->loop = l;
	s->config = *config;
	s->listen_fd = -1;
	list_init(&s->conns);
	list_init(&s->outbox);
	return s;
}

void serve_attach(
    struct serve *s, struct fleet *fleet, struct attempts *attempts)
{
	s->fleet = fleet;
	s->attempts = attempts;
}

int serve_listen(struct serve *s, int fd, struct err *err)
{
	watch_stop(&s->watch);
	timer_stop(&s->pause);
	fd_close(&s->listen_fd);
	s->listen_fd = fd;
	return watch_start(
	    s->loop, &s->watch, fd, EPOLLIN, on_connection, s, err);
}

void serve_free(struct serve **serve)
{
	struct serve *s = *serve;

	*serve = NULL;
	if (!s)
		return;
	watch_stop(&s->watch);
	timer_stop(&s->pause);
	fd_close(&s->listen_fd);
	if (s->hub)
		conn_free(s->hub);
	list_for_each (it, &s->conns)
		conn_free(LIST_ITEM(it, struct conn, link));
	free(s);
}
