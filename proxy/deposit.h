/*
 * What the engine and its parent say to each other: packets of a socket pair,
 * descriptors by SCM_RIGHTS. Knows coding and bounds, not what the messages do
 * (lifeline.h is the engine's side, parent.h the other). A key is to the parent
 * a text that it keeps and gives back.
 *
 *   parent: PAGE, SOCKET*, TUNNELS*, GO, then END, RELOAD and REOPEN at any
 * time engine: SOCKET*, READY, and before and after it TUNNELS, DROP, NOTIFY,
 *           WORD, NO_WORD, NO_SOCKETS, LEFT, BYE
 */
#ifndef CARREL_PROXY_DEPOSIT_H
#define CARREL_PROXY_DEPOSIT_H

#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/str.h"
#include "proxy/parcel.h"

#define DEPOSIT_MAX     65536 /* bytes of a packet */
#define DEPOSIT_FDS_MAX 32
#define DEPOSIT_AT_ONCE (DEPOSIT_FDS_MAX / 2) /* tunnels in one packet */
/* With so many bytes of items there is room for one more, however long its key
 * (ROUTE_KEY_MAX). */
#define DEPOSIT_ROOM    (DEPOSIT_MAX - 8192)

enum deposit_type {
	DEPOSIT_PAGE = 1,   /* and which engine in turn it is, from 0 on */
	DEPOSIT_SOCKET,     /* a listening socket */
	DEPOSIT_TUNNELS,    /* slot, key, client, target of each */
	DEPOSIT_GO,         /* that was all */
	DEPOSIT_END,        /* SIGTERM or SIGINT */
	DEPOSIT_RELOAD,     /* SIGHUP */
	DEPOSIT_REOPEN,     /* SIGUSR1: the access log */
	DEPOSIT_READY,      /* it serves; the sockets before are not needed */
	DEPOSIT_DROP,       /* slots of tunnels that are over */
	DEPOSIT_NOTIFY,     /* to the service manager */
	DEPOSIT_WORD,       /* a takeover is under way; its word (parcel.h) */
	DEPOSIT_NO_WORD,    /* it was given up */
	DEPOSIT_NO_SOCKETS, /* nobody is to listen any more */
	DEPOSIT_LEFT,       /* another process serves: let go of everything */
	DEPOSIT_BYE,        /* it ends in order */
	DEPOSIT_N_TYPES,
};

/* Slices are borrowed. */
struct deposit {
	enum deposit_type type;
	uint32_t generation;       /* PAGE */
	enum parcel_listener kind; /* SOCKET ... */
	uint16_t port;             /* 0: a unix socket */
	struct slice text;         /* ... its address or path; NOTIFY */
	struct slice items;        /* TUNNELS, DROP: see below */
};

void deposit_encode(struct buf *out, const struct deposit *d);
/* ERR_PROTOCOL: not one of ours. Items are whole, and each of TUNNELS has its
 * two descriptors. */
int deposit_decode(struct slice in, size_t n_fds, struct deposit *out,
    struct err *err) MUST_CHECK;

struct deposit_tunnel {
	uint32_t slot;
	struct slice key;
};
void deposit_put_tunnel(struct buf *items, const struct deposit_tunnel *t);
bool deposit_next_tunnel(struct slice *items, struct deposit_tunnel *out);
void deposit_put_slot(struct buf *items, uint32_t slot);
bool deposit_next_slot(struct slice *items, uint32_t *out);

/* 1 sent, 0 there is no room now, -1 error. */
int deposit_send(int fd, const struct deposit *d, const int *fds, size_t n_fds,
    struct err *err) MUST_CHECK;

struct deposit_in {
	char bytes[DEPOSIT_MAX];
	int fds[DEPOSIT_FDS_MAX];
	size_t n_fds;
};
void deposit_in_init(struct deposit_in *in);
void deposit_in_fini(struct deposit_in *in);
/* The caller's from then on. */
int deposit_steal_fd(struct deposit_in *in, size_t i);
/*
 * 1: *out is the next message, valid until the next call, which also closes the
 * descriptors that were not stolen. 0: nothing is there now. -1: error;
 * ERR_UNAVAILABLE: the other one has gone.
 */
int deposit_receive(struct deposit_in *in, int fd, struct deposit *out,
    struct err *err) MUST_CHECK;

#endif
