/*
 * proxy/tls, tls_ticket, tls_io, transport: two ends of a socket pair speak TLS
 * to each other, with certificates made here.
 */
#include "test_util.h"

#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/loop.h"
#include "base/str.h"
#include "proxy/tls.h"
#include "proxy/tls_io.h"
#include "proxy/tls_ticket.h"
#include "proxy/transport.h"

static char dir[] = "/tmp/carrel-test-tls-XXXXXX";
static struct loop *loop;
static struct tls_tickets *tickets;

struct pem {
	char key[96], cert[96];
};

static struct pem alpha_ec, alpha_rsa, beta_ec;

/* ---- certificates -------------------------------------------------------- */

static void add_extension(X509 *cert, int nid, const char *value)
{
	X509_EXTENSION *e = X509V3_EXT_conf_nid(NULL, NULL, nid, value);

	assert_non_null(e);
	assert_int_equal(X509_add_ext(cert, e, -1), 1);
	X509_EXTENSION_free(e);
}

static X509 *make_cert(EVP_PKEY *key, const char *name)
{
	X509 *cert = X509_new();
	char alt[64];

	assert_int_equal(str_format(alt, sizeof alt, "DNS:%s", name), 0);
	X509_set_version(cert, 2);
	ASN1_INTEGER_set(X509_get_serialNumber(cert), 1);
	X509_gmtime_adj(X509_getm_notBefore(cert), -60);
	X509_gmtime_adj(X509_getm_notAfter(cert), 3600);
	X509_NAME_add_entry_by_txt(X509_get_subject_name(cert), "CN",
	    MBSTRING_ASC, (const unsigned char *)name, -1, -1, 0);
	X509_set_issuer_name(cert, X509_get_subject_name(cert));
	X509_set_pubkey(cert, key);
	add_extension(cert, NID_subject_alt_name, alt);
	assert_true(X509_sign(cert, key, EVP_sha256()) > 0);
	return cert;
}

static void write_pem(struct pem *p, EVP_PKEY *key, X509 *cert)
{
	FILE *f = fopen(p->key, "w");

	assert_non_null(f);
	assert_int_equal(
	    PEM_write_PrivateKey(f, key, NULL, NULL, 0, NULL, NULL), 1);
	fclose(f);
	f = fopen(p->cert, "w");
	assert_non_null(f);
	assert_int_equal(PEM_write_X509(f, cert), 1);
	fclose(f);
}

static void issue(struct pem *p, const char *name, const char *kind)
{
	EVP_PKEY *key =
	    str_eq(kind, "ec")
		? EVP_PKEY_Q_keygen(NULL, NULL, "EC", "P-256")
		: EVP_PKEY_Q_keygen(NULL, NULL, "RSA", (size_t)2048);
	X509 *cert = make_cert(key, name);

	assert_int_equal(
	    str_format(p->key, sizeof p->key, "%s/%s-%s.key", dir, name, kind),
	    0);
	assert_int_equal(str_format(p->cert, sizeof p->cert, "%s/%s-%s.pem",
			     dir, name, kind),
	    0);
	write_pem(p, key, cert);
	X509_free(cert);
	EVP_PKEY_free(key);
}

/* ---- two ends ------------------------------------------------------------ */

struct ends {
	struct transport server, client;
	struct err err; /* of the client's handshake */
};

static void on_event(struct watch *watch, uint32_t events, void *arg)
{
	(void)watch;
	transport_note(arg, events);
}

static void open_ends(struct ends *e, SSL_CTX *server, SSL_CTX *client,
    const char *name, SSL_SESSION *session)
{
	int fds[2];

	assert_int_equal(
	    socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, fds), 0);
	assert_int_equal(transport_open(&e->server, loop, fds[0], on_event,
			     &e->server, &e->err),
	    0);
	assert_int_equal(transport_open(&e->client, loop, fds[1], on_event,
			     &e->client, &e->err),
	    0);
	assert_int_equal(
	    transport_start_tls(&e->server, server, NULL, &e->err), 0);
	assert_int_equal(
	    transport_start_tls(&e->client, client, name, &e->err), 0);
	if (session != NULL)
		SSL_set_session(e->client.tls, session);
}

