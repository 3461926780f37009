/*
 * HTTP client: what went wrong, in words of ours. curl's own texts may repeat
 * a URL, whose query can be a secret.
 */
#include "base/fetch_priv.h"

#include <string.h>

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
	case CURLE_RECV_ERROR:
	case CURLE_SEND_ERROR:
	case CURLE_PARTIAL_FILE:
		fail_broken(x);
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
