/*
 * The spawner's side of the wire: one hub at a time. What it may say stands in
 * wire.def; anything else ends the connection, while servers run on.
 */
#ifndef CARREL_SPAWNER_SERVE_H
#define CARREL_SPAWNER_SERVE_H

#include <sys/types.h>

#include "base/err.h"
#include "base/loop.h"
#include "spawner/attempt.h"
#include "spawner/fleet.h"

struct serve;

struct serve_config {
	uid_t client_uid;        /* the hub's */
	const char *own_account; /* single-account mode; NULL as root */
};

struct serve *serve_new(struct loop *l, const struct serve_config *config);
void serve_free(struct serve **s);
/* Whose answers go out here. Borrowed; before serve_listen. */
void serve_attach(
    struct serve *s, struct fleet *fleet, struct attempts *attempts);
/* Takes the listening socket (SOCK_SEQPACKET); the one before is closed. */
int serve_listen(struct serve *s, int fd, struct err *err) MUST_CHECK;

/* For attempts_new and fleet_new; arg is the struct serve. */
void serve_auth_prompt(uint64_t id, const char *text, bool echo, void *arg);
void serve_auth_end(const struct attempt_end *end, void *arg);
extern const struct fleet_callbacks serve_fleet_callbacks;

#endif
