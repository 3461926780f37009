/*
 * See wire.h. Two rules keep re-entrancy simple: callbacks run only from the
 * loop (wire_send never calls one, not even when the peer is gone), and while
 * one runs `busy` is set, so that wire_close only marks the wire and the
 * outermost frame frees it.
 */
#include "base/wire.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/fd.h"
#include "base/list.h"
#include "base/mem.h"
#include "base/str.h"

#define QUEUE_PACKETS_MAX 256
#define QUEUE_BYTES_MAX   (1024 * 1024)
#define PACKETS_PER_TURN  16
#define NAME_SHOWN        48

struct packet {
	struct list link;
	char *text; /* may hold secrets: wiped before it is freed */
	size_t len;
	int fds[WIRE_FDS_MAX];
	size_t n_fds;
};

struct wire {
	struct loop *loop;
	struct watch watch;
	struct defer ending; /* a send failed: tell it from the loop */
	struct err why;      /* what `ending` will tell */
	struct wire_callbacks cb;
	int fd; /* -1 after the end */
	uint32_t state;
	struct list queue; /* struct packet */
	size_t n_queued, queued_bytes;
	bool has_refused; /* a wire_send met a full queue */
	bool busy;        /* a callback of ours is running */
	bool is_closed;   /* wire_close was called meanwhile */
};

static void packet_free(struct packet *p)
{
	for (size_t i = 0; i < p->n_fds; i++)
		fd_close(&p->fds[i]);
	mem_wipe(p->text, p->len);
	free(p->text);
	free(p);
}

static void queue_drop_first(struct wire *w)
{
	struct packet *p = LIST_ITEM(w->queue.next, struct packet, link);

	list_del(&p->link);
	w->n_queued--;
	w->queued_bytes -= p->len;
	packet_free(p);
}

/* Stop listening and talking; the object stays. */
static void detach(struct wire *w)
{
	watch_stop(&w->watch);
	defer_cancel(&w->ending);
	while (!list_empty(&w->queue))
		queue_drop_first(w);
	fd_close(&w->fd);
}

/* After each callback: true when the wire is gone and must not be touched. */
static bool leave_callback(struct wire *w)
{
	w->busy = false;
	if (!w->is_closed)
		return false;
	free(w);
	return true;
}

/* The end of the conversation. The wire may be freed on return. */
static void end(struct wire *w, const struct err *why)
{
	struct err copy = *why;

	detach(w);
	if (!w->cb.on_closed)
		return;
	w->busy = true;
	w->cb.on_closed(w, &copy, w->cb.arg);
	leave_callback(w);
}

static void on_ending(void *arg)
{
	struct wire *w = arg;

	end(w, &w->why);
}

/* ---- checking ------------------------------------------------------------ */

static const struct wire_message *message_find(
    const struct wire_message *table, size_t n, const char *type)
{
	for (size_t i = 0; i < n; i++) {
		if (strcmp(table[i].type, type) == 0)
			return &table[i];
	}
	return NULL;
}

static int check_text(
    const json_t *msg, const struct wire_member *m, struct err *err)
{
	const char *text;
	int found = json_get_str(msg, m->name, (size_t)m->hi, &text, err);

	if (found > 0 && strlen(text) < (size_t)m->lo)
		return err_set(err, ERR_INVALID,
		    "member \"%s\" must be a string of at least %" PRId64
		    " bytes",
		    m->name, m->lo);
	return found;
}

/* 1 present and right, 0 absent, -1 wrong. */
static int check_member(
    const json_t *msg, const struct wire_member *m, struct err *err)
{
	int64_t number;
	json_t *v;
	bool flag;

	switch (m->type) {
	case WIRE_STR:
		return check_text(msg, m, err);
	case WIRE_INT:
		return json_get_int(msg, m->name, m->lo, m->hi, &number, err);
	case WIRE_BOOL:
		return json_get_bool(msg, m->name, &flag, err);
	case WIRE_OBJ:
		return json_get_obj(msg, m->name, &v, err);
	case WIRE_LIST:
		return json_get_array(msg, m->name, (size_t)m->hi, &v, err);
	}
	return err_set(err, ERR_INTERNAL, "member type %d", (int)m->type);
}

static bool is_member(const struct wire_member *m, const char *name)
{
	for (; m && m->name; m++) {
		if (strcmp(m->name, name) == 0)
			return true;
	}
	return false;
}

