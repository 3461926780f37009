/*
 * See openid_keys.h.
 */
#include "auth/openid_keys.h"

#include <cjose/cjose.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/json.h"
#include "base/log.h"
#include "base/mac.h"
#include "base/mem.h"
#include "base/str.h"

#define FILE_NAME "openid.json"
#define FILE_MAX  65536
#define KEYS_MAX  8
#define RSA_BITS  2048
#define KID_LEN   22 /* base64url of 16 bytes */

struct key {
	int64_t made_s;
	cjose_jwk_t *jwk; /* private, with its kid */
};

/* Oldest first. */
struct openid_keys {
	char *dir;
	struct key keys[KEYS_MAX];
	size_t n;
};

/* ---- one key ------------------------------------------------------------- */

/* cjose allocates by malloc unless it is told otherwise. */
char *openid_key_make(void)
{
	static const uint8_t exponent[] = { 1, 0, 1 };
	cjose_jwk_t *jwk = cjose_jwk_create_RSA_random(
	    RSA_BITS, exponent, sizeof exponent, NULL);
	char *text = jwk ? cjose_jwk_to_json(jwk, true, NULL) : NULL;

	if (jwk)
		cjose_jwk_release(jwk);
	return text;
}

static json_t *public_part(const cjose_jwk_t *jwk)
{
	char *text = cjose_jwk_to_json(jwk, false, NULL);
	json_t *j = text ? json_loads(text, 0, NULL) : NULL;

	free(text);
	if (j) {
		json_object_set_new(j, "use", json_string("sig"));
		json_object_set_new(j, "alg", json_string("RS256"));
	}
	return j;
}

/* The name of a key follows from its modulus, so it is never used twice. */
static int set_kid(cjose_jwk_t *jwk)
{
	unsigned char digest[MAC_SHA256_LEN];
	char kid[KID_LEN + 1];
	json_t *j = public_part(jwk);
	const char *n = json_string_value(json_object_get(j, "n"));
	int rc = -1;

	if (n) {
		mac_sha256(n, strlen(n), digest);
		rc = b64url_encode(digest, 16, kid, sizeof kid);
	}
	json_decref(j);
	if (rc != 0 || !cjose_jwk_set_kid(jwk, kid, strlen(kid), NULL))
		return -1;
	return 0;
}

static cjose_jwk_t *import_key(const char *text, size_t len)
{
	cjose_jwk_t *jwk = cjose_jwk_import(text, len, NULL);

	if (!jwk)
		return NULL;
	if (cjose_jwk_get_kty(jwk, NULL) == CJOSE_JWK_KTY_RSA &&
	    cjose_jwk_get_keysize(jwk, NULL) >= RSA_BITS && set_kid(jwk) == 0)
		return jwk;
	cjose_jwk_release(jwk);
	return NULL;
}

/* ---- the file ------------------------------------------------------------ */

static void clear(struct openid_keys *k)
{
	for (size_t i = 0; i < k->n; i++)
		cjose_jwk_release(k->keys[i].jwk);
	k->n = 0;
}

static int damaged(const struct openid_keys *k, struct err *err)
{
	return err_set(err, ERR_INVALID,
	    "the keys of the OpenID provider in %s/" FILE_NAME
	    " are damaged: restore the file, or remove it: new ones are made "
	    "and services fetch them",
	    k->dir);
}

static int read_entry(struct openid_keys *k, const json_t *entry)
{
	const json_t *made = json_object_get(entry, "made");
	const json_t *key = json_object_get(entry, "key");
	char *text;
	size_t len;

	if (k->n == KEYS_MAX || !json_is_object(key) ||
	    !json_is_integer(made) || json_integer_value(made) < 0)
		return -1;
	if (k->n > 0 && json_integer_value(made) < k->keys[k->n - 1].made_s)
		return -1;
	text = json_text(key, &len);
	cjose_jwk_t *jwk = import_key(text, len);
	mem_wipe(text, len);
	free(text);
	if (!jwk)
		return -1;
	k->keys[k->n++] = (struct key){ json_integer_value(made), jwk };
	return 0;
}

static int parse(
    struct openid_keys *k, const char *text, size_t len, struct err *err)
{
	struct err why;
	json_t *j = NULL, *list, *entry;
	size_t i;
	int rc = 0;

