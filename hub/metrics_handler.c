/*
 * The label "handler": see metrics.h.
 */
#include <string.h>

#include "base/str.h"
#include "hub/metrics.h"
#include "hub/route.h"

static const struct {
	const char *pattern, *name;
} handlers[] = {
#define HANDLER(p, n) { p, "jupyterhub." n },
#include "hub/metrics_handler.def"
#undef HANDLER
};

/* "/users/:/x" is the pattern "/users/:user/x". */
static bool is_pattern(const char *mask, const char *pattern)
{
	for (; *mask && *mask == *pattern; mask++, pattern++) {
		if (*mask == ':')
			pattern += strcspn(pattern, "/") - 1;
	}
	return *mask == *pattern;
}

const char *metrics_handler_of(const char *pattern)
{
	for (size_t i = 0; i < sizeof handlers / sizeof handlers[0]; i++)
		if (is_pattern(handlers[i].pattern, pattern))
			return handlers[i].name;
	return NULL;
}

const char *metrics_not_found(const struct req *r)
{
	if (r->is_outside)
		return "jupyterhub.handlers.base.PrefixRedirectHandler";
	return r->is_api ? "jupyterhub.apihandlers.base.API404"
			 : "jupyterhub.handlers.base.Template404";
}
