/*
 * The trie of routes: see routes.h. Nodes are found by (parent, segment) in a
 * hash table with open addressing, whose slots have the hashes: a look-up reads
 * one line of it per segment and no node but the right one. While it grows
 * there are two arrays, and each change moves a few slots from the old to the
 * new one.
 */
#include "proxy/routes.h"

#include <assert.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/rand.h"

#define SLOTS_MIN       64
#define MOVES_PER_EDIT  8
/* A longer segment is no key's; it is only checked. */
#define SEGMENT_MAX     1024
#define CACHE_LINE      64
/* What a request reads of a route and of its cell. */
#define ROUTE_HOT_BYTES 256
#define CELL_HOT_BYTES  128

struct node {
	struct node *parent;
	struct route *route; /* NULL: only on the way to others */
	uint32_t n_children;
	uint32_t len;
	char name[];
};

/*
 * All zero: free; without a node, but with a hash: it had one. The node's route
 * and that one's cell stand here too, so that all three are fetched at once:
 * with many routes none of them is in the processor's cache.
 */
struct slot {
	uint64_t hash;
	struct node *node;
	struct route *route;
	const struct cell *cell;
};

struct slots {
	struct slot *at;
	size_t n;      /* a power of two, or 0; at least a half are free */
	size_t n_used; /* with those that had a node */
};

struct routes {
	struct slots now, old;
	size_t n_moved; /* slots of `old` that are left for good */
	size_t n_nodes, n_routes;
	struct node *root;
	uint64_t key[2];
	bool by_host;
};

/* ---- hashing: SipHash-1-3, so that names cannot be made to collide --------
 */

static uint64_t rotate(uint64_t x, unsigned n)
{
	return x << n | x >> (64 - n);
}

static void sip_round(uint64_t v[4])
{
	v[0] += v[1];
	v[1] = rotate(v[1], 13) ^ v[0];
	v[0] = rotate(v[0], 32);
	v[2] += v[3];
	v[3] = rotate(v[3], 16) ^ v[2];
	v[0] += v[3];
	v[3] = rotate(v[3], 21) ^ v[0];
	v[2] += v[1];
	v[1] = rotate(v[1], 17) ^ v[2];
	v[2] = rotate(v[2], 32);
}

static void sip_word(uint64_t v[4], uint64_t word)
{
	v[3] ^= word;
	sip_round(v);
	v[0] ^= word;
}

static uint64_t hash_of(
    const struct routes *t, const struct node *parent, struct slice s)
{
	uint64_t v[4] = {
		t->key[0] ^ 0x736f6d6570736575u,
		t->key[1] ^ 0x646f72616e646f6du,
		t->key[0] ^ 0x6c7967656e657261u,
		t->key[1] ^ 0x7465646279746573u,
	};
	uint64_t word;

	sip_word(v, (uint64_t)(uintptr_t)parent);
	while (s.len >= sizeof word) {
		memcpy(&word, s.p, sizeof word);
		sip_word(v, word);
		s = slice_make(s.p + sizeof word, s.len - sizeof word);
	}
	word = (uint64_t)s.len << 56;
	if (s.len > 0)
		memcpy(&word, s.p, s.len);
	sip_word(v, word);
	v[2] ^= 0xff;
	for (int i = 0; i < 3; i++)
		sip_round(v);
	return v[0] ^ v[1] ^ v[2] ^ v[3];
}

/* ---- the hash table ------------------------------------------------------ */

static struct slots slots_new(size_t n)
{
	return (struct slots){ .at = xcalloc(n, sizeof(struct slot)), .n = n };
}

static bool is_free(const struct slot *s)
{
	return s->node == NULL && s->hash == 0;
}

/* It had a node, and what stands behind it is still to be found. */
static void leave(struct slot *s)
{
	*s = (struct slot){ .hash = 1 };
}

static bool node_is(
    const struct node *n, const struct node *parent, struct slice name)
{
	return n->parent == parent && n->len == name.len &&
	       memcmp(n->name, name.p, name.len) == 0;
}

/* Inlined, or the compiler takes it for a function without any effect. */
static inline __attribute__((always_inline)) void fetch(const struct slot *s)
{
	const char *route = (const char *)s->route;
	const char *cell = (const char *)s->cell;

	__builtin_prefetch(s->node);
	if (route == NULL)
		return;
	for (size_t at = 0; at < ROUTE_HOT_BYTES; at += CACHE_LINE)
		__builtin_prefetch(route + at);
	for (size_t at = 0; at < CELL_HOT_BYTES; at += CACHE_LINE)
		__builtin_prefetch(cell + at, 1);
}

