/*
 * Files embedded in the binary: templates, style sheet, scripts, images
 * (everything below hub/web). hub/web/embed.sh makes the table at build time.
 */
#ifndef CARREL_HUB_ASSETS_H
#define CARREL_HUB_ASSETS_H

#include <stddef.h>

struct asset_file {
	const char *name;          /* "static/carrel.css" */
	const unsigned char *data; /* a NUL follows that does not count */
	size_t len;
};

/* build/gen/assets_data.c */
extern const struct asset_file asset_files[];
extern const size_t n_asset_files;

#define ASSET_HASH_LEN 16

struct assets;

struct asset {
	const struct asset_file *file;
	const char *content_type;
	char hash[ASSET_HASH_LEN + 1]; /* of the content, hex */
};

struct assets *assets_new(void);
void assets_free(struct assets **a);
/* By its whole name; NULL: there is none. */
const struct asset *assets_find(const struct assets *a, const char *name);
/* One hash over all files: ?v= of the pages' links. */
const char *assets_version(const struct assets *a);
/* Of a file by its name: "image/svg+xml". */
const char *asset_type(const char *name);
void asset_hash(const void *p, size_t len, char out[ASSET_HASH_LEN + 1]);

#endif
