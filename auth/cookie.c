/*
 * Cookies and the XSRF token: see cookie.h.
 */
#include "auth/cookie.h"

#include <assert.h>
#include <string.h>

#include "base/buf.h"
#include "base/mac.h"
#include "base/mem.h"
#include "base/rand.h"
#include "base/url.h"

#define COOKIE_OUT_MAX 4096

/* ---- reading ---- */

static bool is_b64url(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
	       (c >= '0' && c <= '9') || c == '-' || c == '_';
}

static bool is_lower_hex(char c)
{
	return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f');
}

static bool is_made_of(struct slice s, size_t len, bool (*fits)(char c))
{
	if (s.len != len)
		return false;
	for (size_t i = 0; i < len; i++)
		if (!fits(s.p[i]))
			return false;
	return true;
}

/* The first cookie of that name whose value can be one of ours. */
static void read_one(struct slice header, const char *name, size_t len,
    bool (*fits)(char c), char *out, size_t cap)
{
	struct slice value;
	size_t pos = 0;

	out[0] = 0;
	while (cookie_find(header, name, &pos, &value)) {
		if (!is_made_of(value, len, fits))
			continue;
		if (str_copy_slice(out, cap, value) == 0)
			return;
	}
}

static const char *login_name(const struct cookie_env *env)
{
	return env->host_prefix && env->secure ? COOKIE_LOGIN_HOST
					       : COOKIE_LOGIN;
}

static struct slice bounded(struct slice header)
{
	return header.len > COOKIE_HEADER_MAX ? slice_make("", 0) : header;
}

void cookie_read(
    struct slice header, const struct cookie_env *env, struct cookie_in *out)
{
	struct slice h = bounded(header);

	read_one(h, login_name(env), SESSION_SECRET_LEN, is_b64url, out->login,
	    sizeof out->login);
	read_one(h, COOKIE_SESSION_ID, SESSION_ID_LEN, is_lower_hex,
	    out->session_id, sizeof out->session_id);
	read_one(h, COOKIE_BROWSER, SESSION_SECRET_LEN, is_b64url, out->browser,
	    sizeof out->browser);
}

/* ---- writing ---- */

/* RFC 6265 section 4.1.1: cookie-octet. */
static bool is_cookie_octet(char c)
{
	return c > 0x20 && c < 0x7f && strchr("\",;\\", c) == NULL;
}

/* RFC 9110 section 5.6.2: token. */
static bool is_token_char(char c)
{
	return c > 0x20 && c < 0x7f && strchr("()<>@,;:\\\"/[]?={}", c) == NULL;
}

static bool is_path_char(char c)
{
	return c >= 0x20 && c < 0x7f && c != ';';
}

static bool is_host_char(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '.' ||
	       c == '-' || c == '_';
}

static bool all(const char *s, bool (*fits)(char c))
{
	for (; *s != 0; s++)
		if (!fits(*s))
			return false;
	return true;
}

static int check_out(const struct cookie_out *c, struct err *err)
{
	if (c->name[0] == 0 || !all(c->name, is_token_char))
		return err_set(err, ERR_INVALID, "not a name of a cookie");
	if (!all(c->value, is_cookie_octet))
		return err_set(err, ERR_INVALID,
		    "cookie %s: its value has bytes that cookies may not have",
		    c->name);
	if (c->path[0] != '/' || !all(c->path, is_path_char))
		return err_set(err, ERR_INVALID,
		    "cookie %s: its path does not begin with '/', or has "
		    "bytes that it may not have",
		    c->name);
	if (c->domain && !all(c->domain, is_host_char))
		return err_set(err, ERR_INVALID,
		    "cookie %s: its domain is no name of a host", c->name);
	if (str_starts(c->name, "__Host-") &&
	    (!c->secure || c->domain || strcmp(c->path, "/") != 0))
		return err_set(err, ERR_INVALID,
		    "cookie %s: its name wants https, the path / and no domain",
		    c->name);
	return 0;
}

static void write_age(struct buf *b, int64_t max_age_s)
{
	if (max_age_s < 0)
		buf_str(
		    b, "; Max-Age=0; Expires=Thu, 01 Jan 1970 00:00:00 GMT");
	else if (max_age_s > 0)
		buf_printf(b, "; Max-Age=%lld", (long long)max_age_s);
}

int cookie_build(struct arena *a, const struct cookie_out *c, const char **out,
    struct err *err)
{
	struct buf b;
	int rc = 0;

	if (check_out(c, err) < 0)
		return -1;
	buf_init(&b, COOKIE_OUT_MAX);
	buf_printf(&b, "%s=%s; Path=%s", c->name, c->value, c->path);
	if (c->domain)
		buf_printf(&b, "; Domain=%s", c->domain);
	if (c->http_only)
		buf_str(&b, "; HttpOnly");
	if (c->secure)
		buf_str(&b, "; Secure");
	buf_str(&b,
	    c->cross_site && c->secure ? "; SameSite=None" : "; SameSite=Lax");
	write_age(&b, c->max_age_s);
	if (b.overflow)
		rc = err_set(err, ERR_INVALID,
		    "cookie %s is longer than browsers keep", c->name);
	else
		*out = arena_strdup(a, buf_view(&b));
	mem_wipe(b.data, b.len);
	buf_fini(&b);
	return rc;
}

/* Values of our own making are always good; paths were checked at start. */
static const char *build(struct arena *a, const struct cookie_out *c)
{
	const char *text = NULL;
	int rc = cookie_build(a, c, &text, NULL);

	assert(rc == 0);
	return text;
}

