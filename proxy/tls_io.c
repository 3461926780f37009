/*
 * OpenSSL's calls on a connection: see tls_io.h.
 */
#include "proxy/tls_io.h"

#include <arpa/inet.h>
#include <errno.h>
#include <limits.h>
#include <netinet/in.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <pthread.h>
#include <stdint.h>
#include <string.h>
#include <sys/socket.h>

#include "base/str.h"

#define RECORD_MAX  16384
/* A read of the socket brings two records. Held while there is something in it.
 */
#define READ_BUFFER (2 * (RECORD_MAX + 256))

/* ---- the socket ---------------------------------------------------------- */

/*
 * OpenSSL's own BIO for sockets reads until the socket says that it is empty,
 * and sends each record by itself. This one knows what the call in hand is
 * about: a call ends before the thread begins another.
 */
static _Thread_local struct {
	bool has_more;  /* what is written now is not the last of it */
	bool may_stop;  /* a read of less than asked for has emptied it */
	bool is_empty;  /* and that has happened */
	bool has_ended; /* the end of the stream was read */
} call;

static pthread_once_t once = PTHREAD_ONCE_INIT;
static BIO_METHOD *socket_method;

static int fd_of(BIO *b)
{
	return (int)(intptr_t)BIO_get_data(b);
}

static bool has_to_wait(ssize_t n)
{
	return n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK);
}

/* The kernel sends full segments at once, and the rest with what follows. */
static int socket_write(BIO *b, const char *p, int len)
{
	int flags = MSG_NOSIGNAL | (call.has_more ? MSG_MORE : 0);
	ssize_t n;

	BIO_clear_retry_flags(b);
	do
		n = send(fd_of(b), p, (size_t)len, flags);
	while (n < 0 && errno == EINTR);
	if (has_to_wait(n))
		BIO_set_retry_write(b);
	return (int)n;
}

static int socket_read(BIO *b, char *p, int len)
{
	ssize_t n;

	BIO_clear_retry_flags(b);
	if (call.is_empty) {
		BIO_set_retry_read(b);
		return -1;
	}
	do
		n = recv(fd_of(b), p, (size_t)len, 0);
	while (n < 0 && errno == EINTR);
	if (has_to_wait(n))
		BIO_set_retry_read(b);
	call.is_empty = call.may_stop && n > 0 && n < len;
	call.has_ended = n == 0;
	return (int)n;
}

/* The types are OpenSSL's. */
static long socket_control(BIO *b, int what, long n, void *p)
{
	(void)b;
	(void)n;
	(void)p;
	if (what == BIO_CTRL_EOF)
		return call.has_ended;
	return what == BIO_CTRL_FLUSH;
}

static void make_method(void)
{
	BIO_METHOD *m = BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK,
	    "socket of a transport");

	if (m != NULL && BIO_meth_set_write(m, socket_write) == 1 &&
	    BIO_meth_set_read(m, socket_read) == 1 &&
	    BIO_meth_set_ctrl(m, socket_control) == 1)
		socket_method = m;
}

/* fd is borrowed. */
static int set_socket(SSL *s, int fd)
{
	BIO *b = NULL;

	pthread_once(&once, make_method);
	if (socket_method != NULL)
		b = BIO_new(socket_method);
	if (b == NULL)
		return 0;
	BIO_set_data(b, (void *)(intptr_t)fd);
	BIO_set_init(b, 1);
	SSL_set_bio(s, b, b);
	return 1;
}

static void drop_errors(void)
{
	if (ERR_peek_error() != 0)
		ERR_clear_error();
}

/* OpenSSL wants an empty queue of errors before each call. */
static void begin_call(bool may_stop)
{
	drop_errors();
	memset(&call, 0, sizeof call);
	call.may_stop = may_stop;
}

/* ---- life ---------------------------------------------------------------- */

static bool is_address(const char *host)
{
	struct in6_addr raw;

	return inet_pton(AF_INET, host, &raw) == 1 ||
	       inet_pton(AF_INET6, host, &raw) == 1;
}

static int expect(SSL *s, const char *host)
{
	if (is_address(host))
		return X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(s), host);
	SSL_set_hostflags(s, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
	return SSL_set_tlsext_host_name(s, host) == 1 &&
	       SSL_set1_host(s, host) == 1;
}

struct ssl_st *tls_io_new(struct ssl_ctx_st *ctx, int fd, const char *host)
{
	SSL *s = SSL_new(ctx);

	if (s == NULL || set_socket(s, fd) != 1 ||
	    (host != NULL && expect(s, host) != 1)) {
		SSL_free(s);
		drop_errors();
		return NULL;
	}
	SSL_set_read_ahead(s, 1);
	SSL_set_default_read_buffer_len(s, READ_BUFFER);
	if (host != NULL)
		SSL_set_connect_state(s);
	else
		SSL_set_accept_state(s);
	return s;
}

void tls_io_free(struct ssl_st **s)
{
	SSL_free(*s);
	*s = NULL;
}

/* ---- calls --------------------------------------------------------------- */

/* What the last call on s came to; leaves its errors. */
static enum tls_outcome judge(SSL *s, int rc)
{
	switch (SSL_get_error(s, rc)) {
	case SSL_ERROR_NONE:
		return TLS_DONE;
	case SSL_ERROR_WANT_READ:
		return TLS_WANTS_IN;
	case SSL_ERROR_WANT_WRITE:
		return TLS_WANTS_ROOM;
	case SSL_ERROR_ZERO_RETURN:
		return TLS_ENDED;
	default:
		return TLS_BROKEN;
	}
}

