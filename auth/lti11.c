/*
 * LTI 1.1: a form that the platform signed with a secret shared with us (OAuth
 * 1.0a, HMAC-SHA1, RFC 5849). There is no way to bind it to a browser: whoever
 * makes another's browser post a fresh launch of their own logs it in as
 * themselves (docs/login-lti.md).
 *
 * The order of checks: the signature first, so that nobody without the secret
 * fills the memory of nonces; then the time; then that it is used once.
 */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "auth/lti_priv.h"
#include "auth/oauth1.h"
#include "base/buf.h"
#include "base/clock.h"
#include "base/mem.h"
#include "base/num.h"
#include "base/str.h"

#define FIELD_MAX 1024
/* Its parts are bounded by the options, and escaped at most five times as long.
 */
#define TOOL_MAX  65536
#define TEXT_AGAIN                                                             \
	"This way here from the course was used already, or it took too "      \
	"long. Please open the link in the course again."

static const char *secret_of(const struct lti *o, const char *key)
{
	for (size_t i = 0; i < o->opt.consumers.n; i++) {
		const struct conf_pair *c = &o->opt.consumers.items[i];

		if (str_eq(c->name, key))
			return c->value;
	}
	return NULL;
}

static int refuse(struct err *err, const char *why)
{
	return err_set(err, ERR_DENIED, "the launch is refused: %s", why);
}

static int check_signature(
    struct lti_attempt *at, const struct url_pairs *form, struct err *err)
{
	const struct lti *o = at->owner;
	const char *key = lti_once(form, "oauth_consumer_key", FIELD_MAX);
	const char *secret = key ? secret_of(o, key) : NULL;
	const char *signature = lti_once(form, "oauth_signature", FIELD_MAX);
	const char *version = url_pair_get(form, "oauth_version");

	if (!secret)
		return refuse(err, "its oauth_consumer_key is not known");
	if (!str_eq(lti_once(form, "oauth_signature_method", FIELD_MAX),
		"HMAC-SHA1"))
		return refuse(err, "it is not signed with HMAC-SHA1");
	if (version && !str_eq(lti_once(form, "oauth_version", 8), "1.0"))
		return refuse(err, "its oauth_version is not 1.0");
	if (!signature)
		return refuse(err, "it has no oauth_signature, or several");
	if (!oauth1_is_signed(
		oauth1_base_string(&at->arena, "POST", o->launch_url, form),
		secret, signature))
		return refuse(err,
		    "its signature is wrong: the shared secret differs, or the "
		    "platform sends to another address than hub.public_url's");
	return 0;
}

/* What was signed before this process began may have been used before: that
 * memory is gone. LIMIT: come again. */
static int check_time(const struct lti *o, const char *text, int64_t now_s,
    int64_t *out, struct err *err)
{
	struct err why;

	if (!text || num_i64(text, out, &why) != 0 || *out < 0)
		return refuse(err, "it has no proper oauth_timestamp");
	if (*out < now_s - o->opt.leeway_s || *out > now_s + o->opt.leeway_s)
		return err_set(err, ERR_LIMIT,
		    "its oauth_timestamp is %lld s off: it took too long, or "
		    "a clock is wrong",
		    (long long)(now_s - *out));
	if (*out < o->since_s)
		return err_set(
		    err, ERR_LIMIT, "it was signed before the hub was started");
	return 0;
}

static int check_once(
    struct lti_attempt *at, const struct url_pairs *form, struct err *err)
{
	struct lti *o = at->owner;
	const char *nonce = lti_once(form, "oauth_nonce", FIELD_MAX);
	const char *stamp = lti_once(form, "oauth_timestamp", 20);
	int64_t now_s = clock_wall_s(), at_s = 0;
	const char *all;

	if (!nonce)
		return refuse(err, "it has no oauth_nonce, or several");
	if (check_time(o, stamp, now_s, &at_s, err) != 0)
		return -1;
	all = arena_printf(&at->arena, "%lld %zu %s %s", (long long)at_s,
	    strlen(nonce), nonce,
	    lti_once(form, "oauth_consumer_key", FIELD_MAX));
	switch (
	    nonces_use(o->nonces, all, now_s, now_s + 2 * o->opt.leeway_s)) {
	case NONCE_NEW:
		return 0;
	case NONCE_USED:
		return err_set(err, ERR_LIMIT, "it was used before");
	case NONCE_FULL:
		break;
	}
	return err_set(err, ERR_LIMIT,
	    "there were %d launches in the last moments", NONCES_MAX);
}

