/*
 * Address ranges: whom to believe. IPv4 addresses in IPv6 form count as IPv4.
 */
#ifndef CARREL_BASE_CIDR_H
#define CARREL_BASE_CIDR_H

#include <netinet/in.h>
#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"

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

#endif
