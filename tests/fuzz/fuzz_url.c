/*
 * Fuzz target for base/url: URLs, percent coding, pairs and cookies. The
 * properties: no bad access; what is escaped decodes to itself; the origin of
 * a URL is a URL with the same origin; appended pairs are read back.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/url.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool ok)
{
	if (!ok)
		abort();
}

static void try_parse(struct arena *a, const char *text)
{
	struct url u, again;
	struct err err;

	if (url_parse(a, text, &u, &err))
		return;
	must(u.path[0] == '/' && u.host);
	must((u.scheme == URL_HTTP_UNIX) == (u.socket_path != NULL));
	must(url_parse(a, url_origin(a, &u), &again, &err) == 0);
	must(again.scheme == u.scheme && again.port == u.port);
	must(str_eq(again.host, u.host));
	must(str_eq(again.socket_path, u.socket_path));
}

static void try_escape(struct arena *a, const char *text)
{
	const char *back;

	must(url_decode(
		 a, slice_of(url_escape_segment(a, text)), &back, NULL) == 0);
	must(str_eq(back, text));
	must(url_decode(a, slice_of(url_quote(a, text, true)), &back, NULL) ==
	     0);
	must(str_eq(back, text));
	(void)url_join(a, text, text, "/", text, NULL);
}

static void try_pairs(struct arena *a, struct slice s)
{
	struct url_pairs p, again;
	struct err err;
	struct buf b;

	if (url_parse_pairs(a, s, 64, &p, &err))
		return;
	buf_init(&b, (size_t)1 << 24);
	for (size_t i = 0; i < p.n; i++)
		url_pair_append(&b, p.items[i].name, p.items[i].value);
	must(url_parse_pairs(
		 a, slice_make(buf_view(&b), b.len), 64, &again, &err) == 0);
	must(again.n == p.n);
	for (size_t i = 0; i < p.n; i++) {
		must(str_eq(again.items[i].name, p.items[i].name));
		must(str_eq(again.items[i].value, p.items[i].value));
		must(url_pair_get(&p, p.items[i].name) != NULL);
	}
	buf_fini(&b);
}

static void try_cookie(struct slice s)
{
	struct slice value;
	size_t pos = 0, n = 0;

	while (cookie_find(s, "a", &pos, &value)) {
		must(value.p >= s.p && value.p + value.len <= s.p + s.len);
		must(++n <= s.len);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct slice s = slice_make((const char *)data, size);
	struct arena a;
	const char *out, *text;
	struct err err;

	arena_init(&a);
	text = arena_strndup(&a, s.p, s.len);
	try_parse(&a, text);
	if (utf8_valid(text, strlen(text)))
		try_escape(&a, text);
	if (url_decode(&a, s, &out, &err) == 0)
		must(utf8_valid(out, strlen(out)));
	try_pairs(&a, s);
	try_cookie(s);
	arena_fini(&a);
	return 0;
}
