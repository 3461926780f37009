/*
 * Memory shared with the parent: see page.h. The head comes first, then the
 * slots, a cache line each, then the times.
 */
#include "proxy/page.h"

#include <assert.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/mem.h"

#define MAGIC     0x43524c50u
#define SLOT_SIZE 64

struct head {
	uint32_t magic, n_slots, n_times;
	/* Entries from here on were never used. */
	_Atomic uint32_t times_used;
	struct page_counts counts;
};

struct slot {
	_Alignas(SLOT_SIZE) page_hand hand;
};

/* tag: a hash of the key, 0 when the entry is free. */
struct entry {
	_Atomic uint64_t tag;
	page_time last_ms;
};

/* Numbers that can be taken: those given back, and all from `next` on. */
struct stock {
	uint32_t *back;
	size_t n_back, cap_back;
	uint32_t next, end;
};

/* An entry of the engine before. */
struct old {
	uint64_t tag;
	int64_t last_ms;
	uint32_t i;
	bool is_taken;
};

struct page {
	int fd;
	size_t size;
	struct head *head;
	struct slot *slots;
	struct entry *entries;
	pthread_mutex_t lock; /* of everything below */
	struct stock slot_stock, time_stock;
	unsigned char *claimed; /* until page_slots_open */
	uint32_t claimed_end;
	struct old *old; /* by tag */
	size_t n_old;
};

#define LOAD(x)     atomic_load_explicit(&(x), memory_order_relaxed)
#define STORE(x, v) atomic_store_explicit(&(x), (v), memory_order_relaxed)

/* ---- numbers ------------------------------------------------------------- */

static void stock_give(struct stock *s, uint32_t i)
{
	if (s->n_back == s->cap_back) {
		s->cap_back = s->cap_back > 0 ? 2 * s->cap_back : 64;
		s->back = xreallocarray(s->back, s->cap_back, sizeof *s->back);
	}
	s->back[s->n_back++] = i;
}

static uint32_t stock_take(struct stock *s)
{
	if (s->n_back > 0)
		return s->back[--s->n_back];
	return s->next < s->end ? s->next++ : UINT32_MAX;
}

/* ---- life ---------------------------------------------------------------- */

static size_t size_of(size_t n_slots)
{
	return sizeof(struct slot) + n_slots * sizeof(struct slot) +
	       PAGE_TIMES_MAX * sizeof(struct entry);
}

static struct page *map(int fd, size_t n_slots, struct err *err)
{
	struct page *p;
	size_t size = size_of(n_slots);
	char *base;

	_Static_assert(sizeof(struct head) <= sizeof(struct slot),
	    "the head takes the place of one slot");
	base = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (base == MAP_FAILED) {
		(void)err_sys(err, "map shared memory");
		fd_close(&fd);
		return NULL;
	}
	(void)madvise(base, size, MADV_DONTDUMP);
	p = xcalloc(1, sizeof *p);
	p->fd = fd;
	p->size = size;
	p->head = (struct head *)(void *)base;
	p->slots = (struct slot *)(void *)base + 1;
	p->entries = (struct entry *)(void *)(p->slots + n_slots);
	pthread_mutex_init(&p->lock, NULL);
	p->slot_stock.end = (uint32_t)n_slots;
	p->time_stock.end = PAGE_TIMES_MAX;
	return p;
}

struct page *page_make(size_t n_slots, struct err *err)
{
	const int seals = F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL;
	struct page *p;
	int fd = memfd_create("page", MFD_CLOEXEC | MFD_ALLOW_SEALING);

	assert(n_slots <= PAGE_SLOTS_MAX);
	if (fd < 0 || ftruncate(fd, (off_t)size_of(n_slots)) < 0 ||
	    fcntl(fd, F_ADD_SEALS, seals) < 0) {
		(void)err_sys(err, "make shared memory");
		fd_close(&fd);
		return NULL;
	}
	p = map(fd, n_slots, err);
	if (p == NULL)
		return NULL;
	p->head->magic = MAGIC;
	p->head->n_slots = (uint32_t)n_slots;
	p->head->n_times = PAGE_TIMES_MAX;
	return p;
}

struct page *page_map(int fd, struct err *err)
{
	struct head head;
	struct stat st;

	if (pread(fd, &head, sizeof head, 0) != (ssize_t)sizeof head ||
	    fstat(fd, &st) < 0 || head.magic != MAGIC ||
	    head.n_slots > PAGE_SLOTS_MAX || head.n_times != PAGE_TIMES_MAX ||
	    st.st_size != (off_t)size_of(head.n_slots)) {
		(void)err_set(err, ERR_PROTOCOL,
		    "the shared memory is not of this version");
		fd_close(&fd);
		return NULL;
	}
	return map(fd, head.n_slots, err);
}

void page_free(struct page **pp)
{
	struct page *p = *pp;

	*pp = NULL;
	if (p == NULL)
		return;
	(void)munmap(p->head, p->size);
	fd_close(&p->fd);
	pthread_mutex_destroy(&p->lock);
	free(p->slot_stock.back);
	free(p->time_stock.back);
	free(p->claimed);
	free(p->old);
	free(p);
}

int page_fd(const struct page *p)
{
	return p->fd;
}

