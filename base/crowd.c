/*
 * See crowd.h. Owners are found by hash; the greediest is looked for only when
 * the house is full, among owners, of which there are few then or none greedy.
 */
#include "base/crowd.h"

#include <arpa/inet.h>
#include <assert.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

#include "base/fd.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/rand.h"
#include "base/str.h"

#define SAY_EVERY_MS 10000

enum owner_kind {
	OWNER_ACCOUNT,
	OWNER_IPV4,
	OWNER_IPV6,
	OWNER_OTHER,
};

struct owner_id {
	uint32_t kind;
	uint32_t words[4];
};

struct crowd_owner {
	struct list link;    /* in its bucket */
	struct list members; /* the newest last */
	size_t n;
	struct owner_id id;
};

/* ---- who ----------------------------------------------------------------- */

static struct owner_id id_of_ipv6(const struct sockaddr *sa)
{
	struct owner_id id = { .kind = OWNER_IPV6 };
	struct sockaddr_in6 v6;

	memcpy(&v6, sa, sizeof v6);
	if (IN6_IS_ADDR_V4MAPPED(&v6.sin6_addr)) {
		id.kind = OWNER_IPV4;
		memcpy(id.words, v6.sin6_addr.s6_addr + 12, 4);
	} else {
		memcpy(id.words, v6.sin6_addr.s6_addr, 8);
	}
	return id;
}

static struct owner_id id_of(
    const struct sockaddr *peer, const struct sockaddr *own)
{
	struct owner_id id = { .kind = OWNER_OTHER };
	struct sockaddr_in v4;
	uid_t uid;

	if (sock_remote_uid(peer, own, &uid)) {
		id.kind = OWNER_ACCOUNT;
		id.words[0] = uid;
	} else if (peer->sa_family == AF_INET) {
		memcpy(&v4, peer, sizeof v4);
		id.kind = OWNER_IPV4;
		id.words[0] = v4.sin_addr.s_addr;
	} else if (peer->sa_family == AF_INET6) {
		id = id_of_ipv6(peer);
	}
	return id;
}

static struct list *bucket_of(struct crowd *c, const struct owner_id *id)
{
	uint64_t h = c->seed ^ id->kind;

	for (size_t i = 0; i < 4; i++) {
		h = (h ^ id->words[i]) * 0x9e3779b97f4a7c15u;
		h ^= h >> 29;
	}
	return &c->buckets[h % CROWD_BUCKETS];
}

static struct crowd_owner *owner_of(struct crowd *c, const struct owner_id *id)
{
	struct list *bucket = bucket_of(c, id);
	struct crowd_owner *o;

	list_for_each (it, bucket) {
		o = LIST_ITEM(it, struct crowd_owner, link);
		if (memcmp(&o->id, id, sizeof *id) == 0)
			return o;
	}
	o = xcalloc(1, sizeof *o);
	o->id = *id;
	list_init(&o->members);
	list_add_tail(bucket, &o->link);
	return o;
}

/* ---- coming and going ---------------------------------------------------- */

void crowd_init(struct crowd *c)
{
	*c = (struct crowd){ .said_ms = INT64_MIN / 2 };
	rand_bytes(&c->seed, sizeof c->seed);
	for (size_t i = 0; i < CROWD_BUCKETS; i++)
		list_init(&c->buckets[i]);
}

void crowd_fini(struct crowd *c)
{
	assert(c->n_members == 0);
}

void crowd_join(struct crowd *c, struct crowd_member *m,
    const struct sockaddr *peer, const struct sockaddr *own)
{
	const struct owner_id id = id_of(peer, own);

	assert(!m->owner);
	m->owner = owner_of(c, &id);
	m->owner->n++;
	c->n_members++;
	list_add_tail(&m->owner->members, &m->link);
}

void crowd_leave(struct crowd *c, struct crowd_member *m)
{
	struct crowd_owner *o = m->owner;

	if (!o)
		return;
	m->owner = NULL;
	list_del(&m->link);
	c->n_members--;
	if (--o->n == 0) {
		list_del(&o->link);
		free(o);
	}
}

struct crowd_member *crowd_newest_of_greediest(const struct crowd *c)
{
	const struct crowd_owner *best = NULL;

	for (size_t i = 0; i < CROWD_BUCKETS; i++) {
		list_for_each (it, &c->buckets[i]) {
			const struct crowd_owner *o =
			    LIST_ITEM(it, struct crowd_owner, link);

			if (!best || o->n > best->n)
				best = o;
		}
	}
	return best ? LIST_ITEM(best->members.prev, struct crowd_member, link)
		    : NULL;
}

void crowd_refuse(
    struct crowd *c, struct crowd_member *m, const char *what, int64_t now_ms)
{
	char name[CROWD_NAME_SIZE];

	c->n_refused++;
	if (now_ms - c->said_ms >= SAY_EVERY_MS) {
		crowd_name(m, name);
		log_warn(NULL, "one peer holds the most and is refused",
		    "what=\"%s\" all=%zu who=\"%s\" has=%zu refused=%llu "
		    "advice=\"ss -tpe shows the processes\"",
		    what, c->n_members, name, crowd_share(m),
		    (unsigned long long)c->n_refused);
		c->said_ms = now_ms;
		c->n_refused = 0;
	}
	crowd_leave(c, m);
}

/* ---- questions ----------------------------------------------------------- */

void crowd_name(const struct crowd_member *m, char out[CROWD_NAME_SIZE])
{
	const struct owner_id *id = &m->owner->id;
	char address[INET6_ADDRSTRLEN] = "?";
	int rc;

	if (id->kind == OWNER_ACCOUNT) {
		rc = str_format(
		    out, CROWD_NAME_SIZE, "account %u", (unsigned)id->words[0]);
	} else if (id->kind == OWNER_OTHER) {
		rc = str_copy(out, CROWD_NAME_SIZE, "unknown");
	} else {
		(void)inet_ntop(id->kind == OWNER_IPV4 ? AF_INET : AF_INET6,
		    id->words, address, sizeof address);
		rc = str_format(out, CROWD_NAME_SIZE, "address %s%s", address,
		    id->kind == OWNER_IPV6 ? "/64" : "");
	}
	assert(rc == 0);
}

size_t crowd_share(const struct crowd_member *m)
{
	return m->owner->n;
}
