/*
 * hub/internal_tls.c: what it keeps where, and what a server is given.
 */
#include "test_util.h"

#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/pki.h"
#include "base/str.h"
#include "hub/app.h"
#include "hub/internal_tls.h"

struct world {
	struct test_dir dir;
	struct app app;
	char socket[160];
	struct err err;
};

static int setup(void **state)
{
	static const char text[] = "hub:\n"
				   "  internal_tls: true\n"
				   "  trusted_alt_names: [DNS:hub.internal]\n";
	struct world *w = calloc(1, sizeof *w);

	assert_non_null(w);
	test_dir_make(&w->dir);
	arena_init(&w->app.config_arena);
	test_ok(config_load(&w->app.config_arena, text, strlen(text), "test",
		    &w->app.cfg, NULL, &w->err),
	    &w->err);
	w->app.loop = loop_new();
	w->app.places.state_dir = w->dir.path;
	test_ok(str_format(w->socket, sizeof w->socket, "%s/run/hub.sock",
		    w->dir.path),
	    &w->err);
	w->app.places.hub_socket = w->socket;
	*state = w;
	return 0;
}

static int teardown(void **state)
{
	struct world *w = *state;

	internal_tls_close(&w->app);
	loop_free(&w->app.loop);
	arena_fini(&w->app.config_arena);
	test_dir_remove(&w->dir);
	free(w);
	return 0;
}

static const char *path_of(struct world *w, const char *name)
{
	return arena_printf(&w->app.config_arena, "%s/%s", w->dir.path, name);
}

static char *read_text(struct world *w, const char *name)
{
	char *text;
	size_t len;

	test_ok(file_read_all(path_of(w, name), 65536, &text, &len, &w->err),
	    &w->err);
	return text;
}

static void test_off_is_nothing(void **state)
{
	struct world *w = *state;
	json_t *tls;

	w->app.cfg.internal_tls = false;
	test_ok(internal_tls_open(&w->app, &w->err), &w->err);
	assert_null(w->app.internal_tls);
	test_ok(internal_tls_issue(&w->app, "k", &tls, &w->err), &w->err);
	assert_null(tls);
	assert_int_not_equal(access(path_of(w, "internal-tls"), F_OK), 0);
}

static void test_files_are_the_hubs_alone(void **state)
{
	static const char *const names[] = { "internal-tls/house-ca.pem",
		"internal-tls/servers-ca.pem", "internal-tls/hub.pem",
		"run/internal-tls/proxy.pem", "run/internal-tls/trust.crt" };
	struct world *w = *state;
	struct stat st;

	test_ok(internal_tls_open(&w->app, &w->err), &w->err);
	for (size_t i = 0; i < N_OF(names); i++) {
		assert_int_equal(stat(path_of(w, names[i]), &st), 0);
		assert_int_equal(st.st_mode & 0777, 0600);
	}
	char *trust = read_text(w, "run/internal-tls/trust.crt");
	assert_null(strstr(trust, "PRIVATE"));
	free(trust);
}

static void test_authorities_stay_and_certificates_are_new(void **state)
{
	struct world *w = *state;
	char *house, *hub, *again, *hub_again;

	test_ok(internal_tls_open(&w->app, &w->err), &w->err);
	house = read_text(w, "internal-tls/house-ca.pem");
	hub = read_text(w, "internal-tls/hub.pem");
	internal_tls_close(&w->app);
	test_ok(internal_tls_open(&w->app, &w->err), &w->err);
	again = read_text(w, "internal-tls/house-ca.pem");
	hub_again = read_text(w, "internal-tls/hub.pem");
	assert_string_equal(house, again);
	assert_string_not_equal(hub, hub_again);
	assert_int_equal(
	    pki_fits(&(struct pki_pair){ hub_again, hub_again }, house), 1);
	free(house);
	free(hub);
	free(again);
	free(hub_again);
}

static char *member(json_t *tls, const char *name)
{
	const char *text = json_string_value(json_object_get(tls, name));

	assert_non_null(text);
	return (char *)(uintptr_t)text;
}

static void test_a_server_believes_the_house_alone(void **state)
{
	struct world *w = *state;
	struct pki_pair pair;
	char *house, *servers;
	json_t *tls;

	test_ok(internal_tls_open(&w->app, &w->err), &w->err);
	test_ok(internal_tls_issue(&w->app, "0123456789abcdef", &tls, &w->err),
	    &w->err);
	house = read_text(w, "internal-tls/house-ca.pem");
	servers = read_text(w, "internal-tls/servers-ca.pem");
	pair =
	    (struct pki_pair){ member(tls, "key"), member(tls, "certificate") };
	assert_int_equal(pki_fits(&pair, servers), 1);
	assert_int_equal(pki_fits(&pair, member(tls, "authority")), 0);
	assert_non_null(strstr(house, member(tls, "authority")));
	assert_null(strstr(member(tls, "authority"), "PRIVATE"));
	json_decref(tls);
	free(house);
	free(servers);
}

