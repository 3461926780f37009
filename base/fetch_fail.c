/*
 * HTTP client: what went wrong, in words of ours. curl's own texts may repeat
 * a URL, whose query can be a secret.
 */
#include "base/fetch_priv.h"

#include <openssl/x509_vfy.h>
#include <string.h>
#include <strings.h>

static void fail_connect(struct exchange *x)
{
	long number = 0;

	(void)curl_easy_getinfo(x->easy, CURLINFO_OS_ERRNO, &number);
	(void)err_set(&x->err, ERR_UNAVAILABLE, "connect to %s: %s", x->peer,
	    number ? strerror((int)number) : "not possible");
	x->err.sys_errno = (int)number;
}

static void fail_timeout(struct exchange *x)
{
	curl_off_t connected_us = 0;

	(void)curl_easy_getinfo(
	    x->easy, CURLINFO_PRETRANSFER_TIME_T, &connected_us);
	if (connected_us == 0)
		(void)err_set(&x->err, ERR_TIMEOUT,
		    "connect to %s: no answer within %lld ms", x->peer,
		    (long long)(x->connect_timeout_ms < x->timeout_ms
				    ? x->connect_timeout_ms
				    : x->timeout_ms));
	else
		(void)err_set(&x->err, ERR_TIMEOUT,
		    "%s did not answer within %lld ms", x->peer,
		    (long long)x->timeout_ms);
}

/* Before the status line the peer is just not there; after it, it is wrong. */
static void fail_broken(struct exchange *x)
{
	long status = 0;

	(void)curl_easy_getinfo(x->easy, CURLINFO_RESPONSE_CODE, &status);
	if (status)
		(void)err_set(&x->err, ERR_PROTOCOL,
		    "the answer of %s broke off or is malformed", x->peer);
	else
		(void)err_set(&x->err, ERR_UNAVAILABLE,
		    "%s closed the connection without an answer", x->peer);
}

static void fail_limit(struct exchange *x)
{
	if (x->has_long_head)
		(void)err_set(&x->err, ERR_LIMIT,
		    "%s answered with more than %d headers or %zu bytes of "
		    "them",
		    x->peer, FETCH_MAX_HEADERS, FETCH_MAX_HEADER_BYTES);
	else
		(void)err_set(&x->err, ERR_LIMIT,
		    "%s answered with more than %zu bytes", x->peer,
		    x->body.max);
}

/* A peer that does not like what we show says so after the handshake. */
static void fail_alert(struct exchange *x)
{
	const char *scheme = NULL;
	long status = 0;

	(void)curl_easy_getinfo(x->easy, CURLINFO_SCHEME, &scheme);
	(void)curl_easy_getinfo(x->easy, CURLINFO_RESPONSE_CODE, &status);
	if (status == 0 && scheme && strcasecmp(scheme, "https") == 0)
		(void)err_set(&x->err, ERR_UNAVAILABLE,
		    "%s ended the TLS connection: it may want a certificate of "
		    "ours, or another one",
		    x->peer);
	else
		fail_broken(x);
}

static void fail_certificate(struct exchange *x)
{
	long result = 0;

	(void)curl_easy_getinfo(x->easy, CURLINFO_SSL_VERIFYRESULT, &result);
	/* curl compares the name itself, and leaves this as it was. */
	if (result == X509_V_OK || result == X509_V_ERR_UNSPECIFIED)
		(void)err_set(&x->err, ERR_DENIED,
		    "the certificate of %s is one for another name", x->peer);
	else
		(void)err_set(&x->err, ERR_DENIED,
		    "the certificate of %s is not believed: %s", x->peer,
		    X509_verify_cert_error_string(result));
}

void fetch_fail(struct exchange *x, CURLcode code)
{
	switch ((int)code) {
	case CURLE_COULDNT_CONNECT:
		fail_connect(x);
		break;
	case CURLE_COULDNT_RESOLVE_HOST:
		(void)err_set(&x->err, ERR_UNAVAILABLE,
		    "connect to %s: the host name has no address", x->peer);
		break;
	case CURLE_OPERATION_TIMEDOUT:
		fail_timeout(x);
		break;
	case CURLE_WRITE_ERROR:
		fail_limit(x);
		break;
	case CURLE_GOT_NOTHING:
	case CURLE_PARTIAL_FILE:
		fail_broken(x);
		break;
	case CURLE_SEND_ERROR:
	case CURLE_RECV_ERROR:
		fail_alert(x);
		break;
	case CURLE_PEER_FAILED_VERIFICATION:
		fail_certificate(x);
		break;
	case CURLE_SSL_CERTPROBLEM:
		(void)err_set(&x->err, ERR_DENIED,
		    "our own certificate or key for %s cannot be used",
		    x->peer);
		break;
	case CURLE_SSL_CONNECT_ERROR:
		(void)err_set(&x->err, ERR_PROTOCOL,
		    "no TLS with %s: it speaks none, or nothing that we do",
		    x->peer);
		break;
	case CURLE_UNSUPPORTED_PROTOCOL:
	case CURLE_WEIRD_SERVER_REPLY:
		(void)err_set(&x->err, ERR_PROTOCOL,
		    "%s does not answer with HTTP", x->peer);
		break;
	default:
		(void)err_set(&x->err, ERR_PROTOCOL, "exchange with %s: %s",
		    x->peer, curl_easy_strerror(code));
	}
}
