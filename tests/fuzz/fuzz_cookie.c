/*
 * Fuzz target for auth/cookie: a Cookie header from outside becomes session,
 * browser and XSRF token. The properties: no bad access; what is read is well
 * formed; a token passes if and only if the header carries the very token of
 * this session; what we write is read back.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "auth/cookie.h"
#include "base/url.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const struct keys keys = { .xsrf = "a key of the fuzz target" };
static const struct cookie_env plain = { .base_path = "/",
	.hub_path = "/hub/" };
static const struct cookie_env host = { .base_path = "/",
	.hub_path = "/hub/",
	.secure = true,
	.host_prefix = true };

static void must(bool ok)
{
	if (!ok)
		abort();
}

static void must_be(const char *s, size_t len, const char *of)
{
	must(s[0] == 0 || strlen(s) == len);
	must(strspn(s, of) == strlen(s));
}

static void try_read(
    struct slice header, const struct cookie_env *env, struct cookie_in *in)
{
	static const char b64url[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
				     "abcdefghijklmnopqrstuvwxyz0123456789-_";

	cookie_read(header, env, in);
	must_be(in->login, SESSION_SECRET_LEN, b64url);
	must_be(in->browser, SESSION_SECRET_LEN, b64url);
	must_be(in->session_id, SESSION_ID_LEN, "0123456789abcdef");
}

static bool has_cookie(struct slice header, const char *name, const char *text)
{
	struct slice value;
	size_t pos = 0;

	while (cookie_find(header, name, &pos, &value))
		if (slice_eq(value, text))
			return true;
	return false;
}

/* What was read is used as the binding, so that the fuzzer can get through. */
static void try_xsrf(struct slice header, const struct cookie_in *in)
{
	const struct xsrf_binding b = { .login = in->login,
		.browser = in->browser };
	char token[XSRF_LEN + 1];
	bool is_bound = xsrf_mint(&keys, &b, token) == 0;
	bool sent = is_bound && header.len <= COOKIE_HEADER_MAX &&
		    has_cookie(header, COOKIE_XSRF, token);

	must(is_bound == (in->login[0] != 0 || in->browser[0] != 0));
	must(xsrf_cookie_sent(&keys, &b, header) == sent);
	must((xsrf_check(&keys, &b, header, token) == XSRF_OK) == sent);
	must(xsrf_check(&keys, &b, header, NULL) == XSRF_MISSING);
	must(xsrf_check(&keys, &b, header, "x") == XSRF_INVALID);
}

/* The name=value of a Set-Cookie, sent back as a browser does. */
static void try_write(struct arena *a, const struct cookie_in *in)
{
	struct cookie_in again;
	const char *text;

	if (in->login[0] == 0)
		return;
	text = cookie_login(a, &plain, in->login, 60);
	cookie_read(slice_make(text, strcspn(text, ";")), &plain, &again);
	must(str_eq(again.login, in->login));
}

static void try_build(struct arena *a, const char *text)
{
	const struct cookie_out c = { .name = "a", .value = text, .path = "/" };
	const char *out = NULL;

	if (cookie_build(a, &c, &out, NULL) == 0)
		must(strpbrk(out + 2, "\r\n\t,\\\"") == NULL &&
		     has_cookie(slice_make(out, strcspn(out, ";")), "a", text));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct slice header = slice_make((const char *)data, size);
	struct cookie_in in;
	struct arena a;

	arena_init(&a);
	try_read(header, &host, &in);
	try_read(header, &plain, &in);
	try_xsrf(header, &in);
	try_write(&a, &in);
	try_build(&a, arena_strndup(&a, header.p, header.len));
	arena_fini(&a);
	return 0;
}
