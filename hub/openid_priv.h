/*
 * What openid.c and openid_claims.c share. Private to them.
 */
#ifndef CARREL_HUB_OPENID_PRIV_H
#define CARREL_HUB_OPENID_PRIV_H

#include "auth/openid_keys.h"
#include "base/loop.h"

struct app;

struct openid {
	struct app *app;
	struct openid_keys *keys;
	char *issuer; /* "https://hub.example.org/hub" */
	struct timer timer;
	bool is_making; /* a key, in a thread, which sets `fresh` */
	char *fresh;
};

#endif
