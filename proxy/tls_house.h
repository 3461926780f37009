/*
 * All TLS of the process, from its configuration: which contexts there are, who
 * gets them, and what a reload means. Main thread.
 */
#ifndef CARREL_PROXY_TLS_HOUSE_H
#define CARREL_PROXY_TLS_HOUSE_H

#include <stddef.h>

#include "base/err.h"
#include "base/loop.h"

struct api;
struct config;
struct ssl_ctx_st;
struct tls_house;
struct tls_tickets;
struct worker;

/* Loads every file that the configuration names. NULL with err. */
struct tls_house *tls_house_new(
    struct loop *l, const struct config *config, struct err *err);
/* After the workers. */
void tls_house_free(struct tls_house **h);
/* Before they run: each gets its contexts, now and after each reload. */
void tls_house_serve(
    struct tls_house *h, struct worker *const *workers, size_t n);
/* What the REST API begins with (NULL: plain), and who hears of later ones. */
struct ssl_ctx_st *tls_house_api(const struct tls_house *h);
void tls_house_serve_api(struct tls_house *h, struct api *api);
/* For a takeover. */
struct tls_tickets *tls_house_tickets(const struct tls_house *h);
void tls_house_reload(struct tls_house *h);

#endif