static void add_extension(X509 *cert, int nid, const char *value)
{
	X509V3_CTX ctx;
	X509_EXTENSION *e;

	X509V3_set_ctx(&ctx, cert, cert, NULL, NULL, 0);
	e = X509V3_EXT_conf_nid(NULL, &ctx, nid, value);
	assert_int_equal(X509_add_ext(cert, e, -1), 1);
	X509_EXTENSION_free(e);
}

/* Key and certificate of a site's own, of another kind of key than ours. */
static void put_rsa_authority(const char *path)
{
	EVP_PKEY *key = EVP_RSA_gen(2048);
	X509 *cert = X509_new();
	X509_NAME *name = X509_get_subject_name(cert);
	FILE *f = fopen(path, "w");

	assert_non_null(f);
	assert_int_equal(X509_set_version(cert, X509_VERSION_3), 1);
	X509_gmtime_adj(X509_getm_notBefore(cert), -60);
	X509_gmtime_adj(X509_getm_notAfter(cert), 800 * 86400);
	X509_NAME_add_entry_by_txt(
	    name, "CN", MBSTRING_ASC, (const unsigned char *)"Site", -1, -1, 0);
	assert_int_equal(X509_set_issuer_name(cert, name), 1);
	assert_int_equal(X509_set_pubkey(cert, key), 1);
	add_extension(cert, NID_basic_constraints, "critical,CA:TRUE");
	add_extension(cert, NID_subject_key_identifier, "hash");
	assert_true(X509_sign(cert, key, EVP_sha256()) > 0);
	assert_int_equal(
	    PEM_write_PrivateKey(f, key, NULL, NULL, 0, NULL, NULL), 1);
	assert_int_equal(PEM_write_X509(f, cert), 1);
	fclose(f);
	X509_free(cert);
	EVP_PKEY_free(key);
}

static void test_an_authority_that_was_put_there_signs(void **state)
{
	struct world *w = *state;
	struct pki_pair pair;
	char *given, *now;
	json_t *tls;

	assert_int_equal(mkdir(path_of(w, "internal-tls"), 0700), 0);
	put_rsa_authority(path_of(w, "internal-tls/servers-ca.pem"));
	given = read_text(w, "internal-tls/servers-ca.pem");
	test_ok(internal_tls_open(&w->app, &w->err), &w->err);
	test_ok(internal_tls_issue(&w->app, "k", &tls, &w->err), &w->err);
	pair =
	    (struct pki_pair){ member(tls, "key"), member(tls, "certificate") };
	assert_int_equal(pki_fits(&pair, given), 1);
	now = read_text(w, "internal-tls/servers-ca.pem");
	assert_string_equal(now, given);
	json_decref(tls);
	free(given);
	free(now);
}

static void test_a_broken_authority_is_said(void **state)
{
	struct world *w = *state;

	test_ok(internal_tls_open(&w->app, &w->err), &w->err);
	internal_tls_close(&w->app);
	assert_int_equal(
	    truncate(path_of(w, "internal-tls/servers-ca.pem"), 40), 0);
	assert_int_equal(internal_tls_open(&w->app, &w->err), -1);
	test_err_says(&w->err, "internal-tls/servers-ca.pem");
	test_err_says(&w->err, "stop all servers");
}

static void test_names_and_groups_that_cannot_be(void **state)
{
	static const char *bad[] = { "no name" };
	struct world *w = *state;

	w->app.cfg.socket_group = "no-such-group";
	assert_int_equal(internal_tls_open(&w->app, &w->err), -1);
	test_err_says(&w->err, "no-such-group");
	internal_tls_close(&w->app);
	w->app.cfg.trusted_alt_names.items = bad;
	assert_int_equal(internal_tls_open(&w->app, &w->err), -1);
	test_err_says(&w->err, "hub.trusted_alt_names");
}

#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(test_off_is_nothing),
		T(test_files_are_the_hubs_alone),
		T(test_authorities_stay_and_certificates_are_new),
		T(test_a_server_believes_the_house_alone),
		T(test_an_authority_that_was_put_there_signs),
		T(test_a_broken_authority_is_said),
		T(test_names_and_groups_that_cannot_be),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
