/*
 * Certificates that change while the program runs: see tls_keeper.h.
 */
#include "proxy/tls_keeper.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/log.h"
#include "base/mem.h"

#define LOOK_MS  2000
/* Files that are not there yet are waited for. */
#define AWAIT_MS 200

/* What tells one version of a file from another. */
struct version {
	int64_t device, inode, size, s, ns;
};

struct tls_keeper {
	struct tls_keeper_options opt;
	struct ssl_ctx_st *ctx;
	struct timer timer;
	const char **files;
	size_t n_files;
	struct version *loaded, *seen;
};

/* ---- files --------------------------------------------------------------- */

static void add_file(struct tls_keeper *k, const char *path)
{
	if (path != NULL)
		k->files[k->n_files++] = path;
}

static void list_files(struct tls_keeper *k)
{
	const struct tls_options *o = &k->opt.tls;
	size_t cap = o->n_keys + o->n_certs + 2;

	k->files = xcalloc(cap, sizeof *k->files);
	for (size_t i = 0; i < o->n_keys; i++)
		add_file(k, o->keys[i]);
	for (size_t i = 0; i < o->n_certs; i++)
		add_file(k, o->certs[i]);
	add_file(k, o->ca);
	add_file(k, o->dhparam);
	k->loaded = xcalloc(cap, sizeof *k->loaded);
	k->seen = xcalloc(cap, sizeof *k->seen);
}

/* A file that is gone is all zeros. */
static void look(const struct tls_keeper *k, struct version *out)
{
	for (size_t i = 0; i < k->n_files; i++) {
		struct stat st;

		out[i] = (struct version){ .size = 0 };
		if (stat(k->files[i], &st) < 0)
			continue;
		out[i] = (struct version){
			.device = (int64_t)st.st_dev,
			.inode = (int64_t)st.st_ino,
			.size = st.st_size,
			/* Of its mode and owner too: now we may read it. */
			.s = st.st_ctim.tv_sec,
			.ns = st.st_ctim.tv_nsec,
		};
	}
}

static bool is_awaiting(const struct tls_keeper *k)
{
	for (size_t i = 0; k->opt.may_be_absent && i < k->n_files; i++)
		if (k->loaded[i].inode == 0)
			return true;
	return false;
}

/* ---- contexts ------------------------------------------------------------ */

static struct ssl_ctx_st *make_without(
    const struct tls_keeper *k, struct err *err)
{
	struct tls_options without = k->opt.tls;

	without.n_keys = without.n_certs = 0;
	without.ca = NULL;
	return tls_client_new(&without, err);
}

static struct ssl_ctx_st *make(const struct tls_keeper *k, struct err *err)
{
	if (is_awaiting(k))
		return make_without(k, err);
	if (k->opt.tickets != NULL)
		return tls_server_new(&k->opt.tls, k->opt.tickets, err);
	return tls_client_new(&k->opt.tls, err);
}

void tls_keeper_reload(struct tls_keeper *k)
{
	struct ssl_ctx_st *fresh;
	struct err err;

	look(k, k->loaded);
	memcpy(k->seen, k->loaded, k->n_files * sizeof *k->seen);
	fresh = make(k, &err);
	if (fresh == NULL) {
		log_error(NULL, "certificates cannot be reloaded",
		    "for=\"%s\" error=\"%s\" advice=\"those loaded before "
		    "stay in use\"",
		    k->opt.name, err.text);
		return;
	}
	log_info(NULL, "certificates are reloaded", "for=\"%s\"", k->opt.name);
	tls_unref(&k->ctx);
	k->ctx = fresh;
	if (k->opt.fn != NULL)
		k->opt.fn(fresh, k->opt.arg);
}

/* Key and certificate are two files: wait until they stay as they are. */
static void on_look(struct timer *timer, void *arg)
{
	struct tls_keeper *k = arg;
	size_t bytes = k->n_files * sizeof *k->seen;
	struct version *now = xcalloc(k->n_files + 1, sizeof *now);
	bool is_steady, is_other;

	look(k, now);
	is_steady = memcmp(now, k->seen, bytes) == 0;
	is_other = memcmp(now, k->loaded, bytes) != 0;
	memcpy(k->seen, now, bytes);
	free(now);
	if (is_steady && is_other)
		tls_keeper_reload(k);
	timer_start(k->opt.loop, timer, is_awaiting(k) ? AWAIT_MS : LOOK_MS,
	    on_look, k);
}

/* ---- life ---------------------------------------------------------------- */

struct tls_keeper *tls_keeper_new(
    const struct tls_keeper_options *opt, struct err *err)
{
	struct tls_keeper *k = xcalloc(1, sizeof *k);

	k->opt = *opt;
	list_files(k);
	look(k, k->loaded);
	memcpy(k->seen, k->loaded, k->n_files * sizeof *k->seen);
	k->ctx = make(k, err);
	if (k->ctx == NULL && opt->may_be_absent) {
		log_error(NULL, "certificates cannot be loaded",
		    "for=\"%s\" error=\"%s\" advice=\"they are tried again "
		    "when they change\"",
		    opt->name, err->text);
		k->ctx = make_without(k, err);
	}
	if (k->ctx == NULL) {
		(void)err_wrap(err, "TLS of the %s", opt->name);
		tls_keeper_free(&k);
		return NULL;
	}
	if (k->n_files > 0)
		timer_start(opt->loop, &k->timer,
		    is_awaiting(k) ? AWAIT_MS : LOOK_MS, on_look, k);
	return k;
}

void tls_keeper_free(struct tls_keeper **kp)
{
	struct tls_keeper *k = *kp;

	*kp = NULL;
	if (k == NULL)
		return;
	timer_stop(&k->timer);
	tls_unref(&k->ctx);
	free(k->files);
	free(k->loaded);
	free(k->seen);
	free(k);
}

struct ssl_ctx_st *tls_keeper_ctx(const struct tls_keeper *k)
{
	return k->ctx;
}
