/*
 * See domain.h. Browsers keep two hosts apart, so two names must never give the
 * same one. Where the rule of the contract alone would let them (letters that
 * IDNA folds, upper case, seven digits of a hash, a person called "services"),
 * ours is stricter; it gives the same hosts for all usual names.
 *
 * With the rule "idna" a label is of exactly one of these shapes:
 *   alice                    the name: letters, digits, no two hyphens together
 *   xn--mller-kva            IDNA of the name, from which the name comes back
 *   u-alicesmi--<32 digits>  the name's SHA-256
 * and a service's is one of them with "--service" behind it, in which none of
 * them can end: an as-is name has no "--", a hash is hexadecimal, and in front
 * of IDNA's last hyphen stand the plain letters of a name that has no "--".
 */
#include "hub/domain.h"

#include <arpa/inet.h>
#include <idn2.h>
#include <string.h>

#include "base/buf.h"
#include "base/mac.h"
#include "base/str.h"
#include "base/url.h"
#include "hub/config.h"

#define LABEL_MAX      63
#define HASH_LEN       32
#define STEM_LEN       8
#define SERVICE_SUFFIX "--service"
#define LEGACY_SERVICE "services"
/* A label, its suffix and this make at most the 253 bytes of a DNS name. */
#define HOST_MAX       180

static bool is_small(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9');
}

/* ---- the rule "idna" ---------------------------------------------- */

/* A DNS label in lower case, not all digits. */
static bool is_label(const char *s, size_t max)
{
	size_t len = strlen(s);

	if (len == 0 || len > max || s[0] == '-' || s[len - 1] == '-' ||
	    strspn(s, "0123456789") == len)
		return false;
	for (; *s; s++)
		if (!is_small(*s) && *s != '-')
			return false;
	return true;
}

/* "alicesmi--0123...": eight letters to recognise it by, and the hash. */
static const char *hashed(struct arena *a, const char *name)
{
	char hex[65], stem[STEM_LEN + 1], *lower = arena_strdup(a, name);
	size_t n = 0;

	str_lower_ascii(lower);
	for (const char *s = lower; *s && n < STEM_LEN; s++)
		if (is_small(*s))
			stem[n++] = *s;
	if (n == 0)
		stem[n++] = 'x';
	stem[n] = '\0';
	mac_sha256_hex(name, strlen(name), hex);
	return arena_printf(a, "u-%s--%.*s", stem, HASH_LEN, hex);
}

/* NULL: it has none, or one that another name has too. */
static const char *idn_label(struct arena *a, const char *name, size_t max)
{
	char *ascii = NULL, *back = NULL;
	const char *out = NULL;

	if (idn2_to_ascii_8z(name, &ascii, IDN2_NONTRANSITIONAL) == IDN2_OK &&
	    str_starts(ascii, "xn--") && is_label(ascii, max) &&
	    idn2_to_unicode_8z8z(ascii, &back, 0) == IDN2_OK &&
	    str_eq(back, name))
		out = arena_strdup(a, ascii);
	idn2_free(ascii);
	idn2_free(back);
	return out;
}

static const char *idna_label(struct arena *a, const char *name, size_t max)
{
	const char *idn;

	if (strstr(name, "--"))
		return hashed(a, name);
	if (is_label(name, max))
		return name;
	idn = idn_label(a, name, max);
	return idn ? idn : hashed(a, name);
}

/* ---- the rule "legacy" -------------------------------------------- */

/* Dots stay, so that a name may be several labels. */
static bool are_labels(const char *s)
{
	struct slice rest = slice_of(s), part;
	size_t n_dots = 0, n_parts = 0;

	for (const char *c = s; *c; c++)
		n_dots += *c == '.';
	while (slice_split(&rest, '.', &part)) {
		n_parts++;
		if (part.len == 0 || part.len > LABEL_MAX)
			return false;
	}
	return strlen(s) <= LABEL_MAX && n_parts == n_dots + 1;
}

/* '_' is always followed by two hexadecimal digits, but in the last way out. */
static const char *legacy_label(struct arena *a, const char *name)
{
	const char *out;
	struct buf b;

	buf_init(&b, strlen(name) * 3 + 1);
	for (const char *s = name; *s; s++) {
		if (is_small(*s) || *s == '-' || *s == '.')
			buf_char(&b, *s);
		else
			buf_printf(&b, "_%02x", (unsigned char)*s);
	}
	out = arena_strdup(a, buf_view(&b));
	buf_fini(&b);
	if (!are_labels(out) || str_eq(out, LEGACY_SERVICE))
		return arena_printf(a, "_%s", hashed(a, name));
	return out;
}

/* ---- hosts -------------------------------------------------------- */

bool domain_is_used(const struct config *cfg)
{
	return cfg->domain.host != NULL;
}

static bool is_legacy(const struct config *cfg)
{
	return str_eq(cfg->subdomain_hook, "legacy");
}

static const char *user_host(
    struct arena *a, const struct config *cfg, const char *user)
{
	const char *label = is_legacy(cfg) ? legacy_label(a, user)
					   : idna_label(a, user, LABEL_MAX);

	return arena_printf(a, "%s.%s", label, cfg->domain.host);
}

