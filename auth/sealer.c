/*
 * See sealer.h. A sealed text is base64url of: one byte for the form (1), four
 * bytes that name the key, the nonce, the ciphertext with its tag.
 */
#include "auth/sealer.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/log.h"
#include "base/mac.h"
#include "base/mem.h"
#include "base/rand.h"
#include "base/str.h"

#define KEYS_MAX  16
#define FILE_MAX  4096
#define FORM      1
#define KEY_BYTES crypto_aead_xchacha20poly1305_ietf_KEYBYTES
#define NONCE_LEN crypto_aead_xchacha20poly1305_ietf_NPUBBYTES
#define TAG_LEN   crypto_aead_xchacha20poly1305_ietf_ABYTES
#define NAME_LEN  4
#define HEAD_LEN  (1 + NAME_LEN + NONCE_LEN)

struct sealer {
	size_t n;
	unsigned char key[KEYS_MAX][KEY_BYTES];
	unsigned char name[KEYS_MAX][NAME_LEN];
};

/* ---- the file ------------------------------------------------------------ */

static int add_key(
    struct sealer *s, struct slice line, const char *path, struct err *err)
{
	unsigned char digest[MAC_SHA256_LEN];
	size_t len = 0;

	if (s->n == KEYS_MAX)
		return err_set(
		    err, ERR_LIMIT, "%s has more than %d keys", path, KEYS_MAX);
	if (line.len != 2 * KEY_BYTES ||
	    sodium_hex2bin(s->key[s->n], KEY_BYTES, line.p, line.len, NULL,
		&len, NULL) != 0 ||
	    len != KEY_BYTES)
		return err_set(err, ERR_INVALID,
		    "%s: line %zu is no key: each is 64 hex digits, as "
		    "\"openssl rand -hex 32\" prints them",
		    path, s->n + 1);
	mac_sha256(s->key[s->n], KEY_BYTES, digest);
	memcpy(s->name[s->n], digest, NAME_LEN);
	s->n++;
	return 0;
}

static int read_keys(
    struct sealer *s, const char *text, const char *path, struct err *err)
{
	struct slice rest = slice_of(text), line;

	while (slice_split(&rest, '\n', &line)) {
		line = slice_trim(line);
		if (line.len > 0 && add_key(s, line, path, err) != 0)
			return -1;
	}
	if (s->n == 0)
		return err_set(err, ERR_INVALID, "%s has no key", path);
	return 0;
}

static int read_file(
    struct sealer *s, int fd, const char *path, struct err *err)
{
	char *text = NULL;
	struct stat st;
	size_t len = 0;
	int rc;

	if (fstat(fd, &st) < 0)
		return err_sys(err, "keys %s: stat", path);
	if (!S_ISREG(st.st_mode) || (st.st_mode & 077) != 0 ||
	    (st.st_uid != geteuid() && st.st_uid != 0))
		return err_set(err, ERR_DENIED,
		    "keys %s: others may read or replace them; let the file "
		    "belong to the hub's account with mode 0600",
		    path);
	if (fd_read_all(fd, FILE_MAX, &text, &len, err) < 0)
		return err_wrap(err, "keys %s", path);
	rc = read_keys(s, text, path, err);
	mem_wipe(text, len);
	free(text);
	return rc;
}