	if (json_parse(text, len, &j, &why) != 0)
		return damaged(k, err);
	list = json_object_get(j, "keys");
	if (json_array_size(list) == 0)
		rc = -1;
	json_array_foreach (list, i, entry)
		if (rc == 0)
			rc = read_entry(k, entry);
	json_decref(j);
	return rc == 0 ? 0 : damaged(k, err);
}

static int check_file(const struct openid_keys *k, int fd, struct err *err)
{
	struct stat st;

	if (fstat(fd, &st) < 0)
		return err_sys(err, "%s/" FILE_NAME, k->dir);
	if (!S_ISREG(st.st_mode))
		return damaged(k, err);
	if ((st.st_mode & 077) != 0 || st.st_uid != geteuid())
		return err_set(err, ERR_INVALID,
		    "%s/" FILE_NAME " may be read by others; remove it: new "
		    "keys are made and services fetch them",
		    k->dir);
	return 0;
}

static int read_file(struct openid_keys *k, int fd, struct err *err)
{
	char *text = NULL;
	size_t len = 0;
	int rc;

	if (check_file(k, fd, err) != 0)
		return -1;
	if (fd_read_all(fd, FILE_MAX, &text, &len, err) != 0)
		return err_wrap(err, "%s/" FILE_NAME, k->dir);
	rc = parse(k, text, len, err);
	mem_wipe(text, len);
	free(text);
	return rc;
}

static json_t *to_json(const struct openid_keys *k)
{
	json_t *list = json_array();

	for (size_t i = 0; i < k->n; i++) {
		char *text = cjose_jwk_to_json(k->keys[i].jwk, true, NULL);

		if (text) {
			json_array_append_new(
			    list, json_pack("{s:I, s:o?}", "made",
				      (json_int_t)k->keys[i].made_s, "key",
				      json_loads(text, 0, NULL)));
			mem_wipe(text, strlen(text));
		}
		free(text);
	}
	return json_pack("{s:o}", "keys", list);
}

static int write_file(const struct openid_keys *k, struct err *err)
{
	json_t *j = to_json(k);
	size_t len = 0;
	char *text = json_text(j, &len);
	int dir = open(k->dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC), rc = -1;

	json_decref(j);
	if (dir < 0)
		(void)err_sys(err, "%s", k->dir);
	else if (file_replace(dir, FILE_NAME, text, len, 0600, err) != 0)
		(void)err_wrap(err, "%s/" FILE_NAME, k->dir);
	else
		rc = 0;
	fd_close(&dir);
	mem_wipe(text, len);
	free(text);
	return rc;
}

/* ---- life ---------------------------------------------------------------- */

static int make_first(struct openid_keys *k, int64_t now_s, struct err *err)
{
	char *fresh = openid_key_make();
	int rc;

	if (!fresh)
		return err_set(err, ERR_INTERNAL, "no RSA key could be made");
	rc = openid_keys_turn(k, fresh, now_s, err);
	mem_wipe(fresh, strlen(fresh));
	free(fresh);
	return rc;
}

static int load(struct openid_keys *k, int64_t now_s, struct err *err)
{
	char *path = xasprintf("%s/" FILE_NAME, k->dir);
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
	int rc;

	if (fd < 0 && errno == ENOENT)
		rc = make_first(k, now_s, err);
	else if (fd < 0)
		rc = err_sys(err, "%s: open", path);
	else
		rc = read_file(k, fd, err);
	fd_close(&fd);
	free(path);
	return rc;
}

int openid_keys_open(
    const char *dir, int64_t now_s, struct openid_keys **out, struct err *err)
{
	struct openid_keys *k = xcalloc(1, sizeof *k);

	k->dir = xstrdup(dir);
	if (load(k, now_s, err) != 0) {
		openid_keys_close(&k);
		return -1;
	}
	*out = k;
	return 0;
}

void openid_keys_close(struct openid_keys **k)
{
	if (!*k)
		return;
	clear(*k);
	free((*k)->dir);
	free(*k);
	*k = NULL;
}

/* ---- turning ------------------------------------------------------------- */

