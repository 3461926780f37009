/*
 * A kind's own options: see options.h.
 */
#include "auth/options.h"

#include <string.h>

#include "base/buf.h"

#define PROBLEMS_MAX 4096

int auth_options(const struct auth_env *env, struct arena *a,
    const struct conf_option *table, size_t n, void *out, struct err *err)
{
	const char *file = env->file != NULL ? env->file : "configuration";
	struct buf problems;
	int rc;

	buf_init(&problems, PROBLEMS_MAX);
	rc = conf_bind(a, env->options, file, table, n, out, &problems, err);
	/* One line each; the first is what must be corrected first. */
	if (rc < 0 && problems.len > 0)
		(void)err_set(err, ERR_INVALID, "%.*s",
		    (int)strcspn(buf_view(&problems), "\n"),
		    buf_view(&problems));
	buf_fini(&problems);
	return rc;
}
