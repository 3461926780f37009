/*
 * The kind "header": somebody before our proxy knows who people are (a portal,
 * an institute's Apache with Shibboleth) and says so in a header of each
 * request. There is no form; the login page asks header_login.
 *
 * Anybody can send a header, so it counts only when the request came by the
 * proxy's own listener, the proxy had it from an address of the option `from`,
 * and it carries the secret, where one is set. A front end on this machine must
 * have a secret: everybody with a notebook can reach the proxy from here too.
 */
#ifndef CARREL_AUTH_HEADER_H
#define CARREL_AUTH_HEADER_H

#include "auth/authenticator.h"
#include "base/arena.h"
#include "base/httpd.h"

extern const struct authenticator_kind authenticator_header;

enum header_verdict {
	HEADER_NOBODY,  /* the front end names nobody */
	HEADER_REFUSED, /* not to be believed; *why is for the log */
	HEADER_PERSON,
};

/*
 * Who is it? by_proxy: the request came by hub.sock. On HEADER_PERSON *out is
 * filled from `a`; on the others it is untouched. *why is always set.
 */
enum header_verdict header_login(const struct authenticator *au,
    struct http_req *http, bool by_proxy, struct arena *a,
    struct auth_identity *out, const char **why);

#endif