static int check_members(
    const json_t *msg, const struct wire_message *entry, struct err *err)
{
	const char *key;
	json_t *v;

	json_object_foreach ((json_t *)msg, key, v) {
		char shown[NAME_SHOWN];

		if (strcmp(key, "type") == 0 || is_member(entry->members, key))
			continue;
		str_printable(shown, sizeof shown, key, strlen(key));
		return err_set(
		    err, ERR_INVALID, "unknown member \"%s\"", shown);
	}
	for (const struct wire_member *m = entry->members; m && m->name; m++) {
		int found = check_member(msg, m, err);

		if (found < 0)
			return -1;
		if (!found && m->required)
			return err_set(err, ERR_INVALID,
			    "member \"%s\" is missing", m->name);
	}
	return 0;
}

int wire_check(const struct wire_message *table, size_t n, uint32_t state,
    const json_t *msg, const struct wire_message **found, struct err *err)
{
	const struct wire_message *entry;
	const char *type = json_string_value(json_object_get(msg, "type"));
	char shown[NAME_SHOWN];

	*found = NULL;
	if (!type)
		return err_set(err, ERR_PROTOCOL,
		    "the packet is no JSON object with a \"type\"");
	entry = message_find(table, n, type);
	if (!entry) {
		str_printable(shown, sizeof shown, type, strlen(type));
		return err_set(
		    err, ERR_PROTOCOL, "unknown message \"%s\"", shown);
	}
	if (!(entry->states & state))
		return err_set(err, ERR_PROTOCOL,
		    "message %s is not permitted in this state (0x%" PRIx32 ")",
		    entry->type, state);
	if (check_members(msg, entry, err) != 0) {
		err_wrap(err, "message %s", entry->type);
		if (err)
			err->code = ERR_PROTOCOL;
		return -1;
	}
	*found = entry;
	return 0;
}

/* ---- receiving ----------------------------------------------------------- */

/* Parse, check, hand over. The wire is still there on return. */
static int deliver(struct wire *w, const char *text, size_t len, int *fds,
    size_t n_fds, struct err *err)
{
	const struct wire_message *entry;
	json_t *msg;
	int rc;

	if (json_parse(text, len, &msg, err) != 0) {
		err->code = ERR_PROTOCOL;
		return err_wrap(err, "a packet of %zu bytes", len);
	}
	rc = wire_check(w->cb.table, w->cb.n, w->state, msg, &entry, err);
	if (rc == 0 && n_fds > entry->n_fds_max)
		rc = err_set(err, ERR_PROTOCOL,
		    "message %s came with %zu descriptors; at most %zu are "
		    "permitted",
		    entry->type, n_fds, entry->n_fds_max);
	if (rc == 0)
		rc = entry->handler(w, msg, fds, n_fds, w->cb.arg, err);
	if (rc != 0 && err->code == ERR_NONE)
		err_set(
		    err, ERR_PROTOCOL, "message %s was refused", entry->type);
	json_decref(msg);
	return rc;
}

/*
 * One packet. 1 go on, 0 nothing more to read for now, -1 the wire has ended
 * and may be gone.
 */
static int receive(struct wire *w)
{
	char packet[WIRE_PACKET_MAX];
	int fds[WIRE_FDS_MAX] = { -1, -1, -1, -1 };
	size_t len = 0, n_fds = 0;
	struct err err = { 0 };
	int got = sock_recv_packet(w->fd, packet, sizeof packet, &len, fds,
	    WIRE_FDS_MAX, &n_fds, &err);
	int rc;

	if (got < 0 && err.code == ERR_BUSY)
		return 0;
	if (got <= 0) {
		end(w, &err);
		return -1;
	}
	w->busy = true;
	rc = deliver(w, packet, len, fds, n_fds, &err);
	mem_wipe(packet, len);
	for (size_t i = 0; i < n_fds; i++)
		fd_close(&fds[i]);
	if (leave_callback(w))
		return -1;
	if (rc == 0)
		return 1;
	end(w, &err);
	return -1;
}

/* ---- sending ------------------------------------------------------------- */

/* The peer left: what it said before can still be read, then comes the end. */
static bool is_peer_gone(const struct err *err)
{
	return err->sys_errno == EPIPE || err->sys_errno == ECONNRESET;
}

/* Queued packets to the kernel. -1: the wire has ended and may be gone. */
static int flush(struct wire *w)
{
	while (!list_empty(&w->queue)) {
		struct packet *p =
		    LIST_ITEM(w->queue.next, struct packet, link);
		struct err err = { 0 };

		if (sock_send_packet(
			w->fd, p->text, p->len, p->fds, p->n_fds, &err) != 0) {
			if (err.code == ERR_BUSY)
				break;
			if (!is_peer_gone(&err)) {
				end(w, &err);
				return -1;
			}
		}
		queue_drop_first(w);
	}
	if (list_empty(&w->queue))
		watch_set(&w->watch, EPOLLIN);
	if (!w->has_refused || w->n_queued > QUEUE_PACKETS_MAX / 2 ||
	    w->queued_bytes > QUEUE_BYTES_MAX / 2)
		return 0;
	w->has_refused = false;
	if (!w->cb.on_writable)
		return 0;
	w->busy = true;
	w->cb.on_writable(w, w->cb.arg);
	return leave_callback(w) ? -1 : 0;
}

