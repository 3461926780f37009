/*
 * See google_account.h. The key is a PEM, which OpenSSL reads and signs with;
 * what is signed is two base64url texts (RFC 7515, section 7.1).
 */
#include "auth/google_account.h"

#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <openssl/bio.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "auth/oidc.h"
#include "base/buf.h"
#include "base/fd.h"
#include "base/json.h"
#include "base/mem.h"
#include "base/str.h"
#include "base/url.h"

#define FILE_MAX      65536
#define RSA_BITS_MIN  2048
#define SIGNATURE_MAX 2048
#define FORM_MAX      16384
/* Google refuses requests that are good for longer. */
#define LIFETIME_S    3600

#define SCOPE "https://www.googleapis.com/auth/admin.directory.group.readonly"
#define GRANT "urn:ietf:params:oauth:grant-type:jwt-bearer"

struct google_account {
	char *subject; /* the administrator's address */
	json_t *said;  /* of the file, without the key */
	EVP_PKEY *key;
};

static const char *member(const struct google_account *g, const char *name)
{
	return json_string_value(json_object_get(g->said, name));
}

/* ---- the file ------------------------------------------------------------ */

/* A key without a passphrase, or none: never a question on the terminal. */
static int no_passphrase(char *out, int cap, int writing, void *arg)
{
	(void)out;
	(void)cap;
	(void)writing;
	(void)arg;
	return -1;
}

static int take_key(struct google_account *g, struct err *err)
{
	const char *pem = member(g, "private_key");
	BIO *bio = pem ? BIO_new_mem_buf(pem, -1) : NULL;

	if (bio)
		g->key =
		    PEM_read_bio_PrivateKey(bio, NULL, no_passphrase, NULL);
	BIO_free(bio);
	json_object_del(g->said, "private_key");
	if (!g->key || EVP_PKEY_get_base_id(g->key) != EVP_PKEY_RSA ||
	    EVP_PKEY_get_bits(g->key) < RSA_BITS_MIN)
		return err_set(err, ERR_INVALID,
		    "its \"private_key\" is no RSA key of %d bits or more",
		    RSA_BITS_MIN);
	return 0;
}

static int take_file(
    struct google_account *g, const char *text, size_t len, struct err *err)
{
	if (json_parse(text, len, &g->said, err) != 0)
		return -1;
	if (!str_eq(member(g, "type"), "service_account") ||
	    !member(g, "client_email") || !member(g, "token_uri"))
		return err_set(err, ERR_INVALID,
		    "it is no key of a service account (JSON with \"type\": "
		    "\"service_account\", client_email, private_key, "
		    "token_uri), as Google's console gives it out");
	if (oidc_check_url("token_uri", member(g, "token_uri"), err) != 0)
		return -1;
	return take_key(g, err);
}

/* Root checks a configuration for the hub's account, whose file it is. */
static bool is_ours(const struct stat *st)
{
	return S_ISREG(st->st_mode) && (st->st_mode & 077) == 0 &&
	       (st->st_uid == geteuid() || st->st_uid == 0 || geteuid() == 0);
}

static int read_open(struct google_account *g, int fd, struct err *err)
{
	char *text = NULL;
	size_t len = 0;
	struct stat st;
	int rc;

	if (fstat(fd, &st) < 0)
		return err_sys(err, "stat");
	if (!is_ours(&st))
		return err_set(err, ERR_DENIED,
		    "others may read or replace it; let it be a file of the "
		    "hub's account with mode 0600");
	if (fd_read_all(fd, FILE_MAX, &text, &len, err) < 0)
		return -1;
	rc = take_file(g, text, len, err);
	mem_wipe(text, len);
	free(text);
	return rc;
}

static int read_key_file(
    struct google_account *g, const char *file, struct err *err)
{
	int fd = open(file, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	int rc = fd < 0 ? err_sys(err, "open") : read_open(g, fd, err);

	fd_close(&fd);
	return rc == 0 ? 0 : err_wrap(err, "%s", file);
}

struct google_account *google_account_open(const char *file, const char *domain,
    const char *administrator, struct err *err)
{
	struct google_account *g = xcalloc(1, sizeof *g);

	g->subject = strchr(administrator, '@')
			 ? xstrdup(administrator)
			 : xasprintf("%s@%s", administrator, domain);
	if (read_key_file(g, file, err) != 0)
		google_account_close(&g);
	return g;
}

void google_account_close(struct google_account **g)
{
	if (!*g)
		return;
	EVP_PKEY_free((*g)->key);
	json_decref((*g)->said);
	free((*g)->subject);
	free(*g);
	*g = NULL;
}

/* ---- the request --------------------------------------------------------- */

const char *google_account_token_url(const struct google_account *g)
{
	return member(g, "token_uri");
}

static const char *encoded(struct arena *a, const void *p, size_t n)
{
	size_t cap = n * 4 / 3 + 4;
	char *out = arena_alloc(a, cap);

	if (b64url_encode(p, n, out, cap) != 0)
		abort();
	return out;
}

/* Taken. */
static const char *encoded_json(struct arena *a, json_t *j)
{
	size_t len;
	char *text = json_text(j, &len);
	const char *out = encoded(a, text, len);

	json_decref(j);
	free(text);
	return out;
}

static const char *signature(const struct google_account *g, struct arena *a,
    const char *text, struct err *err)
{
	EVP_MD_CTX *ctx = EVP_MD_CTX_new();
	unsigned char raw[SIGNATURE_MAX];
	size_t n = sizeof raw;
	bool is_made =
	    ctx &&
	    EVP_DigestSignInit(ctx, NULL, EVP_sha256(), NULL, g->key) == 1 &&
	    EVP_DigestSign(
		ctx, raw, &n, (const unsigned char *)text, strlen(text)) == 1;

	EVP_MD_CTX_free(ctx);
	if (is_made)
		return encoded(a, raw, n);
	(void)err_set(err, ERR_INTERNAL,
	    "OpenSSL cannot sign with the key of the service account");
	return NULL;
}

const char *google_account_request(const struct google_account *g,
    struct arena *a, int64_t now_s, struct err *err)
{
	const char *head =
	    encoded_json(a, json_pack("{s:s, s:s, s:s*}", "alg", "RS256", "typ",
				"JWT", "kid", member(g, "private_key_id")));
	const char *claims = encoded_json(
	    a, json_pack("{s:s, s:s, s:s, s:s, s:I, s:I}", "iss",
		   member(g, "client_email"), "sub", g->subject, "scope", SCOPE,
		   "aud", member(g, "token_uri"), "iat", (json_int_t)now_s,
		   "exp", (json_int_t)(now_s + LIFETIME_S)));
	const char *text = arena_printf(a, "%s.%s", head, claims);
	const char *sig = signature(g, a, text, err), *form;
	struct buf b;

	if (!sig)
		return NULL;
	buf_init(&b, FORM_MAX);
	url_pair_append(&b, "grant_type", GRANT);
	url_pair_append(&b, "assertion", arena_printf(a, "%s.%s", text, sig));
	form = b.overflow ? NULL : arena_strdup(a, buf_view(&b));
	buf_fini(&b);
	if (!form)
		(void)err_set(err, ERR_LIMIT, "the request is too long");
	return form;
}
