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
#include <string.h>

#define RECORD_MAX 16384

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

	if (s == NULL || SSL_set_fd(s, fd) != 1 ||
	    (host != NULL && expect(s, host) != 1)) {
		SSL_free(s);
		ERR_clear_error();
		return NULL;
	}
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

/* What the last call on s came to. */
static enum tls_outcome outcome(SSL *s, int rc)
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

	errno = 0;
	ERR_clear_error();
	rc = SSL_do_handshake(s);
	out = outcome(s, rc);
	if (out == TLS_ENDED)
		out = TLS_BROKEN;
	if (out == TLS_BROKEN)
		say_why(s, errno, err);
	ERR_clear_error();
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

size_t tls_io_read(struct ssl_st *s, void *p, size_t cap, enum tls_outcome *why)
{
	size_t len = 0, n;
	int rc;

	*why = TLS_DONE;
	while (len < cap) {
		ERR_clear_error();
		rc = SSL_read_ex(s, (char *)p + len, cap - len, &n);
		if (rc != 1) {
			*why = outcome(s, rc);
			break;
		}
		len += n;
	}
	ERR_clear_error();
	return len;
}

/* One or more records of one piece. */
static size_t write_piece(
    SSL *s, const char *p, size_t len, enum tls_outcome *why)
{
	size_t done = 0, n;
	int rc;

	*why = TLS_DONE;
	while (done < len) {
		ERR_clear_error();
		rc = SSL_write_ex(s, p + done, len - done, &n);
		if (rc != 1) {
			*why = outcome(s, rc);
			break;
		}
		done += n;
	}
	ERR_clear_error();
	return done;
}

/*
 * Short pieces that follow each other become one record. Where in the array
 * the next piece begins is in *at and *off.
 */
static size_t gather(const struct iovec *iov, size_t n, size_t *at, size_t *off,
    char *flat, size_t cap)
{
	size_t len = 0;

	while (*at < n && len < cap) {
		size_t left = iov[*at].iov_len - *off;
		size_t part = left < cap - len ? left : cap - len;

		if (part > 0)
			memcpy(flat + len,
			    (const char *)iov[*at].iov_base + *off, part);
		len += part;
		*off += part;
		if (*off == iov[*at].iov_len) {
			(*at)++;
			*off = 0;
		}
	}
	return len;
}

size_t tls_io_write(
    struct ssl_st *s, const struct iovec *iov, size_t n, enum tls_outcome *why)
{
	size_t total = 0, at = 0, off = 0;
	char flat[RECORD_MAX];

	if (n == 1)
		return write_piece(s, iov->iov_base, iov->iov_len, why);
	*why = TLS_DONE;
	while (*why == TLS_DONE) {
		size_t len = gather(iov, n, &at, &off, flat, sizeof flat);

		if (len == 0)
			break;
		total += write_piece(s, flat, len, why);
	}
	return total;
}

enum tls_outcome tls_io_peek(struct ssl_st *s)
{
	enum tls_outcome out;
	size_t n;
	char c;

	ERR_clear_error();
	out = outcome(s, SSL_peek_ex(s, &c, 1, &n));
	ERR_clear_error();
	return out;
}

enum tls_outcome tls_io_end(struct ssl_st *s)
{
	enum tls_outcome out = TLS_DONE;
	int rc;

	ERR_clear_error();
	rc = SSL_shutdown(s);
	/* 0: said; the peer's own end is still to come. */
	if (rc < 0)
		out = outcome(s, rc);
	ERR_clear_error();
	return out;
}
