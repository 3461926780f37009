/*
 * How many may be here at a time: all clients together, and one client. Counts
 * only; proxy/door.h has the rules. Shared by the workers without a lock:
 * relaxed atomics, touched when a connection comes or goes, never for a request
 * of a client that connects itself. (A share per worker would refuse one client
 * and let the next one in, as the kernel happens to spread connections.)
 *
 * Clients are counted in two rows of counters, each by its own keyed hash, and
 * the smaller one counts: memory is the same for one client and for a million,
 * nothing is allocated, and two clients are taken for one only when they meet
 * in both rows. An IPv6 client is its /64: that much everybody has.
 *
 * How often a client may ask is counted in the same way, by the moment when
 * its next request would be in time (GCRA, ITU-T I.371).
 */
#ifndef CARREL_PROXY_LIMIT_H
#define CARREL_PROXY_LIMIT_H

#include <netinet/in.h>
#include <stdbool.h>
#include <stdint.h>

struct limits;

/* What somebody who was let in has to give back. Zeroed: nothing. */
struct limit_ticket {
	uint16_t slot[2]; /* of the client, one in each row */
	bool has_place;   /* counts among the connections */
	bool has_client;  /* counts for its client */
};

enum limit_answer { LIMIT_OK, LIMIT_FULL, LIMIT_CLIENT };

/* 0: any number. */
struct limits *limits_new(int64_t max_connections, int64_t max_per_client);
/* Before it is shared: so many requests of a client a second, and as many at
 * once. */
void limits_set_rate(struct limits *l, int64_t per_second);
void limits_free(struct limits **l);

/* A place among all connections. */
enum limit_answer limit_take_place(struct limits *l, struct limit_ticket *t);
/* One more of this client. */
enum limit_answer limit_take_client(
    struct limits *l, const struct in6_addr *client, struct limit_ticket *t);
/* The same, beyond any limit: it is here already. */
void limit_must_take(
    struct limits *l, const struct in6_addr *client, struct limit_ticket *t);
/* `from`, which has no place, goes on as a part of `to`. */
void limit_join(
    struct limits *l, struct limit_ticket *to, struct limit_ticket *from);
/* A request of this client, now (milliseconds that never go back). */
enum limit_answer limit_take_request(
    struct limits *l, const struct in6_addr *client, int64_t now_ms);
void limit_give_back(struct limits *l, struct limit_ticket *t);

int64_t limits_connections(const struct limits *l);
int64_t limits_max_connections(const struct limits *l);

#endif
