/*
 * See local.h.
 */
#include "hub/cli/local.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/str.h"
#include "hub/cli/site.h"
#include "hub/places.h"

#define SYSTEM_RUN "/run/carrel"

/* A person's own Carrel comes before the machine's; root has none. */
static const char *find(struct arena *a, const char *own_dir)
{
	const char *path = arena_printf(a, "%s/" PLACES_ADMIN, own_dir);
	if (access(path, F_OK) == 0)
		return path;
	return SYSTEM_RUN "/" PLACES_ADMIN;
}

static int check(const char *path, struct err *err)
{
	struct stat st;

	if (strlen(path) >= sizeof((struct sockaddr_un *)0)->sun_path)
		return err_set(err, ERR_INVALID,
		    "the path %.40s... is longer than a socket's can be", path);
	if (stat(path, &st) != 0)
		return err_set(err, ERR_UNAVAILABLE,
		    "no hub of this machine is at %s (%s). Start it, name its "
		    "directory with --run-dir, or name a hub with "
		    "CARREL_API_URL and CARREL_TOKEN",
		    path, strerror(errno));
	if (access(path, W_OK) != 0)
		return err_set(err, ERR_DENIED,
		    "%s is for root and the hub's own account. Ask as root, or "
		    "show a token: CARREL_TOKEN, CARREL_TOKEN_FILE",
		    path);
	return 0;
}

int local_socket(
    struct arena *a, const char *run_dir, const char **out, struct err *err)
{
	struct site *site = arena_alloc(a, sizeof *site);

	if (run_dir)
		*out = arena_printf(a, "%s/" PLACES_ADMIN, run_dir);
	else if (site_find(site, NULL, NULL, err) != 0)
		*out = SYSTEM_RUN "/" PLACES_ADMIN;
	else
		*out = find(a, site->run_dir);
	return check(*out, err);
}