static enum tls_outcome outcome(SSL *s, int rc)
{
	enum tls_outcome out = judge(s, rc);

	drop_errors();
	return out;
}

static void say_why(SSL *s, int saved_errno, struct err *err)
{
	int64_t verified = SSL_get_verify_result(s);
	const char *reason = ERR_reason_error_string(ERR_peek_error());

	if (verified != X509_V_OK)
		(void)err_set(err, ERR_DENIED, "TLS: certificate: %s",
		    X509_verify_cert_error_string(verified));
	else if (reason != NULL)
		(void)err_set(err, ERR_PROTOCOL, "TLS: %s", reason);
	else if (saved_errno != 0)
		(void)err_set(
		    err, ERR_UNAVAILABLE, "TLS: %s", strerror(saved_errno));
	else
		(void)err_set(
		    err, ERR_UNAVAILABLE, "TLS: the peer closed in it");
}

enum tls_outcome tls_io_shake(struct ssl_st *s, struct err *err)
{
	enum tls_outcome out;
	int rc;

	begin_call(false);
	errno = 0;
	rc = SSL_do_handshake(s);
	out = judge(s, rc);
	if (out == TLS_ENDED)
		out = TLS_BROKEN;
	if (out == TLS_BROKEN)
		say_why(s, errno, err);
	drop_errors();
	return out;
}

bool tls_io_was_resumed(struct ssl_st *s)
{
	return SSL_session_reused(s) == 1;
}

bool tls_io_chose_h2(struct ssl_st *s)
{
	const unsigned char *name;
	unsigned len;

	SSL_get0_alpn_selected(s, &name, &len);
	return len == 2 && memcmp(name, "h2", 2) == 0;
}

size_t tls_io_read(
    struct ssl_st *s, void *p, size_t cap, bool may_stop, enum tls_outcome *why)
{
	size_t len = 0, n;
	int rc;

	*why = TLS_DONE;
	begin_call(may_stop);
	while (len < cap) {
		rc = SSL_read_ex(s, (char *)p + len, cap - len, &n);
		if (rc != 1) {
			*why = outcome(s, rc);
			break;
		}
		len += n;
	}
	return len;
}

/* One or more records; has_more: something follows that is written at once. */
static size_t write_part(
    SSL *s, struct slice part, bool has_more, enum tls_outcome *why)
{
	size_t done = 0, n;
	int rc;

	begin_call(false);
	while (done < part.len) {
		call.has_more = has_more || part.len - done > RECORD_MAX;
		rc = SSL_write_ex(s, part.p + done, part.len - done, &n);
		if (rc != 1) {
			*why = outcome(s, rc);
			break;
		}
		done += n;
	}
	return done;
}

/* A place in an array of pieces, never at the end of one. */
struct cursor {
	const struct iovec *iov;
	size_t n, at, off;
};

static void advance(struct cursor *c, size_t by)
{
	c->off += by;
	while (c->at < c->n && c->off == c->iov[c->at].iov_len) {
		c->at++;
		c->off = 0;
	}
}

static struct slice rest_of_piece(const struct cursor *c)
{
	const struct iovec *i = &c->iov[c->at];

	return slice_make(
	    (const char *)i->iov_base + c->off, i->iov_len - c->off);
}

/* Short pieces that follow each other become one record. */
static struct slice gather(struct cursor *c, char *flat)
{
	size_t len = 0;

	while (c->at < c->n && len < RECORD_MAX) {
		struct slice rest = rest_of_piece(c);

		if (rest.len > RECORD_MAX - len)
			rest.len = RECORD_MAX - len;
		memcpy(flat + len, rest.p, rest.len);
		len += rest.len;
		advance(c, rest.len);
	}
	return slice_make(flat, len);
}

/* What fills records, and the last piece, is written from where it lies. */
static struct slice next_part(struct cursor *c, char *flat)
{
	struct slice rest = rest_of_piece(c);
	bool is_last = c->at + 1 == c->n;

	if (rest.len < RECORD_MAX && !is_last)
		return gather(c, flat);
	if (!is_last)
		rest.len -= rest.len % RECORD_MAX;
	advance(c, rest.len);
	return rest;
}

size_t tls_io_write(
    struct ssl_st *s, const struct iovec *iov, size_t n, enum tls_outcome *why)
{
	struct cursor c = { .iov = iov, .n = n };
	size_t total = 0, done = 0;
	char flat[RECORD_MAX];

	for (size_t i = 0; i < n; i++)
		total += iov[i].iov_len;
	*why = TLS_DONE;
	advance(&c, 0);
	while (*why == TLS_DONE && c.at < c.n) {
		struct slice part = next_part(&c, flat);

		done += write_part(s, part, done + part.len < total, why);
	}
	return done;
}

enum tls_outcome tls_io_peek(struct ssl_st *s)
{
	size_t n;
	char c;

	begin_call(false);
	return outcome(s, SSL_peek_ex(s, &c, 1, &n));
}

enum tls_outcome tls_io_end(struct ssl_st *s)
{
	int rc;

	begin_call(false);
	rc = SSL_shutdown(s);
	/* 0: said; the peer's own end is still to come. */
	return rc < 0 ? outcome(s, rc) : TLS_DONE;
}
