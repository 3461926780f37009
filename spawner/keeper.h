/*
 * The keeper: one process per server, started by the spawner and outliving it.
 * Owns the PAM session, the cgroups, the log and the exit status of its
 * server. It is the spawner's own program, executed anew, so that nothing of
 * the spawner's memory lives in it.
 */
#ifndef CARREL_SPAWNER_KEEPER_H
#define CARREL_SPAWNER_KEEPER_H

struct pam_session;

/* Version of keeper.def that this program speaks. */
#define KEEPER_VERSION 2

/* The descriptors that launch.c leaves for it. */
#define KEEPER_FD_JOB  3 /* memory file with the job (job.h) */
#define KEEPER_FD_LINK 4 /* socket pair to the spawner */
#define KEEPER_FD_DIR  5 /* /run/carrel/servers/KEY */

/*
 * A whole life; the exit status for main, which has set the capabilities. kept:
 * the handle of the login that becomes this keeper (taken), or NULL.
 */
int keeper_main(struct pam_session *kept);

#endif
