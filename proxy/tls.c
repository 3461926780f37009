/*
 * TLS contexts: see tls.h. A server has one SSL_CTX per set of names; two
 * certificates with the same names and different kinds of keys share one, and
 * OpenSSL takes the one that the client understands. The first context stands
 * for all: it owns the list of the others, and goes with its last connection.
 */
#include "proxy/tls.h"

#include <fcntl.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/fd.h"
#include "base/mem.h"
#include "base/str.h"
#include "proxy/tls_ticket.h"

#define LIST_BYTES 8192

/* What configurable-http-proxy offers (contract/proxy.md 9). */
static const char default_ciphers[] =
    "ECDHE-RSA-AES128-GCM-SHA256:ECDHE-ECDSA-AES128-GCM-SHA256:"
    "ECDHE-RSA-AES256-GCM-SHA384:ECDHE-ECDSA-AES256-GCM-SHA384:"
    "DHE-RSA-AES128-GCM-SHA256:ECDHE-RSA-AES128-SHA256:"
    "DHE-RSA-AES128-SHA256:ECDHE-RSA-AES256-SHA384:"
    "DHE-RSA-AES256-SHA384:ECDHE-RSA-AES256-SHA256:"
    "DHE-RSA-AES256-SHA256:HIGH:!aNULL:!eNULL:!EXPORT:!DES:!RC4:!MD5:"
    "!PSK:!SRP:!CAMELLIA";

/* The contexts of one server; items[0] is the one that owns it. */
struct set {
	SSL_CTX **items;
	size_t n;
};

static pthread_once_t once = PTHREAD_ONCE_INIT;
static int index_of_set = -1;

/* ---- sets ---------------------------------------------------------------- */

static void on_ctx_free(void *parent, void *value, CRYPTO_EX_DATA *data,
    int index, long argl, void *argp)
{
	struct set *set = value;

	(void)parent;
	(void)data;
	(void)index;
	(void)argl;
	(void)argp;
	if (set == NULL)
		return;
	for (size_t i = 1; i < set->n; i++)
		SSL_CTX_free(set->items[i]);
	free(set->items);
	free(set);
}

static void make_index(void)
{
	index_of_set =
	    SSL_CTX_get_ex_new_index(0, NULL, NULL, NULL, on_ctx_free);
}

struct ssl_ctx_st *tls_ref(struct ssl_ctx_st *ctx)
{
	SSL_CTX_up_ref(ctx);
	return ctx;
}

void tls_unref(struct ssl_ctx_st **ctx)
{
	SSL_CTX_free(*ctx);
	*ctx = NULL;
}

/* ---- errors -------------------------------------------------------------- */

static int refuse(struct err *err, const char *what, const char *name)
{
	const char *reason = ERR_reason_error_string(ERR_peek_last_error());

	ERR_clear_error();
	return err_set(err, ERR_INVALID, "%s %.200s: %s", what, name,
	    reason != NULL ? reason : "OpenSSL does not take it");
}

/* OpenSSL's own words for a file that is missing are none. */
static int check_file(const char *path, struct err *err)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);

	if (fd < 0)
		return err_sys(err, "open %s", path);
	fd_close(&fd);
	return 0;
}

/* ---- rules --------------------------------------------------------------- */

static int set_protocol(SSL_CTX *ctx, const char *name, struct err *err)
{
	int low = TLS1_2_VERSION, high = 0;

	if (name == NULL || str_eq(name, "TLS") || str_eq(name, "SSLv23"))
		high = 0;
	else if (str_eq(name, "TLSv1_2"))
		high = TLS1_2_VERSION;
	else if (str_eq(name, "TLSv1_3"))
		low = TLS1_3_VERSION;
	else
		return err_set(err, ERR_INVALID,
		    "--ssl-protocol: \"%.40s\" is none of TLS, TLSv1_2 and "
		    "TLSv1_3; older ones are not safe",
		    name);
	if (SSL_CTX_set_min_proto_version(ctx, low) != 1 ||
	    SSL_CTX_set_max_proto_version(ctx, high) != 1)
		return refuse(err, "--ssl-protocol", name);
	return 0;
}

static void append(struct buf *b, struct slice name)
{
	if (b->len > 0)
		buf_char(b, ':');
	buf_slice(b, name);
}

/* One list for both: the suites of TLS 1.3 begin with TLS_. */
static int set_ciphers(SSL_CTX *ctx, const char *text, struct err *err)
{
	struct slice rest = slice_of(text), name;
	struct buf old, new;
	bool ok = true;

	buf_init(&old, LIST_BYTES);
	buf_init(&new, LIST_BYTES);
	while (rest.len > 0) {
		if (!slice_split(&rest, ':', &name)) {
			name = rest;
			rest.len = 0;
		}
		append(name.len > 4 && memcmp(name.p, "TLS_", 4) == 0 ? &new
								      : &old,
		    name);
	}
	if (old.len > 0)
		ok = SSL_CTX_set_cipher_list(ctx, buf_view(&old)) == 1;
	if (ok && new.len > 0)
		ok = SSL_CTX_set_ciphersuites(ctx, buf_view(&new)) == 1;
	ok = ok && !old.overflow && !new.overflow;
	buf_fini(&old);
	buf_fini(&new);
	return ok ? 0 : refuse(err, "--ssl-ciphers", text);
}

