/*
 * systemd's two small protocols: readiness (sd_notify(3)) and handed-over
 * sockets (sd_listen_fds(3)). Without systemd each call does nothing.
 * `carrel up` speaks the same readiness protocol to its three children.
 */
#ifndef CARREL_BASE_SYSD_H
#define CARREL_BASE_SYSD_H

/* "READY=1", "STATUS=...", "STOPPING=1" to $NOTIFY_SOCKET. */
void sysd_notify(const char *state);
/* Number of handed-over descriptors (from 3 on), 0 when none. */
int sysd_listen_fds(void);

#endif
