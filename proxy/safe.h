/*
 * What the parent keeps for the engine: listening sockets, and of each tunnel
 * two descriptors and a key under the number of its slot. Nothing here is ever
 * read from or written to.
 */
#ifndef CARREL_PROXY_SAFE_H
#define CARREL_PROXY_SAFE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "proxy/deposit.h"
#include "proxy/sockets.h"

struct page;

struct safe_tunnel {
	int client, target; /* -1: the slot is empty */
	char *key;
};

struct safe {
	size_t n_slots;
	struct safe_tunnel *tunnels; /* by slot */
	size_t cap;
	size_t n_tunnels;
	struct sockets sockets; /* in force */
	struct sockets fresh;   /* of an engine that is not ready yet */
	/* How far the giving back is: */
	size_t socket_at;
	uint32_t slot_at;
	bool has_said_go;
};

void safe_init(struct safe *s, size_t n_slots);
void safe_fini(struct safe *s);
/* SOCKET, READY, TUNNELS, DROP, NO_SOCKETS of an engine; descriptors are stolen
 * from `in`. ERR_PROTOCOL: no such slot. */
int safe_take(struct safe *s, struct deposit_in *in, const struct deposit *d,
    struct err *err) MUST_CHECK;
/* Let go of everything: it is somebody else's, or there is nobody left. */
void safe_release(struct safe *s);
/*
 * The engine has died: reset the tunnels whose bytes it had in hand, and forget
 * the sockets of one that was not ready. Returns how many were reset.
 */
size_t safe_judge(struct safe *s, struct page *page);
/* Reset every tunnel. */
size_t safe_give_up(struct safe *s);

/* For the next engine: from the beginning. */
void safe_rewind(struct safe *s);
/* Send what there is room for. 1: all is sent; 0: later; -1: it has gone. */
int safe_give(struct safe *s, int fd, struct err *err) MUST_CHECK;

#endif