/* 1 both are through, -1 the client refused. */
static int shake(struct ends *e)
{
	int s = 0, c = 0;
	struct err err;

	for (int i = 0; i < 50 && (s == 0 || c == 0); i++) {
		if (c == 0)
			c = transport_shake(&e->client, &e->err);
		if (s == 0)
			s = transport_shake(&e->server, &err);
		loop_turn(loop, 0);
	}
	return c;
}

static void close_ends(struct ends *e)
{
	transport_close(&e->server);
	transport_close(&e->client);
}

static SSL_CTX *server_of(const struct pem *pairs, size_t n)
{
	const char *keys[4], *certs[4];
	const struct tls_options o = {
		.keys = keys, .certs = certs, .n_keys = n, .n_certs = n
	};
	struct err err;
	SSL_CTX *ctx;

	for (size_t i = 0; i < n; i++) {
		keys[i] = pairs[i].key;
		certs[i] = pairs[i].cert;
	}
	ctx = tls_server_new(&o, tickets, &err);
	assert_non_null(ctx);
	return ctx;
}

static SSL_CTX *client_of(const char *ca, const char *protocol)
{
	const struct tls_options o = {
		.ca = ca, .verifies = true, .protocol = protocol
	};
	struct err err;
	SSL_CTX *ctx = tls_client_new(&o, &err);

	assert_non_null(ctx);
	return ctx;
}

/* ---- tests --------------------------------------------------------------- */

static void test_the_name_chooses_the_certificate(void **state)
{
	const struct pem pairs[] = { alpha_ec, beta_ec };
	SSL_CTX *server = server_of(pairs, 2), *client;
	struct ends e = { .err = { .code = ERR_NONE } };

	(void)state;
	client = client_of(beta_ec.cert, NULL);
	open_ends(&e, server, client, "beta.test", NULL);
	assert_int_equal(shake(&e), 1);
	close_ends(&e);
	open_ends(&e, server, client, "alpha.test", NULL);
	assert_int_equal(shake(&e), -1);
	assert_int_equal(e.err.code, ERR_DENIED);
	close_ends(&e);
	tls_unref(&client);
	tls_unref(&server);
}

static void test_a_wrong_name_is_refused(void **state)
{
	SSL_CTX *server = server_of(&alpha_ec, 1);
	SSL_CTX *client = client_of(alpha_ec.cert, NULL);
	const char *const names[] = { "other.test", "127.0.0.1", "::1" };
	struct ends e;

	(void)state;
	for (size_t i = 0; i < N_OF(names); i++) {
		open_ends(&e, server, client, names[i], NULL);
		assert_int_equal(shake(&e), -1);
		assert_int_equal(e.err.code, ERR_DENIED);
		close_ends(&e);
	}
	tls_unref(&client);
	tls_unref(&server);
}

static void test_two_kinds_of_keys_serve_one_name(void **state)
{
	const struct pem pairs[] = { alpha_rsa, alpha_ec };
	const char *const cas[] = { alpha_rsa.cert, alpha_ec.cert };
	const char *const ciphers[] = { "ECDHE-RSA-AES128-GCM-SHA256",
		"ECDHE-ECDSA-AES128-GCM-SHA256" };
	SSL_CTX *server = server_of(pairs, 2);
	struct ends e;

	(void)state;
	for (size_t i = 0; i < 2; i++) {
		SSL_CTX *client = client_of(cas[i], "TLSv1_2");

		SSL_CTX_set_cipher_list(client, ciphers[i]);
		open_ends(&e, server, client, "alpha.test", NULL);
		assert_int_equal(shake(&e), 1);
		assert_string_equal(SSL_get_cipher(e.client.tls), ciphers[i]);
		close_ends(&e);
		tls_unref(&client);
	}
	tls_unref(&server);
}

