/*
 * See fake_spawner.h.
 */
#include "tests/sim/fake_spawner.h"

#include <stdlib.h>

#include "base/mem.h"

struct fake_spawner fake_spawner;

struct spawner_client {
	int unused;
};

struct spawner_client *spawner_client_new(
    struct loop *l, const char *socket_path, const struct spawner_callbacks *cb)
{
	(void)l;
	(void)socket_path;
	fake_spawner.cb = *cb;
	fake_spawner.has_hub = true;
	fake_spawner.is_up = false;
	return xcalloc(1, sizeof(struct spawner_client));
}

void spawner_client_free(struct spawner_client **c)
{
	fake_spawner.has_hub = false;
	fake_spawner.is_up = false;
	free(*c);
	*c = NULL;
}

bool spawner_is_up(const struct spawner_client *c)
{
	(void)c;
	return fake_spawner.is_up;
}

void fake_spawner_up(void)
{
	fake_spawner.is_up = true;
	fake_spawner.cb.up(fake_spawner.cb.arg);
}

void fake_spawner_down(void)
{
	struct err why;

	fake_spawner.is_up = false;
	err_set(&why, ERR_UNAVAILABLE, "the spawner went away");
	fake_spawner.cb.down(&why, fake_spawner.cb.arg);
}

static int send_one(enum fake_message what, const char *key,
    const struct spawner_start *start, struct err *err)
{
	if (!fake_spawner.is_up)
		return err_set(err, ERR_UNAVAILABLE, "not connected");
	if (fake_spawner.refuse != ERR_NONE)
		return err_set(err, fake_spawner.refuse, "refused on purpose");
	if (fake_spawner.sent)
		fake_spawner.sent(what, key, start);
	return 0;
}

int spawner_start(
    struct spawner_client *c, const struct spawner_start *s, struct err *err)
{
	(void)c;
	return send_one(FAKE_START, s->key, s, err);
}

int spawner_stop(struct spawner_client *c, const char *key, int64_t grace_ms,
    struct err *err)
{
	(void)c;
	(void)grace_ms;
	return send_one(FAKE_STOP, key, NULL, err);
}

int spawner_ack(struct spawner_client *c, const char *key, struct err *err)
{
	(void)c;
	return send_one(FAKE_ACK, key, NULL, err);
}

int spawner_list(struct spawner_client *c, struct err *err)
{
	(void)c;
	return send_one(FAKE_LIST, "", NULL, err);
}

int spawner_tail(struct spawner_client *c, const char *key, struct err *err)
{
	(void)c;
	(void)key;
	return err_set(err, ERR_UNAVAILABLE, "no logs here");
}

int spawner_auth_begin(struct spawner_client *c, uint64_t id,
    const char *account, const char *rhost, struct err *err)
{
	(void)c;
	(void)id;
	(void)account;
	(void)rhost;
	return err_set(err, ERR_UNAVAILABLE, "no logins here");
}

int spawner_auth_reply(
    struct spawner_client *c, uint64_t id, const char *reply, struct err *err)
{
	(void)c;
	(void)id;
	(void)reply;
	return err_set(err, ERR_UNAVAILABLE, "no logins here");
}

int spawner_auth_cancel(struct spawner_client *c, uint64_t id, struct err *err)
{
	(void)c;
	(void)id;
	return err_set(err, ERR_UNAVAILABLE, "no logins here");
}
