/*
 * Fuzz target for calls of the proxy's REST API: any path and any body. What is
 * taken as a route is listed as it came, is the same after it was written to
 * the journal and read again, and has a target that the workers can use. The
 * input: path, NUL, body. The path is read as a date too.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/json.h"
#include "base/loop.h"
#include "base/url.h"
#include "proxy/api.h"
#include "proxy/route.h"
#include "proxy/table.h"

#define AT_MS 1767225600000

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct loop *loop;
static bool by_host;

static void must(bool ok)
{
	if (!ok)
		abort();
}

static void read_date(const char *p, size_t len)
{
	struct err err;
	int64_t ms;
	char text[64];

	if (len >= sizeof text)
		return;
	memcpy(text, p, len);
	text[len] = '\0';
	if (api_parse_date(text, &ms, &err) < 0)
		must(err.code == ERR_INVALID);
}

/* What is listed under a key, as JSON; NULL: nothing. */
static json_t *listed(const struct table *t, const char *key)
{
	json_t *out = NULL;
	struct err err;
	struct buf b;

	buf_init(&b, (size_t)1 << 24);
	if (table_write_one(t, key, &b))
		must(json_parse(b.data, b.len, &out, &err) == 0);
	buf_fini(&b);
	return out;
}

/* Everything that was sent, the time of the call, and the host. */
static void check_listed(
    const struct table *t, const char *key, const json_t *sent)
{
	json_t *seen = listed(t, key), *wanted = json_copy((json_t *)sent);

	must(seen != NULL);
	must(json_is_string(json_object_get(seen, "last_activity")));
	must(json_object_del(seen, "last_activity") == 0);
	(void)json_object_del(wanted, "last_activity");
	if (by_host && strcmp(key, "/") != 0) {
		must(json_is_string(json_object_get(seen, "host")));
		(void)json_object_del(seen, "host");
		(void)json_object_del(wanted, "host");
	}
	must(json_equal(seen, wanted));
	json_decref(seen);
	json_decref(wanted);
}

/* One line: {"op":"set","at":MS,"route":{KEY:OBJECT}}. */
static void check_journal(
    const struct table *t, const char *key, const json_t *sent)
{
	json_t *line, *route;
	struct table *next;
	struct err err;
	struct buf b;

	buf_init(&b, (size_t)1 << 24);
	table_write_journal(t, &b);
	must(b.len > 0 && b.data[b.len - 1] == '\n');
	must(memchr(b.data, '\n', b.len) == b.data + b.len - 1);
	must(json_parse(b.data, b.len - 1, &line, &err) == 0);
	must(json_get_obj(line, "route", &route, &err) == 1);
	route = json_object_get(route, key);
	must(route != NULL);
	next = table_new(loop, by_host);
	must(table_load(next, key, route, AT_MS, &err) == 0);
	check_listed(next, key, sent);
	table_free(&next);
	json_decref(line);
	buf_fini(&b);
}

static void check_target(const char *key, const json_t *sent)
{
	const char *text = json_string_value(json_object_get(sent, "target"));
	struct route *r;
	struct err err;

	must(text != NULL);
	r = route_new(key, text, NULL, &err);
	must(r != NULL && r->target.origin != NULL);
	must((r->target.host == NULL) != (r->target.socket_path == NULL));
	must(r->target.host == NULL || r->target.port != 0);
	for (const char *p = r->target.authority; *p != '\0'; p++)
		must((unsigned char)*p > ' ' && *p != 0x7f);
	for (size_t i = 0; i < r->target.path.len; i++)
		must((unsigned char)r->target.path.p[i] > ' ');
	route_unref(&r);
}

static void set_route(const char *key, const char *body, size_t len)
{
	struct table *t;
	json_t *sent;
	struct err err;

	if (json_parse(body, len, &sent, &err) < 0) {
		must(err.code == ERR_INVALID);
		return;
	}
	by_host = (len & 1) != 0;
	t = table_new(loop, by_host);
	if (table_load(t, key, sent, AT_MS, &err) < 0) {
		must(err.code == ERR_INVALID && table_count(t) == 0);
	} else {
		check_target(key, sent);
		check_journal(t, key, sent);
	}
	table_free(&t);
	json_decref(sent);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const char *p = (const char *)data, *end = memchr(p, '\0', size);
	size_t path_len = end != NULL ? (size_t)(end - p) : size;
	char key[ROUTE_KEY_MAX + 1];
	struct err err;

	if (loop == NULL)
		loop = loop_new();
	read_date(p, path_len);
	if (route_key_clean(slice_make(p, path_len), key, &err) < 0) {
		must(err.code == ERR_INVALID || err.code == ERR_LIMIT);
		return 0;
	}
	must(route_key_is_clean(key));
	if (end != NULL)
		set_route(key, end + 1, size - path_len - 1);
	return 0;
}
