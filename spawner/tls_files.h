/*
 * The key and the certificates of a server, as files in its directory that its
 * account alone can read.
 */
#ifndef CARREL_SPAWNER_TLS_FILES_H
#define CARREL_SPAWNER_TLS_FILES_H

#include "base/err.h"
#include "spawner/plan.h"

/*
 * Write them into dir_fd, and say in the plan's environment where they are
 * (JUPYTERHUB_SSL_KEYFILE, _CERTFILE, _CLIENT_CA). Nothing when the job has
 * none. Before the ids are given up.
 */
int tls_files_write(
    struct job *job, struct plan *plan, int dir_fd, struct err *err) MUST_CHECK;
/* When the server has ended: what is left of it may wait for a hub. */
void tls_files_remove(int dir_fd);

#endif
