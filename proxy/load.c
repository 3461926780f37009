/*
 * Routes from the journal and back: see load.h.
 */
#include "proxy/load.h"

#include "base/clock.h"
#include "base/str.h"
#include "proxy/table.h"

static int load_set(struct table *t, const json_t *line, struct err *err)
{
	int64_t at = 0, now = clock_wall_us() / 1000;
	json_t *routes, *data;
	const char *key;

	if (json_get_int(line, "at", 0, INT64_MAX, &at, err) < 0)
		return -1;
	if (json_get_obj(line, "route", &routes, err) < 1)
		return err_set(err, ERR_INVALID, "the line has no route");
	json_object_foreach (routes, key, data) {
		if (table_load(t, key, data, at < now ? at : now, err) < 0)
			return -1;
	}
	return 0;
}

int load_line(const json_t *line, void *arg, struct err *err)
{
	struct table *t = arg;
	const char *op = NULL, *path = NULL;

	if (json_get_str(line, "op", 16, &op, err) < 1)
		return err_set(err, ERR_INVALID, "the line has no \"op\"");
	if (str_eq(op, "set"))
		return load_set(t, line, err);
	if (!str_eq(op, "delete"))
		return err_set(err, ERR_INVALID, "unknown \"op\"");
	if (json_get_str(line, "path", 65536, &path, err) < 1)
		return err_set(err, ERR_INVALID, "the line has no \"path\"");
	table_unload(t, path);
	return 0;
}

size_t load_snapshot(struct buf *out, void *arg)
{
	table_write_journal(arg, out);
	return table_count(arg);
}
