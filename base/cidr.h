/*
 * Address ranges: whom to believe. IPv4 addresses in IPv6 form count as IPv4.
 */
#ifndef CARREL_BASE_CIDR_H
#define CARREL_BASE_CIDR_H

#include <netinet/in.h>
#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"
#include "base/str.h"

struct sockaddr;

struct cidr {
	struct in6_addr net;
	unsigned bits; /* of 128 */
};

/* "10.0.0.0/8", "::1", "192.0.2.7". */
int cidr_parse(const char *text, struct cidr *out, struct err *err) MUST_CHECK;
/* An address as text; -1: it is none. */
int cidr_address(const char *text, struct in6_addr *out) MUST_CHECK;
/* Is there an address that both have? */
bool cidr_overlap(const struct cidr *a, const struct cidr *b);
bool cidr_has(const struct cidr *list, size_t n, const struct in6_addr *addr);

/* ---- addresses in this form ---------------------------------------------- */

/* false: it is no IP address. */
bool cidr_of_sockaddr(const struct sockaddr *sa, struct in6_addr *out);
/* As people write it: "192.0.2.7", "2001:db8::1". */
void cidr_format(const struct in6_addr *addr, char out[INET6_ADDRSTRLEN]);
/* As X-Forwarded-For says it: with or without a port, IPv6 in brackets or not.
 */
int cidr_parse_hop(struct slice hop, struct in6_addr *out) MUST_CHECK;

#endif