static void test_sessions_resume_in_a_later_context(void **state)
{
	SSL_CTX *before = server_of(&alpha_ec, 1), *after;
	SSL_CTX *client = client_of(alpha_ec.cert, "TLSv1_2");
	SSL_SESSION *session;
	struct ends e;

	(void)state;
	open_ends(&e, before, client, "alpha.test", NULL);
	assert_int_equal(shake(&e), 1);
	assert_false(transport_was_resumed(&e.server));
	session = SSL_get1_session(e.client.tls);
	close_ends(&e);
	tls_unref(&before);
	after = server_of(&alpha_ec, 1);
	open_ends(&e, after, client, "alpha.test", session);
	assert_int_equal(shake(&e), 1);
	assert_true(transport_was_resumed(&e.server));
	close_ends(&e);
	SSL_SESSION_free(session);
	tls_unref(&client);
	tls_unref(&after);
}

/* Send until it blocks, read it all, end; nothing is lost or doubled. */
static void test_bytes_and_the_end_pass_under_pressure(void **state)
{
	SSL_CTX *server = server_of(&alpha_ec, 1);
	SSL_CTX *client = client_of(alpha_ec.cert, NULL);
	static char out[40000], in[65536];
	size_t sent = 0, got = 0;
	struct ends e;
	ssize_t n = 1;

	(void)state;
	open_ends(&e, server, client, "alpha.test", NULL);
	assert_int_equal(shake(&e), 1);
	for (size_t i = 0; i < sizeof out; i++)
		out[i] = (char)(i * 7 % 251);
	while (!transport_is_blocked(&e.server)) {
		struct iovec iov[] = { { out, 100 },
			{ out + 100, sizeof out - 100 } };

		assert_int_equal(transport_send(&e.server, iov, 2), 0);
		sent += sizeof out;
	}
	for (int i = 0; i < 10000 && n != 0; i++) {
		loop_turn(loop, 0);
		assert_int_equal(transport_flush(&e.server), 0);
		if (!transport_is_blocked(&e.server))
			transport_shut(&e.server);
		n = transport_recv(&e.client, in, sizeof in);
		assert_int_not_equal(n, TRANSPORT_ERROR);
		for (ssize_t k = 0; k < n; k++, got++)
			assert_int_equal(in[k], out[got % sizeof out]);
	}
	assert_int_equal(n, 0);
	assert_int_equal(got, sent);
	close_ends(&e);
	tls_unref(&client);
	tls_unref(&server);
}

/* However the pieces of a message lie beside the bounds of records. */
static void test_pieces_of_any_size_come_in_order(void **state)
{
	static const size_t sizes[][5] = {
		{ 0, 0, 0, 0, 0 },
		{ 0, 150, 0, 0, 0 },
		{ 150, 65536, 0, 0, 0 },
		{ 0, 150, 0, 16234, 5 },
		{ 16384, 0, 0, 0, 0 },
		{ 16383, 1, 16385, 0, 1 },
		{ 9, 16384, 9, 16384, 9 },
		{ 32768, 100, 49152, 100, 16384 },
		{ 1, 1, 1, 1, 99999 },
	};
	SSL_CTX *server = server_of(&alpha_ec, 1);
	SSL_CTX *client = client_of(alpha_ec.cert, NULL);
	static char out[100100], in[sizeof out];
	struct ends e;

	(void)state;
	open_ends(&e, server, client, "alpha.test", NULL);
	assert_int_equal(shake(&e), 1);
	for (size_t i = 0; i < sizeof out; i++)
		out[i] = (char)(i * 7 % 251);
	for (size_t k = 0; k < N_OF(sizes); k++) {
		struct iovec iov[5];
		size_t total = 0, got = 0;

		for (size_t i = 0; i < 5; i++) {
			iov[i] = (struct iovec){ out + total, sizes[k][i] };
			total += sizes[k][i];
		}
		assert_int_equal(transport_send(&e.server, iov, 5), 0);
		for (int i = 0; i < 1000 && got < total; i++) {
			ssize_t n = transport_recv(
			    &e.client, in + got, sizeof in - got);

			got += n > 0 ? (size_t)n : 0;
			loop_turn(loop, 0);
			assert_int_equal(transport_flush(&e.server), 0);
		}
		assert_int_equal(got, total);
		assert_memory_equal(in, out, total);
	}
	close_ends(&e);
	tls_unref(&client);
	tls_unref(&server);
}

