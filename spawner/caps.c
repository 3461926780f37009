/*
 * See caps.h, capabilities(7).
 */
#include "spawner/caps.h"

#include <stddef.h>
#include <sys/capability.h>

#include "base/privs.h"
#include "base/str.h"

static const int own_caps[] = {
	/* Become the account: ids and groups of the server. */
	CAP_SETUID,
	CAP_SETGID,
	/* Stop a server: its processes belong to somebody else. */
	CAP_KILL,
	/* The socket belongs to the hub's account; pam_mkhomedir gives a home
	 * to its owner, and sets modes on what is already his. */
	CAP_CHOWN,
	CAP_FOWNER,
	/* PAM modules read and write what belongs to others (/etc/shadow of
	 * another owner, ~/.config, pam_faillock's tallies). */
	CAP_DAC_OVERRIDE,
	/* libpam tells the audit log; refused, it fails a login of root's. */
	CAP_AUDIT_WRITE,
	/* pam_loginuid writes /proc/self/loginuid. */
	CAP_AUDIT_CONTROL,
	/* pam_limits raises limits; a keeper lowers its oom_score_adj. */
	CAP_SYS_RESOURCE,
	/* Give up capabilities from the bounding set. */
	CAP_SETPCAP,
};

/*
 * Not kept, though one might expect them: CAP_SYS_PTRACE (start times are
 * read while the process is still root's), CAP_SYS_ADMIN (cgroups are files),
 * CAP_NET_ADMIN (sock_diag tells owners to everybody).
 */

int caps_wanted(const struct policy *p, uint64_t *out, struct err *err)
{
	*out = 0;
	for (size_t i = 0; i < sizeof own_caps / sizeof own_caps[0]; i++)
		*out |= (uint64_t)1 << own_caps[i];
	for (size_t i = 0; i < p->extra_capabilities.n; i++) {
		const char *name = p->extra_capabilities.items[i];
		cap_value_t cap;

		if (cap_from_name(name, &cap) != 0 || cap < 0 || cap > 63)
			return err_set(err, ERR_INVALID,
			    "\"extra_capabilities\": there is no capability "
			    "\"%.64s\"; names are like cap_sys_admin",
			    name);
		*out |= (uint64_t)1 << cap;
	}
	return 0;
}

static cap_flag_value_t is_permitted(cap_t caps, cap_value_t cap)
{
	cap_flag_value_t has = CAP_CLEAR;

	return cap_get_flag(caps, cap, CAP_PERMITTED, &has) == 0 ? has
								 : CAP_CLEAR;
}

/* Permitted and effective; the bounding set stays. */
static int set_caps(const int *caps, size_t n, struct err *err)
{
	cap_t now = cap_get_proc(), next = cap_init();
	int rc = now && next ? 0 : -1;

	for (size_t i = 0; i < n && rc == 0; i++) {
		cap_value_t cap = caps[i];

		if (is_permitted(now, cap) != CAP_SET)
			continue;
		rc = cap_set_flag(next, CAP_PERMITTED, 1, &cap, CAP_SET) ||
			     cap_set_flag(next, CAP_EFFECTIVE, 1, &cap, CAP_SET)
			 ? -1
			 : 0;
	}
	if (rc == 0)
		rc = cap_set_proc(next);
	if (rc != 0)
		(void)err_sys(err, "set the capabilities of the process");
	cap_free(now);
	cap_free(next);
	return rc;
}

int caps_keep(uint64_t mask, bool cut_bounding, struct err *err)
{
	int caps[64];
	size_t n = 0;

	for (int cap = 0; cap < 64; cap++) {
		if (mask & (uint64_t)1 << cap)
			caps[n++] = cap;
	}
	return cut_bounding ? privs_keep_caps(caps, n, err)
			    : set_caps(caps, n, err);
}
