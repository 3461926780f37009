/*
 * A spawner of the test's own: the calls of spawner/client.h that the kind
 * "pam" makes, written down instead of sent.
 */
#ifndef CARREL_TESTS_UNIT_AUTH_FAKE_SPAWNER_H
#define CARREL_TESTS_UNIT_AUTH_FAKE_SPAWNER_H

#include "test_util.h"

#include "auth/authenticator.h"
#include "base/str.h"
#include "spawner/client.h"

struct fake_ask {
	uint64_t id;
	char account[300], rhost[64];
	char reply[512]; /* the last one */
	int n_replies;
	bool is_cancelled;
};

struct fake_spawner {
	struct fake_ask asks[64];
	size_t n;
	enum err_code refuse; /* ERR_NONE: takes everything */
};

static struct fake_spawner spawner;

static struct fake_ask *fake_find(uint64_t id)
{
	for (size_t i = 0; i < spawner.n; i++)
		if (spawner.asks[i].id == id)
			return &spawner.asks[i];
	return NULL;
}

static int fake_refuse(struct err *err)
{
	return err_set(err, spawner.refuse, "refused by the test");
}

bool spawner_is_up(const struct spawner_client *c)
{
	(void)c;
	return spawner.refuse != ERR_UNAVAILABLE;
}

int spawner_auth_begin(struct spawner_client *c, uint64_t id,
    const char *account, const char *rhost, struct err *err)
{
	struct fake_ask *a = &spawner.asks[spawner.n];

	(void)c;
	if (spawner.refuse != ERR_NONE)
		return fake_refuse(err);
	assert_true(spawner.n < N_OF(spawner.asks));
	assert_null(fake_find(id));
	spawner.n++;
	a->id = id;
	assert_int_equal(str_copy(a->account, sizeof a->account, account), 0);
	assert_int_equal(str_copy(a->rhost, sizeof a->rhost, rhost), 0);
	return 0;
}

int spawner_auth_reply(
    struct spawner_client *c, uint64_t id, const char *reply, struct err *err)
{
	struct fake_ask *a = fake_find(id);

	(void)c;
	if (spawner.refuse != ERR_NONE)
		return fake_refuse(err);
	assert_non_null(a);
	a->n_replies++;
	assert_int_equal(str_copy(a->reply, sizeof a->reply, reply), 0);
	return 0;
}

int spawner_auth_cancel(struct spawner_client *c, uint64_t id, struct err *err)
{
	struct fake_ask *a = fake_find(id);

	(void)c;
	if (spawner.refuse != ERR_NONE)
		return fake_refuse(err);
	if (a != NULL)
		a->is_cancelled = true;
	return 0;
}

/* ---- what the login hears ---- */

struct heard {
	int n_done, n_prompts;
	uint64_t id;
	enum auth_result res;
	bool has_identity, has_new_secret, echo;
	char name[300], account[300], group[64], text[600];
	size_t n_groups;
};

static void hear_text(char *out, size_t cap, const char *text)
{
	assert_int_equal(str_copy(out, cap, text != NULL ? text : ""), 0);
}

static void hear_prompt(uint64_t id, const char *text, bool echo, void *arg)
{
	struct heard *h = arg;

	h->n_prompts++;
	h->id = id;
	h->echo = echo;
	hear_text(h->text, sizeof h->text, text);
}

static void hear_done(uint64_t id, enum auth_result res,
    const struct auth_identity *identity, const char *text, void *arg)
{
	struct heard *h = arg;

	h->n_done++;
	h->id = id;
	h->res = res;
	h->has_identity = identity != NULL;
	hear_text(h->text, sizeof h->text, text);
	if (identity == NULL)
		return;
	hear_text(h->name, sizeof h->name, identity->name);
	hear_text(h->account, sizeof h->account, identity->account);
	h->n_groups = identity->n_groups;
	h->has_new_secret = identity->has_new_secret;
	if (identity->n_groups > 0)
		hear_text(h->group, sizeof h->group, identity->groups[0]);
}

#endif