size_t page_n_slots(const struct page *p)
{
	return p->slot_stock.end;
}

struct page_counts *page_counts(struct page *p)
{
	return &p->head->counts;
}

page_hand *page_hand_of(struct page *p, uint32_t i)
{
	assert(i < p->slot_stock.end);
	return &p->slots[i].hand;
}

/* ---- slots --------------------------------------------------------------- */

int page_slot_claim(struct page *p, uint32_t i, struct err *err)
{
	if (p->claimed == NULL)
		p->claimed = xcalloc(1, p->slot_stock.end + (size_t)1);
	if (i >= p->slot_stock.end || p->claimed[i] != 0)
		return err_set(err, ERR_PROTOCOL,
		    "slot %u of %u is not to be claimed", (unsigned)i,
		    (unsigned)p->slot_stock.end);
	p->claimed[i] = 1;
	if (i >= p->claimed_end)
		p->claimed_end = i + 1;
	return 0;
}

void page_slots_open(struct page *p)
{
	/* The lowest number is taken first: memory stays dense. */
	for (uint32_t i = p->claimed_end; i-- > 0;)
		if (p->claimed[i] == 0)
			stock_give(&p->slot_stock, i);
	p->slot_stock.next = p->claimed_end;
	free(p->claimed);
	p->claimed = NULL;
}

uint32_t page_slot_take(struct page *p)
{
	uint32_t i;

	pthread_mutex_lock(&p->lock);
	i = stock_take(&p->slot_stock);
	pthread_mutex_unlock(&p->lock);
	return i;
}

void page_slot_give(struct page *p, uint32_t i)
{
	pthread_mutex_lock(&p->lock);
	stock_give(&p->slot_stock, i);
	pthread_mutex_unlock(&p->lock);
}

/* ---- times --------------------------------------------------------------- */

/* FNV-1a. Who could choose colliding keys sets the routes anyway. */
static uint64_t tag_of(const char *key)
{
	uint64_t h = 0xcbf29ce484222325u;

	for (; *key != '\0'; key++)
		h = (h ^ (unsigned char)*key) * 0x100000001b3u;
	return h != 0 ? h : 1;
}

static int compare(const void *a, const void *b)
{
	uint64_t x = ((const struct old *)a)->tag;
	uint64_t y = ((const struct old *)b)->tag;

	return x < y ? -1 : x > y;
}

void page_times_note(struct page *p)
{
	uint32_t used = LOAD(p->head->times_used);

	if (used > p->time_stock.end)
		used = p->time_stock.end;
	p->time_stock.next = used;
	if (used == 0)
		return;
	p->old = xcalloc(used, sizeof *p->old);
	for (uint32_t i = 0; i < used; i++) {
		uint64_t tag = LOAD(p->entries[i].tag);

		if (tag == 0)
			stock_give(&p->time_stock, i);
		else
			p->old[p->n_old++] = (struct old){ .tag = tag,
				.last_ms = LOAD(p->entries[i].last_ms),
				.i = i };
	}
	qsort(p->old, p->n_old, sizeof *p->old, compare);
}

static struct old *find_old(const struct page *p, uint64_t tag)
{
	const struct old key = { .tag = tag };

	if (p->n_old == 0)
		return NULL;
	return bsearch(&key, p->old, p->n_old, sizeof key, compare);
}

int64_t page_time_before(const struct page *p, const char *key)
{
	const struct old *o = find_old(p, tag_of(key));

	return o != NULL ? o->last_ms : -1;
}

static uint32_t take_entry(struct page *p, uint64_t tag)
{
	struct old *o = find_old(p, tag);
	uint32_t i;

	if (o != NULL && !o->is_taken) {
		o->is_taken = true;
		return o->i;
	}
	i = stock_take(&p->time_stock);
	if (i != UINT32_MAX && i >= LOAD(p->head->times_used))
		STORE(p->head->times_used, i + 1);
	return i;
}

page_time *page_time_take(struct page *p, const char *key)
{
	uint64_t tag = tag_of(key);
	uint32_t i;

	pthread_mutex_lock(&p->lock);
	i = take_entry(p, tag);
	pthread_mutex_unlock(&p->lock);
	if (i == UINT32_MAX)
		return NULL;
	if (LOAD(p->entries[i].tag) != tag)
		STORE(p->entries[i].last_ms, -1);
	STORE(p->entries[i].tag, tag);
	return &p->entries[i].last_ms;
}

void page_time_give(struct page *p, page_time *t)
{
	struct entry *e =
	    (struct entry *)(void *)((char *)t -
				     offsetof(struct entry, last_ms));

	STORE(e->tag, 0);
	pthread_mutex_lock(&p->lock);
	stock_give(&p->time_stock, (uint32_t)(e - p->entries));
	pthread_mutex_unlock(&p->lock);
}

void page_times_open(struct page *p)
{
	for (size_t k = 0; k < p->n_old; k++) {
		if (p->old[k].is_taken)
			continue;
		STORE(p->entries[p->old[k].i].tag, 0);
		stock_give(&p->time_stock, p->old[k].i);
	}
	free(p->old);
	p->old = NULL;
	p->n_old = 0;
}