bool openid_keys_is_due(const struct openid_keys *k, int64_t now_s)
{
	return now_s - k->keys[k->n - 1].made_s >= OPENID_KEY_LIFE_S;
}

/* The newest that everybody has had time to fetch; else the oldest. */
static size_t signer(const struct openid_keys *k, int64_t now_s)
{
	size_t i = k->n - 1;

	while (i > 0 && now_s - k->keys[i].made_s < OPENID_KEY_EARLY_S)
		i--;
	return i;
}

/* How many of the oldest nobody needs any more. */
static size_t count_old(const struct openid_keys *k, int64_t now_s)
{
	size_t n = 0;

	while (n + 1 < k->n && now_s - k->keys[n + 1].made_s >=
				   OPENID_KEY_EARLY_S + OPENID_KEY_LATE_S)
		n++;
	return n;
}

/* The list as it will be: the keys are those of `k` still. */
static int plan(const struct openid_keys *k, const char *fresh, int64_t now_s,
    struct openid_keys *next, struct err *err)
{
	size_t old = count_old(k, now_s);

	*next = (struct openid_keys){ .dir = k->dir, .n = k->n - old };
	memcpy(next->keys, k->keys + old, next->n * sizeof *next->keys);
	if (!fresh)
		return 0;
	if (next->n == KEYS_MAX)
		return err_set(err, ERR_LIMIT,
		    "there are %d keys of the OpenID "
		    "provider already",
		    KEYS_MAX);
	cjose_jwk_t *jwk = import_key(fresh, strlen(fresh));
	if (!jwk)
		return err_set(err, ERR_INTERNAL, "the new key is damaged");
	next->keys[next->n++] = (struct key){ now_s, jwk };
	return 0;
}

int openid_keys_turn(
    struct openid_keys *k, const char *fresh, int64_t now_s, struct err *err)
{
	size_t old = k->n > 0 ? count_old(k, now_s) : 0;
	struct openid_keys next;

	if (old == 0 && !fresh)
		return 0;
	if (plan(k, fresh, now_s, &next, err) != 0)
		return -1;
	if (write_file(&next, err) != 0) {
		if (fresh)
			cjose_jwk_release(next.keys[next.n - 1].jwk);
		return -1;
	}
	for (size_t i = 0; i < old; i++)
		cjose_jwk_release(k->keys[i].jwk);
	*k = next;
	log_info(NULL, "keys of the OpenID provider changed",
	    "file=%s/" FILE_NAME " keys=%zu", k->dir, k->n);
	return 0;
}

/* ---- use ----------------------------------------------------------------- */

json_t *openid_keys_public(const struct openid_keys *k)
{
	json_t *list = json_array();

	for (size_t i = 0; i < k->n; i++)
		json_array_append_new(list, public_part(k->keys[i].jwk));
	return json_pack("{s:o}", "keys", list);
}

static cjose_header_t *make_head(const cjose_jwk_t *jwk)
{
	cjose_header_t *head = cjose_header_new(NULL);

	if (head &&
	    cjose_header_set(head, CJOSE_HDR_ALG, CJOSE_HDR_ALG_RS256, NULL) &&
	    cjose_header_set(
		head, CJOSE_HDR_KID, cjose_jwk_get_kid(jwk, NULL), NULL) &&
	    cjose_header_set(head, "typ", "JWT", NULL))
		return head;
	if (head)
		cjose_header_release(head);
	return NULL;
}

int openid_keys_sign(const struct openid_keys *k, const json_t *claims,
    int64_t now_s, char **out, struct err *err)
{
	const cjose_jwk_t *jwk = k->keys[signer(k, now_s)].jwk;
	cjose_header_t *head = make_head(jwk);
	size_t len = 0;
	char *text = json_text(claims, &len);
	cjose_jws_t *jws = NULL;
	const char *compact = NULL;

	if (head && text)
		jws =
		    cjose_jws_sign(jwk, head, (const uint8_t *)text, len, NULL);
	*out = NULL;
	if (jws && cjose_jws_export(jws, &compact, NULL))
		*out = xstrdup(compact);
	if (jws)
		cjose_jws_release(jws);
	if (head)
		cjose_header_release(head);
	free(text);
	return *out ? 0
		    : err_set(err, ERR_INTERNAL, "the ID token was not signed");
}
