/*
 * A route's own limits: see route_limits.h.
 */
#include "proxy/route_limits.h"

#include <stddef.h>

#include "base/str.h"

#define SECONDS_MAX 31536000 /* a year */
#define OPEN_MAX    1000000

const struct route_limits route_limits_unset = {
	.tunnel_idle_s = ROUTE_LIMITS_UNSET,
	.request_idle_s = ROUTE_LIMITS_UNSET,
	.max_open = ROUTE_LIMITS_UNSET,
};

static const struct {
	const char *name;
	size_t offset;
	json_int_t max;
} members[] = {
	{ "tunnel_idle", offsetof(struct route_limits, tunnel_idle_s),
	    SECONDS_MAX },
	{ "request_idle", offsetof(struct route_limits, request_idle_s),
	    SECONDS_MAX },
	{ "open", offsetof(struct route_limits, max_open), OPEN_MAX },
};
#define N_MEMBERS (sizeof members / sizeof members[0])

static int read_member(struct route_limits *out, const char *name,
    const json_t *value, struct err *err)
{
	for (size_t i = 0; i < N_MEMBERS; i++) {
		json_int_t n = json_integer_value(value);

		if (!str_eq(name, members[i].name))
			continue;
		if (!json_is_integer(value) || n < 0 || n > members[i].max)
			return err_set(err, ERR_INVALID,
			    ROUTE_LIMITS_MEMBER ": %s must be a whole number "
						"between 0 and %lld",
			    name, (long long)members[i].max);
		*(int32_t *)(void *)((char *)out + members[i].offset) =
		    (int32_t)n;
		return 0;
	}
	return err_set(err, ERR_INVALID,
	    ROUTE_LIMITS_MEMBER
	    " knows tunnel_idle, request_idle and open, not \"%.40s\"",
	    name);
}

int route_limits_read(
    const json_t *data, struct route_limits *out, struct err *err)
{
	json_t *all = json_object_get(data, ROUTE_LIMITS_MEMBER), *value;
	const char *name;

	*out = route_limits_unset;
	if (all == NULL || json_is_null(all))
		return 0;
	if (!json_is_object(all))
		return err_set(
		    err, ERR_INVALID, ROUTE_LIMITS_MEMBER " must be an object");
	json_object_foreach (all, name, value)
		if (read_member(out, name, value, err) < 0)
			return -1;
	return 0;
}
