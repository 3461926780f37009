/*
 * See paging.h.
 */
#include "hub/paging.h"

#include <inttypes.h>
#include <string.h>

#include "base/buf.h"
#include "base/log.h"
#include "base/num.h"
#include "hub/model.h"

#define ENVELOPE_TYPE "application/jupyterhub-pagination+json"
#define URL_MAX_BYTES 65536

/* One item of the Accept header, without parameters. Pages of ours always. */
static bool accepts_envelope(const struct req *r)
{
	const char *accept = http_header(r->http, "Accept");
	struct slice rest = slice_of(accept ? accept : ""), item;

	if (r->form_done)
		return true;
	while (slice_split(&rest, ',', &item))
		if (slice_ieq(slice_trim(item), ENVELOPE_TYPE))
			return true;
	return false;
}

/* Negative numbers are meant as positive ones, as the reference has it. */
static int read_number(
    const struct req *r, const char *name, int64_t fallback, int64_t *out)
{
	const char *text = url_pair_get(&r->query, name);
	struct err err;

	*out = fallback;
	if (!text)
		return 0;
	if (num_i64(text, out, &err) != 0 || *out == INT64_MIN)
		return -1;
	if (*out < 0)
		*out = -*out;
	return 0;
}

static int read_page(struct req *r, struct paging *out)
{
	const struct config *cfg = &r->app->cfg;
	int64_t limit =
	    accepts_envelope(r) ? cfg->page_default_limit : cfg->page_max_limit;

	if (read_number(r, "offset", 0, &out->offset) != 0 ||
	    read_number(r, "limit", limit, &out->limit) != 0) {
		reply_error(r, 400,
		    "Invalid argument type, offset and limit must be integers");
		return -1;
	}
	if (out->limit < 1)
		out->limit = 1;
	if (out->limit > cfg->page_max_limit)
		out->limit = cfg->page_max_limit;
	return 0;
}

int paging_read(struct req *r, struct paging *out)
{
	out->has_envelope = accepts_envelope(r);
	return read_page(r, out);
}

int paging_read_always(struct req *r, struct paging *out)
{
	out->has_envelope = true;
	return read_page(r, out);
}

/* What the client said of itself and of the address stays, so that it can
 * follow the link as it came. */
static const char *next_url(
    struct req *r, const struct paging *p, int64_t offset)
{
	struct buf query;

	buf_init(&query, URL_MAX_BYTES);
	for (size_t i = 0; i < r->query.n; i++) {
		const struct url_pair *pair = &r->query.items[i];
		if (strcmp(pair->name, "offset") != 0 &&
		    strcmp(pair->name, "limit") != 0 &&
		    strcmp(pair->name, "_xsrf") != 0)
			url_pair_append(&query, pair->name, pair->value);
	}
	buf_printf(&query, "%soffset=%" PRId64 "&limit=%" PRId64,
	    query.len ? "&" : "", offset, p->limit);
	const char *url = arena_printf(&r->http->arena, "%s%s?%s",
	    req_own_origin(r), r->http->path, buf_view(&query));
	buf_fini(&query);
	return url;
}

static json_t *next_page(struct req *r, const struct paging *p, int64_t total)
{
	if (p->offset >= total || total - p->offset <= p->limit)
		return json_null();
	int64_t offset = p->offset + p->limit;
	return json_pack("{s:I, s:I, s:s}", "offset", (json_int_t)offset,
	    "limit", (json_int_t)p->limit, "url", next_url(r, p, offset));
}

static void warn_of_rest(struct req *r, const struct paging *p, int64_t total)
{
	if (p->offset < total && total - p->offset > p->limit &&
	    !url_pair_get(&r->query, "limit"))
		log_warn(NULL,
		    "a client that knows no pages gets the first only",
		    "path=%s limit=%" PRId64 " total=%" PRId64, r->http->path,
		    p->limit, total);
}

static void reply_enveloped(struct req *r, const struct paging *p,
    const struct jsonw *items, int64_t total)
{
	json_t *place = json_pack("{s:I, s:I, s:I, s:o}", "offset",
	    (json_int_t)p->offset, "limit", (json_int_t)p->limit, "total",
	    (json_int_t)total, "next", next_page(r, p, total));
	struct jsonw w;

	jsonw_init(&w);
	jsonw_open(&w, '{');
	jsonw_key(&w, "items");
	jsonw_text(&w, items->buf.data, items->buf.len);
	jsonw_key(&w, "_pagination");
	jsonw_value(&w, place);
	jsonw_close(&w, '}');
	json_decref(place);
	reply_jsonw(r, 200, &w);
	jsonw_fini(&w);
}

void paging_reply_written(
    struct req *r, const struct paging *p, struct jsonw *items, int64_t total)
{
	if (p->has_envelope) {
		reply_enveloped(r, p, items, total);
		return;
	}
	warn_of_rest(r, p, total);
	reply_jsonw(r, 200, items);
}

void paging_reply(
    struct req *r, const struct paging *p, json_t *take_items, int64_t total)
{
	struct jsonw items;

	jsonw_init(&items);
	jsonw_value(&items, take_items);
	json_decref(take_items);
	paging_reply_written(r, p, &items, total);
	jsonw_fini(&items);
}