static int set_dhparam(SSL_CTX *ctx, const char *path, struct err *err)
{
	EVP_PKEY *pkey;
	BIO *bio;

	if (check_file(path, err) < 0)
		return -1;
	bio = BIO_new_file(path, "r");
	pkey = bio != NULL ? PEM_read_bio_Parameters(bio, NULL) : NULL;
	BIO_free(bio);
	if (pkey != NULL && SSL_CTX_set0_tmp_dh_pkey(ctx, pkey) == 1)
		return 0;
	EVP_PKEY_free(pkey);
	return refuse(err, "DH parameters in", path);
}

static int set_rules(SSL_CTX *ctx, const struct tls_options *o, struct err *err)
{
	SSL_CTX_set_mode(ctx, SSL_MODE_ENABLE_PARTIAL_WRITE |
				  SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER |
				  SSL_MODE_RELEASE_BUFFERS);
	SSL_CTX_set_options(ctx, SSL_OP_NO_RENEGOTIATION |
				     SSL_OP_NO_COMPRESSION |
				     SSL_OP_CIPHER_SERVER_PREFERENCE);
	if (set_protocol(ctx, o->protocol, err) < 0 ||
	    set_ciphers(ctx, o->ciphers != NULL ? o->ciphers : default_ciphers,
		err) < 0)
		return -1;
	if (o->dhparam != NULL)
		return set_dhparam(ctx, o->dhparam, err);
	return 0;
}

static int set_ca(SSL_CTX *ctx, const struct tls_options *o, struct err *err)
{
	const char *path = o->ca;

	if (path == NULL || o->adds_system_ca) {
		if (SSL_CTX_set_default_verify_paths(ctx) != 1)
			return refuse(err, "CA certificates", "of the system");
	}
	if (path == NULL)
		return 0;
	if (check_file(path, err) < 0)
		return -1;
	if (SSL_CTX_load_verify_file(ctx, path) != 1)
		return refuse(err, "CA certificates in", path);
	return 0;
}

/* ---- certificates -------------------------------------------------------- */

struct passphrase {
	const char *text; /* NULL: none is known */
	bool was_asked;
};

static int on_passphrase(char *out, int cap, int is_writing, void *arg)
{
	struct passphrase *p = arg;

	(void)is_writing;
	p->was_asked = true;
	/* Never a question at the terminal. */
	if (p->text == NULL || str_copy(out, (size_t)cap, p->text) < 0)
		return -1;
	return (int)strlen(p->text);
}

static int refuse_key(
    const char *key, const struct passphrase *p, struct err *err)
{
	uint64_t why = ERR_peek_last_error();
	int reason = ERR_GET_REASON(why);

	if (ERR_GET_LIB(why) == ERR_LIB_X509 &&
	    (reason == X509_R_KEY_VALUES_MISMATCH ||
		reason == X509_R_KEY_TYPE_MISMATCH))
		return refuse(err, "the certificate does not belong to", key);
	ERR_clear_error();
	if (!p->was_asked)
		return err_set(err, ERR_INVALID,
		    "%.200s holds no private key in PEM form", key);
	return err_set(err, ERR_INVALID,
	    p->text == NULL
		? "the key in %.200s has a passphrase: set "
		  "CONFIGPROXY_SSL_KEY_PASSPHRASE, or for --api-ssl-key "
		  "CONFIGPROXY_API_SSL_KEY_PASSPHRASE"
		: "the key in %.200s has another passphrase than the one that "
		  "is set",
	    key);
}

static int refuse_certificate(const char *cert, struct err *err)
{
	ERR_clear_error();
	return err_set(
	    err, ERR_INVALID, "%.200s holds no certificate in PEM form", cert);
}

static int use_pair(SSL_CTX *ctx, const char *key, const char *cert,
    const char *passphrase, struct err *err)
{
	struct passphrase p = { .text = passphrase };
	int rc = -1;

	if (check_file(cert, err) < 0 || check_file(key, err) < 0)
		return -1;
	SSL_CTX_set_default_passwd_cb(ctx, on_passphrase);
	SSL_CTX_set_default_passwd_cb_userdata(ctx, &p);
	if (SSL_CTX_use_certificate_chain_file(ctx, cert) != 1)
		(void)refuse_certificate(cert, err);
	else if (SSL_CTX_use_PrivateKey_file(ctx, key, SSL_FILETYPE_PEM) != 1)
		(void)refuse_key(key, &p, err);
	else if (SSL_CTX_check_private_key(ctx) != 1)
		(void)refuse(err, "the certificate does not belong to", key);
	else
		rc = 0;
	SSL_CTX_set_default_passwd_cb(ctx, NULL);
	SSL_CTX_set_default_passwd_cb_userdata(ctx, NULL);
	return rc;
}

