/*
 * Address ranges: see cidr.h.
 */
#include "base/cidr.h"

#include <arpa/inet.h>
#include <string.h>
#include <sys/socket.h>

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

bool cidr_of_sockaddr(const struct sockaddr *sa, struct in6_addr *out)
{
	const struct sockaddr_in6 *six = (const void *)sa;
	const struct sockaddr_in *four = (const void *)sa;

	if (sa->sa_family == AF_INET6) {
		*out = six->sin6_addr;
		return true;
	}
	if (sa->sa_family != AF_INET)
		return false;
	memcpy(out->s6_addr, mapped, sizeof mapped);
	memcpy(out->s6_addr + 12, &four->sin_addr, 4);
	return true;
}

void cidr_format(const struct in6_addr *addr, char out[INET6_ADDRSTRLEN])
{
	const char *text;

	if (IN6_IS_ADDR_V4MAPPED(addr))
		text = inet_ntop(
		    AF_INET, addr->s6_addr + 12, out, INET6_ADDRSTRLEN);
	else
		text = inet_ntop(AF_INET6, addr, out, INET6_ADDRSTRLEN);
	if (text == NULL)
		out[0] = '\0';
}

/* "[v6]:port" -> "v6", "v4:port" -> "v4" */
static struct slice without_port(struct slice hop)
{
	const char *colon = memchr(hop.p, ':', hop.len), *end;

	if (hop.len > 0 && hop.p[0] == '[') {
		end = memchr(hop.p, ']', hop.len);
		if (end == NULL)
			return hop;
		return slice_make(hop.p + 1, (size_t)(end - hop.p) - 1);
	}
	if (colon == NULL || memchr(colon + 1, ':',
				 hop.len - (size_t)(colon + 1 - hop.p)) != NULL)
		return hop;
	return slice_make(hop.p, (size_t)(colon - hop.p));
}

int cidr_parse_hop(struct slice hop, struct in6_addr *out)
{
	char copy[INET6_ADDRSTRLEN];
	unsigned width;

	if (hop.len == 0 ||
	    str_copy_slice(copy, sizeof copy, without_port(hop)) < 0)
		return -1;
	return parse_address(copy, out, &width);
}
