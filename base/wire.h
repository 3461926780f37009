/*
 * Messages between two of our programs: SOCK_SEQPACKET, one JSON object a
 * packet ({"type":"START", ...}), at most 64 KiB, descriptors by SCM_RIGHTS.
 * Which messages exist, who may say them in which state and what members they
 * have stands in a table (wire.def); anything else closes the connection.
 *
 * Send queues are bounded; wire_send refuses with ERR_BUSY when the queue is
 * full, `on_writable` says when there is room: the sender pauses its work and
 * nothing is dropped.
 */
#ifndef CARREL_BASE_WIRE_H
#define CARREL_BASE_WIRE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/json.h"
#include "base/loop.h"

#define WIRE_PACKET_MAX 65536
#define WIRE_FDS_MAX    4

enum wire_member_type {
	WIRE_STR, /* lo..hi bytes */
	WIRE_INT, /* lo..hi */
	WIRE_BOOL,
	WIRE_OBJ,  /* any object (the handler checks it) */
	WIRE_LIST, /* at most hi items */
};

struct wire_member {
	const char *name; /* NULL ends the list */
	enum wire_member_type type;
	bool required; /* null counts as absent */
	int64_t lo, hi;
};

struct wire;
/*
 * msg is valid during the call; descriptors that the handler wants to keep it
 * takes by setting the slot to -1. Returning -1 (with err) closes the
 * connection.
 */
typedef int wire_handler_fn(struct wire *w, const json_t *msg, int *fds,
    size_t n_fds, void *arg, struct err *err);

struct wire_message {
	const char *type;
	uint32_t states; /* bit set of the receiver's states that permit it */
	const struct wire_member *members;
	size_t n_fds_max;
	wire_handler_fn *handler;
};

struct wire_callbacks {
	const struct wire_message *table; /* what may come in */
	size_t n;
	void (*on_writable)(struct wire *w, void *arg); /* may be NULL */
	/* The end, once; why->code is ERR_NONE for an orderly end. The
	 * callee frees the wire (wire_close) or leaves it for later. */
	void (*on_closed)(struct wire *w, const struct err *why, void *arg);
	void *arg;
};

/*
 * Takes fd, also when it fails (NULL). state is the bit that is set now (1, 2,
 * 4 ...). Callbacks run from the loop only, never inside wire_send.
 */
struct wire *wire_open(struct loop *l, int fd, uint32_t state,
    const struct wire_callbacks *cb, struct err *err);
/* Also in a callback of this wire. What is still queued is dropped. */
void wire_close(struct wire **w);
void wire_set_state(struct wire *w, uint32_t state);
/*
 * `msg` is borrowed; it must carry "type". Descriptors are duplicated.
 * ERR_BUSY: queue full (256 packets or 1 MiB); ERR_LIMIT: over 64 KiB;
 * ERR_UNAVAILABLE: the peer has gone (on_closed follows, or came already).
 */
int wire_send(struct wire *w, const json_t *msg, const int *fds, size_t n_fds,
    struct err *err) MUST_CHECK;
/* Check one message against the table (what wire_open does with each). */
int wire_check(const struct wire_message *table, size_t n, uint32_t state,
    const json_t *msg, const struct wire_message **found,
    struct err *err) MUST_CHECK;

#endif