/* The node's slot; NULL if there is none. */
static struct slot *find_in(const struct slots *s, uint64_t hash,
    const struct node *parent, struct slice name)
{
	if (s->n == 0)
		return NULL;
	for (size_t i = hash & (s->n - 1); !is_free(&s->at[i]);
	     i = (i + 1) & (s->n - 1)) {
		struct slot *slot = &s->at[i];

		if (slot->hash == hash)
			fetch(slot);
		if (slot->hash == hash && slot->node != NULL &&
		    node_is(slot->node, parent, name))
			return slot;
	}
	return NULL;
}

static struct slot *find(const struct routes *t, uint64_t hash,
    const struct node *parent, struct slice name)
{
	struct slot *s = find_in(&t->now, hash, parent, name);

	return s != NULL ? s : find_in(&t->old, hash, parent, name);
}

static const struct slot *child_of(
    const struct routes *t, const struct node *parent, struct slice name)
{
	if (parent->n_children == 0)
		return NULL;
	return find(t, hash_of(t, parent, name), parent, name);
}

/* A node that is not there yet. */
static void put(struct slots *s, struct slot slot)
{
	size_t i = slot.hash & (s->n - 1);

	while (s->at[i].node != NULL)
		i = (i + 1) & (s->n - 1);
	if (is_free(&s->at[i]))
		s->n_used++;
	assert(s->n_used < s->n);
	s->at[i] = slot;
}

static void move_some(struct routes *t)
{
	for (int i = 0; i < MOVES_PER_EDIT && t->old.n > 0; i++) {
		struct slot *s = &t->old.at[t->n_moved++];

		if (s->node != NULL) {
			put(&t->now, *s);
			leave(s);
		}
		if (t->n_moved < t->old.n)
			continue;
		free(t->old.at);
		t->old = (struct slots){ .at = NULL };
	}
}

/*
 * How many slots there should be. Until all is moved (an eighth as many changes
 * as there were slots) the new array stays less than half full.
 */
static size_t n_wanted(const struct routes *t)
{
	size_t n = t->now.n;

	if (t->now.n_used > n / 2)
		return t->n_nodes > n / 4 ? n * 2 : n;
	return n > SLOTS_MIN && t->n_nodes < n / 16 ? n / 2 : 0;
}

static void resize(struct routes *t)
{
	size_t n;

	move_some(t);
	if (t->old.n > 0)
		return;
	n = n_wanted(t);
	if (n == 0)
		return;
	t->old = t->now;
	t->n_moved = 0;
	t->now = slots_new(n);
}

/* ---- nodes --------------------------------------------------------------- */

static struct node *node_new(struct node *parent, struct slice name)
{
	struct node *n = xmalloc(sizeof *n + name.len);

	*n = (struct node){ .parent = parent, .len = (uint32_t)name.len };
	if (name.len > 0)
		memcpy(n->name, name.p, name.len);
	return n;
}

static struct node *child_made(
    struct routes *t, struct node *parent, struct slice name)
{
	uint64_t hash = hash_of(t, parent, name);
	struct slot *s = find(t, hash, parent, name);
	struct node *n;

	if (s != NULL)
		return s->node;
	n = node_new(parent, name);
	put(&t->now, (struct slot){ .hash = hash, .node = n });
	parent->n_children++;
	t->n_nodes++;
	resize(t);
	return n;
}

static struct slot *slot_of(const struct routes *t, const struct node *n)
{
	struct slice name = slice_make(n->name, n->len);
	struct slot *s = find(t, hash_of(t, n->parent, name), n->parent, name);

	assert(s != NULL && s->node == n);
	return s;
}

/* In its slot. */
static void note_route(struct routes *t, struct node *n)
{
	struct slot *s;

	if (n == t->root)
		return;
	s = slot_of(t, n);
	s->route = n->route;
	s->cell = n->route != NULL ? n->route->cell : NULL;
}

/* Remove a node that leads nowhere, then those above it likewise. */
static void prune(struct routes *t, struct node *n)
{
	while (n != t->root && n->route == NULL && n->n_children == 0) {
		struct node *parent = n->parent;
		struct slice name = slice_make(n->name, n->len);
		struct slot *s =
		    find(t, hash_of(t, parent, name), parent, name);

		assert(s != NULL && s->node == n);
		leave(s);
		free(n);
		parent->n_children--;
		t->n_nodes--;
		resize(t);
		n = parent;
	}
}