static const char *key_of(const struct tls_options *o, size_t i)
{
	return o->n_keys > 0 ? o->keys[i] : o->certs[i];
}

static const char *cert_of(const struct tls_options *o, size_t i)
{
	return o->n_certs > 0 ? o->certs[i] : o->keys[i];
}

static int count_pairs(
    const struct tls_options *o, size_t *n_out, struct err *err)
{
	*n_out = o->n_keys > 0 ? o->n_keys : o->n_certs;
	if (o->n_keys > 0 && o->n_certs > 0 && o->n_keys != o->n_certs)
		return err_set(err, ERR_INVALID,
		    "%zu keys and %zu certificates: give them in pairs",
		    o->n_keys, o->n_certs);
	return 0;
}

/* ---- servers ------------------------------------------------------------- */

/* With a cipher that HTTP/2 forbids a client would end it at once (RFC 9113
 * 9.2.2): ephemeral keys and AEAD, which TLS 1.3 has always. */
static bool has_cipher_for_h2(SSL *s)
{
	const SSL_CIPHER *c = SSL_get_pending_cipher(s);
	int kx;

	if (c == NULL)
		return false;
	kx = SSL_CIPHER_get_kx_nid(c);
	return SSL_CIPHER_is_aead(c) == 1 &&
	       (kx == NID_kx_any || kx == NID_kx_ecdhe || kx == NID_kx_dhe);
}

/* arg: HTTP/2 is offered too. */
static int on_alpn(SSL *s, const unsigned char **out, unsigned char *out_len,
    const unsigned char *offered, unsigned n_offered, void *arg)
{
	static const unsigned char ours[] = "\x02h2\x08http/1.1";
	size_t skip = arg != NULL && has_cipher_for_h2(s) ? 0 : 3;
	unsigned char *picked;

	if (SSL_select_next_proto(&picked, out_len, ours + skip,
		(unsigned)(sizeof ours - 1 - skip), offered,
		n_offered) != OPENSSL_NPN_NEGOTIATED)
		return SSL_TLSEXT_ERR_ALERT_FATAL;
	*out = picked;
	return SSL_TLSEXT_ERR_OK;
}

static bool is_for(SSL_CTX *ctx, const char *name)
{
	return X509_check_host(SSL_CTX_get0_certificate(ctx), name,
		   strlen(name), 0, NULL) == 1;
}

static int on_name(SSL *s, int *alert, void *arg)
{
	const char *name = SSL_get_servername(s, TLSEXT_NAMETYPE_host_name);
	const struct set *set = arg;

	(void)alert;
	for (size_t i = 0; name != NULL && i < set->n; i++) {
		if (!is_for(set->items[i], name))
			continue;
		if (i > 0)
			(void)SSL_set_SSL_CTX(s, set->items[i]);
		return SSL_TLSEXT_ERR_OK;
	}
	return name == NULL ? SSL_TLSEXT_ERR_NOACK : SSL_TLSEXT_ERR_OK;
}

/* Resumption is a login by certificate: only under the same rules. */
static int set_session_id(
    SSL_CTX *ctx, const struct tls_options *o, struct err *err)
{
	unsigned char id[EVP_MAX_MD_SIZE];
	const char *path = o->ca;
	size_t len = 0;
	char *text = NULL;
	unsigned n = 0;
	int ok;

	if (o->verifies && path != NULL &&
	    file_read_all(path, (size_t)8 << 20, &text, &len, err) < 0)
		return -1;
	ok = EVP_Digest(text != NULL ? text : "", len, id, &n, EVP_sha256(),
		 NULL) == 1 &&
	     SSL_CTX_set_session_id_context(ctx, id, SSL_MAX_SID_CTX_LENGTH) ==
		 1;
	free(text);
	return ok ? 0 : refuse(err, "session context of", "the server");
}

static int verify_clients(
    SSL_CTX *ctx, const struct tls_options *o, struct err *err)
{
	STACK_OF(X509_NAME) * names;

	/* A file that is named is looked at, though nobody is asked. */
	if (!o->verifies && o->ca == NULL)
		return 0;
	if (set_ca(ctx, o, err) < 0)
		return -1;
	if (!o->verifies)
		return 0;
	SSL_CTX_set_verify(
	    ctx, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, NULL);
	if (o->ca == NULL)
		return 0;
	names = SSL_load_client_CA_file(o->ca);
	if (names == NULL)
		return refuse(err, "CA certificates in", o->ca);
	SSL_CTX_set_client_CA_list(ctx, names);
	return 0;
}

