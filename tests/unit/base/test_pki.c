/*
 * base/pki: authorities and the certificates that they sign.
 */
#include "test_util.h"

#include <openssl/pem.h>
#include <openssl/x509v3.h>

#include "base/pki.h"

#define NOW  1700000000
#define YEAR (365 * 86400)

static struct pki_pair house, others;

static struct pki_pair authority(const char *name, int64_t valid_s)
{
	const struct pki_request req = {
		.name = name, .now_s = NOW, .valid_s = valid_s
	};
	struct pki_pair out;
	struct err err;

	assert_int_equal(pki_authority(&req, &out, &err), 0);
	return out;
}

static int setup(void **state)
{
	(void)state;
	house = authority("house", 10 * YEAR);
	others = authority("others", 10 * YEAR);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	pki_pair_fini(&house);
	pki_pair_fini(&others);
	return 0;
}

static int issue(const struct pki_pair *by, const char *name,
    const char *const *alt_names, size_t n, struct pki_pair *out)
{
	const struct pki_request req = {
		.name = name,
		.alt_names = alt_names,
		.n_alt_names = n,
		.now_s = NOW,
		.valid_s = YEAR,
	};
	struct err err;

	return pki_issue(by, &req, out, &err);
}

static X509 *cert_of(const struct pki_pair *pair)
{
	BIO *bio = BIO_new_mem_buf(pair->cert, -1);
	X509 *cert = PEM_read_bio_X509(bio, NULL, NULL, NULL);

	BIO_free(bio);
	assert_non_null(cert);
	return cert;
}

static int verifies(const struct pki_pair *pair, const struct pki_pair *by,
    int purpose, int64_t at)
{
	X509 *cert = cert_of(pair), *root = cert_of(by);
	X509_STORE *store = X509_STORE_new();
	X509_STORE_CTX *ctx = X509_STORE_CTX_new();
	int rc;

	X509_STORE_add_cert(store, root);
	X509_STORE_CTX_init(ctx, store, cert, NULL);
	X509_STORE_CTX_set_time(ctx, 0, (time_t)at);
	X509_STORE_CTX_set_purpose(ctx, purpose);
	X509_VERIFY_PARAM_set_flags(
	    X509_STORE_CTX_get0_param(ctx), X509_V_FLAG_X509_STRICT);
	rc = X509_verify_cert(ctx);
	X509_STORE_CTX_free(ctx);
	X509_STORE_free(store);
	X509_free(cert);
	X509_free(root);
	return rc;
}

static void test_a_certificate_serves_both_ends(void **state)
{
	struct pki_pair pair;

	(void)state;
	assert_int_equal(issue(&house, "hub", NULL, 0, &pair), 0);
	assert_int_equal(
	    verifies(&pair, &house, X509_PURPOSE_SSL_SERVER, NOW), 1);
	assert_int_equal(
	    verifies(&pair, &house, X509_PURPOSE_SSL_CLIENT, NOW), 1);
	pki_pair_fini(&pair);
	assert_null(pair.key);
}

static void test_another_authority_is_not_believed(void **state)
{
	struct pki_pair pair;

	(void)state;
	assert_int_equal(issue(&others, "hub", NULL, 0, &pair), 0);
	assert_int_not_equal(
	    verifies(&pair, &house, X509_PURPOSE_SSL_CLIENT, NOW), 1);
	assert_int_equal(pki_fits(&pair, others.cert), 1);
	assert_int_equal(pki_fits(&pair, house.cert), 0);
	pki_pair_fini(&pair);
}

static void test_an_end_signs_nothing(void **state)
{
	struct pki_pair end, below;

	(void)state;
	assert_int_equal(issue(&house, "server", NULL, 0, &end), 0);
	assert_int_equal(issue(&end, "below", NULL, 0, &below), 0);
	assert_int_not_equal(
	    verifies(&below, &end, X509_PURPOSE_SSL_CLIENT, NOW), 1);
	pki_pair_fini(&end);
	pki_pair_fini(&below);
}

static void test_names_and_addresses(void **state)
{
	static const char *const names[] = { "localhost", "127.0.0.1", "::1" };
	struct pki_pair pair;
	X509 *cert;

	(void)state;
	assert_int_equal(issue(&house, "hub", names, 3, &pair), 0);
	cert = cert_of(&pair);
	assert_int_equal(X509_check_ip_asc(cert, "127.0.0.1", 0), 1);
	assert_int_equal(X509_check_ip_asc(cert, "::1", 0), 1);
	assert_int_equal(X509_check_host(cert, "localhost", 0, 0, NULL), 1);
	assert_int_equal(X509_check_ip_asc(cert, "127.0.0.2", 0), 0);
	assert_int_equal(X509_check_host(cert, "example.org", 0, 0, NULL), 0);
	X509_free(cert);
	pki_pair_fini(&pair);
}

static void test_what_is_no_name_is_refused(void **state)
{
	static const char *const bad[] = { "", "a b", "a\nb", "http://a" };
	char long_name[66];
	struct pki_pair pair;

	(void)state;
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
		assert_int_equal(issue(&house, "hub", &bad[i], 1, &pair), -1);
	memset(long_name, 'a', 65);
	long_name[65] = '\0';
	assert_int_equal(issue(&house, long_name, NULL, 0, &pair), -1);
	assert_int_equal(issue(&house, "", NULL, 0, &pair), -1);
	assert_null(pair.key);
}

static void test_validity(void **state)
{
	struct pki_pair brief = authority("brief", 86400), pair;
	struct err err;
	int64_t until;

	(void)state;
	assert_int_equal(issue(&house, "hub", NULL, 0, &pair), 0);
	assert_int_equal(pki_valid_until(pair.cert, &until, &err), 0);
	assert_int_equal(until, NOW + YEAR);
	assert_int_not_equal(
	    verifies(&pair, &house, X509_PURPOSE_SSL_CLIENT, until + 1), 1);
	pki_pair_fini(&pair);
	/* Never beyond its authority. */
	assert_int_equal(issue(&brief, "hub", NULL, 0, &pair), 0);
	assert_int_equal(pki_valid_until(pair.cert, &until, &err), 0);
	assert_int_equal(until, NOW + 86400);
	pki_pair_fini(&pair);
	pki_pair_fini(&brief);
}

static void test_what_is_no_pem(void **state)
{
	char text[] = "no PEM", empty[] = "";
	const struct pki_pair none = { text, text },
			      half = { empty, house.cert },
			      mixed = { others.key, house.cert };
	struct pki_pair out;
	struct err err;
	int64_t until;

	(void)state;
	assert_int_equal(issue(&none, "hub", NULL, 0, &out), -1);
	assert_int_equal(issue(&half, "hub", NULL, 0, &out), -1);
	assert_int_equal(pki_valid_until(text, &until, &err), -1);
	assert_int_equal(pki_fits(&none, NULL), 0);
	assert_int_equal(pki_fits(&mixed, NULL), 0);
	assert_int_equal(pki_fits(&house, NULL), 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_a_certificate_serves_both_ends),
		cmocka_unit_test(test_another_authority_is_not_believed),
		cmocka_unit_test(test_an_end_signs_nothing),
		cmocka_unit_test(test_names_and_addresses),
		cmocka_unit_test(test_what_is_no_name_is_refused),
		cmocka_unit_test(test_validity),
		cmocka_unit_test(test_what_is_no_pem),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