/* ---- life ---------------------------------------------------------------- */

struct routes *routes_new(bool by_host)
{
	struct routes *t = xcalloc(1, sizeof *t);

	t->by_host = by_host;
	t->now = slots_new(SLOTS_MIN);
	t->root = node_new(NULL, slice_make("", 0));
	rand_bytes(t->key, sizeof t->key);
	return t;
}

static void free_nodes(struct slots *s)
{
	for (size_t i = 0; i < s->n; i++) {
		struct node *n = s->at[i].node;

		if (n == NULL)
			continue;
		route_unref(&n->route);
		free(n);
	}
	free(s->at);
}

void routes_free(struct routes **tp)
{
	struct routes *t = *tp;

	*tp = NULL;
	if (t == NULL)
		return;
	free_nodes(&t->now);
	free_nodes(&t->old);
	route_unref(&t->root->route);
	free(t->root);
	free(t);
}

size_t routes_count(const struct routes *t)
{
	return t->n_routes;
}

/* ---- keys ---------------------------------------------------------------- */

/* A host compares without case: its segment is folded in the table. */
static struct slice fold(struct slice s, char *out)
{
	if (s.len > SEGMENT_MAX)
		return s;
	for (size_t i = 0; i < s.len; i++)
		out[i] = s.p[i] >= 'A' && s.p[i] <= 'Z'
			     ? (char)(s.p[i] - 'A' + 'a')
			     : s.p[i];
	return slice_make(out, s.len);
}

/* The next segment of a clean key; false at its end. */
static bool next_part(struct slice *rest, struct slice *part)
{
	const char *end;

	if (rest->len < 2 && (rest->len == 0 || part->p == NULL))
		return false;
	*rest = slice_make(rest->p + 1, rest->len - 1);
	end = rest->len > 0 ? memchr(rest->p, '/', rest->len) : NULL;
	part->p = rest->p;
	part->len = end == NULL ? rest->len : (size_t)(end - rest->p);
	*rest = slice_make(rest->p + part->len, rest->len - part->len);
	return true;
}

/* One segment further down, made there if asked to. */
static struct node *child(
    struct routes *t, struct node *parent, struct slice name, bool make)
{
	const struct slot *s;

	if (make)
		return child_made(t, parent, name);
	s = child_of(t, parent, name);
	return s != NULL ? s->node : NULL;
}

/* Find the node of a key, making the way to it if asked to. */
static struct node *walk(struct routes *t, const char *key, bool make)
{
	struct slice rest = slice_of(key), part = { .p = NULL };
	struct node *n = t->root;
	char folded[SEGMENT_MAX];
	bool is_first = true;

	while (n != NULL && next_part(&rest, &part)) {
		struct slice name =
		    t->by_host && is_first ? fold(part, folded) : part;

		n = child(t, n, name, make);
		is_first = false;
	}
	return n;
}

void routes_set(struct routes *t, struct route *r)
{
	struct node *n = walk(t, r->key, true);

	if (n->route == NULL)
		t->n_routes++;
	route_ref(r);
	route_unref(&n->route);
	n->route = r;
	note_route(t, n);
}

void routes_remove(struct routes *t, const char *key)
{
	struct node *n = walk(t, key, false);

	if (n == NULL || n->route == NULL)
		return;
	route_unref(&n->route);
	note_route(t, n);
	t->n_routes--;
	prune(t, n);
}

/* ---- matching ------------------------------------------------------------ */

/* The segments of a raw path, decoded one by one. */
struct reader {
	const char *p, *end; /* at a separator, or at the end */
	struct slice name;   /* the segment */
	bool is_too_long;    /* it can be nobody's */
	char copy[SEGMENT_MAX];
};