/* What came with the end of the handshake lies in OpenSSL by then. */
static void test_bytes_behind_the_handshake_are_not_lost(void **state)
{
	SSL_CTX *server = server_of(&alpha_ec, 1);
	SSL_CTX *client = client_of(alpha_ec.cert, NULL);
	struct ends e;
	char in[16];
	int c = 0;

	(void)state;
	open_ends(&e, server, client, "alpha.test", NULL);
	for (int i = 0; i < 50 && c == 0; i++) {
		c = transport_shake(&e.client, &e.err);
		if (c == 0)
			assert_int_equal(transport_shake(&e.server, &e.err), 0);
		loop_turn(loop, 0);
	}
	assert_int_equal(c, 1);
	assert_int_equal(transport_send_bytes(&e.client, "early", 5), 0);
	loop_turn(loop, 0);
	assert_int_equal(transport_shake(&e.server, &e.err), 1);
	assert_int_equal(transport_recv(&e.server, in, sizeof in), 5);
	assert_memory_equal(in, "early", 5);
	assert_int_equal(
	    transport_recv(&e.server, in, sizeof in), TRANSPORT_AGAIN);
	close_ends(&e);
	tls_unref(&client);
	tls_unref(&server);
}

static void test_an_end_without_a_word_is_an_error(void **state)
{
	SSL_CTX *server = server_of(&alpha_ec, 1);
	SSL_CTX *client = client_of(alpha_ec.cert, NULL);
	struct ends e;
	char in[100];

	(void)state;
	open_ends(&e, server, client, "alpha.test", NULL);
	assert_int_equal(shake(&e), 1);
	assert_int_equal(transport_send_bytes(&e.server, "half", 4), 0);
	transport_reset(&e.server);
	loop_turn(loop, 0);
	assert_int_equal(transport_recv(&e.client, in, sizeof in), 4);
	assert_int_equal(
	    transport_recv(&e.client, in, sizeof in), TRANSPORT_ERROR);
	close_ends(&e);
	tls_unref(&client);
	tls_unref(&server);
}

static SSL_CTX *server_with(struct tls_tickets *t)
{
	const char *key = alpha_ec.key, *cert = alpha_ec.cert;
	const struct tls_options o = {
		.keys = &key, .certs = &cert, .n_keys = 1, .n_certs = 1
	};
	struct err err;
	SSL_CTX *ctx = tls_server_new(&o, t, &err);

	assert_non_null(ctx);
	return ctx;
}

