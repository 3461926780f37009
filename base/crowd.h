/*
 * Who holds how many of a bounded number of connections, so that a full house
 * can show the door to the newest of whoever has the most. A connection from
 * this machine counts for the account that made it (the kernel is asked), any
 * other for its address (IPv6: the network of 64 bits). One thread.
 */
#ifndef CARREL_BASE_CROWD_H
#define CARREL_BASE_CROWD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>

#include "base/list.h"

#define CROWD_BUCKETS   1024
#define CROWD_NAME_SIZE 64

struct crowd_owner;

struct crowd {
	struct list buckets[CROWD_BUCKETS]; /* of owners */
	uint64_t seed; /* a peer must not choose its bucket */
	size_t n_members;
	uint64_t n_refused; /* since the last line of the log */
	int64_t said_ms;
};

/* Embedded in the connection. All zero: in no crowd. */
struct crowd_member {
	struct list link; /* of its owner, the newest last */
	struct crowd_owner *owner;
};

void crowd_init(struct crowd *c);
/* All members must have left. */
void crowd_fini(struct crowd *c);
/* The two ends of its socket; a family that is none of IP: all of that count
 * together. */
void crowd_join(struct crowd *c, struct crowd_member *m,
    const struct sockaddr *peer, const struct sockaddr *own);
/* Safe on one that is in no crowd. */
void crowd_leave(struct crowd *c, struct crowd_member *m);
/* The newest of the owner that has the most; NULL: nobody is there. */
struct crowd_member *crowd_newest_of_greediest(const struct crowd *c);
/*
 * m is refused: it leaves, and the log is told, at most every ten seconds, who
 * has the most of `what` ("connections of the REST API").
 */
void crowd_refuse(
    struct crowd *c, struct crowd_member *m, const char *what, int64_t now_ms);

/* "account 1001" or "address 192.0.2.7". */
void crowd_name(const struct crowd_member *m, char out[CROWD_NAME_SIZE]);
/* How many its owner has. */
size_t crowd_share(const struct crowd_member *m);

#endif
