/*
 * See directory_line.h: a layer between the socket and whatever libldap puts
 * above it. A read that has waited for too long fails as a broken connection
 * does, at every layer and for every library of TLS.
 */
#include "auth/directory_line.h"

#include <errno.h>
#include <poll.h>
#include <stdbool.h>
#include <sys/socket.h>

#include "base/clock.h"

/* How often a read that waits looks at the clock. */
#define SLICE_MS 250
/* Just above the socket, below TLS. */
#define LEVEL    (LBER_SBIOD_LEVEL_PROVIDER + 1)

static int on_setup(Sockbuf_IO_Desc *io, void *arg)
{
	io->sbiod_pvt = arg;
	return 0;
}

static int on_nothing(Sockbuf_IO_Desc *io)
{
	(void)io;
	return 0;
}

static int on_ctrl(Sockbuf_IO_Desc *io, int opt, void *arg)
{
	return LBER_SBIOD_CTRL_NEXT(io, opt, arg);
}

/* The socket may block (then for a slice) or not, as libldap has set it. */
static bool may_wait(const struct directory_line *line, short events)
{
	struct pollfd p = { .fd = line->fd, .events = events };

	if (errno != EAGAIN && errno != EWOULDBLOCK)
		return false;
	if (!atomic_load(line->is_cancelled) &&
	    clock_mono_ms() < line->until_ms) {
		(void)poll(&p, 1, SLICE_MS);
		return true;
	}
	errno = ETIMEDOUT;
	return false;
}

static ber_slen_t on_read(Sockbuf_IO_Desc *io, void *buf, ber_len_t len)
{
	ber_slen_t n;

	do
		n = LBER_SBIOD_READ_NEXT(io, buf, len);
	while (n < 0 && may_wait(io->sbiod_pvt, POLLIN));
	return n;
}

static ber_slen_t on_write(Sockbuf_IO_Desc *io, void *buf, ber_len_t len)
{
	ber_slen_t n;

	do
		n = LBER_SBIOD_WRITE_NEXT(io, buf, len);
	while (n < 0 && may_wait(io->sbiod_pvt, POLLOUT));
	return n;
}

static Sockbuf_IO layer = {
	.sbi_setup = on_setup,
	.sbi_remove = on_nothing,
	.sbi_ctrl = on_ctrl,
	.sbi_read = on_read,
	.sbi_write = on_write,
	.sbi_close = on_nothing,
};

static int on_connected(LDAP *ld, Sockbuf *sb, LDAPURLDesc *url,
    struct sockaddr *peer, struct ldap_conncb *cb)
{
	const struct timeval slice = { .tv_usec = SLICE_MS * 1000 };
	struct directory_line *line = cb->lc_arg;
	ber_socket_t fd = -1;

	(void)ld;
	(void)url;
	(void)peer;
	if (ber_sockbuf_ctrl(sb, LBER_SB_OPT_GET_FD, &fd) != 1 ||
	    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &slice, sizeof slice) < 0 ||
	    setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &slice, sizeof slice) < 0 ||
	    ber_sockbuf_add_io(sb, &layer, LEVEL, line) != 0)
		return LDAP_CONNECT_ERROR;
	line->fd = fd;
	return LDAP_SUCCESS;
}

static void on_closing(LDAP *ld, Sockbuf *sb, struct ldap_conncb *cb)
{
	(void)ld;
	(void)sb;
	(void)cb;
}

void directory_line_init(
    struct directory_line *line, const atomic_bool *is_cancelled)
{
	line->on_connect =
	    (struct ldap_conncb){ on_connected, on_closing, line };
	line->is_cancelled = is_cancelled;
	line->until_ms = 0;
	line->fd = -1;
}

void directory_line_step(struct directory_line *line, int timeout_s)
{
	line->until_ms = clock_mono_ms() + (int64_t)timeout_s * 1000;
}
