/*
 * Fuzz target for base/httphead: a head that is scanned whole and one that
 * comes in pieces end alike; what the parsers accept has the properties that
 * the proxy builds on; the fields of a forwarded head, parsed again, are the
 * same. The first byte chooses how the rest is cut, and which parser reads it.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/httphead.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct http_head head, again;

static void must(bool ok)
{
	if (!ok)
		abort();
}

/* seed 0: whole. */
static enum httphead_state scan(
    const char *p, size_t len, unsigned seed, size_t *head_len)
{
	struct httphead_scan s = { 0 };
	struct http_refusal why = { 0 };
	enum httphead_state state = HTTPHEAD_MORE;
	size_t n = 0;

	while (n < len && state == HTTPHEAD_MORE) {
		n += seed == 0 ? len : 1 + seed % 11;
		if (n > len)
			n = len;
		seed = seed * 1103515245u + (seed != 0 ? 12345u : 0);
		state = httphead_scan(&s, p, n, head_len, &why);
	}
	must(state != HTTPHEAD_BAD || (why.status >= 400 && why.why != NULL));
	must(state != HTTPHEAD_DONE || *head_len <= n);
	return state;
}

static bool holds(const char *p, size_t len, struct slice s)
{
	return s.len == 0 || (s.p >= p && s.p + s.len <= p + len);
}

static bool is_clean(struct slice s)
{
	for (size_t i = 0; i < s.len; i++) {
		unsigned char c = (unsigned char)s.p[i];

		if ((c < 0x20 && c != '\t') || c == 0x7f)
			return false;
	}
	return true;
}

static void check_fields(const char *p, size_t len)
{
	size_t n_hosts = 0, n_lengths = 0, n_codings = 0;

	for (size_t i = 0; i < head.n_fields; i++) {
		const struct http_field *f = &head.fields[i];

		must(httphead_is_token(f->name) && is_clean(f->value));
		must(holds(p, len, f->name) && holds(p, len, f->value));
		n_hosts += f->id == HTTP_HOST;
		n_lengths += f->id == HTTP_CONTENT_LENGTH;
		n_codings += f->id == HTTP_TRANSFER_ENCODING;
		(void)httphead_is_hop_by_hop(&head, f);
	}
	must(n_lengths + n_codings <= 1);
	must(n_lengths == 0 || head.has_length);
	must((n_codings == 1) == (head.body == HTTP_BODY_CHUNKED));
	must(n_codings == 0 || head.minor == 1);
	must(head.content_length <= INT64_MAX);
	(void)n_hosts;
}

/* Written out in the plainest form it is read as the same head. */
static void check_again(bool is_request)
{
	struct http_refusal why;
	struct buf b;
	int rc;

	buf_init(&b, (size_t)1 << 20);
	if (is_request) {
		buf_slice(&b, head.method);
		buf_char(&b, ' ');
		buf_slice(&b, head.target);
		buf_printf(&b, " HTTP/1.%d\r\n", head.minor);
	} else {
		buf_printf(&b, "HTTP/1.%d %d ", head.minor, head.status);
		buf_slice(&b, head.reason);
		buf_str(&b, "\r\n");
	}
	for (size_t i = 0; i < head.n_fields; i++) {
		buf_slice(&b, head.fields[i].name);
		buf_str(&b, ": ");
		buf_slice(&b, head.fields[i].value);
		buf_str(&b, "\r\n");
	}
	buf_str(&b, "\r\n");
	rc = is_request ? httphead_parse_request(b.data, b.len, &again, &why)
			: httphead_parse_response(b.data, b.len, &again, &why);
	must(rc == 0 && again.body == head.body);
	must(again.n_fields == head.n_fields && again.named == head.named);
	must(again.content_length == head.content_length);
	buf_fini(&b);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const char *p = (const char *)data + 1;
	struct http_refusal why = { 0 };
	size_t len = 0, len_again = 0;
	enum httphead_state state;
	bool is_request;
	int rc;

	if (size < 2)
		return 0;
	is_request = (data[0] & 1) == 0;
	state = scan(p, size - 1, 0, &len);
	must(state == scan(p, size - 1, data[0] + 1u, &len_again));
	if (state != HTTPHEAD_DONE) {
		/* Without a scan before: refused, or at least no bad access */
		(void)!httphead_parse_request(p, size - 1, &head, &why);
		(void)!httphead_parse_trailers(p, size - 1, &head, &why);
		return 0;
	}
	must(len == len_again);
	rc = is_request ? httphead_parse_request(p, len, &head, &why)
			: httphead_parse_response(p, len, &head, &why);
	if (rc < 0) {
		must(why.status >= 400);
		return 0;
	}
	must(!is_request || head.minor == 0 || head.has_host);
	must(httphead_is_host(head.host));
	check_fields(p, len);
	check_again(is_request);
	return 0;
}
