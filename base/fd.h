/*
 * Descriptors and sockets. Every descriptor made here is close-on-exec and
 * non-blocking; -1 means none. fd.c has the files, sock.c the sockets,
 * sock_diag.c whose they are.
 */
#ifndef CARREL_BASE_FD_H
#define CARREL_BASE_FD_H

#include <netinet/in.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>
#include <sys/types.h>

#include "base/err.h"

void fd_close(int *fd); /* closes if >= 0, sets -1, keeps errno */
int fd_set_nonblock(int fd, bool on) MUST_CHECK;
int fd_set_cloexec(int fd, bool on) MUST_CHECK;
/* Whole file into *out (malloc'ed, NUL added); ERR_LIMIT over max bytes. A path
 * that does not exist is ERR_NOT_FOUND, one not allowed ERR_DENIED. */
int fd_read_all(int fd, size_t max, char **out, size_t *len_out,
    struct err *err) MUST_CHECK;
int file_read_all(const char *path, size_t max, char **out, size_t *len_out,
    struct err *err) MUST_CHECK;
/* Write beside it, fdatasync, rename over, sync the directory. */
int file_replace(int dir_fd, const char *name, const void *p, size_t n,
    mode_t mode, struct err *err) MUST_CHECK;
/* mkdir -p with mode for the last part (0755 for those above). */
int dir_make(const char *path, mode_t mode, struct err *err) MUST_CHECK;

/*
 * Listening sockets. unix: type SOCK_STREAM or SOCK_SEQPACKET; a path over 107
 * bytes is an error that says so; a socket file that nobody listens on is
 * replaced, a live one is ERR_EXISTS; mode and owner (-1 keeps) are set before
 * the socket can be reached under its name. tcp: a port in use is ERR_EXISTS,
 * and the text names the owner: "port 8000 is in use by nginx (pid 812)".
 */
int sock_listen_unix(const char *path, int type, mode_t mode, uid_t uid,
    gid_t gid, struct err *err) MUST_CHECK;
int sock_listen_tcp(const char *host, uint16_t port, bool reuseport,
    struct err *err) MUST_CHECK;
/* The port a socket is bound to; 0 when it is none of IP. */
uint16_t sock_port(int fd);
/* Is it an address of this machine (IPv4 in mapped form)? */
bool sock_is_own_address(const struct in6_addr *addr);
/*
 * Begins: 0 with *fd_out connected or connecting (EINPROGRESS). ERR_UNAVAILABLE
 * when nobody listens, ERR_BUSY when the queue of the listener is full.
 */
int sock_connect_unix(
    const char *path, int type, int *fd_out, struct err *err) MUST_CHECK;
int sock_connect_addr(const struct sockaddr *sa, socklen_t len, int *fd_out,
    struct err *err) MUST_CHECK;
/* uid and pid of the process at the other end of a unix socket. */
int sock_peer(
    int fd, uid_t *uid_out, pid_t *pid_out, struct err *err) MUST_CHECK;
/*
 * Who listens on 127.0.0.1:port (or the wildcard): the uid of the socket by
 * NETLINK_SOCK_DIAG. 1 found, 0 nobody listens, -1 error.
 */
int sock_listener_uid(
    uint16_t port, uid_t *uid_out, struct err *err) MUST_CHECK;
/* Whose the socket `peer` is that is connected to our `own`: 1, or 0 when no
 * process of this machine (of this network namespace) has it. */
int sock_remote_uid(const struct sockaddr *peer, const struct sockaddr *own,
    uid_t *uid_out) MUST_CHECK;
/* "nginx (pid 812)" or "another process": who holds a TCP port. */
void sock_port_owner(uint16_t port, char *out, size_t cap);

/*
 * Whole packets with descriptors (SOCK_SEQPACKET). send: ERR_BUSY when the peer
 * does not read, ERR_LIMIT over SOCK_PACKET_FDS_MAX descriptors,
 * ERR_UNAVAILABLE when it is gone. recv: 1 packet, 0 end of file, -1 error
 * (ERR_BUSY: nothing there now; ERR_LIMIT: more than cap or cap_fds, the packet
 * is dropped and its descriptors closed). Received descriptors are
 * close-on-exec; whether they block is their sender's choice, who shares that
 * flag.
 */
#define SOCK_PACKET_FDS_MAX 32
int sock_send_packet(int fd, const void *p, size_t n, const int *fds,
    size_t n_fds, struct err *err) MUST_CHECK;
int sock_recv_packet(int fd, void *p, size_t cap, size_t *n_out, int *fds,
    size_t cap_fds, size_t *n_fds_out, struct err *err) MUST_CHECK;

#endif
