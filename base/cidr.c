/*
 * Address ranges: see cidr.h.
 */
#include "base/cidr.h"

#include <arpa/inet.h>
#include <string.h>

#include "base/num.h"
#include "base/str.h"

static const unsigned char mapped[12] = { 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff,
	0xff };

static int parse_address(const char *text, struct in6_addr *out, unsigned *bits)
{
	*bits = 128;
	if (inet_pton(AF_INET6, text, out) == 1)
		return 0;
	memcpy(out->s6_addr, mapped, sizeof mapped);
	*bits = 32;
	return inet_pton(AF_INET, text, out->s6_addr + 12) == 1 ? 0 : -1;
}

int cidr_parse(const char *text, struct cidr *out, struct err *err)
{
	struct slice rest = slice_of(text), address;
	char copy[INET6_ADDRSTRLEN];
	unsigned width;
	int64_t bits;

	if (!slice_split(&rest, '/', &address) ||
	    str_copy_slice(copy, sizeof copy, address) < 0 ||
	    parse_address(copy, &out->net, &width) < 0)
		return err_set(err, ERR_INVALID,
		    "\"%.60s\" is no address or range such as 10.0.0.0/8",
		    text);
	bits = width;
	if (strchr(text, '/') != NULL &&
	    num_range(strchr(text, '/') + 1, 0, width, &bits, err) < 0)
		return err_wrap(err, "length of the range \"%.60s\"", text);
	out->bits = (unsigned)bits + (128 - width);
	return 0;
}

int cidr_address(const char *text, struct in6_addr *out)
{
	unsigned bits;

	return parse_address(text, out, &bits);
}

static bool is_in(const struct cidr *c, const struct in6_addr *addr)
{
	unsigned whole = c->bits / 8, rest = c->bits % 8;
	unsigned diff;

	if (memcmp(c->net.s6_addr, addr->s6_addr, whole) != 0)
		return false;
	if (rest == 0)
		return true;
	diff = (unsigned)(c->net.s6_addr[whole] ^ addr->s6_addr[whole]);
	return diff >> (8 - rest) == 0;
}

bool cidr_overlap(const struct cidr *a, const struct cidr *b)
{
	return a->bits <= b->bits ? is_in(a, &b->net) : is_in(b, &a->net);
}

bool cidr_has(const struct cidr *list, size_t n, const struct in6_addr *addr)
{
	for (size_t i = 0; i < n; i++)
		if (is_in(&list[i], addr))
			return true;
	return false;
}
