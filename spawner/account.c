/*
 * See account.h.
 */
#include "spawner/account.h"

#include <errno.h>
#include <grp.h>
#include <pwd.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/mem.h"
#include "base/str.h"

#define ENTRY_MAX  (1024 * 1024)
#define GROUPS_MAX 65536

static void copy_entry(
    struct arena *a, const struct passwd *pw, struct account *out)
{
	out->name = arena_strdup(a, pw->pw_name);
	out->home = arena_strdup(a, pw->pw_dir);
	out->shell = arena_strdup(
	    a, pw->pw_shell && *pw->pw_shell ? pw->pw_shell : "/bin/sh");
	out->uid = pw->pw_uid;
	out->gid = pw->pw_gid;
}

/* name NULL: by uid. */
static int find(struct arena *a, const char *name, uid_t uid,
    struct account *out, struct err *err)
{
	struct passwd pw, *found = NULL;
	size_t cap = 4096;
	int rc;

	for (;;) {
		char *space = xmalloc(cap);

		rc = name ? getpwnam_r(name, &pw, space, cap, &found)
			  : getpwuid_r(uid, &pw, space, cap, &found);
		if (rc == 0 && found)
			copy_entry(a, found, out);
		free(space);
		if (rc != ERANGE || cap >= ENTRY_MAX)
			break;
		cap *= 4;
	}
	if (found)
		return 1;
	/* getpwnam(3): these, too, mean that there is no such entry. */
	if (rc == 0 || rc == ENOENT || rc == ESRCH || rc == EBADF ||
	    rc == EPERM)
		return 0;
	errno = rc;
	err_sys(err, "look up the account %.64s", name ? name : "");
	if (err)
		err->code = ERR_UNAVAILABLE;
	return -1;
}

int account_find(
    struct arena *a, const char *name, struct account *out, struct err *err)
{
	return find(a, name, 0, out, err);
}

int account_find_uid(
    struct arena *a, uid_t uid, struct account *out, struct err *err)
{
	return find(a, NULL, uid, out, err);
}

static const char *group_name(struct arena *a, gid_t gid)
{
	struct group gr, *found = NULL;
	const char *name = NULL;
	size_t cap = 4096;
	int rc;

	/* A group entry lists its members: it may be long. */
	do {
		char *space = xmalloc(cap);

		rc = getgrgid_r(gid, &gr, space, cap, &found);
		if (rc == 0 && found &&
		    utf8_valid(found->gr_name, strlen(found->gr_name)))
			name = arena_strdup(a, found->gr_name);
		free(space);
		cap *= 4;
	} while (rc == ERANGE && cap <= ENTRY_MAX);
	return name;
}

size_t account_groups(struct arena *a, const struct account *account,
    size_t max, const char ***out)
{
	int n = 64;
	gid_t *gids = xcalloc((size_t)n, sizeof *gids);
	size_t n_out = 0;

	while (getgrouplist(account->name, account->gid, gids, &n) < 0 &&
	       n <= GROUPS_MAX)
		gids = xreallocarray(gids, (size_t)n, sizeof *gids);
	if (n > GROUPS_MAX)
		n = 0;
	*out = arena_array(a, (size_t)n + 1, sizeof **out);
	for (int i = 0; i < n && n_out < max; i++) {
		const char *name = group_name(a, gids[i]);

		if (name)
			(*out)[n_out++] = name;
	}
	free(gids);
	return n_out;
}