static void lti11_callback(struct authenticator *au, uint64_t id,
    const struct auth_trip *trip, const struct url_pairs *form)
{
	struct lti_attempt *at = lti_begin(lti_of(au), id);
	struct err err = { 0 };

	(void)trip;
	if (!at)
		return;
	if (check_signature(at, form, &err) != 0 ||
	    check_once(at, form, &err) != 0 ||
	    lti11_read(&at->arena, &at->owner->opt, form, &at->launch, &err) !=
		0) {
		lti_refuse(
		    at, err.code == ERR_LIMIT ? TEXT_AGAIN : NULL, err.text);
		return;
	}
	/* The form does not live until the end is told. */
	at->launch.subject = arena_strdup(&at->arena, at->launch.subject);
	if (at->launch.next)
		at->launch.next = arena_strdup(&at->arena, at->launch.next);
	lti_accept(at);
}

/* ---- registering it ------------------------------------------------------ */

/* XML 1.0, section 2.4; control bytes have no place in XML at all. */
static void put_text(struct buf *b, const char *text)
{
	for (; *text; text++) {
		unsigned char c = (unsigned char)*text;

		if (c == '&')
			buf_str(b, "&amp;");
		else if (c == '<')
			buf_str(b, "&lt;");
		else if (c == '>')
			buf_str(b, "&gt;");
		else
			buf_char(b, c < ' ' || c == 0x7f ? ' ' : *text);
	}
}

static void put_element(struct buf *b, const char *name, const char *text)
{
	buf_printf(b, "  <blti:%s>", name);
	put_text(b, text);
	buf_printf(b, "</blti:%s>\n", name);
}

#define IMS "http://www.imsglobal.org/xsd/"

/* Our pages cannot be framed: Canvas opens a window. */
const char *lti11_tool(const struct authenticator *au, struct arena *a)
{
	const struct lti *o = lti_of(au);
	const char *text;
	struct buf b;

	buf_init(&b, TOOL_MAX);
	buf_str(&b, "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n"
		    "<cartridge_basiclti_link xmlns=\"" IMS "imslticc_v1p0\"\n"
		    "    xmlns:blti=\"" IMS "imsbasiclti_v1p0\"\n"
		    "    xmlns:lticm=\"" IMS "imslticm_v1p0\"\n"
		    "    xmlns:lticp=\"" IMS "imslticp_v1p0\">\n");
	put_element(&b, "title", o->opt.tool_name);
	put_element(&b, "description", o->opt.tool_description);
	put_element(&b, "icon", arena_printf(a, "%slogo", o->hub_url));
	put_element(&b, "launch_url", o->launch_url);
	buf_str(&b, "  <blti:extensions platform=\"canvas.instructure.com\">\n"
		    "    <lticm:options name=\"course_navigation\">\n"
		    "      <lticm:property name=\"windowTarget\">_blank"
		    "</lticm:property>\n"
		    "    </lticm:options>\n"
		    "  </blti:extensions>\n"
		    "</cartridge_basiclti_link>\n");
	assert(!b.overflow);
	text = arena_strdup(a, buf_view(&b));
	buf_fini(&b);
	return text;
}

/* ---- life ---------------------------------------------------------------- */

static struct authenticator *lti11_open(
    const struct auth_env *env, struct err *err)
{
	struct lti *o =
	    lti_open(env, &authenticator_lti11, lti11_options_read, err);
	struct authenticator *au = o ? &o->base : NULL;
	struct url u;

	if (!o)
		return NULL;
	/* The origin is as RFC 5849 3.4.1.2 wants it: small letters, no usual
	 * port. */
	if (url_parse(&o->arena, o->hub_url, &u, err) != 0) {
		(void)err_wrap(err, "hub.public_url");
		lti_close(&au);
		return NULL;
	}
	o->launch_url = arena_printf(
	    &o->arena, "%s%slti/launch", url_origin(&o->arena, &u), u.path);
	o->nonces = xcalloc(1, sizeof *o->nonces);
	o->since_s = clock_wall_s();
	return au;
}

const struct authenticator_kind authenticator_lti11 = {
	.name = "lti11",
	.has_form = false,
	.open = lti11_open,
	.cancel = lti_cancel,
	.close = lti_close,
	.callback = lti11_callback,
};