static int hex_value(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c = (char)(c | 0x20);
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* The byte that an escape at p means; -1 if it is none, or NUL. */
static int escape_at(const char *p, const char *end)
{
	int high, low;

	if (end - p < 3)
		return -1;
	high = hex_value(p[1]);
	low = hex_value(p[2]);
	if (high < 0 || low < 0 || high + low == 0)
		return -1;
	return high * 16 + low;
}

/* A segment with escapes, from `at` on, into the copy. */
static int read_escaped(struct reader *r, const char *at)
{
	size_t n = 0;

	while (at < r->end && *at != '/') {
		int c = (unsigned char)*at;
		size_t step = 1;

		if (c == '%') {
			c = escape_at(at, r->end);
			step = 3;
		}
		if (c < 0)
			return -1;
		if (c == '/')
			break;
		if (n < sizeof r->copy)
			r->copy[n] = (char)c;
		n++;
		at += step;
	}
	r->p = at;
	r->is_too_long = n > sizeof r->copy;
	r->name = slice_make(r->copy, r->is_too_long ? 0 : n);
	return 0;
}

static int read_segment(struct reader *r)
{
	const char *begin, *at;

	r->p += *r->p == '%' ? 3 : 1;
	begin = at = r->p;
	while (at < r->end && *at != '/' && *at != '%')
		at++;
	if (at < r->end && *at == '%')
		return read_escaped(r, begin);
	r->p = at;
	r->name = slice_make(begin, (size_t)(at - begin));
	r->is_too_long = r->name.len > SEGMENT_MAX;
	return 0;
}

/* What the next byte of a UTF-8 text has to be (RFC 3629). */
struct utf8 {
	unsigned need; /* continuation bytes to come */
	int low, high; /* bounds of the next one */
};

static bool utf8_begin(struct utf8 *u, int c)
{
	if (c < 0x80)
		return true;
	if (c < 0xc2 || c > 0xf4)
		return false;
	u->need = c < 0xe0 ? 1 : c < 0xf0 ? 2 : 3;
	u->low = c == 0xe0 ? 0xa0 : c == 0xf0 ? 0x90 : 0x80;
	u->high = c == 0xed ? 0x9f : c == 0xf4 ? 0x8f : 0xbf;
	return true;
}

static bool utf8_step(struct utf8 *u, int c)
{
	if (u->need == 0)
		return utf8_begin(u, c);
	if (c < u->low || c > u->high)
		return false;
	u->need--;
	u->low = 0x80;
	u->high = 0xbf;
	return true;
}

/* Are the escapes whole and the decoded bytes UTF-8? */
static bool path_is_sound(struct slice raw)
{
	const char *end = raw.p + raw.len;
	struct utf8 u = { .need = 0 };

	for (const char *p = raw.p; p < end;) {
		int c = *p == '%' ? escape_at(p, end) : (unsigned char)*p;

		if (c < 0 || !utf8_step(&u, c))
			return false;
		p += *p == '%' ? 3 : 1;
	}
	return u.need == 0;
}

/* "Name.Example:8000" -> "name.example"; "[::1]:80" -> "[::1]". */
static struct slice host_name(struct slice host, char *out)
{
	const char *end = NULL;

	if (host.len > 0 && host.p[0] == '[')
		end = memchr(host.p, ']', host.len);
	if (end != NULL)
		host.len = (size_t)(end + 1 - host.p);
	else if (host.len > 0 && (end = memchr(host.p, ':', host.len)) != NULL)
		host.len = (size_t)(end - host.p);
	return fold(host, out);
}

static void note(
    struct route *route, const struct reader *r, struct routes_match *out)
{
	if (route == NULL)
		return;
	out->route = route;
	out->rest = slice_make(r->p, (size_t)(r->end - r->p));
}

/* One segment further down; NULL: nobody has it. */
static const struct node *descend(const struct routes *t,
    const struct node *parent, struct slice name, const struct reader *r,
    struct routes_match *out)
{
	const struct slot *s = child_of(t, parent, name);

	if (s == NULL)
		return NULL;
	note(s->route, r, out);
	return s->node;
}

int routes_match(const struct routes *t, struct slice host,
    struct slice raw_path, struct routes_match *out)
{
	struct reader r = { .p = raw_path.p, .end = raw_path.p + raw_path.len };
	const struct node *n = t->root;
	char folded[SEGMENT_MAX];

	*out = (struct routes_match){ .route = NULL };
	if (!path_is_sound(raw_path))
		return -1;
	note(n->route, &r, out);
	if (t->by_host)
		n = descend(t, n, host_name(host, folded), &r, out);
	while (n != NULL && n->n_children > 0 && r.p < r.end) {
		if (read_segment(&r) < 0)
			return -1;
		if (r.is_too_long)
			break;
		n = descend(t, n, r.name, &r, out);
	}
	return out->route != NULL;
}