static void test_ticket_keys_go_to_another_process(void **state)
{
	struct tls_tickets *theirs = tls_tickets_new(), *others;
	SSL_CTX *client = client_of(alpha_ec.cert, "TLSv1_2");
	SSL_CTX *first = server_of(&alpha_ec, 1), *second, *third;
	SSL_SESSION *session;
	struct buf saved;
	struct ends e;
	struct err err;

	(void)state;
	others = tls_tickets_new();
	open_ends(&e, first, client, "alpha.test", NULL);
	assert_int_equal(shake(&e), 1);
	session = SSL_get1_session(e.client.tls);
	close_ends(&e);
	buf_init(&saved, TLS_TICKETS_BYTES);
	tls_tickets_save(tickets, &saved);
	assert_int_equal(
	    tls_tickets_load(theirs, slice_make(saved.data, saved.len), &err),
	    0);
	second = server_with(theirs);
	open_ends(&e, second, client, "alpha.test", session);
	assert_int_equal(shake(&e), 1);
	assert_true(transport_was_resumed(&e.server));
	close_ends(&e);
	third = server_with(others);
	open_ends(&e, third, client, "alpha.test", session);
	assert_int_equal(shake(&e), 1);
	assert_false(transport_was_resumed(&e.server));
	close_ends(&e);
	assert_int_equal(tls_tickets_load(theirs,
			     slice_make(saved.data, saved.len - 1), &err),
	    -1);
	buf_fini(&saved);
	SSL_SESSION_free(session);
	tls_unref(&first);
	tls_unref(&second);
	tls_unref(&third);
	tls_unref(&client);
	tls_tickets_free(&theirs);
	tls_tickets_free(&others);
}

static void test_what_cannot_be_used_is_named(void **state)
{
	const char *key = alpha_ec.key, *cert = alpha_ec.cert, *gone = "/no/x",
		   *other = beta_ec.key;
	const struct {
		struct tls_options o;
		const char *text;
	} table[] = {
		{ { .keys = &gone, .certs = &cert }, "/no/x" },
		{ { .keys = &key, .certs = &gone }, "/no/x" },
		{ { .keys = &other, .certs = &cert }, "key" },
		{ { .keys = &cert, .certs = &cert }, "key in" },
		{ { .keys = &key, .certs = &cert, .protocol = "SSLv3" },
		    "not safe" },
		{ { .keys = &key, .certs = &cert, .ciphers = "x:y" },
		    "--ssl-ciphers" },
		{ { .keys = &key, .certs = &cert, .dhparam = key },
		    "DH parameters" },
		{ { .keys = &key, .certs = &cert, .ca = key, .verifies = true },
		    "CA certificates" },
	};

	(void)state;
	for (size_t i = 0; i < N_OF(table); i++) {
		struct tls_options o = table[i].o;
		struct err err;

		o.n_keys = o.n_certs = 1;
		assert_null(tls_server_new(&o, tickets, &err));
		assert_non_null(strstr(err.text, table[i].text));
	}
}

/* ---- life ---------------------------------------------------------------- */

static int set_up(void **state)
{
	(void)state;
	/* As the program does: the last word may meet a closed socket. */
	signal(SIGPIPE, SIG_IGN);
	assert_non_null(mkdtemp(dir));
	issue(&alpha_ec, "alpha.test", "ec");
	issue(&alpha_rsa, "alpha.test", "rsa");
	issue(&beta_ec, "beta.test", "ec");
	loop = loop_new();
	tickets = tls_tickets_new();
	return 0;
}

static int tear_down(void **state)
{
	const struct pem *all[] = { &alpha_ec, &alpha_rsa, &beta_ec };

	(void)state;
	for (size_t i = 0; i < N_OF(all); i++) {
		unlink(all[i]->key);
		unlink(all[i]->cert);
	}
	rmdir(dir);
	loop_free(&loop);
	tls_tickets_free(&tickets);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_the_name_chooses_the_certificate),
		cmocka_unit_test(test_a_wrong_name_is_refused),
		cmocka_unit_test(test_two_kinds_of_keys_serve_one_name),
		cmocka_unit_test(test_sessions_resume_in_a_later_context),
		cmocka_unit_test(test_bytes_and_the_end_pass_under_pressure),
		cmocka_unit_test(test_pieces_of_any_size_come_in_order),
		cmocka_unit_test(test_bytes_behind_the_handshake_are_not_lost),
		cmocka_unit_test(test_an_end_without_a_word_is_an_error),
		cmocka_unit_test(test_ticket_keys_go_to_another_process),
		cmocka_unit_test(test_what_cannot_be_used_is_named),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