static char h2_is_offered; /* on_alpn's argument: its address alone counts */

static SSL_CTX *server_ctx(const struct tls_options *o,
    struct tls_tickets *tickets, size_t i, struct err *err)
{
	SSL_CTX *ctx = SSL_CTX_new(TLS_server_method());

	if (ctx != NULL && set_rules(ctx, o, err) == 0 &&
	    use_pair(ctx, key_of(o, i), cert_of(o, i), o->passphrase, err) ==
		0 &&
	    verify_clients(ctx, o, err) == 0 &&
	    set_session_id(ctx, o, err) == 0 &&
	    tls_tickets_use(tickets, ctx, err) == 0) {
		SSL_CTX_set_alpn_select_cb(
		    ctx, on_alpn, o->offers_h2 ? &h2_is_offered : NULL);
		return ctx;
	}
	SSL_CTX_free(ctx);
	return NULL;
}

static bool have_same_names(X509 *a, X509 *b)
{
	int i = X509_get_ext_by_NID(a, NID_subject_alt_name, -1);
	int j = X509_get_ext_by_NID(b, NID_subject_alt_name, -1);

	if (i < 0 || j < 0)
		return i == j && X509_NAME_cmp(X509_get_subject_name(a),
				     X509_get_subject_name(b)) == 0;
	return ASN1_OCTET_STRING_cmp(
		   X509_EXTENSION_get_data(X509_get_ext(a, i)),
		   X509_EXTENSION_get_data(X509_get_ext(b, j))) == 0;
}

/* A context that lacks just this kind of key for the same names. */
static SSL_CTX *find_twin(const struct set *set, X509 *cert)
{
	int kind = EVP_PKEY_get_base_id(X509_get0_pubkey(cert));

	for (size_t i = 0; i < set->n; i++) {
		X509 *other = SSL_CTX_get0_certificate(set->items[i]);

		if (have_same_names(other, cert) &&
		    EVP_PKEY_get_base_id(X509_get0_pubkey(other)) != kind)
			return set->items[i];
	}
	return NULL;
}

static int add_pair(struct set *set, const struct tls_options *o,
    struct tls_tickets *tickets, size_t i, struct err *err)
{
	SSL_CTX *ctx = server_ctx(o, tickets, i, err), *twin;

	if (ctx == NULL)
		return -1;
	twin = find_twin(set, SSL_CTX_get0_certificate(ctx));
	if (twin == NULL) {
		set->items[set->n++] = ctx;
		return 0;
	}
	SSL_CTX_free(ctx);
	return use_pair(twin, key_of(o, i), cert_of(o, i), o->passphrase, err);
}

static void set_free(struct set *set)
{
	for (size_t i = 0; i < set->n; i++)
		SSL_CTX_free(set->items[i]);
	free(set->items);
	free(set);
}

struct ssl_ctx_st *tls_server_new(
    const struct tls_options *o, struct tls_tickets *tickets, struct err *err)
{
	struct set *set = xcalloc(1, sizeof *set);
	size_t n = 0;
	int rc;

	pthread_once(&once, make_index);
	err_set(err, ERR_INTERNAL, "OpenSSL cannot make a context");
	rc = count_pairs(o, &n, err);
	set->items = xcalloc(n + 1, sizeof(SSL_CTX *));
	for (size_t i = 0; i < n && rc == 0; i++)
		rc = add_pair(set, o, tickets, i, err);
	if (rc == 0 && set->n > 0 &&
	    SSL_CTX_set_ex_data(set->items[0], index_of_set, set) == 1) {
		SSL_CTX_set_tlsext_servername_callback(set->items[0], on_name);
		SSL_CTX_set_tlsext_servername_arg(set->items[0], set);
		return set->items[0];
	}
	set_free(set);
	return NULL;
}

/* ---- clients ------------------------------------------------------------- */

struct ssl_ctx_st *tls_client_new(const struct tls_options *o, struct err *err)
{
	SSL_CTX *ctx = SSL_CTX_new(TLS_client_method());
	size_t n = 0;

	err_set(err, ERR_INTERNAL, "OpenSSL cannot make a context");
	if (ctx != NULL && count_pairs(o, &n, err) == 0 &&
	    set_rules(ctx, o, err) == 0 && set_ca(ctx, o, err) == 0 &&
	    (n == 0 || use_pair(ctx, key_of(o, 0), cert_of(o, 0), o->passphrase,
			   err) == 0)) {
		SSL_CTX_set_verify(
		    ctx, o->verifies ? SSL_VERIFY_PEER : SSL_VERIFY_NONE, NULL);
		return ctx;
	}
	SSL_CTX_free(ctx);
	return NULL;
}
