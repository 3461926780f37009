/*
 * The process's TLS: see tls_house.h.
 */
#include "proxy/tls_house.h"

#include <stdlib.h>

#include "base/mem.h"
#include "proxy/api.h"
#include "proxy/config.h"
#include "proxy/tls_keeper.h"
#include "proxy/tls_ticket.h"
#include "proxy/worker.h"

struct tls_house {
	struct loop *loop;
	struct tls_tickets *tickets;
	struct tls_keeper *public; /* NULL: plain HTTP */
	struct tls_keeper *rest;   /* NULL: plain HTTP */
	struct tls_keeper *client; /* to targets */
	struct api *api;
	struct worker *const *workers;
	size_t n_workers;
};

typedef void take_fn(struct worker *w, struct ssl_ctx_st *ctx);

/* One worker's new context, on its way to it. */
struct order {
	struct worker *worker;
	struct ssl_ctx_st *ctx;
	take_fn *take;
};

/* ---- workers ------------------------------------------------------------- */

/* On the worker's thread. */
static void on_order(void *arg)
{
	struct order *o = arg;

	o->take(o->worker, o->ctx);
	free(o);
}

static void send_orders(
    struct tls_house *h, struct ssl_ctx_st *ctx, take_fn *take)
{
	for (size_t i = 0; i < h->n_workers; i++) {
		struct order *o = xcalloc(1, sizeof *o);

		o->worker = h->workers[i];
		o->ctx = tls_ref(ctx);
		o->take = take;
		loop_post(o->worker->loop, on_order, o);
	}
}

static void on_public(struct ssl_ctx_st *ctx, void *arg)
{
	send_orders(arg, ctx, worker_set_tls);
}

static void on_client(struct ssl_ctx_st *ctx, void *arg)
{
	send_orders(arg, ctx, worker_set_client_tls);
}

void tls_house_serve(
    struct tls_house *h, struct worker *const *workers, size_t n)
{
	h->workers = workers;
	h->n_workers = n;
	for (size_t i = 0; i < n; i++) {
		worker_set_client_tls(
		    workers[i], tls_ref(tls_keeper_ctx(h->client)));
		if (h->public != NULL)
			worker_set_tls(
			    workers[i], tls_ref(tls_keeper_ctx(h->public)));
	}
}

static void on_rest(struct ssl_ctx_st *ctx, void *arg)
{
	struct tls_house *h = arg;

	if (h->api != NULL)
		api_set_tls(h->api, ctx);
}

struct ssl_ctx_st *tls_house_api(const struct tls_house *h)
{
	return h->rest != NULL ? tls_keeper_ctx(h->rest) : NULL;
}

void tls_house_serve_api(struct tls_house *h, struct api *api)
{
	h->api = api;
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
	opt.tls.offers_h2 = c->http2;
	h->public = tls_keeper_new(&opt, err);
	return h->public == NULL ? -1 : 0;
}

static int open_rest(
    struct tls_house *h, const struct config *c, struct err *err)
{
	struct tls_keeper_options opt = {
		.name = "REST API",
		.loop = h->loop,
		.tls = common(c),
		.tickets = h->tickets,
		.fn = on_rest,
		.arg = h,
	};

	if (!config_has_api_tls(c))
		return 0;
	opt.tls.keys = &c->api_ssl_key;
	opt.tls.n_keys = c->api_ssl_key != NULL;
	opt.tls.certs = &c->api_ssl_cert;
	opt.tls.n_certs = c->api_ssl_cert != NULL;
	opt.tls.passphrase = c->api_ssl_passphrase;
	opt.tls.ca = c->api_ssl_ca;
	opt.tls.verifies = c->api_ssl_request_cert;
	h->rest = tls_keeper_new(&opt, err);
	return h->rest == NULL ? -1 : 0;
}

static int open_client(
    struct tls_house *h, const struct config *c, struct err *err)
{
	struct tls_keeper_options opt = {
		.name = "way to targets",
		.loop = h->loop,
		.tls = common(c),
		.fn = on_client,
		.arg = h,
	};

	opt.tls.keys = &c->client_ssl_key;
	opt.tls.n_keys = c->client_ssl_key != NULL;
	opt.tls.certs = &c->client_ssl_cert;
	opt.tls.n_certs = c->client_ssl_cert != NULL;
	opt.tls.ca = c->client_ssl_ca;
	opt.tls.verifies = !c->insecure;
	if (c->client_dir_pair != NULL) {
		opt.tls.certs = &c->client_dir_pair;
		opt.tls.n_certs = 1;
		opt.tls.ca = c->client_dir_ca;
		opt.tls.adds_system_ca = true;
		opt.may_be_absent = true;
	}
	h->client = tls_keeper_new(&opt, err);
	return h->client == NULL ? -1 : 0;
}

/* ---- life ---------------------------------------------------------------- */

struct tls_house *tls_house_new(
    struct loop *l, const struct config *config, struct err *err)
{
	struct tls_house *h = xcalloc(1, sizeof *h);

	h->loop = l;
	h->tickets = tls_tickets_new();
	if (open_public(h, config, err) < 0 || open_rest(h, config, err) < 0 ||
	    open_client(h, config, err) < 0)
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
	tls_keeper_free(&h->rest);
	tls_keeper_free(&h->client);
	tls_tickets_free(&h->tickets);
	free(h);
}

struct tls_tickets *tls_house_tickets(const struct tls_house *h)
{
	return h->tickets;
}

void tls_house_reload(struct tls_house *h)
{
	if (h->public != NULL)
		tls_keeper_reload(h->public);
	if (h->rest != NULL)
		tls_keeper_reload(h->rest);
	tls_keeper_reload(h->client);
}
