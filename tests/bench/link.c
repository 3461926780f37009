#include "tests/bench/link.h"

#include <errno.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/fd.h"

/* The newest session of this program; one ticket serves all connections. */
static SSL_SESSION *last_session;

static int keep_session(SSL *ssl, SSL_SESSION *session)
{
	(void)ssl;
	SSL_SESSION_free(last_session);
	last_session = session;
	return 1;
}

SSL_CTX *link_context(bool resume)
{
	SSL_CTX *ctx = SSL_CTX_new(TLS_client_method());

	if (ctx == NULL) {
		fprintf(stderr, "OpenSSL makes no context\n");
		exit(1);
	}
	SSL_CTX_set_verify(ctx, SSL_VERIFY_NONE, NULL);
	SSL_CTX_set_mode(ctx, SSL_MODE_ENABLE_PARTIAL_WRITE |
				  SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER |
				  SSL_MODE_RELEASE_BUFFERS);
	if (resume) {
		SSL_CTX_set_session_cache_mode(
		    ctx, SSL_SESS_CACHE_CLIENT | SSL_SESS_CACHE_NO_INTERNAL);
		SSL_CTX_sess_set_new_cb(ctx, keep_session);
	}
	return ctx;
}

static int start_tls(struct link *l, SSL_CTX *ctx, struct err *err)
{
	l->ssl = SSL_new(ctx);
	if (l->ssl == NULL || !SSL_set_fd(l->ssl, l->fd))
		return err_set(err, ERR_INTERNAL, "no TLS connection");
	SSL_set_connect_state(l->ssl);
	if (last_session != NULL)
		SSL_set_session(l->ssl, last_session);
	return 0;
}

int link_open(
    struct link *l, const struct sockaddr_in *to, SSL_CTX *ctx, struct err *err)
{
	int one = 1;

	*l = (struct link){ .fd = -1, .shaken = ctx == NULL };
	if (sock_connect_addr(
		(const struct sockaddr *)to, sizeof *to, &l->fd, err) < 0)
		return -1;
	(void)setsockopt(l->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
	return ctx != NULL ? start_tls(l, ctx, err) : 0;
}

void link_close(struct link *l)
{
	if (l->ssl != NULL) {
		(void)SSL_shutdown(l->ssl);
		SSL_free(l->ssl);
		l->ssl = NULL;
	}
	fd_close(&l->fd);
}

/* What OpenSSL's result means: 0 later, -1 over. */
static int verdict(SSL *ssl, int result)
{
	int why = SSL_get_error(ssl, result);

	return why == SSL_ERROR_WANT_READ || why == SSL_ERROR_WANT_WRITE ? 0
									 : -1;
}

int link_shake(struct link *l)
{
	int rc;

	if (l->shaken)
		return 1;
	rc = SSL_do_handshake(l->ssl);
	if (rc != 1)
		return verdict(l->ssl, rc);
	l->shaken = true;
	return 1;
}

ssize_t link_read(struct link *l, void *p, size_t cap)
{
	ssize_t n;
	int rc;

	if (l->ssl != NULL) {
		rc = SSL_read(l->ssl, p, (int)cap);
		return rc > 0 ? rc : verdict(l->ssl, rc);
	}
	n = recv(l->fd, p, cap, 0);
	if (n > 0)
		return n;
	return n < 0 && (errno == EAGAIN || errno == EINTR) ? 0 : -1;
}

ssize_t link_write(struct link *l, const void *p, size_t n)
{
	ssize_t sent;
	int rc;

	if (l->ssl != NULL) {
		rc = SSL_write(l->ssl, p, (int)n);
		return rc > 0 ? rc : verdict(l->ssl, rc);
	}
	sent = send(l->fd, p, n, MSG_NOSIGNAL);
	if (sent >= 0)
		return sent;
	return errno == EAGAIN || errno == EINTR || errno == ENOTCONN ? 0 : -1;
}

bool link_is_resumed(const struct link *l)
{
	return l->ssl != NULL && SSL_session_reused(l->ssl);
}