static void on_event(struct watch *watch, uint32_t events, void *arg)
{
	struct wire *w = arg;

	(void)watch;
	if ((events & EPOLLOUT) && !list_empty(&w->queue) && flush(w) != 0)
		return;
	if (!(events & (EPOLLIN | EPOLLHUP | EPOLLERR)))
		return;
	for (int i = 0; i < PACKETS_PER_TURN; i++) {
		if (receive(w) <= 0)
			return;
	}
}

static int queue_packet(struct wire *w, char *text, size_t len, const int *fds,
    size_t n_fds, struct err *err)
{
	struct packet *p = xcalloc(1, sizeof *p);

	p->text = text;
	p->len = len;
	for (; p->n_fds < n_fds; p->n_fds++) {
		p->fds[p->n_fds] = fcntl(fds[p->n_fds], F_DUPFD_CLOEXEC, 3);
		if (p->fds[p->n_fds] < 0) {
			err_sys(err, "duplicate descriptor %d", fds[p->n_fds]);
			packet_free(p);
			return -1;
		}
	}
	if (list_empty(&w->queue))
		watch_set(&w->watch, EPOLLIN | EPOLLOUT);
	list_add_tail(&w->queue, &p->link);
	w->n_queued++;
	w->queued_bytes += len;
	return 0;
}

/* 1 the kernel has it, 0 it must be queued, -1 error. */
static int send_now(struct wire *w, const char *text, size_t len,
    const int *fds, size_t n_fds, struct err *err)
{
	struct err problem = { 0 };

	if (!list_empty(&w->queue))
		return 0;
	if (sock_send_packet(w->fd, text, len, fds, n_fds, &problem) == 0)
		return 1;
	if (problem.code == ERR_BUSY)
		return 0;
	if (is_peer_gone(&problem))
		return err_set(
		    err, ERR_UNAVAILABLE, "the peer has closed the connection");
	w->why = problem;
	defer_call(w->loop, &w->ending, on_ending, w);
	if (err)
		*err = problem;
	return -1;
}

static int queue_room(struct wire *w, size_t len, struct err *err)
{
	if (w->n_queued < QUEUE_PACKETS_MAX &&
	    w->queued_bytes + len <= QUEUE_BYTES_MAX)
		return 0;
	w->has_refused = true;
	return err_set(err, ERR_BUSY,
	    "the peer is slow: %zu packets (%zu bytes) wait to be sent",
	    w->n_queued, w->queued_bytes);
}

int wire_send(struct wire *w, const json_t *msg, const int *fds, size_t n_fds,
    struct err *err)
{
	size_t len;
	char *text;
	int rc;

	assert(n_fds <= WIRE_FDS_MAX);
	assert(json_is_string(json_object_get(msg, "type")));
	if (w->fd < 0 || w->ending.queued)
		return err_set(
		    err, ERR_UNAVAILABLE, "the connection has ended");
	text = json_text(msg, &len);
	if (len > WIRE_PACKET_MAX) {
		rc = err_set(err, ERR_LIMIT,
		    "message %s has %zu bytes; at most %d fit in a packet",
		    json_string_value(json_object_get(msg, "type")), len,
		    WIRE_PACKET_MAX);
		goto out;
	}
	rc = send_now(w, text, len, fds, n_fds, err);
	if (rc != 0) {
		rc = rc > 0 ? 0 : -1;
		goto out;
	}
	rc = queue_room(w, len, err);
	if (rc != 0)
		goto out;
	return queue_packet(w, text, len, fds, n_fds, err);
out:
	mem_wipe(text, len);
	free(text);
	return rc;
}

/* ---- life ---------------------------------------------------------------- */

struct wire *wire_open(struct loop *l, int fd, uint32_t state,
    const struct wire_callbacks *cb, struct err *err)
{
	struct wire *w = xcalloc(1, sizeof *w);

	w->loop = l;
	w->fd = fd;
	w->state = state;
	w->cb = *cb;
	list_init(&w->queue);
	if (fd_set_nonblock(fd, true) != 0)
		err_sys(err, "make the connection non-blocking");
	else if (watch_start(l, &w->watch, fd, EPOLLIN, on_event, w, err) == 0)
		return w;
	fd_close(&w->fd);
	free(w);
	return NULL;
}

void wire_close(struct wire **w)
{
	struct wire *gone = *w;

	*w = NULL;
	if (!gone)
		return;
	detach(gone);
	if (gone->busy)
		gone->is_closed = true;
	else
		free(gone);
}

void wire_set_state(struct wire *w, uint32_t state)
{
	w->state = state;
}