static int make_file(const char *path, struct err *err)
{
	unsigned char key[KEY_BYTES];
	char text[2 * KEY_BYTES + 2];
	int fd = open(
	    path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
	int rc = 0;

	if (fd < 0)
		return err_sys(err, "keys %s: make", path);
	rand_bytes(key, sizeof key);
	sodium_bin2hex(text, sizeof text - 1, key, sizeof key);
	text[2 * KEY_BYTES] = '\n';
	if (write(fd, text, 2 * KEY_BYTES + 1) != 2 * KEY_BYTES + 1 ||
	    fsync(fd) != 0)
		rc = err_sys(err, "keys %s: write", path);
	mem_wipe(key, sizeof key);
	mem_wipe(text, sizeof text);
	fd_close(&fd);
	if (rc == 0)
		log_info(NULL, "key made", "file=%s", path);
	else
		(void)unlink(path);
	return rc;
}

static int open_file(const char *path, bool make, struct err *err)
{
	const int flags = O_RDONLY | O_CLOEXEC | O_NONBLOCK;
	int fd = open(path, flags);

	if (fd < 0 && errno == ENOENT && make) {
		if (make_file(path, err) != 0)
			return -1;
		fd = open(path, flags);
	}
	if (fd < 0)
		return err_sys(err, "keys %s: open", path);
	return fd;
}

struct sealer *sealer_open(const char *path, bool make, struct err *err)
{
	struct sealer *s;
	int fd, rc;

	if (sodium_init() < 0) {
		(void)err_set(err, ERR_INTERNAL, "libsodium cannot be used");
		return NULL;
	}
	fd = open_file(path, make, err);
	if (fd < 0)
		return NULL;
	s = xcalloc(1, sizeof *s);
	rc = read_file(s, fd, path, err);
	fd_close(&fd);
	if (rc != 0)
		sealer_close(&s);
	return s;
}

void sealer_close(struct sealer **s)
{
	if (!*s)
		return;
	mem_wipe(*s, sizeof **s);
	free(*s);
	*s = NULL;
}

/* ---- sealing ------------------------------------------------------------- */

const char *sealer_seal(const struct sealer *s, struct arena *a,
    const char *context, const char *text)
{
	size_t len = strlen(text), cap = HEAD_LEN + len + TAG_LEN;
	unsigned char *raw = arena_alloc(a, cap);
	char *out = arena_alloc(a, cap * 4 / 3 + 4);
	unsigned long long n = 0;
	int rc;

	raw[0] = FORM;
	memcpy(raw + 1, s->name[0], NAME_LEN);
	rand_bytes(raw + 1 + NAME_LEN, NONCE_LEN);
	rc = crypto_aead_xchacha20poly1305_ietf_encrypt(raw + HEAD_LEN, &n,
	    (const unsigned char *)text, len, (const unsigned char *)context,
	    strlen(context), NULL, raw + 1 + NAME_LEN, s->key[0]);
	assert(rc == 0);
	rc = b64url_encode(raw, HEAD_LEN + (size_t)n, out, cap * 4 / 3 + 4);
	assert(rc == 0);
	return out;
}

static const unsigned char *key_named(
    const struct sealer *s, const unsigned char *name)
{
	for (size_t i = 0; i < s->n; i++) {
		if (memcmp(s->name[i], name, NAME_LEN) == 0)
			return s->key[i];
	}
	return NULL;
}

int sealer_unseal(const struct sealer *s, struct arena *a, const char *context,
    const char *sealed, const char **out, struct err *err)
{
	size_t cap = strlen(sealed), len = 0;
	unsigned char *raw = arena_alloc(a, cap + 1);
	const unsigned char *key;
	unsigned long long n = 0;
	char *text;

	if (b64url_decode(slice_of(sealed), raw, cap, &len) != 0 ||
	    len < HEAD_LEN + TAG_LEN || raw[0] != FORM)
		return err_set(
		    err, ERR_DENIED, "it is nothing that was sealed");
	key = key_named(s, raw + 1);
	if (!key)
		return err_set(err, ERR_NOT_FOUND,
		    "it was sealed by a key that is not there any more");
	text = arena_alloc(a, len - HEAD_LEN - TAG_LEN + 1);
	if (crypto_aead_xchacha20poly1305_ietf_decrypt((unsigned char *)text,
		&n, NULL, raw + HEAD_LEN, len - HEAD_LEN,
		(const unsigned char *)context, strlen(context),
		raw + 1 + NAME_LEN, key) != 0)
		return err_set(err, ERR_DENIED,
		    "it was changed, or it is somebody else's");
	text[n] = '\0';
	*out = text;
	return 0;
}
