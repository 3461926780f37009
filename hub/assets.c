/*
 * The embedded files with their content types and hashes.
 */
#include "hub/assets.h"

#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/mac.h"
#include "base/mem.h"
#include "base/str.h"

struct assets {
	struct asset *items;
	char version[ASSET_HASH_LEN + 1];
};

const char *asset_type(const char *name)
{
	static const struct {
		const char *suffix, *type;
	} types[] = {
		{ ".css", "text/css; charset=utf-8" },
		{ ".js", "text/javascript; charset=utf-8" },
		{ ".svg", "image/svg+xml" },
		{ ".ico", "image/x-icon" },
		{ ".png", "image/png" },
		{ ".jpg", "image/jpeg" },
		{ ".jpeg", "image/jpeg" },
		{ ".gif", "image/gif" },
		{ ".webp", "image/webp" },
		{ ".txt", "text/plain; charset=utf-8" },
		{ ".html", "text/html; charset=utf-8" },
	};

	for (size_t i = 0; i < sizeof types / sizeof types[0]; i++)
		if (str_ends(name, types[i].suffix))
			return types[i].type;
	return "application/octet-stream";
}

void asset_hash(const void *p, size_t len, char out[ASSET_HASH_LEN + 1])
{
	char hex[65];

	mac_sha256_hex(p, len, hex);
	memcpy(out, hex, ASSET_HASH_LEN);
	out[ASSET_HASH_LEN] = '\0';
}

struct assets *assets_new(void)
{
	struct assets *a = xcalloc(1, sizeof *a);
	struct buf all;

	buf_init(&all, n_asset_files * ASSET_HASH_LEN + 1);
	a->items = xcalloc(n_asset_files + 1, sizeof *a->items);
	for (size_t i = 0; i < n_asset_files; i++) {
		struct asset *it = &a->items[i];
		it->file = &asset_files[i];
		it->content_type = asset_type(it->file->name);
		asset_hash(it->file->data, it->file->len, it->hash);
		buf_str(&all, it->hash);
	}
	asset_hash(buf_view(&all), all.len, a->version);
	buf_fini(&all);
	return a;
}

void assets_free(struct assets **a)
{
	if (!*a)
		return;
	free((*a)->items);
	free(*a);
	*a = NULL;
}

const struct asset *assets_find(const struct assets *a, const char *name)
{
	for (size_t i = 0; i < n_asset_files; i++)
		if (!strcmp(a->items[i].file->name, name))
			return &a->items[i];
	return NULL;
}

const char *assets_version(const struct assets *a)
{
	return a->version;
}
