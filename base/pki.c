/*
 * See pki.h.
 */
#include "base/pki.h"

#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rand.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/str.h"

#define CURVE        "P-256"
#define SERIAL_BYTES 16
#define EARLIER_S    3600
#define DAY_S        86400
#define NAME_MAX_LEN 64
#define HOST_MAX     253

static int refuse(struct err *err, const char *what)
{
	const char *reason = ERR_reason_error_string(ERR_peek_last_error());

	ERR_clear_error();
	return err_set(err, ERR_INTERNAL, "%s: %s", what,
	    reason != NULL ? reason : "OpenSSL does not do it");
}

/* ---- text ---------------------------------------------------------------- */

/* Takes bio. */
static char *bio_text(BIO *bio)
{
	char *data, *text;
	long n = BIO_get_mem_data(bio, &data);

	text = xcalloc(1, (size_t)n + 1);
	memcpy(text, data, (size_t)n);
	BIO_free(bio);
	return text;
}

static X509 *read_cert(const char *text)
{
	BIO *bio = BIO_new_mem_buf(text, -1);
	X509 *cert = bio ? PEM_read_bio_X509(bio, NULL, NULL, NULL) : NULL;

	BIO_free(bio);
	return cert;
}

static int no_passphrase(char *buf, int size, int is_writing, void *arg)
{
	(void)buf, (void)size, (void)is_writing, (void)arg;
	return -1;
}

static EVP_PKEY *read_key(const char *text)
{
	BIO *bio = BIO_new_mem_buf(text, -1);
	EVP_PKEY *key =
	    bio ? PEM_read_bio_PrivateKey(bio, NULL, no_passphrase, NULL)
		: NULL;

	BIO_free(bio);
	return key;
}

static int write_pair(
    EVP_PKEY *key, X509 *cert, struct pki_pair *out, struct err *err)
{
	BIO *key_bio = BIO_new(BIO_s_secmem()), *cert_bio = NULL;

	cert_bio = BIO_new(BIO_s_mem());
	if (!key_bio || !cert_bio ||
	    PEM_write_bio_PrivateKey(key_bio, key, NULL, NULL, 0, NULL, NULL) !=
		1 ||
	    PEM_write_bio_X509(cert_bio, cert) != 1) {
		BIO_free(key_bio);
		BIO_free(cert_bio);
		return refuse(err, "write a certificate");
	}
	out->key = bio_text(key_bio);
	out->cert = bio_text(cert_bio);
	return 0;
}

/* ---- names --------------------------------------------------------------- */

static bool is_host_name(const char *name)
{
	size_t len = strlen(name);

	return len > 0 && len <= HOST_MAX &&
	       strspn(name,
		   "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
		   "0123456789-_.*") == len;
}

/* An address where the text is one, else the name of a host. */
static GENERAL_NAME *make_alt_name(const char *text)
{
	GENERAL_NAME *name = GENERAL_NAME_new();
	ASN1_OCTET_STRING *address = a2i_IPADDRESS(text);
	ASN1_IA5STRING *host = NULL;

	if (name && address) {
		GENERAL_NAME_set0_value(name, GEN_IPADD, address);
		return name;
	}
	ERR_clear_error();
	host = ASN1_IA5STRING_new();
	if (name && host && is_host_name(text) &&
	    ASN1_STRING_set(host, text, -1) == 1) {
		GENERAL_NAME_set0_value(name, GEN_DNS, host);
		return name;
	}
	ASN1_OCTET_STRING_free(address);
	ASN1_IA5STRING_free(host);
	GENERAL_NAME_free(name);
	return NULL;
}

static int add_alt_names(
    X509 *cert, const struct pki_request *req, struct err *err)
{
	GENERAL_NAMES *names = GENERAL_NAMES_new();
	int rc = 0;

	for (size_t i = 0; names && i < req->n_alt_names && rc == 0; i++) {
		GENERAL_NAME *name = make_alt_name(req->alt_names[i]);

		if (name && sk_GENERAL_NAME_push(names, name) > 0)
			continue;
		GENERAL_NAME_free(name);
		rc = err_set(err, ERR_INVALID,
		    "\"%.80s\" is neither the name nor the address of a host",
		    req->alt_names[i]);
	}
	if (rc == 0 && req->n_alt_names > 0 &&
	    (!names || X509_add1_ext_i2d(
			   cert, NID_subject_alt_name, names, 0, 0) != 1))
		rc = refuse(err, "name a certificate");
	GENERAL_NAMES_free(names);
	return rc;
}

