/*
 * The process's TLS: see tls_house.h.
 */
#include "proxy/tls_house.h"

#include <stdlib.h>

#include "base/log.h"
#include "base/mem.h"
#include "proxy/config.h"
#include "proxy/tls_keeper.h"
#include "proxy/tls_ticket.h"
#include "proxy/worker.h"

struct tls_house {
	struct loop *loop;
	struct tls_tickets *tickets;
	struct tls_keeper *public; /* NULL: plain HTTP */
	struct worker *const *workers;
	size_t n_workers;
};

/* One worker's new context, on its way to it. */
struct order {
	struct worker *worker;
	struct ssl_ctx_st *ctx;
};

/* ---- workers ------------------------------------------------------------- */

/* On the worker's thread. */
static void take_public(void *arg)
{
	struct order *o = arg;

	worker_set_tls(o->worker, o->ctx);
	free(o);
}

static void on_public(struct ssl_ctx_st *ctx, void *arg)
{
	struct tls_house *h = arg;

	for (size_t i = 0; i < h->n_workers; i++) {
		struct order *o = xcalloc(1, sizeof *o);

		o->worker = h->workers[i];
		o->ctx = tls_ref(ctx);
		loop_post(o->worker->loop, take_public, o);
	}
}

void tls_house_serve(
    struct tls_house *h, struct worker *const *workers, size_t n)
{
	h->workers = workers;
	h->n_workers = n;
	for (size_t i = 0; i < n && h->public != NULL; i++)
		worker_set_tls(workers[i], tls_ref(tls_keeper_ctx(h->public)));
}

/* ---- contexts ------------------------------------------------------------ */

/* What all contexts have in common. */
static struct tls_options common(const struct config *c)
{
	return (struct tls_options){
		.protocol = c->ssl_protocol,
		.ciphers = c->ssl_ciphers,
		.dhparam = c->ssl_dhparam,
	};
}

static int open_public(
    struct tls_house *h, const struct config *c, struct err *err)
{
	struct tls_keeper_options opt = {
		.name = "public port",
		.loop = h->loop,
		.tls = common(c),
		.tickets = h->tickets,
		.fn = on_public,
		.arg = h,
	};

	if (!config_has_tls(c))
		return 0;
	opt.tls.keys = c->ssl_keys.items;
	opt.tls.n_keys = c->ssl_keys.n;
	opt.tls.certs = c->ssl_certs.items;
	opt.tls.n_certs = c->ssl_certs.n;
	opt.tls.passphrase = c->ssl_passphrase;
	opt.tls.ca = c->ssl_ca;
	opt.tls.verifies = c->ssl_request_cert;
	h->public = tls_keeper_new(&opt, err);
	return h->public == NULL ? -1 : 0;
}

/* ---- life ---------------------------------------------------------------- */

struct tls_house *tls_house_new(
    struct loop *l, const struct config *config, struct err *err)
{
	struct tls_house *h = xcalloc(1, sizeof *h);

	h->loop = l;
	h->tickets = tls_tickets_new();
	if (open_public(h, config, err) < 0)
		tls_house_free(&h);
	return h;
}

void tls_house_free(struct tls_house **hp)
{
	struct tls_house *h = *hp;

	*hp = NULL;
	if (h == NULL)
		return;
	tls_keeper_free(&h->public);
	tls_tickets_free(&h->tickets);
	free(h);
}

void tls_house_reload(struct tls_house *h)
{
	if (h->public == NULL)
		log_info(NULL, "nothing to reload", "reason=\"no TLS\"");
	else
		tls_keeper_reload(h->public);
}