static const char *login_path(const struct cookie_env *env)
{
	return env->host_prefix && env->secure ? "/" : env->hub_path;
}

const char *cookie_login(struct arena *a, const struct cookie_env *env,
    const char *secret, int64_t max_age_s)
{
	const struct cookie_out c = {
		.name = login_name(env),
		.value = secret,
		.path = login_path(env),
		.max_age_s = max_age_s,
		.http_only = true,
		.secure = env->secure,
	};

	return build(a, &c);
}

const char *cookie_session_id(
    struct arena *a, const struct cookie_env *env, const char *id)
{
	const struct cookie_out c = {
		.name = COOKIE_SESSION_ID,
		.value = id,
		.path = env->base_path,
		.domain = env->domain,
		.http_only = true,
		.secure = env->secure,
	};

	return build(a, &c);
}

const char *cookie_browser(
    struct arena *a, const struct cookie_env *env, const char *value)
{
	const struct cookie_out c = {
		.name = COOKIE_BROWSER,
		.value = value,
		.path = env->hub_path,
		.http_only = true,
		.secure = env->secure,
	};

	return build(a, &c);
}

const char *cookie_xsrf(struct arena *a, const struct cookie_env *env,
    const char *token, bool anonymous)
{
	const struct cookie_out c = {
		.name = COOKIE_XSRF,
		.value = token,
		.path = env->hub_path,
		.max_age_s = anonymous ? XSRF_ANON_S : 0,
		.secure = env->secure,
	};

	return build(a, &c);
}

const char *cookie_clear(
    struct arena *a, const struct cookie_env *env, const char *name)
{
	struct cookie_out c = {
		.name = name,
		.value = "",
		.path = env->hub_path,
		.max_age_s = -1,
		.http_only = strcmp(name, COOKIE_XSRF) != 0,
		.secure = env->secure,
	};

	if (strcmp(name, COOKIE_LOGIN) == 0) {
		c.name = login_name(env);
		c.path = login_path(env);
	} else if (strcmp(name, COOKIE_SESSION_ID) == 0) {
		c.path = env->base_path;
		c.domain = env->domain;
	} else if (strcmp(name, COOKIE_SERVICES) == 0) {
		c.path = arena_printf(a, "%sservices", env->base_path);
	}
	return build(a, &c);
}

void browser_new(char out[SESSION_SECRET_LEN + 1])
{
	unsigned char raw[32];
	int rc;

	rand_bytes(raw, sizeof raw);
	rc = b64url_encode(raw, sizeof raw, out, SESSION_SECRET_LEN + 1);
	assert(rc == 0);
}

void session_id_new(char out[SESSION_ID_LEN + 1])
{
	rand_hex(out, SESSION_ID_LEN);
}

/* ---- the XSRF token ---- */

static bool is_set(const char *s)
{
	return s != NULL && s[0] != 0;
}

/* The word in front keeps a token of one kind from being one of the other. */
int xsrf_mint(
    const struct keys *k, const struct xsrf_binding *b, char out[XSRF_LEN + 1])
{
	unsigned char mac[MAC_SHA256_LEN];
	char text[SESSION_SECRET_LEN + 16];
	int rc;

	out[0] = 0;
	if (is_set(b->login))
		rc = str_format(text, sizeof text, "login:%s", b->login);
	else if (is_set(b->browser))
		rc = str_format(text, sizeof text, "browser:%s", b->browser);
	else
		return -1;
	if (rc < 0)
		return -1;
	mac_hmac_sha256(k->xsrf, sizeof k->xsrf, text, strlen(text), mac);
	mem_wipe(text, sizeof text);
	return b64url_encode(mac, sizeof mac, out, XSRF_LEN + 1);
}

static bool header_has(struct slice header, const char *token)
{
	struct slice h = bounded(header), value;
	size_t pos = 0;
	bool found = false;

	while (!found && cookie_find(h, COOKIE_XSRF, &pos, &value))
		found = mac_equal(value.p, value.len, token, XSRF_LEN);
	return found;
}

bool xsrf_cookie_sent(const struct keys *k, const struct xsrf_binding *b,
    struct slice cookie_header)
{
	char token[XSRF_LEN + 1];

	return xsrf_mint(k, b, token) == 0 && header_has(cookie_header, token);
}

enum xsrf_verdict xsrf_check(const struct keys *k, const struct xsrf_binding *b,
    struct slice cookie_header, const char *submitted)
{
	char token[XSRF_LEN + 1];

	if (!is_set(submitted))
		return XSRF_MISSING;
	if (!is_made_of(slice_of(submitted), XSRF_LEN, is_b64url))
		return XSRF_INVALID;
	if (xsrf_mint(k, b, token) < 0 || !mac_equal_str(submitted, token) ||
	    !header_has(cookie_header, token))
		return XSRF_MISMATCH;
	return XSRF_OK;
}

const char *xsrf_text(struct arena *a, enum xsrf_verdict v, const char *method)
{
	switch (v) {
	case XSRF_OK:
		return "";
	case XSRF_MISSING:
		return arena_printf(
		    a, "'_xsrf' argument missing from %.20s", method);
	case XSRF_INVALID:
		return "'_xsrf' argument invalid";
	case XSRF_MISMATCH:
		return arena_printf(
		    a, "XSRF cookie does not match %.20s argument", method);
	}
	return "";
}