/* ---- certificates -------------------------------------------------------- */

static int add_extension(
    X509 *cert, X509 *issuer, int nid, const char *value, struct err *err)
{
	X509_EXTENSION *ext;
	X509V3_CTX ctx;
	int rc;

	X509V3_set_ctx_nodb(&ctx);
	X509V3_set_ctx(&ctx, issuer, cert, NULL, NULL, 0);
	ext = X509V3_EXT_conf_nid(NULL, &ctx, nid, value);
	rc = ext ? X509_add_ext(cert, ext, -1) : 0;
	X509_EXTENSION_free(ext);
	return rc == 1 ? 0 : refuse(err, "describe a certificate");
}

static int set_serial(X509 *cert)
{
	unsigned char bytes[SERIAL_BYTES];
	BIGNUM *number;
	int rc = 0;

	if (RAND_bytes(bytes, sizeof bytes) != 1)
		return 0;
	bytes[0] = (unsigned char)((bytes[0] & 0x7f) | 0x40);
	number = BN_bin2bn(bytes, sizeof bytes, NULL);
	if (number)
		rc = BN_to_ASN1_INTEGER(number, X509_get_serialNumber(cert)) !=
		     NULL;
	BN_free(number);
	return rc;
}

static int set_end(
    ASN1_TIME *end, const struct pki_request *req, const ASN1_TIME *limit)
{
	time_t now = (time_t)req->now_s;

	if (!X509_time_adj_ex(end, (int)(req->valid_s / DAY_S),
		(long)(req->valid_s % DAY_S), &now))
		return 0;
	if (limit && ASN1_TIME_compare(limit, end) < 0)
		return ASN1_STRING_copy(end, limit);
	return 1;
}

/* issuer NULL: its own. */
static X509 *make_cert(
    EVP_PKEY *key, X509 *issuer, const struct pki_request *req, struct err *err)
{
	const ASN1_TIME *limit = issuer ? X509_get0_notAfter(issuer) : NULL;
	time_t now = (time_t)req->now_s;
	X509 *cert = X509_new();
	X509_NAME *name = cert ? X509_get_subject_name(cert) : NULL;

	if (name && X509_set_version(cert, X509_VERSION_3) == 1 &&
	    set_serial(cert) == 1 &&
	    X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_UTF8,
		(const unsigned char *)req->name, -1, -1, 0) == 1 &&
	    X509_set_issuer_name(
		cert, issuer ? X509_get_subject_name(issuer) : name) == 1 &&
	    X509_time_adj_ex(X509_getm_notBefore(cert), 0, -EARLIER_S, &now) &&
	    set_end(X509_getm_notAfter(cert), req, limit) == 1 &&
	    X509_set_pubkey(cert, key) == 1)
		return cert;
	X509_free(cert);
	(void)refuse(err, "make a certificate");
	return NULL;
}

static int check_name(const struct pki_request *req, struct err *err)
{
	size_t len = strlen(req->name);

	if (len > 0 && len <= NAME_MAX_LEN && !str_has_control(req->name, len))
		return 0;
	return err_set(err, ERR_INVALID,
	    "a certificate's name has 1 to %d bytes and no control character",
	    NAME_MAX_LEN);
}

static int describe_authority(X509 *cert, struct err *err)
{
	if (add_extension(cert, cert, NID_basic_constraints,
		"critical,CA:TRUE,pathlen:0", err) != 0 ||
	    add_extension(cert, cert, NID_key_usage,
		"critical,keyCertSign,cRLSign", err) != 0)
		return -1;
	return add_extension(
	    cert, cert, NID_subject_key_identifier, "hash", err);
}

static int describe_end(X509 *cert, X509 *issuer, struct err *err)
{
	if (add_extension(cert, issuer, NID_basic_constraints,
		"critical,CA:FALSE", err) != 0 ||
	    add_extension(cert, issuer, NID_key_usage,
		"critical,digitalSignature", err) != 0 ||
	    add_extension(cert, issuer, NID_ext_key_usage,
		"serverAuth,clientAuth", err) != 0 ||
	    add_extension(
		cert, issuer, NID_subject_key_identifier, "hash", err) != 0)
		return -1;
	return add_extension(
	    cert, issuer, NID_authority_key_identifier, "keyid:always", err);
}

