/*
 * Pages of a moment ago: see pages.h.
 */
#include "proxy/pages.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

struct kept {
	int status;
	int64_t until_ms;
	size_t url_len, type_len, fields_len, body_len;
	bool has_type;
	char *text; /* url, type with its NUL, fields, body; NULL: empty */
};

struct pages {
	struct kept kept[PAGES_N];
	size_t next;
};

struct pages *pages_new(void)
{
	return xcalloc(1, sizeof(struct pages));
}

void pages_free(struct pages **pp)
{
	struct pages *p = *pp;

	*pp = NULL;
	if (p == NULL)
		return;
	for (size_t i = 0; i < PAGES_N; i++)
		free(p->kept[i].text);
	free(p);
}

static bool is_of(const struct kept *k, int status, struct slice url)
{
	return k->text != NULL && k->status == status &&
	       slice_same(slice_make(k->text, k->url_len), url);
}

bool pages_find(const struct pages *p, int status, struct slice url,
    int64_t now_ms, struct page *out)
{
	for (size_t i = 0; i < PAGES_N; i++) {
		const struct kept *k = &p->kept[i];
		const char *at = k->text;

		if (!is_of(k, status, url) || k->until_ms <= now_ms)
			continue;
		at += k->url_len;
		out->type = k->has_type ? at : NULL;
		at += k->type_len;
		out->fields = slice_make(at, k->fields_len);
		at += k->fields_len;
		out->body = slice_make(at, k->body_len);
		return true;
	}
	return false;
}

/* The one that it replaces, else the oldest. */
static struct kept *choose(struct pages *p, int status, struct slice url)
{
	struct kept *k;

	for (size_t i = 0; i < PAGES_N; i++)
		if (is_of(&p->kept[i], status, url))
			return &p->kept[i];
	k = &p->kept[p->next];
	p->next = (p->next + 1) % PAGES_N;
	return k;
}

static char *put(char *at, const void *p, size_t n)
{
	if (n > 0)
		memcpy(at, p, n);
	return at + n;
}

void pages_put(struct pages *p, int status, struct slice url, int64_t now_ms,
    const struct page *page)
{
	size_t type_len = page->type != NULL ? strlen(page->type) + 1 : 0;
	size_t n = url.len + type_len + page->fields.len + page->body.len;
	struct kept *k;
	char *at;

	if (n > PAGES_BODY_MAX)
		return;
	k = choose(p, status, url);
	free(k->text);
	*k = (struct kept){
		.status = status,
		.until_ms = now_ms + PAGES_FRESH_MS,
		.url_len = url.len,
		.type_len = type_len,
		.fields_len = page->fields.len,
		.body_len = page->body.len,
		.has_type = page->type != NULL,
		.text = xmalloc(n + 1),
	};
	at = put(k->text, url.p, url.len);
	at = put(at, page->type, type_len);
	at = put(at, page->fields.p, page->fields.len);
	(void)put(at, page->body.p, page->body.len);
}
