/*
 * What the hub gives to every kind of authenticator when it opens one
 * (auth/authenticator.h).
 */
#ifndef CARREL_AUTH_AUTH_ENV_H
#define CARREL_AUTH_AUTH_ENV_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"

struct auth_rules;
struct auth_sink;
struct conf_node;
struct db;
struct fetcher;
struct keys;
struct loop;
struct offload;
struct passwords;
struct sealer;
struct spawner_client;

struct auth_env {
	struct loop *loop;
	struct spawner_client *spawner; /* the owner forwards auth_prompt and
					 * auth_end to pam.c by the id */
	struct offload *offload; /* for what blocks: a pool of the logins' own,
				  * which outlives the kind */
	const struct auth_sink *sink;
	/* Would they be an administrator if they came in under this name, as
	 * it was typed? 1/0/-1. */
	int (*is_admin)(const char *name, void *arg, struct err *err);
	void *is_admin_arg;
	/* The hub's own; NULL while the options are only checked. */
	struct db *db;
	const struct auth_rules *rules;
	struct passwords *passwords;
	const struct keys *keys;
	/* For secrets at rest, opened when it is first asked for; NULL with
	 * err. It outlives the kind. */
	const struct sealer *(*sealer)(void *arg, struct err *err);
	void *sealer_arg;
	const char *public_name; /* the host of our public address; NULL: not
				  * known */
	const struct conf_node *options; /* the kind's own map; NULL: none */
	const char *file;      /* of the configuration, for messages */
	bool creates_accounts; /* auth.create_system_users */
	bool public_address;   /* people from elsewhere can reach us */
	/* Redirect kinds: send the browser there; the attempt is over. arg is
	 * the sink's. */
	void (*redirect)(uint64_t attempt, const char *url, void *arg);
	struct fetcher *fetcher;  /* redirect kinds: their HTTP client */
	const char *callback_url; /* redirect kinds: where people come back;
				   * NULL: our public address is not known */
	const char *hub_url;      /* the same: "https://hub.example.org/hub/" */
};

#endif