static int sign(X509 *cert, EVP_PKEY *by, struct err *err)
{
	return X509_sign(cert, by, EVP_sha256()) > 0
		   ? 0
		   : refuse(err, "sign a certificate");
}

int pki_authority(
    const struct pki_request *req, struct pki_pair *out, struct err *err)
{
	EVP_PKEY *key = NULL;
	X509 *cert = NULL;
	int rc = -1;

	*out = (struct pki_pair){ NULL, NULL };
	if (check_name(req, err) != 0)
		return -1;
	key = EVP_EC_gen(CURVE);
	if (!key)
		return refuse(err, "make a key");
	cert = make_cert(key, NULL, req, err);
	if (cert && describe_authority(cert, err) == 0 &&
	    sign(cert, key, err) == 0)
		rc = write_pair(key, cert, out, err);
	X509_free(cert);
	EVP_PKEY_free(key);
	return rc;
}

/* by_cert and by_key are read. */
static int issue(X509 *by_cert, EVP_PKEY *by_key, const struct pki_request *req,
    struct pki_pair *out, struct err *err)
{
	EVP_PKEY *key = EVP_EC_gen(CURVE);
	X509 *cert;
	int rc = -1;

	if (!key)
		return refuse(err, "make a key");
	cert = make_cert(key, by_cert, req, err);
	if (cert && describe_end(cert, by_cert, err) == 0 &&
	    add_alt_names(cert, req, err) == 0 && sign(cert, by_key, err) == 0)
		rc = write_pair(key, cert, out, err);
	X509_free(cert);
	EVP_PKEY_free(key);
	return rc;
}

int pki_issue(const struct pki_pair *authority, const struct pki_request *req,
    struct pki_pair *out, struct err *err)
{
	X509 *by_cert = NULL;
	EVP_PKEY *by_key = NULL;
	int rc = -1;

	*out = (struct pki_pair){ NULL, NULL };
	if (check_name(req, err) != 0)
		return -1;
	by_cert = read_cert(authority->cert);
	by_key = read_key(authority->key);
	ERR_clear_error();
	if (by_cert && by_key)
		rc = issue(by_cert, by_key, req, out, err);
	else
		(void)err_set(err, ERR_INVALID,
		    "the authority's %s is no PEM that OpenSSL reads",
		    by_cert ? "key" : "certificate");
	X509_free(by_cert);
	EVP_PKEY_free(by_key);
	return rc;
}

/* ---- looking ------------------------------------------------------------- */

int pki_valid_until(const char *text, int64_t *unix_s_out, struct err *err)
{
	X509 *cert = read_cert(text);
	ASN1_TIME *epoch = ASN1_TIME_set(NULL, 0);
	int days, seconds, ok;

	ok = cert && epoch &&
	     ASN1_TIME_diff(&days, &seconds, epoch, X509_get0_notAfter(cert)) ==
		 1;
	X509_free(cert);
	ASN1_TIME_free(epoch);
	ERR_clear_error();
	if (!ok)
		return err_set(err, ERR_INVALID, "this is no certificate");
	*unix_s_out = (int64_t)days * DAY_S + seconds;
	return 0;
}

int pki_fits(const struct pki_pair *pair, const char *authority)
{
	X509 *cert = read_cert(pair->cert);
	X509 *by = read_cert(authority ? authority : pair->cert);
	EVP_PKEY *key = read_key(pair->key);
	int fits = cert && by && key && X509_check_private_key(cert, key) == 1;

	if (fits)
		fits = X509_check_issued(by, cert) == X509_V_OK &&
		       X509_verify(cert, X509_get0_pubkey(by)) == 1;
	X509_free(cert);
	X509_free(by);
	EVP_PKEY_free(key);
	ERR_clear_error();
	return fits;
}

void pki_pair_fini(struct pki_pair *pair)
{
	if (pair->key)
		mem_wipe(pair->key, strlen(pair->key));
	free(pair->key);
	free(pair->cert);
	*pair = (struct pki_pair){ NULL, NULL };
}
