/*
 * See ids.h.
 */
#include "db/ids.h"

#include <inttypes.h>

#include "base/buf.h"

#define DIGITS_MAX 22 /* with sign and comma */

char *ids_json(const int64_t *ids, size_t n)
{
	struct buf b;
	char *text;

	buf_init(&b, n * DIGITS_MAX + 8);
	buf_char(&b, '[');
	for (size_t i = 0; i < n; i++)
		buf_printf(&b, "%s%" PRId64, i > 0 ? "," : "", ids[i]);
	buf_char(&b, ']');
	text = buf_steal(&b);
	buf_fini(&b);
	return text;
}