static const char *service_host(
    struct arena *a, const struct config *cfg, const char *service)
{
	size_t max = LABEL_MAX - strlen(SERVICE_SUFFIX);

	if (is_legacy(cfg))
		return arena_printf(a, LEGACY_SERVICE ".%s", cfg->domain.host);
	return arena_printf(a, "%s" SERVICE_SUFFIX ".%s",
	    idna_label(a, service, max), cfg->domain.host);
}

static const char *origin_of(
    struct arena *a, const struct config *cfg, const char *host)
{
	return arena_printf(
	    a, "%s://%s%s", cfg->domain.scheme, host, cfg->domain.port);
}

const char *domain_user_origin(
    struct arena *a, const struct config *cfg, const char *user)
{
	if (!domain_is_used(cfg))
		return "";
	return origin_of(a, cfg, user_host(a, cfg, user));
}

const char *domain_service_origin(
    struct arena *a, const struct config *cfg, const char *service)
{
	if (!domain_is_used(cfg))
		return "";
	return origin_of(a, cfg, service_host(a, cfg, service));
}

const char *domain_user_route(struct arena *a, const struct config *cfg,
    const char *user, const char *path)
{
	if (!domain_is_used(cfg))
		return path;
	return arena_printf(a, "/%s%s", user_host(a, cfg, user), path);
}

const char *domain_service_route(struct arena *a, const struct config *cfg,
    const char *service, const char *path)
{
	if (!domain_is_used(cfg))
		return path;
	return arena_printf(a, "/%s%s", service_host(a, cfg, service), path);
}

const char *domain_form_action(struct arena *a, const struct config *cfg)
{
	const struct domain *d = &cfg->domain;

	if (!domain_is_used(cfg))
		return "'self'";
	return arena_printf(
	    a, "'self' %s://*.%s%s", d->scheme, d->host, d->port);
}

/* ---- what others say ---------------------------------------------- */

/* A dot at the end names the same host, but is another one to browsers. */
bool domain_is_below(const struct config *cfg, const char *authority)
{
	size_t len, ours;

	if (!domain_is_used(cfg) || !authority)
		return false;
	len = strcspn(authority, ":");
	while (len > 0 && authority[len - 1] == '.')
		len--;
	ours = strlen(cfg->domain.host);
	return len > ours && authority[len - ours - 1] == '.' &&
	       slice_ieq(
		   slice_make(authority + len - ours, ours), cfg->domain.host);
}

bool domain_is_origin_below(const struct config *cfg, const char *origin)
{
	const char *host = origin ? strstr(origin, "://") : NULL;

	return host && domain_is_below(cfg, host + strlen("://"));
}

/* ---- opening ------------------------------------------------------ */

static bool is_address(const char *host)
{
	unsigned char unused[sizeof(struct in6_addr)];

	return inet_pton(AF_INET, host, unused) == 1 ||
	       inet_pton(AF_INET6, host, unused) == 1;
}

static int check_host(const char *host, struct err *err)
{
	struct slice rest = slice_of(host), part;
	size_t n = 0;

	if (is_address(host))
		return err_set(err, ERR_INVALID,
		    "\"hub.subdomain_host\" must be a name: nothing can stand "
		    "below the address %s",
		    host);
	while (slice_split(&rest, '.', &part)) {
		n += part.len + 1;
		if (part.len == 0 || part.len > LABEL_MAX)
			break;
	}
	if (strlen(host) > HOST_MAX || n != strlen(host) + 1)
		return err_set(err, ERR_INVALID,
		    "\"hub.subdomain_host\" must have a DNS name of at most "
		    "%d bytes, without a dot at its ends",
		    HOST_MAX);
	return 0;
}

/* The hub stands at the host itself: there is one address to it. */
static int check_public(
    struct arena *a, struct config *cfg, const char *origin, struct err *err)
{
	struct url u;

	if (!*cfg->public_url) {
		cfg->public_url = origin;
		return 0;
	}
	if (url_parse(a, cfg->public_url, &u, err) != 0)
		return err_wrap(err, "\"hub.public_url\"");
	if (str_eq(url_origin(a, &u), origin))
		return 0;
	return err_set(err, ERR_INVALID,
	    "\"hub.public_url\" must be the same address as "
	    "\"hub.subdomain_host\" (%s), or not be set",
	    origin);
}

int domain_open(struct arena *a, struct config *cfg, struct err *err)
{
	const char *origin, *port;
	struct url u;

	cfg->domain = (struct domain){ 0 };
	if (!*cfg->subdomain_host)
		return 0;
	if (url_parse(a, cfg->subdomain_host, &u, err) != 0)
		return err_wrap(err, "\"hub.subdomain_host\"");
	origin = url_origin(a, &u);
	if (check_host(u.host, err) != 0 ||
	    check_public(a, cfg, origin, err) != 0)
		return -1;
	port = strchr(origin + strlen("https:"), ':');
	cfg->domain = (struct domain){
		.scheme = u.scheme == URL_HTTPS ? "https" : "http",
		.host = u.host,
		.port = port ? port : "",
	};
	if (u.scheme == URL_HTTPS)
		cfg->cookie_host_prefix = true;
	return 0;
}
